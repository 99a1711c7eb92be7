//! Targets that misbehave: each run ends on time, with the right cause, in bounded memory.

use std::net::{SocketAddr, TcpStream};
use std::thread;

use serde_json::Value;

use crate::peers::{self, Mortal, peer};
use crate::stage::{Running, program, report};

/// A short run against a target; what it lost by this cause, and the report.
fn against(target: SocketAddr, words: &str, cause: &str) -> (u64, Value) {
    let words = format!(
        "{words} --target line://{target} --for 1s --drain 1s --retry-first 100ms --give-up 2"
    );
    let (ended, report) = report(&words);
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    let memory = report["generator"]["rss_bytes"].as_u64().expect("a number");
    assert!(memory < 64 << 20, "{memory} bytes of memory");
    let lost = report["lost"].as_array().expect("a list").iter();
    let count =
        lost.filter(|loss| loss["cause"] == cause).filter_map(|loss| loss["count"].as_u64());
    (count.sum(), report)
}

#[test]
fn a_target_that_says_nothing_times_out() {
    let words = "--conns 20 --set pace=100ms --request-timeout 500ms";
    let (_, report) = against(peer(peers::says_nothing), words, "");
    let op = &report["ops"][0];
    assert!(op["timed_out"].as_u64() >= Some(20), "{op}");
    assert!(op["p50_us"].as_u64() >= Some(499_000), "timed-out ops rank at their timeout: {op}");
}

/// Their bots come and go until the run has seen enough of it, which takes its time: together.
#[test]
fn targets_that_close_reset_or_babble_are_named() {
    thread::scope(|scope| {
        let case = |behave: fn(TcpStream), cause: &'static str, blame: &'static str| {
            scope.spawn(move || {
                let (lost, report) = against(peer(behave), "--conns 20", cause);
                assert!(lost >= 20, "{cause}: {}", report["lost"]);
                assert_eq!(report["lost"][0]["blame"], blame, "{}", report["lost"]);
                assert_eq!(report["verdict"]["passed"], false, "{cause}");
            });
        };
        case(peers::closes, "closed by peer", "target");
        case(peers::resets, "reset", "target or network");
        case(peers::garbage, "violation", "target");
        case(peers::endless_line, "violation", "target");
    });
}

#[test]
fn wrong_answers_are_failed_ops() {
    let words = format!("--target line://{} --conns 20", peer(peers::wrong_lines));
    let (ended, report) = report(&format!("{words} --set pace=100ms --for 1s --drain 1s"));
    let op = &report["ops"][0];
    assert!(op["failed"].as_u64() >= Some(100), "{op}");
    assert_eq!((&op["ok"], &op["p50_us"], &op["max_us"]), (&0.into(), &Value::Null, &Value::Null));
    let of = |key: &str| op[key].as_u64().unwrap_or_else(|| panic!("no {key}: {op}"));
    let (p50, p99, max) = (of("failed_p50_us"), of("failed_p99_us"), of("failed_max_us"));
    assert!(0 < p50 && p50 <= p99 && p99 <= max, "{op}");
    assert!(ended.out.contains("\necho.ping, failed "), "a row of their own: {}", ended.out);
    assert_eq!(report["verdict"]["passed"], false, "nothing was right");
}

#[test]
fn a_line_of_a_gigabyte_is_a_violation_to_talk_and_bytes_to_idle() {
    let (lost, report) = against(peer(peers::one_gigabyte), "run talk --conns 2", "violation");
    assert!(lost >= 2, "{report}");
    let (_, report) = against(peer(peers::one_gigabyte), "run idle --conns 1", "");
    assert!(report["bytes"]["received"].as_u64() > Some(1 << 20), "{report}");
}

