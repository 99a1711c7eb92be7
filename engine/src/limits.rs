//! What this machine can hold: exact figures, before the start.
//!
//! [`Machine`] is what the machine allows, [`Demand`] what a run asks of it, [`Preflight::of`] the
//! arithmetic between the two. Only [`Machine::read`] looks at the world; the rest is pure, so that
//! a table of machines and demands tests it and a binary search can walk over it.
//!
//! Every limit has a name. The same name stands in a [`Finding`] before the run and in the answer
//! of [`local_limit`] during it, so that a report never blames the target for the generator's own
//! wall.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use machine::{Conntrack, Machine};
pub(crate) use pulse::Pulse;
pub use sources::{SOURCES_MAX, SourceError, SourceSpread, Sources, source_for};

mod capacity;
mod cgroup;
mod machine;
mod ports;
mod pulse;
mod sources;
mod tables;
#[cfg(test)]
mod tests;

/// A process's (after the split: a shard's) table is full: EMFILE.
pub const DESCRIPTORS_OF_A_TABLE: &str = "descriptors of a table";
/// The system-wide count of open files is used up: ENFILE.
pub const DESCRIPTORS_OF_THE_MACHINE: &str = "descriptors of the machine";
/// No free local port towards an endpoint: EADDRNOTAVAIL.
pub const SOURCE_PORTS: &str = "source ports";
/// Ports that wait out TIME_WAIT after we closed first.
pub const TIME_WAIT_PORTS: &str = "ports in TIME_WAIT";
/// A source address that cannot reach an endpoint.
pub const SOURCE_ADDRESSES: &str = "source addresses";
/// A local address and port that something else holds: EADDRINUSE.
pub const LOCAL_ADDRESS: &str = "local address in use";
/// Memory, user space and kernel together.
pub const MEMORY: &str = "memory";
/// Memory the kernel had none of: ENOMEM.
pub const KERNEL_MEMORY: &str = "kernel memory";
/// Buffers of sockets: ENOBUFS, and `tcp_mem` before the start.
pub const SOCKET_BUFFERS: &str = "socket buffers";
/// Entries of the connection tracking table. Full, it drops silently: connects time out.
pub const CONNTRACK: &str = "conntrack entries";
/// Sockets one user may watch with epoll: ENOSPC.
pub const EPOLL_WATCHES: &str = "epoll watches";
/// Connects that wait for the embedded target to accept them.
pub const BACKLOG: &str = "listen backlog";
/// Threads of the engine.
pub const SHARDS: &str = "shards";
/// Numbers of bots.
pub const BOT_IDS: &str = "bot ids";

/// Most bots of one process: their ids are 32 bits wide.
pub const CONNECTIONS_MAX: u64 = u32::MAX as u64;

/// What a run asks of the machine.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Connections open at the same time (bots times links of a bot).
    pub connections: u64,
    /// The number of shards the user asked for; `None`: as many as it takes.
    pub shards: Option<u32>,
    /// The addresses to dial, used evenly. One that stands here twice gets two shares.
    pub endpoints: Vec<SocketAddr>,
    /// The source addresses the user gave; empty: automatic.
    pub sources: Vec<IpAddr>,
    /// Most dials per second, redials included; zero or infinite: unknown.
    pub arrival_rate: f64,
    /// How long a connection lives before another takes its place; `None`: as long as the run.
    pub lifetime: Option<Duration>,
    /// Our side closes first, with a FIN: its ports then wait out TIME_WAIT.
    pub closes_first: bool,
    /// User-space bytes of one connection at our side.
    pub user_bytes_per_bot: u64,
    /// The embedded target runs on this machine: sockets, memory and files double.
    pub target_here: bool,
    /// Kernel bytes of one socket.
    pub bytes_per_connection_kernel: u64,
    /// User-space bytes of one side that do not depend on the number of connections.
    pub base_bytes: u64,
}

