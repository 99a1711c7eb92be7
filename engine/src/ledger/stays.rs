//! Stays: which bot of this shard is in which room, since when and until when.
//!
//! ```text
//!            flush                 asked to leave, or ended
//!   entered --------> here ------------------------------------> left --kept a while--> forgotten
//!                     ^  | link lost                               ^
//!             resumed |  v                                         |
//!                     away ----- entered anew, left, or ended -----+
//! ```
//!
//! A stay covers what was sent after it was confirmed and not after it was left. The moment of
//! confirmation is read at the end of the turn, so it is never earlier than the truth, as the
//! moment of a send is never later: what a stay covers, the service had to deliver.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::time::Duration;

use slab::Slab;

use crate::groups::{AsIs, GroupId};
use crate::time::Time;

pub(super) const NONE: u32 = u32::MAX;
/// A stay that is the first of a live bot says so in `before`, with the bot's key.
const FIRST: u32 = 1 << 31;
/// Lists of places of rooms that are gone, kept for rooms to come.
const SPARES_MAX: usize = 256;

/// One bot in one room, once.
pub(super) struct Stay {
    pub(super) room: GroupId,
    /// When its presence was confirmed; never until the turn has ended.
    pub(super) entered: Time,
    /// When it asked to leave, or was replaced or ended.
    pub(super) left: Time,
    /// Its bit in the records of messages to the room.
    pub(super) place: u32,
    /// The stay of the same bot that began before this one.
    pub(super) older: u32,
    /// The one that began after it, or [`FIRST`] and the bot's key.
    before: u32,
    /// Its link was lost, and nobody knows yet whether the stay survives that.
    pub(super) away: bool,
    /// It was left because the run ends: that excuses nothing.
    pub(super) at_end: bool,
}

// The price of a bot in a room, before its share of the room's own list.
const _: () = assert!(size_of::<Stay>() <= 40);

impl Stay {
    pub(super) fn covers(&self, sent: Time) -> bool {
        self.entered < sent && sent <= self.left
    }

    fn open(&self) -> bool {
        self.left == Time::NEVER
    }
}

/// A stay to be confirmed at the flush, and the one it takes the place of.
struct Entering {
    stay: u32,
    instead_of: u32,
}

#[derive(Default)]
pub(super) struct Stays {
    stays: Slab<Stay>,
    /// By bot key: the stay that began last.
    first: Vec<u32>,
    /// By room: the stay at each place.
    rooms: HashMap<GroupId, Vec<u32>, BuildHasherDefault<AsIs>>,
    spares: Vec<Vec<u32>>,
    entering: Vec<Entering>,
    /// Stays that were left, in that order.
    leaving: VecDeque<(Time, u32)>,
    /// The run ends: who leaves now does so because of that.
    pub(super) ending: bool,
}

impl Stays {
    pub(super) fn at(&self, stay: u32) -> &Stay {
        &self.stays[stay as usize]
    }

    /// The stays at the places of a room; `None` if no bot of this shard was there lately.
    pub(super) fn places(&self, room: GroupId) -> Option<&[u32]> {
        self.rooms.get(&room).map(Vec::as_slice)
    }

    /// The bot's stays in this room from this one on, the latest first.
    pub(super) fn from(&self, stay: u32, room: GroupId) -> impl Iterator<Item = &Stay> {
        let known = |key: u32| (key != NONE).then(|| self.at(key));
        std::iter::successors(known(stay), move |stay| known(stay.older))
            .filter(move |stay| stay.room == room)
    }

    /// The bot's latest stay in this room.
    pub(super) fn latest(&self, bot: u32, room: GroupId) -> Option<u32> {
        let mut at = *self.first.get(bot as usize)?;
        while at != NONE {
            let stay = self.at(at);
            if stay.room == room {
                return Some(at);
            }
            at = stay.older;
        }
        None
    }

