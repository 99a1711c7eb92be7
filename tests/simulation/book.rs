//! What the bots of a simulated run write down, for the oracles to read afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use densebots_engine::net::Token;
use densebots_engine::timers::TICK;
use densebots_engine::{BotId, Lost, Time};

/// One book for all bots of an engine; one thread drives a simulation, so nobody waits for it.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Mutex<Pages>>);

impl Book {
    pub(crate) fn open(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time in which a shard got no turns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stall {
    pub shard: usize,
    pub from: Time,
    pub until: Time,
}

#[derive(Default)]
pub(crate) struct Pages {
    pub shards: usize,
    pub stalls: Vec<Stall>,
    /// What was seen that must not be.
    pub wrong: Vec<String>,
    pub lives: BTreeMap<BotId, Life>,
    pub losses: Vec<Loss>,
    pub letters: Vec<Letter>,
    /// Letter, who heard it, when; in the order of hearing.
    pub heard: Vec<(usize, BotId, Time)>,
    pub stays: Vec<Stay>,
    pub pings_ok: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    pub started: Time,
    pub ended: Option<Time>,
    /// The end as the engine told it.
    pub failed: Option<&'static str>,
    pub online: bool,
    /// When the wake that is set is due.
    pub wake: Option<Time>,
    pub last_ok: Time,
    pub pings_ok: u64,
    pub runs: u32,
    pub links: BTreeSet<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Loss {
    pub bot: BotId,
    pub token: Token,
    pub lost: Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Address {
    Group(u64),
    Bot(BotId),
    All,
}

#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub from: BotId,
    pub to: Address,
    pub at: Time,
    pub admitted: bool,
}

/// A bot in a group.
#[derive(Clone, Debug)]
pub(crate) struct Stay {
    pub group: u64,
    pub bot: BotId,
    pub from: Time,
    pub until: Option<Time>,
}

/// How long mail takes at most when all shards have turns and nothing is full for long.
const MAIL_WITHIN: Duration = Duration::from_millis(100);

impl Pages {
    pub(crate) fn wrong(&mut self, at: Time, what: impl Into<String>) {
        self.wrong.push(format!("at {at:?}, {}", what.into()));
    }

    pub(crate) fn life(&mut self, bot: BotId) -> &mut Life {
        self.lives.entry(bot).or_default()
    }

    /// A run begins: nothing of an earlier one is left.
    pub(crate) fn start(&mut self, bot: BotId, now: Time, due: Time) {
        self.check_lateness(bot, "started", now, due, Duration::ZERO);
        self.stop(bot, now);
        let life = self.life(bot);
        if life.runs == 0 {
            life.started = now;
        }
        life.runs += 1;
        if !life.links.is_empty() {
            self.wrong(now, format!("bot {bot} begins a run with a link"));
        }
    }

    /// A run ends: no wake, no group.
    pub(crate) fn stop(&mut self, bot: BotId, now: Time) {
        let life = self.life(bot);
        (life.wake, life.online) = (None, false);
        life.links.clear();
        for stay in self.stays.iter_mut().filter(|stay| stay.bot == bot) {
            stay.until.get_or_insert(now);
        }
    }

    pub(crate) fn set_wake(&mut self, bot: BotId, due: Time) {
        self.life(bot).wake = Some(due);
    }

    /// A wake came: the one that was set, once, not early, and late only behind a stall.
    pub(crate) fn woken(&mut self, bot: BotId, now: Time, due: Time) {
        match self.life(bot).wake.take() {
            Some(set) if set == due && due <= now => {}
            set => self.wrong(now, format!("bot {bot} woke for {due:?}; set was {set:?}")),
        }
        self.check_lateness(bot, "woke", now, due, TICK);
    }

    /// A thing that was due happens in the first turn of its shard after that.
    fn check_lateness(&mut self, bot: BotId, what: &str, now: Time, due: Time, most: Duration) {
        let shard = bot.0 as usize % self.shards.max(1);
        let stalls = self.stalls.iter().filter(|stall| stall.shard == shard);
        if now > after_stalls(&stalls, due, most) || now < due {
            self.wrong(now, format!("bot {bot} {what}, due {due:?}"));
        }
    }

    /// Whether a wake of this bot that is still set should have come by now.
    pub(crate) fn overslept(&self, bot: BotId, due: Time, now: Time) -> bool {
        let shard = bot.0 as usize % self.shards.max(1);
        let stalls = self.stalls.iter().filter(|stall| stall.shard == shard);
        now > after_stalls(&stalls, due, TICK)
    }

    /// When mail written at `at` has arrived for certain, over two hops.
    pub(crate) fn arrived_by(&self, at: Time) -> Time {
        after_stalls(&self.stalls.iter(), at, MAIL_WITHIN)
    }
}

/// `due + most`, moved behind every stall that it meets on the way.
fn after_stalls<'a>(
    stalls: &(impl Iterator<Item = &'a Stall> + Clone),
    due: Time,
    most: Duration,
) -> Time {
    let (mut from, mut end) = (due, due + most);
    loop {
        let met = stalls.clone().filter(|stall| stall.from <= end && stall.until > from);
        let Some(until) = met.map(|stall| stall.until).max() else { return end };
        (from, end) = (until, until + most);
    }
}
