//! Bots that are out of a room and did not leave it, each counted by why.

use densebots_engine::Counter;
use densebots_protocols::xmpp::Removal;

/// How many counters there are.
pub(crate) const COUNT: u16 = Removal::ALL.len() as u16;

/// The names of the counters of a scenario, in the order of [`counter`].
pub(crate) fn names(scenario: &'static str) -> impl Iterator<Item = String> {
    Removal::ALL.iter().map(move |removal| format!("{scenario}.thrown_out.{}", removal.name()))
}

/// The counter of this removal, if the first of them has the number `first`.
pub(crate) fn counter(first: u16, removal: Removal) -> Counter {
    let nth = Removal::ALL.iter().position(|&known| known == removal);
    Counter(first + nth.unwrap_or(0) as u16)
}
