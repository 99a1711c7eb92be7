//! The terms of a ledger: what the plan says of it.

use std::time::Duration;

/// What the ledger goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Tells this run's messages from those of others. Runs against the same service need
    /// different ones.
    pub run: u32,
    /// A message that was not heard so long after it was sent is missing; heard later, it is late.
    pub late: Duration,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { run: 1, late: Duration::from_secs(10) }
    }
}
