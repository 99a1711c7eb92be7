//! What reports and seconds come to.

use densebots_engine::metrics::{LossCount, Meter};
use densebots_engine::{
    BotId, BotsReport, Cause, EndpointReport, Generator, Limited, Lost, Phase, Report, Snapshot,
    Time,
};

use super::*;
use crate::verdict::Verdict;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A run of a thousand bots in which nothing was counted, ten seconds of it measured.
fn report() -> Report {
    let meter = || Meter::new(&names(), 1);
    Report {
        names: names(),
        seed: 1,
        duration: Duration::from_secs(15),
        ended_by: None,
        panic: None,
        bots: BotsReport {
            target: 1000,
            peak_online: 1000,
            min_online: 990,
            least_held: (990, 1000),
            mean_online: 995.5,
            ..BotsReport::default()
        },
        total: meter(),
        measured: meter(),
        window: Duration::from_secs(10),
        limited: Limited { window: 10, ..Limited::default() },
        late: Duration::from_secs(10),
        ramp: Duration::from_secs(4),
        generator: Generator::default(),
        endpoints: vec![EndpointReport { name: "here".to_owned(), ..EndpointReport::default() }],
        unsent_max: 0,
        transcripts: Vec::new(),
    }
}

/// A run in which the first op was done so often, each time in so many microseconds.
fn joins(count: u64, micros: u64) -> Report {
    let mut report = report();
    for meter in [&mut report.measured, &mut report.total] {
        let op = &mut meter.ops[0];
        (op.begun, op.ok) = (count, count);
        (0..count).for_each(|_| op.latency.record(micros));
    }
    report
}

fn watch(line: &str) -> Watch {
    let lines = [line.to_owned()];
    Watch::over(&lines, &names(), TIMEOUT).unwrap_or_else(|(_, fault)| panic!("{fault}"))
}

/// Whether it passed, and what is told.
fn judged(line: &str, report: &Report) -> (bool, String) {
    let judged = watch(line).judge(report).remove(0);
    (judged.passed, judged.told)
}

fn check(line: &str, report: &Report, passed: bool, told: &str) {
    assert_eq!(judged(line, report), (passed, told.to_owned()), "{line}");
}

#[test]
fn figures_are_compared() {
    let mut run = joins(200, 400_000);
    check("op(xmpp.join).p99 < 500ms", &run, true, "400 ms");
    check("op(xmpp.join).p99 < 400ms", &run, false, "400 ms");
    check("op(xmpp.join).mean <= 401ms", &run, true, "400 ms");
    check("op(xmpp.join).rate >= 20/s", &run, true, "20/s");
    check("op(xmpp.join).ok > 99%", &run, true, "100 %");
    check("errors.rate < 0.1%", &run, true, "0 %");
    check("bots.online >= 99%", &run, true, "99.00 %");
    check("bots.online > 990", &run, false, "990");
    check("bots.mean_online >= 99.6%", &run, false, "99.55 %");
    check("lost.count == 0", &run, true, "0");
    check("bytes.sent < 1KiB", &run, true, "0 B");
    run.measured.ops[1].failed = 2;
    check("errors.rate < 1%", &run, true, "0.990 %");
    check("op(xmpp.say).failed == 0", &run, false, "0 samples");
    run.measured.ops[1].begun = 2;
    check("op(xmpp.say).failed == 0", &run, false, "2");
    check("op(xmpp.say).errors < 50%", &run, false, "100 %");
}

#[test]
fn what_was_not_measured_does_not_pass() {
    let mut run = report();
    check("op(xmpp.join).p99 < 1s", &run, false, "0 samples");
    check("op(xmpp.join).p99 < 1s or empty", &run, true, "0 samples");
    check("errors.rate < 1%", &run, false, "0 samples");
    check("op(xmpp.join).count == 0", &run, true, "0");
    run.total = joins(5, 10).total;
    let outside = "0 samples in the measure window, 5 outside: add `over run`";
    check("op(xmpp.join).max < 1s", &run, false, outside);
    check("op(xmpp.join).failed == 0", &run, false, outside);
    check("op(xmpp.join).max < 1s over run", &run, true, "10 µs");
    (run.window, run.bots.min_online) = (Duration::ZERO, u64::MAX);
    check("lag.p99 < 1s", &run, false, "there was no measure window");
    check("bots.online >= 99%", &run, false, "nobody was online");
    run.bots.target = 0;
    run.bots.min_online = 5;
    check("bots.online >= 99%", &run, false, "an open run wants no number of bots online");
    check("bots.online >= 5", &run, true, "5");
}

#[test]
fn a_ledger_that_knows_nothing_fails_with_its_reason() {
    let mut run = report();
    check("delivery.missing == 0", &run, false, "no message was sent");
    check("delivery.missing == 0 or empty", &run, false, "no message was sent");
    run.total.delivery.kept = true;
    check("delivery.missing == 0", &run, false, "0 samples");
    run.total.delivery.expected = 1000;
    run.total.delivery.missing = 2;
    check("delivery.missing == 0", &run, false, "2");
    check("delivery.missing <= 0.2%", &run, true, "0.200 %");
    run.total.delivery.ids_lost = 3;
    let why = "the service does not keep the ids of messages (seen 3 times)";
    check("delivery.missing <= 0.2%", &run, false, why);
    run.names.ledger = false;
    run.total.delivery.kept = false;
    check("delivery.p99 < 1s", &run, false, "this scenario keeps no ledger");
}

