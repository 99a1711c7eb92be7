//! The limit in words, and a table of every run behind it.

use super::{Found, Played};
use crate::paint::Paint;
use crate::summary::figures::Figures;
use crate::summary::table::Table;
use crate::units::{grouped, micros, per_second, several, span};

impl Found {
    /// The whole text: the conclusion, why, and the runs by their load.
    pub(super) fn text(&self, paint: Paint) -> String {
        let mut lines = vec![paint.strong(&self.conclusion())];
        if let Some(broken) = self.step(self.search.breaks) {
            lines.push(format!("because {}", broken.verdict.failures.join("; ")));
        }
        if !self.trustworthy() {
            let told = "not trustworthy: the generator's machine shaped this limit";
            lines.push(paint.doubt(told));
        }
        if self.eased {
            let told = "bots of larger runs paused longer, so that target and bots leave a part of \
                        the machine free: --set their pause to give each run the same bots";
            lines.push(paint.doubt(told));
        }
        lines.push(format!(
            "raised from {} by {} up to {}, narrowed down to {:.1} %; {} in {}",
            self.told(self.part.from),
            self.part.step,
            self.told(self.part.to),
            self.part.within * 100.0,
            several(self.steps.len() as u64, "run"),
            span(self.took()),
        ));
        lines.push(String::new());
        lines.extend(self.table());
        lines.join("\n") + "\n"
    }

    /// A line a run, the smallest load first; below one that failed, why it did.
    fn table(&self) -> Vec<String> {
        let mut table = Table::headed(&[
            "load",
            "run",
            "verdict",
            "trusted",
            "online",
            "ops ok",
            "errors",
            "slowest p99",
            "lag p99",
        ]);
        let mut runs: Vec<(usize, &(f64, Played))> = self.steps.iter().enumerate().collect();
        runs.sort_by(|one, other| one.1.0.total_cmp(&other.1.0));
        for (nth, (load, played)) in &runs {
            table.row(self.row(nth + 1, *load, played));
        }
        let mut rows = table.lines("").into_iter();
        let mut lines: Vec<String> = rows.next().into_iter().collect();
        for (row, (_, (_, played))) in rows.zip(runs) {
            lines.push(row);
            lines.extend(played.verdict.failures.iter().map(|why| format!("    {why}")));
        }
        lines
    }

    /// A run's load, verdict and key figures.
    fn row(&self, nth: usize, load: f64, played: &Played) -> Vec<String> {
        let figures = Figures::of(&played.report);
        let ops = &figures.meter.ops;
        let ok: u64 = ops.iter().map(|op| op.ok).sum();
        let errors: u64 = ops.iter().map(|op| op.failed + op.timed_out).sum();
        let slowest = ops.iter().filter(|op| op.latency.count() > 0);
        let slowest = slowest.map(|op| op.latency.at(0.99)).max();
        let verdict = match (played.interrupted, played.verdict.passed()) {
            (true, _) => "ended",
            (false, true) => "passed",
            (false, false) => "failed",
        };
        vec![
            self.told(load),
            nth.to_string(),
            verdict.to_owned(),
            if played.verdict.trustworthy() { "yes" } else { "no" }.to_owned(),
            grouped(figures.min_online),
            per_second(figures.a_second(ok)),
            grouped(errors),
            slowest.map_or("-".to_owned(), micros),
            micros(figures.meter.lag.at(0.99)),
        ]
    }
}
