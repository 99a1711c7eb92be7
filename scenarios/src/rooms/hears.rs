//! What a bot hears from its rooms.

use densebots_engine::Ctx;
use densebots_protocols::xmpp::{
    Kind, Removal, STATUS_CREATED, STATUS_SELF, Stanza, StanzaCondition,
};

use super::Mail;
use super::{Bot, CREATE, CREATED, DESTROY, JOIN, Place, REFUSED, Rooms, SAY, THROWN, THROWN_OUT};
use crate::chat::{Making, TRIES_MAX, UNLOCKING};
use crate::{refusals, thrown};

/// Stanzas from rooms.
impl Rooms {
    pub(super) fn presence(&self, bot: &mut Bot, presence: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        let Some(nth) = self.seat_of(bot, presence) else { return };
        // Others come and go all the time; only the bot's own presence has a meaning for it.
        let own = match presence.kind() {
            Kind::Error => return self.refused(bot, nth, presence, ctx),
            // The end of a room is told to each occupant alone, and not marked (XEP-0045 10.9).
            _ => presence.muc().filter(|muc| muc.says(STATUS_SELF) || muc.destroyed()),
        };
        let Some(muc) = own else { return };
        let seat = &mut bot.seats[nth];
        match (seat.place, presence.kind()) {
            (Place::Entering, Kind::Available) => {
                ctx.end_nth(JOIN, nth as u16);
                let room = &self.rooms[seat.room as usize];
                ctx.ledger().entered(room.group);
                if muc.says(STATUS_CREATED) {
                    ctx.count(CREATED, 1);
                    ctx.begin_nth(CREATE, nth as u16);
                    seat.made = self.making.create((seat.room, room), DESTROY, ctx);
                } else {
                    seat.open = true;
                }
                self.inside(seat, ctx);
            }
            (Place::Inside, Kind::Unavailable) => {
                let removal = muc.removal();
                // At the end of the run, bots end the rooms themselves.
                if removal != Removal::Destroyed || !ctx.draining() {
                    ctx.count(THROWN_OUT, 1);
                    ctx.count(thrown::counter(THROWN, removal), 1);
                }
                ctx.ledger().left(self.rooms[seat.room as usize].group);
                seat.out(ctx.now + self.patience);
            }
            _ => {}
        }
    }

    /// A room said no.
    fn refused(&self, bot: &mut Bot, nth: usize, presence: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        let seat = &mut bot.seats[nth];
        if seat.place != Place::Entering {
            return;
        }
        let condition = refusals::condition(presence);
        ctx.count(refusals::counter(REFUSED, condition), 1);
        seat.tries = seat.tries.saturating_add(1);
        let again = seat.tries < TRIES_MAX;
        match condition {
            // The room is made at this moment, and not open yet.
            StanzaCondition::ItemNotFound if again => seat.entry = ctx.now + UNLOCKING,
            // Somebody has the nick: another one.
            StanzaCondition::Conflict if again => {
                seat.nick = seat.nick.saturating_add(1);
                seat.entry = ctx.now;
            }
            _ if again && self.refusals.wait_out(presence, condition) => {
                seat.entry = ctx.now + self.patience;
            }
            _ => {
                ctx.fail_nth(JOIN, nth as u16);
                let wait = refusals::asks_to_wait(presence);
                seat.out(ctx.now + if wait { 2 * self.patience } else { self.patience });
            }
        }
    }

    /// A room answered an order: it is configured, or will not be.
    pub(super) fn answered(&self, bot: &mut Bot, iq: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        if Making::is_destroyed(iq, DESTROY, REFUSED, ctx) {
            return;
        }
        let Some(nth) = self.seat_of(bot, iq) else { return };
        let seat = &mut bot.seats[nth];
        if iq.kind() == Kind::Error {
            ctx.fail_nth(CREATE, nth as u16);
            return ctx.count(refusals::counter(REFUSED, refusals::condition(iq)), 1);
        }
        ctx.end_nth(CREATE, nth as u16);
        seat.open = true;
        let room = seat.room;
        for user in self.places.users_of(u64::from(room)) {
            let to = self.id_of(user);
            if to != ctx.id {
                ctx.send_to(to, Mail::Open(room));
            }
        }
    }

    pub(super) fn message(&self, bot: &mut Bot, message: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        let known = self.tag.read(message.id().as_deref(), message, &ctx.ledger());
        if message.kind() == Kind::Error {
            ctx.count(refusals::counter(REFUSED, refusals::condition(message)), 1);
            if let Some(known) = known.filter(|known| known.sender == ctx.id) {
                ctx.ledger().bounced(known);
                ctx.fail_nth(SAY, known.sequence as u16);
            }
            return;
        }
        let Some(nth) = self.seat_of(bot, message) else { return };
        let seat = &mut bot.seats[nth];
        if !seat.settled {
            if message.delay().is_some() {
                return ctx.ledger().history();
            }
            if message.subject().is_some() && message.body().is_none() {
                seat.settled = true;
                return;
            }
        }
        let room = &self.rooms[seat.room as usize];
        if let Some(known) = known {
            ctx.ledger().heard(room.group, known);
            if known.sender == ctx.id {
                ctx.end_nth(SAY, known.sequence as u16);
            }
            return;
        }
        let from = message.from().unwrap_or_default();
        let nick = from.split_once('/').map(|(_, nick)| nick);
        let own = nick == Some(&self.nick(seat, ctx.id));
        if seat.place == Place::Inside && ctx.in_flight(SAY) && own {
            ctx.ledger().ids_not_kept(room.group);
            ctx.end(SAY);
        } else if message.body().is_some() {
            ctx.ledger().foreign();
        }
    }
}
