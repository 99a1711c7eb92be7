//! Refusals, each counted by its condition.

use densebots_engine::Counter;
use densebots_protocols::xmpp::{Stanza, StanzaCondition};

/// The names of their counters, in the order of [`counter`].
pub(crate) fn names() -> impl Iterator<Item = String> {
    StanzaCondition::ALL.iter().map(|condition| format!("xmpp.refused.{}", condition.name()))
}

/// The counter of this condition, if the first of them has the number `first`. What nobody knows
/// counts as undefined.
pub(crate) fn counter(first: u16, condition: StanzaCondition) -> Counter {
    let undefined = [condition, StanzaCondition::UndefinedCondition];
    let nth = |wanted| StanzaCondition::ALL.iter().position(|&known| known == wanted);
    Counter(first + undefined.into_iter().find_map(nth).unwrap_or(0) as u16)
}

/// Why a stanza came back.
pub(crate) fn condition(refused: &Stanza<'_>) -> StanzaCondition {
    refused.error().map_or(StanzaCondition::Unknown, |error| error.condition())
}
