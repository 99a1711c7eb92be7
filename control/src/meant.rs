//! What was meant: flags become a plan, or a fault that names the flag. The only validation.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use densebots_engine::limits::{Demand, Machine};
use densebots_engine::net::Tuning;
use densebots_engine::plan::{SHARDS_MAX, Tls};
use densebots_engine::{Backoff, Close, Endpoint, Load, Plan, Preflight, Repeat, Terms};
use densebots_scenarios::file::File;
use densebots_scenarios::{BUILTIN, Builtin, Ready, SettingError, Settings, Traffic};

use crate::allow::Allowed;
use crate::args::{self, CloseWay, LinkFlags, RunFlags, SecureFlags, Switch};
use crate::ending::usage;
use crate::names;
use crate::scenario_file::{self, Chosen};
use crate::secure::{self, Way};
use crate::service::Service;

#[cfg(test)]
mod tests;

mod load;
use load::{arrival_rate, lifetime, load, usual_rate};
pub(crate) use load::{expected_length, ids};

/// What a message that is heard takes of a core, of generator and target together: measured with
/// 100,000 jumpers, whose sockets no cache holds.
const HEARING_CORE_SECONDS: f64 = 50e-6;
/// The share of the machine that bots and a target on it are to take, unless told otherwise. From
/// 60 % on, threads wait for a core so often that it shows in what they measure.
const SHARE_WANTED: f64 = 0.4;
/// User-space bytes of one side that do not depend on the number of connections.
const BASE_BYTES: u64 = 24 << 20;

/// Bots whose last words are in the report, unless told otherwise.
const FAILING_USUAL: u32 = 5;

/// A run, decided and ready to start.
pub(crate) struct Meant {
    /// What bots do.
    pub scenario: &'static Builtin,
    /// Its parameters.
    pub settings: Settings,
    /// The traffic of one bot.
    pub traffic: Traffic,
    /// The file that the scenario is from, if it is from one.
    pub file: Option<&'static File>,
    /// Bots pause longer than they usually do, so that the machine can hold both sides.
    pub eased: bool,
    /// Everything the engine needs; without endpoints if the target is embedded.
    pub plan: Plan,
    /// A target of our own is started.
    pub embedded: bool,
    /// The target in words.
    pub target: String,
    /// When connections are encrypted.
    pub way: Way,
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
        let named = names::scenario(flags.scenario.as_deref(), &flags.target.target);
        let chosen @ Chosen { scenario, file } = scenario(named)?;
        let flags = &scenario_file::filled(flags, file)?;
        let target = &flags.target;
        let service = Service::of(&target.target, &target.via, "--target", scenario)?;
        let aimed = aim(chosen, &service, &target.allow, &flags.secure, &flags.set.set)?;
        let (mut settings, way) = (aimed.settings.clone(), aimed.way);
        let plan = plan(flags, scenario, aimed)?;
        plan.check().map_err(|error| usage(format!("{}: {}", flag(error.field), error.why)))?;
        let embedded = service.is_embedded();
        let machine = Machine::read();
        let eased = embedded && ease(scenario, &mut settings, &plan, &machine)?;
        let traffic = traffic(scenario, &settings, plan.load.bots_max())?;
        let demand = Demand {
            connections: plan.load.live_max().into(),
            shards: flags.load.shards,
            endpoints: plan.endpoints.iter().map(|endpoint| endpoint.address).collect(),
            sources: plan.sources.clone(),
            arrival_rate: arrival_rate(&plan.load),
            lifetime: lifetime(&plan.load),
            closes_first: plan.close == Close::Fin,
            user_bytes_per_bot: scenario.bytes_per_bot + secure::bytes_per_bot(plan.tls.as_ref()),
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
            file,
            eased,
            plan,
            embedded,
            target,
            way,
            demand,
            machine,
            preflight,
        };
        meant.plan.shards = meant.preflight.shards as usize;
        meant.plan.split_tables = meant.preflight.split;
        meant.plan.sources.clone_from(&meant.preflight.sources);
        Ok(meant)
    }

    /// The scenario with all its parameters read, and the files that they name.
    pub(crate) fn ready(&self) -> Result<Ready> {
        (self.scenario.prepare)(&self.settings, &self.plan)
            .map_err(|error| fault_of_setting(&error))
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
pub(crate) fn scenario(name: &str) -> Result<Chosen> {
    if scenario_file::is_file(name) {
        return scenario_file::chosen(name);
    }
    densebots_scenarios::find(name).map(Chosen::from).ok_or_else(|| {
        let known: Vec<_> = BUILTIN.iter().map(|builtin| builtin.name).collect();
        let hint = names::hint(names::nearest(name, known.iter().copied()));
        usage(format!("no scenario is called `{name}` (there is {}){hint}", known.join(", ")))
    })
}

/// The parameters: those the flags of the target say, over them the environment, over that `--set`.
fn settings(
    Chosen { scenario, file }: Chosen,
    mut set: Vec<(String, String)>,
    typed: &[String],
) -> Result<Settings> {
    const PREFIX: &str = "DENSEBOTS_VAR_";
    set.extend(
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_owned(), value)))
            // What shells take for a name has no hyphens in it.
            .map(|(name, value)| (name.to_lowercase().replace('_', "-"), value)),
    );
    for pair in typed {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| usage(format!("--set {pair}: give NAME=VALUE, such as pace=1s")))?;
        set.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let set = set.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let settings =
        Settings::of(scenario.parameters, set).map_err(|error| fault_of_setting(&error))?;
    traffic(scenario, &settings, 1)?;
    Ok(match file {
        Some(file) => settings.with_file(file),
        None => settings,
    })
}

