//! A connection as the network sees it: two ends, and a pipe of bytes each way.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::dice::Dice;
use super::faults::Faults;
use crate::net::{Token, Tuning};
use crate::time::Time;

/// One end of a connection: side 0 dialled, side 1 was dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) pair: u64,
    pub(super) side: usize,
}

impl Place {
    pub(super) fn other(self) -> Place {
        Place { side: 1 - self.side, ..self }
    }
}

pub(super) struct Pair {
    pub(super) to: SocketAddr,
    pub(super) latency: Duration,
    /// A slow connect, a full backlog or a stall was laid on it.
    pub(super) hindered: bool,
    /// What side 1 says is garbled.
    pub(super) garbled: bool,
    pub(super) ends: [End; 2],
    /// `pipes[side]` is what that side writes.
    pub(super) pipes: [Pipe; 2],
}

impl Pair {
    pub(super) fn new(to: SocketAddr, net: usize, token: Token, weather: &mut Weather<'_>) -> Pair {
        let dialler = End { net, token: Some(token), open: true, ..End::default() };
        Pair {
            to,
            latency: weather.dice.duration(&weather.faults.latency),
            hindered: false,
            garbled: false,
            ends: [dialler, End::default()],
            pipes: [Pipe::new(weather), Pipe::new(weather)],
        }
    }

    /// Applies the buffer sizes that the owner of `side` asked for, where they are the smaller.
    pub(super) fn tune(&mut self, side: usize, tuning: &Tuning) {
        if let Some(bytes) = tuning.send_buffer {
            let room = &mut self.pipes[side].send_buffer;
            *room = (*room).min(bytes.max(1) as usize);
        }
        if let Some(bytes) = tuning.receive_buffer {
            let room = &mut self.pipes[1 - side].receive_buffer;
            *room = (*room).min(bytes.max(1) as usize);
        }
    }

    /// Whether a read at `side` would give something: bytes, an end or an error.
    pub(super) fn readable(&self, side: usize) -> bool {
        let (end, pipe) = (&self.ends[side], &self.pipes[1 - side]);
        pipe.readable > 0 || pipe.end_arrived || end.dead || end.stage == Stage::Failed
    }

    pub(super) fn gone(&self) -> bool {
        !self.ends[0].open && !self.ends[1].open
    }

    /// The moment something sent now by `side` arrives: never before what was sent earlier.
    pub(super) fn arrival(&mut self, side: usize, sent: Time) -> Time {
        let pipe = &mut self.pipes[side];
        pipe.last_arrival = pipe.last_arrival.max(sent + self.latency);
        pipe.last_arrival
    }
}

/// The rolls and the table they are compared with, lent together.
pub(super) struct Weather<'a> {
    pub(super) dice: &'a mut Dice,
    pub(super) faults: &'a Faults,
}

/// ```text
/// Connecting --answer--> Open
///     \-----refusal----> Failed
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Connecting,
    Open,
    Failed,
}

#[derive(Default)]
pub(super) struct End {
    pub(super) net: usize,
    /// `None` until adopted: no events before.
    pub(super) token: Option<Token>,
    /// Somebody holds it, or a backlog does.
    pub(super) open: bool,
    pub(super) stage: Stage,
    /// Why the connect failed, or the reset that no call has reported yet.
    pub(super) error: Option<io::ErrorKind>,
    /// It was reset: after the error reads give the end, writes a broken pipe.
    pub(super) dead: bool,
    /// A reset is on its way to it; a second one would say nothing new.
    pub(super) reset_sent: bool,
    /// The index of its blame.
    pub(super) blame: Option<usize>,
    pub(super) edge: Edge,
}

/// An event that is due and not reported yet. Events of one end merge, as they do in the kernel.
#[derive(Clone, Copy, Default)]
pub(super) struct Edge {
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) queued: bool,
}

