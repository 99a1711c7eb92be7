//! Trees in virtual time: one bot against the embedded target, and what it counted.

mod users;

use std::time::Duration;

use densebots_engine::net::sim::{Dice, Faults as NetFaults};
use densebots_engine::{Arrival, Backoff, Command, Endpoint, Load, Plan, Rehearsal, Report, Time};

use super::play::lines;
use super::*;
use crate::file::{Faults, File, Source};
use crate::target::Target;

fn plan(bots: u32) -> Plan {
    let address = ([127, 0, 0, 1], 7000).into();
    let hold = Duration::from_secs(100_000);
    Plan {
        load: Load::Closed { bots, arrival: Arrival::AtOnce, hold },
        endpoints: vec![Endpoint { name: "target".to_owned(), address, weight: 1 }],
        shards: 1,
        liveness: Duration::from_secs(50_000),
        drain: Duration::from_secs(20),
        ..Plan::default()
    }
}

fn read(text: &str) -> &'static File {
    let source = Source { name: "t.yaml".to_owned(), text: text.to_owned() };
    let file =
        File::read(source).unwrap_or_else(|(source, faults)| panic!("{}", source.show(&faults)));
    file.keep()
}

/// Plays a file for so long and then drains it.
fn played(text: &str, bots: u32, seconds: f64) -> Report {
    played_over(text, bots, seconds, 1, NetFaults::none())
}

/// The same over a network with faults, which heals after a while.
fn played_over(text: &str, bots: u32, seconds: f64, seed: u64, net: NetFaults) -> Report {
    play_over(read(text), bots, seconds, seed, net)
}

fn play_over(file: &'static File, bots: u32, seconds: f64, seed: u64, net: NetFaults) -> Report {
    let steps = compile(file, &[], &mut Faults::default()).expect("no faults");
    let mut stage = Rehearsal::new(seed, net);
    stage.check_every(1);
    let reconnect = Backoff { cap: Duration::from_secs(1), give_up: None, ..Backoff::default() };
    let (ears, plan) = (plan(1), Plan { reconnect, ..plan(bots) });
    stage.world().heal(Time::ZERO + Duration::from_secs_f64(seconds / 2.0));
    let target = stage.add("target", Target::new(true, &ears), ears).expect("a plan");
    let tree = lines(steps, file, &plan);
    let run = stage.add("bots", tree, plan).expect("a plan");
    let at = Time::ZERO + Duration::from_secs_f64(seconds);
    stage.run_until(at).expect("nothing breaks");
    stage.command(run, at, Command::Drain);
    stage.run_until(at + Duration::from_secs(30)).expect("nothing breaks");
    assert!(stage.ended(run), "the run did not end");
    stage.command(target, stage.now(), Command::Stop);
    stage.run_until(stage.now() + Duration::from_secs(1)).expect("nothing breaks");
    stage.report(run).clone()
}

/// What a counter came to; 0 if the tree has none of this name.
fn counted(report: &Report, name: &str) -> u64 {
    let at = report.names.counters.iter().position(|own| own == name);
    at.map_or(0, |at| report.total.counters[at])
}

/// The counters `a` to `d` of one bot, and how its tree ended.
fn counts(tree: &str, seconds: f64) -> ([u64; 4], &'static str) {
    let report = played(&format!("bots:\n  tree: {tree}\n"), 1, seconds);
    let ended = ["tree.ended", "tree.failed", "tree.runaway"];
    let ended = ended.into_iter().find(|name| counted(&report, name) > 0);
    (["a", "b", "c", "d"].map(|name| counted(&report, name)), ended.unwrap_or("goes on"))
}

