//! What a jumper makes of what rooms say.

use densebots_engine::{Ctx, GroupId};
use densebots_protocols::xmpp::{
    Kind, Muc, Removal, STATUS_CREATED, STATUS_SELF, Stanza, StanzaCondition,
};

use super::{
    Bot, CREATED, DESTROY, FORGOTTEN, JOIN, Jumper, LEAVE, Place, REFUSED, SAY, THROWN, THROWN_OUT,
};
use crate::chat::{Making, TRIES_MAX, UNLOCKING};
use crate::{refusals, thrown};

impl Jumper {
    pub(super) fn presence(&self, bot: &mut Bot, presence: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        // Others come and go all the time; only the bot's own presence has a meaning for it.
        let own = match presence.kind() {
            Kind::Error => return self.refused(bot, presence, ctx),
            // The end of a room is told to each occupant alone, and not marked (XEP-0045 10.9).
            _ => presence.muc().filter(|muc| muc.says(STATUS_SELF) || muc.destroyed()),
        };
        let (Some(muc), true) = (own, self.is_here(bot, presence)) else { return };
        match (bot.place, presence.kind()) {
            (Place::Entering, Kind::Available) => {
                if muc.says(STATUS_CREATED) && !self.create {
                    ctx.count(refusals::counter(REFUSED, StanzaCondition::ItemNotFound), 1);
                    ctx.fail(JOIN);
                    return self.leave(bot, ctx);
                }
                ctx.end(JOIN);
                if muc.says(STATUS_CREATED) {
                    self.created(bot, ctx);
                }
                self.inside(bot, ctx);
            }
            (Place::Leaving, Kind::Unavailable) => {
                ctx.end(LEAVE);
                bot.place = Place::Out;
                if !ctx.draining() {
                    self.jump(bot, ctx);
                }
            }
            (Place::Inside, Kind::Unavailable) => {
                Self::thrown_out(&muc, ctx);
                ctx.ledger().left(self.room(bot).group);
                if ctx.in_flight(SAY) {
                    ctx.fail(SAY);
                }
                bot.place = Place::Out;
                ctx.wake_in(self.patience);
            }
            _ => {}
        }
    }

    /// The room that the bot came to is new.
    fn created(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        ctx.count(CREATED, 1);
        let remembers = self.making.create((bot.room, self.room(bot)), DESTROY, ctx);
        if remembers && !bot.made.add(bot.room) {
            ctx.count(FORGOTTEN, 1);
        }
    }

    /// The bot is out of its room, unless that is because the run is over.
    fn thrown_out(muc: &Muc<'_>, ctx: &mut Ctx<'_, Self>) {
        let removal = muc.removal();
        if removal != Removal::Destroyed || !ctx.draining() {
            ctx.count(THROWN_OUT, 1);
            ctx.count(thrown::counter(THROWN, removal), 1);
        }
    }

    /// A room answered an order.
    pub(super) fn answered(iq: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        if !Making::is_destroyed(iq, DESTROY, REFUSED, ctx) && iq.kind() == Kind::Error {
            ctx.count(refusals::counter(REFUSED, refusals::condition(iq)), 1);
        }
    }

    /// A room said no.
    fn refused(&self, bot: &mut Bot, presence: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        if bot.place != Place::Entering || !self.is_here(bot, presence) {
            return;
        }
        let condition = refusals::condition(presence);
        ctx.count(refusals::counter(REFUSED, condition), 1);
        bot.tries = bot.tries.saturating_add(1);
        let again = bot.tries < TRIES_MAX && ctx.in_flight(JOIN);
        match condition {
            // Somebody has the nick: another one.
            StanzaCondition::Conflict if again => self.ask(bot, ctx),
            // The room is made at this moment, and not open yet.
            StanzaCondition::ItemNotFound if again && self.create => {
                bot.asks_again = true;
                ctx.wake_in(UNLOCKING);
            }
            _ if again && self.refusals.wait_out(presence, condition) => {
                bot.asks_again = true;
                ctx.wake_in(self.patience);
            }
            _ => {
                ctx.fail(JOIN);
                bot.place = Place::Out;
                let wait = refusals::asks_to_wait(presence);
                ctx.wake_in(if wait { 2 * self.patience } else { self.patience });
            }
        }
    }

    pub(super) fn message(&self, bot: &mut Bot, message: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        let [id, kind, from] = message.element().attributes(["id", "type", "from"]);
        let known = self.tag.read(id.as_deref(), message, &ctx.ledger());
        if kind.as_deref() == Some("error") {
            ctx.count(refusals::counter(REFUSED, refusals::condition(message)), 1);
            if let Some(known) = known {
                ctx.ledger().bounced(known);
                ctx.fail(SAY);
            }
            return;
        }
        let from = from.unwrap_or_default();
        let (address, nick) = from.split_once('/').unwrap_or((&from, ""));
        if !bot.settled {
            if message.delay().is_some() {
                return ctx.ledger().history();
            }
            if message.subject().is_some() && message.body().is_none() {
                bot.settled |= *self.room(bot).address == *address;
                return;
            }
        }
        let Some(known) = known else {
            if bot.place == Place::Inside && ctx.in_flight(SAY) && nick == self.nick(bot, ctx.id) {
                ctx.ledger().ids_not_kept(self.room(bot).group);
                ctx.end(SAY);
            } else if message.body().is_some() {
                ctx.ledger().foreign();
            }
            return;
        };
        ctx.ledger().heard(GroupId::named(address), known);
        if known.sender == ctx.id && known.sequence == bot.said {
            ctx.end(SAY);
        }
    }

    /// Whether a stanza comes from the room the bot is in, enters or leaves.
    fn is_here(&self, bot: &Bot, stanza: &Stanza<'_>) -> bool {
        let from = stanza.from().unwrap_or_default();
        bot.place != Place::Out && from.split('/').next() == Some(&self.room(bot).address)
    }
}
