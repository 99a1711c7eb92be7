//! Deadlines: a hierarchical timer wheel with one timer for each small integer key.
//!
//! Time is cut into ticks of 2^16 ns. Level 0 has a slot for each of the next 256 ticks, a slot of
//! level 1 spans 256 ticks, of level 2 65,536, of level 3 16.7 million:
//!
//! ```text
//! level   a slot spans   the level reaches
//!   0        65.5 µs          16.8 ms        slots fire
//!   1        16.8 ms           4.3 s         slots are spread over the levels below
//!   2         4.3 s           18.3 min        when the tick at which they begin is reached
//!   3        18.3 min         78.2 h
//! ```
//!
//! The level is chosen by distance, not by the digits in which deadline and clock differ: digits
//! would put every short deadline that lies behind a round tick into one slot of a high level, and
//! spreading a million timers at once makes a turn late.
//!
//! A tick is finer than what a poll can wait for because latencies count from the moment at which a
//! thing was due: a millisecond of rounding would show in them.
//!
//! A slot is a ring of timers, closed by an entry of its own in front of the table, so a timer is
//! taken out without knowing where it lies and the oldest of a slot is served first. Which slots
//! hold something is kept in 256 bits a level: stretches in which nothing happens cost nothing.
//!
//! **Absent here:** the clock (time is an argument), payloads (the key is the payload), allocation
//! once the table has grown to the largest key.

use std::time::Duration;

use crate::time::Time;

mod occupancy;
#[cfg(test)]
mod tests;

use occupancy::Occupancy;

/// How finely deadlines are kept: a timer fires less than this after it was due, never before.
pub const TICK: Duration = Duration::from_nanos(1 << TICK_BITS);

/// How far ahead a deadline can lie (78 hours); later ones fire here, before they are due.
pub const REACH: Duration = Duration::from_nanos((AWAY_MAX as u64) << TICK_BITS);

/// One more than the largest key. The numbers above it name the slots and the unarmed state.
pub const KEYS_MAX: u32 = u32::MAX - SLOTS;

const TICK_BITS: u32 = 16;
const LEVELS: usize = 4;
/// Bits of a tick that choose the slot within a level.
const LEVEL_BITS: u32 = 8;
const LEVEL_SLOTS: u32 = 1 << LEVEL_BITS;
const SLOTS: u32 = LEVELS as u32 * LEVEL_SLOTS;
/// Most ticks between now and a deadline: with more, the 32 bits kept of a tick would be ambiguous.
const AWAY_MAX: u32 = u32::MAX;
/// `Entry::next` of a timer that is in no ring.
const UNARMED: u32 = u32::MAX;

/// A timer, or the entry that closes the ring of a slot (its tick means nothing).
#[derive(Clone, Copy)]
struct Entry {
    next: u32,
    prev: u32,
    /// The low half of the tick at which to fire; the rest follows from the current tick.
    tick: u32,
}

const _: () = assert!(size_of::<Entry>() == 12);

const NO_TIMER: Entry = Entry { next: UNARMED, prev: UNARMED, tick: 0 };

/// A timer wheel: at most one deadline for each key, 12 bytes a key.
///
/// Keys are those of a slab: small and dense, because the table reaches to the largest one.
///
/// A deadline further away than [`REACH`] fires when that has passed. The owner knows the exact
/// moment and arms again when a timer fires before it.
///
/// ```
/// use densebots_engine::time::Time;
/// use densebots_engine::timers::Timers;
///
/// let mut timers = Timers::with_capacity(2);
/// timers.arm(0, Time::from_nanos(5_000_000));
/// timers.arm(1, Time::from_nanos(9_000_000));
/// timers.cancel(0);
///
/// let mut fired = Vec::new();
/// while let Some(until) = timers.next() {
///     // Here the owner waits until then.
///     timers.advance(until, &mut fired, 64);
/// }
/// assert_eq!(fired, [1]);
/// ```
pub struct Timers {
    /// First the entries that close the rings of the slots, level by level; then a timer per key.
    entries: Vec<Entry>,
    occupied: [Occupancy; LEVELS],
    /// Every tick before this one has fired, and every slot that begins up to here is spread.
    tick: u64,
    armed: usize,
    #[cfg(feature = "planted")]
    planted: Planted,
}

/// A bug on purpose: see [`Timers::plant_lost_cascade`].
#[cfg(feature = "planted")]
#[derive(Default)]
struct Planted {
    lose_in_cascade: bool,
    cascaded: u64,
}

