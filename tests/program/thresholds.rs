//! Thresholds: what a run is judged by, and ended by.

use serde_json::Value;

use crate::stage::{Ended, Running, program, run};

/// Runs to the end under these thresholds with a report; returns that too.
fn judged(words: &str, thresholds: &[&str]) -> (Ended, Value) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.json");
    let mut command = program(words);
    command.arg("--report").arg(&path);
    for threshold in thresholds {
        command.args(["--threshold", threshold]);
    }
    let ended = Running::of(command).end();
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{error}: {}", ended.err));
    (ended, serde_json::from_slice(&text).expect("the report is JSON"))
}

const RUN: &str = "run echo --conns 20 --for 2s --set pace=50ms";

#[test]
fn thresholds_that_hold_stand_below_the_verdict() {
    let lines = [
        "op(echo.ping).p99 < 5s",
        "errors.rate == 0",
        "bots.online >= 99%",
        "connect.count == 20",
        "bytes.sent > 1KiB over run",
    ];
    let (ended, report) = judged(RUN, &lines);
    let ended = ended.with(0);
    let out: Vec<&str> = ended.out.lines().collect();
    assert!(out[0].starts_with("passed, "), "{}", ended.out);
    for (at, line) in lines.iter().enumerate() {
        assert!(out[at + 1].starts_with(&format!("  passed  {line} ")), "{}", ended.out);
        let own = &report["thresholds"][at];
        assert_eq!(own["expression"], **line);
        assert_eq!(own["passed"], true, "{own}");
    }
    assert!(out[3].ends_with(" 100 %"), "{}", ended.out);
    let connects = &report["thresholds"][3];
    assert_eq!([connects["value"].as_f64(), connects["limit"].as_f64()], [Some(20.0); 2]);
    let own = &report["thresholds"][0];
    assert_eq!(own["value"].as_f64(), report["ops"][0]["p99_us"].as_f64());
    assert_eq!((&own["unit"], &own["limit"]), (&"us".into(), &5e6.into()));
}

#[test]
fn a_broken_threshold_fails_the_run_with_what_was_measured() {
    let lines = [
        "op(echo.ping).count == 1",
        "delivery.missing == 0",
        "op(echo.ping).max < 1us or empty",
        "lag.p50 < 1m",
    ];
    let (ended, report) = judged(RUN, &lines);
    let ended = ended.with(4);
    assert!(ended.out.starts_with("failed: op(echo.ping).count == 1: "), "{}", ended.out);
    assert!(ended.out.contains("\n  failed  delivery.missing == 0 "), "{}", ended.out);
    assert!(ended.out.contains("this scenario keeps no ledger"), "{}", ended.out);
    assert!(ended.out.contains("\n  passed  lag.p50 < 1m "), "{}", ended.out);
    let passed = |at: usize| report["thresholds"][at]["passed"] == true;
    assert_eq!([passed(0), passed(1), passed(2), passed(3)], [false, false, false, true]);
    assert_eq!(report["thresholds"][1]["value"], Value::Null);
    assert_eq!(report["verdict"]["passed"], false);
    let reasons = report["verdict"]["reasons"].to_string();
    assert!(reasons.contains("delivery.missing == 0: this scenario"), "{reasons}");
}

#[test]
fn nothing_measured_fails_unless_it_may_be_empty() {
    let words = "run idle --conns 5 --for 1s";
    let (ended, _) = judged(words, &["errors.rate < 1%"]);
    let ended = ended.with(4);
    assert!(ended.out.starts_with("failed: errors.rate < 1%: 0 samples, "), "{}", ended.out);
    judged(words, &["errors.rate < 1% or empty"]).0.with(0);
    let (ended, _) = judged(words, &["connect.max < 1us over window"]);
    let ended = ended.with(4);
    assert!(ended.out.contains("window, 5 outside: add `over run`"), "{}", ended.out);
}

#[test]
fn a_threshold_ends_the_run_at_once_or_later() {
    let hour = "run echo --conns 20 --for 1h --set pace=50ms --threshold";
    for abort in ["abort", "abort after 2s"] {
        let line = format!("op(echo.ping).count < 10 {abort}");
        let mut command = program(hour);
        command.arg(&line);
        let ended = Running::of(command).end().with(4);
        let why = format!("aborted by the threshold {line}");
        assert!(ended.out.starts_with(&format!("failed: {why}; ")), "{}", ended.out);
        assert!(ended.out.contains("; it ended the run"), "{}", ended.out);
        assert!(ended.out.contains("done 20"), "bots left as they are meant to: {}", ended.out);
        let broken = ended.err.find("threshold broken: ").expect("told at once");
        let drained = ended.err.find(&format!("{why}; draining")).expect("and what follows");
        let seconds = ended.err[broken..drained].matches(" hold ").count();
        assert!((seconds <= 1) == (abort == "abort"), "{seconds} s later: {}", ended.err);
    }
}

#[test]
fn a_line_that_means_nothing_is_shown_with_its_place() {
    let mut command = program("run echo --threshold");
    command.arg("op(echo.pign).p99 < 5ms");
    let ended = Running::of(command).end().with(2);
    let told = "densebots: --threshold: column 4: this scenario has no op called `echo.pign` \
                (there is echo.ping); did you mean `echo.ping`?\n  op(echo.pign).p99 < 5ms\n     \
                ^^^^^^^^^\n";
    assert_eq!(ended.err, told);
    let mut command = program("doctor echo --threshold");
    command.arg("lag.p99 < 5");
    let ended = Running::of(command).end().with(2);
    assert!(ended.err.contains("give 5us, 5ms or 5s"), "{}", ended.err);
}

#[test]
fn what_thresholds_can_be_about_is_listed() {
    let ended = run("thresholds").with(0);
    assert!(ended.out.lines().any(|line| line.starts_with("op(NAME).p99 ")), "{}", ended.out);
    assert!(ended.out.lines().any(|line| line.starts_with("delivery.missing ")), "{}", ended.out);
}
