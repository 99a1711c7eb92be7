//! What a ledger counts.

use std::time::Duration;

use super::Spread;

/// Rooms by the number of bots that owe a message: up to so many each, the last without end.
pub const ROOM_SIZES: [(&str, u32); 4] =
    [("1-2", 2), ("3-9", 9), ("10-49", 49), ("50 and more", u32::MAX)];

/// Deliveries by class. What each class means: [`Ctx::ledger`](crate::Ctx::ledger) and the README.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// A bot made an entry: there is a ledger.
    pub kept: bool,
    /// Messages sent.
    pub messages: u64,
    /// Deliveries owed: the sum of the next five and of what is still open.
    pub expected: u64,
    /// Heard within the limit.
    pub delivered: u64,
    /// Not heard within the limit.
    pub missing: u64,
    /// Not heard, because the receiver had left, had ended or was offline.
    pub excused: u64,
    /// Sent back by the service.
    pub bounced: u64,
    /// Not heard when the run ended within the limit.
    pub unresolved: u64,
    /// Heard again.
    pub duplicated: u64,
    /// Delivered behind a later message of the same sender in the same room.
    pub reordered: u64,
    /// Heard after the limit.
    pub late: u64,
    /// Heard by a bot that did not owe it, because it came in behind it or had left.
    pub unowed: u64,
    /// Heard as history.
    pub history: u64,
    /// Heard, of no bot of this run.
    pub foreign: u64,
    /// Rooms that were seen not to keep the ids of messages.
    pub ids_lost: u64,
    /// From due to each receipt.
    pub each: Spread,
    /// From due to the last receipt of a message, by [`ROOM_SIZES`]; what is missing ranks at the
    /// limit.
    pub last: [Spread; ROOM_SIZES.len()],
}

impl Delivery {
    pub(super) fn new() -> Delivery {
        Delivery {
            kept: false,
            messages: 0,
            expected: 0,
            delivered: 0,
            missing: 0,
            excused: 0,
            bounced: 0,
            unresolved: 0,
            duplicated: 0,
            reordered: 0,
            late: 0,
            unowed: 0,
            history: 0,
            foreign: 0,
            ids_lost: 0,
            each: Spread::of_latencies(),
            last: std::array::from_fn(|_| Spread::of_latencies()),
        }
    }

    /// Deliveries that are neither done nor given up.
    pub fn open(&self) -> u64 {
        let closed = self.delivered + self.missing + self.excused + self.bounced + self.unresolved;
        self.expected.saturating_sub(closed)
    }

    pub(crate) fn heard(&mut self, latency: Duration, reordered: bool) {
        self.delivered += 1;
        self.reordered += u64::from(reordered);
        self.each.record_time(latency);
    }

    pub(crate) fn heard_by_all(&mut self, members: u32, latency: Duration) {
        let size = ROOM_SIZES.iter().position(|&(_, most)| members <= most).unwrap_or_default();
        self.last[size].record_time(latency);
    }

    fn counts(&mut self) -> [&mut u64; 14] {
        [
            &mut self.messages,
            &mut self.expected,
            &mut self.delivered,
            &mut self.missing,
            &mut self.excused,
            &mut self.bounced,
            &mut self.unresolved,
            &mut self.duplicated,
            &mut self.reordered,
            &mut self.late,
            &mut self.unowed,
            &mut self.history,
            &mut self.foreign,
            &mut self.ids_lost,
        ]
    }

    pub(super) fn add(&mut self, other: &Delivery) {
        self.kept |= other.kept;
        self.messages += other.messages;
        self.expected += other.expected;
        self.delivered += other.delivered;
        self.missing += other.missing;
        self.excused += other.excused;
        self.bounced += other.bounced;
        self.unresolved += other.unresolved;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.late += other.late;
        self.unowed += other.unowed;
        self.history += other.history;
        self.foreign += other.foreign;
        self.ids_lost += other.ids_lost;
        self.each.add(&other.each);
        self.last.iter_mut().zip(&other.last).for_each(|(own, other)| own.add(other));
    }

    pub(super) fn clear(&mut self) {
        self.kept = false;
        self.counts().into_iter().for_each(|count| *count = 0);
        self.each.clear();
        self.last.iter_mut().for_each(Spread::clear);
    }
}
