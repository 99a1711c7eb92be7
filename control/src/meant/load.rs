//! How many bots, when, how long.

use std::time::Duration;

use anyhow::Result;
use densebots_engine::{Arrival, Load, Plan};
use densebots_scenarios::Builtin;
use densebots_scenarios::target::Speaks;

use crate::args::LoadFlags;
use crate::ending::usage;

/// Bots of a run that says nothing about it.
const BOTS: u32 = 1_000;
/// How fast they arrive, a second.
pub(super) const ARRIVE: f64 = 10_000.0;
/// How fast they arrive, a second, if each has to log in: what a core of each side does without
/// being late.
const LOG_IN: f64 = 3_000.0;
/// The same over TLS: four fifths of such a login are its handshake.
const LOG_IN_SECURE: f64 = 600.0;
/// Connections alone come faster if there are so many that they would still be arriving after so
/// many seconds.
const ARRIVE_SECONDS: f64 = 35.0;
/// How fast they arrive at a target that may be somebody's.
pub(super) const ARRIVE_GENTLE: f64 = 100.0;
/// How long a run holds that says nothing about it.
const HOLD: Duration = Duration::from_secs(30);
/// An open run that says nothing about it may have so many bots live at once.
const LIVE_MAX: u64 = 100_000;
/// How fast so many bots arrive, a second, unless it is said.
pub(super) fn usual_rate(scenario: &Builtin, secure: bool, loopback: bool, bots: u32) -> f64 {
    match scenario.target {
        _ if !loopback => ARRIVE_GENTLE,
        Speaks::Xmpp if secure => LOG_IN_SECURE,
        Speaks::Xmpp => LOG_IN,
        Speaks::Echo | Speaks::Rooms => ARRIVE.max(f64::from(bots) / ARRIVE_SECONDS).round(),
    }
}

/// The load, and the first id. `usual` is how fast bots arrive unless it is said.
pub(super) fn load(flags: &LoadFlags, usual: impl Fn(u32) -> f64) -> Result<(Load, u32)> {
    let (first_id, ids) = match &flags.ids {
        None => (1, None),
        Some(range) => {
            let (first, last) = ids(range)?;
            (first, Some(last - first + 1))
        }
    };
    let bots = ids.or(flags.bots);
    let hold = flags.hold.unwrap_or(HOLD);
    if bots == Some(0) {
        return Err(usage("--bots 0: a run needs at least one bot"));
    }
    let Some(rate) = flags.open else {
        let bots = bots.unwrap_or(BOTS);
        let arrival = match (flags.arrive, flags.ramp) {
            (_, Some(ramp)) => Arrival::Ramp(ramp),
            (rate, None) => Arrival::Constant(rate.unwrap_or_else(|| usual(bots))),
        };
        return Ok((Load::Closed { bots, arrival, hold }, first_id));
    };
    if hold.is_zero() {
        return Err(usage("--for 0s: with --open nobody would arrive"));
    }
    let ramp = flags.ramp.unwrap_or_default();
    let lasting = ramp + flags.warm_up + hold + flags.cool_down;
    let open = |live_max| Load::Open { rate, ramp, lasting, live_max };
    let arrivals = open(u32::MAX).bots_max().min(LIVE_MAX);
    let live_max = bots.unwrap_or(u32::try_from(arrivals).unwrap_or(u32::MAX));
    Ok((open(live_max), first_id))
}

/// `50001..100000`, both ends included.
pub(crate) fn ids(range: &str) -> Result<(u32, u32)> {
    let fault = || usage(format!("--ids {range}: give the first and the last, 50001..100000"));
    let (first, last) = range.split_once("..").ok_or_else(fault)?;
    let last = last.strip_prefix('=').unwrap_or(last);
    let number = |text: &str| crate::units::count(text.trim()).map_err(|_| fault());
    let (first, last) = (number(first)?, number(last)?);
    if first == 0 || first > last { Err(fault()) } else { Ok((first, last)) }
}

/// Bots a second at the most.
pub(super) fn arrival_rate(load: &Load) -> f64 {
    match *load {
        Load::Closed { arrival: Arrival::Constant(rate), .. } | Load::Open { rate, .. } => rate,
        Load::Closed { bots, arrival: Arrival::Ramp(over), .. } if !over.is_zero() => {
            f64::from(bots) / over.as_secs_f64()
        }
        Load::Closed { bots, .. } => bots.into(),
    }
}

/// How long a bot of an open load stays at most on average, for no more than may be live at once.
/// Those of a closed load stay to the end, and what waits then is in nobody's way.
pub(super) fn lifetime(load: &Load) -> Option<Duration> {
    match *load {
        Load::Open { rate, live_max, .. } if rate > 0.0 => {
            Duration::try_from_secs_f64(f64::from(live_max) / rate).ok()
        }
        _ => None,
    }
}

/// How long the run should take, from arrival to the end of the hold.
pub(crate) fn expected_length(plan: &Plan) -> Duration {
    match plan.load {
        Load::Closed { bots, arrival, hold } => {
            let arriving = match arrival {
                Arrival::AtOnce => Duration::ZERO,
                Arrival::Constant(rate) => Duration::from_secs_f64(f64::from(bots) / rate),
                Arrival::Ramp(over) => over,
            };
            arriving.saturating_add(plan.warm_up + hold + plan.cool_down)
        }
        Load::Open { lasting, .. } => lasting,
    }
}
