//! `densebots serve`: a target, for bots of this or another machine to try themselves on.

use std::io::{self, Write};
use std::net::TcpListener;
use std::time::Duration;

use anyhow::Result;
use densebots_engine::{Command, Report};
use densebots_scenarios::target::Speaks;

use crate::args::ServeFlags;
use crate::ending::{Ending, usage};
use crate::names;
use crate::signals::Signals;
use crate::target::{self, Offer};
use crate::units::{grouped, per_second, size};

/// How often signals are looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// Serves until a signal comes; embedded, until standard input ends.
pub(crate) fn serve(flags: &ServeFlags) -> Result<Ending> {
    let offer = Offer::of(flags, speaks(&flags.speaks)?)?;
    if let Some(shards) = flags.embedded {
        target::live(&offer, shards, flags.split_tables, flags.capacity)?;
        return Ok(Ending::Passed);
    }
    if flags.listen.is_empty() {
        return Err(usage("--listen: give at least one address, such as 127.0.0.1:7000"));
    }
    for address in &flags.listen {
        let free = TcpListener::bind(address).map(drop);
        free.map_err(|error| usage(format!("--listen {address}: {error}")))?;
    }
    let signals = Signals::watch()?;
    let plan = target::plan(&flags.listen, flags.split_tables, flags.capacity);
    if let Some(hash) = &offer.fingerprint {
        let _ = writeln!(io::stdout(), "certificate {hash}");
        if !flags.quiet {
            let _ = writeln!(io::stderr(), "bots believe it with --pin {hash}");
        }
    }
    let run = offer.start(plan, |address| {
        let _ = writeln!(io::stdout(), "listening on {address}");
    })?;
    let wanted = flags.listen.len() as u64;
    let mut last = (u64::MAX, 0);
    while !run.ended() {
        if signals.asked() {
            let _ = run.command(Command::Stop);
            let report = run.finish();
            if !flags.quiet {
                let _ = write!(io::stderr(), "{}", counted(&report));
            }
            return Ok(Ending::Passed);
        }
        let Some(snapshot) = run.snapshot(GLANCE) else { continue };
        let second = &snapshot.second;
        if second.population.online < wanted && snapshot.at.seconds() > 1.0 {
            let limits: Vec<&str> = second.limits.iter().map(|(name, _)| *name).collect();
            let lost: Vec<&str> =
                snapshot.report.total.losses.iter().map(|loss| loss.lost.condition).collect();
            let why = [limits, lost].concat().join(", ");
            anyhow::bail!("cannot listen on every address of --listen: {why}");
        }
        let now = (second.accepted, second.events);
        if !flags.quiet && now != last && last != (0, now.1) {
            let _ = writeln!(
                io::stderr(),
                "{} connections   in {} messages, {}/s   out {}/s",
                grouped(second.accepted),
                per_second(second.events as f64),
                size(second.received),
                size(second.sent),
            );
        }
        last = now;
    }
    anyhow::bail!("the target ended: {}", run.finish().failures().join("; "))
}

/// What it did beside serving, such as every fault of its own: a counter a line.
fn counted(report: &Report) -> String {
    let counters = report.names.counters.iter().zip(&report.total.counters);
    counters
        .filter(|(_, count)| **count > 0)
        .map(|(name, count)| format!("{name} {count}\n"))
        .collect()
}

fn speaks(name: &str) -> Result<Speaks> {
    let known = || Speaks::ALL.iter().map(|(name, _)| *name);
    if let Some((_, speaks)) = Speaks::ALL.iter().find(|(own, _)| *own == name) {
        return Ok(*speaks);
    }
    let hint = names::hint(names::nearest(name, known()));
    let all: Vec<_> = known().collect();
    let all = all.join(", ");
    Err(usage(format!("`{name}` is nothing a target speaks (there is {all}){hint}")))
}
