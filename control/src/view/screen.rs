//! The picture of one second: pure text, drawn over the one before.

use std::fmt::Write;
use std::time::Duration;

use densebots_engine::limits::Amount;
use densebots_engine::{Phase, Snapshot};

use super::Frame;
use crate::fold::fold;
use crate::paint::Paint;
use crate::units::{grouped, micros, per_second, size, span};

/// Columns of the bar.
const BAR: usize = 24;
/// Columns of the labels.
const LABEL: usize = 11;

/// How a row of the picture is to be taken.
enum Tone {
    Plain,
    Strong,
    Doubt,
    Faint,
}

/// The lines of the picture, none wider than the terminal.
pub(super) fn lines(
    frame: &Frame,
    snapshot: &Snapshot,
    paint: Paint,
    columns: usize,
) -> Vec<String> {
    let doubt = |doubt| if doubt { Tone::Doubt } else { Tone::Plain };
    let lost = super::lost(snapshot) + snapshot.second.population.failed > 0;
    let mut rows = vec![
        (Tone::Strong, progress(frame, snapshot)),
        (doubt(lost), bots(snapshot)),
        (Tone::Plain, traffic(snapshot)),
    ];
    rows.extend(ops(snapshot).map(|text| (Tone::Plain, text)));
    rows.extend(super::delivery(snapshot).map(|text| (Tone::Plain, row("delivery", &text))));
    rows.push((doubt(!snapshot.limited.is_empty()), generator(snapshot)));
    rows.push((Tone::Plain, left(frame, snapshot)));
    rows.push((Tone::Plain, memory(frame, snapshot)));
    if frame.keys {
        let keys = row("keys", "+ - one per cent of the bots   p pause   d drain   q stop");
        rows.push((Tone::Faint, keys));
    }
    let mut lines = Vec::new();
    for (tone, text) in rows {
        // Colours come after the fold, so that none is left switched on.
        lines.extend(fold(&text, columns.saturating_sub(1), LABEL).iter().map(|line| match tone {
            Tone::Plain => line.clone(),
            Tone::Strong => paint.strong(line),
            Tone::Doubt => paint.doubt(line),
            Tone::Faint => paint.faint(line),
        }));
    }
    lines
}

/// Ops of which something ended in this second, or all where they are few.
fn ops(snapshot: &Snapshot) -> impl Iterator<Item = String> {
    let names = &snapshot.report.names.ops;
    names.iter().zip(&snapshot.second.ops).filter_map(|(name, op)| {
        let errors = op.failed + op.timed_out + op.dropped;
        if names.len() > super::OPS_ALWAYS && op.latency.count() + errors == 0 {
            return None;
        }
        let mut text = row(name, &super::latencies(op));
        if errors > 0 {
            let _ = write!(
                text,
                "   failed {}  timed out {}  dropped {}",
                grouped(op.failed),
                grouped(op.timed_out),
                grouped(op.dropped)
            );
        }
        Some(text)
    })
}

/// What to write so that `lines` stand where `drawn` lines stood.
pub(super) fn redraw(lines: &[String], drawn: usize) -> String {
    let mut text = String::new();
    if drawn > 0 {
        let _ = write!(text, "\x1b[{drawn}A");
    }
    text.push('\r');
    for line in lines {
        let _ = writeln!(text, "{line}\x1b[K");
    }
    text.push_str("\x1b[J");
    text
}

fn row(label: &str, text: &str) -> String {
    format!("{label:<10} {text}")
}

