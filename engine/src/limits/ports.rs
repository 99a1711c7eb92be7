//! Source ports: a connection is a tuple of source address, source port and endpoint, and each pair
//! of source address and endpoint has one range of ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::sources::SOURCES_MAX;
use super::{Amount, Demand, Finding, Level, Machine, SOURCE_ADDRESSES, SOURCE_PORTS};
use super::{TIME_WAIT_PORTS, fewer_connections, share};

/// Seconds Linux keeps a tuple in TIME_WAIT. Fixed in the kernel.
const TIME_WAIT_SECONDS: u64 = 60;
/// Seconds after which `tcp_tw_reuse` gives a tuple in TIME_WAIT to a new connection.
const REUSE_SECONDS: u64 = 1;
/// The widest range of ports that leaves the well-known ones alone.
const WIDEST: (u16, u16) = (1_024, 65_535);

/// The way to one endpoint.
#[derive(Clone, Copy, Debug)]
struct Route {
    to: SocketAddr,
    /// Source addresses of this route.
    sources: u64,
    /// Ports of all its sources.
    ports: u64,
    /// Connections open at the same time.
    live: u64,
    /// Tuples in TIME_WAIT.
    waiting: u64,
    /// The same after `tcp_tw_reuse` was turned on for it.
    waiting_reused: u64,
}

impl Route {
    fn live(&self) -> Amount {
        Amount { needed: self.live, present: self.ports }
    }

    fn seconds(&self) -> Amount {
        Amount { needed: self.live.saturating_add(self.waiting), present: self.ports }
    }
}

/// The ports of a run.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) sources: Vec<IpAddr>,
    pub(super) sources_needed: u64,
    /// The routes with the fewest ports for their connections, without and with TIME_WAIT.
    live: Option<Route>,
    seconds: Option<Route>,
    /// An endpoint that some of the given sources cannot reach: those that can, and all.
    astray: Option<(SocketAddr, Amount)>,
}

impl Ports {
    pub(super) fn of(machine: &Machine, demand: &Demand) -> Ports {
        let mut ports = Ports {
            sources: demand.sources.clone(),
            sources_needed: 0,
            live: None,
            seconds: None,
            astray: None,
        };
        ports.sources.sort_unstable();
        ports.sources.dedup();
        let kinds = Kinds::of(&ports.sources);
        let automatic = ports.sources.is_empty();
        let mut endpoints = demand.endpoints.clone();
        endpoints.sort_unstable();
        let mut spread = 0;
        for same in endpoints.chunk_by(|a, b| a == b) {
            let mut route = route(machine, demand, same);
            let wanted = addresses(machine, route.seconds().needed);
            ports.sources_needed = ports.sources_needed.max(wanted);
            let (usable, given) = kinds.towards(&route.to);
            if usable < given && ports.astray.is_none() {
                ports.astray = Some((route.to, Amount { needed: given, present: usable }));
            }
            route.sources = if automatic && spreads(&route.to) {
                spread = wanted.min(SOURCES_MAX as u64).max(spread);
                wanted.min(SOURCES_MAX as u64)
            } else {
                usable.max(1)
            };
            route.ports = machine.ports().saturating_mul(route.sources);
            ports.live = scarcer(ports.live, route, Route::live);
            ports.seconds = scarcer(ports.seconds, route, Route::seconds);
        }
        if spread > 1 {
            ports.sources = loopback(spread as usize, &endpoints);
        }
        ports
    }

    /// The scarcest ports, without those in TIME_WAIT.
    pub(super) fn live(&self) -> Amount {
        self.live.map(|route| route.live()).unwrap_or_default()
    }

    /// The scarcest ports, with those in TIME_WAIT, if there are any.
    pub(super) fn seconds(&self) -> Option<Amount> {
        self.seconds.filter(|route| route.waiting > 0).map(|route| route.seconds())
    }

    pub(super) fn findings(&self, machine: &Machine, demand: &Demand) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some((to, amount)) = self.astray {
            let cure = || format!("--source with addresses that reach {} only", to.ip());
            findings.push(amount.finding(Level::Refusal, SOURCE_ADDRESSES, "addresses", cure));
        }
        if let Some(route) = self.live {
            let amount = route.live();
            findings.push(amount.finding(half_full(amount), SOURCE_PORTS, "ports", || {
                cure(machine, demand, &route, amount)
            }));
        }
        if let Some(route) = self.seconds.filter(|route| route.waiting > 0) {
            let amount = route.seconds();
            let reused = route.live.saturating_add(route.waiting_reused);
            findings.push(amount.finding(half_full(amount), TIME_WAIT_PORTS, "ports", || {
                if reused < amount.needed && reused <= usable(amount, amount.present) {
                    let near = demand.endpoints.iter().all(|to| to.ip().is_loopback());
                    let scope = if near { 2 } else { 1 };
                    return format!("--close rst, or sysctl -w net.ipv4.tcp_tw_reuse={scope}");
                }
                cure(machine, demand, &route, amount)
            }));
        }
        findings
    }
}

/// Counts of given sources by what they reach, so that a route does not walk over all of them.
struct Kinds {
    v4: u64,
    v4_loopback: u64,
    v6: u64,
    v6_loopback: u64,
}

