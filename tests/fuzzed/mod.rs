//! What the fuzz targets check: one function each, over any bytes.
//!
//! The programs in `tests/fuzz` hand them what libFuzzer finds; the test `fuzz` hands them the
//! kept inputs of `tests/fuzz/corpus` and changed ones. A function panics if what it checks is not
//! so. Most inputs begin with [`CHOICES`] bytes that say how the rest is taken, so that a kept
//! one can be written by hand.

mod framing;
mod login;
mod record;
mod scenario;
mod units;

pub use framing::{element, framer, line};
pub use login::login;
pub use record::record;
pub use scenario::scenario;
pub use units::units;

/// A target: its name, and what checks one input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by its name in `tests/fuzz`.
pub const TARGETS: [Target; 7] = [
    ("element", element),
    ("framer", framer),
    ("line", line),
    ("login", login),
    ("record", record),
    ("scenario", scenario),
    ("units", units),
];

/// Bytes at the front of an input that say how it is taken. What is shorter is taken for nothing.
pub const CHOICES: usize = 4;

/// An input cut into its choices and the bytes to try.
fn taken(input: &[u8]) -> Option<([u8; CHOICES], &[u8])> {
    input.split_first_chunk().map(|(choices, rest)| (*choices, rest))
}

/// The bytes cut behind each of these lengths, over and over; a length of zero counts as one.
fn pieces(mut bytes: &[u8], lengths: [usize; 3]) -> impl Iterator<Item = &[u8]> {
    let mut lengths = lengths.into_iter().cycle();
    std::iter::from_fn(move || {
        let length = lengths.next()?.clamp(1, bytes.len().max(1));
        let piece = bytes.split_off(..length)?;
        Some(piece)
    })
}
