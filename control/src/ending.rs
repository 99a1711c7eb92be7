//! How the program ends: one table of exit codes for all verbs.

use std::fmt;
use std::process::ExitCode;

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All is well.
    Passed,
    /// Something that should not happen: a panic, a report that could not be written.
    Unexpected,
    /// What was typed, or a file, is at fault; nothing was started.
    Usage,
    /// No bot got online.
    NobodyOnline,
    /// The verdict is "failed".
    Failed,
    /// Passed, but the figures are not to be trusted, and `--strict` was given.
    Untrustworthy,
    /// Ended early by a signal or a key.
    Interrupted,
}

impl Ending {
    /// Of a verb that could not do its work.
    pub(crate) fn of(error: &anyhow::Error) -> Ending {
        if error.is::<Usage>() { Ending::Usage } else { Ending::Unexpected }
    }

    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Ending::Passed => 0,
            Ending::Unexpected => 1,
            Ending::Usage => 2,
            Ending::NobodyOnline => 3,
            Ending::Failed => 4,
            Ending::Untrustworthy => 5,
            Ending::Interrupted => 130,
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> ExitCode {
        ExitCode::from(ending.code())
    }
}

/// The user's fault: what was typed cannot be meant. Says which flag, and what to give instead.
#[derive(Debug)]
pub(crate) struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// An error that is the user's.
pub(crate) fn usage(why: impl Into<String>) -> anyhow::Error {
    Usage(why.into()).into()
}