impl Timers {
    /// No timer armed, at the beginning of the run, with room for the keys below `timers`.
    ///
    /// The room is reserved, not touched: memory is used when keys are.
    pub fn with_capacity(timers: usize) -> Timers {
        let mut entries = Vec::with_capacity(SLOTS as usize + timers);
        entries.extend((0..SLOTS).map(|slot| Entry { next: slot, prev: slot, tick: 0 }));
        Timers {
            entries,
            occupied: Default::default(),
            tick: 0,
            armed: 0,
            #[cfg(feature = "planted")]
            planted: Planted::default(),
        }
    }

    /// Sets the deadline of `key`, in place of the one it may have had.
    ///
    /// A moment that has passed fires at the next [`Timers::advance`], after what was already due.
    ///
    /// # Panics
    ///
    /// If `key` is not below [`KEYS_MAX`].
    #[inline]
    pub fn arm(&mut self, key: u32, due: Time) {
        assert!(key < KEYS_MAX, "a timer's key is a small number");
        let at = SLOTS + key;
        if at as usize >= self.entries.len() {
            self.grow(at);
        }
        if self.entries[at as usize].next == UNARMED {
            self.armed += 1;
        } else {
            self.unlink(at);
        }
        let tick = due.nanos().div_ceil(1 << TICK_BITS);
        let away = tick.saturating_sub(self.tick).min(u64::from(AWAY_MAX));
        self.link(at, away as u32);
    }

    /// Forgets the deadline of `key`, if it has one.
    pub fn cancel(&mut self, key: u32) {
        if self.is_armed(key) {
            self.unlink(SLOTS + key);
            self.entries[(SLOTS + key) as usize].next = UNARMED;
            self.armed -= 1;
        }
    }

    /// Whether `key` has a deadline that has neither fired nor been cancelled.
    pub fn is_armed(&self, key: u32) -> bool {
        let at = SLOTS as usize + key as usize;
        self.entries.get(at).is_some_and(|timer| timer.next != UNARMED)
    }

    /// The moment from which `key` may fire: the beginning of its tick. `None` if it is not armed.
    pub fn armed(&self, key: u32) -> Option<Time> {
        let timer = self.entries.get(SLOTS as usize + key as usize)?;
        let away = timer.tick.wrapping_sub(self.tick as u32);
        let tick = self.tick.saturating_add(u64::from(away));
        (timer.next != UNARMED).then(|| Time::from_nanos(tick.saturating_mul(1 << TICK_BITS)))
    }

    /// How many timers are armed.
    pub fn len(&self) -> usize {
        self.armed
    }

    /// Whether no timer is armed.
    pub fn is_empty(&self) -> bool {
        self.armed == 0
    }

    /// Fires what is due at `now`: appends at most `most` keys to `fired` and says whether more are
    /// due, for which to call again.
    ///
    /// Keys come in the order of their ticks and, within a tick, in an order that depends on
    /// nothing but the calls made so far. `most` does not bound the spreading of slots into the
    /// levels below; no timer is spread more than three times. A clock that goes back is taken to
    /// stand still.
    pub fn advance(&mut self, now: Time, fired: &mut Vec<u32>, most: usize) -> bool {
        let target = (now.nanos() >> TICK_BITS).max(self.tick);
        let end = fired.len().saturating_add(most);
        while let Some(start) = self.soonest().filter(|&start| start <= target) {
            self.tick = start;
            self.spread();
            if self.fire(fired, end) {
                return true;
            }
        }
        self.tick = target;
        false
    }

    /// A moment until which [`Timers::advance`] has nothing to do; `None` if no timer is armed.
    ///
    /// It is when the next timer fires, or earlier, when a slot must be spread: whoever waits until
    /// then and advances is never late, and wakes at most three times in vain for one timer.
    pub fn next(&self) -> Option<Time> {
        let tick = self.soonest()?;
        Some(Time::from_nanos(tick.saturating_mul(1 << TICK_BITS)))
    }

    /// From now on loses one timer in 64 that is moved to a lower level, for an oracle to notice.
    #[cfg(feature = "planted")]
    pub fn plant_lost_cascade(&mut self) {
        self.planted.lose_in_cascade = true;
    }

