//! Bugs that can be planted, to show that the oracles of the simulation find them.
//!
//! Without the feature `planted` the plan answers every question for one with `false`, at compile
//! time.

/// One bug each. `tests/planted.rs` says which oracle finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "planted"), allow(dead_code, unreachable_pub))]
pub enum Bug {
    /// An event for a link that is gone reaches the link in its place.
    StaleGeneration,
    /// The wheel's cascade loses a timer.
    LostCascade,
    /// The rest after a partial write is dropped.
    LostRest,
    /// An entry of the "again" queue is lost.
    LostAgain,
    /// A letter is delivered to the bot in a dead member's slot.
    LetterToDead,
    /// Latency counts from now instead of from due.
    LatencyFromNow,
    /// Buffers are not given back.
    LeakyPool,
    /// `remove` counts a bot that is removed already.
    RemovedTwice,
    /// A bot that dies stays a member of its groups.
    GhostMember,
    /// A new wake leaves the old one armed.
    SecondWake,
}
