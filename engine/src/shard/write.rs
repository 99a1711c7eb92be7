//! Step 7: one write a link, one batch a shard.

use super::{Shard, WRITE_MAX};
use crate::links::{Cause, Link, LinkState, Lost, NONE, Unsent};
use crate::net::Net;
use crate::plan::Close;
use crate::planted::Bug;
use crate::scenario::Scenario;
use crate::time::Time;

impl<S: Scenario, N: Net> Shard<S, N> {
    pub(super) fn flush(&mut self) {
        self.look_at_clock();
        self.stamp();
        self.desk.ledger.confirm(self.now);
        // A write that fails costs a bot its link, and what it says then is written too.
        while self.desk.out.segments() > 0 || !self.transports.wired.is_empty() {
            let mut out = std::mem::take(&mut self.desk.out);
            for nth in 0..out.segments() {
                if let Some(slot) = self.desk.links.get(out.segment(nth).0) {
                    slot.segment = NONE; // what is appended from here on goes to the next round
                }
            }
            for nth in 0..out.segments() {
                let (link, bytes) = out.segment(nth);
                self.write(link, bytes);
            }
            out.clear();
            if self.desk.out.segments() == 0 {
                self.desk.out = out;
            }
            self.write_wired();
        }
        self.finish_links();
        for (shard, notice) in self.desk.ledger.notices(self.now, self.desk.draining) {
            self.desk.office.note(shard, notice);
        }
        let peers = &self.peers;
        self.desk.office.dispatch(|shard| peers[shard].wake());
    }

    /// Service times count from here. One look at the clock a turn: before the first write, so
    /// that the figure never flatters the target.
    fn stamp(&mut self) {
        let mut begun = std::mem::take(&mut self.desk.begun);
        for (key, generation) in begun.drain(..) {
            if let Some(slot) = self.bots.same(key, generation) {
                for flight in slot.core.flights_mut().filter(|f| f.flushed == Time::NEVER) {
                    flight.flushed = self.now;
                }
            }
        }
        self.desk.begun = begun;
    }

    /// Writes what a link appended in this turn, behind what the socket has refused before.
    fn write(&mut self, link: Link, bytes: &[u8]) {
        let Some(slot) = self.desk.links.get(link).filter(|_| !bytes.is_empty()) else { return };
        let (bot, tls) = (slot.bot, slot.flags.tls);
        if slot.flags.traced && bot != NONE {
            self.trace(bot, true, bytes);
            self.record(link, true, bytes);
        }
        if tls { self.write_secure(link, bytes) } else { self.send(link, bytes) }
    }

    /// Hands bytes for the wire to the socket, behind those it has refused before.
    pub(super) fn send(&mut self, link: Link, bytes: &[u8]) {
        let Some(slot) = self.desk.links.get(link) else { return };
        if let Some(unsent) = &mut slot.unsent {
            unsent.bytes.extend_from_slice(bytes);
            return self.check_unsent(link);
        }
        let Some(conn) = self.conns[link.key as usize].as_mut() else { return };
        let taken = match self.net.write(conn, bytes) {
            Ok(taken) => taken,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
            Err(error) => return self.lose(link.key, Lost::by(&error)),
        };
        self.desk.meter.sent += taken as u64;
        if taken == bytes.len() || self.desk.plan.has(Bug::LostRest) {
            return;
        }
        let mut rest = self.pool.lend();
        rest.extend_from_slice(&bytes[taken..]);
        let unsent = Unsent { bytes: rest, sent: 0, since: self.now, counted: self.now };
        slot.unsent = Some(Box::new(unsent));
        self.blocked.push(link);
        self.check_unsent(link);
    }

    /// The cap on what one link may leave unsent.
    fn check_unsent(&mut self, link: Link) {
        let most = self.desk.plan.unsent_max;
        let left = self.desk.links.at(link.key).unsent.as_ref().map_or(0, |unsent| unsent.left());
        if left > most {
            let lost = Lost::new(Cause::StoppedReading, "unsent bytes over the cap");
            self.lose(link.key, lost);
        }
    }

