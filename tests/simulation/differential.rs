//! Without faults a run comes to the same on one shard and on four.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use densebots_engine::net::sim::Faults;
use densebots_engine::{Arrival, BotId, Load, Time};

use crate::scenario::Habits;
use crate::world::{Setting, World};

/// What a bot came to: pings that succeeded, runs, how it ended, and the letters it heard, each as
/// its writer and a number of the writer's own.
type Sum = (u64, u32, Option<&'static str>, BTreeSet<(BotId, usize)>);

fn outcome(seed: u64, shards: usize, habits: Habits) -> BTreeMap<BotId, Sum> {
    let mut setting = Setting::of(seed);
    setting.faults = Faults::none();
    (setting.mail, setting.habits) = (None, habits);
    setting.plan.shards = shards;
    setting.plan.connecting_max = 256;
    setting.plan.respawn = None;
    let hold = Duration::from_secs(60);
    setting.plan.load = Load::Closed { bots: 32, arrival: Arrival::AtOnce, hold };
    let mut world = World::with(seed, setting);
    let end = Time::ZERO + Duration::from_secs(8);
    world.stage.run_until(end).expect("no invariant is broken");
    let book = world.book.open();
    assert_eq!(book.wrong, [] as [String; 0], "seed {seed}, {shards} shards");
    let mut own = BTreeMap::<BotId, usize>::new();
    let names: Vec<(BotId, usize)> = book
        .letters
        .iter()
        .map(|letter| {
            let nth = own.entry(letter.from).or_default();
            *nth += 1;
            (letter.from, *nth)
        })
        .collect();
    let sums = book.lives.iter().map(|(&bot, life)| {
        // The first second is left out: a letter and a join of one moment may come in any order.
        let heard = book.heard.iter().filter(|&&(number, hearer, _)| {
            hearer == bot && book.letters[number].at > Time::ZERO + Duration::from_secs(1)
        });
        let heard = heard.map(|&(number, ..)| names[number]).collect();
        (bot, (life.pings_ok, life.runs, life.failed, heard))
    });
    sums.collect()
}

/// Compares one shard with four, and asks that something happened.
pub(crate) fn compare(seed: u64, habits: Habits) {
    let (one, four) = (outcome(seed, 1, habits), outcome(seed, 4, habits));
    assert!(one.len() >= 32 && one.values().all(|sum| sum.1 > 0), "seed {seed}: {one:?}");
    assert!(one.values().map(|sum| sum.0).sum::<u64>() > 100, "seed {seed}: {one:?}");
    let talked = one.values().any(|sum| !sum.3.is_empty());
    assert_eq!(talked, habits.publish > 0, "seed {seed}");
    for (bot, sum) in &one {
        assert_eq!(Some(sum), four.get(bot), "seed {seed}, bot {bot}: one shard, then four");
    }
    assert_eq!(one.len(), four.len(), "seed {seed}");
}

/// Bots that talk and stay, and bots that come and go.
pub(crate) const HABITS: [Habits; 2] = [
    Habits { publish: 200, direct: 100, all: 0, wander: 0, hang_up: 0, quit: 0 },
    Habits { publish: 0, direct: 0, all: 0, wander: 0, hang_up: 10, quit: 20 },
];
