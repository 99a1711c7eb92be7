//! What is wrong with a file, and where: every fault, with the line it stands in.

use std::fmt::Write;

use crate::spelling::nearest;

/// Faults of one file that are told; from there on they are counted.
pub const FAULTS_MAX: usize = 100;
/// Characters of a line that are shown, so that a file in one line is not shown whole.
const SHOWN_MAX: usize = 120;

/// A stretch of a file, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub from: u32,
    /// The byte behind the last.
    pub to: u32,
}

impl Span {
    /// From a byte to before another.
    pub fn of(from: usize, to: usize) -> Span {
        Span { from: from as u32, to: to.max(from) as u32 }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub span: Span,
    /// What.
    pub what: String,
    /// What to write instead, if that is known.
    pub help: Option<String>,
}

/// All that is wrong, in the order in which it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    list: Vec<Fault>,
    /// Those beyond [`FAULTS_MAX`].
    more: usize,
    /// Where nothing more is said, because what was said explains it.
    explained: Vec<Span>,
}

impl Faults {
    /// Nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.list.len() + self.more
    }

    /// Something is wrong there.
    pub fn add(&mut self, span: Span, what: impl Into<String>) {
        self.push(Fault { span, what: what.into(), help: None });
    }

    pub(crate) fn add_with(
        &mut self,
        span: Span,
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Fault { span, what: what.into(), help: Some(help.into()) });
    }

    /// A fault that explains all others in its place.
    pub(crate) fn explain(&mut self, span: Span, what: &str, help: &str) {
        self.add_with(span, what, help);
        self.explained.push(span);
    }

    /// A name that is none of these.
    pub(crate) fn unknown<'a>(
        &mut self,
        span: Span,
        what: impl Into<String>,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        let known: Vec<&str> = known.into_iter().collect();
        let help = match nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => return self.add(span, what),
            None => format!("there is {}", known.join(", ")),
        };
        self.add_with(span, what, help);
    }

    fn push(&mut self, fault: Fault) {
        let at = fault.span.from;
        let explained = |span: &Span| (span.from..span.to.max(span.from + 1)).contains(&at);
        // Aliases and sub-trees are read more than once: the same place is wrong once.
        if self.explained.iter().any(explained) || self.list.contains(&fault) {
            return;
        }
        match self.list.len() < FAULTS_MAX {
            true => self.list.push(fault),
            false => self.more += 1,
        }
    }
}

/// A file as it was read: its name and its text.
#[derive(Clone, Debug)]
pub struct Source {
    /// How it is called in faults.
    pub name: String,
    /// All of it.
    pub text: String,
}

impl Source {
    /// Line and column of a byte, from 1; columns are characters.
    pub fn place(&self, at: u32) -> (usize, usize) {
        let (line, start) = self.line_of(at);
        let at = self.floor(at as usize);
        (line, self.text[start..at].chars().count() + 1)
    }

    /// The number of a byte's line, and where it begins.
    fn line_of(&self, at: u32) -> (usize, usize) {
        let before = &self.text.as_bytes()[..(at as usize).min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        (line, before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1))
    }

    /// The start of the character at this byte.
    fn floor(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        (0..=at).rev().find(|&at| self.text.is_char_boundary(at)).unwrap_or(0)
    }

    /// All faults as people read them, in the order of their places.
    pub fn show(&self, faults: &Faults) -> String {
        let mut list: Vec<&Fault> = faults.list.iter().collect();
        list.sort_by_key(|fault| fault.span.from);
        let mut text: String = list.iter().map(|fault| self.show_one(fault)).collect();
        if faults.more > 0 {
            let _ = writeln!(text, "{}: and {} faults more", self.name, faults.more);
        }
        text
    }

    /// The fault, its line, and a mark under what is meant.
    fn show_one(&self, fault: &Fault) -> String {
        let (line, column) = self.place(fault.span.from);
        let (_, start) = self.line_of(fault.span.from);
        let whole = self.text[start..].lines().next().unwrap_or_default();
        let span = self.floor(fault.span.from as usize)..self.floor(fault.span.to as usize);
        let wide = self.text[span].lines().next().map_or(0, |meant| meant.chars().count()).max(1);
        // A window that holds the place.
        let skipped = (column - 1).saturating_sub(SHOWN_MAX / 2);
        let shown: String = whole.chars().skip(skipped).take(SHOWN_MAX).collect();
        let shown = shown.replace('\t', " ");
        let mark = "^".repeat(wide.min(SHOWN_MAX - (column - 1 - skipped).min(SHOWN_MAX - 1)));
        let number = line.to_string();
        let (gap, before) = (" ".repeat(number.len()), " ".repeat(column - 1 - skipped));
        let mut text = format!("{}:{line}:{column}: {}\n", self.name, fault.what);
        let _ = writeln!(text, "{gap} |\n{number} | {}", shown.trim_end());
        let _ = writeln!(text, "{gap} | {before}{mark}");
        if let Some(help) = &fault.help {
            let _ = writeln!(text, "{gap} = {help}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Span, help: Option<&str>) -> String {
        let mut faults = Faults::default();
        match help {
            Some(help) => faults.add_with(span, "wrong", help),
            None => faults.add(span, "wrong"),
        }
        Source { name: "a.yaml".to_owned(), text: text.to_owned() }.show(&faults)
    }

    #[test]
    fn a_fault_shows_its_line_and_marks_its_place() {
        assert_eq!(
            shown("one\n  zwö: drei\n", Span::of(12, 16), Some("write three")),
            "a.yaml:2:8: wrong\n  |\n2 |   zwö: drei\n  |        ^^^^\n  = write three\n"
        );
    }

    #[test]
    fn places_outside_the_text_and_within_characters_are_shown_somewhere() {
        for (from, to) in [(0, 0), (3, 4), (4, 4), (7, 900), (900, 901)] {
            assert!(shown("zwö\n\u{1F600}", Span::of(from, to), None).contains("^"));
        }
        assert!(shown("", Span::of(0, 0), None).starts_with("a.yaml:1:1: "));
    }

    #[test]
    fn of_a_long_line_only_the_place_is_shown() {
        let long = format!("{}here{}", "x".repeat(5000), "y".repeat(5000));
        let text = shown(&long, Span::of(5000, 5004), None);
        assert!(text.contains("here") && text.contains("^^^^\n") && text.len() < 500, "{text}");
    }
}
