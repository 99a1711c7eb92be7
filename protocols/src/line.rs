//! The simplest protocols: bytes cut into messages. Read this file before writing a session.
//!
//! Four ways of cutting, chosen by a [`Framing`]:
//!
//! ```text
//! chunks    whatever one read brought          no frame: the peer speaks bytes
//! fixed     |<-- size -->|<-- size -->|        no frame either, but whole messages
//! lines     payload LF    or    payload CR LF  the payload is anything without LF
//! packets   length payload                     the payload is anything
//! ```
//!
//! What there is to learn here for other sessions:
//!
//! - A session keeps no bytes. It looks at the caller's input and says how much of it is used up;
//!   what it does not use comes again, with more behind it. An idle link costs 12 bytes.
//! - What it does keep is what it would be wasteful to find out again. Here that is how far an
//!   unfinished line was searched: an endless line that drips in byte by byte costs one look at
//!   every byte, not one look at the whole line for every byte.
//! - Waiting for more is an answer ([`Step::Partial`]), not an error. A [`Violation`] is the peer's
//!   fault and is given as soon as it is certain, so that nobody buffers what will be refused.
//!   [`Unframeable`] is our own side's fault, and leaves the output as it was.
//! - How the network splits the stream changes nothing but chunks: the events are the same.

use std::num::NonZeroU32;

use memchr::memchr;

use crate::{Session, Step, Stream, Violation};

#[cfg(test)]
mod tests;

// A million of these lie inline in a slab.
const _: () = assert!(size_of::<Framing>() <= 8);
const _: () = assert!(size_of::<Line>() <= 12);

const LINE_TOO_LONG: Violation = Violation { rule: "a line over the limit" };
const LINE_CUT: Violation = Violation { rule: "the end of the stream in the middle of a line" };
const PACKET_TOO_LARGE: Violation = Violation { rule: "a packet over the limit" };
const PACKET_TOO_SMALL: Violation = Violation { rule: "a packet smaller than its own header" };
const PACKET_CUT: Violation = Violation { rule: "the end of the stream in the middle of a packet" };
const FIXED_CUT: Violation = Violation { rule: "the end of the stream in the middle of a message" };

/// How a stream of bytes is cut into messages.
///
/// Every limit counts payload bytes alone, without line end or header, and holds in both
/// directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing(Shape);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Chunks,
    Fixed { size: NonZeroU32 },
    Lines { longest: u32 },
    Packets { header: Header, largest: u32 },
}

/// The length in front of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many bytes the length takes.
    pub width: Width,
    /// Which of these bytes comes first.
    pub order: ByteOrder,
    /// The length counts its own bytes too, not the payload alone.
    pub counts_itself: bool,
}

/// How many bytes the length of a packet takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One byte: at most 255.
    One = 1,
    /// Two bytes: at most 65,535.
    Two = 2,
    /// Four bytes: at most 4,294,967,295.
    Four = 4,
}

/// Which byte of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// The most significant one (network order).
    Big,
    /// The least significant one.
    Little,
}

impl Framing {
    /// No framing: what a read brought is an event as it is.
    ///
    /// For servers that speak bytes. Nothing is said about where a message begins or ends: two
    /// messages may come in one event, or one in two.
    pub const fn chunks() -> Self {
        Self(Shape::Chunks)
    }

    /// Messages of `size` bytes each, one behind the other.
    ///
    /// The size cannot be zero: no bytes would then be endlessly many messages.
    pub const fn fixed(size: NonZeroU32) -> Self {
        Self(Shape::Fixed { size })
    }

    /// Lines of at most `longest` bytes, ended by LF; one CR before it belongs to the end.
    ///
    /// Otherwise a line may hold any bytes. It is sent with LF alone.
    pub const fn lines(longest: u32) -> Self {
        Self(Shape::Lines { longest })
    }

    /// Packets of at most `largest` bytes, each with its length in front.
    pub const fn packets(header: Header, largest: u32) -> Self {
        Self(Shape::Packets { header, largest })
    }
}

/// A payload that the framing has no way to carry: the fault of whoever sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unframeable {
    /// The line would end there, and the rest would be another one.
    #[error("a line cannot contain a line feed")]
    LineFeed,
    /// The peer would take it for a part of the line's end, and drop it.
    #[error("a line cannot end in a carriage return")]
    CarriageReturn,
    /// More than the limit of the framing, or than the length can say.
    #[error("{bytes} bytes where at most {limit} are allowed")]
    TooLong {
        /// The size of the payload.
        bytes: usize,
        /// The largest payload.
        limit: u32,
    },
    /// Not the one size that the messages have.
    #[error("{bytes} bytes where every message has {size}")]
    WrongSize {
        /// The size of the payload.
        bytes: usize,
        /// The size that it must have.
        size: u32,
    },
}

/// One link's framing. Its events are payloads: no line ends, no headers.
#[derive(Clone, Debug)]
pub struct Line {
    framing: Framing,
    /// How many bytes at the front of the input are known to hold no LF. Zero when a line begins.
    seen: u32,
}

impl Line {
    /// A session at the beginning of a stream.
    pub const fn new(framing: Framing) -> Self {
        Self { framing, seen: 0 }
    }