#[test]
fn outcomes_go_up_as_each_node_says() {
    const OK: &str = "tree.ended";
    const NO: &str = "tree.failed";
    for (tree, expected, ended) in [
        ("[count: a, succeed, count: b]", [1, 1, 0, 0], OK),
        ("[count: a, fail, count: b]", [1, 0, 0, 0], NO),
        ("{select: [fail, count: a, count: b]}", [1, 0, 0, 0], OK),
        ("{select: [fail, [count: a, fail]]}", [1, 0, 0, 0], NO),
        ("{always_succeed: fail}", [0; 4], OK),
        ("{always_fail: {count: a}}", [1, 0, 0, 0], NO),
        ("{negate: fail}", [0; 4], OK),
        ("{negate: succeed}", [0; 4], NO),
        ("{repeat: {times: 3, do: [count: a, fail]}}", [3, 0, 0, 0], OK),
        ("{repeat: {times: 0, do: {count: a}}}", [0; 4], OK),
        ("{repeat: {until: failure, do: [count: a, fail]}}", [1, 0, 0, 0], OK),
        ("{repeat: {times: 2, until: success, do: [count: a, fail]}}", [2, 0, 0, 0], NO),
        ("{repeat: {for: 3s, do: [wait: 1s, count: a]}}", [3, 0, 0, 0], OK),
        ("{random: [count: a]}", [1, 0, 0, 0], OK),
        ("{weighted: [{weight: 5, do: {count: a}}]}", [1, 0, 0, 0], OK),
        ("{if: {when: '{{ 1 < 2 }}', then: {count: a}, else: {count: b}}}", [1, 0, 0, 0], OK),
        ("{if: {when: '{{ 1 > 2 }}', then: {count: a}, else: {count: b}}}", [0, 1, 0, 0], OK),
        ("{if: {when: '{{ 1 > 2 }}', then: {count: a}}}", [0; 4], OK),
        ("{repeat: {times: 2, do: [once: {count: a}, count: b]}}", [1, 2, 0, 0], OK),
        ("{timeout: {after: 1s, do: [count: a, wait: 2s, count: b]}}", [1, 0, 0, 0], NO),
        ("{timeout: {after: 2s, do: [wait: 1s, count: a]}}", [1, 0, 0, 0], OK),
        ("{retry: {times: 3, first: 1s, do: [count: a, fail]}}", [3, 0, 0, 0], NO),
        ("{retry: {times: 3, do: {count: a}}}", [1, 0, 0, 0], OK),
        ("[{parallel: {all: [[wait: 1s, count: a], {count: b}]}}, count: c]", [1, 1, 1, 0], OK),
        ("{parallel: {all: [[wait: 9s, count: a], [wait: 1s, fail]]}}", [0; 4], NO),
        ("{parallel: {any: [[wait: 9s, count: a], [wait: 1s, count: b]]}}", [0, 1, 0, 0], OK),
        ("{parallel: {any: [fail, fail]}}", [0; 4], NO),
        ("{parallel: {any: [fail, {parallel: {all: [wait: 1s, wait: 2s]}}]}}", [0; 4], OK),
        ("[done, count: a]", [0; 4], OK),
        ("[succeed_rate: 1, count: a]", [1, 0, 0, 0], OK),
        ("[succeed_rate: 0%, count: a]", [0; 4], NO),
        ("[count: {counter: a, by: 5}]", [5, 0, 0, 0], OK),
        ("[line.ask: hello, count: a]", [1, 0, 0, 0], OK),
        ("[line.send: hello, {line.expect: {text: hello}}, count: a]", [1, 0, 0, 0], OK),
        ("[{line.expect: {text: never, within: 1s}}, count: a]", [0; 4], NO),
        ("[line.send: 'x{{ bot.id }}', {wait_for: line.heard}, count: a]", [1, 0, 0, 0], OK),
        ("[{wait_for: {event: line.heard, within: 1s}}, count: a]", [0; 4], NO),
        ("[line.send: \"a\\nb\", count: a]", [0; 4], NO),
        ("{measure: {op: mine, do: [line.send: x, {wait_for: line.heard}]}}", [0; 4], OK),
        ("[{measure: {op: mine, do: {wait_for: line.heard}}}, count: a]", [0; 4], NO),
    ] {
        assert_eq!(counts(tree, 40.0), (expected, ended), "{tree}");
    }
}

#[test]
fn a_tree_that_never_waits_is_a_runaway() {
    assert_eq!(counts("{repeat: {count: a}}", 2.0).1, "tree.runaway");
    let report = played("bots:\n  tree:\n    repeat:\n      count: a\n", 3, 2.0);
    assert_eq!(report.bots.population.failed, 3);
    assert!(counted(&report, "a") >= 3 * 400, "{}", counted(&report, "a"));
}

#[test]
fn beats_keep_their_pace_and_those_that_could_not_be_are_dropped() {
    let beats = "{every: {pace: 1s, times: 5, spread: false, do: {count: a}}}";
    assert_eq!(counts(beats, 10.0), ([5, 0, 0, 0], "tree.ended"));
    assert_eq!(counts("{every: {pace: 1s, spread: false, do: {count: a}}}", 9.5).0[0], 10);
    // Each takes two and a half beats: the one that begins late is not made up for.
    let slow = "bots:\n  tree: {every: {pace: 1s, spread: false, \
                do: {measure: {op: slow, do: {wait: 2500ms}}}}}\n";
    let report = played(slow, 1, 9.4);
    let op = report.names.ops.iter().position(|op| op == "slow").expect("an op");
    let op = &report.total.ops[op];
    assert_eq!((op.ok, op.dropped), (4, 6), "at 0, 3, 6 and 9 s");
    let untimed = "bots:\n  tree: {every: {pace: 1s, spread: false, do: {wait: 2500ms}}}\n";
    assert_eq!(counted(&played(untimed, 1, 5.4), "tree.dropped"), 2);
}

