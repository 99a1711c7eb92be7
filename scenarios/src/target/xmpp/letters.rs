//! What users hear from rooms and from each other.

use std::sync::Arc;

use densebots_engine::{BotId, Ctx, GroupId, Letter};
use densebots_protocols::xmpp::StanzaCondition;

use super::super::guest::{Guest, Held, Place, Presence};
use super::super::parcel::{Mail, Parcel, Routed};
use super::{DELAYED, DROPPED, DUPLICATED, Meddling, REORDERED, SWAP_MAX, XmppTarget, back, write};

/// Letters to users.
impl XmppTarget {
    pub(super) fn heard(&self, guest: &mut Guest, letter: &Letter<Mail>, ctx: &mut Ctx<'_, Self>) {
        match &letter.body {
            Mail::Welcome(group) => {
                let Some(entry) = guest.take_want(*group) else { return };
                let Some(place) = guest.place(*group) else { return };
                (place.keeper, place.state) = (letter.from, Presence::Asking);
                ctx.send_to(letter.from, Mail::Enter(entry));
            }
            Mail::Refused(group, parcel) => {
                write(guest, parcel, ctx);
                if guest.place(*group).is_some_and(|place| place.state == Presence::Asking) {
                    out_of(guest, *group, ctx);
                }
            }
            Mail::Over(group, parcel) => {
                write(guest, parcel, ctx);
                out_of(guest, *group, ctx);
            }
            Mail::ToOne(parcel) if parcel.is_message() && self.meddling != Meddling::default() => {
                self.meddle(guest, parcel, ctx);
            }
            Mail::ToOne(parcel) => write(guest, parcel, ctx),
            Mail::Nobody(routed) => nobody(guest, routed, ctx),
            Mail::Replaced => {
                guest.address = None; // it is another's now
                self.dismiss(guest, Some("conflict"), ctx);
            }
            Mail::Resume(claim) => self.claimed(guest, claim, ctx),
            Mail::Abandon(claim) => self.abandoned(guest, claim, ctx),
            Mail::Wired(wired) => self.wired(guest, letter.from, wired, ctx),
            in_room => {
                if let Some(group) = letter.group {
                    self.heard_in_room(guest, group, in_room, ctx);
                }
            }
        }
    }

    fn heard_in_room(
        &self,
        guest: &mut Guest,
        group: GroupId,
        mail: &Mail,
        ctx: &mut Ctx<'_, Self>,
    ) {
        match mail {
            Mail::Entered { who, own, .. } if *who == ctx.id => {
                if let Some(place) = guest.place(group) {
                    if place.state == Presence::Asking {
                        place.state = Presence::Inside;
                    }
                    write(guest, own, ctx);
                }
            }
            _ if !guest.is_inside(group) => {} // of a time before it came
            Mail::Left { who, own, .. } if *who == ctx.id => {
                write(guest, own, ctx);
                out_of(guest, group, ctx);
            }
            Mail::Entered { others, .. } | Mail::Left { others, .. } => write(guest, others, ctx),
            Mail::Said(parcel) if parcel.is_message() && self.meddling != Meddling::default() => {
                self.meddle(guest, parcel, ctx);
            }
            Mail::Said(parcel) => write(guest, parcel, ctx),
            _ => {}
        }
    }

    /// Delivers a message, as a rule.
    fn meddle(&self, guest: &mut Guest, parcel: &Arc<Parcel>, ctx: &mut Ctx<'_, Self>) {
        let Meddling { drop, duplicate, delay, delay_by, reorder, .. } = self.meddling;
        let mut struck = |one_in: u64| one_in > 0 && ctx.rng().below(one_in) == 0;
        if struck(drop) {
            return ctx.count(DROPPED, 1);
        }
        let (twice, late, swapped) = (struck(duplicate), struck(delay), struck(reorder));
        if (late || swapped) && !guest.holds() && !guest.is_away() {
            if late {
                ctx.count(DELAYED, 1);
            }
            guest.hold(Held { parcel: parcel.clone(), swapped: !late });
            return ctx.wake_in(if late { delay_by } else { SWAP_MAX });
        }
        write(guest, parcel, ctx);
        if twice {
            ctx.count(DUPLICATED, 1);
            write(guest, parcel, ctx);
        }
        if let Some(held) = guest.release(false) {
            ctx.forget_wake();
            ctx.count(REORDERED, 1); // only now: one that nothing overtook is in its place
            write(guest, &held, ctx);
        }
    }
}

/// A guest is no occupant any more, and may want to be one again.
fn out_of(guest: &mut Guest, group: GroupId, ctx: &mut Ctx<'_, XmppTarget>) {
    ctx.leave(group);
    guest.remove(group);
    if let Some(entry) = guest.take_want(group) {
        guest.want(group, entry);
        guest.add(Place { group, keeper: BotId(0), state: Presence::Waiting });
        ctx.join(group);
    }
}

/// The answer for nobody (RFC 6121 section 8.5): presences get none.
fn nobody(guest: &mut Guest, routed: &Routed, ctx: &mut Ctx<'_, XmppTarget>) {
    let whole = routed.parcel.addressed(&routed.to);
    let Ok(stanza) = whole.stanza() else { return };
    if stanza.element().name() != "presence" && guest.address.is_some() {
        back(guest, &stanza, StanzaCondition::ServiceUnavailable, ctx);
    }
}
