//! The load that a file plans: how many bots, when, how long.

use std::time::Duration;

use super::fault::Faults;
use super::take::{Keys, quantity};
use super::yaml::Node;
use crate::units;

/// What a file says of its load; what it leaves out is as usual.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadPlan {
    /// Bots; in an open model the most that live at once.
    pub bots: Option<u32>,
    /// Bots a second that arrive until all are in.
    pub arrive: Option<f64>,
    /// How long it takes until all are in; in an open model until the rate is reached.
    pub ramp: Option<Duration>,
    /// Bots a second that go on arriving and leave when they are done.
    pub open: Option<f64>,
    /// How long all are held, or arrivals go on.
    pub hold: Option<Duration>,
}

pub(super) fn read(node: &Node, faults: &mut Faults) -> LoadPlan {
    let Some(mut keys) = Keys::of(node, "load", faults) else { return LoadPlan::default() };
    let bots = keys.get("bots");
    let (arrive, ramp) = (keys.get("arrive"), keys.get("ramp"));
    let (open, hold) = (keys.get("open"), keys.get("for"));
    keys.end(faults);
    if let (Some(_), Some(ramp)) = (arrive, ramp) {
        let help = "`arrive` is a rate, `ramp` the time until all are in: give one";
        faults.add_with(ramp.span, "load: `arrive` and `ramp` contradict each other", help);
    }
    if let (Some(_), Some(arrive)) = (open, arrive) {
        let help = "with `open`, bots go on arriving; with `arrive`, until all are in: give one";
        faults.add_with(arrive.span, "load: `open` and `arrive` contradict each other", help);
    }
    let count = |text: &str| match units::count(text)? {
        0 => Err("a run needs at least one bot".to_owned()),
        bots => Ok(bots),
    };
    LoadPlan {
        bots: bots.and_then(|node| quantity(node, "bots", count, faults)),
        arrive: arrive.and_then(|node| quantity(node, "arrive", rate, faults)),
        ramp: ramp.and_then(|node| quantity(node, "ramp", units::duration, faults)),
        open: open.and_then(|node| quantity(node, "open", rate, faults)),
        hold: hold.and_then(|node| quantity(node, "for", units::duration, faults)),
    }
}

/// A rate with its unit: in a file, nobody should have to guess.
fn rate(text: &str) -> Result<f64, String> {
    match units::rate(text) {
        Ok(_) if !text.contains('/') => {
            Err(format!("`{text}` has no unit; give {text}/s, {text}/m or {text}/h"))
        }
        rate => rate,
    }
}
