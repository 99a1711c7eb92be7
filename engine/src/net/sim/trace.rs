//! What happened: a hash over all of it, the last steps as text, and who broke what.

use std::collections::VecDeque;

use super::pair::Place;
use crate::net::Token;
use crate::time::Time;

/// Why a connection was lost, or never came to be.
///
/// The first cause is the one that is kept, but a graceful end by the peer gives way to what cuts
/// off the rest before the end was acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// This end closed it, gracefully or not.
    ClosedHere,
    /// The other end closed it gracefully.
    ClosedByPeer,
    /// The other end ended its direction and went on reading.
    FinishedByPeer,
    /// The other end reset it, which to TCP is also: closed it with bytes unread, or closed it and
    /// was sent more.
    ResetByPeer,
    /// The listener went away while the connection waited to be accepted.
    ListenerClosed,
    /// Nobody listened at the address.
    NobodyListens,
    /// The listener's backlog stayed full until the connect gave up.
    BacklogFull,
    /// A fault: refused.
    Refused,
    /// A fault: the connect is never answered.
    Silent,
    /// A fault: reset in mid-life.
    Reset,
    /// A fault: no descriptor was left to connect with.
    NoDescriptors,
}

impl Cause {
    /// Whether the network did it, by a fault, and not one of the two ends.
    pub fn is_fault(self) -> bool {
        matches!(self, Cause::Refused | Cause::Silent | Cause::Reset | Cause::NoDescriptors)
    }

    /// Whether it takes the place of an earlier cause of the same end.
    pub(super) fn outranks(self, first: Cause) -> bool {
        match (self, first) {
            (Cause::ClosedHere, _) => false,
            (_, Cause::FinishedByPeer) => self != Cause::FinishedByPeer,
            (_, Cause::ClosedByPeer) => matches!(self, Cause::Reset | Cause::ResetByPeer),
            _ => false,
        }
    }
}

/// One end of a connection that was broken on purpose, and by what. At most one per end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blame {
    /// When the cause was laid; the end may feel it later.
    pub at: Time,
    /// The connection; its two ends share the number.
    pub pair: u64,
    /// The net that this end belongs to: see [`SimNet::number`](super::SimNet::number).
    pub net: usize,
    /// The token of this end; `None` if it is not adopted (yet).
    pub token: Option<Token>,
    /// What broke it.
    pub cause: Cause,
    /// A slow connect, a full backlog or a stall was laid on the connection before, so that a
    /// [`Cause::ClosedHere`] may be a timeout that had every right to fire.
    pub hindered: bool,
}

/// What a step of the trace was.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    Dialled,
    Listening,
    Unlistened,
    Queued,
    BacklogFull,
    Connected,
    Failed,
    Accepted,
    Wrote,
    Arrived,
    Fell,
    Read,
    Held,
    Room,
    Finished,
    EndArrived,
    Closed,
    ResetSent,
    ResetArrived,
    Broken,
    Stalled,
    Garbled,
    NoDescriptors,
    Readable,
    Writable,
    Spurious,
    Woken,
    Healed,
}

#[derive(Clone, Copy)]
struct Step {
    at: Time,
    word: Word,
    place: Place,
    amount: u64,
}

/// Steps that are kept as text for a failing seed: enough for the last second of a busy world.
pub(super) const STEPS_MAX: usize = 4096;

pub(super) struct Trace {
    hash: u64,
    steps: VecDeque<Step>,
}

impl Trace {
    pub(super) fn new(seed: u64) -> Trace {
        Trace { hash: seed, steps: VecDeque::with_capacity(STEPS_MAX) }
    }

    pub(super) fn note(&mut self, at: Time, word: Word, place: Place, amount: u64) {
        let side = place.side as u64;
        for bits in [at.nanos(), (word as u64) << 1 | side, place.pair, amount] {
            self.mix(bits);
        }
        if self.steps.len() == STEPS_MAX {
            self.steps.pop_front();
        }
        self.steps.push_back(Step { at, word, place, amount });
    }

    /// Takes in the two ends of some bytes: what was said counts too, without a look at each byte.
    pub(super) fn taste(&mut self, bytes: &[u8]) {
        let (head, tail) = (&bytes[..bytes.len().min(8)], &bytes[bytes.len().saturating_sub(8)..]);
        for end in [head, tail] {
            let mut word = [0; 8];
            word[..end.len()].copy_from_slice(end);
            self.mix(u64::from_le_bytes(word));
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn last(&self, count: usize) -> Vec<String> {
        let skip = self.steps.len().saturating_sub(count);
        self.steps.iter().skip(skip).map(Step::text).collect()
    }

    fn mix(&mut self, bits: u64) {
        let mixed = (self.hash ^ bits).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.hash = mixed ^ (mixed >> 29);
    }
}

impl Step {
    fn text(&self) -> String {
        let Step { at, word, place: Place { pair, side }, amount } = self;
        match word {
            Word::Readable | Word::Writable | Word::Spurious => {
                let also = ["", " and writable"][*side];
                format!("{at:?} net {pair} {word:?}{also}, token {amount:#x}")
            }
            Word::Listening | Word::Unlistened | Word::Woken | Word::NoDescriptors => {
                format!("{at:?} net {pair} {word:?} {amount}")
            }
            Word::Healed => format!("{at:?} everything heals"),
            _ => format!("{at:?} connection {pair}{} {word:?} {amount}", ["a", "b"][*side]),
        }
    }
}
