//! The plan of a run: how many, when, how long, against what, which seed. Pure arithmetic.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::net::Tuning;
use crate::transcript::FAILING_MAX;

mod arrival;
mod tls;
pub use arrival::{Arrival, Load};
pub(crate) use arrival::{Cohort, Pace};
pub use tls::{AcceptTls, DialTls, Identity, Resume, Tier, Tls, Trust, Versions};

/// Everything a run needs to know before it starts. Finite by default.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seeds every bot's dice.
    pub seed: u64,
    /// How many bots come, when, and for how long.
    pub load: Load,
    /// How long everybody is in before the measure window begins; with an open load, a part of its
    /// time.
    pub warm_up: Duration,
    /// How long everybody stays behind the measure window; with an open load, a part of its time.
    pub cool_down: Duration,
    /// The id of the first bot. Ids go up one by one in the order of launch; `add` and respawn
    /// take the ids after the highest ever given; no id is used twice.
    pub first_id: u32,
    /// Room for bots beyond the load's own, for live `add`. Slots cost memory only when used.
    pub capacity: u32,
    /// The addresses to connect to, used by weight.
    pub endpoints: Vec<Endpoint>,
    /// Source addresses, walked round robin; empty lets the system choose.
    pub sources: Vec<IpAddr>,
    /// Shards; each is one thread. Fixed for the run. 0 lets [`start`](crate::start) choose.
    pub shards: usize,
    /// Every shard gets a descriptor table of its own, so that the limit counts per shard.
    pub split_tables: bool,
    /// Attempts to connect that may be under way at once, all shards together.
    pub connecting_max: u32,
    /// How long an attempt may take from dial to [`ready`](crate::Ctx::ready).
    pub connect_timeout: Duration,
    /// How long an op may take unless it says otherwise.
    pub request_timeout: Duration,
    /// What a bot does whose link was lost.
    pub reconnect: Backoff,
    /// How often a bot starts again after it is done.
    pub repeat: Repeat,
    /// Ended and failed bots are replaced by new ones, at most so many a second.
    pub respawn: Option<f64>,
    /// Socket options.
    pub tuning: Tuning,
    /// How links are encrypted; `None`: none is.
    pub tls: Option<Tls>,
    /// Who ends a connection, and how.
    pub close: Close,
    /// Bytes a link may leave unsent before it counts as "target stopped reading".
    pub unsent_max: usize,
    /// How long a link may be write-blocked before it counts as "target stopped reading".
    pub blocked_max: Duration,
    /// A bot that heard nothing for so long is asked to ping, and is no longer online if it still
    /// hears nothing in as long again.
    pub liveness: Duration,
    /// How long bots may take to finish what they began when the run drains.
    pub drain: Duration,
    /// How often shards report.
    pub sample_every: Duration,
    /// What the ledger goes by, if the scenario keeps one.
    pub ledger: crate::ledger::Terms,
    /// Stop when more than a fifth of the attempts fail over ten seconds.
    pub breaker: bool,
    /// Ids of bots whose bytes an observer wants to see, both ways.
    pub trace: Vec<u32>,
    /// Of how many failing bots the report has what they said and heard last, if they fail in one
    /// of the few places of their shard where that is kept; 0 keeps nothing.
    pub failing: u32,
    /// The bug planted in this run, for the tests of the oracles.
    #[cfg(feature = "planted")]
    pub planted: Option<crate::planted::Bug>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            seed: 1,
            load: Load::Closed {
                bots: 1,
                arrival: Arrival::Constant(10_000.0),
                hold: Duration::from_secs(30),
            },
            warm_up: Duration::ZERO,
            cool_down: Duration::ZERO,
            first_id: 1,
            capacity: 0,
            endpoints: Vec::new(),
            sources: Vec::new(),
            shards: 0,
            split_tables: false,
            connecting_max: 1024,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            reconnect: Backoff::default(),
            repeat: Repeat::default(),
            respawn: None,
            tuning: Tuning::default(),
            tls: None,
            close: Close::Fin,
            unsent_max: 1 << 20,
            blocked_max: Duration::from_secs(60),
            liveness: Duration::from_secs(60),
            drain: Duration::from_secs(10),
            sample_every: Duration::from_secs(1),
            ledger: crate::ledger::Terms::default(),
            breaker: false,
            trace: Vec::new(),
            failing: 0,
            #[cfg(feature = "planted")]
            planted: None,
        }
    }
}

