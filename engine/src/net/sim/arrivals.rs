//! What happens when something arrives.

use std::cmp::Reverse;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::pair::{Pair, Place, Stage};
use super::trace::{Cause, Word};
use super::world::{Event, World};
use crate::time::Time;

/// Times a connect knocks at a full backlog before it gives up, the wait doubling from a second
/// on: 63 seconds in all. Linux knocks once more; no connect timeout of ours is that long.
const KNOCKS_MAX: u32 = 6;

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Knock { pair, tries } => self.knock(pair, tries),
            Event::Answer { pair, failure } => self.answer(pair, failure),
            Event::Bytes { from, count } => self.bytes_arrive(from, count),
            Event::End { from } => self.end_arrives(from),
            Event::Reset { to } => {
                self.note(Word::ResetArrived, to, 0);
                self.kill(to);
            }
            Event::Room { writer } => {
                if let Some(pair) = self.pairs.get_mut(&writer.pair) {
                    pair.pipes[writer.side].room_sent = false;
                    self.note(Word::Room, writer, 0);
                    self.depart(writer);
                }
            }
            Event::Owed { place, readable, writable } => self.raise(place, readable, writable),
            Event::OwedListener { listener } => self.raise_listener(listener),
            Event::Break { pair } => self.break_pair(pair),
            Event::Heal => self.healed(),
        }
    }

    fn knock(&mut self, number: u64, tries: u32) {
        let Some(pair) = self.pairs.get(&number) else { return };
        let (to, latency) = (pair.to, pair.latency);
        let (dialler, there) = (Place { pair: number, side: 0 }, Place { pair: number, side: 1 });
        let Some(id) = self.listener_for(to) else {
            self.blame(dialler, Cause::NobodyListens);
            let failure = Some(io::ErrorKind::ConnectionRefused);
            return self.send(self.now + latency, Event::Answer { pair: number, failure });
        };
        let Some(listening) = self.listeners.get_mut(&id) else { return };
        if listening.waiting.len() >= listening.backlog {
            self.note(Word::BacklogFull, dialler, u64::from(tries));
            return self.knock_again(number, tries);
        }
        listening.waiting.push_back(number);
        let (net, at) = (listening.net, listening.at);
        if let Some(pair) = self.pairs.get_mut(&number) {
            pair.garbled = self.garbled.contains(&at) || self.garbled.contains(&pair.to);
            let end = &mut pair.ends[1];
            (end.net, end.open, end.stage) = (net, true, Stage::Open);
        }
        self.note(Word::Queued, there, id);
        self.raise_listener(id);
        self.send(self.now + latency, Event::Answer { pair: number, failure: None });
    }

    fn knock_again(&mut self, number: u64, tries: u32) {
        let dialler = Place { pair: number, side: 0 };
        let wait = Duration::from_secs(1 << tries.min(KNOCKS_MAX));
        if let Some(pair) = self.pairs.get_mut(&number) {
            pair.hindered = true;
        }
        if tries + 1 < KNOCKS_MAX {
            return self.send(self.now + wait, Event::Knock { pair: number, tries: tries + 1 });
        }
        self.blame(dialler, Cause::BacklogFull);
        let failure = Some(io::ErrorKind::TimedOut);
        self.send(self.now + wait, Event::Answer { pair: number, failure });
    }

    /// Several nets may listen at one address, as shards do with SO_REUSEPORT: dice choose.
    fn listener_for(&mut self, to: SocketAddr) -> Option<u64> {
        let fits = |at: SocketAddr| {
            at == to
                || (at.ip().is_unspecified()
                    && at.port() == to.port()
                    && at.is_ipv4() == to.is_ipv4())
        };
        let mut fitting =
            self.listeners.iter().filter(|entry| fits(entry.1.at)).map(|entry| *entry.0);
        let count = fitting.clone().count();
        let choice = if count > 1 { self.dice.below(count as u64) as usize } else { 0 };
        fitting.nth(choice)
    }

    fn answer(&mut self, number: u64, failure: Option<io::ErrorKind>) {
        let Some(pair) = self.pairs.get_mut(&number) else { return };
        let end = &mut pair.ends[0];
        if !end.open || end.stage != Stage::Connecting {
            return;
        }
        end.stage = if failure.is_none() { Stage::Open } else { Stage::Failed };
        end.error = failure;
        let dialler = Place { pair: number, side: 0 };
        let word = if failure.is_none() { Word::Connected } else { Word::Failed };
        self.note(word, dialler, failure.map_or(0, |kind| kind as u64));
        self.raise(dialler, failure.is_some(), true);
        if failure.is_none() && self.dice.chance(self.weather.reset) {
            let at = self.now + self.dice.duration(&self.weather.reset_after);
            self.send(at, Event::Break { pair: number });
        }
    }

    fn bytes_arrive(&mut self, from: Place, count: usize) {
        let Some(pair) = self.pairs.get_mut(&from.pair) else { return };
        let reader = from.other();
        let held = pair.ends[reader.side].open;
        let pipe = &mut pair.pipes[from.side];
        if pipe.broken {
            return;
        }
        if held {
            pipe.flying -= count;
            pipe.readable += count;
            self.note(Word::Arrived, reader, count as u64);
            return self.raise(reader, true, false);
        }
        // Nobody holds that end any more. TCP answers with a reset.
        pipe.fall(count);
        self.note(Word::Fell, reader, count as u64);
        self.blame(from, Cause::ResetByPeer);
        self.send_reset(from);
    }

    fn end_arrives(&mut self, from: Place) {
        let Some(pair) = self.pairs.get_mut(&from.pair) else { return };
        let pipe = &mut pair.pipes[from.side];
        if pipe.broken {
            return;
        }
        pipe.end_arrived = true;
        self.note(Word::EndArrived, from.other(), 0);
        self.raise(from.other(), true, false);
    }

    /// A reset reached `place`: nothing is left of the connection at this end.
    fn kill(&mut self, place: Place) {
        let Some(pair) = self.pairs.get_mut(&place.pair) else { return };
        let end = &mut pair.ends[place.side];
        if !end.open || end.dead {
            return;
        }
        end.dead = true;
        end.error = Some(io::ErrorKind::ConnectionReset);
        for pipe in &mut pair.pipes {
            pipe.cut();
        }
        self.raise(place, true, true);
    }

    fn break_pair(&mut self, number: u64) {
        for place in [0, 1].map(|side| Place { pair: number, side }) {
            let alive = |pair: &Pair| pair.ends[place.side].open && !pair.ends[place.side].dead;
            if self.pairs.get(&number).is_some_and(alive) {
                self.note(Word::Broken, place, 0);
                self.blame(place, Cause::Reset);
                self.kill(place);
            }
        }
    }

    /// Ends all faults, and what they had set in motion: what is under way arrives as it would
    /// have without them. The order within a connection stays, as all of it shares one latency.
    fn healed(&mut self) {
        self.note(Word::Healed, Place { pair: 0, side: 0 }, 0);
        self.weather = self.weather.clone().healed();
        for node in &mut self.nodes {
            node.no_descriptors_until = Time::ZERO;
        }
        for pair in self.pairs.values_mut() {
            let latest = self.now + pair.latency;
            for pipe in &mut pair.pipes {
                pipe.last_arrival = pipe.last_arrival.min(latest);
            }
        }
        let pending = std::mem::take(&mut self.pending).into_vec();
        for Reverse(mut pending) in pending {
            let number = match pending.event {
                Event::Break { .. } => continue,
                Event::Knock { pair, .. } | Event::Answer { pair, .. } => pair,
                Event::Bytes { from, .. } | Event::End { from } => from.pair,
                Event::Reset { to } => to.pair,
                Event::Room { writer } => writer.pair,
                Event::Owed { place, .. } => place.pair,
                Event::OwedListener { .. } | Event::Heal => 0,
            };
            if let Some(pair) = self.pairs.get(&number) {
                pending.at = pending.at.min(self.now + pair.latency);
            }
            self.pending.push(Reverse(pending));
        }
    }
}
