//! What becomes of a message on this shard: receipts, and the end of its time.

use std::collections::hash_map::Entry;

use super::flights::bit;
use super::stays::NONE;
use super::{Heard, Ledger, Notice, Receipt, Record};
use crate::groups::GroupId;
use crate::id::BotId;
use crate::metrics::Meter;
use crate::time::Time;

/// A bot that hears something.
#[derive(Clone, Copy)]
pub(super) struct Hearer {
    pub(super) key: u32,
    pub(super) id: BotId,
    pub(super) room: GroupId,
    pub(super) at: Time,
}

impl Ledger {
    /// A bot heard a message of this run.
    pub(super) fn heard(
        &mut self,
        hearer: Hearer,
        sender: BotId,
        sequence: u32,
        meter: &mut Meter,
    ) {
        let Hearer { key, id, room, at } = hearer;
        self.expire(at, meter);
        meter.delivery.kept = true;
        let stay = self.stays.latest(key, room);
        let stay = stay.filter(|&stay| self.stays.at(stay).left + self.terms.late >= at);
        let Some(stay) = stay else {
            meter.delivery.unowed += 1; // nobody told it of this room, or long ago
            return;
        };
        let receipt = Receipt { room, at, bot: id.0, stay };
        let ring = sender.0 as usize % self.flights.len();
        match self.flights[ring].find(sender.0, sequence) {
            Some(place) => {
                let overtaken =
                    !self.early.is_empty() && self.early.overtook(sender.0, sequence, &receipt);
                self.account((ring, place), &receipt, overtaken, at, meter);
            }
            None if self.early.put(sender.0, sequence, receipt) => {
                let patience = at + self.terms.late;
                self.next = self.next.min(patience);
            }
            None => meter.limit("receipts that wait for their announcement"),
        }
    }

    /// Enters a receipt of a message on record. `overtaken`: the bot has heard a later one of the
    /// same sender that is not on record yet.
    pub(super) fn account(
        &mut self,
        (ring, at): (usize, usize),
        receipt: &Receipt,
        overtaken: bool,
        now: Time,
        meter: &mut Meter,
    ) {
        let record = &mut self.flights[ring].records[at];
        if record.room != receipt.room {
            meter.delivery.unowed += 1;
            return;
        }
        if receipt.at > record.sent + self.terms.late {
            return self.too_late(receipt, meter);
        }
        let owes = |record: &Record, place| record.word(place, &self.more).owes & bit(place) != 0;
        let places = self.stays.from(receipt.stay, receipt.room).map(|stay| stay.place);
        let place = places.into_iter().find(|&place| owes(record, place));
        let word = place.and_then(|place| record.word_mut(place, &mut self.more));
        let mut whole = None;
        match place.zip(word) {
            None => meter.delivery.unowed += 1,
            Some((place, word)) if word.open & bit(place) == 0 => meter.delivery.duplicated += 1,
            Some((place, word)) => {
                word.open &= !bit(place);
                let reordered = overtaken || word.overtaken & bit(place) != 0;
                record.open -= 1;
                self.open -= 1;
                meter.delivery.heard(receipt.at.since(record.due), reordered);
                if record.open == 0 {
                    let owing = record.owing(&self.more);
                    let heard = Heard::by_nobody(record.sequence);
                    let heard = Heard { owing, last: receipt.at, ..heard };
                    whole = Some((record.sender, heard, [record.due, record.sent]));
                }
            }
        }
        self.overtake(ring, at, receipt);
        if let Some((sender, heard, moments)) = whole {
            self.answer(sender, heard, moments, now, meter);
        }
    }

    /// The bot has heard this one: earlier ones of the same sender in the same room that it has
    /// not heard are overtaken. Behind one that it has heard or that was overtaken before, nothing
    /// is left to mark.
    fn overtake(&mut self, ring: usize, at: usize, receipt: &Receipt) {
        let records = &mut self.flights[ring].records;
        let mut at = at;
        loop {
            let back = records[at].back as usize;
            if back == 0 || back > at {
                return;
            }
            at -= back;
            let record = &mut records[at];
            if record.room != receipt.room {
                continue;
            }
            for stay in self.stays.from(receipt.stay, receipt.room) {
                let own = bit(stay.place);
                let Some(word) = record.word_mut(stay.place, &mut self.more) else { continue };
                if word.owes & own == 0 {
                    continue;
                }
                if word.open & own == 0 || word.overtaken & own != 0 {
                    return;
                }
                word.overtaken |= own;
            }
        }
    }

    fn too_late(&mut self, receipt: &Receipt, meter: &mut Meter) {
        let stay = self.stays.at(receipt.stay);
        let there = receipt.at <= stay.left || stay.at_end;
        if there && receipt.at.since(stay.entered) > self.terms.late {
            meter.delivery.late += 1;
        } else {
            meter.delivery.unowed += 1;
        }
    }