impl Kinds {
    fn of(sources: &[IpAddr]) -> Kinds {
        let count = |test: &dyn Fn(&IpAddr) -> bool| {
            sources.iter().filter(|source| test(source)).count() as u64
        };
        Kinds {
            v4: count(&|source| source.is_ipv4()),
            v4_loopback: count(&|source| source.is_ipv4() && source.is_loopback()),
            v6: count(&|source| source.is_ipv6()),
            v6_loopback: count(&|source| source.is_ipv6() && source.is_loopback()),
        }
    }

    /// Sources of the endpoint's family: those that reach it, and all.
    fn towards(&self, to: &SocketAddr) -> (u64, u64) {
        let (all, loopback) =
            if to.is_ipv4() { (self.v4, self.v4_loopback) } else { (self.v6, self.v6_loopback) };
        let usable = if to.ip().is_loopback() { all } else { all - loopback };
        (usable, all)
    }
}

/// The share of one endpoint, which stands in the list as often as `same` is long.
fn route(machine: &Machine, demand: &Demand, same: &[SocketAddr]) -> Route {
    let to = same[0]; // chunks are never empty
    let (part, whole) = (same.len() as u64, demand.endpoints.len() as u64);
    let churn = if demand.closes_first { demand.churn() } else { 0 };
    let waiting = |seconds: u64| {
        let all = churn.saturating_mul(seconds).min(machine.tcp_max_tw_buckets);
        share(all, part, whole)
    };
    let reused = match machine.tcp_tw_reuse {
        0 => false,
        2 => to.ip().is_loopback(),
        _ => true,
    };
    Route {
        to,
        sources: 1,
        ports: 0,
        live: share(demand.connections, part, whole),
        waiting: waiting(if reused { REUSE_SECONDS } else { TIME_WAIT_SECONDS }),
        waiting_reused: waiting(REUSE_SECONDS),
    }
}

/// Only IPv4 loopback has addresses to spare: IPv6 has `::1` alone, and those of a real interface
/// are for the user to name.
fn spreads(to: &SocketAddr) -> bool {
    to.is_ipv4() && to.ip().is_loopback()
}

/// Source addresses with which each range of ports is at most half full.
fn addresses(machine: &Machine, tuples: u64) -> u64 {
    if tuples == 0 { 1 } else { share(tuples, 2, machine.ports()).max(1) }
}

fn scarcer(old: Option<Route>, new: Route, of: fn(&Route) -> Amount) -> Option<Route> {
    let ratio = |a: Amount, b: Amount| u128::from(a.needed) * u128::from(b.present);
    match old {
        Some(old) if ratio(of(&old), of(&new)) >= ratio(of(&new), of(&old)) => Some(old),
        _ => Some(new),
    }
}

/// Ports are slow to find from half of a range on, and gone at the end of it.
fn half_full(amount: Amount) -> Level {
    match amount.needed {
        needed if needed > amount.present => Level::Refusal,
        needed if needed > amount.present / 2 => Level::Warning,
        _ => Level::Fine,
    }
}

/// How many of these ports may be used: only half of them if a warning is to be cured.
fn usable(amount: Amount, ports: u64) -> u64 {
    if half_full(amount) == Level::Warning { ports / 2 } else { ports }
}

/// The one thing that gives a route enough ports.
fn cure(machine: &Machine, demand: &Demand, route: &Route, amount: Amount) -> String {
    let tuples = amount.needed;
    let automatic = demand.sources.is_empty();
    let wanted = addresses(machine, tuples);
    let (low, high) = WIDEST;
    let widest = (u64::from(high - low) + 1).saturating_sub(machine.reserved_ports.into());
    if spreads(&route.to) && !automatic && wanted <= SOURCES_MAX as u64 - 2 {
        // Network and broadcast address of a range are not used.
        let open = (wanted + 2).next_power_of_two().ilog2();
        return format!("--source 127.0.0.0/{}", 32 - open);
    }
    if widest > machine.ports() && tuples <= usable(amount, widest.saturating_mul(route.sources)) {
        return format!("sysctl -w net.ipv4.ip_local_port_range=\"{low} {high}\"");
    }
    if wanted > SOURCES_MAX as u64 {
        // Those in TIME_WAIT may stay as many.
        let waiting = tuples.saturating_sub(route.live);
        let most = u128::from((route.ports / 2).saturating_sub(waiting));
        let fit = u128::from(demand.connections) * most / u128::from(route.live.max(1));
        return fewer_connections(u64::try_from(fit).unwrap_or(u64::MAX));
    }
    if route.to.is_ipv6() && route.to.ip().is_loopback() {
        return format!("--via 127.0.0.1:{} (IPv6 loopback has one source)", route.to.port());
    }
    let least = tuples.div_ceil(machine.ports().max(1));
    format!("--source with {wanted} addresses of this machine (at least {least})")
}

/// The first `count` addresses of 127.0.0.0/8 that end neither in 0 nor in 255 and are no endpoint:
/// towards its own address a socket can connect to itself when nobody listens, and would count as
/// online.
fn loopback(count: usize, endpoints: &[SocketAddr]) -> Vec<IpAddr> {
    let addresses = 1..0x00ff_ffff_u32;
    addresses
        .filter(|host| !matches!(host & 0xff, 0 | 255))
        .map(|host| IpAddr::V4(Ipv4Addr::from_bits(0x7f00_0000 | host)))
        .filter(|address| !endpoints.iter().any(|endpoint| endpoint.ip() == *address))
        .take(count)
        .collect()
}
