//! Comparisons, units and limits.

use crate::units;

/// How a value is compared with its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// `<`
    Below,
    /// `<=`
    NotAbove,
    /// `>`
    Above,
    /// `>=`
    NotBelow,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

impl Comparison {
    /// All, as they are written.
    pub(crate) const ALL: [(&str, Comparison); 6] = [
        ("<=", Comparison::NotAbove),
        (">=", Comparison::NotBelow),
        ("==", Comparison::Equal),
        ("!=", Comparison::Unequal),
        ("<", Comparison::Below),
        (">", Comparison::Above),
    ];

    /// Whether it is so.
    pub(crate) fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Comparison::Below => value < limit,
            Comparison::NotAbove => value <= limit,
            Comparison::Above => value > limit,
            Comparison::NotBelow => value >= limit,
            Comparison::Equal => value == limit,
            Comparison::Unequal => value != limit,
        }
    }
}

/// What values and limits are given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Microseconds.
    Time,
    /// Of a whole, which is 1.
    Share,
    /// So many.
    Number,
    /// Bytes.
    Bytes,
    /// So many a second.
    Rate,
}

/// What a value is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limit {
    /// In the unit.
    pub value: f64,
    /// As it was given: a count may be limited by a share of its whole.
    pub unit: Unit,
}

/// Every unit, in the order in which a limit that does not fit is guessed to be of one.
const UNITS: [Unit; 5] = [Unit::Share, Unit::Time, Unit::Rate, Unit::Number, Unit::Bytes];

impl Unit {
    /// The name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Unit::Time => "us",
            Unit::Share => "share",
            Unit::Number => "count",
            Unit::Bytes => "bytes",
            Unit::Rate => "per_s",
        }
    }

    /// What it is called in a fault.
    fn called(self) -> &'static str {
        match self {
            Unit::Time => "a time",
            Unit::Share => "a share",
            Unit::Number => "a bare number",
            Unit::Bytes => "a size",
            Unit::Rate => "a rate",
        }
    }

    /// What a limit of it looks like.
    fn example(self) -> &'static str {
        match self {
            Unit::Time => "a time such as 500ms",
            Unit::Share => "per cent such as 0.1%",
            Unit::Number => "a number such as 10k",
            Unit::Bytes => "a size such as 64KiB",
            Unit::Rate => "a rate such as 500/s",
        }
    }

    /// What is written, as this; zero needs no unit.
    fn read(self, text: &str) -> Option<f64> {
        let share = |text: &str| units::number(text.strip_suffix('%')?.trim_end());
        match self {
            _ if units::number(text) == Some(0.0) => Some(0.0),
            Unit::Time => units::duration(text).ok().map(|time| time.as_secs_f64() * 1e6),
            Unit::Share => share(text).filter(|number| *number >= 0.0).map(|number| number / 100.0),
            Unit::Number => units::number(text),
            Unit::Bytes => units::octets(text),
            Unit::Rate => units::rate(text).ok().filter(|_| text.contains('/')),
        }
    }

    /// A value in words.
    pub(crate) fn told(self, value: f64) -> String {
        match self {
            Unit::Time => units::micros(value.round() as u64),
            Unit::Share => per_cent(value),
            Unit::Number if value < 0.0 => format!("-{}", self.told(-value)),
            Unit::Number if value.fract() == 0.0 => units::grouped(value as u64),
            Unit::Number => format!("{value:.2}"),
            Unit::Bytes => units::size(value.round() as u64),
            Unit::Rate => units::per_second(value),
        }
    }
}

/// `99.92 %`: never rounded to all or nothing.
fn per_cent(share: f64) -> String {
    let number = share * 100.0;
    let text = match number {
        0.0 => "0".to_owned(),
        number if number < 0.01 => format!("{number:.0e}"),
        number if number < 1.0 => format!("{number:.3}"),
        number if number < 100.0 => format!("{:.2}", (number * 100.0).floor() / 100.0),
        number => format!("{number:.0}"),
    };
    format!("{text} %")
}

impl Limit {
    /// What is written, for a subject whose values are of this unit; `divides` if they may be
    /// compared as shares too. What it may not be compared with is told with what would be right.
    pub(super) fn read(text: &str, unit: Unit, divides: bool) -> Result<Limit, String> {
        if let Some(value) = unit.read(text) {
            return match unit {
                Unit::Share if value > 1.0 => Err(format!("`{text}` is more than everything")),
                _ => Ok(Limit { value, unit }),
            };
        }
        if let Some(value) = Unit::Share.read(text).filter(|_| divides) {
            return Ok(Limit { value, unit: Unit::Share });
        }
        let or = if divides { ", or per cent" } else { "" };
        let wanted = format!("{}{or}", unit.example());
        let Some(given) = UNITS.into_iter().find(|other| other.read(text).is_some()) else {
            return Err(format!("`{text}` is no limit; give {wanted}"));
        };
        let lacks_unit = given == Unit::Number && text.ends_with(|c: char| c.is_ascii_digit());
        let meant = match unit {
            Unit::Time if lacks_unit => format!("{text}us, {text}ms or {text}s"),
            Unit::Share if lacks_unit => format!("{text}%"),
            Unit::Bytes if lacks_unit => format!("{text}B, {text}KiB or {text}MiB"),
            Unit::Rate if lacks_unit => format!("{text}/s"),
            _ => wanted,
        };
        let measured = if unit == Unit::Number { "a count" } else { unit.called() };
        Err(format!("{measured} cannot be compared with {}; give {meant}", given.called()))
    }
}
