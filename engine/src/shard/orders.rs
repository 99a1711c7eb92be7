//! What the conductor orders and what a shard answers.

use crossbeam_channel::TryRecvError;

use super::{Launching, Purpose, Shard, VISIT_MAX, Visit};
use crate::bots::Kind;
use crate::ctx::Outcome;
use crate::id::BotId;
use crate::metrics::{Meter, Population};
use crate::net::Net;
use crate::plan::{Cohort, Pace};
use crate::scenario::Scenario;
use crate::time::Time;
use crate::transcript::Transcript;

/// From the conductor to every shard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// More bots.
    Launch(Cohort),
    /// All bots that are not due at `at` come at this pace from then on.
    Repace { at: Time, pace: Pace },
    /// So many bots of this shard end.
    Remove { count: usize, force: bool, ticket: u64 },
    /// Look at every link whether it still stands.
    Sweep,
    /// No new bots; those there finish what they began, until then at most.
    Drain { until: Time },
    /// Everything ends now.
    Stop,
}

/// From a shard to the conductor.
#[derive(Debug)]
pub(crate) enum Note {
    /// What was counted since the last sample.
    Sample(usize, Box<Meter>),
    /// The population, and whether every arrival has come and everyone left is online.
    Settled(usize, Population, bool),
    /// The bots that a removal chose.
    Removed { ticket: u64, ids: Vec<BotId> },
    /// A scenario ends the run.
    StopRun(&'static str),
    /// The shard has nothing left to do. Its last counts.
    Ended(usize, Box<Meter>),
    /// A bot failed in a place where its last words are kept.
    Failing(Transcript),
    /// A callback panicked.
    Panicked { shard: usize, bot: BotId, message: String },
    /// The system refused what a shard cannot do without.
    Broken { shard: usize, error: String },
}

impl<S: Scenario, N: Net> Shard<S, N> {
    pub(super) fn obey(&mut self) {
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.follow(order),
                Err(TryRecvError::Empty) => break,
                // Nobody steers any more: a shard does not outlive its run.
                Err(TryRecvError::Disconnected) if !self.stopping => self.follow(Order::Stop),
                Err(TryRecvError::Disconnected) => break,
            }
        }
        if self.desk.ledger.parts(self.now, &mut self.desk.meter) {
            self.begin_visit(Purpose::Drain);
        }
        self.visit();
        if self.cut_off <= self.now {
            self.cut_off = Time::NEVER;
            self.follow(Order::Stop);
        }
    }

    fn follow(&mut self, order: Order) {
        match order {
            Order::Launch(cohort) => self.enlist(cohort, 0),
            Order::Repace { at, pace } => {
                for nth in 0..self.cohorts.len() {
                    let launching = &mut self.cohorts[nth];
                    if let Some(rest) = launching.cohort.repace(at, pace) {
                        let behind = launching.next.saturating_sub(launching.cohort.count);
                        self.enlist(rest, behind);
                    }
                }
                self.settled = false;
            }
            Order::Remove { count, force, ticket } => {
                let ids = self.remove(count, force);
                let _ = self.notes.send(Note::Removed { ticket, ids });
            }
            Order::Sweep => self.begin_visit(Purpose::Sweep),
            Order::Drain { until } => {
                self.desk.draining = true;
                self.cohorts.clear();
                self.cut_off = self.cut_off.min(until);
                self.settled = false; // tells again, also if nobody is left to drain
                // Bots stay for what is on its way to them, half of the drain time at most.
                let patience = (until.since(self.now) / 2).min(self.desk.plan.ledger.late);
                self.desk.ledger.part_by(self.now + patience);
            }
            Order::Stop => {
                self.desk.draining = true;
                self.stopping = true;
                self.desk.ledger.end(self.now);
                self.cohorts.clear();
                self.cut_off = Time::NEVER;
                self.begin_visit(Purpose::Stop);
            }
        }
    }

    /// A cohort begins, with its first `skip` bots launched already.
    fn enlist(&mut self, cohort: Cohort, skip: u32) {
        let next = cohort.next_on(skip, self.me, self.shards);
        self.cohorts.push(Launching { cohort, next });
        self.settled = false;
    }

    /// Ends `count` bots, the highest ids first, and says which. None is ever chosen twice.
    fn remove(&mut self, count: usize, force: bool) -> Vec<BotId> {
        let twice = self.desk.plan.has(crate::planted::Bug::RemovedTwice);
        let mut live: Vec<(BotId, u32)> = self
            .bots
            .keys()
            .map(|key| (self.bots.core(key), key))
            .filter(|(core, _)| core.kind == Kind::Planned && (!core.removed || twice))
            .map(|(core, key)| (core.id, key))
            .collect();
        live.sort_unstable_by(|a, b| b.cmp(a));
        live.truncate(count);
        for &(_, key) in &live {
            self.bots.at(key).core.removed = true;
            if force {
                self.end(key, Outcome::Done, true);
            } else {
                self.part(key);
            }
        }
        live.into_iter().map(|(id, _)| id).collect()
    }

    /// Asks a bot to finish; one that is not online has nothing to finish.
    fn part(&mut self, key: u32) {
        if self.bots.core(key).state != crate::bots::State::Online {
            return self.end(key, Outcome::Failed("the run ended before it was online"), false);
        }
        self.call(key, None, self.now, |scenario, bot, ctx| scenario.on_drain(bot, ctx));
        self.settle(key);
    }

    pub(super) fn begin_visit(&mut self, purpose: Purpose) {
        let keys = match purpose {
            Purpose::Sweep => self.desk.links.iter().map(|(key, _)| key).collect(),
            Purpose::Drain | Purpose::Stop => self.bots.keys().collect(),
        };
        self.visits.push(Visit { purpose, keys });
    }

    /// Goes on with what is done to every bot or link, a bounded number a turn.
    fn visit(&mut self) {
        let Some(mut visit) = self.visits.pop() else { return };
        for _ in 0..VISIT_MAX {
            let Some(key) = visit.keys.pop() else { break };
            match visit.purpose {
                Purpose::Sweep if self.desk.links.at_any(key) => {
                    let link = self.desk.links.link(key);
                    self.look_again(link);
                }
                Purpose::Drain if self.bots.contains(key) => self.part(key),
                Purpose::Stop if self.bots.contains(key) => self.end(key, Outcome::Done, true),
                _ => {} // gone since
            }
        }
        if !visit.keys.is_empty() {
            self.visits.push(visit);
        } else if visit.purpose == Purpose::Stop {
            self.cut_links();
            if self.bots.len() > 0 {
                self.begin_visit(Purpose::Stop); // a connection or a group came in the meantime
            }
        }
    }

    /// The links that belong to nobody any more are cut off.
    fn cut_links(&mut self) {
        let left = self.desk.links.iter().filter(|(_, slot)| slot.bot == crate::links::NONE);
        let left: Vec<u32> = left.map(|(key, _)| key).collect();
        for key in left {
            self.drop_link(key, true);
        }
    }
}
