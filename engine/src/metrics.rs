//! Counts and histograms of one shard since its last sample, and how they merge.
//!
//! A shard counts into one [`Meter`] with plain numbers. Once a second the meter goes to the
//! conductor as it is and an empty one takes its place; percentiles are never averaged, histograms
//! are added.

use crate::bots::State;
use crate::id::BotId;
use crate::links::{Cause, Lost};
use crate::mail::MailCount;

mod delivery;
mod op;
mod secure;
mod spread;

pub use delivery::{Delivery, ROOM_SIZES};
pub use op::OpMeter;
pub use secure::{DeriveMeter, TlsMeter};
pub use spread::{LATENCY_MAX, Spread};

/// An op by its index in [`Names::ops`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Op(pub u16);

/// A counter by its index in [`Names::counters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Counter(pub u16);

/// A gauge by its index in [`Names::gauges`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gauge(pub u16);

/// A histogram of values by its index in [`Names::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Value(pub u16);

/// What a scenario measures, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Timed things, `echo.ping` say.
    pub ops: Vec<String>,
    /// Things counted.
    pub counters: Vec<String>,
    /// Numbers that go up and down; summed over all bots.
    pub gauges: Vec<String>,
    /// Histograms of whole numbers.
    pub values: Vec<String>,
    /// Bots enter what they say in the ledger, as soon as they say anything.
    pub ledger: bool,
}

impl Names {
    /// Names for ops alone.
    pub fn ops(ops: &[&str]) -> Names {
        Names { ops: ops.iter().map(ToString::to_string).collect(), ..Names::default() }
    }
}

/// Where the planned bots of a shard stand. Launched is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Population {
    /// Launched so far.
    pub launched: u64,
    /// Waiting for a place among the attempts under way, or for the end of a back-off.
    pub waiting: u64,
    /// Connecting or logging in.
    pub connecting: u64,
    /// Ready for what their scenario does.
    pub online: u64,
    /// Ended as they were meant to.
    pub done: u64,
    /// Ended otherwise.
    pub failed: u64,
}

impl Population {
    /// Bots that have not ended.
    pub fn live(&self) -> u64 {
        self.waiting + self.connecting + self.online
    }

    /// The count of the live bots in this state.
    pub(crate) fn count(&mut self, state: State) -> &mut u64 {
        match state {
            State::Waiting => &mut self.waiting,
            State::Connecting => &mut self.connecting,
            State::Online => &mut self.online,
        }
    }

    pub(crate) fn add(&mut self, other: &Population) {
        self.launched += other.launched;
        self.waiting += other.waiting;
        self.connecting += other.connecting;
        self.online += other.online;
        self.done += other.done;
        self.failed += other.failed;
    }
}

/// Losses of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossCount {
    /// What happened.
    pub lost: Lost,
    /// How often.
    pub count: u64,
    /// How often the bot came back online afterwards.
    pub recovered: u64,
    /// A bot it happened to.
    pub example: BotId,
}

/// Attempts and losses at one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointCount {
    /// Connections opened.
    pub connected: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Open connections lost.
    pub lost: u64,
    /// Connections open now.
    pub open: i64,
    /// Of these, such as belong to a bot that is online.
    pub online: i64,
}

/// What one shard counted since its last sample.
#[derive(Clone, Debug)]
pub struct Meter {
    /// Where the bots stand (now, not since the last sample).
    pub population: Population,
    /// Accepted bots alive now.
    pub accepted: u64,
    /// Links that are open now, planned and accepted.
    pub links: u64,
    /// Runs that ended and began again under the plan's `repeat`.
    pub repeated: u64,
    /// Attempts begun.
    pub dialled: u64,
    /// From the beginning of an attempt to its end, of those that opened.
    pub connect: Spread,
    /// Bytes written.
    pub sent: u64,
    /// Bytes read.
    pub received: u64,
    /// Bytes the sockets have refused and that wait now.
    pub unsent: u64,
    /// Time links spent write-blocked, summed over links.
    pub blocked_us: u64,
    /// Events handed to scenarios.
    pub events: u64,
    /// Turns.
    pub turns: u64,
    /// How late each turn that had something due ran.
    pub lag: Spread,
    /// How long each turn took, without its wait.
    pub turn: Spread,
    /// Time outside the wait.
    pub busy_us: u64,
    /// CPU time of the shard's thread.
    pub cpu_us: u64,
    /// Time the shard's thread was ready and did not run.
    pub run_delay_us: u64,
    /// Bots meant to come that the generator had no room for.
    pub dropped: u64,
    /// Mail.
    pub mail: MailCount,
    /// Who should have heard what, and did.
    pub delivery: Delivery,
    /// Encryption.
    pub tls: TlsMeter,
    /// Keys derived for logins.
    pub derive: DeriveMeter,
    /// Times the generator's own limits were met, by name.
    pub limits: Vec<(&'static str, u64)>,
    /// Losses by kind.
    pub losses: Vec<LossCount>,
    /// By endpoint, in the plan's order.
    pub endpoints: Vec<EndpointCount>,
    /// By op.
    pub ops: Vec<OpMeter>,
    /// By counter.
    pub counters: Vec<u64>,
    /// By gauge: the change since the last sample.
    pub gauges: Vec<i64>,
    /// By histogram of values.
    pub values: Vec<Spread>,
}

/// Kinds of loss and limit a shard tells apart; more are put together with the last.
const KINDS_MAX: usize = 64;

impl Meter {
    /// An empty meter with everything it will need.
    pub fn new(names: &Names, endpoints: usize) -> Meter {
        Meter {
            population: Population::default(),
            accepted: 0,
            links: 0,
            repeated: 0,
            dialled: 0,
            connect: Spread::of_latencies().made(),
            sent: 0,
            received: 0,
            unsent: 0,
            blocked_us: 0,
            events: 0,
            turns: 0,
            lag: Spread::of_turns().made(),
            turn: Spread::of_turns().made(),
            busy_us: 0,
            cpu_us: 0,
            run_delay_us: 0,
            dropped: 0,
            mail: MailCount::default(),
            delivery: Delivery::new(),
            tls: TlsMeter::default(),
            derive: DeriveMeter::default(),
            limits: Vec::with_capacity(KINDS_MAX),
            losses: Vec::with_capacity(KINDS_MAX),
            endpoints: vec![EndpointCount::default(); endpoints],
            ops: names.ops.iter().map(|_| OpMeter::new()).collect(),
            counters: vec![0; names.counters.len()],
            gauges: vec![0; names.gauges.len()],
            values: names.values.iter().map(|_| Spread::of_values().made()).collect(),
        }
    }

