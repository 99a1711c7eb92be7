//! What these tests stand on: short plans, waiting for a snapshot, a target that lives as long as
//! its test.

use std::net::SocketAddr;
use std::time::Duration;

use densebots_engine::{Arrival, Endpoint, Load, Plan, Run, Snapshot, StartError};
use densebots_scenarios::target::Speaks;

/// Nothing here takes so long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any test waits: who wants the end of a run asks for it.
pub(crate) const HOLD: Duration = Duration::from_secs(600);

/// A plan for `bots` that come at once and stay until they are told to leave.
pub(crate) fn plan(endpoints: Vec<Endpoint>, bots: u32) -> Plan {
    Plan {
        endpoints,
        shards: 2,
        load: Load::Closed { bots, arrival: Arrival::AtOnce, hold: HOLD },
        sample_every: Duration::from_millis(20),
        ..Plan::default()
    }
}

/// The embedded target, two shards wide.
pub(crate) fn target() -> (Run, Vec<Endpoint>) {
    densebots_scenarios::serve_here(Speaks::Echo, 2).expect("ports on loopback")
}

pub(crate) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint { name: address.to_string(), address, weight: 1 }
}

/// Looks at snapshots until one is as wanted.
pub(crate) fn until(run: &Run, wanted: &str, so: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut last = None;
    loop {
        match run.snapshot(PATIENCE) {
            Some(snapshot) if so(&snapshot) => return snapshot,
            Some(snapshot) => last = Some(snapshot),
            None => panic!("waited in vain for {wanted}; the last snapshot was {last:#?}"),
        }
        let ran = last.as_ref().map_or(0, |snapshot| snapshot.at.nanos());
        let ran = Duration::from_nanos(ran);
        assert!(ran < HOLD, "the run is over and {wanted} did not come");
    }
}

/// Waits until so many bots are online.
pub(crate) fn until_online(run: &Run, bots: u64) -> Snapshot {
    until(run, "a population", |snapshot| snapshot.second.population.online == bots)
}

/// Starts and expects that it can.
pub(crate) fn begun(run: Result<Run, StartError>) -> Run {
    run.expect("a plan that can run")
}
