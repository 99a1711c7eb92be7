//! Quantities as people type them.

use std::time::Duration;

use densebots_scenarios::units as typed;

/// A century: the longest time that is read.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Any text is a quantity within its limits or refused, and what is written for people is read
/// again as the same. No choices: all bytes are what is typed.
pub fn units(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(count) = typed::count(text) {
        assert_eq!(typed::count(&typed::grouped(count.into())), Ok(count), "{text}");
    }
    if let Ok(rate) = typed::rate(text) {
        assert!(rate > 0.0 && rate.is_finite(), "{text}: {rate}");
        assert!(typed::per_second(rate).ends_with("/s"), "{text}");
    }
    if let Ok(time) = typed::duration(text) {
        assert!(time <= LONGEST, "{text}: {time:?}");
        assert!(!typed::span(time).is_empty(), "{text}");
    }
    if let Ok(bytes) = typed::bytes(text) {
        assert_eq!(typed::bytes(&bytes.to_string()), Ok(bytes), "{text}");
        assert!(!typed::size(bytes.into()).is_empty(), "{text}");
    }
}