    pub(crate) fn op(&mut self, op: Op) -> &mut OpMeter {
        &mut self.ops[usize::from(op.0)]
    }

    pub(crate) fn limit(&mut self, name: &'static str) {
        self.limits_add(name, 1);
    }

    fn limits_add(&mut self, name: &'static str, more: u64) {
        match self.limits.iter().position(|(own, _)| *own == name) {
            Some(at) => self.limits[at].1 += more,
            None if self.limits.len() < KINDS_MAX => self.limits.push((name, more)),
            None => self.limits[KINDS_MAX - 1].1 += more,
        }
    }

    pub(crate) fn loss(&mut self, lost: Lost, bot: BotId) {
        if lost.cause == Cause::LocalLimit {
            self.limit(lost.condition);
        }
        self.losses_add(LossCount { lost, count: 1, recovered: 0, example: bot });
    }

    /// A bot came back online after it had lost an open link.
    pub(crate) fn recovered(&mut self, lost: Lost, bot: BotId) {
        self.losses_add(LossCount { lost, count: 0, recovered: 1, example: bot });
    }

    fn losses_add(&mut self, loss: LossCount) {
        match self.losses.iter().position(|own| own.lost == loss.lost) {
            Some(at) => {
                self.losses[at].count += loss.count;
                self.losses[at].recovered += loss.recovered;
            }
            None if self.losses.len() < KINDS_MAX => self.losses.push(loss),
            None => self.losses[KINDS_MAX - 1].count += loss.count,
        }
    }

    /// Adds another shard's, or another second's, counts.
    ///
    /// Numbers that say how things stand now are added too, which is right for shards; whoever adds
    /// up seconds takes those from the last one ([`Meter::standing`]).
    pub fn add(&mut self, other: &Meter) {
        self.population.add(&other.population);
        self.accepted += other.accepted;
        self.links += other.links;
        self.unsent += other.unsent;
        self.repeated += other.repeated;
        self.dialled += other.dialled;
        self.connect.add(&other.connect);
        self.sent += other.sent;
        self.received += other.received;
        self.blocked_us += other.blocked_us;
        self.events += other.events;
        self.turns += other.turns;
        self.lag.add(&other.lag);
        self.turn.add(&other.turn);
        self.busy_us += other.busy_us;
        self.cpu_us += other.cpu_us;
        self.run_delay_us += other.run_delay_us;
        self.dropped += other.dropped;
        self.mail.add(&other.mail);
        self.delivery.add(&other.delivery);
        self.tls.add(&other.tls);
        self.derive.add(&other.derive);
        other.limits.iter().for_each(|&(name, more)| self.limits_add(name, more));
        other.losses.iter().for_each(|&loss| self.losses_add(loss));
        for (own, other) in self.endpoints.iter_mut().zip(&other.endpoints) {
            own.connected += other.connected;
            own.failed += other.failed;
            own.lost += other.lost;
            own.open += other.open;
            own.online += other.online;
        }
        self.ops.iter_mut().zip(&other.ops).for_each(|(own, other)| own.add(other));
        self.counters.iter_mut().zip(&other.counters).for_each(|(own, other)| *own += other);
        self.gauges.iter_mut().zip(&other.gauges).for_each(|(own, other)| *own += other);
        self.values.iter_mut().zip(&other.values).for_each(|(own, other)| own.add(other));
    }

    /// Takes over the numbers that say how things stand now.
    pub fn standing(&mut self, now: &Meter) {
        self.population = now.population;
        self.accepted = now.accepted;
        self.links = now.links;
        self.unsent = now.unsent;
    }

    /// Forgets what was counted since the last sample; keeps the memory.
    pub fn clear(&mut self) {
        self.population = Population::default();
        (self.accepted, self.links, self.unsent) = (0, 0, 0);
        (self.repeated, self.dialled) = (0, 0);
        (self.sent, self.received, self.blocked_us) = (0, 0, 0);
        (self.events, self.turns, self.busy_us, self.cpu_us) = (0, 0, 0, 0);
        (self.run_delay_us, self.dropped) = (0, 0);
        self.mail = MailCount::default();
        self.delivery.clear();
        self.tls.clear();
        self.derive = DeriveMeter::default();
        self.connect.clear();
        self.lag.clear();
        self.turn.clear();
        self.limits.clear();
        self.losses.clear();
        self.endpoints.fill(EndpointCount::default());
        self.ops.iter_mut().for_each(OpMeter::clear);
        self.counters.fill(0);
        self.gauges.fill(0);
        self.values.iter_mut().for_each(Spread::clear);
    }
}
