//! The wall clock and the stopwatch of the outermost crate: the only reader of either.

use std::time::{Duration, Instant, SystemTime};

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

/// The time of day, since 1970.
#[allow(clippy::disallowed_methods)] // rooms of an embedded target tell when something was said
pub(crate) fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// A number that tells runs apart: of the clock and of this process.
pub(crate) fn run_number() -> u32 {
    let millis = since_1970().as_millis() as u64 ^ u64::from(std::process::id()) << 32;
    (millis.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}