    /// The tick at which the first occupied slot begins.
    fn soonest(&self) -> Option<u64> {
        if self.armed == 0 {
            return None;
        }
        let mut soonest = u64::MAX;
        for (level, occupied) in self.occupied.iter().enumerate() {
            let shift = LEVEL_BITS * level as u32;
            // Level 0's present slot holds what is due at this tick. Above, the present slot was
            // spread when it began, so what lies there now is a whole round away.
            let first = (self.tick >> shift) + u64::from(level > 0);
            if let Some(away) = occupied.first_from(first as u8) {
                soonest = soonest.min((first + u64::from(away)) << shift);
            }
            // No slot of the levels above begins before this level's present round ends.
            let round_last = self.tick | ((1 << (shift + LEVEL_BITS)) - 1);
            if soonest <= round_last {
                break;
            }
        }
        Some(soonest)
    }

    /// Moves the timers of slots that begin at the current tick to the levels below.
    fn spread(&mut self) {
        for level in 1..LEVELS {
            let shift = LEVEL_BITS * level as u32;
            if self.tick & ((1 << shift) - 1) != 0 {
                break;
            }
            let index = (self.tick >> shift) as u8;
            if !self.occupied[level].contains(index) {
                continue;
            }
            // Nothing comes back to the ring that is being walked: it spans less than its level's
            // distance, so all of it belongs below.
            let slot = slot_of(level, index);
            let mut at = self.entries[slot as usize].next;
            self.entries[slot as usize] = Entry { next: slot, prev: slot, tick: 0 };
            self.occupied[level].remove(index);
            while at != slot {
                let Entry { next, tick, .. } = self.entries[at as usize];
                if self.loses_one() {
                    self.entries[at as usize].next = UNARMED;
                    self.armed -= 1;
                } else {
                    self.link(at, tick.wrapping_sub(self.tick as u32));
                }
                at = next;
            }
        }
    }

    /// Fires the current tick until `fired` is `end` long; says whether any of it is left.
    fn fire(&mut self, fired: &mut Vec<u32>, end: usize) -> bool {
        let index = self.tick as u8;
        if !self.occupied[0].contains(index) {
            return false;
        }
        let slot = slot_of(0, index);
        let mut at = self.entries[slot as usize].next;
        while at != slot && fired.len() < end {
            let timer = &mut self.entries[at as usize];
            assert!(timer.tick == self.tick as u32, "a timer fires at its tick");
            fired.push(at - SLOTS);
            self.armed -= 1;
            at = std::mem::replace(&mut timer.next, UNARMED);
        }
        self.entries[slot as usize].next = at;
        self.entries[at as usize].prev = slot;
        if at == slot {
            self.occupied[0].remove(index);
        }
        at != slot
    }

    /// Out of line: once for a key, so that arming stays short.
    #[cold]
    fn grow(&mut self, at: u32) {
        self.entries.resize(at as usize + 1, NO_TIMER);
    }

    /// Puts a timer that is in no ring at the end of the slot for `away` ticks from now.
    #[inline]
    fn link(&mut self, at: u32, away: u32) {
        let tick = (self.tick as u32).wrapping_add(away);
        let level = (away | 1).ilog2() / LEVEL_BITS;
        let index = (tick >> (LEVEL_BITS * level)) as u8;
        let slot = slot_of(level as usize, index);
        let last = std::mem::replace(&mut self.entries[slot as usize].prev, at);
        self.entries[last as usize].next = at;
        self.entries[at as usize] = Entry { next: slot, prev: last, tick };
        self.occupied[level as usize].insert(index);
    }

    /// Takes a timer out of its ring; the caller links it again or marks it unarmed.
    #[inline]
    fn unlink(&mut self, at: u32) {
        let Entry { next, prev, .. } = self.entries[at as usize];
        self.entries[prev as usize].next = next;
        self.entries[next as usize].prev = prev;
        // The two neighbours are the same only if both are the slot, which is empty now.
        if next == prev {
            self.occupied[(next / LEVEL_SLOTS) as usize].remove(next as u8);
        }
    }

    #[cfg(feature = "planted")]
    fn loses_one(&mut self) -> bool {
        self.planted.cascaded += 1;
        self.planted.lose_in_cascade && self.planted.cascaded.is_multiple_of(64)
    }

    #[cfg(not(feature = "planted"))]
    fn loses_one(&mut self) -> bool {
        false
    }
}

/// The entry that closes the ring of a slot.
fn slot_of(level: usize, index: u8) -> u32 {
    level as u32 * LEVEL_SLOTS + u32::from(index)
}
