//! Thresholds that are read and those that are not; reports and seconds that hold them or not.

use super::*;

mod faulty;
mod runs;

/// What a scenario measures, in these tests.
fn names() -> Names {
    let list = |words: &[&str]| words.iter().map(ToString::to_string).collect();
    Names {
        ops: list(&["xmpp.join", "xmpp.say"]),
        counters: list(&["jumper.rooms"]),
        gauges: list(&["rooms.open"]),
        values: list(&["queue.length"]),
        ledger: true,
    }
}

fn read(line: &str) -> Threshold {
    let mut threshold = Threshold::read(line).unwrap_or_else(|fault| panic!("{line}: {fault}"));
    threshold.bind(&names()).unwrap_or_else(|fault| panic!("{line}: {fault}"));
    threshold
}

/// What is read, written as the table of subjects has it.
fn check(line: &str, expected: &str) {
    let own = read(line);
    let sign = Comparison::ALL.iter().find(|(_, known)| *known == own.comparison);
    let name = own.subject.name.as_ref().map(|(name, at)| format!(" {name}#{at}"));
    let quantile = match own.subject.quantile {
        0.0 => String::new(),
        quantile => format!(" {quantile}"),
    };
    let told = format!(
        "{}{}{quantile} {} {} {}{}{}{}",
        own.subject.row.written(),
        name.unwrap_or_default(),
        sign.map_or("?", |(sign, _)| *sign),
        own.limit.value,
        own.limit.unit.name(),
        if own.or_empty { " or empty" } else { "" },
        match own.over {
            Over::Window => "",
            Over::Run => " run",
            Over::Own => " own",
        },
        own.abort.map_or(String::new(), |delay| format!(" abort {delay:?}")),
    );
    assert_eq!(told, expected, "{line}");
}

#[test]
fn thresholds_are_read() {
    check("op(xmpp.join).p99 < 500ms", "op(NAME).p99 xmpp.join#0 0.99 < 500000 us");
    check(
        "op( xmpp.say ).p99.9<=1m30s",
        "op(NAME).p99 xmpp.say#1 0.9990000000000001 <= 90000000 us",
    );
    check("  op(xmpp.say).service.p50 > 250us ", "op(NAME).service.p99 xmpp.say#1 0.5 > 250 us");
    check("op(xmpp.say).rate >= 5k/s", "op(NAME).rate xmpp.say#1 >= 5000 per_s");
    check("op(xmpp.say).failed < 0.5%", "op(NAME).failed xmpp.say#1 < 0.005 share");
    check("op(xmpp.say).failed != 7", "op(NAME).failed xmpp.say#1 != 7 count");
    check("errors.rate < 0.1%", "errors.rate < 0.001 share");
    check("errors.rate == 0 or empty", "errors.rate == 0 share or empty");
    check("bots.online >= 99 %", "bots.online >= 0.99 share own");
    check("bots.online >= 9,900", "bots.online >= 9900 count own");
    check("delivery.missing == 0", "delivery.missing == 0 count run");
    check("delivery.missing == 0 over window", "delivery.missing == 0 count");
    check("delivery.last.p95 < 2s", "delivery.last.p99 0.95 < 2000000 us");
    check("lag.p99 < 5ms abort", "lag.p99 0.99 < 5000 us abort 0ns");
    check("lag.max < 1s abort after 10s over run", "lag.max < 1000000 us run abort 10s");
    check("connect.p99 < 1s", "connect.p99 0.99 < 1000000 us run");
    check("bytes.sent < 20GiB", "bytes.sent < 21474836480 bytes");
    check("lost.count < 1%", "lost.count < 0.01 share");
    check("counter(jumper.rooms) > 10k", "counter(NAME) jumper.rooms#0 > 10000 count");
    check("gauge(rooms.open) >= -3", "gauge(NAME) rooms.open#0 >= -3 count own");
    check("value(queue.length).p95 < 12.5", "value(NAME).p99 queue.length#0 0.95 < 12.5 count");
    check("generator.memory < 2GB", "generator.memory < 2000000000 bytes own");
}