/// Nothing asked yet: an idle raw connection's cost (192 bytes user, 3,900 bytes kernel, as
/// measured on Linux 6.18) over a base of 32 MiB.
impl Default for Demand {
    fn default() -> Demand {
        Demand {
            connections: 0,
            shards: None,
            endpoints: Vec::new(),
            sources: Vec::new(),
            arrival_rate: 0.0,
            lifetime: None,
            closes_first: false,
            user_bytes_per_bot: 192,
            target_here: false,
            bytes_per_connection_kernel: 3_900,
            base_bytes: 32 << 20,
        }
    }
}

impl Demand {
    /// Ends of a connection that live on this machine.
    fn ends(&self) -> u64 {
        if self.target_here { 2 } else { 1 }
    }

    /// Sockets open on this machine at the same time.
    fn sockets(&self) -> u64 {
        self.connections.saturating_mul(self.ends())
    }

    /// Connections that end and are replaced per second, at full population.
    fn churn(&self) -> u64 {
        let Some(lifetime) = self.lifetime else { return 0 };
        if self.connections == 0 {
            return 0;
        }
        let replaced = self.connections as f64 / lifetime.as_secs_f64();
        let known = self.arrival_rate.is_finite() && self.arrival_rate > 0.0;
        let rate = if known { replaced.min(self.arrival_rate) } else { replaced };
        rate.ceil() as u64 // saturates
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// There is enough.
    Fine,
    /// It may hold, slowly or without slack.
    Warning,
    /// It cannot hold.
    Refusal,
}

/// One limit, what the run needs of it and what there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The limit's name, one of the constants of this module.
    pub limit: &'static str,
    /// How many the run needs.
    pub needed: u64,
    /// How many there are.
    pub present: u64,
    /// What is counted.
    pub unit: &'static str,
    /// The one flag or sysctl line that helps; empty if nothing has to.
    pub cure: String,
}

/// How much of something is needed and there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How much the run needs.
    pub needed: u64,
    /// How much there is.
    pub present: u64,
}

impl Amount {
    /// More than there is, more than nine tenths of it, or neither.
    fn level(self) -> Level {
        match self.needed {
            needed if needed > self.present => Level::Refusal,
            needed if needed > self.tight() => Level::Warning,
            _ => Level::Fine,
        }
    }

    /// From here on there is no slack: nine tenths of what there is.
    fn tight(self) -> u64 {
        self.present - self.present.div_ceil(10)
    }

    /// The finding about this amount; `cure` is asked only if one is needed.
    fn finding(
        self,
        level: Level,
        limit: &'static str,
        unit: &'static str,
        cure: impl FnOnce() -> String,
    ) -> Finding {
        let cure = if level == Level::Fine { String::new() } else { cure() };
        Finding { level, limit, needed: self.needed, present: self.present, unit, cure }
    }
}

/// What a run would need of a machine, and whether it gets it.
#[derive(Clone, Debug)]
pub struct Preflight {
    /// Connections this is about.
    pub connections: u64,
    /// Shards of the bots.
    pub shards: u32,
    /// Shards of the embedded target: as many again if it runs here, else none.
    pub target_shards: u32,
    /// Every shard takes a descriptor table of its own.
    pub split: bool,
    /// Descriptors of the fullest table.
    pub descriptors: Amount,
    /// Open files of the whole machine.
    pub files: Amount,
    /// Source ports towards the endpoint where they are scarcest.
    pub ports: Amount,
    /// Source addresses with which each range of ports is at most half full, for the endpoint that
    /// needs the most. From half on the kernel's search for a free one gets slow.
    pub sources_needed: u64,
    /// The source addresses to use, each family for itself; none: the system's choice.
    pub sources: Vec<IpAddr>,
    /// Source ports as above and those in TIME_WAIT; `None` if we leave none behind.
    pub port_seconds: Option<Amount>,
    /// User-space bytes of all ends that live here, base included.
    pub memory_user: u64,
    /// Kernel bytes of all sockets that live here.
    pub memory_kernel: u64,
    /// Bytes that can be had without swapping.
    pub memory_available: u64,
    /// Entries of connection tracking; `None` if the kernel has none.
    pub conntrack: Option<Amount>,
    /// Pages of socket buffers if every socket holds one at the same time.
    pub tcp_mem: Amount,
    /// All limits looked at: refusals first, and the scarcest first among equals.
    pub findings: Vec<Finding>,
}

