//! What the calls of a net do to the world.

use std::io;
use std::net::SocketAddr;

use super::pair::{Edge, Pair, Place, Stage, Weather};
use super::trace::{Cause, Word};
use super::world::{Event, Listening, Source, World};
use crate::net::{Dial, READY_MAX, Ready, Token, Tuning};
use crate::time::Time;

/// The first port given to a listener that asked for none in particular.
const PORT_FIRST: u16 = 20_000;

fn would_block<T>() -> io::Result<T> {
    Err(io::ErrorKind::WouldBlock.into())
}

fn not_connected<T>() -> io::Result<T> {
    Err(io::ErrorKind::NotConnected.into())
}

impl World {
    pub(super) fn connect(&mut self, net: usize, dial: &Dial, token: Token) -> io::Result<Place> {
        self.pairs_made += 1;
        let number = self.pairs_made;
        let mut weather = Weather { dice: &mut self.dice, faults: &self.weather };
        let mut pair = Pair::new(dial.to, net, token, &mut weather);
        pair.tune(0, &dial.tuning);
        let latency = pair.latency;
        let place = Place { pair: number, side: 0 };
        self.pairs.insert(number, pair);
        self.note(Word::Dialled, place, token.0);
        self.nodes[net].remember(token);
        if let Err(error) = self.descriptor(net) {
            self.blame(place, Cause::NoDescriptors);
            self.pairs.remove(&number);
            return Err(error);
        }
        self.nodes[net].open += 1;
        if self.dice.chance(self.weather.silent) {
            self.hinder(number);
            self.blame(place, Cause::Silent);
        } else if self.dice.chance(self.weather.refused) {
            self.blame(place, Cause::Refused);
            let failure = Some(io::ErrorKind::ConnectionRefused);
            let at = self.now + latency + latency;
            self.send(at, Event::Answer { pair: number, failure });
        } else {
            let mut at = self.now + latency;
            if self.dice.chance(self.weather.slow) {
                self.hinder(number);
                at += self.dice.duration(&self.weather.slow_by);
            }
            self.send(at, Event::Knock { pair: number, tries: 0 });
        }
        Ok(place)
    }

    fn hinder(&mut self, number: u64) {
        if let Some(pair) = self.pairs.get_mut(&number) {
            pair.hindered = true;
        }
    }

