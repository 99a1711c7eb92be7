//! What is true of a shard between two turns, recounted from the slabs. For simulations.

use super::Shard;
use crate::bots::{Kind, State};
use crate::groups::GroupId;
use crate::id::BotId;
use crate::links::{LinkState, NONE};
use crate::metrics::{Meter, Op, Population};
use crate::net::Net;
use crate::scenario::Scenario;
use crate::time::Time;
use crate::timers::TICK;

/// What a shard's meters said that were handed to the conductor already.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handed {
    /// By op: begun and not ended.
    in_flight: Vec<i64>,
    /// By endpoint: opened and not closed.
    open: Vec<i64>,
    /// By endpoint: of these, such of bots that are online.
    online: Vec<i64>,
}

impl Handed {
    /// Takes in one more meter.
    pub(crate) fn add(&mut self, meter: &Meter) {
        self.in_flight.resize(meter.ops.len(), 0);
        self.open.resize(meter.endpoints.len(), 0);
        self.in_flight.iter_mut().zip(&meter.ops).for_each(|(sum, op)| *sum += op.in_flight());
        self.open.iter_mut().zip(&meter.endpoints).for_each(|(sum, at)| *sum += at.open);
        self.online.resize(meter.endpoints.len(), 0);
        self.online.iter_mut().zip(&meter.endpoints).for_each(|(sum, at)| *sum += at.online);
    }
}

#[allow(clippy::needless_pass_by_value)] // what is compared is mostly a number
fn equal<T: PartialEq + std::fmt::Debug>(what: &str, counted: T, found: T) -> Result<(), String> {
    if counted == found {
        return Ok(());
    }
    Err(format!("{what}: counted {counted:?}, found {found:?}"))
}

fn holds(rule: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if rule { Ok(()) } else { Err(what()) }
}

impl<S: Scenario, N: Net> Shard<S, N> {
    /// Whether the counts agree with the slabs. `sockets` is how many the net holds for it.
    pub(crate) fn check(&self, handed: &Handed, sockets: usize) -> Result<(), String> {
        self.check_population()?;
        self.check_links(sockets)?;
        self.check_queues()?;
        self.check_timers()?;
        self.check_counts(handed)
    }

    fn check_population(&self) -> Result<(), String> {
        let counted = self.desk.meter.population;
        let mut found = Population { waiting: 0, connecting: 0, online: 0, ..counted };
        let mut accepted = 0;
        for core in self.bots.cores() {
            match core.kind {
                Kind::Planned => *found.count(core.state) += 1,
                Kind::Accepted | Kind::Resident => accepted += 1,
                Kind::Keeper => {}
            }
        }
        equal("conservation: bots by state", counted, found)?;
        let sum = counted.live() + counted.done + counted.failed;
        equal("conservation: launched is the sum of the others", counted.launched, sum)?;
        equal("conservation: accepted bots", self.desk.meter.accepted, accepted)
    }

    fn check_links(&self, sockets: usize) -> Result<(), String> {
        let (mut held, mut counted, mut lent, mut owned) = (0, 0, 0, 0);
        for (key, slot) in self.desk.links.iter() {
            held += usize::from(self.conns.get(key as usize).is_some_and(Option::is_some));
            counted += usize::from(slot.flags.counted);
            lent += usize::from(slot.unread.is_some()) + usize::from(slot.unsent.is_some());
            owned += usize::from(slot.bot != NONE);
            holds((slot.bot == NONE) == (slot.state == LinkState::Closing), || {
                format!("link {key} is {:?} and belongs to bot {}", slot.state, slot.bot)
            })?;
            holds(slot.segment == NONE, || format!("link {key} has output left over"))?;
            holds(!slot.flags.again || self.again.iter().any(|link| link.key == key), || {
                format!("link {key} says it is on the again queue and is not")
            })?;
        }
        lent += self.transports.rests();
        let secured = self.desk.links.iter().filter(|(_, slot)| slot.flags.tls).count();
        let (shaking, tabled) = self.transports.standing();
        equal("tls: links in the table", secured, tabled)?;
        holds(shaking <= secured, || format!("{shaking} handshakes for {secured} links"))?;
        let stray = self.transports.ticket_of_none(|bot| self.bots.contains(bot));
        holds(stray.is_none(), || format!("a ticket of bot {stray:?}, which is gone"))?;
        holds(self.transports.wired.is_empty(), || "handshakes left to write".to_owned())?;
        let conns = self.conns.iter().flatten().count();
        equal("conservation: sockets of links", conns, held)?;
        equal("conservation: every link has a socket", self.desk.links.len(), held)?;
        equal("conservation: open sockets", sockets, held + self.listeners.len())?;
        equal("conservation: attempts under way", self.dialling, counted)?;
        equal("pools: buffers lent", self.pool.lent(), lent)?;
        self.check_chains(owned)
    }

