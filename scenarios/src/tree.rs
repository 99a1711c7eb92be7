//! Behaviour trees: what a scenario file says bots do, compiled into steps that all bots share.
//!
//! ```text
//!   File --compile--> Steps: one array, each step knows its parent, first child and next sibling
//!   bot: [cursor | variables | slots], a few bytes; a slot is what the steps above the cursor
//!        count or wait for, and steps that are never reached together share one
//! ```
//! Nothing ticks: a step that waits is woken by its time, an event or an answer, says whether it
//! succeeded, and the outcome goes up from step to step until one of them goes on.

mod amounts;
mod compile;
mod coverage;
mod described;
mod enter;
mod leaves;
mod machine;
mod nodes;
mod play;
#[cfg(test)]
mod tests;

pub(crate) use compile::compile;
pub(crate) use coverage::Coverage;
pub use described::{DescribedNode, Form, LEAVES, NODES};
pub(crate) use play::{bytes_per_bot, prepare};

use std::time::Duration;

use densebots_engine::{Rng, Think};

use crate::file::{Share, Span};
use crate::template::{Expr, Place, Scope, Template};

/// Steps of all trees of a file, where a sub-tree counts as often as it is used.
pub const STEPS_MAX: usize = 60_000;
/// No step.
pub(crate) const NONE: u16 = u16::MAX;
/// Steps that a bot may take without waiting for anything.
pub const STRIDE_MAX: u32 = 1_000;

/// Everything that the bots of a file share.
#[derive(Debug)]
pub(crate) struct Steps {
    pub steps: Box<[Step]>,
    pub kinds: Box<[KindOfBot]>,
    /// Ops of the trees, behind those of the protocol.
    pub ops: Vec<String>,
    /// Counters of the trees, behind those of the protocol and [`COUNTERS`].
    pub counters: Vec<String>,
    /// Why bots and runs end.
    pub reasons: Vec<String>,
    /// By the number of an event, which of its fields somebody looks at.
    pub wanted: Box<[Option<u8>]>,
    /// Bytes that a bot needs.
    pub bytes: usize,
}

/// Counters of every tree.
pub(crate) const COUNTERS: [&str; 4] =
    ["tree.ended", "tree.failed", "tree.runaway", "tree.dropped"];
pub(crate) const ENDED: u16 = 0;
pub(crate) const FAILED: u16 = 1;
pub(crate) const RUNAWAY: u16 = 2;
/// Beats that could not be, of an `every` in which nothing is timed.
pub(crate) const DROPPED: u16 = 3;

/// One kind of bots.
#[derive(Debug)]
pub(crate) struct KindOfBot {
    pub share: Share,
    pub root: u16,
    pub goes_on: bool,
    /// The variables as they begin, with the cursor in front.
    pub memory: Box<[u8]>,
}

/// A step of a tree.
#[derive(Debug)]
pub(crate) struct Step {
    pub does: Does,
    pub parent: u16,
    pub first: u16,
    pub next: u16,
    /// Where its slot begins in a bot's memory.
    pub slot: u16,
    /// Where it stands in the file.
    pub span: Span,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Does {
    Sequence,
    Select,
    /// Slot: the rounds that are left, the end; each if there is one.
    Repeat {
        times: Option<Expr>,
        until: Option<bool>,
        hold: Option<Amount>,
    },
    Random,
    Weighted(Box<[u32]>),
    /// Always this outcome.
    Always(bool),
    Negate,
    /// Slot: a cursor for each branch, and the outcome of each that is over.
    Parallel {
        all: bool,
        branches: u16,
    },
    /// Slot: the end.
    Timeout(Amount),
    /// Slot: tries, the end of the pause.
    Retry {
        times: u32,
        first: Duration,
        cap: Duration,
    },
    If(Expr),
    /// Slot: when the next beat is due, and the beats that are left, if they are counted.
    Every {
        pace: Amount,
        times: Option<Expr>,
        spread: bool,
        /// The op that beats are counted under that could not be.
        op: Option<u16>,
    },
    /// Slot: whether it was done, which outlives everything.
    Once,
    Measure(u16),
    /// Slot: the end.
    Wait(Pause),
    /// Slot: the end.
    WaitFor(Box<Awaited>),
    /// Slot: the key of the answer.
    Act(Box<Act>),
    Set(Box<[(Place, Sets)]>),
    Count(u16, Expr),
    Succeed(bool),
    SucceedRate(Expr),
    Done,
    /// For the reason with this number.
    Error(u16),
    StopRun(u16),
}

/// What a variable is set to.
#[derive(Debug)]
pub(crate) enum Sets {
    Number(Expr),
    Truth(Expr),
    Text(Template),
}

/// An event that a step waits for.
#[derive(Debug)]
pub(crate) struct Awaited {
    pub event: u16,
    pub condition: Option<Expr>,
    pub sets: Box<[(Place, Sets)]>,
    pub within: Option<Amount>,
}

/// An action.
#[derive(Debug)]
pub(crate) struct Act {
    /// Its number in the vocabulary.
    pub action: u16,
    pub arguments: Box<[Gives]>,
    pub op: Option<u16>,
    /// How long it may take, if not as long as any op.
    pub within: Option<Amount>,
}

/// An argument of an action.
#[derive(Debug)]
pub(crate) enum Gives {
    Text(Template),
    Number(Expr),
}

/// A time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Amount {
    Fixed(Duration),
    /// A number, and how many seconds one of it is.
    Drawn(Expr, f64),
}

impl Amount {
    pub(crate) fn draw<'a>(&'a self, scope: &mut Scope<'a>) -> Duration {
        match self {
            Amount::Fixed(time) => *time,
            Amount::Drawn(number, unit) => {
                let seconds = number.number(scope) * unit;
                let most = densebots_engine::THINK_MAX;
                let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO);
                if seconds.is_sign_positive() && seconds > most.as_secs_f64() {
                    most
                } else {
                    time.min(most)
                }
            }
        }
    }
}

/// A pause.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Pause {
    Law(Think),
    Amount(Amount),
}

impl Pause {
    pub(crate) fn draw<'a>(&'a self, scope: &mut Scope<'a>) -> Duration {
        match self {
            Pause::Law(law) => law.draw(scope.rng),
            Pause::Amount(amount) => amount.draw(scope),
        }
    }
}

/// The kind of the bot that is the `nth` of a run, from 0.
pub(crate) fn kind_of(kinds: &[KindOfBot], nth: u64, rng: &mut Rng) -> usize {
    let mut counted = 0;
    for (at, kind) in kinds.iter().enumerate() {
        if let Share::Count(count) = kind.share {
            counted += u64::from(count);
            if nth < counted {
                return at;
            }
        }
    }
    let weight = |kind: &KindOfBot| match kind.share {
        Share::Weight(weight) => u64::from(weight),
        Share::Count(_) => 0,
    };
    let all: u64 = kinds.iter().map(weight).sum();
    let mut point = rng.below(all.max(1));
    for (at, kind) in kinds.iter().enumerate() {
        match point.checked_sub(weight(kind)) {
            Some(rest) => point = rest,
            None => return at,
        }
    }
    // Counts alone, and more bots than counted: the last kind takes them.
    kinds.len() - 1
}
