//! Messages of this shard's own bots, until every shard has said what became of them: when the
//! last member heard one is known only then. A shard that is alone keeps no such list.

use std::collections::VecDeque;
use std::time::Duration;

use super::Heard;
use crate::metrics::Delivery;
use crate::time::Time;

struct Message {
    due: Time,
    sent: Time,
    /// Shards that have not answered.
    waiting: u16,
    /// Somebody never heard it; somebody is excused.
    missed: bool,
    excused: bool,
    owing: u32,
    last: Time,
}

// Beside the record of each shard with bots in the room.
const _: () = assert!(size_of::<Message>() <= 32);

#[derive(Default)]
pub(super) struct Outgoing {
    messages: VecDeque<Message>,
    /// The sequence of the first of them.
    base: u32,
}

impl Outgoing {
    /// A message goes out that nobody will answer for. Returns its sequence.
    pub(super) fn skip(&mut self) -> u32 {
        let sequence = self.base;
        self.base = self.base.wrapping_add(1);
        sequence
    }

    /// A message goes out that so many shards will answer for. Returns its sequence.
    pub(super) fn push(&mut self, due: Time, sent: Time, shards: u16) -> u32 {
        let sequence = self.base.wrapping_add(self.messages.len() as u32);
        self.messages.push_back(Message {
            due,
            sent,
            waiting: shards,
            owing: 0,
            last: Time::ZERO,
            missed: false,
            excused: false,
        });
        sequence
    }

    /// A shard answered.
    pub(super) fn answered(&mut self, heard: Heard, late: Duration, delivery: &mut Delivery) {
        let at = heard.sequence.wrapping_sub(self.base) as usize;
        let Some(message) = self.messages.get_mut(at) else { return };
        message.waiting = message.waiting.saturating_sub(1);
        message.owing += heard.owing;
        message.last = message.last.max(heard.last);
        message.missed |= heard.missed;
        message.excused |= heard.excused;
        if message.waiting > 0 {
            return;
        }
        let Message { due, sent, missed, excused, owing, last, .. } = *message;
        Heard { sequence: heard.sequence, owing, last, missed, excused }.enter(
            [due, sent],
            late,
            delivery,
        );
        while self.messages.front().is_some_and(|message| message.waiting == 0) {
            self.pop();
        }
    }

    /// Forgets messages that no answer can come for any more: a shard has ended.
    pub(super) fn expire(&mut self, now: Time, kept: Duration) {
        while self.messages.front().is_some_and(|message| message.sent + kept < now) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        self.messages.pop_front();
        self.base = self.base.wrapping_add(1);
    }
}