fn traffic(scenario: &Builtin, settings: &Settings, bots: u64) -> Result<Traffic> {
    (scenario.traffic)(settings, bots).map_err(|error| fault_of_setting(&error))
}

/// Lets bots pause longer if they and a target on the same machine would take too much of it.
fn ease(
    scenario: &Builtin,
    settings: &mut Settings,
    plan: &Plan,
    machine: &Machine,
) -> Result<bool> {
    let Some(pause) = scenario.pause else { return Ok(false) };
    let heard = traffic(scenario, settings, plan.load.bots_max())?.hears;
    let cores = heard * f64::from(plan.load.live_max()) * HEARING_CORE_SECONDS;
    let times = cores / (SHARE_WANTED * f64::from(machine.cores));
    settings.stretch(pause, times).map_err(|error| fault_of_setting(&error))
}

/// A parameter is wrong, and a name that is none may have meant another.
pub(crate) fn fault_of_setting(error: &SettingError) -> anyhow::Error {
    let hint = match error {
        SettingError::Unknown { name, known } => names::nearest(name, known.iter().copied()),
        SettingError::Value { .. } | SettingError::Wrong { .. } => None,
        SettingError::File(_) => None,
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

/// Against what a run is, decided.
pub(crate) struct Aimed {
    /// The scenario's parameters, the target's own among them.
    pub settings: Settings,
    /// Where to dial; nowhere yet if the target is embedded.
    pub endpoints: Vec<Endpoint>,
    /// When connections are encrypted.
    pub way: Way,
    /// How.
    pub tls: Option<Tls>,
    /// The target is on this machine.
    pub here: bool,
}

/// Decides what a service means for a scenario: parameters, addresses, encryption.
pub(crate) fn aim(
    chosen: Chosen,
    service: &Service,
    allow: &[String],
    secure: &SecureFlags,
    set: &[String],
) -> Result<Aimed> {
    let asked = Way::asked(secure.tls, service.scheme)?;
    let mut given = service.parameters(asked == Some(Way::Optional))?;
    if service.is_embedded() && chosen.scenario.parameters.iter().any(|own| own.name == "destroy") {
        // Its rooms are gone with their last occupant, and it has better things to do at the end.
        given.push(("destroy".to_owned(), "false".to_owned()));
    }
    let settings = settings(chosen, given, set)?;
    let endpoints = service.endpoints(asked, &Allowed::of(allow)?)?;
    let here = endpoints.iter().all(|e| e.address.ip().to_canonical().is_loopback());
    let way = asked.unwrap_or(Way::usual(service.scheme, here));
    let name = if way == Way::Off { String::new() } else { service.certified(&settings)? };
    let (xmpp, embedded) = (service.scheme.xmpp, service.is_embedded());
    let tls = secure::tls(secure, way, xmpp, &name, embedded)?;
    secure::suits(settings.text("mechanism"), tls.as_ref())?;
    Ok(Aimed { settings, endpoints, way, tls, here })
}

fn describe(endpoints: &[Endpoint]) -> String {
    match endpoints {
        [] => "embedded".to_owned(),
        [one] => one.name.clone(),
        [first, rest @ ..] => format!("{} and {} more", first.name, rest.len()),
    }
}

/// Values that no plan can have.
fn check(flags: &RunFlags) -> Result<()> {
    let LinkFlags { retry_first, retry_cap, .. } = flags.link;
    if flags.load.shards.is_some_and(|shards| shards == 0 || shards as usize > SHARDS_MAX) {
        return Err(usage(format!("--shards: from 1 to {SHARDS_MAX}")));
    }
    for (flag, time) in [
        ("--connect-timeout", flags.link.connect_timeout),
        ("--request-timeout", flags.link.request_timeout),
        ("--liveness", flags.link.liveness),
        ("--retry-first", retry_first),
        ("--late", flags.link.late),
    ] {
        if time.is_zero() {
            return Err(usage(format!("{flag}: must be longer than 0s")));
        }
    }
    if retry_first > retry_cap {
        return Err(usage("--retry-first is longer than --retry-cap, the longest pause"));
    }
    Ok(())
}

fn plan(
    flags: &RunFlags,
    scenario: &Builtin,
    Aimed { endpoints, tls, here: loopback, .. }: Aimed,
) -> Result<Plan> {
    let usual = |bots| usual_rate(scenario, tls.is_some(), loopback, bots);
    let (load, first_id) = load(&flags.load, usual)?;
    check(flags)?;
    let ids = u64::from(first_id)..u64::from(first_id) + load.bots_max();
    if let Some(id) = flags.output.trace_bot.iter().find(|&&id| !ids.contains(&id.into())) {
        let last = ids.end - 1;
        return Err(usage(format!("--trace-bot {id}: bots of this run are {first_id} to {last}")));
    }
    let LinkFlags { close, nodelay, retry_first, retry_cap, give_up, .. } = flags.link;
    let own = &flags.load;
    Ok(Plan {
        seed: own.seed,
        load,
        warm_up: own.warm_up,
        cool_down: own.cool_down,
        first_id,
        capacity: own.capacity.unwrap_or(match load {
            Load::Closed { bots, .. } => bots.div_ceil(10),
            Load::Open { .. } => 0, // it has a bound of its own
        }),
        endpoints,
        tls,
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
        failing: flags.output.trace.unwrap_or(FAILING_USUAL),
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
        ledger: Terms { run: crate::clock::run_number(), late: flags.link.late },
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
        "tls" => "--tls",
        "respawn" => "--respawn",
        "failing" => "--trace",
        other => other,
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
