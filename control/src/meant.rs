//! What was meant: flags become a plan, or a fault that names the flag. The only validation.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use densebots_engine::limits::{Demand, Machine};
use densebots_engine::net::Tuning;
use densebots_engine::plan::SHARDS_MAX;
use densebots_engine::{Arrival, Backoff, Close, Endpoint, Load, Plan, Preflight, Repeat};
use densebots_scenarios::{BUILTIN, Builtin, SettingError, Settings, Traffic};

use crate::allow::Allowed;
use crate::args::{self, CloseWay, LinkFlags, LoadFlags, RunFlags, Switch, TargetFlags};
use crate::ending::usage;
use crate::names::{self, Place};

/// Bots of a run that says nothing about it.
const BOTS: u32 = 1_000;
/// How fast they arrive, a second.
const ARRIVE: f64 = 10_000.0;
/// How fast they arrive at a target that may be somebody's.
const ARRIVE_GENTLE: f64 = 100.0;
/// An open run that says nothing about it may have so many bots live at once.
const LIVE_MAX: u64 = 100_000;
/// User-space bytes of one side that do not depend on the number of connections.
const BASE_BYTES: u64 = 24 << 20;

/// A run, decided and ready to start.
pub(crate) struct Meant {
    /// What bots do.
    pub scenario: &'static Builtin,
    /// Its parameters.
    pub settings: Settings,
    /// The traffic of one bot.
    pub traffic: Traffic,
    /// Everything the engine needs; without endpoints if the target is embedded.
    pub plan: Plan,
    /// A target of our own is started.
    pub embedded: bool,
    /// The target in words.
    pub target: String,
    /// What was asked of the machine.
    pub demand: Demand,
    /// The machine.
    pub machine: Machine,
    /// Whether it holds that.
    pub preflight: Preflight,
}

impl Meant {
    /// From the flags of `run`.
    pub(crate) fn of(flags: &RunFlags) -> Result<Meant> {
        let scenario = scenario(&flags.scenario)?;
        let settings = settings(scenario, &flags.set.set)?;
        let traffic = (scenario.traffic)(&settings).map_err(|error| fault_of_setting(&error))?;
        let endpoints = endpoints(&flags.target)?;
        let loopback = endpoints.iter().all(|e| e.address.ip().to_canonical().is_loopback());
        let plan = plan(flags, endpoints, loopback)?;
        plan.check().map_err(|error| usage(format!("{}: {}", flag(error.field), error.why)))?;
        let embedded = plan.endpoints.is_empty();
        let machine = Machine::read();
        let demand = Demand {
            connections: plan.load.live_max().into(),
            shards: flags.load.shards,
            endpoints: plan.endpoints.iter().map(|endpoint| endpoint.address).collect(),
            sources: plan.sources.clone(),
            arrival_rate: arrival_rate(&plan.load),
            closes_first: false, // what waits at the end of a run is in nobody's way
            user_bytes_per_bot: scenario.bytes_per_bot,
            target_here: embedded,
            base_bytes: BASE_BYTES,
            ..Demand::default()
        };
        let target = describe(&plan.endpoints);
        let (demand, preflight) = measure(&machine, demand);
        let mut meant = Meant {
            scenario,
            settings,
            traffic,
            plan,
            embedded,
            target,
            demand,
            machine,
            preflight,
        };
        meant.plan.shards = meant.preflight.shards as usize;
        meant.plan.split_tables = meant.preflight.split;
        meant.plan.sources.clone_from(&meant.preflight.sources);
        Ok(meant)
    }

    /// Open or closed.
    pub(crate) fn model(&self) -> &'static str {
        match self.plan.load {
            Load::Closed { .. } => "closed",
            Load::Open { .. } => "open",
        }
    }
}

/// The scenario of this name, or a fault with the one that was probably meant.
pub(crate) fn scenario(name: &str) -> Result<&'static Builtin> {
    let file = [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending));
    if file || name.contains('/') {
        return Err(usage(format!("{name}: this version does not read scenario files yet")));
    }
    densebots_scenarios::find(name).ok_or_else(|| {
        let known: Vec<_> = BUILTIN.iter().map(|builtin| builtin.name).collect();
        let hint = names::hint(names::nearest(name, known.iter().copied()));
        usage(format!("no scenario is called `{name}` (there is {}){hint}", known.join(", ")))
    })
}

