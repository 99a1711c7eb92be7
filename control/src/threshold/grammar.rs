//! From a line to a threshold.
//!
//! ```text
//! threshold  = subject comparison limit { clause }
//! subject    = WORD [ "(" NAME ")" ] { "." WORD }
//! comparison = "<" | "<=" | ">" | ">=" | "==" | "!="
//! limit      = NUMBER [ unit ]
//! clause     = "or empty" | "over window" | "over run" | "abort" [ "after" TIME ]
//! ```

use std::ops::Range;
use std::time::Duration;

use super::subject::{ROWS, Row, roots};
use super::{Comparison, Fault, Limit, Over, Subject, Threshold};
use crate::names::{hint, nearest};
use crate::units;

/// Longer lines are refused: nobody writes one.
pub(super) const LENGTH_MAX: usize = 500;

/// What is wrong, and where, in bytes.
type Wrong = (Range<usize>, String);

/// Reads a line.
pub(super) fn read(text: &str) -> Result<Threshold, Fault> {
    let text = text.trim();
    if text.len() > LENGTH_MAX {
        let why = format!("longer than {LENGTH_MAX} bytes");
        return Err(Fault::at("", 0..0, why));
    }
    if let Some((at, c)) = text.char_indices().find(|(_, c)| c.is_control()) {
        let why = "a control character; a threshold is one line of text";
        return Err(Fault::at(text, at..at + c.len_utf8(), why));
    }
    let mut line = Line { text, at: 0 };
    line.threshold().map_err(|(at, why)| Fault::at(text, at, why))
}