/// Bytes on their way from one end to the other.
///
/// One queue holds them all, and nothing is copied on the way: counters say how far each part of
/// it has come.
///
/// ```text
/// front | readable | flying | waiting | back
///         arrived    sent     written
/// ```
pub(super) struct Pipe {
    bytes: VecDeque<u8>,
    pub(super) readable: usize,
    pub(super) flying: usize,
    pub(super) waiting: usize,
    pub(super) send_buffer: usize,
    pub(super) receive_buffer: usize,
    /// The writer was told that not all of it fits, and waits for the event.
    pub(super) wants_room: bool,
    /// The news that the reader made room is on its way to the writer.
    pub(super) room_sent: bool,
    /// The writer said that nothing follows.
    pub(super) finished: bool,
    pub(super) end_sent: bool,
    pub(super) end_arrived: bool,
    /// Cut by a reset: nothing moves any more.
    pub(super) broken: bool,
    pub(super) last_arrival: Time,
}

impl Pipe {
    fn new(weather: &mut Weather<'_>) -> Pipe {
        Pipe {
            bytes: VecDeque::new(),
            readable: 0,
            flying: 0,
            waiting: 0,
            send_buffer: weather.dice.size(&weather.faults.send_buffer).max(1),
            receive_buffer: weather.dice.size(&weather.faults.receive_buffer).max(1),
            wants_room: false,
            room_sent: false,
            finished: false,
            end_sent: false,
            end_arrived: false,
            broken: false,
            last_arrival: Time::ZERO,
        }
    }

    /// How many bytes may set out now.
    pub(super) fn window(&self) -> usize {
        self.waiting.min(self.receive_buffer.saturating_sub(self.readable + self.flying))
    }

    pub(super) fn room(&self) -> usize {
        self.send_buffer.saturating_sub(self.waiting)
    }

    /// Takes as much of `from` as there is room for.
    pub(super) fn put(&mut self, from: &[u8]) -> usize {
        let count = from.len().min(self.room());
        self.bytes.extend(&from[..count]);
        self.waiting += count;
        count
    }

    /// Moves the oldest `into.len()` bytes out; the caller checked that as many are readable.
    pub(super) fn take(&mut self, into: &mut [u8]) {
        let (front, back) = self.bytes.as_slices();
        let split = into.len().min(front.len());
        into[..split].copy_from_slice(&front[..split]);
        let rest = into.len() - split;
        into[split..].copy_from_slice(&back[..rest]);
        self.bytes.drain(..into.len());
        self.readable -= into.len();
    }

    /// Arrived bytes that nobody will read.
    pub(super) fn fall(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.flying -= count;
    }

    /// Drops what has not set out yet.
    pub(super) fn drop_waiting(&mut self) {
        self.bytes.truncate(self.readable + self.flying);
        self.waiting = 0;
    }

    /// Cuts it for good, with everything in it.
    pub(super) fn cut(&mut self) {
        self.bytes.clear();
        (self.readable, self.flying, self.waiting) = (0, 0, 0);
        self.broken = true;
    }

    /// Does to the next `count` bytes to set out what a bad server might; answers with how many
    /// they are then. Looks at each byte behind them, which only garbled links pay for.
    pub(super) fn garble(&mut self, count: usize, weather: &mut Weather<'_>) -> Option<usize> {
        let Weather { dice, faults } = weather;
        let start = self.readable + self.flying;
        let mut garbled = None;
        if dice.chance(faults.reordered) {
            let segment = &mut self.bytes.make_contiguous()[start..start + count];
            segment.rotate_left(count / 2);
            garbled = Some(count);
        }
        if dice.chance(faults.garbage) {
            let spot = start + dice.below(count as u64) as usize;
            self.bytes[spot] = dice.roll() as u8;
            garbled = Some(count);
        }
        if dice.chance(faults.repeated) {
            let again: Vec<u8> = self.bytes.range(start..).copied().collect();
            self.bytes.truncate(start + count);
            self.bytes.extend(again);
            self.waiting += count;
            garbled = Some(2 * count);
        }
        garbled
    }
}
