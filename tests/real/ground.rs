//! Runs of built-in scenarios at a real server, as whoever uses the library would start them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use densebots_engine::metrics::Delivery;
use densebots_engine::{
    Arrival, Backoff, DialTls, Endpoint, Load, Plan, Report, Run, Snapshot, Terms, Tls, Trust,
};
use densebots_scenarios::{Settings, find};
use densebots_tests::servers::{Make, Server, shared};

/// A run that takes longer to look as it should is given up.
const PATIENCE: Duration = Duration::from_secs(45);

/// A run that is still to start.
pub(crate) struct Bots {
    scenario: &'static str,
    set: BTreeMap<&'static str, String>,
    /// As it will run.
    pub(crate) plan: Plan,
}

impl Bots {
    /// So many bots with accounts of the family. What makes them differ from those of other tests
    /// at the same server is set: accounts, and the number of the run.
    pub(crate) fn of(scenario: &'static str, server: &Server, family: &str, bots: u32) -> Bots {
        static RUNS: AtomicU32 = AtomicU32::new(1);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let set = BTreeMap::from([
            ("domain", server.domain.clone()),
            ("muc", server.muc.clone()),
            ("names", format!("{family}{{id}}")),
        ]);
        let plan = Plan {
            endpoints: vec![endpoint(server.plain())],
            shards: 1,
            load: Load::Closed {
                bots,
                arrival: Arrival::Constant(250.0),
                hold: Duration::from_millis(500),
            },
            sample_every: Duration::from_millis(100),
            // A server that waits for its share of a busy machine is slow, not wrong.
            connect_timeout: PATIENCE,
            request_timeout: PATIENCE,
            reconnect: Backoff { give_up: Some(0), ..Backoff::default() },
            ledger: Terms { run, late: PATIENCE },
            ..Plan::default()
        };
        Bots { scenario, set, plan }
    }

    /// So many jumpers, with rooms of the family.
    pub(crate) fn jump(server: &Server, family: &str, bots: u32) -> Bots {
        Bots::of("jumper", server, family, bots).set("room-names", &format!("{family}_{{id}}"))
    }

    /// Sets a parameter.
    pub(crate) fn set(mut self, name: &'static str, value: &str) -> Bots {
        self.set.insert(name, value.to_owned());
        self
    }

    /// How long they stay.
    pub(crate) fn lasting(mut self, lasting: Duration) -> Bots {
        if let Load::Closed { hold, .. } = &mut self.plan.load {
            *hold = lasting;
        }
        self
    }

    /// Over TLS, from the first byte or by STARTTLS, believing the server's own authority alone.
    pub(crate) fn over_tls(mut self, server: &Server, direct: bool) -> Bots {
        let trust = Trust::Roots(vec![server.ca_pem.clone().into_bytes()]);
        let dial = DialTls { name: server.domain.clone(), trust, identity: None };
        self.plan.tls = Some(Tls { direct, dial: Some(dial), ..Tls::default() });
        if direct {
            self.plan.endpoints = vec![endpoint(server.direct_tls())];
        }
        self
    }

    /// Starts them.
    pub(crate) fn start(self) -> Run {
        let scenario = find(self.scenario).expect("a built-in scenario");
        let set = self.set.iter().map(|(name, value)| (*name, value.as_str()));
        let settings = Settings::of(scenario.parameters, set).expect("it has these parameters");
        scenario.start(&settings, self.plan, None).expect("a plan that can run")
    }

    /// Runs them to the end.
    pub(crate) fn run(self) -> Report {
        self.start().finish()
    }
}

/// Where bots connect to.
pub(crate) fn endpoint(address: std::net::SocketAddr) -> Endpoint {
    Endpoint { name: address.to_string(), address, weight: 1 }
}

/// Makes the accounts of a family: `family1` to `family` and the number, each its own password.
pub(crate) fn accounts(server: &Server, family: &str, count: u32) {
    let names: Vec<String> = (1..=count).map(|id| format!("{family}{id}")).collect();
    server.register(names.iter().map(|name| (name.as_str(), name.as_str())));
}

/// Tries it at both servers, as far as they are here.
pub(crate) fn at_both(check: impl Fn(&Server)) {
    for server in Make::ALL.into_iter().filter_map(shared) {
        check(server);
    }
}

/// Waits until the run looks like that.
pub(crate) fn until(run: &Run, what: &str, reached: impl Fn(&Snapshot) -> bool) {
    let begun = Instant::now();
    let mut last = None;
    while begun.elapsed() < PATIENCE {
        let Some(snapshot) = run.snapshot(Duration::from_secs(1)) else { continue };
        if reached(&snapshot) {
            return;
        }
        last = Some((snapshot.second.population, snapshot.report.total.losses));
    }
    panic!("not {what} in time: {last:?}");
}

/// Waits until so many bots are online.
pub(crate) fn online(run: &Run, bots: u32) {
    until(run, "all online", |now| now.second.population.online == u64::from(bots));
}

/// Of an op: begun, succeeded.
pub(crate) fn op(report: &Report, name: &str) -> (u64, u64) {
    let at = report.names.ops.iter().position(|own| own == name).expect("the scenario has the op");
    (report.total.ops[at].begun, report.total.ops[at].ok)
}

/// Of a counter.
pub(crate) fn counter(report: &Report, name: &str) -> u64 {
    let at = report.names.counters.iter().position(|own| own == name);
    report.total.counters[at.expect("the scenario has the counter")]
}

/// Fails with what the report says of failures if not all bots got online, stayed, and ended well.
pub(crate) fn all_well(server: &Server, report: &Report) {
    let (make, losses) = (server.make.name(), &report.total.losses);
    assert_eq!(report.failures(), [""; 0], "{make}: {losses:?}\n{}", server.log());
    assert!(losses.is_empty(), "{make}: {losses:?}\n{}", server.log());
    let target = report.bots.target;
    assert_eq!(report.bots.population.done, target, "{make}: {:?}", report.bots);
    for (op, meter) in report.names.ops.iter().zip(&report.total.ops) {
        let wrong = meter.failed + meter.timed_out + meter.late;
        let ended = (meter.begun, meter.failed, meter.timed_out, meter.cut, meter.late);
        assert_eq!(wrong, 0, "{make}: {op}: begun, failed, timed out, cut, late {ended:?}");
    }
}

/// What the ledger counted, without its histograms.
pub(crate) fn counts(report: &Report) -> String {
    let Delivery { messages, expected, delivered, missing, excused, bounced, .. } =
        report.total.delivery;
    let Delivery { unresolved, duplicated, reordered, late, unowed, history, foreign, .. } =
        report.total.delivery;
    format!(
        "{messages} messages, {expected} expected = {delivered} delivered + {missing} missing + \
         {excused} excused + {bounced} bounced + {unresolved} unresolved; {duplicated} \
         duplicated, {reordered} reordered, {late} late, {unowed} unowed, {history} history, \
         {foreign} foreign"
    )
}
