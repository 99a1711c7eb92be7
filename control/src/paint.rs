//! Colours, where somebody sees them.

use std::io::IsTerminal;

use anstyle::{AnsiColor, Effects, Style};

/// Whether to colour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

impl Paint {
    /// For this output: only a terminal is coloured, and only if `NO_COLOR` is not set.
    pub(crate) fn on(output: &impl IsTerminal) -> Paint {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Paint(output.is_terminal() && !refused && !dumb)
    }

    /// For no output at all.
    #[cfg(test)]
    pub(crate) fn off() -> Paint {
        Paint(false)
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.0 { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// All is well.
    pub(crate) fn good(self, text: &str) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    /// Look at this.
    pub(crate) fn doubt(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    /// This is wrong.
    pub(crate) fn bad(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default(), text)
    }

    /// A heading.
    pub(crate) fn strong(self, text: &str) -> String {
        self.with(Style::new().effects(Effects::BOLD), text)
    }

    /// Said in passing.
    pub(crate) fn faint(self, text: &str) -> String {
        self.with(Style::new().effects(Effects::DIMMED), text)
    }
}
