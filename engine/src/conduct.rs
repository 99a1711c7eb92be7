//! The conductor: merges what shards count, leads the run through its phases, takes commands.
//! Pure: time and notes come in, orders go out.
//!
//! ```text
//!   ramp --everybody in, or nobody more comes--> warm --time is up--> hold --window is full-->
//!   cool --time is up--> sweep --> drain --> ended
//!   Ramp, warm, hold, cool: drain, breaker, nobody left --> drain
//!   Any phase: stop, panic --> ended, with resets
//! ```

use std::sync::Arc;
use std::time::Duration;

use crate::id::BotId;
use crate::metrics::{Meter, Names, Population};
use crate::plan::{Arrival, BOTS_MAX, Cohort, Load, Pace, Plan};
use crate::report::{Panic, Phase, Report, Snapshot};
use crate::shard::{Note, Order};
use crate::time::Time;

mod commands;
mod removal;
mod strain;
mod tally;

pub use commands::{Command, CommandError};
use removal::Removal;

/// A ramp whose population has not grown for so long, with all arrivals in, is over.
const STALL: Duration = Duration::from_secs(20);
/// The breaker looks at so many seconds.
const BREAKER_SECONDS: usize = 10;
/// And needs so many attempts to judge.
const BREAKER_ATTEMPTS: u64 = 20;

/// What the generator's machine says of itself, read by whoever drives the conductor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Vitals {
    pub(crate) rss_bytes: u64,
    pub(crate) kernel_bytes: u64,
    pub(crate) cpu: Duration,
    /// CPU time stolen by the hypervisor in this second, as a share of all CPU time.
    pub(crate) steal: f64,
    /// Connections dropped because a listener's queue was full, in this second.
    pub(crate) overflows: u64,
}

pub(crate) struct Conductor {
    plan: Arc<Plan>,
    shards: usize,
    phase: Phase,
    since: Time,
    paused: bool,
    pace: Pace,
    /// Bots wanted online at once.
    target: u64,
    /// One more than the highest id given.
    next_id: u32,
    /// Ids given in all.
    given: u64,
    populations: Vec<Population>,
    settled: Vec<bool>,
    ended: Vec<bool>,
    sampled: Vec<bool>,
    second: Meter,
    second_from: Time,
    /// The phase in which the second began: one that saw the end of the ramp is no second of hold.
    second_phase: Phase,
    busiest: f64,
    /// Bots that are to be held: such as somebody adds count once everybody is in.
    held: u64,
    delayed: bool,
    grew: Time,
    attempts: Vec<(u64, u64)>,
    removals: Vec<Removal>,
    tickets: u64,
    removed: Vec<(u64, Vec<BotId>)>,
    base: Option<Vitals>,
    report: Report,
    orders: Vec<(Option<usize>, Order)>,
}

impl Conductor {
    pub(crate) fn new(plan: Arc<Plan>, names: Names, shards: usize) -> Conductor {
        let cohort = plan.load.cohort(plan.first_id);
        let second = Meter::new(&names, plan.endpoints.len());
        // An open load without a ramp is at its rate from the first moment on.
        let phase = match plan.load {
            Load::Open { ramp, .. } if ramp.is_zero() => full(&plan),
            _ => Phase::Ramp,
        };
        let target = match plan.load {
            Load::Closed { bots, .. } => u64::from(bots),
            Load::Open { .. } => 0,
        };
        let report = tally::blank(&plan, names, shards, target);
        Conductor {
            shards,
            phase,
            since: Time::ZERO,
            paused: false,
            pace: match plan.load {
                Load::Closed { arrival: Arrival::Constant(rate), .. } => Pace::Rate(rate),
                Load::Closed { .. } => cohort.pace,
                Load::Open { rate, .. } => Pace::Rate(rate),
            },
            target,
            next_id: cohort.first_id + cohort.count,
            given: u64::from(cohort.count),
            populations: vec![Population::default(); shards],
            settled: vec![false; shards],
            ended: vec![false; shards],
            sampled: vec![false; shards],
            second,
            second_from: Time::ZERO,
            second_phase: phase,
            busiest: 0.0,
            held: target,
            delayed: false,
            grew: Time::ZERO,
            attempts: Vec::new(),
            removals: Vec::new(),
            tickets: 0,
            removed: Vec::new(),
            base: None,
            report,
            orders: Vec::new(),
            plan,
        }
    }

    /// The memory before the first bot.
    pub(crate) fn base(&mut self, vitals: Vitals) {
        self.report.generator.base_bytes = vitals.rss_bytes;
        self.base = Some(vitals);
    }

