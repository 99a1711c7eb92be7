//! Step 5: bots whose timer is due.

use std::time::Duration;

use super::{Shard, WAKE_MAX};
use crate::bots::{Alarm, Role, State};
use crate::ctx::Outcome;
use crate::links::{Cause, Link, LinkState, Lost};
use crate::net::Net;
use crate::planted::Bug;
use crate::scenario::Scenario;
use crate::time::Time;
use crate::transcript::Failure;
use crate::transport::words;

impl<S: Scenario, N: Net> Shard<S, N> {
    pub(super) fn wake(&mut self) {
        let mut fired = std::mem::take(&mut self.fired);
        fired.clear();
        self.timers.advance(self.now, &mut fired, WAKE_MAX);
        for &key in &fired {
            if self.bots.contains(key) {
                self.fire(key);
            }
        }
        self.fired = fired;
    }

    /// A bot's timer fired: whatever of it is due happens, in the order op, alarm, wake.
    fn fire(&mut self, key: u32) {
        let generation = self.bots.core(key).generation;
        if self.desk.plan.has(Bug::SecondWake) {
            let core = &mut self.bots.at(key).core;
            if core.wake != Time::NEVER && core.next_moment() > self.now {
                core.wake = self.now; // the timer of an earlier moment still stood: taken for it
            }
        }
        while let Some(slot) = self.bots.same(key, generation) {
            let core = &mut slot.core;
            let now = self.now;
            if let Some(flight) = core.take_flight(|flight| flight.deadline() <= now) {
                let patience = Duration::from_millis(u64::from(flight.patience_ms));
                let id = core.id;
                self.desk.meter.op(flight.op).timed_out(patience);
                self.desk.recorder.fail(id, now, Failure::TimedOut(flight.op));
                self.call(key, None, now, |scenario, bot, ctx| {
                    scenario.on_timeout(bot, flight.op, ctx);
                });
            } else if core.alarm <= now {
                core.alarm = Time::NEVER;
                let purpose = std::mem::replace(&mut core.alarm_for, Alarm::Nothing);
                self.ring(key, purpose);
                if self.bots.same(key, generation).is_none() {
                    return;
                }
            } else if core.wake <= now {
                let due = core.wake;
                core.wake = Time::NEVER;
                self.late_by(due);
                self.call(key, None, due, |scenario, bot, ctx| {
                    ctx.by_timer = true;
                    scenario.on_wake(bot, ctx);
                });
            } else {
                break;
            }
            self.settle(key);
        }
        if self.bots.same(key, generation).is_some() {
            self.arm(key);
        }
    }

    fn ring(&mut self, key: u32, purpose: Alarm) {
        match purpose {
            Alarm::Nothing => {}
            Alarm::Redial => {
                let cold = self.bots.at(key).core.cold.as_mut();
                let (usual, detour) =
                    cold.map_or((None, None), |cold| (cold.redial, cold.detour.take()));
                self.queue_dial(key, detour.or(usual));
                if let Some(cold) = &mut self.bots.at(key).core.cold {
                    cold.redial = usual; // the next one is where it always was
                }
            }
            Alarm::Attempt => self.give_up_attempt(key),
            Alarm::Liveness => self.check_liveness(key),
            Alarm::Restart => self.restart(key),
        }
    }

    /// An attempt took too long: to connect, or to get ready once connected.
    fn give_up_attempt(&mut self, key: u32) {
        let core = self.bots.core(key);
        if core.state == State::Online {
            return;
        }
        for link in self.links_of(key) {
            // What a bot does about one loss may close its other links, or end it.
            let Some(slot) = self.desk.links.get(link).filter(|slot| slot.bot == key) else {
                continue;
            };
            let condition = match slot.state {
                LinkState::Dialling => "no answer to the dial",
                _ if self.transports.opens(link.key) => words::UNFINISHED,
                _ => "connected but never ready",
            };
            self.lose(link.key, Lost::new(Cause::Timeout, condition));
        }
    }

    fn links_of(&self, key: u32) -> Vec<Link> {
        let chain = self.desk.links.chain(self.bots.core(key).links);
        chain.map(|key| self.desk.links.link(key)).collect()
    }

    /// Asks silent links to answer; those that were asked and did not are lost, and so are those
    /// of an online bot that are still dialling.
    fn check_liveness(&mut self, key: u32) {
        let window = self.desk.plan.liveness;
        let window_ms = u32::try_from(window.as_millis()).unwrap_or(u32::MAX);
        let now_ms = self.now_ms();
        let core = &mut self.bots.at(key).core;
        core.alarm = self.now + window;
        core.alarm_for = Alarm::Liveness;
        core.retries = 0; // it has stood for a while: the next loss is a new one
        for link in self.links_of(key) {
            let Some(slot) = self.desk.links.get(link).filter(|slot| slot.bot == key) else {
                continue;
            };
            let silent_ms = now_ms.wrapping_sub(slot.heard_ms);
            if slot.state == LinkState::Dialling {
                let until = slot.since + self.desk.plan.connect_timeout;
                if until <= self.now {
                    self.lose(link.key, Lost::new(Cause::Timeout, "no answer to the dial"));
                } else {
                    self.look_by(key, until);
                }
            } else if silent_ms < window_ms {
                let left = Duration::from_millis(u64::from(window_ms - silent_ms));
                self.look_by(key, self.now + left);
            } else if slot.flags.asked {
                self.lose(link.key, Lost::new(Cause::Timeout, "silent for the liveness window"));
            } else {
                let asked = self.call(key, Some(link), self.now, |scenario, bot, ctx| {
                    scenario.on_silent(bot, link, ctx)
                });
                self.desk.links.at(link.key).flags.asked = asked;
            }
        }
    }

    /// The alarm of a bot rings then at the latest.
    pub(super) fn look_by(&mut self, key: u32, until: Time) {
        let core = &mut self.bots.at(key).core;
        core.alarm = core.alarm.min(until);
    }

    /// The next run of a bot that repeats.
    fn restart(&mut self, key: u32) {
        let slot = self.bots.at(key);
        slot.bot = self.scenario.bot(slot.core.id, Role::Planned, &mut slot.core.rng);
        self.begin_run(key, Role::Planned, self.now);
    }

    /// Notes how late something ran that was due.
    pub(super) fn late_by(&mut self, due: Time) {
        let late = self.now.since(due);
        self.late = Some(self.late.map_or(late, |before| before.max(late)));
    }

    /// A wish that ends the bot once nothing is in flight.
    pub(super) fn leave_if_idle(&mut self, key: u32) -> bool {
        let core = self.bots.core(key);
        let leaves = core.leaving && !core.busy();
        if leaves {
            self.end(key, Outcome::Done, false);
        }
        leaves
    }
}
