//! What an embedder learns: the life of every bot, its outcome and value, and its own measures.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;

use densebots_engine::{
    BotId, Counter, Ctx, Gauge, Life, Link, Names, Op, Outcome, Phase, Rng, Role, Scenario, Value,
    start, start_observed,
};
use densebots_protocols::line::{Framing, Line};
use densebots_scenarios::idle::Idle;

use crate::ground::{begun, plan, target, until_online};

const ASK: Op = Op(0);
const ASKED: Counter = Counter(0);
const HERE: Gauge = Gauge(0);
const NUMBER: Value = Value(0);

/// Asks once, then is done with its number; every third gives up, the seventh may panic.
struct Census {
    seventh_panics: bool,
}

impl Scenario for Census {
    type Session = Line;
    type Bot = u64;
    type Mail = ();

    fn names(&self) -> Names {
        Names {
            counters: vec!["asked".to_owned()],
            gauges: vec!["here".to_owned()],
            values: vec!["number".to_owned()],
            ..Names::ops(&["ask"])
        }
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> u64 {
        0
    }

    fn session(&self, _: BotId, _: &mut u64, _: Link) -> Line {
        Line::new(Framing::lines(64))
    }

    fn on_open(&self, _: &mut u64, _: Link, ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
        ctx.begin(ASK);
        ctx.count(ASKED, 2);
        ctx.shift(HERE, 3);
        let number = ctx.id.to_string();
        ctx.send(|line, out| line.send(number.as_bytes(), out).expect("a short line"));
    }

    fn on_event(&self, own: &mut u64, line: &[u8], ctx: &mut Ctx<'_, Self>) {
        assert!(!(self.seventh_panics && ctx.id == BotId(7)), "seven is too much");
        let number: u64 = str::from_utf8(line).expect("echoed").parse().expect("a number");
        ctx.end(ASK);
        ctx.shift(HERE, -1);
        ctx.record(NUMBER, number);
        *own = 10 * number;
        if number.is_multiple_of(3) { ctx.give_up("a third") } else { ctx.quit() }
    }
}

#[test]
fn every_bot_tells_its_life_its_outcome_and_its_value() {
    let (_target, endpoints) = target();
    let (told, lives) = channel();
    let run = start_observed(Census { seventh_panics: false }, plan(endpoints, 30), move |life| {
        told.send(life).expect("the test listens");
    });
    let report = begun(run).finish();

    let (mut started, mut online, mut ended) = (0, 0, BTreeMap::new());
    for life in lives {
        match life {
            Life::Started(_) => started += 1,
            Life::Online(_) => online += 1,
            Life::Ended(id, outcome, value) => {
                assert_eq!(ended.insert(id.0, (outcome, value)), None, "bot {id} ends once");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((started, online), (30, 30));
    let expected = (1..=30).map(|id: u32| {
        let outcome = if id.is_multiple_of(3) { Outcome::Failed("a third") } else { Outcome::Done };
        (id, (outcome, u64::from(10 * id)))
    });
    assert_eq!(ended, expected.collect());
    let population = report.bots.population;
    assert_eq!((population.done, population.failed, population.live()), (20, 10, 0));
}

#[test]
fn what_a_scenario_measures_arrives_in_the_report() {
    let (_target, endpoints) = target();
    let census = Census { seventh_panics: false };
    let report = begun(start(census, plan(endpoints, 30))).finish();
    let total = &report.total;
    assert_eq!((total.counters[0], total.gauges[0]), (60, 60), "{:?}", report.names);
    let numbers = &total.values[0];
    assert_eq!((numbers.count(), numbers.max(), numbers.at(0.5)), (30, 30, 15));
    let ask = &total.ops[0];
    assert_eq!((ask.begun, ask.ok, ask.in_flight(), ask.latency.count()), (30, 30, 0, 30));
    assert_eq!(ask.service.count(), 30, "each was flushed before its answer came");
}

#[test]
fn a_panic_ends_the_run_and_names_bot_and_shard() {
    let (_target, endpoints) = target();
    let census = Census { seventh_panics: true };
    let report = begun(start(census, plan(endpoints, 20))).finish();
    let panic = report.panic.clone().expect("the seventh panicked");
    assert_eq!((panic.bot, panic.shard), (BotId(7), 7 % 2));
    assert_eq!(panic.message, "seven is too much");
    assert!(!report.passed());
    let why = report.failures();
    assert!(why.contains(&"bot 7 on shard 1 panicked".to_owned()), "{why:?}");
}

#[test]
fn engines_run_beside_each_other_and_one_after_another() {
    let (_target, endpoints) = target();
    let beside: Vec<_> =
        (1..=3).map(|bots| begun(start(Idle, plan(endpoints.clone(), 10 * bots)))).collect();
    for (run, bots) in beside.iter().zip([10, 20, 30]) {
        until_online(run, bots);
    }
    for (run, bots) in beside.into_iter().zip([10, 20, 30]) {
        run.command(densebots_engine::Command::Drain).expect("runs");
        assert_eq!(run.finish().bots.population.done, bots);
    }
    for _ in 0..3 {
        let census = Census { seventh_panics: false };
        let report = begun(start(census, plan(endpoints.clone(), 5))).finish();
        assert_eq!(report.bots.population.launched, 5);
    }
}

#[test]
fn dropping_a_run_stops_it() {
    let (target, endpoints) = target();
    let run = begun(start(Idle, plan(endpoints, 10)));
    until_online(&run, 10);
    drop(run);
    let phase = target.snapshot(crate::ground::PATIENCE).expect("it goes on").phase;
    assert_eq!(phase, Phase::Hold, "the other run is not concerned");
}
