//! Runs that go as they should, and the verdicts of those that do not.

use serde_json::Value;

use crate::peers::{closes, echoes, nobody, peer};
use crate::stage::{report, run};

/// The keys of the report, as the contract has them.
const KEYS: &[(&str, &str)] = &[
    ("run", "scenario target seed started duration_s model"),
    ("verdict", "passed trustworthy reasons"),
    (
        "bots",
        "target launched peak_online min_online mean_online online_at_end seconds_below_target \
         done failed reconnects respawned",
    ),
    ("connect", "count rate_per_s p50_us p99_us max_us"),
    (
        "ops",
        "name offered_per_s count ok failed timed_out dropped in_flight rate_per_s p50_us p95_us \
         p99_us p999_us max_us service_p99_us",
    ),
    ("counters", ""),
    ("bytes", "sent received"),
    ("endpoints", ""),
    (
        "delivery",
        "messages expected delivered missing excused bounced unresolved duplicated reordered late \
         history foreign reason",
    ),
    ("tls", "kept dense handshakes"),
    ("thresholds", ""),
    (
        "generator",
        "shards cpu_s rss_bytes base_bytes user_bytes_per_bot kernel_bytes_per_bot lag_p99_us \
         lag_max_us turn_p99_us limited_seconds",
    ),
    ("series", ""),
];

#[test]
fn a_small_run_passes_and_its_report_has_the_keys_of_the_contract() {
    let (ended, report) = report("run echo --conns 20 --for 1s --set pace=100ms");
    let ended = ended.with(0);
    let (first, last) = (ended.out.lines().next(), ended.out.lines().last());
    assert!(first.is_some_and(|line| line.starts_with("passed, trustworthy: ")), "{}", ended.out);
    assert_eq!(first, last);
    for (part, keys) in KEYS {
        let found = &report[part];
        let found = found.as_array().filter(|_| *part == "ops").map_or(found, |ops| &ops[0]);
        assert!(!found.is_null(), "no {part}");
        for key in keys.split_whitespace() {
            assert!(found.get(key).is_some(), "no {key} in {part}: {found}");
        }
    }
    assert_eq!(report["bots"]["peak_online"], 20);
    assert_eq!(report["bots"]["done"], 20);
    assert_eq!(report["connect"]["count"], 20);
    assert_eq!(report["lost"], Value::Array(vec![]));
    assert_eq!(report["run"]["ended"], true);
    let op = &report["ops"][0];
    assert!(op["ok"].as_u64() >= Some(100), "{op}");
    assert_eq!(op["p999_us"], Value::Null, "too few samples for it");
    assert_eq!(op["failed_max_us"], Value::Null, "none failed");
    assert!(!ended.out.contains("echo.ping, failed"), "{}", ended.out);
    assert!(report["bytes"]["sent"].as_u64() >= Some(64 * 100));
    let series = report["series"].as_array().expect("a list");
    assert!(series.iter().any(|second| second["ops"][0]["latency"].is_string()));
    let sent: u64 = series.iter().filter_map(|second| second["sent"].as_u64()).sum();
    assert_eq!(report["bytes"]["sent"].as_u64(), Some(sent), "the seconds add up");
}

#[test]
fn a_bare_run_is_of_jumpers_whose_every_message_is_accounted_for() {
    let (ended, report) = report("--conns 20 --for 1s --set pause=50ms..150ms");
    let ended = ended.with(0);
    assert_eq!(report["run"]["scenario"], "jumper");
    assert!(ended.err.contains("20 connections on 1 shard, arriving at 3,000/s"), "{}", ended.err);
    let delivery = &report["delivery"];
    let of = |class: &str| delivery[class].as_u64().unwrap_or(u64::MAX);
    assert!(of("messages") >= 100, "{delivery}");
    assert_eq!(of("expected"), of("delivered") + of("excused"), "{delivery}");
    for wrong in ["missing", "duplicated", "reordered", "late", "foreign"] {
        assert_eq!(of(wrong), 0, "{wrong}: {delivery}");
    }
}

