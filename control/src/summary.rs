//! The summary: the verdict first and last, and between them what it rests on.

use std::fmt::Write;
use std::time::Duration;

use densebots_engine::metrics::OpMeter;
use densebots_engine::{LIMITED_SHARE, Report};

use crate::paint::Paint;
use crate::remedy;
use crate::target::Cost;
use crate::threshold::Judged;
use crate::units::{grouped, micros, per_second, several, size, span};
use crate::verdict::Verdict;
use crate::wire::Heading;
use figures::{Figures, carried, is_timeout};
use table::Table;

mod delivery;
pub(crate) mod figures;
mod secure;
pub(crate) mod table;

/// More endpoints than this are told in one line.
const ENDPOINTS_SHOWN: usize = 8;

/// Of more bots than this, whose last words there are, the numbers are not told.
const NAMED_MAX: usize = 5;

/// What a summary is of.
pub(crate) struct Summary<'a> {
    /// What was run.
    pub heading: &'a Heading,
    /// What it came to.
    pub report: &'a Report,
    /// What is to be said of that.
    pub verdict: &'a Verdict,
    /// How long an op might take.
    pub timeout: Duration,
    /// Remarks of the program itself: a report that was not written, a target that ended.
    pub notes: &'a [String],
    /// What the embedded target has cost.
    pub(crate) target: Cost,
    /// Colours.
    pub paint: Paint,
}

