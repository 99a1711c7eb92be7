//! The world behind the sockets: what is on its way, and what happens when it arrives.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::dice::Dice;
use super::faults::Faults;
use super::pair::{Edge, Pair, Place, Weather};
use super::trace::{Blame, Cause, Trace, Word};
use crate::net::Token;
use crate::time::Time;

/// The event promised after a fault that hid bytes or room comes within this time.
const EDGE_WITHIN: Duration = Duration::from_millis(2);

/// Tokens a net remembers for spurious events, so that these hit the living, those that still
/// connect, and the recently closed.
const TOKENS_MAX: usize = 64;

/// Something on its way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A connect reaches the place it is for.
    Knock { pair: u64, tries: u32 },
    /// The dialler learns how its connect ended.
    Answer { pair: u64, failure: Option<io::ErrorKind> },
    /// Bytes written by `from` arrive.
    Bytes { from: Place, count: usize },
    /// The end of what `from` wrote arrives.
    End { from: Place },
    /// A reset arrives at `to`.
    Reset { to: Place },
    /// The writer learns that the reader made room.
    Room { writer: Place },
    /// The event that is owed after a fault hid something.
    Owed { place: Place, readable: bool, writable: bool },
    /// The same for a listener.
    OwedListener { listener: u64 },
    /// The network resets a connection in mid-life.
    Break { pair: u64 },
    /// No faults from now on.
    Heal,
}

pub(super) struct Pending {
    pub(super) at: Time,
    /// Things for the same moment happen in the order in which they were sent.
    order: u64,
    pub(super) event: Event,
}

