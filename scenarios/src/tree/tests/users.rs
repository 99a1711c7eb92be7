//! Trees of chat users against the embedded target, in virtual time.

use std::time::Duration;

use densebots_engine::net::sim::{Dice, Faults as NetFaults};
use densebots_engine::{Backoff, Command, Plan, Rehearsal, Report, Time};

use super::{counted, plan, read};
use crate::Settings;
use crate::file::{EXAMPLES, Faults, STARTERS};
use crate::target::xmpp::{Service, XmppTarget};
use crate::tree::compile;
use crate::tree::play::users;

fn played(text: &str, bots: u32, seed: u64, net: NetFaults, set: &[(&str, &str)]) -> Report {
    let file = read(text);
    let builtin = file.builtin();
    let settings = Settings::of(builtin.parameters, set.iter().copied()).expect("known");
    let mut faults = Faults::default();
    let steps = compile(file, &settings.pairs(), &mut faults);
    let steps = steps.unwrap_or_else(|| panic!("{}", file.source.show(&faults)));
    let mut stage = Rehearsal::new(seed, net);
    stage.check_every(16);
    let reconnect = Backoff { cap: Duration::from_secs(1), give_up: None, ..Backoff::default() };
    let ears = plan(1);
    let plan = Plan { reconnect, request_timeout: Duration::from_secs(4), ..plan(bots) };
    let target = XmppTarget::new(&Service::default(), &ears);
    let target = stage.add("target", target, ears).expect("a plan");
    let tree = users(steps, file, &settings, &plan);
    let run = stage.add("bots", tree, plan).expect("a plan");
    let at = |seconds: u64| Time::ZERO + Duration::from_secs(seconds);
    stage.world().heal(at(12));
    stage.run_until(at(30)).expect("nothing breaks");
    stage.command(run, at(30), Command::Drain);
    stage.run_until(at(60)).expect("nothing breaks");
    assert!(stage.ended(run), "the run did not end");
    stage.command(target, at(60), Command::Stop);
    stage.run_until(at(62)).expect("nothing breaks");
    let report = stage.report(run).clone();
    let own = &report.total.delivery;
    let classes = own.delivered + own.missing + own.excused + own.bounced + own.unresolved;
    assert_eq!((own.expected, own.foreign), (classes, 0), "seed {seed}: {own:?}");
    assert_eq!(counted(&report, "tree.runaway"), 0, "seed {seed}");
    report
}

/// Ops of this name that went well, and that did not.
fn op(report: &Report, name: &str) -> (u64, u64) {
    let at = report.names.ops.iter().position(|own| own == name);
    let op = &report.total.ops[at.unwrap_or_else(|| panic!("no op {name}"))];
    (op.ok, op.failed + op.timed_out)
}

fn text(examples: &'static [crate::file::Example], name: &str) -> &'static str {
    examples.iter().find(|example| example.name == name).expect("it is there").text
}

const JUMPS: &[(&str, &str)] = &[("rooms", "4"), ("least", "1"), ("most", "3"), ("pause", "300ms")];

#[test]
fn jumpers_of_a_file_hear_everything_they_owe() {
    let report = played(text(EXAMPLES, "jumper"), 20, 1, NetFaults::none(), JUMPS);
    let own = &report.total.delivery;
    // What was on its way to who left is excused, and nothing else.
    assert_eq!((own.missing, own.unresolved, own.bounced, own.duplicated), (0, 0, 0, 0), "{own:?}");
    assert!(own.messages > 500 && own.delivered > 2 * own.messages, "{own:?}");
    for name in ["xmpp.join", "xmpp.leave", "xmpp.say"] {
        let (ok, wrong) = op(&report, name);
        assert!(ok > 100 && wrong == 0, "{name}: {ok} and {wrong}");
    }
    assert_eq!(counted(&report, "xmpp.thrown_out"), 0);
}

#[test]
fn jumpers_of_a_file_live_through_a_bad_network() {
    for seed in 1..=20 {
        let net = NetFaults::swarm(&mut Dice::new(seed));
        let report = played(text(EXAMPLES, "jumper"), 20, seed, net, JUMPS);
        assert!(op(&report, "xmpp.say").0 > 20, "seed {seed}");
    }
}

#[test]
fn a_stream_that_is_resumed_goes_on_with_its_tree() {
    for seed in 1..=10 {
        let net = NetFaults::swarm(&mut Dice::new(seed));
        let set = [JUMPS, &[("management", "resume")]].concat();
        let report = played(text(EXAMPLES, "jumper"), 20, seed, net, &set);
        assert!(op(&report, "xmpp.say").0 > 20, "seed {seed}");
    }
}

#[test]
fn a_starter_says_writes_and_listens() {
    let set = [("pace", "500ms"), ("rooms", "3")];
    let report = played(text(STARTERS, "xmpp"), 20, 1, NetFaults::none(), &set);
    let own = &report.total.delivery;
    assert_eq!(own.delivered, own.expected, "{own:?}");
    assert!(op(&report, "xmpp.say").0 > 500 && op(&report, "xmpp.message").0 > 10);
    assert!(counted(&report, "long.messages") > 500);
}

#[test]
fn every_action_of_users_ends() {
    let text = "
bots:
  tree:
    - xmpp.presence
    - xmpp.presence: {show: away, status: 'gone for tea'}
    - xmpp.ping
    - {always_succeed: {xmpp.ping: {to: 'nobody.example', within: 2s}}}
    - xmpp.roster
    - xmpp.send: {to: 'bot1@localhost', text: hello}
    - {always_succeed: {xmpp.message: {to: 4000000, text: hello, within: 1s}}}
    - {negate: {xmpp.say: {room: tea, text: 'not there yet'}}}
    - {xmpp.join: {room: Tea, nick: 'n{{ bot.id }}', history: 5}}
    - {xmpp.say: {room: tea, text: now}}
    - {xmpp.leave: {room: tea, nick: 'n{{ bot.id }}'}}
    - count: a
";
    let file = read(text);
    assert_eq!(file.protocol(), "xmpp");
    let mut stage = Rehearsal::new(1, NetFaults::none());
    let ears = plan(1);
    let target = XmppTarget::new(&Service::default(), &ears);
    stage.add("target", target, ears).expect("a plan");
    let builtin = file.builtin();
    let settings = Settings::of(builtin.parameters, []).expect("known");
    let steps = compile(file, &settings.pairs(), &mut Faults::default()).expect("no faults");
    let plan = plan(3);
    let tree = users(steps, file, &settings, &plan);
    let run = stage.add("bots", tree, plan).expect("a plan");
    stage.run_until(Time::ZERO + Duration::from_secs(20)).expect("nothing breaks");
    let report = stage.report(run);
    assert_eq!(counted(report, "a"), 3, "{:?}", report.total.counters);
}