impl Summary<'_> {
    /// The whole text.
    pub(crate) fn text(&self) -> String {
        let figures = Figures::of(self.report);
        let mut lines = vec![self.verdict()];
        lines.extend(self.thresholds());
        lines.extend([String::new(), self.about(), String::new()]);
        self.population(&figures, &mut lines);
        self.connects(&mut lines);
        self.ops(&figures, &mut lines);
        lines.extend(delivery::lines(self, &figures));
        self.counters(&mut lines);
        lines.extend(secure::lines(self));
        self.losses(&figures, &mut lines);
        self.transcripts(&mut lines);
        self.endpoints(&mut lines);
        self.generator(&figures, &mut lines);
        lines.extend(self.notes.iter().map(|note| self.paint.doubt(&format!("note: {note}"))));
        lines.extend([String::new(), self.verdict()]);
        lines.join("\n") + "\n"
    }

    /// `passed, trustworthy: yes`, or why not.
    fn verdict(&self) -> String {
        let Verdict { failures, doubts, .. } = self.verdict;
        let passed = match failures.is_empty() {
            true => self.paint.good("passed"),
            false => self.paint.bad(&format!("failed: {}", failures.join("; "))),
        };
        let trusted = match doubts.is_empty() {
            true => self.paint.good("trustworthy: yes"),
            false => self.paint.doubt(&format!("trustworthy: no, because {}", doubts.join("; "))),
        };
        format!("{passed}, {trusted}")
    }

    /// What became of each threshold, and what was measured.
    fn thresholds(&self) -> Vec<String> {
        let judged = &self.verdict.thresholds;
        let width = judged.iter().map(|own| own.expression.chars().count()).max().unwrap_or(0);
        let line = |own: &Judged| {
            let verdict = match own.passed {
                true => self.paint.good("passed"),
                false => self.paint.bad("failed"),
            };
            format!("  {verdict}  {:<width$}  {}", own.expression, own.told)
        };
        judged.iter().map(line).collect()
    }

    fn about(&self) -> String {
        let report = self.report;
        let target = match self.heading.embedded {
            true => "the embedded target",
            false => &self.heading.target,
        };
        let mut text = format!(
            "{} against {target}, {} (ramp {}, hold {}), seed {}",
            self.heading.scenario,
            span(report.duration),
            span(report.ramp),
            span(report.window),
            report.seed,
        );
        if self.heading.embedded {
            text.push_str("\nthe target ran on this machine: latencies describe both");
        }
        if self.heading.verified == Some(false) {
            let told = self.paint.doubt("TLS not verified: anybody could have been the target");
            let _ = write!(text, "\n{told}");
        }
        text
    }

    fn label(&self, name: &str) -> String {
        self.paint.strong(&format!("{name:<11}"))
    }

    fn population(&self, figures: &Figures<'_>, lines: &mut Vec<String>) {
        let bots = &self.report.bots;
        lines.push(format!(
            "{}target {}   reached {}   in hold: min {}, mean {}   online at end {}",
            self.label("bots"),
            if bots.target > 0 { grouped(bots.target) } else { "open".into() },
            grouped(bots.peak_online),
            grouped(figures.min_online),
            grouped(bots.mean_online.round() as u64),
            grouped(bots.online_at_end),
        ));
        lines.push(format!(
            "{:11}below target {}   done {}   failed {}   respawned {}   reconnects {}",
            "",
            span(Duration::from_secs_f64(bots.seconds_below_target.max(0.0))),
            grouped(bots.population.done),
            grouped(bots.population.failed),
            grouped(bots.respawned),
            grouped(figures.recovered),
        ));
    }

    fn connects(&self, lines: &mut Vec<String>) {
        let (report, spread) = (self.report, &self.report.total.connect);
        let ramp = if report.ramp.is_zero() { report.duration } else { report.ramp };
        let rate = spread.count() as f64 / ramp.as_secs_f64().max(1e-3);
        lines.push(format!(
            "{}{} at {}   p50 {}   p99 {}   max {}",
            self.label("connects"),
            grouped(spread.count()),
            per_second(rate),
            optional(carried(spread, 0.5)),
            optional(carried(spread, 0.99)),
            if spread.count() > 0 { micros(spread.max()) } else { "-".into() },
        ));
    }

    fn ops(&self, figures: &Figures<'_>, lines: &mut Vec<String>) {
        let names = &self.report.names.ops;
        if names.is_empty() {
            return;
        }
        let of = if figures.windowed { "in hold" } else { "whole run" };
        let mut counts = Table::headed(&[
            of,
            "offered",
            "count",
            "ok",
            "failed",
            "timed out",
            "dropped",
            "cut",
            "in flight",
        ]);
        let mut latencies =
            Table::headed(&["latency", "p50", "p95", "p99", "p99.9", "max", "service p99"]);
        for ((name, op), total) in names.iter().zip(&figures.meter.ops).zip(&self.report.total.ops)
        {
            if total.begun + total.dropped == 0 {
                continue; // not every target needs every phase
            }
            let whole = [op.ok + op.failed + op.timed_out, op.ok, op.failed, op.timed_out];
            let mut row = vec![name.clone(), per_second(figures.a_second(op.begun + op.dropped))];
            row.extend(whole.into_iter().chain([op.dropped, op.cut]).map(grouped));
            row.push(total.in_flight().to_string());
            counts.row(row);
            if figures.windowed {
                counts.row(vec![
                    "  outside".to_owned(),
                    String::new(),
                    grouped((total.ok + total.failed + total.timed_out).saturating_sub(whole[0])),
                ]);
            }
            latencies.row(match op.begun {
                // Such as logins, of which there are none in the measure window.
                0 if figures.windowed => self.latency(&format!("{name}, outside"), total, figures),
                _ => self.latency(name, op, figures),
            });
            let failed = [("failed", op), ("failed outside", total)];
            let failed = failed.into_iter().find(|(_, op)| op.failed > 0);
            latencies.rows(failed.map(|(word, op)| failures(&format!("{name}, {word}"), op)));
        }
        lines.push(String::new());
        lines.extend(counts.lines(""));
        lines.push(String::new());
        lines.extend(latencies.lines(""));
        let resolution = figures.meter.turn.at(0.99);
        lines.push(self.paint.faint(&format!(
            "from when each was due; resolution {} (turn p99), * is below it",
            micros(resolution)
        )));
        lines.push(String::new());
    }

    /// A row of percentiles: marked where a timeout hides the rest, or the resolution is coarser.
    fn latency(&self, name: &str, op: &OpMeter, figures: &Figures<'_>) -> Vec<String> {
        let resolution = figures.meter.turn.at(0.99);
        let marked = |value: u64| {
            let mark = if value < resolution { "*" } else { "" };
            format!("{}{mark}", micros(value))
        };
        let at = |quantile: f64| match carried(&op.latency, quantile) {
            None => "-".to_owned(),
            Some(_) if is_timeout(op, quantile, self.timeout) => {
                format!(">= {}", span(self.timeout))
            }
            Some(value) => marked(value),
        };
        let mut row = vec![name.to_owned()];
        row.extend([0.5, 0.95, 0.99, 0.999].map(at));
        row.push(match op.latency.count() {
            0 => "-".to_owned(),
            _ if is_timeout(op, 1.0, self.timeout) => format!(">= {}", span(self.timeout)),
            _ => marked(op.latency.max()),
        });
        row.push(carried(&op.service, 0.99).map_or("-".to_owned(), marked));
        row
    }

    fn counters(&self, lines: &mut Vec<String>) {
        let (names, total) = (&self.report.names, &self.report.total);
        let counters = names.counters.iter().zip(&total.counters).filter(|(_, count)| **count > 0);
        let mut told: Vec<String> =
            counters.map(|(name, count)| format!("{name} {}", grouped(*count))).collect();
        let gauges = names.gauges.iter().zip(&total.gauges);
        told.extend(gauges.map(|(name, value)| format!("{name} {value}")));
        if !told.is_empty() {
            lines.push(format!("{}{}", self.label("counted"), told.join("   ")));
        }
        let mail = &total.mail;
        if mail.written > 0 {
            lines.push(format!(
                "{}written {}   heard {}   too late for their bot {}   dropped {}",
                self.label("mail"),
                grouped(mail.written),
                grouped(mail.heard),
                grouped(mail.gone + mail.left),
                grouped(mail.dropped),
            ));
        }
        let mut bytes = format!("sent {}   received {}", size(total.sent), size(total.received));
        if total.blocked_us > 0 {
            let blocked = span(Duration::from_micros(total.blocked_us));
            let unsent = size(self.report.unsent_max);
            let _ = write!(bytes, "   unsent {unsent} at most, write-blocked {blocked} in all");
        }
        lines.push(format!("{}{bytes}", self.label("bytes")));
    }

    fn losses(&self, figures: &Figures<'_>, lines: &mut Vec<String>) {
        let mut text = match (figures.lost, figures.recovered) {
            (0, _) => "none".to_owned(),
            (1, 1) => "1 loss, recovered".to_owned(),
            (1, 0) => "1 loss, not recovered".to_owned(),
            (lost, back) if back >= lost => format!("{} losses, all recovered", grouped(lost)),
            (lost, back) => format!("{} losses, {} recovered", grouped(lost), grouped(back)),
        };
        if figures.attempts_failed > 0 {
            let failed = several(figures.attempts_failed, "attempt");
            let _ = write!(text, "; {failed} to get online failed");
        }
        lines.push(format!("{}{text}", self.label("lost")));
        let mut losses = self.report.total.losses.clone();
        losses.sort_by_key(|loss| std::cmp::Reverse(loss.count));
        for loss in losses.iter().filter(|loss| loss.count > 0) {
            let what = if loss.lost.online { "online" } else { "connecting" };
            lines.push(format!(
                "{:11}{} {what}: {} ({}), by the {}, such as bot {}{}",
                "",
                grouped(loss.count),
                loss.lost.cause.name(),
                loss.lost.condition,
                loss.lost.cause.blame(),
                loss.example,
                remedy::told(loss.lost.condition),
            ));
        }
    }

    fn transcripts(&self, lines: &mut Vec<String>) {
        let bots: Vec<String> =
            self.report.transcripts.iter().map(|own| own.bot.to_string()).collect();
        if !bots.is_empty() {
            let named = bots[..bots.len().min(NAMED_MAX)].join(", ");
            let how = "in `transcripts` of --report; --trace failing:N shows them";
            lines.push(format!("{:11}last words of bot {named} {how}", ""));
        }
    }

    fn endpoints(&self, lines: &mut Vec<String>) {
        let counts = &self.report.total.endpoints;
        if counts.len() < 2
            || (self.heading.embedded && counts.iter().all(|e| e.failed + e.lost == 0))
        {
            return;
        }
        let mut table =
            Table::headed(&["endpoint", "connected", "online at end", "failed", "lost"]);
        for (endpoint, count) in self.report.endpoints.iter().zip(counts).take(ENDPOINTS_SHOWN) {
            let numbers = [count.connected, endpoint.online_at_end, count.failed, count.lost];
            table.row(std::iter::once(endpoint.name.clone()).chain(numbers.map(grouped)).collect());
        }
        lines.extend(table.lines(""));
        if counts.len() > ENDPOINTS_SHOWN {
            lines.push(format!("and {} more", counts.len() - ENDPOINTS_SHOWN));
        }
    }

    fn generator(&self, figures: &Figures<'_>, lines: &mut Vec<String>) {
        let (own, meter) = (&self.report.generator, figures.meter);
        let bytes =
            |number: Option<u64>| number.map_or("-".to_owned(), |n| format!("{} B", grouped(n)));
        lines.push(format!(
            "{}{}, CPU {}, memory {} at most, of which base {}",
            self.label("generator"),
            several(own.shards as u64, "shard"),
            span(own.cpu),
            size(own.rss_bytes),
            size(own.base_bytes),
        ));
        lines.push(format!(
            "{:11}per bot: user {}, kernel {}{}",
            "",
            bytes(own.user_bytes_per_bot),
            bytes(own.kernel_bytes_per_bot),
            if self.heading.embedded { " (both ends)" } else { "" },
        ));
        lines.push(format!(
            "{:11}lag p99 {}, max {}   turn p99 {}",
            "",
            micros(meter.lag.at(0.99)),
            micros(meter.lag.max()),
            micros(meter.turn.at(0.99)),
        ));
        lines.push(format!("{:11}{}", "", self.limited()));
        if self.heading.embedded {
            lines.push(format!(
                "{}CPU {}, memory {} at most",
                self.label("target"),
                span(self.target.cpu),
                size(self.target.rss_bytes),
            ));
        }
    }

    fn limited(&self) -> String {
        let limited = &self.report.limited;
        let mut text = format!("limited {} of {} s", limited.seconds, limited.window);
        if limited.seconds > 0 {
            let named: Vec<String> =
                limited.reasons.iter().map(|(why, count)| format!("{why}: {count}")).collect();
            let _ = write!(text, " ({})", named.join(", "));
        }
        if limited.outside > 0 {
            let _ = write!(text, "   and {} outside the window", limited.outside);
        }
        let allowed = (limited.window as f64 * LIMITED_SHARE) as u64;
        if limited.seconds <= allowed { text } else { self.paint.doubt(&text) }
    }
}

/// A row of percentiles of the ops that failed, which are not among the others.
fn failures(name: &str, op: &OpMeter) -> Vec<String> {
    let spread = &op.failed_latency;
    let mut row = vec![name.to_owned()];
    row.extend([0.5, 0.95, 0.99, 0.999].map(|quantile| optional(carried(spread, quantile))));
    row.push(micros(spread.max()));
    row
}

fn optional(value: Option<u64>) -> String {
    value.map_or("-".to_owned(), micros)
}
