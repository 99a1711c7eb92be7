//! Thresholds beside a run: looked at every second, judged at the end.

use std::time::Duration;

use densebots_engine::{Names, Phase, Report, Snapshot, Time};

use super::{Fault, Figure, Over, Scope, Threshold};

/// More thresholds than this are refused: each is looked at every second.
pub(crate) const THRESHOLDS_MAX: usize = 200;

/// The thresholds of a run.
#[derive(Default)]
pub(crate) struct Watch {
    thresholds: Vec<Watched>,
    /// How long an op may take.
    timeout: Duration,
    /// The measure window so far, to know whether a second was one of it.
    window: Duration,
}

struct Watched {
    threshold: Threshold,
    /// Since when it has been broken without a break.
    broken: Option<Time>,
    /// It ended the run.
    aborted: bool,
    /// Limited seconds that broke it.
    limited: u64,
}

/// What became of a threshold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    /// As it was given.
    pub expression: String,
    /// In what unit value and limit are.
    pub unit: &'static str,
    /// What was measured; `None` if nothing was.
    pub value: Option<f64>,
    /// What it was compared with.
    pub limit: f64,
    /// It held.
    pub passed: bool,
    /// What was measured, or why nothing was, in words.
    pub told: String,
    /// Limited seconds that broke it.
    pub limited: u64,
}

impl Watch {
    /// The thresholds in these lines, about what a scenario measures. A fault comes with the
    /// number of its line.
    pub(crate) fn over(
        lines: &[String],
        names: &Names,
        timeout: Duration,
    ) -> Result<Watch, (usize, Fault)> {
        let read = |(at, line): (usize, &String)| {
            let mut threshold = Threshold::read(line).map_err(|fault| (at, fault))?;
            threshold.bind(names).map_err(|fault| (at, fault))?;
            Ok(Watched { threshold, broken: None, aborted: false, limited: 0 })
        };
        let thresholds = lines.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Watch { thresholds, timeout, window: Duration::ZERO })
    }

    /// There are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.thresholds.is_empty()
    }

    /// Looks at a second. Says which thresholds broke in it, and which hold again.
    pub(crate) fn see(&mut self, snapshot: &Snapshot) -> Vec<String> {
        let report = &snapshot.report;
        let measured = report.window > self.window;
        self.window = report.window;
        if matches!(snapshot.phase, Phase::Drain | Phase::Ended) {
            return Vec::new();
        }
        let timeout = self.timeout;
        let mut said = Vec::new();
        for own in &mut self.thresholds {
            let was = own.broken;
            if let Some(line) = own.look(report, snapshot.at, timeout) {
                said.push(line);
            }
            let limited = measured && !snapshot.limited.is_empty();
            if limited && own.broken_by(snapshot, was.is_some(), timeout) {
                own.limited += 1;
            }
        }
        said
    }

    /// Why the run has to end, once a threshold that says so was broken for long enough.
    pub(crate) fn abort(&mut self, now: Time) -> Option<String> {
        let due = |own: &&mut Watched| {
            let since = own.broken.filter(|_| !own.aborted);
            since.zip(own.threshold.abort).is_some_and(|(since, delay)| now.since(since) >= delay)
        };
        let own = self.thresholds.iter_mut().find(due)?;
        own.aborted = true;
        Some(format!("aborted by the threshold {}", own.threshold.text))
    }

    /// What became of each by now.
    pub(crate) fn judge(&self, report: &Report) -> Vec<Judged> {
        self.thresholds.iter().map(|own| own.judge(report, self.timeout)).collect()
    }
}

impl Watched {
    /// The part of a run that counts for it.
    fn scope<'a>(&self, report: &'a Report, timeout: Duration) -> Scope<'a> {
        match self.threshold.over {
            Over::Window => Scope::window(report, timeout),
            Over::Run | Over::Own => Scope::run(report, timeout),
        }
    }

    /// Notes whether it is broken so far; says so if that has changed. What cannot be judged yet
    /// is not broken.
    fn look(&mut self, report: &Report, now: Time, timeout: Duration) -> Option<String> {
        if !self.threshold.is_live() {
            return None;
        }
        let scope = self.scope(report, timeout);
        let figure = self.threshold.figure(&scope);
        let Figure::Value { value, .. } = figure else { return None };
        if !scope.carries(&self.threshold.subject) {
            return None;
        }
        let (text, told) = (&self.threshold.text, self.threshold.told(value));
        match (self.threshold.holds(&figure), self.broken) {
            (false, None) => {
                self.broken = Some(now);
                Some(format!("threshold broken: {text} ({told})"))
            }
            (true, Some(_)) => {
                self.broken = None;
                Some(format!("threshold holds again: {text} ({told})"))
            }
            _ => None,
        }
    }

    /// Whether this one second broke it: by its own figures, or, of what is counted, by adding to
    /// what is too much.
    fn broken_by(&self, snapshot: &Snapshot, before: bool, timeout: Duration) -> bool {
        let threshold = &self.threshold;
        if !threshold.is_live() {
            return false;
        }
        let figure = threshold.figure(&Scope::second(snapshot, timeout));
        let Figure::Value { value, .. } = figure else { return false };
        if !threshold.subject.grows() {
            return !threshold.holds(&figure);
        }
        let added = if threshold.over == Over::Own { !before } else { value > 0.0 };
        self.broken.is_some() && added
    }

    fn judge(&self, report: &Report, timeout: Duration) -> Judged {
        let threshold = &self.threshold;
        let figure = threshold.figure(&self.scope(report, timeout));
        let (value, told) = match &figure {
            Figure::Value { value, at_least } => {
                let least = if *at_least { ">= " } else { "" };
                (Some(*value), format!("{least}{}", threshold.told(*value)))
            }
            Figure::Empty(why) | Figure::Unknown(why) => (None, why.clone()),
        };
        let ended = if self.aborted { "; it ended the run" } else { "" };
        Judged {
            expression: threshold.text.clone(),
            unit: threshold.limit.unit.name(),
            value,
            limit: threshold.limit.value,
            passed: threshold.holds(&figure) && !self.aborted,
            told: format!("{told}{ended}"),
            limited: self.limited,
        }
    }
}
