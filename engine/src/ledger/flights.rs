//! Flights: messages on record, oldest first, one queue for each shard that sends.
//!
//! Messages of one shard are announced in the order of their sending, so the front of a queue is
//! the first whose time is over: no timers, no sorting. Their sequences count up with few gaps, so
//! a message is found by how far its sequence lies from the first: no index.

use std::collections::VecDeque;

use crate::groups::GroupId;
use crate::time::Time;

/// Places whose bits lie in the record itself.
const PLACES: u32 = 32;
/// Lists for larger rooms that are kept for use again.
const SPARES_MAX: usize = 256;

/// What up to 32 places of a room owe.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Word {
    /// Whose stay covers the message.
    pub(super) owes: u32,
    /// Who of them has not heard it.
    pub(super) open: u32,
    /// Who of them has heard a later one of the same sender first.
    pub(super) overtaken: u32,
}

/// A message on its way to the bots of this shard.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) room: GroupId,
    pub(super) due: Time,
    pub(super) sent: Time,
    pub(super) sender: u32,
    pub(super) sequence: u32,
    /// Places that have not heard it.
    pub(super) open: u32,
    /// How far in front the sender's last message before this one lies; 0 if it is gone.
    pub(super) back: u32,
    /// The first 32 places.
    word: Word,
    /// The list of the others, or none.
    more: u32,
}

// A message in flight, beside its sender's last.
const _: () = assert!(size_of::<Record>() <= 56);

/// What the places beyond the first 32 owe, by record.
#[derive(Default)]
pub(super) struct More {
    lists: slab::Slab<Vec<Word>>,
    spares: Vec<Vec<Word>>,
}

impl More {
    fn list(&self, at: u32) -> &[Word] {
        self.lists.get(at as usize).map_or(&[], Vec::as_slice)
    }

    /// Takes back what a record had.
    pub(super) fn release(&mut self, record: &Record) {
        if record.more != super::stays::NONE {
            let mut list = self.lists.remove(record.more as usize);
            list.clear();
            if self.spares.len() < SPARES_MAX {
                self.spares.push(list);
            }
        }
    }
}

impl Record {
    pub(super) fn new(room: GroupId, sent: (u32, u32), due: Time, at: Time) -> Record {
        Record {
            room,
            due,
            sent: at,
            sender: sent.0,
            sequence: sent.1,
            open: 0,
            back: 0,
            word: Word::default(),
            more: super::stays::NONE,
        }
    }

    /// This place owes the message.
    pub(super) fn owe(&mut self, place: u32, more: &mut More) {
        if place >= PLACES && self.more == super::stays::NONE {
            let list = more.spares.pop().unwrap_or_default();
            self.more = more.lists.insert(list) as u32;
        }
        if place >= PLACES {
            let list = &mut more.lists[self.more as usize];
            let needed = (place / PLACES) as usize;
            if list.len() < needed {
                list.resize(needed, Word::default());
            }
        }
        if let Some(word) = self.word_mut(place, more) {
            word.owes |= bit(place);
            word.open |= bit(place);
        }
        self.open += 1;
    }

    pub(super) fn word(&self, place: u32, more: &More) -> Word {
        match place / PLACES {
            0 => self.word,
            nth => more.list(self.more).get(nth as usize - 1).copied().unwrap_or_default(),
        }
    }

    pub(super) fn word_mut<'a>(
        &'a mut self,
        place: u32,
        more: &'a mut More,
    ) -> Option<&'a mut Word> {
        match place / PLACES {
            0 => Some(&mut self.word),
            nth => more.lists.get_mut(self.more as usize)?.get_mut(nth as usize - 1),
        }
    }

    fn words<'a>(&self, more: &'a More) -> impl Iterator<Item = (u32, Word)> + use<'a> {
        let all = std::iter::once(self.word).chain(more.list(self.more).iter().copied());
        all.enumerate().map(|(nth, word)| (nth as u32 * PLACES, word))
    }

    /// How many owe it, heard or not.
    pub(super) fn owing(&self, more: &More) -> u32 {
        self.words(more).map(|(_, word)| word.owes.count_ones()).sum()
    }

    /// The places that have not heard it.
    pub(super) fn unheard<'a>(&self, more: &'a More) -> impl Iterator<Item = u32> + use<'a> {
        self.words(more).flat_map(|(first, word)| {
            (0..PLACES).filter(move |place| word.open & bit(*place) != 0).map(move |p| first + p)
        })
    }

    /// Nobody owes it any more who has not heard it. Returns how many those were.
    pub(super) fn forgive(&mut self, more: &mut More) -> u32 {
        let list = more.lists.get_mut(self.more as usize);
        let list = list.map_or(&mut [][..], |list| &mut list[..]);
        for word in std::iter::once(&mut self.word).chain(list) {
            word.owes &= !word.open;
            word.open = 0;
        }
        std::mem::take(&mut self.open)
    }
}

/// The bit of a place in its word.
pub(super) fn bit(place: u32) -> u32 {
    1 << (place % PLACES)
}

/// Messages that one shard has sent.
#[derive(Default)]
pub(super) struct Flights {
    pub(super) records: VecDeque<Record>,
    /// The number of the first of them.
    base: u32,
}

impl Flights {
    /// The number of the record that is pushed next.
    pub(super) fn next(&self) -> u32 {
        self.base.wrapping_add(self.records.len() as u32)
    }

    /// Puts a record behind the others.
    pub(super) fn push(&mut self, record: Record) {
        let after = |last: &Record| record.sequence.wrapping_sub(last.sequence).cast_signed() > 0;
        assert!(self.records.back().is_none_or(after), "a shard announces in order");
        self.records.push_back(record);
    }

    pub(super) fn pop(&mut self) -> Option<(u32, Record)> {
        let record = self.records.pop_front()?;
        let number = self.base;
        self.base = self.base.wrapping_add(1);
        Some((number, record))
    }

    /// Where in the queue a message's record stands.
    pub(super) fn find(&self, sender: u32, sequence: u32) -> Option<usize> {
        let (first, last) = (self.records.front()?.sequence, self.records.back()?.sequence);
        let ahead = |sequence: u32| sequence.wrapping_sub(first) as usize;
        let (own, all) = (ahead(sequence), ahead(last));
        if own > all {
            return None;
        }
        // Sequences that are not here, because nobody here was in their rooms, are all in front of
        // it or all behind it at the most. Without any the two meet.
        let end = self.records.len() - 1;
        let (mut low, mut high) = (end.saturating_sub(all - own), own.min(end));
        while low < high {
            let middle = usize::midpoint(low, high);
            match ahead(self.records[middle].sequence) < own {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let found = &self.records[low];
        (found.sequence == sequence && found.sender == sender).then_some(low)
    }
}