/// The parameters: from the environment, and over them from `--set`.
pub(crate) fn settings(scenario: &Builtin, typed: &[String]) -> Result<Settings> {
    const PREFIX: &str = "DENSEBOTS_VAR_";
    let mut set: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_lowercase(), value)))
        .collect();
    for pair in typed {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| usage(format!("--set {pair}: give NAME=VALUE, such as pace=1s")))?;
        set.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let set = set.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let settings =
        Settings::of(scenario.parameters, set).map_err(|error| fault_of_setting(&error))?;
    (scenario.traffic)(&settings).map_err(|error| fault_of_setting(&error))?;
    Ok(settings)
}

fn fault_of_setting(error: &SettingError) -> anyhow::Error {
    let hint = match error {
        SettingError::Unknown { name, known } => names::nearest(name, known.iter().copied()),
        SettingError::Value { .. } => None,
    };
    usage(format!("--set: {error}{}", names::hint(hint)))
}

/// The names of `DENSEBOTS_` variables that mean nothing.
pub(crate) fn stray_variables() -> Vec<String> {
    let known = args::variables();
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let ours = names.filter(|name| name.starts_with("DENSEBOTS_"));
    ours.filter(|name| !name.starts_with("DENSEBOTS_VAR_") && !known.contains(name)).collect()
}

fn endpoints(flags: &TargetFlags) -> Result<Vec<Endpoint>> {
    let allowed = Allowed::of(&flags.allow)?;
    if flags.target.is_empty() && !flags.via.is_empty() {
        return Err(usage("--via says where to dial for a --target; give that too"));
    }
    let targets: Vec<Place> =
        flags.target.iter().map(|typed| Place::of(typed, "--target")).collect::<Result<_>>()?;
    let via: Vec<Place> =
        flags.via.iter().map(|typed| Place::of(typed, "--via")).collect::<Result<_>>()?;
    let places = if via.is_empty() { targets } else { via };
    let mut endpoints = Vec::new();
    for place in places {
        endpoints.extend(place.resolve(&allowed)?);
    }
    Ok(endpoints)
}

fn describe(endpoints: &[Endpoint]) -> String {
    match endpoints {
        [] => "embedded".to_owned(),
        [one] => one.name.clone(),
        [first, rest @ ..] => format!("{} and {} more", first.name, rest.len()),
    }
}

fn plan(flags: &RunFlags, endpoints: Vec<Endpoint>, loopback: bool) -> Result<Plan> {
    let (load, first_id) = load(&flags.load, loopback)?;
    let LinkFlags { close, nodelay, retry_first, retry_cap, give_up, .. } = flags.link;
    let own = &flags.load;
    if own.shards.is_some_and(|shards| shards == 0 || shards as usize > SHARDS_MAX) {
        return Err(usage(format!("--shards: from 1 to {SHARDS_MAX}")));
    }
    for (flag, time) in [
        ("--connect-timeout", flags.link.connect_timeout),
        ("--request-timeout", flags.link.request_timeout),
        ("--liveness", flags.link.liveness),
        ("--retry-first", retry_first),
    ] {
        if time.is_zero() {
            return Err(usage(format!("{flag}: must be longer than 0s")));
        }
    }
    if retry_first > retry_cap {
        return Err(usage("--retry-first is longer than --retry-cap, the longest pause"));
    }
    Ok(Plan {
        seed: own.seed,
        load,
        first_id,
        capacity: own.capacity.unwrap_or_else(|| load.live_max().div_ceil(10)),
        endpoints,
        sources: names::sources(&flags.target.source)?,
        connecting_max: flags.link.connecting,
        connect_timeout: flags.link.connect_timeout,
        request_timeout: flags.link.request_timeout,
        reconnect: Backoff {
            first: retry_first,
            cap: retry_cap,
            give_up: (give_up > 0).then_some(give_up),
        },
        repeat: Repeat {
            times: (own.repeat > 0).then_some(own.repeat),
            interval: own.repeat_interval,
        },
        respawn: own.respawn,
        trace: flags.output.trace_bot.clone(),
        tuning: Tuning {
            nodelay: nodelay == Switch::On,
            receive_buffer: flags.link.recv_buffer,
            send_buffer: flags.link.send_buffer,
        },
        close: match close {
            CloseWay::Fin => Close::Fin,
            CloseWay::Rst => Close::Rst,
            CloseWay::Wait => Close::Wait,
        },
        liveness: flags.link.liveness,
        drain: own.drain,
        breaker: match flags.target.breaker {
            Some(switch) => switch == Switch::On,
            None => !loopback,
        },
        ..Plan::default()
    })
}

