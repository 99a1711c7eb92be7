//! How links are lost and bots end.

use super::{Life, Shard};
use crate::bots::{Alarm, Flight, Kind, State};
use crate::ctx::Outcome;
use crate::groups::GroupId;
use crate::links::{LinkState, Lost, NONE};
use crate::mail::Post;
use crate::net::Net;
use crate::planted::Bug;
use crate::scenario::Scenario;
use crate::time::Time;
use crate::transcript::Failure;

impl<S: Scenario, N: Net> Shard<S, N> {
    /// A link is gone unasked. Its bot learns why and decides what follows.
    pub(super) fn lose(&mut self, key: u32, mut lost: Lost) {
        let link = self.desk.links.link(key);
        let slot = self.desk.links.peek(key);
        let (bot, endpoint) = (slot.bot, usize::from(slot.endpoint));
        let traced = slot.flags.traced;
        // TLS that begins with the connection is a part of the attempt.
        let opened = slot.state != LinkState::Dialling;
        if bot == NONE {
            return self.drop_link(key, true); // it was closing anyway
        }
        let online = self.bots.core(bot).state == State::Online;
        self.count_online(key, -1);
        lost.online = online && opened && !self.transports.opens_direct(key);
        if traced {
            let id = self.bots.core(bot).id;
            self.desk.recorder.fail(id, self.now, Failure::Lost(lost));
        }
        self.unchain(bot, key);
        // What the peer is told by an alert is not to be cut off by a reset.
        let told = matches!(lost.cause, crate::Cause::Closed | crate::Cause::Tls);
        let session = self.take_link(key, opened && !told);
        self.scenario.salvage(&mut self.bots.at(bot).bot, session);
        if let Some(count) = self.desk.meter.endpoints.get_mut(endpoint) {
            if lost.online { count.lost += 1 } else { count.failed += 1 }
        }
        let core = &mut self.bots.at(bot).core;
        let (id, kind, generation) = (core.id, core.kind, core.generation);
        if kind == Kind::Planned {
            self.desk.meter.loss(lost, id);
        }
        if !self.desk.links.chain(self.bots.core(bot).links).any(|key| self.serves(key)) {
            self.go_offline(bot, Some(lost));
        }
        if lost.online && kind == Kind::Planned {
            self.tell(Life::Lost(id, lost));
        }
        self.call(bot, None, self.now, |scenario, bot, ctx| {
            scenario.on_lost(bot, link, &lost, ctx);
        });
        self.settle(bot);
        let left = self.bots.same(bot, generation).map(|slot| (slot.core.kind, slot.core.links));
        if left == Some((Kind::Accepted, NONE)) {
            self.end(bot, Outcome::Done, false);
        }
    }

    fn serves(&self, key: u32) -> bool {
        self.desk.links.peek(key).state == LinkState::Open
    }

    /// The last open link of a bot is gone: what it had in flight is cut off.
    fn go_offline(&mut self, key: u32, lost: Option<Lost>) {
        self.cut_flights(key);
        self.desk.ledger.lost(key, self.now, &mut self.desk.meter);
        let core = &mut self.bots.at(key).core;
        if let Some(lost) = lost.filter(|lost| lost.online) {
            core.cold.get_or_insert_default().lost = Some(lost);
        }
        // Links that are left are dialling: then the bot is still connecting.
        let dialling = core.links != NONE;
        let still = dialling && core.alarm_for == Alarm::Attempt;
        if dialling && !still {
            let until = self.now + self.desk.plan.connect_timeout;
            (core.alarm, core.alarm_for) = (until, Alarm::Attempt);
        } else if !dialling {
            (core.alarm, core.alarm_for) = (Time::NEVER, Alarm::Nothing);
        }
        let state = if dialling { State::Connecting } else { State::Waiting };
        let before = std::mem::replace(&mut core.state, state);
        if core.kind != Kind::Planned {
            return;
        }
        let population = &mut self.desk.meter.population;
        *population.count(before) -= 1;
        *population.count(state) += 1;
    }

    /// A bot closed a link on purpose. Without an open one it is online no more, and one that was
    /// accepted has nothing left to be.
    pub(super) fn parted(&mut self, key: u32) {
        let core = self.bots.core(key);
        if core.kind == Kind::Accepted && core.links == NONE {
            self.end(key, Outcome::Done, false);
        } else if !self.desk.links.chain(core.links).any(|key| self.serves(key)) {
            self.go_offline(key, None);
        }
    }

    fn cut_flights(&mut self, key: u32) {
        let core = &mut self.bots.at(key).core;
        while let Some(flight) = core.take_flight(|_| true) {
            self.desk.meter.op(flight.op).cut += 1;
        }
        debug_assert!(core.op.due == Flight::NONE.due);
    }

    /// An open link of a bot that is online comes or goes at its endpoint.
    pub(super) fn count_online(&mut self, key: u32, change: i64) {
        let slot = self.desk.links.peek(key);
        if slot.state != LinkState::Open || slot.bot == NONE {
            return;
        }
        let core = self.bots.core(slot.bot);
        if core.state == State::Online
            && core.kind == Kind::Planned
            && let Some(count) = self.desk.meter.endpoints.get_mut(usize::from(slot.endpoint))
        {
            count.online += change;
        }
    }

