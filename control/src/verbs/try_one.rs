//! To come.
use crate::args::TryFlags;
use crate::ending::Ending;
/// Tries.
pub(crate) fn try_one(_: &TryFlags) -> anyhow::Result<Ending> {
    Ok(Ending::Unexpected)
}
