//! What cannot be meant, and what is said of it.

use super::*;

/// The whole fault: its words, and the characters it points at.
fn fault(line: &str) -> (String, String) {
    let read = Threshold::read(line).and_then(|mut threshold| threshold.bind(&names()));
    let fault = read.err().unwrap_or_else(|| panic!("`{line}` was accepted"));
    let chars: Vec<char> = fault.text.chars().collect();
    (fault.why, chars[fault.at].iter().collect())
}

fn check(line: &str, at: &str, why: &str) {
    assert_eq!(fault(line), (why.to_owned(), at.to_owned()), "{line}");
}

#[test]
fn a_fault_shows_where_it_is() {
    let fault = Threshold::read("op(é).p99 < 500").expect_err("has no unit");
    let told = "column 13: a time cannot be compared with a bare number; give 500us, 500ms or \
                500s\n  op(é).p99 < 500\n              ^^^";
    assert_eq!(fault.to_string(), told);
    let fault = Threshold::read("").expect_err("says nothing").to_string();
    let why = "a threshold begins with what is measured: op(NAME).p99, bots.online";
    assert_eq!(fault, format!("column 1: {why}\n  \n  ^"));
}

#[test]
fn names_get_suggestions() {
    check("erors.rate < 1%", "erors", "nothing is called `erors`; did you mean `errors`?");
    check(
        "xmpp.join.p99 < 1s",
        "xmpp",
        "nothing is called `xmpp` (there is op, errors, bots, connect, delivery, lag, turn, bytes, \
         lost, mail, tls, counter, gauge, value, generator); an op is written op(xmpp...).p99",
    );
    check(
        "op(xmpp.jion).p99 < 1s",
        "xmpp.jion",
        "this scenario has no op called `xmpp.jion` (there is xmpp.join, xmpp.say); did you mean \
         `xmpp.join`?",
    );
    check(
        "lag.p99x < 5ms",
        "p99x",
        "`p99x` is no figure of lag (there is p99, max, mean); did you mean `p99`?",
    );
    check(
        "lag.p999 < 5ms",
        "p999",
        "`p999` is no figure of lag (there is p99, max, mean); did you mean `p99.9`?",
    );
    check(
        "lag.p100 < 5ms",
        "p100",
        "`p100` is no figure of lag (there is p99, max, mean); did you mean `max`?",
    );
    check("lag < 5ms", "", "which figure of lag? there is p99, max, mean");
    check("errors.ratee < 1%", "ratee", {
        "`ratee` is no figure of errors (there is rate, count); did you mean `rate`?"
    });
    check("counter(jumper.rooms).max < 1", "max", "counter(NAME) has no parts: leave `.max` out");
    check("op.p99 < 1s", ".", "which op? give its name: op(NAME)");
    check("op().p99 < 1s", "()", "the name of the op is missing");
    check("op(xmpp.join < 1s", "(", "this is never closed");
    check("bots(1).online > 1", "(", "bots has no name");
}

#[test]
fn units_have_to_fit() {
    let bare = "a time cannot be compared with a bare number; give 500us, 500ms or 500s";
    check("op(xmpp.join).p99 < 500", "500", bare);
    check(
        "op(xmpp.join).p99 < 5%",
        "5%",
        "a time cannot be compared with a share; give a time such as 500ms",
    );
    check("errors.rate < 0.1", "0.1", "a share cannot be compared with a bare number; give 0.1%");
    check("errors.rate < 101%", "101%", "`101%` is more than everything");
    check(
        "delivery.missing < 5ms",
        "5ms",
        "a count cannot be compared with a time; give a number such as 10k, or per cent",
    );
    check(
        "delivery.messages > 5/s",
        "5/s",
        "a count cannot be compared with a rate; give a number such as 10k",
    );
    check("bytes.sent < 64", "64", {
        "a size cannot be compared with a bare number; give 64B, 64KiB or 64MiB"
    });
    check("op(xmpp.say).rate > 5", "5", "a rate cannot be compared with a bare number; give 5/s");
    check("lag.p99 < soon", "soon", "`soon` is no limit; give a time such as 500ms");
    check("lag.p99 < -5ms", "-5ms", "`-5ms` is no limit; give a time such as 500ms");
    check("lag.p99 <", "", "here a limit is due, such as 500ms or 0.1%");
}

#[test]
fn the_rest_has_its_words() {
    let due = "here a comparison is due: < <= > >= == or !=";
    check("lag.p99", "", due);
    check("lag.p99 ~ 5ms", "~", due);
    check("lag.p99 = 5ms", "=", "equal is written `==`");
    check("lag.p99 ≤ 5ms", "≤", "written `<=`");
    check("lag.p99 < 5ms or", "", "`or` goes on with `empty`");
    check("lag.p99 < 5ms or else", "else", "`or` goes on with `empty`");
    check("lag.p99 < 5ms abort abort", "abort", "`abort` was said before");
    check("lag.p99 < 5ms abort after", "after", "here a time is due, such as 10s");
    check("lag.p99 < 5ms abort after 10", "10", "`10` has no unit; give 10s, 10ms or 10m");
    check("lag.p99 < 5ms over all", "all", "give `over window` or `over run`");
    check(
        "bots.online > 9 over run",
        "over run",
        "bots.online has a time of its own: leave it out",
    );
    check(
        "lag.p99 < 5ms aborts",
        "aborts",
        "`aborts` means nothing behind a limit (there is `or empty`, `over window`, `over run`, \
         `abort`, `abort after TIME`)",
    );
    let long = format!("lag.p99 < {}ms", "5".repeat(600));
    assert_eq!(fault(&long).0, "longer than 500 bytes");
}
