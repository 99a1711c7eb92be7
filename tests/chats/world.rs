//! One world: chat bots, the embedded target, and what the network does between them.

use std::sync::Arc;
use std::time::Duration;

use densebots_engine::metrics::Delivery;
use densebots_engine::net::sim::{Dice, Faults};
use densebots_engine::{
    Arrival, Backoff, Command, Endpoint, Load, Plan, Rehearsal, Report, Scenario, Terms, Time,
};
use densebots_protocols::xmpp::sasl::{Choice, Mechanism};
use densebots_protocols::xmpp::{self, Account, Identity, Tls, Xmpp};
use densebots_scenarios::target::xmpp::{Meddling, Service, XmppTarget};
use densebots_scenarios::{Parameter, Settings};

/// Shards of the bots and of the target.
const SHARDS: usize = 2;
/// No fault begins after this.
pub const HEAL: Duration = Duration::from_secs(12);
/// The bots' run drains.
pub const DRAIN: Duration = Duration::from_secs(30);
/// Everything is over.
const END: Duration = Duration::from_secs(50);
/// What is heard later is late.
pub const LATE: Duration = Duration::from_secs(5);

/// What a world is like.
pub struct Setting {
    pub seed: u64,
    pub bots: u32,
    pub faults: Faults,
    pub meddling: Meddling,
    /// Parameters of the scenario.
    pub set: &'static [(&'static str, &'static str)],
}

/// The seeds to play: the one in `DENSEBOTS_SEED` alone, or as many as `DENSEBOTS_SEEDS` says, or
/// as many as every test run has and those of `seeds.txt`.
pub fn seeds(otherwise: u64) -> Vec<u64> {
    let number = |name| {
        let text = std::env::var(name).ok()?;
        Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text:?} is no number")))
    };
    if let Some(seed) = number("DENSEBOTS_SEED") {
        return vec![seed];
    }
    let many = number("DENSEBOTS_SEEDS").unwrap_or(otherwise);
    (0..many).chain(known().filter(|seed| *seed >= many)).collect()
}

/// Those that once failed.
fn known() -> impl Iterator<Item = u64> {
    include_str!("seeds.txt").lines().map(|line| {
        let seed = line.split_whitespace().next().unwrap_or_default();
        seed.parse().unwrap_or_else(|_| panic!("tests/chats/seeds.txt: no seed in {line:?}"))
    })
}

impl Setting {
    /// A quiet world.
    pub fn quiet(seed: u64, set: &'static [(&'static str, &'static str)]) -> Setting {
        Setting { seed, bots: 20, faults: Faults::none(), meddling: Meddling::default(), set }
    }

    /// A bad network, of another kind for each seed.
    pub fn bad(seed: u64, set: &'static [(&'static str, &'static str)]) -> Setting {
        let faults = Faults::swarm(&mut Dice::new(seed));
        Setting { faults, ..Setting::quiet(seed, set) }
    }

    /// A network that delays and cuts up, but neither breaks anything nor holds it up for seconds.
    ///
    /// It is broad enough for `load` bytes a second to each bot. A connection has one receive
    /// buffer on its way at a time: where that is less than what is said in a round trip, what is
    /// said waits longer and longer and is late in the end, as it has to be.
    pub fn slow(seed: u64, set: &'static [(&'static str, &'static str)], load: u32) -> Setting {
        let setting = Setting::bad(seed, set);
        let mut faults = setting.faults.without_breaks();
        (faults.stall, faults.slow) = (0.0, 0.0);
        // Twice that: what is said does not come evenly.
        let least = (2.0 * f64::from(load) * round_trip_max(&faults).as_secs_f64()) as usize;
        for sizes in [&mut faults.send_buffer, &mut faults.receive_buffer] {
            *sizes = least.max(*sizes.start())..=least.max(*sizes.end());
        }
        Setting { faults, ..setting }
    }
}

/// The longest that there and back takes, unless it is held up.
pub fn round_trip_max(faults: &Faults) -> Duration {
    let jitter = if faults.jitter > 0.0 { *faults.jitter_by.end() } else { Duration::ZERO };
    2 * (*faults.latency.end() + jitter)
}

