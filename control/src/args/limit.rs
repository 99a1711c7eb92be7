//! Flags of `find-limit`.

use std::fmt;

use clap::{Args, ValueEnum};

use super::RunFlags;
use crate::units;

/// Flags of `find-limit`.
#[derive(Args, Debug)]
pub(crate) struct FindLimitFlags {
    /// What is raised from run to run: bots, or rate, the arrivals a second of an open model
    #[arg(long, value_enum, help_heading = "Search")]
    pub raise: Raise,
    /// The first load (1k bots or 100/s unless given)
    #[arg(long, value_name = "LOAD", help_heading = "Search")]
    pub from: Option<String>,
    /// No load is higher (1M bots or 100k/s unless given)
    #[arg(long, value_name = "LOAD", help_heading = "Search")]
    pub to: Option<String>,
    /// How much more each run carries until one does not pass: so many times as much, or so much
    /// more
    #[arg(long, value_name = "xTIMES|MORE", default_value = "x2", value_parser = step)]
    #[arg(help_heading = "Search")]
    pub step: Step,
    /// How near to each other the highest load that passes and the lowest that does not have to be
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = share)]
    #[arg(help_heading = "Search")]
    pub within: f64,
    /// What each run is.
    #[command(flatten)]
    pub run: RunFlags,
}

/// What is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Raise {
    /// Bots
    Bots,
    /// Arrivals a second of an open model
    Rate,
}

/// How much more the next run carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    /// So many times as much.
    Times(f64),
    /// So much more.
    More(f64),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Times(times) => write!(f, "x{times}"),
            Step::More(more) => write!(f, "{more}"),
        }
    }
}

fn step(text: &str) -> Result<Step, String> {
    let wrong = || format!("`{text}` is no step such as x2, x1.5, 500 or 1k/s");
    let step = match text.strip_prefix('x') {
        Some(times) => Step::Times(units::number(times).filter(|n| *n > 1.0).ok_or_else(wrong)?),
        None => {
            let more = text.strip_suffix("/s").unwrap_or(text);
            Step::More(units::number(more).filter(|n| *n > 0.0).ok_or_else(wrong)?)
        }
    };
    Ok(step)
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(units::number);
    let share = number.filter(|number| (0.1..=100.0).contains(number));
    share.map(|number| number / 100.0).ok_or(format!("`{text}` is no share from 0.1% to 100%"))
}