#[test]
fn with_thresholds_the_usual_rule_is_theirs_to_say() {
    let mut run = joins(200, 400_000);
    (run.bots.min_online, run.bots.least_held) = (500, (500, 1000));
    let verdict = |lines: &[&str], run: &Report| {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let watch =
            Watch::over(&lines, &names(), TIMEOUT).unwrap_or_else(|(_, why)| panic!("{why}"));
        Verdict::of(run, &watch).failures
    };
    assert_eq!(verdict(&[], &run), ["the population fell to 500 of 1000"]);
    assert_eq!(verdict(&["op(xmpp.join).p99 < 1s"], &run), [""; 0]);
    assert_eq!(verdict(&["bots.online >= 99%"], &run), ["bots.online >= 99%: 50.00 %"]);
    run.ended_by = Some("drained before its time".to_owned());
    assert_eq!(verdict(&["op(xmpp.join).p99 < 1s"], &run), ["drained before its time"]);
    run.bots.peak_online = 0;
    assert_eq!(verdict(&["op(xmpp.join).p99 < 1s"], &run)[0], "nobody got online");
}

#[test]
fn timed_out_ops_are_at_least_their_timeout() {
    let mut run = joins(98, 1_000);
    for _ in 0..2 {
        run.measured.ops[0].timed_out += 1;
        run.measured.ops[0].latency.record_time(TIMEOUT);
    }
    check("op(xmpp.join).p50 < 1m", &run, true, "1.00 ms");
    let (passed, told) = judged("op(xmpp.join).p99 < 1m", &run);
    assert!(!passed && told.starts_with(">= "), "how long it would have taken: {told}");
    assert!(judged("op(xmpp.join).p99 > 1s", &run).0);
    assert!(!judged("op(xmpp.join).mean < 1m", &run).0);
}

#[test]
fn a_percentile_of_few_samples_counts_as_the_longest() {
    let mut run = joins(50, 1_000);
    run.measured.ops[0].latency.record(70_000);
    check("op(xmpp.join).p95 < 50ms", &run, true, "1.00 ms");
    check("op(xmpp.join).p99 < 50ms", &run, false, "70.0 ms");
}

/// A second of the window, and the run so far.
fn second(at: u64, report: Report, limited: bool) -> Snapshot {
    let meter = Meter::new(&names(), 1);
    Snapshot {
        at: Time::from_nanos(at * 1_000_000_000),
        phase: Phase::Hold,
        paused: false,
        span: Duration::from_secs(1),
        second: meter,
        limited: if limited { vec!["lag over 5 ms"] } else { vec![] },
        busiest: 0.0,
        report: Report { window: Duration::from_secs(at), ..report },
    }
}

#[test]
fn a_run_is_aborted_once_a_threshold_was_broken_for_long_enough() {
    let mut own = watch("op(xmpp.join).p99 < 500ms abort after 2s");
    let (good, bad) = (joins(200, 400_000), joins(200, 600_000));
    let at = |seconds: u64| Time::from_nanos(seconds * 1_000_000_000);
    assert_eq!(own.see(&second(1, good.clone(), false)), [""; 0]);
    let broken = "threshold broken: op(xmpp.join).p99 < 500ms abort after 2s (600 ms)";
    assert_eq!(own.see(&second(2, bad.clone(), false)), [broken]);
    assert_eq!(own.abort(at(3)), None);
    let again = "threshold holds again: op(xmpp.join).p99 < 500ms abort after 2s (400 ms)";
    assert_eq!(own.see(&second(4, good.clone(), false)), [again]);
    assert_eq!(own.abort(at(4)), None, "it holds");
    own.see(&second(5, bad, false));
    assert_eq!(own.abort(at(6)), None);
    let why = "aborted by the threshold op(xmpp.join).p99 < 500ms abort after 2s";
    assert_eq!(own.abort(at(7)).as_deref(), Some(why));
    assert_eq!(own.abort(at(8)), None, "once is enough");
    let judged = own.judge(&good).remove(0);
    assert!(!judged.passed, "what ended the run has not passed, whatever came after");
    assert_eq!(judged.told, "400 ms; it ended the run");
}

#[test]
fn what_cannot_be_judged_yet_does_not_abort() {
    for line in [
        "op(xmpp.join).p99 < 1us abort",  // 20 samples are too few for it
        "op(xmpp.say).p50 < 1us abort",   // of which there are none
        "op(xmpp.join).ok > 1000 abort",  // there may be more
        "delivery.missing == 0 abort",    // nobody keeps a ledger
        "delivery.unresolved == 0 abort", // some always are, on their way
        "bots.peak_online >= 2000 abort",
    ] {
        let mut own = watch(line);
        own.see(&second(1, joins(20, 400), false));
        assert_eq!(own.abort(Time::from_nanos(u64::MAX)), None, "{line}");
    }
}

#[test]
fn limited_seconds_that_broke_a_threshold_are_counted() {
    let lost = || LossCount {
        lost: Lost { cause: Cause::Closed, condition: "gone", online: true },
        count: 1,
        recovered: 0,
        example: BotId(1),
    };
    let mut own = watch("lost.count == 0");
    let mut run = report();
    own.see(&second(1, run.clone(), true));
    assert_eq!(own.judge(&run)[0].limited, 0, "limited, and nothing was lost");
    run.measured.losses.push(lost());
    let mut bad = second(2, run.clone(), true);
    bad.second.losses.push(lost());
    own.see(&bad);
    own.see(&second(3, run.clone(), true));
    assert_eq!(own.judge(&run)[0].limited, 1, "lost in one of them");

    let mut own = watch("lag.p99 < 5ms");
    let mut bad = second(1, run.clone(), true);
    bad.second.lag.record(9_000);
    own.see(&bad);
    bad.report.window += Duration::from_secs(1);
    bad.limited.clear();
    own.see(&bad);
    assert_eq!(own.judge(&run)[0].limited, 1, "the second one was not limited");
}