    /// One more descriptor for `net`, unless it has none left for a while.
    fn descriptor(&mut self, net: usize) -> io::Result<()> {
        if self.dice.chance(self.weather.no_descriptors) {
            let until = self.now + self.dice.duration(&self.weather.no_descriptors_for);
            self.nodes[net].no_descriptors_until = until;
        }
        if self.now < self.nodes[net].no_descriptors_until {
            self.note(Word::NoDescriptors, Place { pair: net as u64, side: 0 }, 0);
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        Ok(())
    }

    pub(super) fn connected(&mut self, place: Place) -> io::Result<bool> {
        let Some(pair) = self.pairs.get_mut(&place.pair) else { return not_connected() };
        let end = &mut pair.ends[place.side];
        match (end.stage, end.error) {
            (Stage::Connecting, _) => Ok(false),
            (Stage::Failed, kind) => Err(kind.unwrap_or(io::ErrorKind::NotConnected).into()),
            (Stage::Open, Some(_)) => Err(end
                .error
                .take()
                .map_or_else(|| io::ErrorKind::NotConnected.into(), io::Error::from)),
            (Stage::Open, None) => Ok(true),
        }
    }

    pub(super) fn listen(
        &mut self,
        net: usize,
        at: SocketAddr,
        token: Token,
    ) -> io::Result<(u64, SocketAddr)> {
        let mut at = at;
        if at.port() == 0 {
            at.set_port(self.free_port()?);
        } else if self.listeners.values().any(|other| other.at == at && other.net == net) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        self.listeners_made += 1;
        let id = self.listeners_made;
        let backlog = self.dice.size(&self.weather.backlog).max(1);
        let waiting = std::collections::VecDeque::new();
        self.listeners.insert(id, Listening { net, at, token, backlog, waiting, queued: false });
        self.nodes[net].open += 1;
        self.nodes[net].remember(token);
        self.note(Word::Listening, Place { pair: net as u64, side: 0 }, u64::from(at.port()));
        Ok((id, at))
    }

    fn free_port(&mut self) -> io::Result<u16> {
        for _ in PORT_FIRST..=u16::MAX {
            self.port = if self.port < PORT_FIRST { PORT_FIRST } else { self.port.wrapping_add(1) };
            let port = self.port;
            if port >= PORT_FIRST && self.listeners.values().all(|other| other.at.port() != port) {
                return Ok(port);
            }
        }
        Err(io::ErrorKind::AddrNotAvailable.into())
    }

    pub(super) fn accept(&mut self, net: usize, id: u64) -> io::Result<Option<Place>> {
        let Some(listening) = self.listeners.get(&id) else { return not_connected() };
        if listening.waiting.is_empty() {
            return Ok(None);
        }
        if self.hides() {
            self.owe(Event::OwedListener { listener: id });
            return Ok(None);
        }
        self.descriptor(net)?;
        let next = self.listeners.get_mut(&id).and_then(|listening| listening.waiting.pop_front());
        let Some(number) = next else { return Ok(None) };
        let place = Place { pair: number, side: 1 };
        if let Some(pair) = self.pairs.get_mut(&number) {
            pair.ends[1].net = net;
        }
        self.nodes[net].open += 1;
        self.note(Word::Accepted, place, id);
        Ok(Some(place))
    }

    pub(super) fn adopt(&mut self, place: Place, tuning: &Tuning, token: Token) -> io::Result<()> {
        let Some(pair) = self.pairs.get_mut(&place.pair) else { return not_connected() };
        pair.tune(place.side, tuning);
        let end = &mut pair.ends[place.side];
        end.token = Some(token);
        let net = end.net;
        if let Some(blame) = end.blame.and_then(|index| self.blames.get_mut(index)) {
            (blame.net, blame.token) = (net, Some(token));
        }
        let readable = pair.readable(place.side);
        self.nodes[net].remember(token);
        self.raise(place, readable, true);
        Ok(())
    }

    pub(super) fn read(&mut self, place: Place, into: &mut [u8]) -> io::Result<usize> {
        let Some(pair) = self.pairs.get_mut(&place.pair) else { return not_connected() };
        let end = &mut pair.ends[place.side];
        if let Some(kind) = end.error.take_if(|_| end.stage == Stage::Open) {
            return Err(kind.into());
        }
        match (end.stage, end.dead) {
            (Stage::Connecting, _) => return would_block(),
            (Stage::Failed, _) => return not_connected(),
            (Stage::Open, true) => return Ok(0),
            (Stage::Open, false) => {}
        }
        let there = pair.pipes[1 - place.side].readable.min(into.len());
        if there == 0 {
            let ended = pair.pipes[1 - place.side].end_arrived || into.is_empty();
            return if ended { Ok(0) } else { would_block() };
        }
        let owed = Event::Owed { place, readable: true, writable: false };
        if self.hides() {
            self.note(Word::Held, place, there as u64);
            self.owe(owed);
            return would_block();
        }
        let mut count = there;
        if there > 1 && self.dice.chance(self.weather.short_read) {
            count = 1 + self.dice.below(there as u64 - 1) as usize;
            self.owe(owed);
        }
        self.take(place, &mut into[..count]);
        Ok(count)
    }

    /// Moves bytes out of the pipe, and tells the writer of the room if it waits for some.
    fn take(&mut self, place: Place, into: &mut [u8]) {
        let writer = place.other();
        let Some(pair) = self.pairs.get_mut(&place.pair) else { return };
        let latency = pair.latency;
        let pipe = &mut pair.pipes[writer.side];
        pipe.take(into);
        let tells = pipe.waiting > 0 && !pipe.room_sent;
        pipe.room_sent |= tells;
        self.trace.note(self.now, Word::Read, place, into.len() as u64);
        self.trace.taste(into);
        if tells {
            self.send(self.now + latency, Event::Room { writer });
        }
    }

    pub(super) fn write(&mut self, place: Place, from: &[u8]) -> io::Result<usize> {
        let Some(pair) = self.pairs.get_mut(&place.pair) else { return not_connected() };
        let end = &mut pair.ends[place.side];
        if let Some(kind) = end.error.take_if(|_| end.stage == Stage::Open) {
            return Err(kind.into());
        }
        match (end.stage, end.dead) {
            (Stage::Connecting, _) => return would_block(),
            (Stage::Failed, _) => return not_connected(),
            (Stage::Open, true) => return Err(io::ErrorKind::BrokenPipe.into()),
            (Stage::Open, false) => {}
        }
        let pipe = &mut pair.pipes[place.side];
        if pipe.finished {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if from.is_empty() {
            return Ok(0);
        }
        if pipe.room() > 0 && self.dice.chance(self.weather.would_block) {
            self.note(Word::Held, place, from.len() as u64);
            self.owe(Event::Owed { place, readable: false, writable: true });
            return would_block();
        }
        let count = pipe.put(from);
        pipe.wants_room |= count < from.len();
        if count == 0 {
            return would_block();
        }
        self.trace.note(self.now, Word::Wrote, place, count as u64);
        self.trace.taste(&from[..count]);
        self.depart(place);
        Ok(count)
    }

    pub(super) fn finish(&mut self, place: Place) -> io::Result<()> {
        let Some(pair) = self.pairs.get_mut(&place.pair) else { return not_connected() };
        let end = &pair.ends[place.side];
        if end.stage != Stage::Open || end.dead {
            return not_connected();
        }
        let pipe = &mut pair.pipes[place.side];
        if !pipe.finished {
            pipe.finished = true;
            self.note(Word::Finished, place, 0);
            self.blame(place.other(), Cause::FinishedByPeer);
            self.depart(place);
        }
        Ok(())
    }

    pub(super) fn close(&mut self, place: Place, reset: bool) {
        self.note(Word::Closed, place, u64::from(reset));
        self.blame(place, Cause::ClosedHere);
        let Some(pair) = self.pairs.get_mut(&place.pair) else { return };
        let end = &mut pair.ends[place.side];
        self.nodes[end.net].open = self.nodes[end.net].open.saturating_sub(1);
        end.open = false;
        let (alive, opened) = (!end.dead, end.stage == Stage::Open);
        let there = pair.ends[1 - place.side].open;
        if alive && there {
            let unread = pair.pipes[1 - place.side].readable > 0;
            let pipe = &mut pair.pipes[place.side];
            if reset || unread || !opened {
                pipe.drop_waiting();
                self.blame(place.other(), Cause::ResetByPeer);
                self.send_reset(place.other());
            } else {
                pipe.finished = true;
                self.blame(place.other(), Cause::ClosedByPeer);
                self.depart(place);
            }
        }
        if self.pairs.get(&place.pair).is_some_and(Pair::gone) {
            self.pairs.remove(&place.pair);
        }
    }

    pub(super) fn unlisten(&mut self, id: u64) {
        let Some(listening) = self.listeners.remove(&id) else { return };
        let net = listening.net;
        self.nodes[net].open = self.nodes[net].open.saturating_sub(1);
        self.note(Word::Unlistened, Place { pair: net as u64, side: 0 }, id);
        for number in listening.waiting {
            let dialler = Place { pair: number, side: 0 };
            self.blame(dialler, Cause::ListenerClosed);
            if let Some(pair) = self.pairs.get_mut(&number) {
                pair.ends[1].open = false;
            }
            self.send_reset(dialler);
            if self.pairs.get(&number).is_some_and(Pair::gone) {
                self.pairs.remove(&number);
            }
        }
    }

    pub(super) fn poll(&mut self, net: usize, until: Option<Time>, ready: &mut Vec<Ready>) {
        ready.clear();
        while ready.len() < READY_MAX
            && let Some(source) = self.nodes[net].queue.pop_front()
        {
            ready.extend(self.report(source));
        }
        for event in ready.iter() {
            let word = if event.readable { Word::Readable } else { Word::Writable };
            let side = usize::from(event.readable && event.writable);
            self.note(word, Place { pair: net as u64, side }, event.token.0);
        }
        let full = ready.len() == READY_MAX || self.nodes[net].tokens.is_empty();
        if !full && self.dice.chance(self.weather.spurious) {
            ready.push(self.spurious(net));
        }
        let node = &mut self.nodes[net];
        // The owner acts on what it is told, and may wait for something else afterwards.
        let acts = !ready.is_empty() || node.woken;
        node.woken = false;
        node.until = if acts { Some(self.now) } else { until };
    }

    fn report(&mut self, source: Source) -> Option<Ready> {
        match source {
            Source::End(place) => {
                let pair = self.pairs.get_mut(&place.pair)?;
                let end = &mut pair.ends[place.side];
                let Edge { readable, writable, .. } = std::mem::take(&mut end.edge);
                let token = end.token.filter(|_| end.open)?;
                let ended = pair.pipes[1 - place.side].end_arrived || end.dead;
                let sound = end.stage == Stage::Open && end.error.is_none() && !end.dead;
                let established = writable && sound;
                Some(Ready { token, readable, writable, ended, established })
            }
            Source::Listener(id) => {
                let listening = self.listeners.get_mut(&id)?;
                listening.queued = false;
                let token = listening.token;
                let (readable, writable) = (true, false);
                Some(Ready { token, readable, writable, ended: false, established: false })
            }
        }
    }

    fn spurious(&mut self, net: usize) -> Ready {
        let tokens = &self.nodes[net].tokens;
        let token = tokens[self.dice.below(tokens.len() as u64) as usize];
        let (readable, writable) = (self.dice.chance(0.5), self.dice.chance(0.5));
        self.note(Word::Spurious, Place { pair: net as u64, side: 0 }, token.0);
        Ready { token, readable, writable, ended: false, established: false }
    }

    pub(super) fn wake(&mut self, net: usize) {
        self.nodes[net].woken = true;
        self.note(Word::Woken, Place { pair: net as u64, side: 0 }, 0);
    }
}