#[test]
fn a_share_of_the_bots_measures_and_the_others_owe_nothing() {
    let words = "--conns 20 --for 2s --set pause=50ms..150ms --set rooms=1 --set measure=4";
    let (ended, report) = report(words);
    ended.with(0);
    let of = |class: &str| report["delivery"][class].as_u64().unwrap_or(u64::MAX);
    assert!(of("messages") >= 100, "all talk: {}", report["delivery"]);
    assert!(of("expected") <= 5 * of("messages"), "five of twenty: {}", report["delivery"]);
    assert!(of("delivered") >= 2 * of("messages"), "and those do hear: {}", report["delivery"]);
    assert_eq!((of("missing"), of("foreign")), (0, 0), "{}", report["delivery"]);
}

#[test]
fn a_run_in_which_nobody_got_into_a_room_has_not_passed() {
    let (ended, report) =
        report("--conns 5 --for 1s --set muc=nowhere.localhost --set patience=200ms");
    let ended = ended.with(4);
    let join =
        report["ops"].as_array().and_then(|ops| ops.iter().find(|op| op["name"] == "xmpp.join"));
    let join = join.expect("it is there");
    assert!(join["failed"].as_u64() >= Some(5), "asked again in the window: {join}");
    assert_eq!((&join["ok"], &join["timed_out"]), (&0.into(), &0.into()), "{join}");
    assert!(ended.out.starts_with("failed: none of "), "{}", ended.out);
    assert!(ended.out.contains(" xmpp.join succeeded, "), "{}", ended.out);
    assert!(ended.out.contains("\ndelivery   no message was sent\n"), "{}", ended.out);
    assert_eq!(report["delivery"]["reason"], "no message was sent");
    assert_eq!(report["delivery"]["messages"], Value::Null);
}

#[test]
fn quiet_leaves_the_summary_alone() {
    let ended = run("--conns 5 --for 1s --quiet").with(0);
    assert_eq!(ended.err, "");
    assert!(ended.out.starts_with("passed"), "{}", ended.out);
}

#[test]
fn the_plan_stands_first_and_then_a_line_a_second() {
    let ended = run("run idle --conns 5 --for 1s").with(0);
    let mut lines = ended.err.lines();
    let plan = lines.next().unwrap_or_default();
    assert!(plan.starts_with("5 bots, 5 connections on 1 shard, arriving at 10,000/s"), "{plan}");
    assert!(ended.err.contains("embedded target 127.0.0.1"), "{}", ended.err);
    assert!(ended.err.lines().any(|line| line.contains("hold") && line.contains("online 5")));
    assert!(!ended.err.contains('\x1b') && !ended.out.contains('\x1b'), "no colours in a file");
}

#[test]
fn talk_passes_its_token_round() {
    let (ended, report) = report("run talk --conns 20 --for 2s --set pause=50ms");
    ended.with(0);
    assert!(report["ops"][1]["ok"].as_u64() > Some(0), "no round: {}", report["ops"]);
    assert!(report["mail"]["heard"].as_u64() > Some(0));
}

#[test]
fn an_open_run_lets_bots_come_and_go() {
    let words = "run echo --open 50/s --for 2s --set count=2 --set pace=50ms --drain 1s";
    let (ended, report) = report(words);
    ended.with(0);
    assert_eq!(report["run"]["model"], "open");
    assert_eq!(report["bots"]["done"], 100);
}

#[test]
fn the_hold_is_as_long_as_asked() {
    let (ended, report) = report("run idle --conns 5 --hold 2s");
    ended.with(0);
    let window = report["run"]["window_s"].as_f64().unwrap_or_default();
    assert!((1.5..2.5).contains(&window), "{window} s");
}

#[test]
fn the_window_lies_between_warm_up_and_cool_down() {
    let around = "--warm-up 2s --for 1s --cool-down 2s";
    for load in ["--conns 5", "--open 20/s --set count=1"] {
        let words = format!("run echo {load} {around} --set pace=50ms --drain 1s");
        let (ended, report) = report(&words);
        let ended = ended.with(0);
        assert!(ended.err.contains("(warm-up 2 s, cool-down 2 s)"), "{}", ended.err);
        let series = report["series"].as_array().expect("a list");
        let mut phases: Vec<&str> =
            series.iter().filter_map(|second| second["phase"].as_str()).collect();
        let of = |phase: &str| series.iter().filter(|second| second["phase"] == phase).count();
        assert!((2..=3).contains(&of("warm")) && (1..=3).contains(&of("cool")), "{phases:?}");
        phases.dedup();
        let order: Vec<&str> = phases.iter().copied().filter(|phase| *phase != "ramp").collect();
        assert_eq!(order[..3], ["warm", "hold", "cool"], "{phases:?}");
        let window = report["run"]["window_s"].as_f64().unwrap_or_default();
        assert!((0.5..1.5).contains(&window), "{window} s");
        let op = &report["ops"][0];
        let (inside, outside) = (op["count"].as_u64(), op["outside_window"].as_u64());
        assert!(outside > inside, "five of six seconds: {op}");
    }
}

