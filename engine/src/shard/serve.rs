//! Step 4: links that are ready, and those left over from earlier turns.

use densebots_protocols::{Session, Step, Stream};

use super::derive::Asked;
use super::{ACCEPT_MAX, LISTENER, READ_MAX, Shard, UNREAD_MAX};
use crate::bots::{Role, State};
use crate::dice::mix;
use crate::links::{Cause, Link, LinkState, Lost, NONE};
use crate::net::{Net, Ready};
use crate::planted::Bug;
use crate::scenario::Scenario;

/// How much of the rest a step has taken: all of it is what a peer is blamed for.
fn unit<E>(step: Option<&Step<E>>, rest: &[u8]) -> usize {
    match step {
        None => rest.len(),
        Some(Step::Partial) => 0,
        Some(
            Step::Quiet(taken)
            | Step::Event(taken, _)
            | Step::StartTls(taken)
            | Step::Derive(taken, _),
        ) => *taken,
    }
}

/// What a look at an unread link came to.
pub(super) enum Heard {
    /// All that was there is read.
    Everything,
    /// More may be there.
    Capped,
    /// The peer has ended its side.
    End,
}

impl<S: Scenario, N: Net> Shard<S, N> {
    pub(super) fn serve(&mut self) {
        self.derive_some();
        let full = self.desk.office.full();
        if full {
            // Full means stop reading: what is readable waits on the "again" queue.
            self.desk.meter.mail.full_turns += 1;
        } else {
            for _ in 0..self.again.len() {
                let Some(link) = self.again.pop_front() else { break };
                self.serve_again(link);
            }
        }
        let mut ready = std::mem::take(&mut self.ready);
        for event in ready.drain(..) {
            self.serve_event(event, full);
        }
        self.ready = ready;
        for key in 0..self.listeners.capacity() {
            if self.listeners.get(key).is_some_and(|listener| listener.again) {
                self.accept(key);
            }
        }
        self.shake_hands();
    }

    pub(super) fn look_at_clock(&mut self) {
        self.now = self.net.now().max(self.now);
    }

    fn serve_event(&mut self, event: Ready, full: bool) {
        let token = event.token.0;
        let (key, generation) = (token as u32, (token >> 32) as u32);
        if token & LISTENER != 0 {
            let generation = generation & 0x7FFF_FFFF;
            let known = self.listeners.get(key as usize).map(|listener| listener.generation);
            if known == Some(generation) {
                self.accept(key as usize);
            }
            return;
        }
        let mut link = Link { key, generation };
        if self.desk.plan.has(Bug::StaleGeneration) && self.desk.links.at_any(key) {
            link = self.desk.links.link(key);
        }
        // An event for a link that is gone, whose place another may have taken.
        let Some(slot) = self.desk.links.get(link) else { return };
        if slot.state == LinkState::Dialling {
            let Some(conn) = self.conns[key as usize].as_mut() else { return };
            let connected = if event.established { Ok(true) } else { self.net.connected(conn) };
            match connected {
                Ok(true) => self.opened(link),
                Ok(false) => return,
                Err(error) => return self.lose(key, Lost::by(&error)),
            }
        }
        if event.writable {
            self.write_rest(link);
        }
        if event.ended
            && let Some(slot) = self.desk.links.get(link)
        {
            slot.flags.ended = true;
        }
        if event.readable || event.ended {
            if full { self.look_again(link) } else { self.read(link) }
        }
    }

    /// Puts a link on the "again" queue, once.
    pub(super) fn look_again(&mut self, link: Link) {
        if self.desk.plan.has(Bug::LostAgain) && link.generation % 16 == 7 {
            return;
        }
        if let Some(slot) = self.desk.links.get(link)
            && !std::mem::replace(&mut slot.flags.again, true)
        {
            self.again.push_back(link);
        }
    }

    fn serve_again(&mut self, link: Link) {
        let Some(slot) = self.desk.links.get(link) else { return };
        slot.flags.again = false;
        if slot.state == LinkState::Dialling {
            return;
        }
        self.write_rest(link);
        self.read(link);
    }

    /// The byte stream of a dialled link is up.
    fn opened(&mut self, link: Link) {
        let slot = self.desk.links.at(link.key);
        slot.state = LinkState::Open;
        slot.flags.counted = false;
        self.dialling -= 1;
        let (since, endpoint) = (slot.since, usize::from(slot.endpoint));
        self.desk.meter.connect.record_time(self.now.since(since));
        if let Some(count) = self.desk.meter.endpoints.get_mut(endpoint) {
            count.connected += 1;
            count.open += 1;
        }
        self.count_online(link.key, 1);
        self.begin_link(link);
    }