#[test]
fn a_target_that_never_reads_is_named() {
    let words = "--conns 5 --set size=65536 --set pace=5ms --request-timeout 5ms \
                 --send-buffer 4KiB";
    let (lost, report) = against(peer(peers::never_reads), words, "target stopped reading");
    assert!(lost >= 5, "{}", report["lost"]);
    assert!(report["generator"]["blocked_s"].as_f64() > Some(0.0));
}

#[test]
fn what_a_target_does_not_read_is_told() {
    let words = "--conns 5 --set size=65536 --set pace=200ms --send-buffer 4KiB --for 2s \
                 --request-timeout 100ms --drain 1s";
    let target = peer(peers::never_reads);
    let (ended, report) = report(&format!("{words} --target line://{target}"));
    let most = report["bytes"]["unsent_max"].as_u64();
    assert!(most >= Some(5 * 65_536), "{}", report["bytes"]);
    let series = report["series"].as_array().expect("a list");
    let unsent = series.iter().filter_map(|second| second["unsent"].as_u64()).max();
    assert_eq!(unsent, most);
    let seconds = series.iter().filter_map(|second| second["blocked_s"].as_f64()).sum::<f64>();
    let blocked = report["generator"]["blocked_s"].as_f64().unwrap_or_default();
    assert!(blocked > 1.0 && (seconds - blocked).abs() < 0.01, "{seconds} {blocked}");
    assert!(ended.out.contains(" at most, write-blocked "), "{}", ended.out);
}

#[test]
fn bots_are_counted_at_the_endpoint_where_they_are() {
    let (mut first, second) = (Mortal::born(), Mortal::born());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.json");
    let targets = format!("line://{},line://{}", first.address, second.address);
    let words = "--conns 20 --for 5s --retry-first 100ms --give-up 0 --set pace=200ms";
    let mut command = program(&format!("{words} --target {targets}"));
    command.arg("--report").arg(&path);
    let mut running = Running::of(command);
    running.until(|line| line.contains(" hold ") && line.contains("online 20 "));
    first.dies();
    let ended = running.end();
    let report: Value =
        serde_json::from_slice(&std::fs::read(path).expect("written")).expect("JSON");
    let of = |at: usize| &report["endpoints"][at];
    let [before, after] = [0, 1].map(|at| of(at)["peak_online"].as_u64().unwrap_or_default());
    assert_eq!((before, after), (10, 20), "{}", report["endpoints"]);
    assert_eq!((&of(0)["online_at_end"], &of(1)["online_at_end"]), (&0.into(), &20.into()));
    assert_eq!((&of(0)["lost"], &of(1)["lost"]), (&10.into(), &0.into()));
    assert_eq!((&of(0)["online"], &of(1)["online"]), (&0.into(), &0.into()), "all have left");
    let mut rows = ended.out.lines().skip_while(|line| !line.starts_with("endpoint "));
    let words = |line: Option<&str>| line.unwrap_or("").split_whitespace().count();
    assert_eq!((words(rows.next()), words(rows.next())), (7, 5), "{}", ended.out);
}

#[test]
fn a_target_that_goes_and_comes_back_gets_its_bots_back() {
    let mut target = Mortal::born();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.json");
    let words = "--conns 20 --for 8s --retry-first 200ms --give-up 0 --set pace=200ms";
    let mut command = program(words);
    command.arg(format!("--target=line://{}", target.address)).arg("--report").arg(&path);
    let mut running = Running::of(command);
    running.until(|line| line.contains(" hold ") && line.contains("online 20 "));
    target.dies();
    running.until(|line| line.contains("online 0 "));
    target.comes_back();
    let ended = running.end().with(4);
    assert!(ended.out.contains("20 losses, all recovered"), "{}", ended.out);
    let report: Value =
        serde_json::from_slice(&std::fs::read(path).expect("written")).expect("JSON");
    assert_eq!(report["bots"]["reconnects"], 20);
    assert_eq!(report["bots"]["online_at_end"], 20);
    assert!(report["bots"]["seconds_below_target"].as_f64() >= Some(1.0));
}