    /// Orders to send since the last call: to one shard, or to all.
    pub(crate) fn orders(&mut self) -> Vec<(Option<usize>, Order)> {
        std::mem::take(&mut self.orders)
    }

    /// Removals that are answered, by ticket.
    pub(crate) fn removed(&mut self) -> Vec<(u64, Vec<BotId>)> {
        std::mem::take(&mut self.removed)
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn report(&self) -> &Report {
        &self.report
    }

    fn all(&mut self, order: Order) {
        self.orders.push((None, order));
    }

    fn population(&self) -> Population {
        let mut sum = Population::default();
        self.populations.iter().for_each(|population| sum.add(population));
        sum
    }

    /// Takes in what a shard said. A meter that was counted comes back empty, for use again.
    pub(crate) fn note(&mut self, note: Note, now: Time) -> Option<(usize, Box<Meter>)> {
        match note {
            Note::Sample(shard, meter) => {
                self.count(shard, &meter, now);
                return Some((shard, meter));
            }
            Note::Ended(shard, meter) => {
                self.count(shard, &meter, now);
                self.ended[shard] = true;
                self.settled[shard] = true;
            }
            Note::Settled(shard, population, settled) => {
                self.populations[shard] = population;
                self.settled[shard] = settled;
                self.lead(now);
            }
            Note::Removed { ticket, ids } => self.gather_removal(ticket, ids),
            Note::StopRun(why) => {
                self.end_by(format!("the scenario ended it: {why}"));
                self.drain(now);
            }
            Note::Failing(transcript) => {
                if self.report.transcripts.len() < self.plan.failing as usize {
                    self.report.transcripts.push(Arc::new(transcript));
                }
            }
            Note::Panicked { shard, bot, message } => {
                self.ended[shard] = true;
                let panic = Panic { bot, shard, message };
                self.report.panic.get_or_insert(panic);
                self.all(Order::Stop);
            }
            Note::Broken { shard, error } => {
                self.ended[shard] = true;
                self.end_by(format!("shard {shard} broke: {error}"));
                self.all(Order::Stop);
            }
        }
        if self.ended.iter().all(|&ended| ended) {
            self.enter(Phase::Ended, now);
        }
        None
    }

    fn end_by(&mut self, why: String) {
        self.report.ended_by.get_or_insert(why);
    }

    fn count(&mut self, shard: usize, meter: &Meter, now: Time) {
        let span = now.since(self.second_from).max(Duration::from_millis(1));
        self.second.add(meter);
        self.populations[shard] = meter.population;
        self.sampled[shard] = true;
        self.busiest = self.busiest.max(meter.busy_us as f64 / span.as_micros() as f64);
        let delay = Duration::from_micros(meter.run_delay_us);
        self.delayed |= strain::delayed(delay, span.max(self.plan.sample_every));
    }

    /// Whether every shard has told of this second.
    pub(crate) fn second_is_in(&self) -> bool {
        self.sampled.iter().zip(&self.ended).all(|(&sampled, &ended)| sampled || ended)
    }

    /// The end of a second: counts merge, phases go on, bots are replaced.
    pub(crate) fn tick(&mut self, now: Time, vitals: Vitals) -> Snapshot {
        let population = self.population();
        let span = now.since(self.second_from);
        let mut second = self.second.clone();
        second.population = population;
        let limited = strain::reasons(&second, self.delayed, &vitals);
        self.merge(&second, span, &limited);
        self.weigh(population, vitals);
        self.second.clear();
        self.second_from = now;
        let busiest = std::mem::take(&mut self.busiest);
        self.delayed = false;
        self.sampled.fill(false);
        self.report.duration = now.since(Time::ZERO);
        let phase = self.phase;
        self.respawn(now);
        self.trip(&second, now);
        self.lead(now);
        self.second_phase = self.phase;
        let (at, paused) = (now, self.paused);
        Snapshot { at, phase, paused, span, second, limited, busiest, report: self.report.clone() }
    }

    fn enter(&mut self, phase: Phase, now: Time) {
        if self.phase == Phase::Ramp && phase != Phase::Ramp {
            self.report.ramp = now.since(Time::ZERO);
        }
        if phase == Phase::Ended && self.report.bots.min_online == u64::MAX {
            self.look_at_least(self.report.bots.online_at_end);
        }
        (self.phase, self.since) = (phase, now);
    }

    /// Leads the run on if its phase is over.
    fn lead(&mut self, now: Time) {
        let population = self.population();
        let in_phase = now.since(self.since);
        if self.phase != Phase::Drain && population.online > self.report.bots.peak_online {
            self.grew = now;
            self.report.bots.peak_online = population.online;
        }
        let settled = self.settled.iter().all(|&settled| settled);
        // Phases end with a second, and one second may be a little shorter than another.
        let lasted = |time: Duration| in_phase + self.plan.sample_every / 10 >= time;
        let nobody = settled && population.live() == 0 && self.plan.respawn.is_none();
        match self.phase {
            phase if phase.lives() && nobody && population.launched > 0 => self.drain(now),
            Phase::Ramp if self.ramped(settled, now) => self.enter(full(&self.plan), now),
            Phase::Warm if lasted(self.plan.warm_up) => self.enter(Phase::Hold, now),
            Phase::Hold if self.held() && !self.plan.cool_down.is_zero() => {
                self.enter(Phase::Cool, now);
            }
            Phase::Hold if self.held() => self.sweep(now),
            Phase::Cool if lasted(self.plan.cool_down) => self.sweep(now),
            Phase::Sweep if in_phase >= self.plan.sample_every => self.drain(now),
            Phase::Drain if settled && population.live() == 0 => self.stop(),
            _ => {}
        }
    }

    /// Whether the measure window is as long as it was meant to be: whole samples, one at least.
    fn held(&self) -> bool {
        let window = self.report.window;
        !window.is_zero() && window + self.plan.sample_every / 2 >= self.plan.window()
    }

    fn sweep(&mut self, now: Time) {
        self.all(Order::Sweep);
        self.enter(Phase::Sweep, now);
    }

    fn ramped(&self, settled: bool, now: Time) -> bool {
        match self.plan.load {
            Load::Open { ramp, .. } => now.since(Time::ZERO) >= ramp,
            Load::Closed { bots, .. } => {
                let population = self.population();
                let stall = STALL.max(2 * self.plan.connect_timeout);
                let launched = population.launched >= u64::from(bots);
                settled || (launched && now.since(self.grew) >= stall)
            }
        }
    }

    fn drain(&mut self, now: Time) {
        if matches!(self.phase, Phase::Drain | Phase::Ended) {
            return;
        }
        let until = now + self.plan.drain;
        self.all(Order::Drain { until });
        self.settled.fill(false);
        self.begin_end(now);
    }

    /// The phases in which bots are wanted online are over.
    fn begin_end(&mut self, now: Time) {
        if self.phase == Phase::Hold {
            // The second is not over, but what it has lost so far was lost while held.
            self.look_at_least(self.population().online);
        }
        self.enter(Phase::Drain, now);
    }

    fn stop(&mut self) {
        self.all(Order::Stop);
        self.settled.fill(false); // asked once
    }

    /// Replaces ended bots by new ones, with new ids, at the plan's rate.
    fn respawn(&mut self, now: Time) {
        let Some(rate) = self.plan.respawn else { return };
        if !self.phase.lives() || self.paused || self.target == 0 {
            return;
        }
        let population = self.population();
        let living = self.given - population.done - population.failed;
        let missing = self.target.saturating_sub(living);
        let most = (rate * self.plan.sample_every.as_secs_f64()).ceil() as u64;
        let count = u32::try_from(missing.min(most)).unwrap_or(u32::MAX);
        if count > 0 && u64::from(self.next_id) + u64::from(count) < u64::from(BOTS_MAX) {
            self.report.bots.respawned += u64::from(count);
            self.launch(self.next_id, count, Pace::Rate(rate), now);
        }
    }

    fn launch(&mut self, first_id: u32, count: u32, pace: Pace, now: Time) {
        self.next_id = first_id + count;
        self.given += u64::from(count);
        self.settled.fill(false);
        self.all(Order::Launch(Cohort { first_id, count, start: now, pace }));
    }

    /// The breaker: a target that refuses too many is left alone.
    fn trip(&mut self, second: &Meter, now: Time) {
        if !self.plan.breaker || !self.phase.lives() {
            return;
        }
        let failed = second.losses.iter().filter(|l| !l.lost.online).map(|l| l.count).sum();
        self.attempts.push((second.dialled, failed));
        if self.attempts.len() > BREAKER_SECONDS {
            self.attempts.remove(0);
        }
        let (all, bad) =
            self.attempts.iter().fold((0, 0), |sum, &(all, bad)| (sum.0 + all, sum.1 + bad));
        if self.attempts.len() == BREAKER_SECONDS && all >= BREAKER_ATTEMPTS && bad * 5 > all {
            self.end_by(format!("the breaker tripped: {bad} of {all} attempts failed within 10 s"));
            self.drain(now);
        }
    }
}

/// The phase in which everybody is in.
fn full(plan: &Plan) -> Phase {
    if plan.warm_up.is_zero() { Phase::Hold } else { Phase::Warm }
}
