//! Bots: the state of each simulated user, in a slab.
//!
//! ```text
//!             launch
//!               v          place free             ready
//!   +-------> waiting --------------> connecting --------> online
//!   |           ^  ^                      |                  |
//!   |  back-off |  +------- failed -------+       lost       |
//!   |           +--------------------------------------------+
//!   | repeat                                                 | quit
//!   +-------------------- done <-----------------------------+
//!
//!   Any state: gave up, or nothing left to wait for --> failed
//! ```

use slab::Slab;

use crate::dice::Rng;
use crate::groups::GroupId;
use crate::id::BotId;
use crate::links::NONE;
use crate::metrics::Op;
use crate::time::Time;

mod flight;
mod ids;
pub(crate) use flight::Flight;
use ids::Ids;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Connecting,
    Online,
}

/// One bot: what the engine knows of it, and what the scenario does.
pub(crate) struct Slot<B> {
    pub(crate) core: Core,
    pub(crate) bot: B,
}

/// What the engine knows of a bot. Everything an idle bot needs is inline.
pub(crate) struct Core {
    pub(crate) id: BotId,
    pub(crate) generation: u32,
    pub(crate) state: State,
    pub(crate) kind: Kind,
    /// Ends when no op is in flight any more.
    pub(crate) leaving: bool,
    /// A live command removed it; it only has to finish.
    pub(crate) removed: bool,
    /// It has a listener.
    pub(crate) listens: bool,
    /// What the alarm is for.
    pub(crate) alarm_for: Alarm,
    /// Attempts that failed in a row.
    pub(crate) retries: u8,
    /// Dials that wait for a place among the attempts under way.
    pub(crate) dials: u8,
    /// The first of its links.
    pub(crate) links: u32,
    /// Runs it has finished, for the plan's `repeat`.
    pub(crate) runs: u32,
    pub(crate) rng: Rng,
    /// When the scenario wants to be woken.
    pub(crate) wake: Time,
    /// When the engine wants to look at the bot.
    pub(crate) alarm: Time,
    /// The op in flight; more of them lie in the cold box.
    pub(crate) op: Flight,
    /// The first group it is in; more of them lie in the cold box.
    pub(crate) group: GroupId,
    pub(crate) cold: Option<Box<Cold>>,
}

// What an idle bot costs before the scenario's own state.
const _: () = assert!(size_of::<Core>() <= 88);

/// How a bot came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The plan launched it.
    Planned,
    /// A peer dialled the listening bot `by`.
    Accepted {
        /// The bot whose listener it was.
        by: BotId,
    },
    /// A group came to be and wants a keeper: a bot without a link, at the group's home, that holds
    /// what the group shares.
    Keeper {
        /// The group.
        group: GroupId,
    },
}

/// [`Role`], without what only the first callback needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Planned,
    Accepted,
    /// Accepted, and does not end with its last link.
    Resident,
    Keeper,
}

/// What the engine looks at a bot for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    Nothing,
    /// The back-off is over: dial again.
    Redial,
    /// The attempt has taken too long.
    Attempt,
    /// The liveness window is over.
    Liveness,
    /// The pause between two runs is over.
    Restart,
}

/// Rare state: allocated when first needed, kept until the bot ends or comes online without it.
#[derive(Default)]
pub(crate) struct Cold {
    pub(crate) ops: Vec<Flight>,
    pub(crate) groups: Vec<GroupId>,
    /// The address of its own that it dialled last: the one a redial is for.
    pub(crate) redial: Option<std::net::SocketAddr>,
    /// Where the next redial goes instead, once.
    pub(crate) detour: Option<std::net::SocketAddr>,
    /// Addresses of its own whose dials wait for a place.
    pub(crate) dials: Vec<std::net::SocketAddr>,
    /// The last loss of an open link it has not recovered from.
    pub(crate) lost: Option<crate::Lost>,
}

impl Cold {
    fn is_idle(&self) -> bool {
        let Cold { ops, groups, redial, detour, dials, lost } = self;
        let empty = ops.is_empty() && groups.is_empty() && dials.is_empty();
        empty && redial.is_none() && detour.is_none() && lost.is_none()
    }
}

