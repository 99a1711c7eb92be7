//! What becomes of the stanzas of users.

use std::sync::Arc;

use densebots_engine::{BotId, Ctx, GroupId};
use densebots_protocols::xmpp::{Kind, Stanza, StanzaCondition, namespace, server};

use super::super::guest::{Guest, Place, Presence};
use super::super::parcel::{Entry, Mail, Parcel, Routed, Word};
use super::super::room::{DISCO, ROOM_IDENTITY, Wish, password};
use super::super::roster::bare_presence;
use super::super::switchboard::numbers;
use super::{XmppTarget, answer, back, write};

/// Stanzas of users.
impl XmppTarget {
    pub(super) fn said(&self, guest: &mut Guest, stanza: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        let Some(address) = guest.address.as_deref() else { return };
        let bare = address.split('/').next().unwrap_or_default();
        let to = stanza.to().unwrap_or_default();
        let (local, host) = split(&to);
        if host == self.rooms {
            return self.to_rooms(guest, stanza, local.is_some(), ctx);
        }
        let own = to.is_empty() || to == *self.domain.name || to == bare;
        match stanza.element().name() {
            "iq" if own => self.asked(guest, stanza, ctx),
            "presence" if to.is_empty() => self.tell(guest, stanza, ctx),
            "presence" if own => {}
            "message" if to.is_empty() => self.route(guest, bare, stanza, ctx),
            _ if local.is_some() && host == &*self.domain.name => {
                self.route(guest, &to, stanza, ctx);
            }
            "presence" if host == &*self.domain.name => {}
            _ => back(guest, stanza, StanzaCondition::RemoteServerNotFound, ctx),
        }
    }

    /// A user says how it is, to all who may hear it (RFC 6121 section 4.2.2): itself first.
    fn tell(&self, guest: &mut Guest, stanza: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        let Some(address) = guest.address.as_deref() else { return };
        let mut bytes = Vec::with_capacity(stanza.element().source().len() + 64);
        let place = server::readdress(stanza, address, &mut bytes);
        let (parcel, (account, _)) = (Parcel::to_anybody(bytes, place), numbers(address));
        write(guest, &parcel, ctx);
        let presence = match stanza.kind() {
            Kind::Available => Some(parcel),
            Kind::Unavailable => None,
            _ => return,
        };
        ctx.send_to(self.switchboard(account), Mail::Tells { account, presence });
    }

    /// Sends a stanza to another user.
    fn route(&self, guest: &Guest, to: &str, stanza: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        let Some(address) = guest.address.as_deref() else { return };
        // A subscription is between accounts (RFC 6121 section 3.1.2).
        let subscription = matches!(
            stanza.kind(),
            Kind::Subscribe | Kind::Subscribed | Kind::Unsubscribe | Kind::Unsubscribed
        );
        let bare = address.split('/').next().unwrap_or_default();
        let from = if subscription { bare } else { address };
        let mut bytes = Vec::with_capacity(stanza.element().source().len() + from.len() + 8);
        let place = self.readdress(stanza, from, &mut bytes);
        let parcel = Parcel::to_anybody(bytes, place);
        if subscription {
            let other = to.split('/').next().unwrap_or_default();
            let word = Word {
                from: bare.into(),
                to: other.into(),
                kind: stanza.kind(),
                parcel,
                presence: Some(bare_presence(address, None)),
            };
            ctx.send_to(self.switchboard(numbers(bare).0), Mail::Says(Arc::new(word)));
            return;
        }
        let routed = Arc::new(Routed { to: to.into(), parcel });
        ctx.send_to(self.switchboard(numbers(to).0), Mail::Route(routed));
    }

    /// A stanza on its way to others, as it came or, if it is a message and that is wanted, without
    /// its id. An error keeps it: it is all that says what went wrong.
    fn readdress(&self, stanza: &Stanza<'_>, from: &str, out: &mut Vec<u8>) -> usize {
        let message = stanza.element().name() == "message" && stanza.kind() != Kind::Error;
        match self.meddling.drop_ids && message {
            true => server::readdress_nameless(stanza, from, out),
            false => server::readdress(stanza, from, out),
        }
    }

    /// A question or an order to the server or to the own account.
    fn asked(&self, guest: &mut Guest, stanza: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        if !matches!(stanza.kind(), Kind::Get | Kind::Set) {
            return;
        }
        let Some(query) = stanza.payload() else {
            return back(guest, stanza, StanzaCondition::BadRequest, ctx);
        };
        match query.namespace() {
            namespace::PING | namespace::SESSION => answer(guest, stanza, ctx, |_| {}),
            namespace::ROSTER if stanza.kind() == Kind::Set => answer(guest, stanza, ctx, |_| {}),
            namespace::ROSTER => {
                let address = guest.address.as_deref().unwrap_or_default();
                let mut bytes = Vec::new();
                server::readdress(stanza, address, &mut bytes);
                let (question, account) = (Parcel::whole(bytes), numbers(address).0);
                ctx.send_to(self.switchboard(account), Mail::Roster { account, question });
            }
            namespace::REGISTER if query.child("remove", namespace::REGISTER).is_some() => {
                let account =
                    guest.address.as_deref().and_then(|address| address.split('@').next());
                match self.domain.directory.unregister(account.unwrap_or_default()) {
                    Ok(()) => answer(guest, stanza, ctx, |_| {}),
                    Err(condition) => back(guest, stanza, condition, ctx),
                }
            }
            DISCO => answer(guest, stanza, ctx, |out| {
                out.extend_from_slice(b"<query xmlns='http://jabber.org/protocol/disco#info'>");
                out.extend_from_slice(b"<identity category='server' type='im' name='densebots'/>");
                out.extend_from_slice(b"<feature var='http://jabber.org/protocol/disco#info'/>");
                out.extend_from_slice(b"<feature var='http://jabber.org/protocol/disco#items'/>");
                out.extend_from_slice(b"<feature var='urn:xmpp:ping'/></query>");
            }),
            ITEMS => answer(guest, stanza, ctx, |out| {
                let rooms = &self.rooms;
                let items = format!("<query xmlns='{ITEMS}'><item jid='{rooms}'/></query>");
                out.extend_from_slice(items.as_bytes());
            }),
            _ => back(guest, stanza, StanzaCondition::ServiceUnavailable, ctx),
        }
    }
}

