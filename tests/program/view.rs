//! The live view, on a real terminal.

use std::process::Command;

use crate::stage::run;
use crate::terminal::Terminal;

/// Twenty bots that talk; nobody waits for the end.
const TALKING: &str = "run echo --conns 20 --for 60s --set pace=100ms";

fn as_it_is(_: &mut Command) {}

/// The line that begins with this label.
fn row<'a>(lines: &'a [String], label: &str) -> &'a str {
    let mut rows = lines.iter().filter(|line| line.split_whitespace().next() == Some(label));
    let row = rows.next().unwrap_or_else(|| panic!("no {label} in\n{}", lines.join("\n")));
    assert_eq!(rows.next(), None, "drawn twice:\n{}", lines.join("\n"));
    row
}

fn row_begins(lines: &[String], part: &str) -> bool {
    lines.iter().any(|line| line.starts_with(part))
}

/// The picture is drawn from top to bottom: with its last line it is whole.
fn whole(lines: &[String]) -> bool {
    lines.last().is_some_and(|line| line.starts_with("keys "))
}

fn holding(lines: &[String]) -> bool {
    whole(lines) && row(lines, "echo").contains(" hold ")
}

#[test]
fn the_plan_stands_above_a_picture_that_is_drawn_again_in_its_place() {
    let mut terminal = Terminal::of(TALKING, 40, 120, as_it_is);
    let before = terminal.until(holding);
    assert!(before[0].starts_with("20 bots, 20 connections on 1 shard, arriving at"), "{before:?}");
    assert!(row(&before, "ports").contains("descriptors"), "the plan's: {before:?}");
    let bots = row(&before, "bots");
    for part in ["waiting 0", "connecting 0", "online 20", "lost 0", "of 20"] {
        assert!(bots.contains(part), "{bots}");
    }
    for (label, parts) in [
        ("messages", &["out ", "/s", "in ", "connects "][..]),
        ("echo.ping", &["p50 ", "p99 ", "max "]),
        ("generator", &["lag p99 ", "busiest shard "]),
        ("left", &["descriptors ", " of ", "ports "]),
        ("memory", &["per bot: user ", "kernel "]),
        ("keys", &["+ -", "p pause", "d drain", "q stop"]),
    ] {
        let row = row(&before, label);
        assert!(parts.iter().all(|part| row.contains(part)), "{row}");
    }
    assert!(terminal.is_taken());
    let clock = row(&before, "echo").to_owned();
    let after = terminal.until(|lines| holding(lines) && row(lines, "echo") != clock);
    let place = |lines: &[String]| lines.iter().position(|line| line.starts_with("echo "));
    assert_eq!(place(&before), place(&after), "{after:?}");
    assert!(terminal.was_coloured());
    terminal.press("q");
    let end = terminal.ends_with(130);
    assert!(!row_begins(&end, "keys "), "it is wiped away: {end:?}");
    assert!(end.iter().any(|line| line.contains("stopping")), "{end:?}");
    assert!(row_begins(&end, "failed: stopped,"), "{end:?}");
}

#[test]
fn keys_do_what_they_say() {
    let mut terminal = Terminal::of(TALKING, 40, 120, as_it_is);
    terminal.until(holding);
    terminal.press("+");
    terminal.shows(&["bots ", "online 21"]);
    terminal.press("--");
    terminal.shows(&["bots ", "online 19"]);
    terminal.press("p");
    terminal.shows(&["echo ", "paused"]);
    terminal.press("+");
    let clock = row(&terminal.lines(), "echo").to_owned();
    let paused = terminal.until(|lines| whole(lines) && row(lines, "echo") != clock);
    assert!(row(&paused, "bots").contains("online 19"), "nobody comes in a pause: {paused:?}");
    terminal.press("p");
    terminal.shows(&["bots ", "online 20 "]);
    terminal.shows(&["echo ", "hold"]);
    terminal.press("x");
    terminal.press("d");
    let end = terminal.ends_with(130);
    assert!(end.iter().any(|line| line.contains("draining; ask again")), "{end:?}");
    assert!(row_begins(&end, "failed: drained before its time"), "{end:?}");
}

#[test]
fn a_population_that_keys_change_is_held_all_the_same() {
    let words = "run echo --conns 20 --for 4s --set pace=100ms";
    let mut terminal = Terminal::of(words, 60, 120, as_it_is);
    terminal.until(holding);
    terminal.press("+");
    terminal.shows(&["bots ", "online 21 of 21"]);
    terminal.press("--");
    terminal.shows(&["bots ", "online 19 of 19"]);
    let end = terminal.ends_with(0);
    assert!(row_begins(&end, "bots       target 19   reached 21   in hold: min 19"), "{end:?}");
}

#[test]
fn the_interrupt_key_drains_and_leaves_the_terminal_whole() {
    let mut terminal = Terminal::of(TALKING, 40, 120, as_it_is);
    terminal.until(holding);
    terminal.press("\x03");
    let end = terminal.ends_with(130);
    assert!(end.iter().any(|line| line.contains("draining; ask again")), "{end:?}");
}

#[test]
fn a_run_that_ends_by_itself_leaves_the_terminal_whole() {
    let words = "run echo --conns 20 --for 1s --set pace=100ms";
    let mut terminal = Terminal::of(words, 60, 120, as_it_is);
    terminal.until(holding);
    assert!(terminal.is_taken());
    let end = terminal.ends_with(0);
    assert!(row_begins(&end, "passed"), "{end:?}");
}

#[test]
fn the_picture_fits_a_small_terminal_and_nothing_wraps() {
    let mut terminal = Terminal::of(TALKING, 24, 80, as_it_is);
    let lines = terminal.until(holding);
    for label in ["bots", "messages", "echo.ping", "generator", "left", "memory", "keys"] {
        row(&lines, label);
    }
    terminal.press("q");
    terminal.ends_with(130);
}

#[test]
fn no_color_draws_the_same_without_colours() {
    let mut terminal = Terminal::of(TALKING, 40, 120, |command| {
        command.env("NO_COLOR", "1");
    });
    terminal.until(holding);
    terminal.press("q");
    terminal.ends_with(130);
    assert!(!terminal.was_coloured());
}

#[test]
fn quiet_draws_nothing_and_takes_no_keys() {
    let words = "run echo --conns 20 --for 1s --set pace=100ms --quiet";
    let mut terminal = Terminal::of(words, 60, 120, as_it_is);
    terminal.press("q");
    let end = terminal.ends_with(0);
    let first = end[0].trim_start_matches('q'); // the terminal shows what nobody takes
    assert!(first.starts_with("passed"), "nothing stands above the summary: {end:?}");
    let text = String::from_utf8_lossy(&terminal.bytes);
    assert!(!text.contains("\x1b[?25l") && !text.contains("\x1b[K"), "{text}");
}

#[test]
fn a_dumb_terminal_and_a_file_get_a_line_a_second() {
    let words = "run idle --conns 20 --for 3s";
    let mut terminal = Terminal::of(words, 60, 240, |command| {
        command.env("TERM", "dumb");
    });
    let end = terminal.ends_with(0);
    assert!(!terminal.bytes.contains(&b'\x1b'), "{}", String::from_utf8_lossy(&terminal.bytes));
    let file = run(words).with(0).err.lines().map(str::to_owned).collect();
    for lines in [end, file] {
        let held = lines.iter().filter_map(|line| line.split_once(" s hold "));
        let seconds: Vec<u32> = held.filter_map(|(at, _)| at.trim().parse().ok()).collect();
        assert!(seconds.len() >= 3, "{lines:?}");
        assert!(seconds.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{lines:?}");
    }
}