impl Plan {
    /// How long the measure window is.
    pub fn window(&self) -> Duration {
        match self.load {
            Load::Closed { hold, .. } => hold,
            Load::Open { ramp, lasting, .. } => {
                lasting.saturating_sub(ramp + self.warm_up + self.cool_down)
            }
        }
    }

    /// Whether this bug is planted.
    #[cfg(feature = "planted")]
    pub(crate) fn has(&self, bug: crate::planted::Bug) -> bool {
        self.planted == Some(bug)
    }

    /// Whether this bug is planted: never, in a build one runs.
    #[cfg(not(feature = "planted"))]
    #[allow(clippy::unused_self)]
    pub(crate) const fn has(&self, _: crate::planted::Bug) -> bool {
        false
    }

    /// Checks what no run could do. The error names the field and what to give instead.
    pub fn check(&self) -> Result<(), PlanError> {
        let fault = |field, why: String| Err(PlanError { field, why });
        if self.first_id == 0 {
            return fault("first_id", "ids begin at 1".into());
        }
        let last = u64::from(self.first_id) + self.load.bots_max() + u64::from(self.capacity);
        if last > u64::from(BOTS_MAX) {
            return fault("load", format!("ids would reach {last}; the highest is {BOTS_MAX}"));
        }
        if let Some(why) = self.load.fault() {
            return fault("load", why);
        }
        if self.shards > SHARDS_MAX {
            return fault("shards", format!("{} shards; at most {SHARDS_MAX}", self.shards));
        }
        if self.connecting_max == 0 {
            return fault("connecting_max", "no bot could ever connect; give at least 1".into());
        }
        if self.endpoints.len() > ENDPOINTS_MAX {
            return fault("endpoints", format!("more than {ENDPOINTS_MAX}"));
        }
        if !self.endpoints.is_empty() && self.endpoints.iter().all(|e| e.weight == 0) {
            return fault("endpoints", "every weight is 0, so nobody could connect".into());
        }
        if self.sample_every.is_zero() {
            return fault("sample_every", "must not be zero".into());
        }
        if self.ledger.late.is_zero() {
            return fault("ledger.late", "must not be zero: everything would be late".into());
        }
        if let Some(Err(why)) = self.tls.as_ref().map(crate::transport::check) {
            return fault("tls", why);
        }
        if self.failing > FAILING_MAX {
            return fault("failing", format!("transcripts of at most {FAILING_MAX} bots"));
        }
        if self.respawn.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return fault("respawn", "must be a rate above 0 a second".into());
        }
        Ok(())
    }

    /// The endpoint of attempt `attempt` (0 for the first) of the bot with this id: by weight, the
    /// same in every run, and another one after an attempt that failed.
    pub fn endpoint(&self, id: u32, shards: usize, attempt: u32) -> Option<usize> {
        if self.endpoints.iter().all(|e| e.weight == 1) {
            // Ids of a shard are `shards` apart: count them, so that each shard spreads evenly.
            let nth = (u64::from(id) / shards.max(1) as u64) + u64::from(id) % shards.max(1) as u64;
            let of = self.endpoints.len() as u64;
            return (of > 0).then(|| ((nth + u64::from(attempt)) % of) as usize);
        }
        let total: u64 = self.endpoints.iter().map(|e| u64::from(e.weight)).sum();
        if total == 0 {
            return None;
        }
        // A fixed irrational step spreads consecutive ids over the weights evenly.
        let turn = u64::from(id).wrapping_add(u64::from(attempt)).wrapping_mul(GOLDEN);
        let mut point = ((u128::from(turn) * u128::from(total)) >> 64) as u64;
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            match point.checked_sub(u64::from(endpoint.weight)) {
                Some(rest) => point = rest,
                None => return Some(index),
            }
        }
        None
    }
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Ids above this belong to accepted bots and keepers.
pub const BOTS_MAX: u32 = 1 << 31;
/// More threads than this help nobody; it covers 4 million connections at 20,000 a table.
pub const SHARDS_MAX: usize = 1024;
/// Endpoints are counted one by one in the report.
pub const ENDPOINTS_MAX: usize = 4096;

/// An address to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// How the report calls it.
    pub name: String,
    /// Where it is.
    pub address: SocketAddr,
    /// Its share of the bots relative to the others'.
    pub weight: u32,
}

