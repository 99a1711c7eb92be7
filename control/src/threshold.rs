//! Thresholds: what has to hold for a run to pass, in one line each.
//!
//! ```text
//! op(xmpp.join).p99 < 500ms                    a subject, a comparison, a limit with its unit
//! errors.rate < 0.1% or empty                  passes without samples too
//! op(xmpp.login).max <= 2s over run            the ramp counts as well
//! bots.online >= 99% abort after 10s           the run ends once it was broken for so long
//! ```
//!
//! [`grammar`] reads a line, [`subject`] is the table of what can be measured, [`measure`] reads it
//! off a report, a second or both, and [`watch`] follows a run.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use densebots_engine::Names;

mod grammar;
mod limit;
mod measure;
mod subject;
#[cfg(test)]
mod tests;
mod watch;

use limit::{Comparison, Limit, Unit};
use measure::{Figure, Scope};
use subject::{Over, Subject};
pub(crate) use watch::{Judged, THRESHOLDS_MAX, Watch};

/// One threshold, read and understood.
#[derive(Clone, Debug, PartialEq)]
struct Threshold {
    /// As it was given.
    text: String,
    /// What is looked at.
    subject: Subject,
    /// How it is compared.
    comparison: Comparison,
    /// With what.
    limit: Limit,
    /// No samples are fine.
    or_empty: bool,
    /// The part of the run that counts.
    over: Over,
    /// The run ends once the threshold was broken for so long without a break.
    abort: Option<Duration>,
}

impl Threshold {
    /// Reads one line.
    fn read(text: &str) -> Result<Threshold, Fault> {
        grammar::read(text)
    }

    /// Finds what it names among what a scenario measures.
    fn bind(&mut self, names: &Names) -> Result<(), Fault> {
        self.subject.bind(names).map_err(|(at, why)| Fault::at(&self.text, at, why))
    }

    /// What it is about comes to, in a part of a run.
    fn figure(&self, scope: &Scope<'_>) -> Figure {
        scope.figure(&self.subject, self.limit.unit == Unit::Share)
    }

    /// Whether a value holds it. One of which only the least is known holds no upper limit.
    fn holds(&self, figure: &Figure) -> bool {
        match *figure {
            Figure::Value { value, at_least } => {
                let upper = !matches!(self.comparison, Comparison::Above | Comparison::NotBelow);
                !(at_least && upper) && self.comparison.holds(value, self.limit.value)
            }
            Figure::Empty(_) => self.or_empty,
            Figure::Unknown(_) => false,
        }
    }

    /// Whether it can be judged while the run goes on: what only grows may still reach a lower
    /// limit, and once above an upper one it stays there.
    fn is_live(&self) -> bool {
        let none = self.comparison == Comparison::Equal && self.limit.value == 0.0;
        let upper = none || matches!(self.comparison, Comparison::Below | Comparison::NotAbove);
        !self.subject.settles_late() && (upper || !self.subject.grows())
    }

    /// A value in words, in the unit of the limit.
    fn told(&self, value: f64) -> String {
        self.limit.unit.told(value)
    }
}

/// The table of what thresholds can be about, for people.
pub(crate) fn subjects() -> String {
    let mut text = format!("{:<34}{:<14}{:<8}\n", "subject", "limit", "over");
    for row in subject::ROWS {
        let (kind, over) = (row.limits(), row.over.name());
        text += &format!("{:<34}{kind:<14}{over:<8}{}\n", row.written(), row.about);
    }
    text
}

/// What is wrong with a threshold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The line.
    text: String,
    /// Its characters that are wrong, from 0.
    at: Range<usize>,
    /// What is wrong with them, and what would be right.
    why: String,
}

impl Fault {
    /// Of these bytes of a line.
    fn at(text: &str, bytes: Range<usize>, why: impl Into<String>) -> Fault {
        let column = |byte: usize| text[..byte].chars().count();
        let at = column(bytes.start)..column(bytes.end);
        Fault { text: text.to_owned(), at, why: why.into() }
    }

    /// What is wrong.
    pub(crate) fn why(&self) -> &str {
        &self.why
    }

    /// Where in the line, in bytes.
    pub(crate) fn bytes(&self) -> Range<usize> {
        let byte =
            |column| self.text.char_indices().nth(column).map_or(self.text.len(), |(at, _)| at);
        byte(self.at.start)..byte(self.at.end)
    }
}

/// ```text
/// column 15: `p99x` is no figure of op(NAME); did you mean `p99`?
///   op(xmpp.join).p99x < 500ms
///                 ^^^^
/// ```
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (indent, carets) = (self.at.start, self.at.len().max(1));
        let line: String =
            self.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        writeln!(f, "column {}: {}", indent + 1, self.why)?;
        write!(f, "  {line}\n  {:indent$}{:^<carets$}", "", "")
    }
}