/// Rooms, as users see them.
impl XmppTarget {
    fn to_rooms(
        &self,
        guest: &mut Guest,
        stanza: &Stanza<'_>,
        to_one: bool,
        ctx: &mut Ctx<'_, Self>,
    ) {
        let to = stanza.to().unwrap_or_default();
        let (room, nick) = match to.split_once('/') {
            Some((room, nick)) => (room, Some(nick)),
            None => (&*to, None),
        };
        let group = GroupId::named(room.to_ascii_lowercase());
        let kind = stanza.kind();
        let place = guest.place(group).map(|place| *place);
        let question = matches!(kind, Kind::Get | Kind::Set);
        match (stanza.element().name(), place) {
            ("presence", _) if kind == Kind::Available => match nick.filter(|_| to_one) {
                Some(nick) => self.enter(guest, group, (room, nick), stanza, ctx),
                None => back(guest, stanza, StanzaCondition::JidMalformed, ctx),
            },
            ("presence", Some(place)) if place.state == Presence::Waiting => {
                guest.take_want(group);
                guest.remove(group);
                ctx.leave(group);
            }
            (name, Some(Place { keeper, state: Presence::Inside, .. })) => {
                if name == "presence"
                    && kind == Kind::Unavailable
                    && let Some(place) = guest.place(group)
                {
                    place.state = Presence::Leaving;
                }
                let address = guest.address.as_deref().unwrap_or_default();
                let mut bytes = Vec::with_capacity(stanza.element().source().len() + 64);
                let at = self.readdress(stanza, address, &mut bytes);
                let parcel = Parcel::to_anybody(bytes, at).addressed(&to);
                ctx.send_to(keeper, Mail::ToRoom(parcel));
            }
            ("iq", _) if question => self.asked_outside(guest, stanza, to_one, ctx),
            ("message", _) if kind != Kind::Error => {
                back(guest, stanza, StanzaCondition::NotAcceptable, ctx);
            }
            _ => {}
        }
    }

    fn enter(
        &self,
        guest: &mut Guest,
        group: GroupId,
        (room, nick): (&str, &str),
        presence: &Stanza<'_>,
        ctx: &mut Ctx<'_, Self>,
    ) {
        let address = guest.address.clone().unwrap_or_default();
        let (password, history) = (password(presence), Wish::of(presence));
        let (room, nick) = (room.into(), nick.into());
        let entry = Arc::new(Entry { room, nick, address, password, history });
        match guest.place(group).map(|place| *place) {
            Some(Place { keeper, state: Presence::Inside | Presence::Asking, .. }) => {
                ctx.send_to(keeper, Mail::Enter(entry));
            }
            Some(_) => guest.want(group, entry),
            None => {
                guest.want(group, entry);
                let nobody = BotId(0);
                guest.add(Place { group, keeper: nobody, state: Presence::Waiting });
                ctx.join(group);
            }
        }
    }

    /// Questions by who is not in the room, or to all rooms together.
    fn asked_outside(
        &self,
        guest: &mut Guest,
        stanza: &Stanza<'_>,
        one: bool,
        ctx: &mut Ctx<'_, Self>,
    ) {
        let payload = stanza.payload();
        match payload.map_or("", |payload| payload.namespace()) {
            DISCO => answer(guest, stanza, ctx, |out| out.extend_from_slice(ROOM_IDENTITY)),
            ITEMS => answer(guest, stanza, ctx, |out| {
                out.extend_from_slice(format!("<query xmlns='{ITEMS}'/>").as_bytes());
            }),
            namespace::PING if !one => answer(guest, stanza, ctx, |_| {}),
            // Where nobody of them is, users own nothing: the room goes with its last occupant.
            namespace::MUC_OWNER if one => back(guest, stanza, StanzaCondition::ItemNotFound, ctx),
            _ if one => back(guest, stanza, StanzaCondition::NotAcceptable, ctx),
            _ => back(guest, stanza, StanzaCondition::ServiceUnavailable, ctx),
        }
    }
}

/// What is where (XEP-0030).
const ITEMS: &str = "http://jabber.org/protocol/disco#items";

/// The part of an address before the `@`, if there is one, and the one behind it.
fn split(address: &str) -> (Option<&str>, &str) {
    let bare = address.split('/').next().unwrap_or_default();
    match bare.split_once('@') {
        Some((local, host)) => (Some(local), host),
        None => (None, bare),
    }
}