    /// Tells the sender's shard what became of its message here, due and sent at these moments.
    pub(super) fn answer(
        &mut self,
        sender: u32,
        heard: Heard,
        moments: [Time; 2],
        now: Time,
        meter: &mut Meter,
    ) {
        match self.flights.len() {
            1 => heard.enter(moments, self.terms.late, &mut meter.delivery),
            shards => self.tell(sender as usize % shards, Notice::Heard(heard), now, meter),
        }
    }

    /// Does what is due: closes records over their limit, gives up on receipts nobody announced,
    /// forgets stays that were left long ago.
    pub(crate) fn expire(&mut self, now: Time, meter: &mut Meter) {
        if now <= self.next {
            return;
        }
        let late = self.terms.late;
        let mut next = Time::NEVER;
        for ring in 0..self.flights.len() {
            while let Some(first) = self.flights[ring].records.front() {
                let deadline = first.sent + late;
                if deadline >= now {
                    next = next.min(deadline);
                    break;
                }
                self.close_first(ring, now, false, meter);
            }
        }
        while let Some(receipt) = self.early.expire(now, late) {
            self.too_late(&receipt, meter);
        }
        self.stays.expire(now, self.kept());
        self.outgoing.expire(now, self.kept());
        self.next = next.min(self.early.next(late)).min(self.stays.next(self.kept()));
    }

    /// Closes the oldest record of a shard's. `early`: before its time, to make room.
    pub(super) fn close_first(&mut self, ring: usize, now: Time, early: bool, meter: &mut Meter) {
        let Some((number, record)) = self.flights[ring].pop() else { return };
        let (sender, sequence) = (record.sender, record.sequence);
        if let Entry::Occupied(last) = self.latest.entry(sender)
            && *last.get() == number
        {
            last.remove();
        }
        if record.open > 0 {
            self.open -= u64::from(record.open);
            let deadline = record.sent + self.terms.late;
            let owing = record.owing(&self.more);
            let mut heard = Heard { owing, last: deadline, ..Heard::by_nobody(sequence) };
            let places = self.stays.places(record.room).unwrap_or_default();
            for place in record.unheard(&self.more) {
                let stay = places.get(place as usize).filter(|&&stay| stay != NONE);
                let stay = stay.map(|&stay| self.stays.at(stay));
                let excused =
                    stay.is_none_or(|stay| stay.away || (stay.left <= deadline && !stay.at_end));
                let delivery = &mut meter.delivery;
                let count = match excused {
                    true => &mut delivery.excused,
                    false if early || deadline > self.ends => &mut delivery.unresolved,
                    false => &mut delivery.missing,
                };
                *count += 1;
                let unknown = excused || early || deadline > self.ends;
                heard.excused |= unknown;
                heard.missed |= !unknown;
            }
            self.answer(sender, heard, [record.due, record.sent], now, meter);
        }
        self.more.release(&record);
    }

    // The turn.

    /// The end of a turn, by a clock that was just read.
    pub(crate) fn confirm(&mut self, now: Time) {
        self.stays.confirm(now);
        if self.next == Time::NEVER {
            self.next = self.stays.next(self.kept());
        }
    }

    // The end of the run.

    /// The run drains: bots are asked to leave when all that is on its way has arrived, or then.
    pub(crate) fn part_by(&mut self, until: Time) {
        self.parting.get_or_insert(until);
    }

    /// Whether the bots are to be asked to leave now. True once.
    pub(crate) fn parts(&mut self, now: Time, meter: &mut Meter) -> bool {
        let Some(until) = self.parting else { return false };
        self.expire(now, meter);
        let over = self.open == 0 || until <= now;
        if over {
            self.end(now);
        }
        over
    }

    /// When the parting has to be looked at.
    pub(crate) fn next_parting(&self) -> Time {
        match self.parting {
            Some(_) if self.open == 0 => Time::ZERO,
            Some(until) => until.min(self.next + std::time::Duration::from_nanos(1)),
            None => Time::NEVER,
        }
    }

    /// From now on bots leave because the run ends.
    pub(crate) fn end(&mut self, now: Time) {
        self.ends = self.ends.min(now);
        self.stays.ending = true;
        self.parting = None;
    }

    /// Nothing will be heard any more: what is open is closed.
    pub(crate) fn finish(&mut self, now: Time, meter: &mut Meter) {
        self.expire(now, meter);
        self.end(now);
        for ring in 0..self.flights.len() {
            while !self.flights[ring].records.is_empty() {
                self.close_first(ring, now, false, meter);
            }
        }
        // Everything that was announced is known here: these name messages whose limit was over.
        while let Some(receipt) = self.early.expire(Time::NEVER, self.terms.late) {
            self.too_late(&receipt, meter);
        }
    }
}