/// A line, and how far it is read.
struct Line<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Line<'a> {
    fn threshold(&mut self) -> Result<Threshold, Wrong> {
        let (subject, written) = self.subject()?;
        let comparison = self.comparison()?;
        let limit = self.limit(&subject)?;
        let mut threshold = Threshold {
            text: self.text.to_owned(),
            over: subject.row.over,
            subject,
            comparison,
            limit,
            or_empty: false,
            abort: None,
        };
        let mut said = Vec::new();
        while let Some((word, at)) = self.word() {
            let second = said.contains(&word);
            said.push(word);
            match word {
                _ if second => return Err((at, format!("`{word}` was said before"))),
                "or" => {
                    self.expect("empty", "`or` goes on with `empty`")?;
                    threshold.or_empty = true;
                }
                "over" => threshold.over = self.over(&threshold.subject, written, at)?,
                "abort" => threshold.abort = Some(self.delay()?),
                _ => {
                    let near = hint(nearest(word, ["or empty", "over run", "abort after"]));
                    let why = format!(
                        "`{word}` means nothing behind a limit (there is `or empty`, `over \
                         window`, `over run`, `abort`, `abort after TIME`){near}"
                    );
                    return Err((at, why));
                }
            }
        }
        Ok(threshold)
    }

    /// The subject, and how it was written.
    fn subject(&mut self) -> Result<(Subject, &'a str), Wrong> {
        let from = self.skip();
        let (root, root_at) = self.taken(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        if root.is_empty() {
            let why = "a threshold begins with what is measured: op(NAME).p99, bots.online";
            return Err((self.here(), why.to_owned()));
        }
        let rows = || ROWS.iter().filter(|row| row.root == root);
        let Some(first) = rows().next() else { return Err((root_at, unknown(root))) };
        let name = self.name(first)?;
        let part_at = self.at..self.at;
        let mut part = "";
        if self.rest().starts_with('.') {
            self.at += 1;
            part = self.taken(|c| c.is_ascii_alphanumeric() || "_.".contains(c)).0;
        }
        let part_at = self.at - part.len()..self.at.max(part_at.end);
        let Some((row, quantile)) = rows().find_map(|row| Some((row, fits(row, part)?))) else {
            return Err((part_at, no_part(first, part)));
        };
        let (name, name_at) = name.map_or((None, 0..0), |(name, at)| (Some((name, 0)), at));
        Ok((Subject { row, name, name_at, quantile }, &self.text[from..self.at]))
    }

    /// The name in parentheses, if the row has one.
    fn name(&mut self, row: &Row) -> Result<Option<(String, Range<usize>)>, Wrong> {
        let open = self.rest().starts_with('(');
        match (row.named, open) {
            (false, false) => return Ok(None),
            (false, true) => return Err((self.here(), format!("{} has no name", row.root))),
            (true, false) => {
                let why = format!("which {0}? give its name: {0}(NAME)", row.root);
                return Err((self.here(), why));
            }
            (true, true) => self.at += 1,
        }
        let Some(length) = self.rest().find(')') else {
            return Err((self.at - 1..self.at, "this is never closed".to_owned()));
        };
        let from = self.at;
        let inner = &self.text[from..from + length];
        self.at = from + length + 1;
        let name = inner.trim();
        if name.is_empty() {
            let why = format!("the name of the {} is missing", row.root);
            return Err((from - 1..self.at, why));
        }
        let start = from + inner.len() - inner.trim_start().len();
        Ok(Some((name.to_owned(), start..start + name.len())))
    }

    fn comparison(&mut self) -> Result<Comparison, Wrong> {
        self.skip();
        let found = Comparison::ALL.iter().find(|(sign, _)| self.rest().starts_with(sign));
        if let Some(&(sign, comparison)) = found {
            self.at += sign.len();
            return Ok(comparison);
        }
        let why = match self.rest() {
            rest if rest.starts_with('=') => "equal is written `==`",
            rest if rest.starts_with('≤') => "written `<=`",
            rest if rest.starts_with('≥') => "written `>=`",
            _ => "here a comparison is due: < <= > >= == or !=",
        };
        Err((self.here(), why.to_owned()))
    }

    fn limit(&mut self, subject: &Subject) -> Result<Limit, Wrong> {
        let from = self.skip();
        self.taken(|c| !c.is_whitespace());
        // Per cent may stand apart.
        let end = self.at;
        if self.text[from..end].ends_with(|c: char| c.is_ascii_digit()) {
            self.skip();
            match self.rest().strip_prefix('%') {
                Some(_) => self.at += 1,
                None => self.at = end,
            }
        }
        let text = &self.text[from..self.at];
        if text.is_empty() {
            return Err((self.here(), "here a limit is due, such as 500ms or 0.1%".to_owned()));
        }
        let (unit, divides) = (subject.row.unit(), subject.divides());
        Limit::read(text, unit, divides).map_err(|why| (from..self.at, why))
    }

    fn over(&mut self, subject: &Subject, written: &str, at: Range<usize>) -> Result<Over, Wrong> {
        let (over, end) = match self.word() {
            Some(("window", at)) => (Over::Window, at.end),
            Some(("run", at)) => (Over::Run, at.end),
            Some((_, at)) => return Err((at, "give `over window` or `over run`".to_owned())),
            None => return Err((at, "give `over window` or `over run`".to_owned())),
        };
        match subject.row.over {
            Over::Own => {
                Err((at.start..end, format!("{written} has a time of its own: leave it out")))
            }
            Over::Window | Over::Run => Ok(over),
        }
    }

    /// How long the threshold must have been broken before the run ends.
    fn delay(&mut self) -> Result<Duration, Wrong> {
        let before = self.at;
        match self.word() {
            Some(("after", after)) => {
                let Some((time, at)) = self.word() else {
                    return Err((after, "here a time is due, such as 10s".to_owned()));
                };
                units::duration(time).map_err(|why| (at, why))
            }
            _ => {
                self.at = before;
                Ok(Duration::ZERO)
            }
        }
    }

    fn expect(&mut self, word: &str, why: &str) -> Result<(), Wrong> {
        match self.word() {
            Some((found, _)) if found == word => Ok(()),
            Some((_, at)) => Err((at, why.to_owned())),
            None => Err((self.here(), why.to_owned())),
        }
    }

    /// The next word up to white space.
    fn word(&mut self) -> Option<(&'a str, Range<usize>)> {
        self.skip();
        Some(self.taken(|c| !c.is_whitespace())).filter(|(word, _)| !word.is_empty())
    }

    fn taken(&mut self, wanted: impl Fn(char) -> bool) -> (&'a str, Range<usize>) {
        let (from, rest) = (self.at, self.rest());
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        (&rest[..length], from..self.at)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes over white space; says where it ends.
    fn skip(&mut self) -> usize {
        self.at = self.text.len() - self.rest().trim_start().len();
        self.at
    }

    /// The character that is next, or the end.
    fn here(&self) -> Range<usize> {
        self.at..self.at + self.rest().chars().next().map_or(0, char::len_utf8)
    }
}

/// Whether a row has this part, and which percentile it names.
fn fits(row: &Row, part: &str) -> Option<f64> {
    if !row.is_percentile() {
        return (row.part == part).then_some(0.0);
    }
    let number = part.strip_prefix(row.part)?;
    let digits = number.starts_with(|c: char| c.is_ascii_digit());
    let percent: f64 = number.parse().ok().filter(|_| digits)?;
    (percent > 0.0 && percent < 100.0).then_some(percent / 100.0)
}

fn unknown(root: &str) -> String {
    let roots = roots();
    match nearest(root, roots.iter().copied()) {
        Some(near) => format!("nothing is called `{root}`; did you mean `{near}`?"),
        None => format!(
            "nothing is called `{root}` (there is {}); an op is written op({root}...).p99",
            roots.join(", ")
        ),
    }
}

/// The fault of a part that no row of this first word has.
fn no_part(first: &Row, part: &str) -> String {
    let known = || ROWS.iter().filter(|row| row.root == first.root);
    let shown = |row: &Row| match row.is_percentile() {
        true => format!("{}99", row.part),
        false => row.part.to_owned(),
    };
    let parts: Vec<String> = known().map(shown).filter(|part| !part.is_empty()).collect();
    let name = if first.named { "(NAME)" } else { "" };
    let what = format!("{}{name}", first.root);
    if parts.is_empty() {
        return format!("{what} has no parts: leave `.{part}` out");
    }
    if part.is_empty() {
        return format!("which figure of {what}? there is {}", parts.join(", "));
    }
    let percentile =
        |digits: &str| digits.chars().all(|c| c.is_ascii_digit()) && !digits.is_empty();
    let meant = match part.rsplit_once('p').map(|(_, digits)| digits).filter(|d| percentile(d)) {
        Some("100") => Some(part.replace("p100", "max")),
        Some(digits) if digits.len() > 2 => {
            let (whole, more) = digits.split_at(2);
            Some(part.replace(digits, &format!("{whole}.{more}")))
        }
        _ => nearest(part, parts.iter().map(String::as_str)).map(str::to_owned),
    };
    let there = format!("`{part}` is no figure of {what} (there is {})", parts.join(", "));
    format!("{there}{}", hint(meant.as_deref()))
}
