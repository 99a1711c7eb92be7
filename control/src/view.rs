//! What is shown while a run goes on: on a terminal a picture that is drawn again every second,
//! elsewhere a line a second. All of it on standard error.

use std::io::{self, Write};
use std::time::Duration;

use densebots_engine::metrics::OpMeter;
use densebots_engine::{Preflight, Snapshot};

use crate::paint::Paint;
use crate::units::{grouped, micros, per_second};

mod screen;
pub(crate) mod terminal;

/// What the view knows of the run beforehand.
pub(crate) struct Frame {
    /// The scenario.
    pub scenario: &'static str,
    /// How long it should take until the measure window begins, and the window.
    pub phases: (Duration, Duration),
    /// What the machine had at the start.
    pub preflight: Preflight,
    /// The target lives here too.
    pub embedded: bool,
    /// Keys are listened to.
    pub keys: bool,
}

/// A view of a run.
pub(crate) enum View {
    /// Nothing is shown.
    Quiet,
    /// A line a second.
    Plain,
    /// A picture, and how many lines of it are on the screen.
    Screen { frame: Box<Frame>, drawn: usize, paint: Paint },
}

impl View {
    /// The view that fits where standard error goes.
    pub(crate) fn fitting(quiet: bool, frame: Frame) -> View {
        match quiet {
            true => View::Quiet,
            false if terminal::draws() => {
                View::Screen { frame: Box::new(frame), drawn: 0, paint: Paint::on(&io::stderr()) }
            }
            false => View::Plain,
        }
    }

    /// Shows one second.
    pub(crate) fn show(&mut self, snapshot: &Snapshot) {
        match self {
            View::Quiet => {}
            View::Plain => tell(&(line(snapshot) + "\n")),
            View::Screen { frame, drawn, paint } => {
                let (columns, rows) = terminal::size();
                let lines = screen::lines(frame, snapshot, *paint, columns);
                let lines = &lines[..lines.len().min(rows.saturating_sub(1))];
                tell(&screen::redraw(lines, *drawn));
                *drawn = lines.len();
            }
        }
    }

    /// Says something between the pictures.
    pub(crate) fn say(&mut self, text: &str) {
        match self {
            View::Quiet => {}
            View::Plain => tell(&format!("{text}\n")),
            View::Screen { drawn, .. } => {
                tell(&(screen::redraw(&[text.to_owned()], *drawn)));
                *drawn = 0;
            }
        }
    }

    /// Says what was asked for by a flag of its own, also when quiet.
    pub(crate) fn trace(&mut self, line: &str) {
        match self {
            View::Quiet => tell(&format!("{line}\n")),
            _ => self.say(line),
        }
    }

    /// Wipes the picture away: the summary takes its place.
    pub(crate) fn close(&mut self) {
        if let View::Screen { drawn, .. } = self {
            tell(&screen::redraw(&[], *drawn));
            *drawn = 0;
        }
    }
}

/// Writes to standard error. Nobody reading it is no reason to stop.
fn tell(text: &str) {
    let mut out = io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Messages begun in this second, over all ops.
fn begun(snapshot: &Snapshot) -> f64 {
    let begun: u64 = snapshot.second.ops.iter().map(|op| op.begun).sum();
    begun as f64 / snapshot.span.as_secs_f64().max(1e-3)
}

fn heard(snapshot: &Snapshot) -> f64 {
    snapshot.second.events as f64 / snapshot.span.as_secs_f64().max(1e-3)
}

/// Open connections lost so far.
fn lost(snapshot: &Snapshot) -> u64 {
    let losses = snapshot.report.total.losses.iter();
    losses.filter(|loss| loss.lost.online).map(|loss| loss.count).sum()
}

/// What the ledger says of this second and, of what went wrong, of the run so far; nothing without
/// a ledger.
fn delivery(snapshot: &Snapshot) -> Option<String> {
    let (second, total) = (&snapshot.second.delivery, &snapshot.report.total.delivery);
    if snapshot.report.no_ledger().is_some() {
        return None;
    }
    let seconds = snapshot.span.as_secs_f64().max(1e-3);
    let mut text = format!("delivered {}", per_second(second.delivered as f64 / seconds));
    for (name, count) in [
        ("missing", total.missing),
        ("excused", total.excused),
        ("bounced", total.bounced),
        ("duplicated", total.duplicated),
        ("reordered", total.reordered),
        ("late", total.late),
    ] {
        if count > 0 {
            text.push_str(&format!("  {name} {}", grouped(count)));
        }
    }
    Some(text)
}

/// `p50 1 ms  p99 2 ms  max 3 ms`, or that there was nothing.
fn latencies(op: &OpMeter) -> String {
    if op.latency.count() == 0 {
        return "-".to_owned();
    }
    let at = |quantile| micros(op.latency.at(quantile));
    format!("p50 {}  p99 {}  max {}", at(0.5), at(0.99), micros(op.latency.max()))
}

/// A line names its ops also when nothing of them ended, unless there are more than these.
const OPS_ALWAYS: usize = 3;

/// One second in one line.
fn line(snapshot: &Snapshot) -> String {
    let (population, report) = (snapshot.second.population, &snapshot.report);
    let mut text = format!(
        "{:>5.0} s {:<5}  waiting {}  connecting {}  online {}  lost {}  done {}  failed {}  \
         out {}  in {}",
        snapshot.at.seconds(),
        if snapshot.paused { "pause" } else { snapshot.phase.name() },
        grouped(population.waiting),
        grouped(population.connecting),
        grouped(population.online),
        grouped(lost(snapshot)),
        grouped(population.done),
        grouped(population.failed),
        per_second(begun(snapshot)),
        per_second(heard(snapshot)),
    );
    for (name, op) in report.names.ops.iter().zip(&snapshot.second.ops) {
        if report.names.ops.len() > OPS_ALWAYS && op.latency.count() == 0 {
            continue;
        }
        text.push_str(&format!("  {name} {}", latencies(op)));
    }
    if let Some(ledger) = delivery(snapshot) {
        text.push_str(&format!("  {ledger}"));
    }
    text.push_str(&format!("  lag p99 {}", micros(snapshot.second.lag.at(0.99))));
    if !snapshot.limited.is_empty() {
        text.push_str(&format!("  limited: {}", snapshot.limited.join(", ")));
    }
    text
}