    /// The session and then the bot learn that bytes may flow: for the `first` time, or anew over
    /// TLS.
    pub(super) fn begin_stream(&mut self, link: Link, stream: Stream, first: bool) {
        let now_ms = self.now_ms();
        let slot = self.desk.links.at(link.key);
        slot.heard_ms = now_ms;
        let (bot, accepted) = (slot.bot, slot.flags.accepted);
        let mut seed = [0; 18];
        let rng = &mut self.bots.at(bot).core.rng;
        seed.chunks_mut(8).for_each(|part| {
            let length = part.len();
            part.copy_from_slice(&mix(rng.next()).to_le_bytes()[..length]);
        });
        let stream = Stream { seed, accepted, ..stream };
        self.desk.out.append(link.key, slot, |session, out| session.open(&stream, out));
        if stream.encrypted {
            self.call(bot, Some(link), self.now, |scenario, bot, ctx| {
                scenario.on_secured(bot, link, ctx);
            });
            self.settle(bot);
        }
        if first && self.is_open(link) {
            self.call(bot, Some(link), self.now, |scenario, bot, ctx| {
                scenario.on_open(bot, link, ctx);
            });
            self.settle(bot);
        }
    }

    /// Reads once; a short read says that nothing is left, so there is no second one.
    fn read(&mut self, link: Link) {
        let Some(slot) = self.desk.links.get(link) else { return };
        if slot.state == LinkState::Open && slot.flags.deriving {
            return; // it is looked at once its session has its key
        }
        if slot.state == LinkState::Open && slot.flags.tls {
            return self.read_secure(link);
        }
        let Some(conn) = self.conns[link.key as usize].as_mut() else { return };
        let mut input = std::mem::take(&mut self.input);
        let kept = slot.unread.as_ref().map_or(0, |rest| rest.len());
        if input.len() < kept + READ_MAX {
            input.resize(kept + READ_MAX, 0);
        }
        if let Some(rest) = &slot.unread {
            input[..kept].copy_from_slice(rest);
        }
        let room = &mut input[kept..kept + READ_MAX];
        match self.net.read(conn, room) {
            Ok(0) => self.hear(link, &input[..kept], 0, &Heard::End),
            Ok(count) => {
                self.desk.meter.received += count as u64;
                // Behind the last bytes lies the end, if there is one: no event tells of it again.
                let more = count == READ_MAX || slot.flags.ended;
                let heard = if more { Heard::Capped } else { Heard::Everything };
                self.hear(link, &input[..kept + count], count, &heard);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => self.lose(link.key, Lost::by(&error)),
        }
        input.truncate(READ_MAX.max(4 * READ_MAX.min(kept)));
        self.input = input;
    }

    /// Takes what was read through the session to the bot.
    pub(super) fn hear(&mut self, link: Link, input: &[u8], count: usize, heard: &Heard) {
        let now_ms = self.now_ms();
        let slot = self.desk.links.at(link.key);
        if slot.state == LinkState::Closing {
            // Nobody listens any more; only the peer's end matters.
            match heard {
                Heard::End => self.drop_link(link.key, false),
                Heard::Capped => self.look_again(link),
                Heard::Everything => {}
            }
            return;
        }
        slot.heard_ms = now_ms;
        slot.flags.asked = false;
        let (bot, traced) = (slot.bot, slot.flags.traced);
        if traced && count > 0 {
            self.trace(bot, false, &input[input.len() - count..]);
        }
        let generation = self.bots.core(bot).generation;
        let ended = matches!(heard, Heard::End);
        let Some(used) = self.parse(link, bot, input, ended, traced) else { return };
        if self.bots.same(bot, generation).is_none() || !self.is_open(link) {
            return;
        }
        let left = &input[used..];
        if ended {
            self.answer_parting(link);
            return self.lose(link.key, Lost::new(Cause::Closed, "the peer ended the stream"));
        }
        if left.len() > UNREAD_MAX {
            return self.lose(link.key, Lost::new(Cause::Violation, "a unit without end"));
        }
        self.keep_unread(link, left);
        if matches!(heard, Heard::Capped) {
            self.look_again(link);
        }
        self.settle(bot);
    }

    /// Steps the session through the input. Answers how much it used; `None` if the link is lost.
    fn parse(
        &mut self,
        link: Link,
        bot: u32,
        input: &[u8],
        ended: bool,
        traced: bool,
    ) -> Option<usize> {
        let mut used = 0;
        loop {
            let slot = self.desk.links.at(link.key);
            let rest = &input[used..];
            let step = self
                .desk
                .out
                .append(link.key, slot, |session, out| session.receive(rest, ended, out));
            if traced {
                self.record(link, false, &rest[..unit(step.as_ref().ok(), rest)]);
            }
            let taken = match step {
                Ok(Step::Partial) => return Some(used),
                Ok(Step::Quiet(taken)) => taken,
                Ok(Step::Event(taken, event)) => {
                    self.desk.meter.events += 1;
                    self.heard_sense(bot);
                    self.call(bot, Some(link), self.now, |scenario, bot, ctx| {
                        scenario.on_event(bot, event, ctx);
                    });
                    taken
                }
                Ok(Step::StartTls(taken)) => {
                    let begun = self.begin_tls(link, &rest[taken..]);
                    return begun.then_some(input.len());
                }
                Ok(Step::Derive(taken, derive)) => match self.ask(link, derive) {
                    Asked::Answered => taken,
                    Asked::Waits => return Some(used + taken),
                    Asked::Lost => return None,
                },
                Err(violation) => {
                    self.lose(link.key, Lost::new(Cause::Violation, violation.rule));
                    return None;
                }
            };
            used += taken;
            if !self.desk.wishes.is_empty() {
                self.settle(bot);
                if !self.is_open(link) {
                    return None;
                }
            }
            if used >= input.len() || taken == 0 {
                return Some(used);
            }
        }
    }

    /// An online bot heard something that makes sense: its target is really back. One that only
    /// accepts and hangs up, or babbles, is not, and counts on towards giving up.
    fn heard_sense(&mut self, bot: u32) {
        let core = &mut self.bots.at(bot).core;
        if core.state == State::Online {
            core.retries = 0;
        }
    }

    pub(super) fn is_open(&self, link: Link) -> bool {
        self.desk.links.live(link) && self.desk.links.peek(link.key).state == LinkState::Open
    }

    /// Keeps the bytes of an unfinished unit. Idle owns nothing: no rest, no buffer.
    fn keep_unread(&mut self, link: Link, left: &[u8]) {
        let slot = self.desk.links.at(link.key);
        if left.is_empty() {
            if let Some(buffer) = slot.unread.take() {
                self.pool.take_back(buffer);
            }
            return;
        }
        let buffer = slot.unread.get_or_insert_with(|| self.pool.lend());
        buffer.clear();
        buffer.extend_from_slice(left);
    }

    pub(super) fn now_ms(&self) -> u32 {
        (self.now.nanos() / 1_000_000) as u32
    }

    /// Takes in the connections that wait at a listener, a bounded number a turn.
    fn accept(&mut self, at: usize) {
        self.listeners[at].again = false;
        for _ in 0..ACCEPT_MAX {
            match self.net.accept(&mut self.listeners[at].socket) {
                Ok(Some(conn)) => self.accepted(at, conn),
                Ok(None) => return,
                Err(error) => {
                    let limit = crate::limits::local_limit(&error);
                    self.desk.meter.limit(limit.unwrap_or("accepting connections"));
                    break;
                }
            }
        }
        // The cap, or a limit that may pass: no edge will tell of those that still wait.
        self.listeners[at].again = true;
    }

    fn accepted(&mut self, at: usize, mut conn: N::Conn) {
        let role = Role::Accepted { by: self.listeners[at].bot };
        let id = self.bots.accepted_id(self.me);
        let bot = self.create(id, role);
        let link = self.desk.links.next_link();
        let slot = self.bots.at(bot);
        let session = self.scenario.session(id, &mut slot.bot, link);
        let link = self.desk.links.insert(bot, NONE, LinkState::Open, session);
        slot.core.links = link.key;
        let place = self.desk.links.at(link.key);
        place.flags.accepted = true;
        place.endpoint = u16::MAX;
        let adopted = self.net.adopt(&mut conn, &self.desk.plan.tuning, link.token());
        self.place_conn(link.key, conn);
        self.desk.meter.accepted += 1;
        if let Err(error) = adopted {
            return self.lose(link.key, Lost::by(&error));
        }
        self.call(bot, Some(link), self.now, |scenario, bot, ctx| {
            scenario.on_start(bot, role, ctx);
        });
        self.settle(bot);
        if self.is_open(link) {
            self.begin_link(link);
        }
    }
}