/// The flag behind a field of the plan.
fn flag(field: &'static str) -> &'static str {
    match field {
        "first_id" => "--ids",
        "load" => "--bots",
        "shards" => "--shards",
        "connecting_max" => "--connecting",
        "endpoints" => "--target",
        "respawn" => "--respawn",
        other => other,
    }
}

/// The load, and the first id.
fn load(flags: &LoadFlags, loopback: bool) -> Result<(Load, u32)> {
    let (first_id, ids) = match &flags.ids {
        None => (1, None),
        Some(range) => {
            let (first, last) = ids(range)?;
            (first, Some(last - first + 1))
        }
    };
    let bots = ids.or(flags.bots);
    if bots == Some(0) {
        return Err(usage("--bots 0: a run needs at least one bot"));
    }
    let gentle = if loopback { ARRIVE } else { ARRIVE_GENTLE };
    let Some(rate) = flags.open else {
        let arrival = match (flags.arrive, flags.ramp) {
            (_, Some(ramp)) => Arrival::Ramp(ramp),
            (rate, None) => Arrival::Constant(rate.unwrap_or(gentle)),
        };
        let bots = bots.unwrap_or(BOTS);
        return Ok((Load::Closed { bots, arrival, hold: flags.hold }, first_id));
    };
    if flags.hold.is_zero() {
        return Err(usage("--for 0s: with --open nobody would arrive"));
    }
    let ramp = flags.ramp.unwrap_or_default();
    let open = |live_max| Load::Open { rate, ramp, lasting: ramp + flags.hold, live_max };
    let arrivals = open(u32::MAX).bots_max().min(LIVE_MAX);
    let live_max = bots.unwrap_or(u32::try_from(arrivals).unwrap_or(u32::MAX));
    Ok((open(live_max), first_id))
}

/// `50001..100000`, both ends included.
fn ids(range: &str) -> Result<(u32, u32)> {
    let fault = || usage(format!("--ids {range}: give the first and the last, 50001..100000"));
    let (first, last) = range.split_once("..").ok_or_else(fault)?;
    let last = last.strip_prefix('=').unwrap_or(last);
    let number = |text: &str| crate::units::count(text.trim()).map_err(|_| fault());
    let (first, last) = (number(first)?, number(last)?);
    if first == 0 || first > last { Err(fault()) } else { Ok((first, last)) }
}

fn arrival_rate(load: &Load) -> f64 {
    match *load {
        Load::Closed { arrival: Arrival::Constant(rate), .. } | Load::Open { rate, .. } => rate,
        Load::Closed { bots, arrival: Arrival::Ramp(over), .. } if !over.is_zero() => {
            f64::from(bots) / over.as_secs_f64()
        }
        Load::Closed { bots, .. } => bots.into(),
    }
}

/// Compares demand and machine. The number of shards is the user's, or the fewest that hold the
/// demand: half of the cores beside a target on this machine, all of them otherwise.
fn measure(machine: &Machine, mut demand: Demand) -> (Demand, Preflight) {
    let of = |demand: &mut Demand, shards: Option<u32>| {
        demand.shards = shards;
        if demand.target_here {
            // Ports that are not known yet, but how many: one a shard.
            let count = shards.unwrap_or_else(|| Preflight::of(machine, demand).shards);
            demand.endpoints = embedded_endpoints(count);
        }
        Preflight::of(machine, demand)
    };
    if let Some(asked) = demand.shards {
        let preflight = of(&mut demand, Some(asked));
        return (demand, preflight);
    }
    let cores = if demand.target_here { machine.cores / 2 } else { machine.cores };
    let most = u32::try_from(demand.connections).unwrap_or(u32::MAX).max(1);
    let preflight = of(&mut demand, Some(cores.clamp(1, most)));
    if !preflight.split {
        demand.shards = None;
        return (demand, preflight);
    }
    let preflight = of(&mut demand, None);
    (demand, preflight)
}

fn embedded_endpoints(count: u32) -> Vec<SocketAddr> {
    (1..=count.min(60_000) as u16).map(|port| (Ipv4Addr::LOCALHOST, port).into()).collect()
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
            arriving.saturating_add(hold)
        }
        Load::Open { lasting, .. } => lasting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Typed, Verb};

    fn meant(words: &str) -> Result<Meant, String> {
        let words = std::iter::once("densebots").chain(words.split_whitespace());
        let typed = Typed::read(words.map(Into::into).collect()).map_err(|e| e.to_string())?;
        let Verb::Run(flags) = typed.verb else { return Err("not a run".to_owned()) };
        Meant::of(&flags).map_err(|error| error.to_string())
    }

    fn fault(words: &str) -> String {
        meant(words).err().unwrap_or_else(|| panic!("`{words}` was accepted"))
    }

    #[test]
    fn flags_become_a_plan() {
        let run = meant("--conns 2k --ramp 4s --for 5s --close rst --seed 7").expect("is valid");
        let hold = Duration::from_secs(5);
        let arrival = Arrival::Ramp(Duration::from_secs(4));
        assert_eq!(run.plan.load, Load::Closed { bots: 2_000, arrival, hold });
        assert_eq!((run.plan.close, run.plan.seed, run.embedded), (Close::Rst, 7, true));
        assert_eq!(run.scenario.name, "echo");
        let run = meant("run idle --ids 50001..50010").expect("is valid");
        assert_eq!((run.plan.first_id, run.plan.load.bots_max()), (50_001, 10));
        let run = meant("--open 100/s --for 10s --bots 50").expect("is valid");
        assert_eq!((run.plan.load.bots_max(), run.plan.load.live_max()), (1000, 50));
    }

    #[test]
    fn a_target_that_is_not_loopback_is_treated_gently_and_only_if_allowed() {
        assert!(fault("--target line://192.0.2.1:7000").contains("--allow 192.0.2.1"));
        let run = meant("--target line://192.0.2.1:7000 --allow 192.0.2.0/24").expect("allowed");
        assert!(run.plan.breaker);
        assert_eq!(arrival_rate(&run.plan.load), ARRIVE_GENTLE);
        let run = meant("--target line://127.0.0.1:7000=2").expect("loopback");
        assert!(!run.plan.breaker);
        assert_eq!(run.plan.endpoints[0].weight, 2);
        assert_eq!(arrival_rate(&run.plan.load), ARRIVE);
    }

    #[test]
    fn faults_name_the_flag() {
        for (words, named) in [
            ("--conns 0", "--bots"),
            ("--arrive 5/s --ramp 2s", "--ramp"),
            ("--open 5/s --arrive 5/s", "--arrive"),
            ("--ids 5..1", "--ids"),
            ("--ids 1..5 --conns 3", "--bots"),
            ("--via 127.0.0.1:1", "--target"),
            ("--target 127.0.0.1", "--target"),
            ("--source x", "--source"),
            ("--shards 0", "--shards"),
            ("--set pace", "--set"),
            ("--set pcae=1s", "did you mean `pace`"),
            ("--set pace=soon", "pace"),
            ("run ehco", "did you mean `echo`"),
            ("run ./file.yaml", "file"),
            ("--retry-first 1m", "--retry-cap"),
            ("--connect-timeout 0s", "--connect-timeout"),
            ("--conns 3000M", "--bots"),
            ("--conns 9G", "--bots"),
            ("--connecting 0", "--connecting"),
        ] {
            let said = fault(words);
            assert!(said.contains(named), "`{words}` said: {said}");
        }
    }
}
