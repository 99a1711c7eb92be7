//! Times and pauses as files write them.

use std::time::Duration;

use densebots_engine::Think;

use super::{Amount, Pause};
use crate::file::number;
use crate::template::{Kind, Template};
use crate::units;

/// Seconds in one of each unit that can stand behind an expression.
const UNITS: [(&str, f64); 5] =
    [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

/// A time, from what its template comes to.
pub(super) fn amount(text: &Template) -> Result<Amount, String> {
    if let Some(constant) = text.constant() {
        return units::duration(constant).map(Amount::Fixed);
    }
    let wanted = "a time has one expression and its unit: \"{{ random(1, 5) }}s\"";
    match text.single() {
        Some((number, "")) if number.kind() == Kind::Number => {
            Err("a number of what? Give the unit behind it: \"{{ ... }}s\"".to_owned())
        }
        Some((number, unit)) if number.kind() == Kind::Number => {
            let seconds = UNITS.iter().find(|(known, _)| *known == unit.trim());
            let seconds = seconds.ok_or_else(|| format!("`{unit}` is no unit of time"))?.1;
            Ok(Amount::Drawn(number.clone(), seconds))
        }
        _ => Err(wanted.to_owned()),
    }
}

/// A pause: a time, a span, or a law.
pub(super) fn pause(text: &Template) -> Result<Pause, String> {
    let Some(constant) = text.constant() else { return amount(text).map(Pause::Amount) };
    if let Some((from, to)) = constant.split_once("..") {
        let (from, to) = (units::duration(from.trim())?, units::duration(to.trim())?);
        if from > to {
            return Err(format!("`{constant}` ends before it begins"));
        }
        return Ok(Pause::Law(Think::Uniform(from, to)));
    }
    let Some((law, given)) = constant.split_once('(') else {
        return units::duration(constant).map(|time| Pause::Law(Think::Fixed(time)));
    };
    let given: Vec<&str> = given.trim().trim_end_matches(')').split(',').map(str::trim).collect();
    match (law.trim(), &given[..]) {
        ("exponential", [mean]) => Ok(Pause::Law(Think::Exponential(units::duration(mean)?))),
        ("lognormal", [median, spread]) => {
            let (median, spread) = (units::duration(median)?, number(spread)?);
            match (0.0..=10.0).contains(&spread) && median > Duration::ZERO {
                true => Ok(Pause::Law(Think::LogNormal { median, spread })),
                false => Err("a lognormal has a median above 0s and a spread from 0 to 10".into()),
            }
        }
        _ => Err(format!(
            "`{constant}` is no pause such as 5s, 5s..15s, exponential(5s) or lognormal(5s, 0.5)"
        )),
    }
}
