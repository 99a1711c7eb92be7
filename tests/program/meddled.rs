//! A target that is told to drop, repeat, delay or swap messages: a run reports just that.

use serde_json::Value;

use crate::stage::{report, served};

/// Ten bots, 48 messages each. Who speaks first has waited for everybody to come, and all is said
/// and settled before anybody leaves.
const RUN: &str = "run one-to-one --conns 10 --for 10s --late 2s --request-timeout 2s \
                   --set settle=1s --set pace=100ms --set linger=100s";

/// What the target says it did, by its own count, and what a run has found.
fn meddled(flags: &str, more: &str) -> (impl Fn(&str) -> u64, impl Fn(&str) -> u64) {
    let target = served(&format!("xmpp {flags}"));
    let (ended, report) =
        report(&format!("{RUN} {more} --target xmpp://localhost:{}", target.address.port()));
    let (ended, said) = (ended.with(0), target.end());
    let did = move |what: &str| {
        let counted = said.lines().find_map(|line| line.strip_prefix(&format!("target.{what} ")));
        counted.map_or(0, |count| count.parse().expect("a number"))
    };
    let found = move |class: &str| {
        let found: &Value = &report["delivery"][class];
        found.as_u64().unwrap_or_else(|| panic!("{class}: {found}\n{}", ended.out))
    };
    (did, found)
}

#[test]
fn what_is_dropped_is_missing_and_what_comes_twice_is_duplicated() {
    let (did, found) = meddled("--drop-one-in 10 --duplicate-one-in 10", "--set rounds=6");
    assert!(did("dropped") > 10 && did("duplicated") > 10, "of 480 deliveries");
    assert_eq!((found("missing"), found("duplicated")), (did("dropped"), did("duplicated")));
    assert_eq!(found("delivered") + found("missing"), found("expected"));
    assert_eq!((found("late"), found("reordered"), found("excused")), (0, 0, 0));
}

#[test]
fn what_is_delayed_is_missing_and_late() {
    let (did, found) = meddled("--delay-one-in 10 --delay-by 3s", "--set rounds=6");
    assert!(did("delayed") > 10, "of 480 deliveries");
    assert_eq!([found("missing"), found("late")], [did("delayed"); 2]);
    assert_eq!((found("duplicated"), found("excused")), (0, 0));
}

#[test]
fn what_is_overtaken_is_out_of_order() {
    // Everybody hears one sender alone: only the messages of one sender have an order.
    let one = "--set before=0 --set behind=1 --set rounds=48";
    let (did, found) = meddled("--reorder-one-in 10", one);
    assert!(did("reordered") > 10, "of 480 deliveries");
    assert_eq!(found("reordered"), did("reordered"));
    assert_eq!((found("missing"), found("duplicated")), (0, 0));
}

#[test]
fn what_comes_without_its_id_is_known_by_the_tag_in_its_body() {
    let (_, found) = meddled("--drop-ids", "--set rounds=6 --set tag=body");
    assert_eq!((found("delivered"), found("missing"), found("foreign")), (480, 0, 0));
}

#[test]
fn what_comes_without_its_id_is_not_known_otherwise() {
    let target = served("xmpp --drop-ids");
    let port = target.address.port();
    let (ended, report) = report(&format!("{RUN} --set rounds=6 --target xmpp://localhost:{port}"));
    let ended = ended.with(0);
    assert_eq!(report["delivery"]["delivered"], Value::Null);
    for text in [&ended.out, report["delivery"]["reason"].as_str().unwrap_or_default()] {
        assert!(text.contains("does not keep the ids of messages"), "{text}");
    }
    assert!(ended.out.contains("--set tag=body"), "what helps is said: {}", ended.out);
}
