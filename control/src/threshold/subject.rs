//! What thresholds can be about: one table, which `control/README.md` shows.

use std::ops::Range;

use densebots_engine::Names;

use super::Unit;
use super::measure::Whole;
use crate::names::{hint, nearest};

mod table;
pub(crate) use table::{ROWS, Row};

/// A quantity and where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A time or a value of which there are many.
    Spread(Spread, Reading),
    /// Something counted.
    Count(Count),
    /// Something that stands at a number now, or stood there at its least or most.
    Level(Level),
    /// A part of a whole.
    Share(Share),
    /// So many a second.
    Rate(Rate),
    /// A time of which there is one.
    Time(Time),
}

/// What there are many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    Op,
    Service,
    Connect,
    Handshake,
    Delivery,
    LastDelivery,
    Lag,
    Turn,
    Value,
}

/// What is read off many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Percentile,
    Max,
    Mean,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    OpEnded,
    OpOk,
    OpFailed,
    OpTimedOut,
    OpDropped,
    OpCut,
    OpLate,
    Errors,
    Connects,
    ConnectsFailed,
    Launched,
    Done,
    Failed,
    Reconnects,
    Respawned,
    Messages,
    Expected,
    Delivered,
    Missing,
    Excused,
    Bounced,
    Unresolved,
    Duplicated,
    Reordered,
    Late,
    History,
    Foreign,
    Unowed,
    Lost,
    Recovered,
    Sent,
    Received,
    MailWritten,
    MailHeard,
    MailDropped,
    Handshakes,
    Values,
    Counter,
    Dropped,
    Limited,
}

/// What stands somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Online,
    MeanOnline,
    PeakOnline,
    OnlineAtEnd,
    OpInFlight,
    Unrecovered,
    Gauge,
    Memory,
    BytesPerBot,
    KernelBytesPerBot,
}

/// Parts of a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    OpErrors,
    Errors,
}

/// How often something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    OpOk,
    OpOffered,
    Connects,
}

/// Times of which there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    BelowTarget,
    Cpu,
}

/// The part of a run that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The measure window.
    Window,
    /// From the first moment to the last.
    Run,
    /// What the subject itself says; nothing else can be asked for.
    Own,
}

impl Over {
    /// The name in the table; what has a time of its own needs none.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Over::Window => "window",
            Over::Run => "run",
            Over::Own => "",
        }
    }
}

/// What a threshold is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subject {
    /// Its row of the table.
    pub row: &'static Row,
    /// The op, counter, gauge or value that is named, and where it stands among the others once
    /// it is bound.
    pub name: Option<(String, usize)>,
    /// Where the name stands in the line.
    pub name_at: Range<usize>,
    /// Of a percentile, from 0 to 1.
    pub quantile: f64,
}

impl Subject {
    /// Whether it can only go up while the run goes on.
    pub(crate) fn grows(&self) -> bool {
        let what = self.row.what;
        matches!(what, What::Count(_) | What::Time(_) | What::Level(Level::PeakOnline))
    }

    /// Whether it says nothing before the end.
    pub(crate) fn settles_late(&self) -> bool {
        let what = self.row.what;
        matches!(what, What::Count(Count::Unresolved) | What::Level(Level::OnlineAtEnd))
    }

    /// Whether a limit may be a share of a whole instead of a number.
    pub(crate) fn divides(&self) -> bool {
        Whole::of(self.row.what).is_some()
    }

    /// Where what it names stands among its like.
    pub(super) fn at(&self) -> usize {
        self.name.as_ref().map_or(0, |(_, at)| *at)
    }

    /// Where the name it has stands among what a scenario measures.
    pub(super) fn bind(&mut self, names: &Names) -> Result<(), (Range<usize>, String)> {
        let Some((name, at)) = &mut self.name else { return Ok(()) };
        let (known, kind) = match self.row.root {
            "op" => (&names.ops, "op"),
            "counter" => (&names.counters, "counter"),
            "gauge" => (&names.gauges, "gauge"),
            _ => (&names.values, "value"),
        };
        let found = known.iter().position(|own| own == name);
        *at = found.ok_or_else(|| {
            let there = match known.is_empty() {
                true => "there is none".to_owned(),
                false => format!("there is {}", known.join(", ")),
            };
            let meant = hint(nearest(name, known.iter().map(String::as_str)));
            let why = format!("this scenario has no {kind} called `{name}` ({there}){meant}");
            (self.name_at.clone(), why)
        })?;
        Ok(())
    }
}

impl Row {
    /// How it is written, with `NAME` and `p99` in place of what is chosen.
    pub(crate) fn written(&self) -> String {
        let name = if self.named { "(NAME)" } else { "" };
        let part = match self.part {
            "" => String::new(),
            part if self.is_percentile() => format!(".{part}99"),
            part => format!(".{part}"),
        };
        format!("{}{name}{part}", self.root)
    }

    /// The percentile is a part of its name.
    pub(crate) fn is_percentile(&self) -> bool {
        matches!(self.what, What::Spread(_, Reading::Percentile))
    }

    /// What its limits are, in words.
    pub(crate) fn limits(&self) -> String {
        let share = if Whole::of(self.what).is_some() { ", share" } else { "" };
        let kind = match self.unit() {
            Unit::Time => "time",
            Unit::Share => "share",
            Unit::Number => "count",
            Unit::Bytes => "size",
            Unit::Rate => "rate",
        };
        format!("{kind}{share}")
    }

    /// What its limits are given in.
    pub(crate) fn unit(&self) -> Unit {
        match self.what {
            What::Spread(Spread::Value, _) => Unit::Number,
            What::Spread(..) | What::Time(_) => Unit::Time,
            What::Share(_) => Unit::Share,
            What::Rate(_) => Unit::Rate,
            What::Count(Count::Sent | Count::Received) => Unit::Bytes,
            What::Level(Level::Memory | Level::BytesPerBot | Level::KernelBytesPerBot) => {
                Unit::Bytes
            }
            What::Count(_) | What::Level(_) => Unit::Number,
        }
    }
}

/// The first words of all subjects. No op may begin with one of them and a dot.
pub(crate) fn roots() -> Vec<&'static str> {
    let mut roots: Vec<&str> = ROWS.iter().map(|row| row.root).collect();
    roots.dedup();
    roots
}