#[test]
fn every_row_of_the_table_is_read_and_stands_in_the_readme() {
    let readme = include_str!("../../README.md");
    let mut missing = Vec::new();
    for row in subject::ROWS {
        let limit = match row.unit() {
            Unit::Time => "5ms",
            Unit::Share => "5%",
            Unit::Number => "5",
            Unit::Bytes => "5KiB",
            Unit::Rate => "5/s",
        };
        let threshold = Threshold::read(&format!("{} < {limit}", row.written()));
        let threshold = threshold.unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(threshold.subject.row, row);
        let (written, limits, over) = (row.written(), row.limits(), row.over.name());
        let line = format!("| `{written}` | {limits} | {over} | {} |", row.about);
        if !readme.contains(&line) {
            missing.push(line);
        }
    }
    assert!(missing.is_empty(), "control/README.md lacks\n{}", missing.join("\n"));
}

#[test]
fn no_op_of_ours_begins_like_a_subject() {
    for builtin in densebots_scenarios::BUILTIN {
        let settings = densebots_scenarios::Settings::of(builtin.parameters, []).expect("defaults");
        let plan = densebots_engine::Plan::default();
        let ready = (builtin.prepare)(&settings, &plan).expect("the defaults are good");
        for name in &ready.names().ops {
            let root = name.split('.').next().unwrap_or_default();
            assert!(!subject::roots().contains(&root), "{}: {name}", builtin.name);
        }
    }
}

#[test]
fn values_are_told_in_their_unit() {
    for (unit, value, told) in [
        (Unit::Time, 1_234.4, "1.23 ms"),
        (Unit::Share, 0.0, "0 %"),
        (Unit::Share, 1.0, "100 %"),
        (Unit::Share, 0.99999, "99.99 %"),
        (Unit::Share, 0.001, "0.100 %"),
        (Unit::Share, 1e-7, "1e-5 %"),
        (Unit::Number, 12_345.0, "12,345"),
        (Unit::Number, -2.5, "-2.50"),
        (Unit::Bytes, 2048.0, "2.0 KiB"),
        (Unit::Rate, 1234.0, "1,234/s"),
    ] {
        assert_eq!(unit.told(value), told);
    }
}

proptest::proptest! {
    /// Whatever is typed is read or refused, and a fault points into its line.
    #[test]
    fn any_line_is_read_or_refused(line in ".{0,600}") {
        judge(&line);
    }

    /// The same for lines of the right words in any order.
    #[test]
    fn any_words_are_read_or_refused(
        words in proptest::collection::vec(proptest::sample::select(WORDS), 0..12)
    ) {
        judge(&words.concat());
    }
}

const WORDS: &[&str] = &[
    "op(",
    "xmpp.join",
    ")",
    ".",
    "p99",
    "p9999",
    "errors",
    "rate",
    "bots.online",
    "lag.p99",
    " ",
    "<",
    ">=",
    "==",
    "≤",
    "500ms",
    "0.1",
    "%",
    "99 %",
    "-",
    "0",
    "64KiB",
    "1e9",
    " or ",
    "empty",
    " over ",
    "run",
    "window",
    " abort",
    " after ",
    "10s",
    "é",
    "\u{7f}",
    "\t",
    "counter(",
    "value(",
    "generator.limited",
    "(",
    "1/s",
];

fn judge(line: &str) {
    match Threshold::read(line) {
        Ok(mut threshold) => {
            assert!(threshold.limit.value.is_finite(), "{line}");
            let again = Threshold::read(&threshold.text).expect("it was read before");
            assert_eq!(again, threshold);
            let _ = threshold.bind(&names()).map_err(|fault| fault.to_string());
        }
        Err(fault) => {
            assert!(fault.at.end <= fault.text.chars().count(), "{line}: {fault:?}");
            assert_eq!(fault.to_string().lines().count(), 3, "{line}: {fault}");
        }
    }
}
