//! Messages of this shard's own bots, until every shard has said what became of them: when the
//! last member heard one is known only then.

use std::collections::VecDeque;
use std::time::Duration;

use super::Heard;
use crate::metrics::Delivery;
use crate::time::Time;

struct Message {
    due: Time,
    sent: Time,
    /// Shards that have not answered.
    waiting: u32,
    owing: u32,
    last: Time,
    /// Somebody never heard it; somebody is excused.
    missed: bool,
    excused: bool,
}

#[derive(Default)]
pub(super) struct Outgoing {
    messages: VecDeque<Message>,
    /// The sequence of the first of them.
    base: u32,
}

impl Outgoing {
    /// A message goes out that so many shards will answer for. Returns its sequence.
    pub(super) fn push(&mut self, due: Time, sent: Time, shards: u32) -> u32 {
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
        // Like an op that timed out, a message that somebody never heard ranks at the limit. Of
        // one that was excused nobody knows when it would have been heard.
        if message.missed {
            delivery.heard_by_all(message.owing, late + message.sent.since(message.due));
        } else if !message.excused && message.owing > 0 {
            delivery.heard_by_all(message.owing, message.last.since(message.due));
        }
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
