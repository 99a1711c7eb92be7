//! The wall clock and the stopwatch of the outermost crate: the only reader of either.

use std::time::{Instant, SystemTime};

/// A moment to measure from.
#[allow(clippy::disallowed_methods)] // people wait here, not bots
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The date and time now, as in RFC 3339, in UTC.
#[allow(clippy::disallowed_methods)] // when a run began is for people
pub(crate) fn date() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
