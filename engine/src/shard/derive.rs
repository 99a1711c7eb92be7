//! Keys that sessions asked for: a few a turn, and their links wait.

use densebots_protocols::{Derive, Session};

use super::Shard;
use super::serve::Heard;
use crate::derive::{ROUNDS_MAX, derive, steps};
use crate::links::{Cause, Link, Lost};
use crate::net::Net;
use crate::scenario::{Scenario, Work};
use crate::transport::STEPS_MAX;

/// What a session that asked for a key does next.
pub(super) enum Asked {
    /// It has its answer and goes on.
    Answered,
    /// It waits, and its input with it.
    Waits,
    /// Its link is lost.
    Lost,
}

impl<S: Scenario, N: Net> Shard<S, N> {
    /// A session asks for a key.
    pub(super) fn ask(&mut self, link: Link, derive: Derive) -> Asked {
        if derive.rounds > ROUNDS_MAX {
            let lost = Lost::new(Cause::LocalLimit, "rounds of a login's key derivation");
            self.lose(link.key, lost);
            return Asked::Lost;
        }
        if let Some(key) = self.derivations.known(&derive) {
            self.desk.meter.derive.remembered += 1;
            self.answer(link, key.as_ref());
            return Asked::Answered;
        }
        let slot = self.desk.links.at(link.key);
        slot.flags.deriving = true;
        let bot = slot.bot;
        self.derivations.ask(link, derive);
        self.works(link, bot, Work::Derivation);
        if self.is_open(link) { Asked::Waits } else { Asked::Lost }
    }

    fn answer(&mut self, link: Link, key: &[u8]) {
        let slot = self.desk.links.at(link.key);
        let waited = std::mem::take(&mut slot.flags.deriving);
        let bot = slot.bot;
        self.desk.out.append(link.key, slot, |session, out| session.derived(key, out));
        if waited {
            self.works(link, bot, Work::Derived);
        }
    }

    /// Derives what the ration of a turn allows, and one key in any case: those who ask have come
    /// further than those who shake hands. Half of the ration is left for these.
    pub(super) fn derive_some(&mut self) {
        self.transports.steps = STEPS_MAX;
        let busy = self.transports.has_place() || !self.again.is_empty();
        let ration = if busy { STEPS_MAX / 2 } else { STEPS_MAX };
        let mut spent = 0;
        while spent < ration && self.derivations.free_at <= self.now {
            let Some((link, asked)) = self.derivations.next() else { break };
            if !self.is_open(link) {
                continue;
            }
            let key = match self.derivations.known(&asked) {
                Some(key) => {
                    self.desk.meter.derive.remembered += 1;
                    key
                }
                None => {
                    spent += steps(&asked);
                    self.derive_one(&asked)
                }
            };
            self.answer(link, key.as_ref());
            if self.is_open(link) {
                self.go_on_reading(link);
            }
        }
        self.transports.steps = STEPS_MAX.saturating_sub(spent).max(STEPS_MAX / 2);
    }

    fn derive_one(&mut self, asked: &Derive) -> crate::derive::Key {
        let began = self.net.now();
        let key = derive(asked);
        let took = match self.net.derivation_time() {
            Some(took) => {
                self.derivations.free_at = self.now + took;
                took
            }
            None => {
                self.look_at_clock();
                self.now.since(began)
            }
        };
        self.desk.meter.derive.count += 1;
        self.desk.meter.derive.spent_us += took.as_micros() as u64;
        self.derivations.keep(asked, key);
        key
    }

    /// Takes up the input of a link whose session has its key.
    fn go_on_reading(&mut self, link: Link) {
        if let Some(unread) = self.desk.links.at(link.key).unread.take() {
            self.hear(link, &unread, 0, &Heard::Capped);
            self.pool.take_back(unread);
        } else {
            self.look_again(link); // what has come meanwhile, no event will tell of again
        }
    }
}