    fn check_chains(&self, owned: usize) -> Result<(), String> {
        let mut chained = 0;
        for key in self.bots.keys() {
            let core = self.bots.core(key);
            let mut at = core.links;
            let mut open = false;
            while at != NONE {
                holds(self.desk.links.at_any(at), || {
                    format!("bot {} has link {at}, which is gone", core.id)
                })?;
                let slot = self.desk.links.peek(at);
                holds(slot.bot == key, || format!("bot {} has the link of another", core.id))?;
                open |= slot.state == LinkState::Open;
                (at, chained) = (slot.next, chained + 1);
            }
            let needs_link = core.kind == Kind::Planned && core.state == State::Connecting;
            holds(!needs_link || core.links != NONE || core.dials > 0, || {
                format!("bot {} connects without a link", core.id)
            })?;
            let silent = open && core.kind == Kind::Planned && core.alarm == Time::NEVER;
            holds(!silent, || format!("nobody looks whether bot {} still hears", core.id))?;
        }
        equal("every link that has an owner is in its chain", owned, chained)
    }

    fn check_queues(&self) -> Result<(), String> {
        for (_, listener) in &self.listeners {
            holds(self.bots.key(listener.bot).is_some(), || {
                format!("the listener of bot {}, which is gone", listener.bot)
            })?;
        }
        let mut dials: u32 = self.bots.cores().map(|core| u32::from(core.dials)).sum();
        for dial in &self.dials {
            let live = self.bots.contains(dial.key)
                && self.bots.core(dial.key).generation == dial.generation;
            dials = dials.saturating_sub(u32::from(live));
        }
        equal("dials that wait", 0, dials)?;
        holds(self.desk.wishes.is_empty(), || "wishes left over".to_owned())?;
        holds(self.desk.out.segments() == 0, || "output left over".to_owned())?;
        holds(self.finishing.is_empty(), || "links left to finish".to_owned())
    }

    fn check_timers(&self) -> Result<(), String> {
        let mut armed = 0;
        for key in self.bots.keys() {
            let core = self.bots.core(key);
            let (moment, set) = (core.next_moment(), self.timers.armed(key));
            armed += usize::from(set.is_some());
            holds(moment == Time::NEVER || set.is_some_and(|set| set <= moment + TICK), || {
                format!("bot {} waits for {moment:?}, its timer stands at {set:?}", core.id)
            })?;
        }
        equal("timers: every armed one belongs to a bot", self.timers.len(), armed)
    }

    fn check_counts(&self, handed: &Handed) -> Result<(), String> {
        let meter = &self.desk.meter;
        let mut sum = handed.clone();
        sum.add(meter);
        let mut flights = vec![0; meter.ops.len()];
        for core in self.bots.cores() {
            core.flights().for_each(|flight| flights[usize::from(flight.op.0)] += 1);
        }
        equal("ops: begun = ended + timed out + cut + in flight", sum.in_flight, flights)?;
        for (nth, op) in meter.ops.iter().enumerate() {
            let name = Op(nth as u16);
            let (latency, failed) = (op.latency.count(), op.failed_latency.count());
            holds(latency == op.ok + op.timed_out && failed == op.failed, || {
                format!("{name:?}: {latency} latencies, {} ok, {} timed out", op.ok, op.timed_out)
            })?;
            holds(op.service.count() <= op.ok, || format!("{name:?}: too many service times"))?;
        }
        let mut open = vec![0; meter.endpoints.len()];
        let mut online = open.clone();
        for (_, slot) in self.desk.links.iter() {
            let endpoint = usize::from(slot.endpoint);
            let Some(count) = open.get_mut(endpoint) else { continue };
            *count += i64::from(slot.state != LinkState::Dialling);
            let serves = slot.state == LinkState::Open && slot.bot != NONE;
            let core = serves.then(|| self.bots.core(slot.bot));
            let counts = core.is_some_and(|c| c.kind == Kind::Planned && c.state == State::Online);
            online[endpoint] += i64::from(counts);
        }
        equal("endpoints: open connections", sum.open, open)?;
        equal("endpoints: connections of bots online", sum.online, online)
    }

    /// Whether everything is as it was before the first bot: to ask when the shard has ended.
    pub(crate) fn check_end(&self) -> Result<(), String> {
        equal("pools: bots at the end", 0, self.bots.len())?;
        equal("pools: links at the end", 0, self.desk.links.len())?;
        equal("pools: buffers lent at the end", 0, self.pool.lent())?;
        equal("pools: timers at the end", 0, self.timers.len())?;
        equal("pools: listeners at the end", 0, self.listeners.len())?;
        equal("pools: attempts at the end", 0, self.dialling)
    }

    /// Nothing is on its way to, in or from this shard.
    pub(crate) fn mail_is_quiet(&self) -> bool {
        self.delivery.is_none() && self.desk.office.idle() && self.desk.ledger.is_told()
    }

    /// Memberships as this shard's groups have them.
    pub(crate) fn kept_memberships(&self) -> Vec<(GroupId, BotId)> {
        self.groups.memberships().collect()
    }

    /// Memberships as this shard's bots have them.
    pub(crate) fn own_memberships(&self) -> Vec<(GroupId, BotId)> {
        let cores = self.bots.cores();
        cores.flat_map(|core| core.groups().map(|group| (group, core.id))).collect()
    }
}
