//! `find-limit`: loads are raised until one does not pass, and narrowed down.

use serde_json::Value;

use crate::stage::{Ended, Running, program, run};

/// Searches under this threshold with a report; returns that too.
fn searched(words: &str, threshold: &str) -> (Ended, Value) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("limit.json");
    let mut command = program(&format!("find-limit {words}"));
    command.args(["--threshold", threshold, "--report"]).arg(&path);
    let ended = Running::of(command).end();
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{error}: {}", ended.err));
    (ended, serde_json::from_slice(&text).expect("the report is JSON"))
}

#[test]
fn the_load_is_raised_until_a_threshold_breaks_and_narrowed_down() {
    let words = "echo --raise bots --from 10 --to 80 --within 10% --for 1s";
    let (ended, found) = searched(words, "bots.peak_online < 30 abort");
    let ended = ended.with(0);
    let first = ended.out.lines().next().unwrap_or_default();
    assert_eq!(first, "28 bots hold, 30 bots do not", "{}", ended.out);
    assert!(ended.out.contains("because aborted by the threshold bots.peak_online < 30 abort; "));
    let steps = found["steps"].as_array().expect("a list");
    let of = |key: fn(&Value) -> &Value| steps.iter().map(|step| key(step).clone()).collect();
    let loads: Vec<Value> = of(|step| &step["load"]);
    assert_eq!(loads, [10.0, 20.0, 40.0, 30.0, 25.0, 28.0]);
    let passed: Vec<Value> = of(|step| &step["report"]["verdict"]["passed"]);
    assert_eq!(passed, [true, true, false, false, true, true]);
    let online: Vec<Value> = of(|step| &step["report"]["bots"]["peak_online"]);
    assert_eq!(online, [10, 20, 40, 30, 25, 28]);
    let limit = &found["limit"];
    assert_eq!([limit["holds"].as_f64(), limit["breaks"].as_f64()], [Some(28.0), Some(30.0)]);
    assert_eq!((found["search"]["ended"].as_bool(), &limit["told"]), (Some(true), &first.into()));
    // Every run is a line, the smallest load first.
    let shown = ended.out.lines().filter_map(|line| line.split_once(" bots  "));
    let shown: Vec<&str> = shown.map(|(load, _)| load.trim()).collect();
    assert_eq!(shown, ["10", "20", "25", "28", "30", "40"], "{}", ended.out);
}

#[test]
fn a_search_that_finds_nothing_says_so() {
    let words = "echo --raise rate --from 20/s --to 40/s --for 1s --set count=1 --quiet";
    let (ended, found) = searched(words, "bots.done > 5");
    let ended = ended.with(0);
    assert!(ended.out.starts_with("no limit up to 40/s arriving\n"), "{}", ended.out);
    assert_eq!(found["steps"].as_array().map(Vec::len), Some(2));
    assert_eq!(found["steps"][1]["report"]["run"]["model"], "open");
    let (ended, found) = searched("echo --raise bots --from 10 --for 1s", "bots.peak_online < 5");
    let ended = ended.with(4);
    assert!(ended.out.starts_with("10 bots are too many already: "), "{}", ended.out);
    assert_eq!(found["limit"]["holds"], Value::Null);
}

#[test]
fn what_contradicts_a_search_is_refused() {
    for (words, said) in [
        ("--raise bots --bots 5", "--bots: bots are raised from --from to --to"),
        ("--raise bots --open 5/s", "--open: bots are raised"),
        ("--raise rate --open 5/s", "--open: the rate is raised"),
        ("--raise rate --ids 1..5", "--ids: the rate is raised"),
        ("--raise bots --from 10 --to 5", "--from is above --to"),
        ("--raise bots --from many", "--from: `many` is not a count"),
        ("--raise bots --step x1", "`x1` is no step"),
        ("--raise bots --step 0.5", "whole bots"),
        ("--raise bots --within 0%", "`0%` is no share"),
        ("", "--raise"),
    ] {
        let ended = run(&format!("find-limit echo {words}")).with(2);
        assert!(ended.err.contains(said), "`{words}` said: {}", ended.err);
    }
}