#[test]
fn variables_and_arguments_are_each_bots_own() {
    let text = "
parameters:
  most: 3
bots:
  - name: counting
    variables: {seen: 0, last: '', done: false}
    tree:
      - repeat:
          times: '{{ most }}'
          do:
            - set: {seen: '{{ seen + 1 }}'}
            - ask_one: {what: 'no {{ seen }} of {{ bot.id }}'}
      - if:
          when: \"{{ seen == most and last == 'no 3 of 2' and done }}\"
          then: {count: a}
trees:
  ask_one:
    arguments: [what]
    do:
      - line.send: '{{ what }}'
      - wait_for:
          event: line.heard
          where: '{{ starts_with(event.text, \"no\") }}'
          set: {last: '{{ event.text }}', done: true}
";
    let report = played(text, 3, 5.0);
    assert_eq!((counted(&report, "a"), counted(&report, "tree.ended")), (1, 3));
}

/// What stands in quotes is a text, as everywhere in YAML.
#[test]
fn arguments_are_numbers_times_or_texts() {
    let text = "
bots:
  tree:
    - given: {number: 2, pause: 1s, words: '2'}
    - given: {number: '{{ 1 + 1 }}', pause: 1000ms, words: two 2}
trees:
  given:
    arguments: [number, pause, words]
    do:
      - wait: '{{ pause }}'
      - if:
          when: '{{ number == 2 and pause == 1 and ends_with(words, \"2\") }}'
          then: {count: a}
";
    assert_eq!(counted(&played(text, 1, 3.0), "a"), 2);
}

#[test]
fn bots_are_of_their_kinds_by_count_and_weight() {
    let text = "
bots:
  - {name: first, count: 2, tree: {count: a}}
  - {name: many, weight: 3, tree: {count: b}}
  - {name: few, weight: 1, tree: {count: c}}
";
    let report = played(text, 402, 5.0);
    let [a, b, c] = ["a", "b", "c"].map(|name| counted(&report, name));
    assert_eq!((a, b + c), (2, 400));
    assert!((260..340).contains(&b), "{b} of 400");
}

const ASKS: &str = "
bots:
  after_loss: AFTER_LOSS
  variables: {sent: 0}
  tree:
    every:
      pace: 500ms
      do:
        - set: {sent: '{{ sent + 1 }}'}
        - line.ask: '{{ sent }}'
        - count: a
";

/// Whatever the network does, trees that begin again and trees that go on ask their questions once
/// it is well, and beats that could not be are counted.
#[test]
fn trees_live_through_a_bad_network() {
    for after_loss in ["begin_again", "go_on"] {
        let text = ASKS.replace("AFTER_LOSS", after_loss);
        let mut lost = 0;
        for seed in 1..=20 {
            let net = NetFaults::swarm(&mut Dice::new(seed));
            let report = played_over(&text, 10, 20.0, seed, net);
            let op = &report.total.ops[0];
            let (ok, a) = (op.ok, counted(&report, "a"));
            assert!(ok > 10 * 15, "seed {seed}: half of all beats are after the faults: {ok}");
            // Each answer was counted, but for those who left with it.
            assert!(a <= ok && ok <= a + 10, "seed {seed}: {a} of {ok}");
            assert_eq!(counted(&report, "tree.runaway"), 0, "seed {seed}");
            if after_loss == "go_on" {
                let meant = op.begun + op.dropped;
                assert!((10 * 30..=10 * 42).contains(&meant), "seed {seed}: {meant} beats");
            }
            lost += report.total.losses.iter().map(|loss| loss.count).sum::<u64>();
        }
        assert!(lost > 50, "{lost} links were lost");
    }
}

#[test]
fn steps_that_nobody_came_to_are_named() {
    let text = "
bots:
  tree:
    - ask: {what: x}
    - if:
        when: '{{ 1 > 2 }}'
        then: [wait: 1s, count: never]
    - select: [ask: {what: y}, fail]
trees:
  ask: {arguments: [what], do: {line.ask: '{{ what }}'}}
";
    let file = read(text);
    assert_eq!(file.unreached(), [(4, "- ask: {what: x}")]);
    play_over(file, 1, 5.0, 1, NetFaults::none());
    assert_eq!(file.unreached(), [(7, "[wait: 1s, count: never]"), (8, "fail")]);
}

#[test]
fn steps_and_bots_are_small() {
    assert!(size_of::<Step>() <= 96, "{}", size_of::<Step>());
    let file = read("bots:\n  tree: {every: {pace: 1s, do: {line.ask: hello}}}\n");
    let steps = compile(file, &[], &mut Faults::default()).expect("no faults");
    assert_eq!(steps.bytes, 2 + 8 + 8, "a cursor, the next beat, the answer");
    for example in crate::file::EXAMPLES {
        let bytes = read(example.text).bytes_per_bot();
        assert!(bytes <= super::play::SMALL, "{}: {bytes}", example.name);
    }
}
