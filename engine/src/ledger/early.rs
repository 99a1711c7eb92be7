//! Receipts whose announcement has not come yet. They wait in the order they came in.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::time::Duration;

use crate::groups::{GroupId, Mixed};
use crate::time::Time;

/// Receipts that may wait: a tenth of a second at full speed. Whatever is over it is counted.
const EARLY_MAX: usize = 1 << 16;
/// Places of receipts that were taken, beside as many as wait, before the others close ranks.
const GAPS_MIN: usize = 64;

/// A bot of this shard heard a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub(super) room: GroupId,
    pub(super) at: Time,
    pub(super) bot: u32,
    /// The bot's latest stay in the room then.
    pub(super) stay: u32,
}

struct Waiting {
    receipt: Receipt,
    sender: u32,
    sequence: u32,
    /// The next of the same sender; the same number if there is none.
    next: u32,
}

/// A sender's first and last receipt that waits.
#[derive(Clone, Copy)]
struct Line {
    first: u32,
    last: u32,
}

#[derive(Default)]
pub(super) struct Early {
    /// `None` where one was taken.
    waiting: VecDeque<Option<Waiting>>,
    /// How many of them were not.
    count: usize,
    /// What `waiting` was before the receipts closed ranks: empty.
    spare: VecDeque<Option<Waiting>>,
    base: u32,
    senders: HashMap<u32, Line, BuildHasherDefault<Mixed>>,
}

impl Early {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn at(&self, number: u32) -> Option<&Waiting> {
        self.waiting.get(number.wrapping_sub(self.base) as usize)?.as_ref()
    }

    /// Keeps a receipt; false if there is no room for it.
    pub(super) fn put(&mut self, sender: u32, sequence: u32, receipt: Receipt) -> bool {
        if self.count >= EARLY_MAX {
            return false;
        }
        if self.waiting.len() >= 2 * self.count + GAPS_MIN {
            self.close_ranks();
        }
        self.push(sender, sequence, receipt);
        self.count += 1;
        true
    }

    fn push(&mut self, sender: u32, sequence: u32, receipt: Receipt) {
        let number = self.base.wrapping_add(self.waiting.len() as u32);
        self.waiting.push_back(Some(Waiting { receipt, sender, sequence, next: number }));
        self.append(sender, number);
    }

    /// Lines up anew those who wait: one of them may do so behind whom thousands came and went.
    fn close_ranks(&mut self) {
        let mut old = std::mem::replace(&mut self.waiting, std::mem::take(&mut self.spare));
        self.senders.clear();
        for Waiting { receipt, sender, sequence, .. } in old.drain(..).flatten() {
            self.push(sender, sequence, receipt);
        }
        self.spare = old;
    }

    fn append(&mut self, sender: u32, number: u32) {
        let alone = Line { first: number, last: number };
        let line = self.senders.entry(sender).or_insert(alone);
        let last = std::mem::replace(&mut line.last, number);
        let at = last.wrapping_sub(self.base) as usize;
        if let Some(Some(last)) = self.waiting.get_mut(at) {
            last.next = number;
        }
    }

    /// The numbers of a sender's receipts, oldest first.
    fn line(&self, sender: u32) -> impl Iterator<Item = u32> + use<'_> {
        let line = self.senders.get(&sender);
        std::iter::successors(line.map(|line| line.first), move |&number| {
            let next = self.at(number)?.next;
            (next != number).then_some(next)
        })
    }

    /// Whether a later message of this sender waits that this bot has heard in this room.
    pub(super) fn overtook(&self, sender: u32, sequence: u32, receipt: &Receipt) -> bool {
        self.line(sender).filter_map(|number| self.at(number)).any(|waiting| {
            waiting.sequence > sequence
                && waiting.receipt.bot == receipt.bot
                && waiting.receipt.room == receipt.room
        })
    }

    /// Takes out the receipts of one message, in order; with each, whether the same bot has heard
    /// a later one before.
    pub(super) fn take(&mut self, sender: u32, sequence: u32, into: &mut Vec<(Receipt, bool)>) {
        let Some(&line) = self.senders.get(&sender) else { return };
        if !self.line(sender).any(|n| self.at(n).is_some_and(|own| own.sequence == sequence)) {
            return;
        }
        self.senders.remove(&sender);
        // Those that stay are lined up anew while the line is walked.
        let mut number = line.first;
        loop {
            let Some(waiting) = self.at(number) else { return };
            let (receipt, next, own) = (waiting.receipt, waiting.next, waiting.sequence);
            let at = number.wrapping_sub(self.base) as usize;
            if own == sequence {
                into.push((receipt, self.overtook(sender, sequence, &receipt)));
                self.waiting[at] = None;
                self.count -= 1;
            } else {
                if let Some(waiting) = &mut self.waiting[at] {
                    waiting.next = number;
                }
                self.append(sender, number);
            }
            if next == number {
                return;
            }
            number = next;
        }
    }

    /// When the oldest one gives up waiting.
    pub(super) fn next(&self, patience: Duration) -> Time {
        let first = self.waiting.front();
        first.map_or(Time::NEVER, |first| {
            first.as_ref().map_or(Time::ZERO, |first| first.receipt.at + patience)
        })
    }

    /// Takes out one receipt that has waited longer than that.
    pub(super) fn expire(&mut self, now: Time, patience: Duration) -> Option<Receipt> {
        loop {
            match self.waiting.front()? {
                Some(first) if first.receipt.at + patience >= now && now != Time::NEVER => {
                    return None;
                }
                Some(_) => break,
                None => {
                    self.waiting.pop_front();
                    self.base = self.base.wrapping_add(1);
                }
            }
        }
        let number = self.base;
        let first = self.waiting.pop_front()??;
        self.base = self.base.wrapping_add(1);
        self.count -= 1;
        // The oldest of all is the first of its sender.
        if first.next == number {
            self.senders.remove(&first.sender);
        } else if let Some(line) = self.senders.get_mut(&first.sender) {
            line.first = first.next;
        }
        Some(first.receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_waits_keeps_no_place_from_those_who_come_and_go() {
        let mut early = Early::default();
        let receipt = |at| Receipt {
            room: GroupId::numbered(1),
            at: Time::ZERO + Duration::from_micros(at),
            bot: 7,
            stay: 0,
        };
        assert!(early.put(1, 1, receipt(0)));
        let mut taken = Vec::new();
        for nth in 1..=4 * EARLY_MAX as u32 {
            assert!(early.put(2 + nth % 3, nth, receipt(nth.into())), "receipt {nth}");
            assert!(early.put(1, 1 + nth, receipt(nth.into())), "receipt {nth}");
            early.take(2 + nth % 3, nth, &mut taken);
            early.take(1, 1 + nth, &mut taken);
            assert_eq!(taken.drain(..).filter(|&(_, overtaken)| !overtaken).count(), 2);
        }
        assert!(early.waiting.len() <= 2 + 2 * GAPS_MIN);
        let (second, patience) = (Duration::from_secs(1), Duration::from_millis(1));
        let left = early.expire(Time::ZERO + second, patience).expect("it still waits");
        assert_eq!(left.at, Time::ZERO);
        assert!(early.is_empty() && early.expire(Time::NEVER, patience).is_none());
    }
}