impl Core {
    /// The moment at which the bot needs a look: its wake, the alarm or the end of an op.
    pub(crate) fn next_moment(&self) -> Time {
        let ops = self.flights().map(Flight::deadline).min().unwrap_or(Time::NEVER);
        self.wake.min(self.alarm).min(ops)
    }

    /// The ops in flight.
    pub(crate) fn flights(&self) -> impl Iterator<Item = &Flight> {
        let cold = self.cold.iter().flat_map(|cold| cold.ops.iter());
        std::iter::once(&self.op).filter(|flight| flight.is_some()).chain(cold)
    }

    pub(crate) fn flights_mut(&mut self) -> impl Iterator<Item = &mut Flight> {
        let cold = self.cold.iter_mut().flat_map(|cold| cold.ops.iter_mut());
        std::iter::once(&mut self.op).filter(|flight| flight.is_some()).chain(cold)
    }

    pub(crate) fn busy(&self) -> bool {
        self.flights().next().is_some()
    }

    /// Gives back what a login needed and nothing needs now.
    pub(crate) fn shed(&mut self) {
        self.cold.take_if(|cold| cold.is_idle());
    }

    pub(crate) fn begin(&mut self, flight: Flight) {
        if self.op.is_some() {
            self.cold.get_or_insert_default().ops.push(flight);
        } else {
            self.op = flight;
        }
    }

    /// Takes out the oldest op in flight of this name, or this one of them.
    pub(crate) fn end(&mut self, op: Op, nth: Option<u16>) -> Option<Flight> {
        self.take_flight(|flight| flight.op == op && nth.is_none_or(|nth| flight.nth == nth))
    }

    pub(crate) fn take_flight(&mut self, wanted: impl Fn(&Flight) -> bool) -> Option<Flight> {
        if self.op.is_some() && wanted(&self.op) {
            let next = match &mut self.cold {
                Some(cold) if !cold.ops.is_empty() => cold.ops.remove(0),
                _ => Flight::NONE,
            };
            return Some(std::mem::replace(&mut self.op, next));
        }
        let ops = &mut self.cold.as_mut()?.ops;
        let at = ops.iter().position(wanted)?;
        Some(ops.remove(at))
    }

    /// The groups it is in.
    pub(crate) fn groups(&self) -> impl Iterator<Item = GroupId> {
        let cold = self.cold.iter().flat_map(|cold| cold.groups.iter().copied());
        std::iter::once(self.group).filter(|&group| group != GroupId::NONE).chain(cold)
    }

    pub(crate) fn is_in(&self, group: GroupId) -> bool {
        self.groups().any(|own| own == group)
    }

    /// Notes that it is in the group; false if it was already.
    pub(crate) fn enter(&mut self, group: GroupId) -> bool {
        if self.is_in(group) {
            return false;
        }
        if self.group == GroupId::NONE {
            self.group = group;
        } else {
            self.cold.get_or_insert_default().groups.push(group);
        }
        true
    }

    /// Notes that it is not in the group; false if it was not.
    pub(crate) fn exit(&mut self, group: GroupId) -> bool {
        let groups = self.cold.as_mut().map(|cold| &mut cold.groups);
        if self.group == group {
            self.group = groups.and_then(Vec::pop).unwrap_or(GroupId::NONE);
            return true;
        }
        let Some(groups) = groups else { return false };
        let before = groups.len();
        groups.retain(|&own| own != group);
        groups.len() < before
    }
}

/// The bots of one shard, found by slab key or by id.
pub(crate) struct Bots<B> {
    slots: Slab<Slot<B>>,
    generation: u32,
    high: u32,
    /// Planned bots by id / shards; accepted bots and keepers likewise, in tables of their own.
    planned: Ids,
    accepted: Ids,
    shards: u32,
    /// The next number for an accepted bot or keeper of this shard.
    next_accepted: u32,
}

