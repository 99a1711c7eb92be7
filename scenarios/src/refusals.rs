//! Refusals, each counted by its condition.

use densebots_engine::Counter;
use densebots_protocols::xmpp::{Stanza, StanzaCondition};

/// The names of their counters, in the order of [`counter`].
pub(crate) fn names() -> impl Iterator<Item = String> {
    let all = StanzaCondition::ALL.iter().chain([&StanzaCondition::Unknown]);
    all.map(|condition| format!("xmpp.refused.{}", condition.name()))
}

/// The counter of this condition, if the first of them has the number `first`.
pub(crate) fn counter(first: u16, condition: StanzaCondition) -> Counter {
    let all = StanzaCondition::ALL;
    let nth = all.iter().position(|&known| known == condition).unwrap_or(all.len());
    Counter(first + nth as u16)
}

/// Why a stanza came back.
pub(crate) fn condition(refused: &Stanza<'_>) -> StanzaCondition {
    refused.error().map_or(StanzaCondition::Unknown, |error| error.condition())
}
