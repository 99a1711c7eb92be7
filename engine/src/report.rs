//! What a run tells: a snapshot a second, a report at the end.

use std::sync::Arc;
use std::time::Duration;

use crate::id::BotId;
use crate::metrics::{Meter, Names, Population};
use crate::time::Time;
use crate::transcript::Transcript;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Bots are arriving.
    Ramp,
    /// Everybody is in, and nothing is measured yet.
    Warm,
    /// Everybody is in: the measure window.
    Hold,
    /// Nothing is measured any more, and everybody stays.
    Cool,
    /// Every link is looked at once more.
    Sweep,
    /// Bots finish what they began.
    Drain,
    /// It is over.
    Ended,
}

impl Phase {
    /// Whether bots come and stay.
    pub(crate) fn lives(self) -> bool {
        matches!(self, Phase::Ramp | Phase::Warm | Phase::Hold | Phase::Cool)
    }

    /// The name in views and reports.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Ramp => "ramp",
            Phase::Warm => "warm",
            Phase::Hold => "hold",
            Phase::Cool => "cool",
            Phase::Sweep => "sweep",
            Phase::Drain => "drain",
            Phase::Ended => "ended",
        }
    }
}

/// One second of a run, and the run so far.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken.
    pub at: Time,
    /// Where the run stands.
    pub phase: Phase,
    /// Launches are held back.
    pub paused: bool,
    /// How long this "second" was.
    pub span: Duration,
    /// What was counted in it.
    pub second: Meter,
    /// Why this second is limited; empty if it is not.
    pub limited: Vec<&'static str>,
    /// The busiest shard's share of the second outside its wait, from 0 to 1.
    pub busiest: f64,
    /// The report so far.
    pub report: Report,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Names of what the scenario measures.
    pub names: Names,
    /// The seed.
    pub seed: u64,
    /// How long the run has taken.
    pub duration: Duration,
    /// How the run came to its end, in words, if it did not simply finish its plan.
    pub ended_by: Option<String>,
    /// A callback that panicked.
    pub panic: Option<Panic>,
    /// The population.
    pub bots: BotsReport,
    /// Everything counted from the first moment to the last.
    pub total: Meter,
    /// Everything counted in the measure window.
    pub measured: Meter,
    /// The length of the measure window.
    pub window: Duration,
    /// The window's seconds, and how many of them were limited, by reason.
    pub limited: Limited,
    /// How long a message could take before it was missing.
    pub late: Duration,
    /// How long it took until the population was full.
    pub ramp: Duration,
    /// The generator itself.
    pub generator: Generator,
    /// By endpoint, in the plan's order.
    pub endpoints: Vec<EndpointReport>,
    /// The most bytes that sockets had refused at the end of a second.
    pub unsent_max: u64,
    /// The last words of the first bots that failed in a place where these are kept
    /// ([`Plan::failing`](crate::Plan::failing)).
    pub transcripts: Vec<Arc<Transcript>>,
}

/// One endpoint of a run: what the counts of its seconds do not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointReport {
    /// As the plan names it.
    pub name: String,
    /// The most connections of bots online there, at the end of a second.
    pub peak_online: u64,
    /// After the sweep, before the drain.
    pub online_at_end: u64,
}

/// A callback that panicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// The bot in the callback.
    pub bot: BotId,
    /// Its shard.
    pub shard: usize,
    /// What the panic said.
    pub message: String,
}

/// The population of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BotsReport {
    /// How many were wanted online at once.
    pub target: u64,
    /// Each leaves and comes again by plan ([`Plan::repeat`](crate::Plan::repeat)): as many as are
    /// wanted are seldom online at once.
    pub repeating: bool,
    /// Where they stood at the end.
    pub population: Population,
    /// The most that were online.
    pub peak_online: u64,
    /// The fewest in the measure window.
    pub min_online: u64,
    /// When the least share of those that were to be held was online in the measure window: how
    /// many, of how many. The latter changes if people add or remove bots.
    pub least_held: (u64, u64),
    /// The time-weighted mean in the measure window.
    pub mean_online: f64,
    /// After the sweep, before the drain.
    pub online_at_end: u64,
    /// Seconds of the window in which fewer than the target were online.
    pub seconds_below_target: f64,
    /// Bots launched in place of ended ones.
    pub respawned: u64,
}

/// Seconds in which the generator's machine shaped the result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limited {
    /// Seconds of the measure window.
    pub window: u64,
    /// How many of them were limited.
    pub seconds: u64,
    /// How many for which reason; one second may have several.
    pub reasons: Vec<(&'static str, u64)>,
    /// Limited seconds outside the window: a note, not a verdict.
    pub outside: u64,
}

