//! The embedded target: this same program again, in its own process, for as long as we live.
//!
//! It holds the other end of its standard input. However we end, that end closes, and so it ends
//! too. It says where it listens on its standard output, an address a line, and before them, if it
//! speaks TLS, which certificate it has made: `certificate sha256:HEX`.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use densebots_engine::limits::SOURCES_MAX;
use densebots_engine::{Arrival, Endpoint, Load, Plan};
use densebots_scenarios::target::Speaks;

use crate::args::TlsWay;
use crate::secure;

mod offer;
pub(crate) use offer::Offer;

/// Connections a shard of the target has room for beyond its share: bots that come back take a
/// place while the one they lost is still being cleared away.
const SLACK_PER_SHARD: u32 = 1_024;
/// Bytes that one bot may leave unread before the target gives it up. A quarter of what a generator
/// allows a server: a hundred thousand bots that never read must not fill the machine, and behind
/// a full socket buffer it still holds what a join of a room of a thousand brings.
const UNREAD_MAX: usize = 256 << 10;
/// "For ever": a target ends when it is told to.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A target that runs.
pub(crate) struct Embedded {
    child: Child,
    /// Open as long as the target is to live.
    life: Option<ChildStdin>,
    /// Where it listens, one address a shard.
    pub addresses: Vec<SocketAddr>,
    /// The hash of its certificate, if it speaks TLS.
    pub certificate: Option<[u8; 32]>,
}

/// What a target is to be like.
pub(crate) struct Wanted<'a> {
    /// What it speaks.
    pub speaks: Speaks,
    /// Its threads, each with a port.
    pub shards: u32,
    /// A descriptor table a shard.
    pub split_tables: bool,
    /// Room for so many connections.
    pub connections: u32,
    /// How it encrypts.
    pub tls: TlsWay,
    /// It hands out tickets.
    pub tickets: bool,
    /// Its domain, where it has one.
    pub domain: Option<&'a str>,
}

/// What begins the line that tells the certificate.
const CERTIFICATE: &str = "certificate ";

impl Embedded {
    /// Starts a target.
    pub(crate) fn start(wanted: &Wanted<'_>) -> Result<Embedded> {
        let name = Speaks::ALL.iter().find(|(_, spoken)| *spoken == wanted.speaks);
        let program = std::env::current_exe().context("where this program lies")?;
        let mut command = Command::new(program);
        command
            .args(["serve", name.map_or("echo", |(name, _)| name)])
            .args(["--embedded", &wanted.shards.to_string()])
            .args(["--capacity", &wanted.connections.to_string()])
            .args(wanted.split_tables.then_some("--split-tables"))
            .args(["--tls", wanted.tls.word()])
            .args(wanted.tickets.then_some("--tickets"))
            .args(wanted.domain.map(|domain| ["--domain", domain]).into_iter().flatten())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0); // Ctrl-C is ours: the target stays until its bots have left
        let mut child = command.spawn().context("starting the embedded target")?;
        let life = child.stdin.take();
        let told = child.stdout.take().context("the embedded target's output")?;
        let mut embedded = Embedded { child, life, addresses: Vec::new(), certificate: None };
        let mut lines = BufReader::new(told).lines();
        while embedded.addresses.len() < wanted.shards as usize
            && let Some(line) = lines.next().transpose()?
        {
            match line.strip_prefix(CERTIFICATE) {
                Some(hash) => embedded.certificate = Some(secure::pin(hash)?),
                None => {
                    let address = line.parse().context("the embedded target's address")?;
                    embedded.addresses.push(address);
                }
            }
        }
        if embedded.addresses.len() < wanted.shards as usize {
            bail!("the embedded target did not start ({})", embedded.end()?);
        }
        Ok(embedded)
    }

    /// Its addresses as endpoints.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        let endpoint = |address: &SocketAddr| Endpoint {
            name: address.to_string(),
            address: *address,
            weight: 1,
        };
        self.addresses.iter().map(endpoint).collect()
    }

    /// What it has cost so far; nothing once it has ended.
    pub(crate) fn cost(&self) -> Cost {
        Cost::of(&format!("/proc/{}", self.child.id())).unwrap_or_default()
    }

    /// How it ended, if it did before it was told to.
    pub(crate) fn ended_early(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Ends it.
    pub(crate) fn end(&mut self) -> io::Result<ExitStatus> {
        self.life = None;
        self.child.wait()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// What a process has cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// CPU time, user and system.
    pub(crate) cpu: Duration,
    /// Anonymous memory now.
    pub(crate) rss_bytes: u64,
}

impl Cost {
    fn of(process: &str) -> Option<Cost> {
        let stat = fs::read_to_string(format!("{process}/stat")).ok()?;
        // Behind the name, which may hold anything, come the fields from the third on.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        let status = fs::read_to_string(format!("{process}/status")).ok()?;
        let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        let kib: u64 = memory.split_whitespace().next()?.parse().ok()?;
        let second = rustix::param::clock_ticks_per_second().max(1) as f64;
        let cpu = Duration::from_secs_f64(ticks as f64 / second);
        Some(Cost { cpu, rss_bytes: kib * 1024 })
    }
}

/// The plan of a target that listens on these addresses, one shard each.
pub(crate) fn plan(listen: &[SocketAddr], split_tables: bool, connections: u32) -> Plan {
    let endpoint =
        |address: &SocketAddr| Endpoint { name: address.to_string(), address: *address, weight: 1 };
    let shards = listen.len() as u32;
    Plan {
        endpoints: listen.iter().map(endpoint).collect(),
        shards: listen.len(),
        split_tables,
        load: Load::Closed { bots: shards, arrival: Arrival::AtOnce, hold: FOR_EVER },
        capacity: connections.saturating_add(SLACK_PER_SHARD.saturating_mul(shards)),
        // Bots are judged by the generator; what is silent for long is simply idle here.
        liveness: FOR_EVER,
        unsent_max: UNREAD_MAX,
        ..Plan::default()
    }
}

/// The other side of [`Embedded`]: listens on ports of 127.0.0.1, says which, and lives until
/// standard input ends.
pub(crate) fn live(
    offer: &Offer,
    shards: usize,
    split_tables: bool,
    connections: u32,
) -> Result<()> {
    let shards = shards.clamp(1, SOURCES_MAX);
    let listen: Vec<SocketAddr> = vec![(Ipv4Addr::LOCALHOST, 0).into(); shards];
    let plan = plan(&listen, split_tables, connections);
    if let Some(hash) = &offer.fingerprint {
        let _ = writeln!(io::stdout(), "{CERTIFICATE}{hash}");
    }
    let run = offer.start(plan, |address| {
        let _ = writeln!(io::stdout(), "{address}");
    })?;
    // Nothing is ever said on it; it ends with the parent.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    std::mem::forget(run); // the kernel closes a million sockets faster than we would
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_holds_less_for_a_bot_than_a_generator_for_a_server() {
        let listen = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        let plan = plan(&listen, false, 10);
        assert!(plan.unsent_max * 4 <= Plan::default().unsent_max);
        assert!(plan.check().is_ok());
    }

    #[test]
    fn a_process_has_a_cost_as_long_as_it_lives() {
        assert!(Cost::of("/proc/self").is_some_and(|cost| cost.rss_bytes > 0));
        assert!(Cost::of("/proc/nobody").is_none());
    }
}