impl Preflight {
    /// Compares a demand with a machine.
    pub fn of(machine: &Machine, demand: &Demand) -> Preflight {
        let tables = tables::Tables::of(machine, demand);
        let ports = ports::Ports::of(machine, demand);
        let total = tables.total();
        let mut findings = vec![tables.finding(machine, demand)];
        findings.extend(tables.bounds(demand));
        findings.extend(ports.findings(machine, demand));
        let capacity = capacity::Capacity::of(machine, demand, total);
        findings.extend(capacity.findings(machine, demand));
        findings.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| scarcer_first(a, b)));
        Preflight {
            connections: demand.connections,
            shards: tables.shards,
            target_shards: total - tables.shards,
            split: tables.split,
            descriptors: tables.amount,
            files: capacity.files,
            ports: ports.live(),
            sources_needed: ports.sources_needed,
            port_seconds: ports.seconds(),
            sources: ports.sources,
            memory_user: capacity.memory_user,
            memory_kernel: capacity.memory_kernel,
            memory_available: machine.memory_available,
            conntrack: capacity.conntrack,
            tcp_mem: capacity.tcp_mem,
            findings,
        }
    }

    /// The limit that refuses the run, the scarcest one if there are several.
    pub fn refusal(&self) -> Option<&Finding> {
        self.findings.first().filter(|first| first.level == Level::Refusal)
    }

    /// The largest number of connections that passes without refusal, everything else as demanded.
    pub fn largest(machine: &Machine, demand: &Demand) -> u64 {
        let mut demand = demand.clone();
        let mut passes = |connections| {
            demand.connections = connections;
            Preflight::of(machine, &demand).refusal().is_none()
        };
        // What passes never begins again above what is refused: every need grows with the count.
        let (mut low, mut high) = (0, CONNECTIONS_MAX);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if passes(middle) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }
}

/// Orders by how many times over the need is, the most first.
fn scarcer_first(a: &Finding, b: &Finding) -> std::cmp::Ordering {
    let left = u128::from(a.needed) * u128::from(b.present);
    let right = u128::from(b.needed) * u128::from(a.present);
    right.cmp(&left)
}

/// A cure: fewer connections, in a number one can remember.
fn fewer_connections(most: u64) -> String {
    match most {
        0 => String::from("a larger machine: it does not hold one connection"),
        1..10_000 => format!("--conns {most}"),
        _ => format!("--conns {}", most / 1_000 * 1_000),
    }
}

/// `value * part / whole`, rounded up; `u64::MAX` where it does not fit or `whole` is zero.
fn share(value: u64, part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return u64::MAX;
    }
    let exact = (u128::from(value) * u128::from(part)).div_ceil(u128::from(whole));
    u64::try_from(exact).unwrap_or(u64::MAX)
}

/// The generator's own limit behind an error of a socket call; `None` if the error is the peer's or
/// the network's.
///
/// EAGAIN is not among them: on every call but a connect it means "not yet", and TCP connects do
/// not give it. A full conntrack table gives no error at all, which is why it is looked at before.
pub fn local_limit(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error()? {
        libc::EMFILE => Some(DESCRIPTORS_OF_A_TABLE),
        libc::ENFILE => Some(DESCRIPTORS_OF_THE_MACHINE),
        libc::EADDRNOTAVAIL => Some(SOURCE_PORTS),
        libc::EADDRINUSE => Some(LOCAL_ADDRESS),
        libc::ENOBUFS => Some(SOCKET_BUFFERS),
        libc::ENOMEM => Some(KERNEL_MEMORY),
        libc::ENOSPC => Some(EPOLL_WATCHES),
        _ => None,
    }
}