/// What came of it.
pub struct Played {
    pub bots: Report,
    pub target: Report,
    /// Bots online when the network had been well for a while.
    pub online: u64,
    pub seed: u64,
}

impl Played {
    pub fn delivery(&self) -> &Delivery {
        &self.bots.total.delivery
    }

    /// A counter by its name, of the bots.
    pub fn counter(&self, name: &str) -> u64 {
        let at = self.bots.names.counters.iter().position(|own| own == name);
        self.bots.total.counters[at.unwrap_or_else(|| panic!("no counter {name}"))]
    }

    /// Ops of this name that went well, and that did not.
    pub fn op(&self, name: &str) -> (u64, u64) {
        let at = self.bots.names.ops.iter().position(|own| own == name);
        let op = &self.bots.total.ops[at.unwrap_or_else(|| panic!("no op {name}"))];
        (op.ok, op.failed + op.timed_out)
    }

    /// Every delivery that was owed is in one class.
    pub fn adds_up(&self) {
        let own = self.delivery();
        let classes = own.delivered + own.missing + own.excused + own.bounced + own.unresolved;
        assert_eq!(own.expected, classes, "seed {}: {own:?}", self.seed);
        assert_eq!(own.delivered, own.each.count(), "seed {}", self.seed);
        assert_eq!(own.foreign, 0, "seed {}: all is of this run", self.seed);
    }
}

/// A login of somebody who is no bot of a scenario.
pub fn visitor(name: &str) -> Xmpp {
    let service = xmpp::Service {
        tls: Tls::Off,
        mechanism: Choice::Exactly(Mechanism::Plain),
        ..xmpp::Service::new("localhost")
    };
    let identity = Identity::password(name, "any").expect("prepared");
    Xmpp::new(Account { service: Arc::new(service), identity, resource: "r".into() })
}

pub fn plan(seed: u64, bots: u32) -> Plan {
    let endpoint = |port: u16| Endpoint {
        name: format!("target {port}"),
        address: ([127, 0, 0, 1], port).into(),
        weight: 1,
    };
    let hold = Duration::from_secs(3600);
    Plan {
        seed,
        load: Load::Closed { bots, arrival: Arrival::AtOnce, hold },
        endpoints: (0..SHARDS as u16).map(|nth| endpoint(7000 + nth)).collect(),
        shards: SHARDS,
        connect_timeout: Duration::from_secs(4),
        request_timeout: Duration::from_secs(4),
        reconnect: Backoff {
            first: Duration::from_millis(100),
            cap: Duration::from_secs(1),
            give_up: None,
        },
        liveness: Duration::from_secs(5),
        drain: Duration::from_secs(15),
        ledger: Terms { run: 7, late: LATE },
        ..Plan::default()
    }
}

/// Plays it to the end. An invariant of the engine that does not hold ends the test.
pub fn play<S: Scenario>(
    setting: &Setting,
    parameters: &[Parameter],
    make: impl Fn(&Settings, &Plan) -> (S, Plan),
) -> Played {
    let seed = setting.seed;
    let settings = Settings::of(parameters, setting.set.iter().copied()).expect("known");
    let mut stage = Rehearsal::new(seed, setting.faults.clone());
    stage.check_every(16);
    let service = Service { meddling: setting.meddling, ..Service::default() };
    let ears = plan(!seed, SHARDS as u32);
    let target = XmppTarget::new(&service, &ears);
    let target = stage.add("target", target, ears).expect("a plan");
    let (bots, plan) = make(&settings, &plan(seed, setting.bots));
    let bots = stage.add("bots", bots, plan).expect("a plan");
    let at = |moment: Duration| Time::ZERO + moment;
    let hold = |what: Result<(), densebots_engine::Broken>| {
        what.unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    };
    stage.world().heal(at(HEAL));
    hold(stage.run_until(at(DRAIN)));
    let online = stage.report(bots).bots.population.online;
    stage.command(bots, at(DRAIN), Command::Drain);
    hold(stage.run_until(at(END)));
    assert!(stage.ended(bots), "seed {seed}: the run did not end");
    stage.command(target, at(END), Command::Stop);
    hold(stage.run_until(at(END) + Duration::from_secs(2)));
    let (bots, target) = (stage.report(bots).clone(), stage.report(target).clone());
    Played { bots, target, online, seed }
}