    /// The bot's presence in the room is confirmed. After a loss that is a stay of its own.
    pub(super) fn enter(&mut self, bot: u32, room: GroupId) {
        let before = self.latest(bot, room).filter(|&stay| self.at(stay).open());
        if before.is_some_and(|stay| !self.at(stay).away) {
            return;
        }
        if self.first.len() <= bot as usize {
            self.first.resize(bot as usize + 1, NONE);
        }
        let older = self.first[bot as usize];
        let stay = self.stays.vacant_key() as u32;
        let spares = &mut self.spares;
        let places = self.rooms.entry(room).or_insert_with(|| spares.pop().unwrap_or_default());
        let place = places.iter().position(|&stay| stay == NONE).unwrap_or(places.len());
        if place == places.len() {
            places.push(stay);
        } else {
            places[place] = stay;
        }
        self.stays.insert(Stay {
            room,
            entered: Time::NEVER,
            left: Time::NEVER,
            place: place as u32,
            older,
            before: FIRST | bot,
            away: false,
            at_end: false,
        });
        if older != NONE {
            self.stays[older as usize].before = stay;
        }
        self.first[bot as usize] = stay;
        self.entering.push(Entering { stay, instead_of: before.unwrap_or(NONE) });
    }

    /// The end of a turn: what was confirmed in it was confirmed by now.
    pub(super) fn confirm(&mut self, now: Time) {
        for nth in 0..self.entering.len() {
            let Entering { stay, instead_of } = self.entering[nth];
            self.stays[stay as usize].entered = now;
            if instead_of != NONE {
                self.close(instead_of, now);
            }
        }
        self.entering.clear();
    }

    fn close(&mut self, stay: u32, now: Time) {
        let own = &mut self.stays[stay as usize];
        if own.open() {
            (own.left, own.at_end) = (now, self.ending);
            self.leaving.push_back((now, stay));
        }
    }

    /// The bot asked to leave the room.
    pub(super) fn leave(&mut self, bot: u32, room: GroupId, now: Time) {
        if let Some(stay) = self.latest(bot, room) {
            self.close(stay, now);
        }
    }

    /// The bot lost its link, or got the same stream back: then it owes what it missed.
    pub(super) fn set_away(&mut self, bot: u32, away: bool) {
        let mut at = self.first.get(bot as usize).copied().unwrap_or(NONE);
        while at != NONE {
            let stay = &mut self.stays[at as usize];
            if stay.open() {
                stay.away = away;
            }
            at = stay.older;
        }
    }

    /// The bot has ended: its key may be another's from now on.
    pub(super) fn forget_bot(&mut self, bot: u32, now: Time) {
        let Some(first) = self.first.get_mut(bot as usize) else { return };
        let mut at = std::mem::replace(first, NONE);
        if at != NONE {
            self.stays[at as usize].before = NONE;
        }
        while at != NONE {
            self.close(at, now);
            at = self.at(at).older;
        }
    }

    /// When the next stay may be forgotten that is kept for so long.
    pub(super) fn next(&self, kept: Duration) -> Time {
        self.leaving.front().map_or(Time::NEVER, |&(left, _)| left + kept)
    }

    /// Forgets stays that were left longer ago than that.
    pub(super) fn expire(&mut self, now: Time, kept: Duration) {
        while let Some(&(left, stay)) = self.leaving.front() {
            if left + kept >= now {
                return;
            }
            self.leaving.pop_front();
            self.remove(stay);
        }
    }

    fn remove(&mut self, key: u32) {
        let stay = self.stays.remove(key as usize);
        if stay.older != NONE {
            self.stays[stay.older as usize].before = stay.before;
        }
        if stay.before == NONE {
            // The first of a bot that has ended.
        } else if stay.before & FIRST != 0 {
            self.first[(stay.before & !FIRST) as usize] = stay.older;
        } else {
            self.stays[stay.before as usize].older = stay.older;
        }
        let Some(places) = self.rooms.get_mut(&stay.room) else { return };
        places[stay.place as usize] = NONE;
        while places.last() == Some(&NONE) {
            places.pop();
        }
        if places.is_empty() {
            let spare = self.rooms.remove(&stay.room);
            self.spares.extend(spare.filter(|_| self.spares.len() < SPARES_MAX));
        }
    }
}