    /// Goes on with what the socket refused earlier.
    pub(super) fn write_rest(&mut self, link: Link) {
        let Some(slot) = self.desk.links.get(link) else { return };
        let Some(unsent) = slot.unsent.as_mut() else { return };
        let Some(conn) = self.conns[link.key as usize].as_mut() else { return };
        let offer = unsent.left().min(WRITE_MAX);
        match self.net.write(conn, &unsent.bytes[unsent.sent..unsent.sent + offer]) {
            Ok(taken) => {
                self.desk.meter.sent += taken as u64;
                unsent.sent += taken;
                unsent.since = self.now; // it moves: the cap on time is about a stand-still
                let capped = taken == offer;
                if unsent.left() == 0 {
                    self.unblock(link);
                } else if capped {
                    self.look_again(link);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => self.lose(link.key, Lost::by(&error)),
        }
    }

    fn unblock(&mut self, link: Link) {
        let slot = self.desk.links.at(link.key);
        if let Some(unsent) = slot.unsent.take() {
            self.desk.meter.blocked_us += self.now.since(unsent.counted).as_micros() as u64;
            if !self.desk.plan.has(Bug::LeakyPool) {
                self.pool.take_back(unsent.bytes);
            }
        }
        if slot.state == LinkState::Closing {
            self.finishing.push(link);
        }
    }

    /// Once a second: how much waits, since when, and whether that is too long.
    pub(super) fn look_at_blocked(&mut self) {
        let mut waiting = 0;
        let mut blocked = std::mem::take(&mut self.blocked);
        // A link that came free and was blocked again stands here twice.
        blocked.sort_unstable_by_key(|link| (link.key, link.generation));
        blocked.dedup();
        blocked.retain(|&link| {
            let Some(slot) = self.desk.links.get(link) else { return false };
            let Some(unsent) = slot.unsent.as_mut() else { return false };
            waiting += unsent.left() as u64;
            self.desk.meter.blocked_us += self.now.since(unsent.counted).as_micros() as u64;
            unsent.counted = self.now;
            if self.now.since(unsent.since) > self.desk.plan.blocked_max {
                let lost = Lost::new(Cause::StoppedReading, "write-blocked for too long");
                self.lose(link.key, lost);
                return false;
            }
            true
        });
        blocked.append(&mut self.blocked);
        self.blocked = blocked;
        self.desk.meter.unsent = waiting;
    }

    /// Closes the links whose last bytes are sent, as the plan says.
    fn finish_links(&mut self) {
        let mut finishing = std::mem::take(&mut self.finishing);
        for link in finishing.drain(..) {
            let Some(slot) = self.desk.links.get(link) else { continue };
            if slot.state != LinkState::Closing || slot.unsent.is_some() {
                continue;
            }
            if slot.flags.tls {
                self.part_secure(link);
                let Some(slot) = self.desk.links.get(link) else { continue };
                if slot.unsent.is_some() {
                    continue; // it is finished once the last word is out
                }
            }
            match self.desk.plan.close {
                Close::Fin => self.drop_link(link.key, false),
                Close::Rst => self.drop_link(link.key, true),
                Close::Wait => {
                    let Some(conn) = self.conns[link.key as usize].as_mut() else { continue };
                    if self.net.finish(conn).is_err() {
                        self.drop_link(link.key, true);
                    }
                }
            }
        }
        self.finishing = finishing;
        while let Some(&(until, link)) = self.closing.front() {
            let stale = self.desk.plan.has(Bug::StaleGeneration);
            let live = self.desk.links.live(link) || (stale && self.desk.links.at_any(link.key));
            if live && until > self.now {
                break;
            }
            self.closing.pop_front();
            if live {
                self.drop_link(link.key, true);
            }
        }
    }
}