#[test]
fn a_storm_of_logins_is_not_judged_by_who_is_online_at_once() {
    let (ended, report) = report("run login-storm --conns 5 --for 1s");
    ended.with(0);
    assert!(report["counters"]["login-storm.rounds"].as_u64() > Some(5), "{}", report["counters"]);
}

#[test]
fn the_breaker_trips_on_logins_that_fail_over_connections_that_do_not() {
    let words = format!("run xmpp-idle --target xmpp://localhost --via {}", peer(closes));
    let words =
        format!("{words} --conns 400 --arrive 40/s --retry-cap 500ms --breaker on --for 20s");
    let (ended, report) = report(&words);
    let ended = ended.with(3);
    assert!(ended.out.contains("the breaker tripped: "), "{}", ended.out);
    assert!(report["run"]["duration_s"].as_f64() < Some(15.0), "{}", report["run"]);
    assert_eq!(report["lost"][0]["online"], false, "{}", report["lost"]);
}

#[test]
fn targets_share_bots_by_weight() {
    let (one, other) = (peer(echoes), peer(echoes));
    let words = format!("--target line://{one}=3,line://{other} --conns 40 --for 1s");
    let (ended, report) = report(&words);
    ended.with(0);
    let connected = |at: usize| report["endpoints"][at]["connected"].as_u64().unwrap_or(0);
    assert_eq!(connected(0) + connected(1), 40);
    assert!((27..=33).contains(&connected(0)), "{}", report["endpoints"]);
    for at in [0, 1] {
        assert_eq!(report["endpoints"][at]["online_at_end"].as_u64(), Some(connected(at)));
    }
}

#[test]
fn nobody_online_ends_with_3_and_says_who_refused() {
    let words = format!("--target line://{} --conns 20 --for 1s --give-up 1 --drain 1s", nobody());
    let (ended, report) = report(&words);
    let ended = ended.with(3);
    assert!(ended.out.starts_with("failed: nobody got online"), "{}", ended.out);
    let lost = &report["lost"][0];
    assert_eq!((lost["cause"].as_str(), lost["blame"].as_str()), (Some("refused"), Some("target")));
    assert!(lost["count"].as_u64() >= Some(20));
}

#[test]
fn untrustworthy_figures_end_with_5_under_strict_alone() {
    // Nobody leaves, so the arrivals that follow find no room: load is dropped.
    let words = "--open 50/s --conns 5 --for 4s --drain 1s";
    let lenient = run(words).with(0);
    assert!(lenient.out.contains("trustworthy: no, because"), "{}", lenient.out);
    run(&format!("{words} --strict")).with(5);
}

#[test]
fn a_traced_bot_shows_its_bytes() {
    let words = "run echo --conns 5 --for 1s --set pace=200ms --set size=12 --trace-bot 3 --quiet";
    let ended = run(words).with(0);
    for part in ["bot 3  online", "-> \"=00000001", "<- \"=00000001", "bot 3  done"] {
        assert!(ended.err.contains(part), "no `{part}` in {}", ended.err);
    }
    assert!(!ended.err.contains("bot 2"), "{}", ended.err);
}

#[test]
fn try_shows_what_both_sides_say() {
    let ended = run(&format!("try line://{} --for 1s", peer(echoes))).with(0);
    let own =
        ["waits to be spoken to", "-> \"=00000001", "<- \"=00000001", "cost per bot", "passed"];
    for part in own {
        assert!(ended.out.contains(part), "no `{part}` in {}", ended.out);
    }
    run(&format!("try {}", nobody())).with(3);
}
