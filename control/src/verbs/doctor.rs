//! `densebots doctor`: what this machine can hold, in exact figures.

use std::fmt::Write;
use std::io;

use anyhow::Result;
use densebots_engine::Preflight;
use densebots_engine::limits::{Finding, Level, Machine};

use crate::args::RunFlags;
use crate::ending::Ending;
use crate::meant::Meant;
use crate::paint::Paint;
use crate::units::{grouped, several, size};
use crate::verbs::run;
use crate::words;

/// Prints it; ends as the run would begin.
pub(crate) fn doctor(flags: &RunFlags) -> Result<Ending> {
    let meant = Meant::of(flags)?;
    if meant.preflight.refusal().is_none() {
        let ready = meant.ready()?;
        run::watch_of(&meant, flags, &ready)?;
    }
    let paint = Paint::on(&io::stdout());
    let text = format!("{}\n{}", words::plan(&meant, paint, usize::MAX), text(&meant, paint));
    crate::tell(&text);
    Ok(if meant.preflight.refusal().is_some() { Ending::Usage } else { Ending::Passed })
}

fn text(meant: &Meant, paint: Paint) -> String {
    let (flight, mut text) = (&meant.preflight, facts(&meant.machine));
    let _ = writeln!(text, "\n{}", paint.strong("what the run needs"));
    for finding in &flight.findings {
        let _ = writeln!(text, "{}", judged(finding, paint));
    }
    let _ = writeln!(
        text,
        "memory: user {}, kernel {}, both for {}",
        size(flight.memory_user),
        size(flight.memory_kernel),
        if meant.embedded { "bots and embedded target" } else { "the bots" },
    );
    let most = Preflight::largest(&meant.machine, &meant.demand);
    let _ = writeln!(text, "the most this machine holds of these: {}", grouped(most));
    let verdict = match flight.refusal() {
        Some(_) => paint.bad("refused"),
        None if flight.findings.iter().any(|f| f.level == Level::Warning) => {
            paint.doubt("possible, with warnings")
        }
        None => paint.good("fine"),
    };
    let bots = several(flight.connections, "connection");
    let _ = writeln!(text, "{bots} on {}: {verdict}", several(flight.shards.into(), "shard"));
    text
}

fn judged(finding: &Finding, paint: Paint) -> String {
    let told = words::told(finding);
    match finding.level {
        Level::Fine => format!("{}  {told}", paint.good("fine   ")),
        Level::Warning => format!("{}  {told}", paint.doubt("warning")),
        Level::Refusal => format!("{}  {told}", paint.bad("refused")),
    }
}

fn facts(machine: &Machine) -> String {
    let limit = |number: u64| match number {
        u64::MAX => "no limit".to_owned(),
        number => grouped(number),
    };
    let bytes = |number: u64| match number {
        u64::MAX => "unknown".to_owned(),
        number => size(number),
    };
    let conntrack = match machine.conntrack {
        None => "not loaded".to_owned(),
        Some(table) => format!("{} of {} entries used", grouped(table.count), grouped(table.max)),
    };
    let rows = [
        ("cores", grouped(machine.cores.into())),
        (
            "memory",
            format!(
                "{} available of {}",
                bytes(machine.memory_available),
                bytes(machine.memory_total)
            ),
        ),
        (
            "descriptors",
            format!(
                "{} a table at most (now {}); {} of {} open on the machine",
                limit(machine.descriptors_hard),
                limit(machine.descriptors_soft),
                grouped(machine.files_open),
                limit(machine.file_max),
            ),
        ),
        (
            "ports",
            format!(
                "{} to {}, {} reserved: {} for each pair of addresses",
                machine.port_low,
                machine.port_high,
                machine.reserved_ports,
                grouped(machine.ports()),
            ),
        ),
        (
            "TIME_WAIT",
            format!(
                "reuse {}, at most {}",
                machine.tcp_tw_reuse,
                limit(machine.tcp_max_tw_buckets)
            ),
        ),
        ("backlog", format!("somaxconn {}", grouped(machine.somaxconn))),
        ("conntrack", conntrack),
        (
            "TCP memory",
            format!("{} pages of {}", limit(machine.tcp_mem_pages_high), size(machine.page_size)),
        ),
        ("epoll", format!("{} watches a user", limit(machine.max_user_watches))),
    ];
    let mut text = String::new();
    for (name, fact) in rows {
        let _ = writeln!(text, "{name:<12} {fact}");
    }
    text
}
