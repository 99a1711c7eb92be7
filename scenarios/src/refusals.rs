//! Refusals, each counted by its condition; and those that a bot can wait out.

use densebots_engine::Counter;
use densebots_protocols::xmpp::{Remedy, Stanza, StanzaCondition};

use crate::{Parameter, SettingError, Settings};

/// How a scenario is told what a refusal of its joins means.
pub(crate) const PARAMETER: Parameter = Parameter {
    name: "refusals",
    default: "count",
    about: "a room that is full for now, or a limit that is met: count, the join has failed; or \
            wait, it goes on and asks again after `patience`",
};

/// What a refusal means that may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusals {
    /// What was asked for has failed.
    Count,
    /// It is asked for again after a while, as long as its op may take.
    Wait,
}

impl Refusals {
    pub(crate) fn from(settings: &Settings) -> Result<Refusals, SettingError> {
        match settings.text(PARAMETER.name) {
            "count" => Ok(Refusals::Count),
            "wait" => Ok(Refusals::Wait),
            _ => Err(settings.fault(PARAMETER.name, "count or wait")),
        }
    }

    /// Whether this one is to be waited out: the service says so, or means that there is no place
    /// (XEP-0045 section 7.2.9 and what servers make of it) or too much was asked for.
    pub(crate) fn wait_out(self, refused: &Stanza<'_>, condition: StanzaCondition) -> bool {
        use StanzaCondition as C;
        let passing =
            matches!(condition, C::ResourceConstraint | C::ServiceUnavailable | C::PolicyViolation);
        self == Refusals::Wait && (passing || asks_to_wait(refused))
    }
}

/// Whether the service says that waiting helps.
pub(crate) fn asks_to_wait(refused: &Stanza<'_>) -> bool {
    refused.error().and_then(|error| error.remedy()) == Some(Remedy::Wait)
}

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
