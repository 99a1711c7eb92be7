//! What a bot can enter into the ledger from inside a callback.

use super::receipts::Hearer;
use super::{Ledger, MessageId, To};
use crate::ctx::Ctx;
use crate::groups::GroupId;
use crate::id::BotId;
use crate::metrics::Meter;
use crate::scenario::Scenario;
use crate::time::Time;

/// The ledger, open at the page of one bot. From [`Ctx::ledger`].
///
/// A room is any [`GroupId`]; a bot that takes messages of its own enters
/// [`GroupId::of_bot`] of itself. That a link was lost or the bot has ended is known already.
pub struct Entries<'a> {
    ledger: &'a mut Ledger,
    meter: &'a mut Meter,
    key: u32,
    id: BotId,
    now: Time,
    due: Time,
}

impl<S: Scenario> Ctx<'_, S> {
    /// The ledger: who should have heard what. A scenario whose bots make no entry keeps none.
    pub fn ledger(&mut self) -> Entries<'_> {
        Entries {
            ledger: &mut self.desk.ledger,
            meter: &mut self.desk.meter,
            key: self.desk.key,
            id: self.id,
            now: self.now,
            due: self.due,
        }
    }
}

impl Entries<'_> {
    /// The service confirmed that this bot is in the room: it owes what is sent from now on.
    /// After a loss that is a fresh login, and what the outage cost is excused.
    pub fn entered(&mut self, room: GroupId) {
        self.ledger.entered(self.key, room, self.now, self.meter);
    }

    /// This bot asks to leave the room.
    pub fn left(&mut self, room: GroupId) {
        self.ledger.left(self.key, room, self.now, self.meter);
    }

    /// After a loss the service gave this bot its stream back, and with it all it has missed.
    pub fn resumed(&mut self) {
        self.ledger.resumed(self.key, self.now, self.meter);
    }

    /// This bot sends a message to a room now, meant for `ctx.due`. The message has to carry the
    /// answer.
    pub fn sent(&mut self, room: GroupId) -> MessageId {
        self.ledger.sent(self.id, To::Room(room), [self.due, self.now], self.meter)
    }

    /// The same to one bot, for [`GroupId::of_bot`] of it.
    pub fn sent_to(&mut self, bot: BotId) -> MessageId {
        self.ledger.sent(self.id, To::Bot(bot), [self.due, self.now], self.meter)
    }

    /// The message of this run that such a text names; `None` for everything else.
    pub fn read(&self, text: &[u8]) -> Option<MessageId> {
        MessageId::read(text).filter(|id| id.run == self.ledger.terms.run)
    }

    /// This bot heard a message in a room, also one of its own. One of another run is foreign.
    pub fn heard(&mut self, room: GroupId, id: MessageId) {
        if id.run != self.ledger.terms.run {
            return self.foreign();
        }
        let hearer = Hearer { key: self.key, id: self.id, room, at: self.now };
        self.ledger.heard(hearer, id.sender, id.sequence, self.meter);
    }

    /// The service sent a message of this bot back.
    pub fn bounced(&mut self, id: MessageId) {
        if id.run == self.ledger.terms.run && id.sender == self.id {
            self.ledger.bounced(id.sender, id.sequence, self.now, self.meter);
        }
    }

    /// This bot heard what was said before it came.
    pub fn history(&mut self) {
        self.meter.delivery.history += 1;
    }

    /// This bot heard a message that is none of this run.
    pub fn foreign(&mut self) {
        self.meter.delivery.foreign += 1;
    }

    /// The first message that came back to its own sender in this room has lost its id: who heard
    /// what cannot be known, and the report says so instead of numbers.
    pub fn ids_not_kept(&mut self, room: GroupId) {
        let _ = room;
        self.meter.delivery.kept = true;
        self.meter.delivery.ids_lost += 1;
    }
}