    /// Appends one framed payload to `out`, or nothing if it cannot be framed.
    ///
    /// What is accepted here arrives unchanged at a peer with the same framing.
    pub fn send(&self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Unframeable> {
        match self.framing.0 {
            Shape::Chunks => out.extend_from_slice(payload),
            Shape::Fixed { size } => {
                let (bytes, size) = (payload.len(), size.get());
                if bytes != size as usize {
                    return Err(Unframeable::WrongSize { bytes, size });
                }
                out.extend_from_slice(payload);
            }
            Shape::Lines { longest } => {
                within(payload, longest)?;
                if memchr(b'\n', payload).is_some() {
                    return Err(Unframeable::LineFeed);
                }
                if payload.ends_with(b"\r") {
                    return Err(Unframeable::CarriageReturn);
                }
                out.extend_from_slice(payload);
                out.push(b'\n');
            }
            Shape::Packets { header, largest } => {
                let length = within(payload, largest.min(header.most()))?;
                header.write(length, out);
                out.extend_from_slice(payload);
            }
        }
        Ok(())
    }

    /// The first line of the input.
    fn line<'a>(&mut self, input: &'a [u8], longest: u32) -> Result<Step<&'a [u8]>, Violation> {
        // The longest allowed line and its end: what lies behind need not be searched.
        let window = &input[..input.len().min((longest as usize).saturating_add(2))];
        let seen = (self.seen as usize).min(window.len());
        let end = memchr(b'\n', &window[seen..]).map(|offset| seen + offset);

        // Without an LF the last CR gets the benefit of the doubt: the LF may be on its way.
        let line = &window[..end.unwrap_or(window.len())];
        let payload = line.strip_suffix(b"\r").unwrap_or(line);
        if payload.len() > longest as usize {
            return Err(LINE_TOO_LONG);
        }
        if let Some(end) = end {
            self.seen = 0; // the next line has not been looked at
            Ok(Step::Event(end + 1, payload))
        } else {
            self.seen = u32::try_from(window.len()).unwrap_or(u32::MAX);
            Ok(Step::Partial)
        }
    }
}

impl Session for Line {
    type Event<'a> = &'a [u8];

    fn open(&mut self, _: &Stream, _: &mut Vec<u8>) {
        self.seen = 0;
    }

    fn receive<'a>(
        &mut self,
        input: &'a [u8],
        ended: bool,
        _: &mut Vec<u8>,
    ) -> Result<Step<&'a [u8]>, Violation> {
        if input.is_empty() {
            return Ok(Step::Partial); // between two units, where the stream may well end
        }
        let (step, cut) = match self.framing.0 {
            Shape::Chunks => return Ok(Step::Event(input.len(), input)),
            Shape::Fixed { size } => (fixed(input, size), FIXED_CUT),
            Shape::Lines { longest } => (self.line(input, longest)?, LINE_CUT),
            Shape::Packets { header, largest } => (packet(input, header, largest)?, PACKET_CUT),
        };
        if ended && step == Step::Partial { Err(cut) } else { Ok(step) }
    }
}

/// The first message of the input.
fn fixed(input: &[u8], size: NonZeroU32) -> Step<&[u8]> {
    match input.get(..size.get() as usize) {
        Some(payload) => Step::Event(payload.len(), payload),
        None => Step::Partial,
    }
}

/// The first packet of the input. Reading a length again costs nothing, so nothing is remembered.
fn packet(input: &[u8], header: Header, largest: u32) -> Result<Step<&[u8]>, Violation> {
    let Some((length, rest)) = input.split_at_checked(header.width as usize) else {
        return Ok(Step::Partial);
    };
    let size = header.read(length).ok_or(PACKET_TOO_SMALL)?;
    if size > largest {
        return Err(PACKET_TOO_LARGE);
    }
    // Taken from the rest, not counted from the front: no sum that a hostile length overflows.
    Ok(match rest.get(..size as usize) {
        Some(payload) => Step::Event(length.len() + payload.len(), payload),
        None => Step::Partial,
    })
}

/// The length of the payload, if it is within the limit.
fn within(payload: &[u8], limit: u32) -> Result<u32, Unframeable> {
    let bytes = payload.len();
    let length = u32::try_from(bytes).ok().filter(|length| *length <= limit);
    length.ok_or(Unframeable::TooLong { bytes, limit })
}

impl Header {
    /// What the length counts besides the payload.
    const fn own(self) -> u32 {
        if self.counts_itself { self.width as u32 } else { 0 }
    }

    /// The largest payload whose length can be written.
    const fn most(self) -> u32 {
        (u32::MAX >> (32 - 8 * self.width as u32)) - self.own()
    }

    /// The size of the payload; `None` if the length does not even cover the header it counts.
    fn read(self, length: &[u8]) -> Option<u32> {
        let append = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
        let counted = match self.order {
            ByteOrder::Big => length.iter().fold(0, append),
            ByteOrder::Little => length.iter().rev().fold(0, append),
        };
        counted.checked_sub(self.own())
    }

    /// Appends the length of a payload of at most [`Header::most`] bytes.
    fn write(self, payload: u32, out: &mut Vec<u8>) {
        let (counted, width) = (payload + self.own(), self.width as usize);
        match self.order {
            ByteOrder::Big => out.extend_from_slice(&counted.to_be_bytes()[4 - width..]),
            ByteOrder::Little => out.extend_from_slice(&counted.to_le_bytes()[..width]),
        }
    }
}
