//! The output of one turn: one arena of bytes for all links, so that a link costs nothing while it
//! is silent and one write a turn when it is not.

use crate::links::{Link, NONE, Slot};

/// Bytes appended in this turn, in segments, one a link.
#[derive(Default)]
pub(crate) struct Out {
    bytes: Vec<u8>,
    segments: Vec<Segment>,
}

struct Segment {
    link: Link,
    start: usize,
    end: usize,
}

/// An arena that a burst grew beyond this is given back after the turn.
const ARENA_MAX: usize = 4 << 20;

impl Out {
    /// Lets `write` append bytes for a link behind those it has already.
    pub(crate) fn append<S, R>(
        &mut self,
        key: u32,
        link: &mut Slot<S>,
        write: impl FnOnce(&mut S, &mut Vec<u8>) -> R,
    ) -> R {
        self.bring_to_end(link);
        let start = self.bytes.len();
        let answer = write(&mut link.session, &mut self.bytes);
        assert!(
            self.bytes.len() >= start,
            "a session appends to the output and takes nothing away"
        );
        if self.bytes.len() > start {
            if link.segment == NONE {
                link.segment = self.segments.len() as u32;
                let link = Link { key, generation: link.generation };
                self.segments.push(Segment { link, start, end: start });
            }
            self.segments[link.segment as usize].end = self.bytes.len();
        }
        answer
    }

    /// A link that has output already, with others' behind it, moves to the end: rare, and the
    /// price of one write a link.
    fn bring_to_end<S>(&mut self, link: &Slot<S>) {
        if link.segment == NONE {
            return;
        }
        let segment = &mut self.segments[link.segment as usize];
        if segment.end != self.bytes.len() {
            let start = self.bytes.len();
            self.bytes.extend_from_within(segment.start..segment.end);
            (segment.start, segment.end) = (start, self.bytes.len());
        }
    }

    /// Moves what a link has said in this turn to `into`.
    pub(crate) fn withdraw<S>(&mut self, link: &Slot<S>, into: &mut Vec<u8>) {
        if link.segment != NONE {
            let segment = &mut self.segments[link.segment as usize];
            into.extend_from_slice(&self.bytes[segment.start..segment.end]);
            segment.end = segment.start;
        }
    }

    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// The `nth` segment: whose it is, and its bytes.
    pub(crate) fn segment(&self, nth: usize) -> (Link, &[u8]) {
        let segment = &self.segments[nth];
        (segment.link, &self.bytes[segment.start..segment.end])
    }

    pub(crate) fn clear(&mut self) {
        self.segments.clear();
        self.bytes.clear();
        if self.bytes.capacity() > ARENA_MAX {
            self.bytes = Vec::new();
        }
    }
}

/// Buffers for rests: of units not read whole, and of writes not taken whole.
#[derive(Default)]
pub(crate) struct Pool {
    #[allow(clippy::vec_box)] // a link holds the box: 8 bytes, and the block moves as a whole
    free: Vec<Box<Vec<u8>>>,
    lent: usize,
}

/// Buffers kept for use again; enough that a warm loop allocates nothing.
const FREE_MAX: usize = 256;
/// A buffer that grew beyond this is not kept.
const KEEP_MAX: usize = 64 << 10;

// A boxed buffer is one word in a link instead of three, and a million links have none.
#[allow(clippy::box_collection)]
impl Pool {
    pub(crate) fn lend(&mut self) -> Box<Vec<u8>> {
        self.lent += 1;
        self.free.pop().unwrap_or_default()
    }

    pub(crate) fn take_back(&mut self, mut buffer: Box<Vec<u8>>) {
        self.lent -= 1;
        if self.free.len() < FREE_MAX && buffer.capacity() <= KEEP_MAX {
            buffer.clear();
            self.free.push(buffer);
        }
    }

    pub(crate) fn lent(&self) -> usize {
        self.lent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::{LinkState, Links};

    #[test]
    fn output_of_one_link_stays_together_and_in_order() {
        let mut links = Links::with_capacity(2);
        let keys: Vec<u32> =
            (0..2).map(|_| links.insert(0, NONE, LinkState::Open, ()).key).collect();
        let mut out = Out::default();
        for (link, text) in [(0, "a"), (1, "x"), (0, "b"), (0, "c"), (1, "y"), (0, "")] {
            let key = keys[link];
            out.append(key, links.at(key), |(), bytes| bytes.extend_from_slice(text.as_bytes()));
        }
        let written: Vec<_> =
            (0..out.segments()).map(|n| (out.segment(n).0.key, out.segment(n).1)).collect();
        assert_eq!(written, [(keys[0], &b"abc"[..]), (keys[1], b"xy")]);
    }
}
