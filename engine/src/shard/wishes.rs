//! What a callback asked for, done once it has returned.

use super::{LISTENER, Life, Listener, Note, Shard};
use crate::bots::{Alarm, Kind, State};
use crate::ctx::{Outcome, Wish};
use crate::links::{Cause, LinkState, Lost, NONE};
use crate::net::{Net, Token};
use crate::scenario::Scenario;
use crate::time::Time;

impl<S: Scenario, N: Net> Shard<S, N> {
    /// Grants the wishes of the bot that was called and arms its timer.
    pub(super) fn settle(&mut self, key: u32) {
        let generation = self.bots.core(key).generation;
        while let Some(wish) = self.desk.wishes.pop_front() {
            self.grant(key, wish);
            if self.bots.same(key, generation).is_none() {
                self.desk.wishes.clear();
                return;
            }
        }
        if self.leave_if_idle(key) || self.forsaken(key) {
            return;
        }
        self.arm(key);
    }

    fn grant(&mut self, key: u32, wish: Wish) {
        match wish {
            Wish::Dial(_) if self.desk.draining => {}
            Wish::Dial(to) => self.queue_dial(key, to),
            Wish::Redial => self.redial(key),
            Wish::Listen(at) => self.listen(key, at),
            Wish::Close(link) => {
                if self.desk.links.get(link).is_some_and(|slot| slot.bot == key) {
                    self.part_with_link(link.key);
                    self.parted(key);
                }
            }
            Wish::Lose(link, why) => {
                if self.desk.links.get(link).is_some_and(|slot| slot.bot == key) {
                    self.lose(link.key, Lost::new(Cause::Scenario, why));
                }
            }
            Wish::Ready => self.ready(key),
            Wish::LeaveWhenIdle => self.bots.at(key).core.leaving = true,
            Wish::Quit(outcome) => self.end(key, outcome, false),
            Wish::StopRun(why) => {
                let _ = self.notes.send(Note::StopRun(why));
            }
        }
    }

    /// The bot is online.
    fn ready(&mut self, key: u32) {
        let (now, window) = (self.now, self.desk.plan.liveness);
        let core = &mut self.bots.at(key).core;
        if core.state == State::Online {
            return;
        }
        let (id, kind) = (core.id, core.kind);
        let from = std::mem::replace(&mut core.state, State::Online);
        (core.alarm, core.alarm_for) = (Time::NEVER, Alarm::Nothing);
        if kind != Kind::Planned {
            return;
        }
        if core.links != NONE {
            let dialling = |key| self.desk.links.peek(key).state == LinkState::Dialling;
            let patience = match self.desk.links.chain(core.links).any(dialling) {
                true => window.min(self.desk.plan.connect_timeout),
                false => window,
            };
            (core.alarm, core.alarm_for) = (now + patience, Alarm::Liveness);
        }
        let lost = core.cold.as_mut().and_then(|cold| cold.lost.take());
        core.shed();
        let mut link = core.links;
        while link != NONE {
            self.count_online(link, 1);
            link = self.desk.links.peek(link).next;
        }
        let population = &mut self.desk.meter.population;
        *population.count(from) -= 1;
        population.online += 1;
        if let Some(lost) = lost {
            self.desk.meter.recovered(lost, id);
        }
        self.desk.recorder.online(id, now);
        self.tell(Life::Online(id));
    }

    /// After a loss: dials again when the back-off is over, or gives up.
    fn redial(&mut self, key: u32) {
        let core = &mut self.bots.at(key).core;
        if core.kind != Kind::Planned {
            return; // who dialled us has to dial again
        }
        if self.desk.draining {
            return self.end(key, Outcome::Done, false);
        }
        let fraction = core.rng.fraction();
        let pause = self.desk.plan.reconnect.pause(u32::from(core.retries), fraction);
        core.retries = core.retries.saturating_add(1);
        match pause {
            Some(pause) => {
                (core.alarm, core.alarm_for) = (self.now + pause, Alarm::Redial);
            }
            None => self.end(key, Outcome::Failed("gave up after its last retry"), false),
        }
    }

    fn listen(&mut self, key: u32, at: std::net::SocketAddr) {
        let id = self.bots.core(key).id;
        let place = self.listeners.vacant_key();
        // The top bit tells listeners' tokens from links'.
        let generation = self.listening & 0x7FFF_FFFF;
        self.listening = self.listening.wrapping_add(1);
        let token = Token(LISTENER | u64::from(generation) << 32 | place as u64);
        match self.net.listen(at, token) {
            Ok((socket, at)) => {
                self.listeners.insert(Listener { generation, bot: id, socket, again: false });
                self.bots.at(key).core.listens = true;
                self.tell(Life::Listening(id, at));
            }
            Err(error) => {
                let lost = crate::Lost::by(&error);
                self.desk.meter.loss(lost, id);
                self.end(key, Outcome::Failed("cannot listen at its address"), false);
            }
        }
    }

    /// A planned bot that is not online and that nothing will ever happen to has failed.
    fn forsaken(&mut self, key: u32) -> bool {
        let core = self.bots.core(key);
        let forsaken = core.kind == Kind::Planned
            && core.state != State::Online
            && core.links == NONE
            && core.dials == 0
            && !core.listens
            && core.next_moment() == Time::NEVER
            && core.groups().next().is_none();
        if forsaken {
            self.end(key, Outcome::Failed("it waits for nothing"), false);
        }
        forsaken
    }

    /// A link of a bot begins to close; its last bytes go out first.
    pub(super) fn part_with_link(&mut self, key: u32) {
        let link = self.desk.links.link(key);
        self.count_online(key, -1);
        let slot = self.desk.links.at(key);
        let bot = std::mem::replace(&mut slot.bot, NONE);
        if bot != NONE && self.bots.contains(bot) {
            self.unchain(bot, key);
        }
        let slot = self.desk.links.at(key);
        if slot.state != LinkState::Open {
            return self.drop_link(key, false);
        }
        slot.state = LinkState::Closing;
        self.desk.out.append(key, slot, |session, out| {
            densebots_protocols::Session::close(session, out);
        });
        self.closing.push_back((self.now + self.desk.plan.drain, link));
        self.finishing.push(link);
    }

    /// Takes a link out of its bot's chain.
    pub(super) fn unchain(&mut self, bot: u32, key: u32) {
        let next = self.desk.links.peek(key).next;
        let first = self.bots.core(bot).links;
        if first == key {
            self.bots.at(bot).core.links = next;
            return;
        }
        let before = self.desk.links.chain(first).find(|&at| self.desk.links.peek(at).next == key);
        if let Some(before) = before {
            self.desk.links.at(before).next = next;
        }
    }
}
