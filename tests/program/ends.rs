//! How runs end: by signals, with their parent, without a disk or a reader.

use std::fs;
use std::io::Read;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, Signal, pidfd_open};

use crate::peers::{peer, says_nothing};
use crate::stage::{Running, pid, program, run};

#[test]
fn sigterm_drains_and_the_summary_is_told() {
    let mut running = Running::of(program("run echo --conns 20 --for 1h --set pace=100ms"));
    running.until(|line| line.contains(" hold "));
    running.signal(Signal::TERM);
    let ended = running.end().with(130);
    assert!(ended.err.contains("draining"), "{}", ended.err);
    assert!(ended.out.starts_with("failed: drained before its time"), "{}", ended.out);
    assert!(ended.out.contains("done 20"), "bots left as they are meant to: {}", ended.out);
}

#[test]
fn a_second_signal_stops_at_once_and_sighup_not_at_all() {
    // A bot waits for an answer that never comes, so draining alone would take an hour.
    let target = peer(says_nothing);
    let words = format!(
        "--target line://{target} --conns 5 --for 1h --drain 1h --request-timeout 1h \
         --set pace=100ms"
    );
    let mut running = Running::of(program(&words));
    running.until(|line| line.contains(" hold "));
    running.signal(Signal::HUP);
    running.until(|line| line.contains(" hold "));
    running.signal(Signal::INT);
    running.until(|line| line.contains("draining"));
    running.signal(Signal::INT);
    let ended = running.end().with(130);
    assert!(ended.err.contains("stopping"), "{}", ended.err);
}

/// The process that is the child of another.
fn child_of(parent: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let children = children.expect("Linux tells children");
    children.split_whitespace().next().and_then(|id| id.parse().ok()).expect("a target runs")
}

#[test]
fn the_target_ends_with_a_parent_that_was_killed() {
    let mut running = Running::of(program("--conns 20 --for 1h"));
    running.until(|line| line.contains(" hold "));
    let target = pidfd_open(pid(child_of(running.id())), PidfdFlags::empty()).expect("it lives");
    running.signal(Signal::KILL);
    let mut ended = [PollFd::new(&target, PollFlags::IN)];
    let patience = Timespec::try_from(Duration::from_secs(20)).expect("fits");
    assert_eq!(poll(&mut ended, Some(&patience)), Ok(1), "the target outlives its parent");
    assert_eq!(running.end().code, None);
}

#[test]
fn a_target_that_is_killed_is_told_and_the_run_ends() {
    let words = "--conns 20 --for 3s --give-up 1 --retry-first 100ms --drain 1s";
    let mut running = Running::of(program(words));
    running.until(|line| line.contains(" hold "));
    let target = child_of(running.id());
    rustix::process::kill_process(pid(target), Signal::KILL).expect("it lives");
    let ended = running.end().with(4);
    assert!(ended.out.contains("the embedded target ended before the run did"), "{}", ended.out);
}

#[test]
fn a_killed_run_leaves_its_last_report_whole() {
    const EARLIER: &str = "the report of an earlier run";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.json");
    fs::write(&path, EARLIER).expect("written");
    let mut held = fs::File::open(&path).expect("there");
    let mut command = program("run echo --conns 20 --for 1h --set pace=100ms");
    command.arg("--report").arg(&path);
    let mut running = Running::of(command);
    // It is rewritten every ten seconds: the first time is soon enough.
    running.until(|_| fs::read(&path).expect("always there") != EARLIER.as_bytes());
    running.signal(Signal::KILL);
    assert_eq!(running.end().code, None);
    let text = fs::read(&path).expect("left");
    let report: serde_json::Value = serde_json::from_slice(&text).expect("whole");
    assert_eq!(report["run"]["ended"], false);
    assert!(report["run"]["duration_s"].as_f64() >= Some(9.0), "{}", report["run"]);
    assert_eq!(report["verdict"]["passed"], false);
    assert_eq!(report["verdict"]["reasons"][0], "the run had not ended");
    assert_eq!(report["bots"]["peak_online"], 20);
    assert!(report["ops"][0]["ok"].as_u64() >= Some(1_000), "{}", report["ops"]);
    let series = report["series"].as_array().expect("a list");
    assert!(series.len() >= 9 && series.iter().all(|second| second["span_s"].is_number()));
    // Not written over: whoever had it open reads the earlier one to its end.
    let mut kept = String::new();
    held.read_to_string(&mut kept).expect("readable");
    assert_eq!(kept, EARLIER);
    assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1, "nothing lies beside it");
}

#[test]
fn a_full_disk_is_told_and_the_run_goes_on() {
    let ended = run("--conns 5 --for 1s --report /dev/full").with(1);
    assert!(ended.err.contains("the run goes on"), "{}", ended.err);
    assert!(ended.out.starts_with("passed"), "{}", ended.out);
    assert!(ended.out.contains("report could not be written"), "{}", ended.out);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    for words in ["--conns 5 --for 1s", "list", "schema report", "doctor", "--help"] {
        let mut command = program(words);
        let (reader, writer) = std::io::pipe().expect("a pipe");
        command.stdout(writer);
        let running = Running::of(command);
        drop(reader);
        let ended = running.end().with(0);
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
    }
}