    /// Takes a link out of the slab and closes its socket.
    pub(super) fn drop_link(&mut self, key: u32, reset: bool) {
        drop(self.take_link(key, reset));
    }

    fn take_link(&mut self, key: u32, reset: bool) -> S::Session {
        let link = self.desk.links.link(key);
        let slot = self.desk.links.remove(key);
        if slot.flags.traced {
            self.desk.recorder.forget(link);
        }
        if slot.flags.tls {
            let (rest, tier) = self.transports.forget(link);
            rest.into_iter().for_each(|buffer| self.pool.take_back(buffer));
            self.count_tier(tier);
        }
        if slot.flags.counted {
            self.dialling -= 1;
        }
        if slot.state != LinkState::Dialling
            && let Some(count) = self.desk.meter.endpoints.get_mut(usize::from(slot.endpoint))
        {
            count.open -= 1;
        }
        if let Some(unsent) = &slot.unsent {
            let blocked = self.now.since(unsent.counted);
            self.desk.meter.blocked_us += blocked.as_micros() as u64;
        }
        for buffer in slot.unread.into_iter().chain(slot.unsent.map(|unsent| unsent.bytes)) {
            self.pool.take_back(buffer);
        }
        if let Some(conn) = self.conns.get_mut(key as usize).and_then(Option::take) {
            self.net.close(conn, reset || self.stopping);
        }
        slot.session
    }

    /// A bot ends. Its links close once their bytes are sent, or with a reset; its groups forget
    /// it; under the plan's `repeat` it begins again.
    pub(super) fn end(&mut self, key: u32, outcome: Outcome, reset: bool) {
        self.desk.wishes.clear();
        if let Outcome::Failed(why) = outcome {
            let id = self.bots.core(key).id;
            self.desk.recorder.fail(id, self.now, Failure::GaveUp(why));
        }
        while self.bots.core(key).links != NONE {
            let link = self.bots.core(key).links;
            self.count_online(link, -1);
            self.bots.at(key).core.links = self.desk.links.peek(link).next;
            self.desk.links.at(link).bot = NONE;
            if reset { self.drop_link(link, true) } else { self.part_with_link(link) }
        }
        self.cut_flights(key);
        self.desk.ledger.ended(key, self.now, &mut self.desk.meter);
        if !self.desk.plan.has(Bug::GhostMember) {
            self.leave_groups(key);
        }
        self.timers.cancel(key);
        self.unlisten(key);
        if self.repeats(key, outcome) {
            return;
        }
        let core = self.bots.core(key);
        match core.kind {
            Kind::Planned => {
                let population = &mut self.desk.meter.population;
                *population.count(core.state) -= 1;
                match outcome {
                    Outcome::Done => population.done += 1,
                    Outcome::Failed(_) => population.failed += 1,
                }
            }
            Kind::Accepted | Kind::Resident => self.desk.meter.accepted -= 1,
            Kind::Keeper => {}
        }
        self.transports.bot_ended(key);
        let slot = self.bots.remove(key);
        self.tell(Life::Ended(slot.core.id, outcome, slot.bot));
    }

    fn leave_groups(&mut self, key: u32) {
        let core = &mut self.bots.at(key).core;
        let bot = core.id;
        while let Some(group) = { core.groups().next() } {
            core.exit(group);
            debug_assert_ne!(group, GroupId::NONE);
            self.desk.office.post(group.home(self.shards), Post::Leave { group, bot });
        }
    }

    fn unlisten(&mut self, key: u32) {
        if !self.bots.core(key).listens {
            return;
        }
        let id = self.bots.core(key).id;
        let own: Vec<usize> =
            self.listeners.iter().filter(|(_, l)| l.bot == id).map(|(at, _)| at).collect();
        for at in own {
            self.net.unlisten(self.listeners.remove(at).socket);
        }
    }

    /// Whether a bot that is done begins again; then it waits for its next run.
    fn repeats(&mut self, key: u32, outcome: Outcome) -> bool {
        let (now, draining) = (self.now, self.desk.draining);
        let repeat = self.desk.plan.repeat;
        let core = &mut self.bots.at(key).core;
        core.runs = core.runs.saturating_add(1);
        let more = repeat.times.is_none_or(|times| core.runs < times);
        if !more || draining || core.removed || core.kind != Kind::Planned {
            return false;
        }
        if outcome != Outcome::Done {
            return false;
        }
        let before = std::mem::replace(&mut core.state, State::Waiting);
        let population = &mut self.desk.meter.population;
        *population.count(before) -= 1;
        population.waiting += 1;
        (core.leaving, core.listens, core.retries, core.dials) = (false, false, 0, 0);
        core.wake = Time::NEVER;
        (core.alarm, core.alarm_for) = (now + repeat.interval, Alarm::Restart);
        core.cold = None;
        // A new generation, so that a dial of the last run that still waits is not made.
        self.bots.renew(key);
        self.desk.meter.repeated += 1;
        self.arm(key);
        true
    }
}