/// The generator's own health.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generator {
    /// Shards.
    pub shards: usize,
    /// Each shard has a descriptor table of its own.
    pub split_tables: bool,
    /// CPU time of the whole process, user and system.
    pub cpu: Duration,
    /// Anonymous memory of the process, at its most.
    pub rss_bytes: u64,
    /// Anonymous memory before the first bot.
    pub base_bytes: u64,
    /// Growth of anonymous memory over bots online; `None` while nobody is.
    pub user_bytes_per_bot: Option<u64>,
    /// Growth of the machine's kernel memory (slab) over bots online, whoever caused it.
    pub kernel_bytes_per_bot: Option<u64>,
}

/// The share of the target population that must be reached and held.
pub const POPULATION_SHARE: f64 = 0.99;
/// The share of deliveries that may be excused before the ledger is called weak.
pub const EXCUSED_SHARE: f64 = 0.05;
/// The share of the measure window that may be limited.
pub const LIMITED_SHARE: f64 = 0.01;

impl Report {
    /// Why the run did not pass; empty if it did.
    pub fn failures(&self) -> Vec<String> {
        self.failures_below(POPULATION_SHARE)
    }

    /// Why the run did not pass if this share of the target population had to be reached and held;
    /// 0 asks for one bot, for those who judge the population by themselves.
    pub fn failures_below(&self, share: f64) -> Vec<String> {
        let mut why = Vec::new();
        let bots = &self.bots;
        let needed = |target: u64| match bots.repeating {
            true => 0,
            false => (target as f64 * share).ceil() as u64,
        };
        let (least, held) = bots.least_held;
        if let Some(panic) = &self.panic {
            why.push(format!("bot {} on shard {} panicked", panic.bot, panic.shard));
        }
        if bots.peak_online == 0 {
            why.push("nobody got online".to_owned());
        } else if bots.peak_online < needed(bots.target) {
            why.push(format!("only {} of {} bots got online", bots.peak_online, bots.target));
        } else if least < needed(held) {
            why.push(format!("the population fell to {least} of {held}"));
        }
        if let Some(reason) = &self.ended_by {
            why.push(reason.clone());
        }
        if bots.peak_online > 0 {
            why.extend(self.in_vain());
        }
        why
    }

    /// Ops that were answered wrongly or not in time, and never once rightly. Those that were only
    /// cut off say nothing of the target: the run may have been too short for them.
    fn in_vain(&self) -> impl Iterator<Item = String> {
        let ops = self.names.ops.iter().zip(&self.total.ops);
        let vain = ops.filter(|(_, op)| op.ok == 0 && op.failed + op.timed_out > 0);
        vain.map(|(name, op)| format!("none of {} {name} succeeded", op.begun))
    }

    /// Whether the run passed.
    pub fn passed(&self) -> bool {
        self.failures().is_empty()
    }

    /// Why the figures are not to be trusted; empty if they are.
    pub fn doubts(&self) -> Vec<String> {
        let limited = &self.limited;
        let mut why = Vec::new();
        if self.window.is_zero() {
            why.push("there was no measure window".to_owned());
        }
        if limited.seconds as f64 > limited.window as f64 * LIMITED_SHARE {
            let reasons: Vec<String> =
                limited.reasons.iter().map(|(name, n)| format!("{name} in {n}")).collect();
            why.push(format!(
                "{} of {} seconds were limited by the generator ({})",
                limited.seconds,
                limited.window,
                reasons.join(", ")
            ));
        }
        let delivery = &self.total.delivery;
        let excused = delivery.excused as f64 / delivery.expected.max(1) as f64;
        if excused > EXCUSED_SHARE {
            why.push(format!(
                "the ledger is weak: {:.1} % of the deliveries expected were excused",
                excused * 100.0
            ));
        }
        why
    }

    /// Why nobody can say who heard what; `None` if the ledger of this run can.
    pub fn no_ledger(&self) -> Option<String> {
        let delivery = &self.total.delivery;
        match (delivery.kept, delivery.ids_lost) {
            (false, _) if self.names.ledger => Some("no message was sent".to_owned()),
            (false, _) => Some("this scenario keeps no ledger".to_owned()),
            (true, 0) => None,
            (true, rooms) => {
                Some(format!("the service does not keep the ids of messages (seen {rooms} times)"))
            }
        }
    }

    /// Whether the generator was idle enough for its figures to speak of the target.
    pub fn trustworthy(&self) -> bool {
        self.doubts().is_empty()
    }
}
