//! The plan in words, before anything runs.

use std::fmt::Write;

use densebots_engine::limits::{Finding, Level};
use densebots_engine::{Arrival, Load};

use crate::fold::fold;
use crate::meant::Meant;
use crate::paint::Paint;
use crate::units::{grouped, per_second, several, size, span};

/// What is about to happen, a line each; folded where they are wider than `columns`.
pub(crate) fn plan(run: &Meant, paint: Paint, columns: usize) -> String {
    let mut text = String::new();
    let mut tell = |line: &str, painted: &dyn Fn(&str) -> String| {
        fold(line, columns, 4).iter().for_each(|line| text.push_str(&(painted(line) + "\n")));
    };
    tell(&population(run), &|line| paint.strong(line));
    for line in [traffic(run), whereto(run), machine(run)] {
        tell(&format!("  {line}"), &str::to_owned);
    }
    for finding in run.preflight.findings.iter().filter(|f| f.level == Level::Warning) {
        tell(&format!("  warning: {}", told(finding)), &|line| paint.doubt(line));
    }
    text
}

fn population(run: &Meant) -> String {
    let tables = if run.plan.split_tables { " (descriptor tables of their own)" } else { "" };
    let shards = several(run.plan.shards as u64, "shard");
    match run.plan.load {
        Load::Closed { bots, arrival, hold } => {
            let bots = u64::from(bots);
            let arriving = match arrival {
                Arrival::AtOnce => "arriving at once".to_owned(),
                Arrival::Constant(rate) => format!("arriving at {}", per_second(rate)),
                Arrival::Ramp(over) => format!("arriving over {}", span(over)),
            };
            format!(
                "{}, {} on {shards}{tables}, {arriving}, held {}{}",
                several(bots, "bot"),
                several(bots, "connection"),
                span(hold),
                around(run)
            )
        }
        Load::Open { rate, lasting, live_max, .. } => format!(
            "bots arriving at {} for {}{}, at most {} live at once, on {shards}{tables}",
            per_second(rate),
            span(lasting),
            around(run),
            grouped(live_max.into())
        ),
    }
}

/// What surrounds the measure window, if anything does.
fn around(run: &Meant) -> String {
    let parts = [("warm-up", run.plan.warm_up), ("cool-down", run.plan.cool_down)];
    let told = parts.into_iter().filter(|(_, time)| !time.is_zero());
    let told: Vec<String> = told.map(|(name, time)| format!("{name} {}", span(time))).collect();
    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
}

fn traffic(run: &Meant) -> String {
    let bots = f64::from(run.plan.load.live_max());
    let (out, back) = (run.traffic.sends * bots, run.traffic.hears * bots);
    if let Some(file) = run.file {
        let about = if file.about.is_empty() { "a scenario file" } else { &file.about };
        return format!("{}: {about}", run.scenario.name);
    }
    if out == 0.0 && back == 0.0 {
        return format!("{}: expects no messages", run.scenario.name);
    }
    let whole = |rate: f64| per_second(rate);
    let most = if matches!(run.plan.load, Load::Open { .. }) { "at most " } else { "" };
    let pause = run.scenario.pause.filter(|_| run.eased).map(|pause| {
        let longer = run.settings.text(pause);
        format!("; {pause}={longer}, so that target and bots leave two fifths of the machine free")
    });
    format!(
        "{}: expects {most}{} messages out, {} in, about {} bytes each{}",
        run.scenario.name,
        whole(out),
        whole(back),
        grouped(run.traffic.bytes),
        pause.unwrap_or_default()
    )
}

fn whereto(run: &Meant) -> String {
    let ports = if run.embedded {
        format!(
            "embedded target 127.0.0.1 ({})",
            several(run.preflight.target_shards.into(), "port")
        )
    } else {
        format!("target {}", run.target)
    };
    let sources = match run.plan.sources.len() {
        0 => "source address the system's choice".to_owned(),
        1 => format!("source address {}", run.plan.sources[0]),
        many => format!("{} source addresses", grouped(many as u64)),
    };
    let tls = crate::secure::told(run.way, run.plan.tls.as_ref());
    format!("{ports}; {tls}; {sources}; seed {}", run.plan.seed)
}

fn machine(run: &Meant) -> String {
    let flight = &run.preflight;
    format!(
        "ports {} of {}, descriptors {} of {} a table, memory {} of {} present",
        grouped(flight.ports.needed),
        grouped(flight.ports.present),
        grouped(flight.descriptors.needed),
        grouped(flight.descriptors.present),
        size(flight.memory_user + flight.memory_kernel),
        size(flight.memory_available),
    )
}

/// A finding: what is short, by how much, and what helps.
pub(crate) fn told(finding: &Finding) -> String {
    let amount = |number: u64| match finding.unit {
        "bytes" => size(number),
        unit if number == u64::MAX => format!("no limit of {unit}"),
        _ => grouped(number),
    };
    let (needed, present) = (amount(finding.needed), amount(finding.present));
    let unit = if finding.unit == "bytes" { "" } else { finding.unit };
    let mut text = format!("{}: needs {needed} of {present} {unit}", finding.limit);
    text.truncate(text.trim_end().len());
    if !finding.cure.is_empty() {
        let _ = write!(text, "; helps: {}", finding.cure);
    }
    text
}