impl<B> Bots<B> {
    pub(crate) fn with_capacity(bots: usize, shards: usize) -> Bots<B> {
        Bots {
            slots: Slab::with_capacity(bots),
            generation: 0,
            high: 0,
            planned: Ids::default(),
            accepted: Ids::default(),
            shards: shards as u32,
            next_accepted: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The next free id for a bot of shard `me` that no plan launched.
    pub(crate) fn accepted_id(&mut self, me: usize) -> BotId {
        let first = first_accepted(me as u32, self.shards);
        let numbers = (u32::MAX - first) / self.shards;
        loop {
            let number = self.next_accepted % numbers;
            self.next_accepted = (self.next_accepted + 1) % numbers;
            let id = BotId(first + number * self.shards);
            if self.key(id).is_none() {
                return id;
            }
        }
    }

    pub(crate) fn insert(&mut self, id: BotId, role: Role, rng: Rng, bot: B) -> u32 {
        let kind = match role {
            Role::Planned => Kind::Planned,
            Role::Accepted { .. } => Kind::Accepted,
            Role::Keeper { .. } => Kind::Keeper,
        };
        let core = Core {
            id,
            generation: self.generation,
            state: State::Waiting,
            kind,
            leaving: false,
            removed: false,
            listens: false,
            alarm_for: Alarm::Nothing,
            retries: 0,
            dials: 0,
            links: NONE,
            runs: 0,
            rng,
            wake: Time::NEVER,
            alarm: Time::NEVER,
            op: Flight::NONE,
            group: GroupId::NONE,
            cold: None,
        };
        self.generation = self.generation.wrapping_add(1);
        let key = self.slots.insert(Slot { core, bot }) as u32;
        self.high = self.high.max(key + 1);
        let (ids, at) = self.place(id);
        ids.set(at, key);
        key
    }

    pub(crate) fn remove(&mut self, key: u32) -> Slot<B> {
        let slot = self.slots.remove(key as usize);
        let (ids, at) = self.place(slot.core.id);
        ids.clear(at);
        slot
    }

    /// Gives a bot a new generation: what waits for the old one is void.
    pub(crate) fn renew(&mut self, key: u32) {
        self.slots[key as usize].core.generation = self.generation;
        self.generation = self.generation.wrapping_add(1);
    }

    fn place(&mut self, id: BotId) -> (&mut Ids, u32) {
        if id.0 < crate::plan::BOTS_MAX {
            (&mut self.planned, id.0 / self.shards)
        } else {
            (&mut self.accepted, (id.0 - crate::plan::BOTS_MAX) / self.shards)
        }
    }

    /// The key of a live bot.
    pub(crate) fn key(&self, id: BotId) -> Option<u32> {
        if id.0 < crate::plan::BOTS_MAX {
            self.planned.find(id.0 / self.shards)
        } else {
            self.accepted.find((id.0 - crate::plan::BOTS_MAX) / self.shards)
        }
    }

    pub(crate) fn at(&mut self, key: u32) -> &mut Slot<B> {
        &mut self.slots[key as usize]
    }

    pub(crate) fn core(&self, key: u32) -> &Core {
        &self.slots[key as usize].core
    }

    /// The bot with this key, if it is still the same one.
    pub(crate) fn same(&mut self, key: u32, generation: u32) -> Option<&mut Slot<B>> {
        self.slots.get_mut(key as usize).filter(|slot| slot.core.generation == generation)
    }

    /// One more than the highest key ever used: walks over all bots go up to here.
    pub(crate) fn keys_end(&self) -> u32 {
        self.high
    }

    pub(crate) fn contains(&self, key: u32) -> bool {
        self.slots.contains(key as usize)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = u32> + '_ {
        self.slots.iter().map(|(key, _)| key as u32)
    }

    pub(crate) fn cores(&self) -> impl Iterator<Item = &Core> {
        self.slots.iter().map(|(_, slot)| &slot.core)
    }
}

/// The lowest id from `BOTS_MAX` on that lives on shard `me`.
fn first_accepted(me: u32, shards: u32) -> u32 {
    let base = crate::plan::BOTS_MAX;
    base + (me + shards - base % shards) % shards
}