fn progress(frame: &Frame, snapshot: &Snapshot) -> String {
    let gone = Duration::from_nanos(snapshot.at.nanos());
    let (ramp, hold) = frame.phases;
    let (done, of) = match snapshot.phase {
        Phase::Ramp | Phase::Warm => (gone, ramp),
        Phase::Hold => (snapshot.report.window, hold),
        Phase::Cool | Phase::Sweep | Phase::Drain | Phase::Ended => {
            (Duration::ZERO, Duration::ZERO)
        }
    };
    let phase = if snapshot.paused { "paused" } else { snapshot.phase.name() };
    let mut text = row(frame.scenario, &format!("{phase:<6} "));
    if of.is_zero() {
        let _ = write!(text, "{} in all", span(Duration::from_secs(gone.as_secs())));
        return text;
    }
    let share = (done.as_secs_f64() / of.as_secs_f64()).clamp(0.0, 1.0);
    let filled = (share * BAR as f64).round() as usize;
    let bar = "█".repeat(filled) + &"░".repeat(BAR - filled);
    let _ = write!(
        text,
        "{bar} {} of {}",
        span(Duration::from_secs(done.as_secs_f64().round() as u64)),
        span(of)
    );
    text
}

fn bots(snapshot: &Snapshot) -> String {
    let population = snapshot.second.population;
    let of = match snapshot.report.bots.target {
        0 => String::new(),
        target => format!(" of {}", grouped(target)),
    };
    row(
        "bots",
        &format!(
            "waiting {}   connecting {}   online {}{of}   lost {}   done {}   failed {}",
            grouped(population.waiting),
            grouped(population.connecting),
            grouped(population.online),
            grouped(super::lost(snapshot)),
            grouped(population.done),
            grouped(population.failed),
        ),
    )
}

fn traffic(snapshot: &Snapshot) -> String {
    let seconds = snapshot.span.as_secs_f64().max(1e-3);
    let rate = |bytes: u64| size((bytes as f64 / seconds) as u64);
    let meter = &snapshot.second;
    row(
        "messages",
        &format!(
            "out {} ({}/s)   in {} ({}/s)   connects {}",
            per_second(super::begun(snapshot)),
            rate(meter.sent),
            per_second(super::heard(snapshot)),
            rate(meter.received),
            per_second(meter.connect.count() as f64 / seconds),
        ),
    )
}

fn generator(snapshot: &Snapshot) -> String {
    let meter = &snapshot.second;
    let mut text = format!(
        "lag p99 {}   turn p99 {}   busiest shard {:.0} %",
        micros(meter.lag.at(0.99)),
        micros(meter.turn.at(0.99)),
        snapshot.busiest * 100.0,
    );
    if meter.unsent > 0 {
        let _ = write!(text, "   unsent {}", size(meter.unsent));
    }
    if !snapshot.limited.is_empty() {
        let _ = write!(text, "   limited: {}", snapshot.limited.join(", "));
    }
    row("generator", &text)
}

/// What is left of the amounts that the preflight knew, at the present number of links.
fn left(frame: &Frame, snapshot: &Snapshot) -> String {
    let flight = &frame.preflight;
    let share = snapshot.second.links as f64 / flight.connections.max(1) as f64;
    let rest = |amount: Amount, fixed: u64| {
        let used = fixed as f64 + (amount.needed - fixed) as f64 * share;
        amount.present.saturating_sub(used as u64)
    };
    // What a table holds besides connections is there from the start.
    let shards = if flight.split { u64::from(flight.shards) } else { 1 };
    let each = (flight.connections * if flight.split || !frame.embedded { 1 } else { 2 })
        .div_ceil(shards.max(1));
    let fixed = flight.descriptors.needed.saturating_sub(each);
    row(
        "left",
        &format!(
            "descriptors {} of {} a table   ports {} of {}",
            grouped(rest(flight.descriptors, fixed)),
            grouped(flight.descriptors.present),
            grouped(rest(flight.ports, 0)),
            grouped(flight.ports.present),
        ),
    )
}

fn memory(frame: &Frame, snapshot: &Snapshot) -> String {
    let own = &snapshot.report.generator;
    let bytes = |number: Option<u64>| number.map_or("-".to_owned(), grouped);
    row(
        "memory",
        &format!(
            "{} at most   per bot: user {} B, kernel {} B{}",
            size(own.rss_bytes),
            bytes(own.user_bytes_per_bot),
            bytes(own.kernel_bytes_per_bot),
            if frame.embedded { " (both ends)" } else { "" },
        ),
    )
}
