//! Who is who.

/// The number of a bot, unique in a run. `id % shards` is the shard it lives on.
///
/// Planned bots count up from the plan's first id; accepted bots and keepers have ids from
/// [`BOTS_MAX`](crate::plan::BOTS_MAX) on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BotId(pub u32);

impl std::fmt::Display for BotId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
