//! What a bot has begun and not ended.

use crate::metrics::Op;
use crate::time::Time;

/// An op in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    pub(crate) op: Op,
    /// Which of several of the same name; 0 where there is no need to tell them apart.
    pub(crate) nth: u16,
    /// How long it may take, from `due`, in milliseconds.
    pub(crate) patience_ms: u32,
    /// When it was meant to begin. `Time::NEVER`: no op is in flight.
    pub(crate) due: Time,
    /// When its bytes were handed to the system; `Time::NEVER` until they are.
    pub(crate) flushed: Time,
}

impl Flight {
    pub(crate) const NONE: Flight =
        Flight { op: Op(0), nth: 0, patience_ms: 0, due: Time::NEVER, flushed: Time::NEVER };

    pub(crate) fn is_some(&self) -> bool {
        self.due != Time::NEVER
    }

    pub(crate) fn deadline(&self) -> Time {
        self.due + std::time::Duration::from_millis(u64::from(self.patience_ms))
    }
}