/// How a bot comes back after it lost its link: exponential back-off with jitter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The first pause.
    pub first: Duration,
    /// No pause is longer.
    pub cap: Duration,
    /// Retries in a row before the bot gives up, the first attempt being none; `None` never does.
    pub give_up: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Backoff {
        let second = Duration::from_secs(1);
        Backoff { first: second / 2, cap: 30 * second, give_up: Some(5) }
    }
}

impl Backoff {
    /// The pause before retry `retry` (0 for the first), half of it fixed and half drawn, so that
    /// bots that were lost together do not come back together. `None`: give up.
    pub fn pause(&self, retry: u32, fraction: f64) -> Option<Duration> {
        if self.give_up.is_some_and(|most| retry >= most) {
            return None;
        }
        let full = self.first.saturating_mul(1 << retry.min(20)).min(self.cap);
        Some(full.mul_f64(0.5 + 0.5 * fraction.clamp(0.0, 1.0)))
    }
}

/// How often a bot starts again after it is done, under the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// Runs in all; `None` is for ever.
    pub times: Option<u32>,
    /// The pause between two runs.
    pub interval: Duration,
}

impl Default for Repeat {
    fn default() -> Repeat {
        Repeat { times: Some(1), interval: Duration::ZERO }
    }
}

/// How a bot that leaves ends its connection. A forced stop resets whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Close first and leave TIME_WAIT on this side.
    Fin,
    /// Reset: no TIME_WAIT anywhere; the target sees a broken connection.
    Rst,
    /// End our direction and wait for the target to close.
    Wait,
}

/// The plan cannot be run. Says which field and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plan: {field}: {why}")]
pub struct PlanError {
    /// The field of [`Plan`].
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(weights: &[u32]) -> Plan {
        let endpoint = |(i, &weight): (usize, &u32)| Endpoint {
            name: format!("e{i}"),
            address: ([127, 0, 0, 1], 7000 + i as u16).into(),
            weight,
        };
        Plan { endpoints: weights.iter().enumerate().map(endpoint).collect(), ..Plan::default() }
    }

    fn shares(plan: &Plan, shards: usize, ids: u32) -> Vec<u32> {
        let mut count = vec![0; plan.endpoints.len()];
        for id in 1..=ids {
            count[plan.endpoint(id, shards, 0).expect("has endpoints")] += 1;
        }
        count
    }

    #[test]
    fn bots_spread_over_endpoints_by_weight() {
        for shards in [1, 2, 6, 7, 52] {
            let even = shares(&plan(&[1; 6]), shards, 60_000);
            assert!(even.iter().all(|&n| n.abs_diff(10_000) <= 100), "{shards}: {even:?}");
        }
        let skew = shares(&plan(&[1, 3]), 2, 40_000);
        assert!(skew[0].abs_diff(10_000) < 100, "{skew:?}");
        assert_eq!(shares(&plan(&[0, 1]), 1, 100), [0, 100]);
        assert_eq!(plan(&[]).endpoint(1, 1, 0), None);
    }

    #[test]
    fn a_failed_attempt_tries_another_endpoint() {
        let plan = plan(&[1, 1]);
        assert_ne!(plan.endpoint(5, 2, 0), plan.endpoint(5, 2, 1));
    }

    #[test]
    fn back_off_doubles_up_to_its_cap_and_gives_up() {
        let back = Backoff { give_up: Some(8), ..Backoff::default() };
        let pauses: Vec<_> = (0..9).map(|n| back.pause(n, 1.0).map(|p| p.as_secs_f64())).collect();
        let expected =
            [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0].map(Some).into_iter().chain([None]);
        assert_eq!(pauses, expected.collect::<Vec<_>>());
        assert_eq!(back.pause(0, 0.0), Some(Duration::from_millis(250)));
    }

    #[test]
    fn a_plan_that_cannot_run_is_refused_with_its_field() {
        let field = |plan: Plan| plan.check().expect_err("cannot run").field;
        assert_eq!(field(Plan { first_id: 0, ..Plan::default() }), "first_id");
        assert_eq!(field(Plan { first_id: BOTS_MAX, ..Plan::default() }), "load");
        assert_eq!(field(Plan { shards: SHARDS_MAX + 1, ..Plan::default() }), "shards");
        assert_eq!(field(Plan { respawn: Some(f64::NAN), ..Plan::default() }), "respawn");
        assert_eq!(field(plan(&[0])), "endpoints");
        assert_eq!(Plan::default().check(), Ok(()));
    }
}