impl PartialEq for Pending {
    fn eq(&self, other: &Pending) -> bool {
        self.order == other.order
    }
}
impl Eq for Pending {}
impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Pending) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Pending {
    fn cmp(&self, other: &Pending) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// What one `SimNet` is to the world.
pub(super) struct Node {
    pub(super) name: String,
    /// Ends and listeners with an event to report, oldest first.
    pub(super) queue: VecDeque<Source>,
    /// Until when it said it would wait.
    pub(super) until: Option<Time>,
    pub(super) woken: bool,
    /// Sockets it holds.
    pub(super) open: usize,
    /// Out of descriptors until then.
    pub(super) no_descriptors_until: Time,
    /// A ring of its last tokens.
    pub(super) tokens: Vec<Token>,
    pub(super) tokens_seen: usize,
}

#[derive(Clone, Copy)]
pub(super) enum Source {
    End(Place),
    Listener(u64),
}

pub(super) struct Listening {
    pub(super) net: usize,
    pub(super) at: SocketAddr,
    pub(super) token: Token,
    pub(super) backlog: usize,
    pub(super) waiting: VecDeque<u64>,
    pub(super) queued: bool,
}

pub(super) struct World {
    pub(super) now: Time,
    pub(super) dice: Dice,
    /// As made, for the record.
    pub(super) faults: Faults,
    /// As in force: the same, until everything heals.
    pub(super) weather: Faults,
    pub(super) pending: BinaryHeap<Reverse<Pending>>,
    sent: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) pairs: BTreeMap<u64, Pair>,
    pub(super) pairs_made: u64,
    pub(super) listeners: BTreeMap<u64, Listening>,
    pub(super) listeners_made: u64,
    /// The last port that was picked for a listener that did not care.
    pub(super) port: u16,
    pub(super) garbled: Vec<SocketAddr>,
    pub(super) trace: Trace,
    pub(super) blames: Vec<Blame>,
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults) -> World {
        World {
            now: Time::ZERO,
            dice: Dice::new(seed),
            weather: faults.clone(),
            faults,
            pending: BinaryHeap::new(),
            sent: 0,
            nodes: Vec::new(),
            pairs: BTreeMap::new(),
            pairs_made: 0,
            listeners: BTreeMap::new(),
            listeners_made: 0,
            port: 0,
            garbled: Vec::new(),
            trace: Trace::new(seed),
            blames: Vec::new(),
        }
    }

    pub(super) fn advance_to(&mut self, to: Time) {
        while self.pending.peek().is_some_and(|next| next.0.at <= to) {
            let Some(Reverse(Pending { at, event, .. })) = self.pending.pop() else { break };
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = self.now.max(to);
    }

    pub(super) fn next_moment(&self, without: &[usize]) -> Option<Time> {
        let pending = self.pending.peek().map(|next| next.0.at.max(self.now));
        let nodes = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(number, _)| !without.contains(number))
            .filter_map(
                |(_, node)| if node.is_due(self.now) { Some(self.now) } else { node.until },
            );
        nodes.chain(pending).min().filter(|&moment| moment != Time::NEVER)
    }

    pub(super) fn send(&mut self, at: Time, event: Event) {
        self.sent += 1;
        self.pending.push(Reverse(Pending { at, order: self.sent, event }));
    }

    pub(super) fn note(&mut self, word: Word, place: Place, amount: u64) {
        self.trace.note(self.now, word, place, amount);
    }

    /// Records that `place` was broken on purpose; one blame an end, see [`Cause`].
    pub(super) fn blame(&mut self, place: Place, cause: Cause) {
        let Some(pair) = self.pairs.get_mut(&place.pair) else { return };
        let end = &mut pair.ends[place.side];
        let blame = Blame {
            at: self.now,
            pair: place.pair,
            net: end.net,
            token: end.token,
            cause,
            hindered: pair.hindered,
        };
        match end.blame.and_then(|index| self.blames.get_mut(index)) {
            Some(first) if end.open && cause.outranks(first.cause) => *first = blame,
            Some(_) => {}
            None => {
                end.blame = Some(self.blames.len());
                self.blames.push(blame);
            }
        }
    }

    /// Queues an event for the owner of `place`; one who has no token yet learns it by adopting.
    pub(super) fn raise(&mut self, place: Place, readable: bool, writable: bool) {
        let Some(pair) = self.pairs.get_mut(&place.pair) else { return };
        let end = &mut pair.ends[place.side];
        if !end.open || end.token.is_none() {
            return;
        }
        let queued = end.edge.queued;
        end.edge = Edge {
            readable: end.edge.readable || readable,
            writable: end.edge.writable || writable,
            queued: true,
        };
        if !queued {
            self.nodes[end.net].queue.push_back(Source::End(place));
        }
    }

    pub(super) fn raise_listener(&mut self, id: u64) {
        let Some(listening) = self.listeners.get_mut(&id) else { return };
        if !listening.queued {
            listening.queued = true;
            self.nodes[listening.net].queue.push_back(Source::Listener(id));
        }
    }

    /// Whether the fault "would block" strikes.
    pub(super) fn hides(&mut self) -> bool {
        self.dice.chance(self.weather.would_block)
    }

    /// Promises the event that makes up for something hidden.
    pub(super) fn owe(&mut self, event: Event) {
        let at = self.now + self.dice.duration(&(Duration::from_micros(1)..=EDGE_WITHIN));
        self.send(at, event);
    }

    pub(super) fn heal(&mut self, at: Time) {
        self.send(at.max(self.now), Event::Heal);
    }

    /// Lets what `writer` has written set out, as far as the reader has room for it, and the end
    /// behind it.
    pub(super) fn depart(&mut self, writer: Place) {
        let Some(pair) = self.pairs.get_mut(&writer.pair) else { return };
        let garbles = pair.garbled && writer.side == 1;
        let pipe = &mut pair.pipes[writer.side];
        if pipe.broken {
            return;
        }
        let mut count = pipe.window();
        let mut raises = false;
        if count > 0 {
            let mut weather = Weather { dice: &mut self.dice, faults: &self.weather };
            if garbles && let Some(garbled) = pipe.garble(count, &mut weather) {
                self.trace.note(self.now, Word::Garbled, writer, garbled as u64);
                count = garbled;
            }
            pipe.waiting -= count;
            pipe.flying += count;
            raises = pipe.wants_room && pipe.room() > 0;
            pipe.wants_room &= !raises;
        }
        let ends = pipe.finished && pipe.waiting == 0 && !pipe.end_sent;
        pipe.end_sent |= ends;
        if count > 0 {
            let at = self.arrival(writer);
            self.send(at, Event::Bytes { from: writer, count });
        }
        if ends {
            let at = self.arrival(writer);
            self.send(at, Event::End { from: writer });
        }
        if raises {
            self.raise(writer, false, true);
        }
    }

    /// Sends a reset from the end opposite of `to`, behind what that end sent before.
    pub(super) fn send_reset(&mut self, to: Place) {
        let Some(pair) = self.pairs.get_mut(&to.pair) else { return };
        let end = &mut pair.ends[to.side];
        if !end.open || end.dead || end.reset_sent {
            return;
        }
        end.reset_sent = true;
        let at = pair.arrival(1 - to.side, self.now);
        self.note(Word::ResetSent, to, 0);
        self.send(at, Event::Reset { to });
    }

    /// When something sent now by `from` arrives, in this weather.
    fn arrival(&mut self, from: Place) -> Time {
        let mut sent = self.now;
        if self.dice.chance(self.weather.jitter) {
            sent += self.dice.duration(&self.weather.jitter_by);
        }
        let stalls = self.dice.chance(self.weather.stall);
        if stalls {
            sent += self.dice.duration(&self.weather.stall_for);
            self.note(Word::Stalled, from, (sent.since(self.now)).as_nanos() as u64);
        }
        let Some(pair) = self.pairs.get_mut(&from.pair) else { return sent };
        pair.hindered |= stalls;
        pair.arrival(from.side, sent)
    }
}

impl Node {
    pub(super) fn new(name: &str) -> Node {
        Node {
            name: name.to_owned(),
            queue: VecDeque::new(),
            until: None,
            woken: false,
            open: 0,
            no_descriptors_until: Time::ZERO,
            tokens: Vec::new(),
            tokens_seen: 0,
        }
    }

    pub(super) fn is_due(&self, now: Time) -> bool {
        self.woken || !self.queue.is_empty() || self.until.is_some_and(|until| until <= now)
    }

    pub(super) fn remember(&mut self, token: Token) {
        if self.tokens.len() < TOKENS_MAX {
            self.tokens.push(token);
        } else {
            self.tokens[self.tokens_seen % TOKENS_MAX] = token;
        }
        self.tokens_seen += 1;
    }
}
