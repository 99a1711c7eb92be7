//! Rooms (XEP-0045): a group whose keeper knows who is in it, what was said last (`history.rs`) and
//! which password lets one in (`form.rs`).
//!
//! A new room is open at once, as ejabberd has it: nobody waits for its owner.

use std::sync::Arc;

use densebots_engine::{BotId, Ctx, GroupId};
use densebots_protocols::xml::push_attribute;
use densebots_protocols::xmpp::{
    Kind, STATUS_BANNED, STATUS_CREATED, STATUS_KICKED, STATUS_NICK, STATUS_SELF, Stanza,
    StanzaCondition, namespace, server,
};

use super::parcel::{Entry, Mail, Parcel};
use super::switchboard::numbers;
use super::xmpp::XmppTarget;
use history::History;

mod form;
mod history;
pub(super) use form::given as password;
pub(super) use history::Wish;

/// What a keeper knows of its room. The room is there as long as its group.
pub(super) struct Room {
    group: GroupId,
    /// Its address, as who came first wrote it.
    address: Box<str>,
    occupants: Vec<Occupant>,
    /// The account that made it.
    owner: u64,
    /// The last subject, as it was said.
    subject: Option<Arc<Parcel>>,
    history: History,
    /// Who comes has to know it.
    password: Option<Box<str>>,
    /// Accounts that may not come in.
    banned: Vec<u64>,
}

struct Occupant {
    bot: BotId,
    owner: bool,
    account: u64,
    nick: Box<str>,
}

const _: () = assert!(size_of::<Occupant>() <= 32);

impl Room {
    pub(super) fn new(group: GroupId) -> Room {
        Room {
            group,
            address: "".into(),
            occupants: Vec::new(),
            owner: 0,
            subject: None,
            history: History::default(),
            password: None,
            banned: Vec::new(),
        }
    }

    /// Somebody came to the group, and does not know yet who keeps it; or is gone.
    pub(super) fn member(&mut self, bot: BotId, came: bool, ctx: &mut Ctx<'_, XmppTarget>) {
        if came {
            ctx.send_to(bot, Mail::Welcome(self.group));
        } else if let Some(place) = self.place(bot) {
            let occupant = self.occupants.swap_remove(place);
            let presence = self.presence(&occupant, Some("unavailable"), &[], "");
            ctx.publish(self.group, Mail::Said(presence));
        }
    }

    pub(super) fn hear(
        &mut self,
        from: BotId,
        mail: &Mail,
        target: &XmppTarget,
        ctx: &mut Ctx<'_, XmppTarget>,
    ) {
        match mail {
            Mail::Enter(entry) => self.enter(from, entry, target, ctx),
            Mail::ToRoom(parcel) => {
                if let (Ok(stanza), Some(place)) = (parcel.stanza(), self.place(from)) {
                    self.said(place, &stanza, ctx);
                }
            }
            _ => {}
        }
    }

    fn place(&self, bot: BotId) -> Option<usize> {
        self.occupants.iter().position(|occupant| occupant.bot == bot)
    }

    fn enter(
        &mut self,
        from: BotId,
        entry: &Entry,
        target: &XmppTarget,
        ctx: &mut Ctx<'_, XmppTarget>,
    ) {
        use StanzaCondition as C;
        if self.occupants.is_empty() {
            *self = Room::new(self.group); // whose it was, and what, went with the last of them
        }
        let (account, _) = numbers(&entry.address);
        let old = self.place(from);
        let taken = |occupant: &Occupant| occupant.nick == entry.nick && occupant.bot != from;
        let refused = if self.banned.contains(&account) {
            Some((C::Forbidden, "auth"))
        } else if old.is_none() && self.password.is_some() && self.password != entry.password {
            Some((C::NotAuthorized, "auth"))
        } else if self.occupants.iter().any(taken) {
            Some((C::Conflict, "cancel"))
        } else if old.is_none() && self.occupants.len() >= target.occupants_max as usize {
            Some((C::ServiceUnavailable, "wait"))
        } else {
            None
        };
        if let Some((condition, remedy)) = refused {
            let mut bytes = b"<presence type='error'".to_vec();
            push_attribute("from", &format!("{}/{}", entry.room, entry.nick), &mut bytes);
            let (name, namespace) = (condition.name(), namespace::STANZA_ERRORS);
            bytes.extend_from_slice(
                format!("><error type='{remedy}'><{name} xmlns='{namespace}'/></error></presence>")
                    .as_bytes(),
            );
            ctx.send_to(from, Mail::Refused(self.group, Parcel::back(bytes)));
            return;
        }
        if let Some(old) = old {
            self.rename(old, entry, ctx);
        }
        self.admit(from, account, entry, target, ctx);
    }

    /// The occupant of the old nick is gone, for those who hear it (XEP-0045 section 7.6).
    fn rename(&mut self, old: usize, entry: &Entry, ctx: &mut Ctx<'_, XmppTarget>) {
        let occupant = &self.occupants[old];
        if occupant.nick == entry.nick {
            return; // a new presence of the same one
        }
        let gone =
            |statuses: &[u16]| self.presence(occupant, Some("unavailable"), statuses, &entry.nick);
        let (others, own) = (gone(&[STATUS_NICK]), gone(&[STATUS_NICK, STATUS_SELF]));
        ctx.publish(self.group, Mail::Entered { who: occupant.bot, others, own });
        self.occupants[old].nick = entry.nick.clone();
    }

    fn admit(
        &mut self,
        bot: BotId,
        account: u64,
        entry: &Entry,
        target: &XmppTarget,
        ctx: &mut Ctx<'_, XmppTarget>,
    ) {
        let mut bytes = Vec::new();
        let (place, first, known) = match self.place(bot) {
            Some(place) => (place, false, true),
            None => {
                let first = self.occupants.is_empty();
                if first {
                    self.address = entry.room.clone();
                    self.owner = account;
                }
                for other in &self.occupants {
                    self.presence(other, None, &[], "").write(&entry.address, &mut bytes);
                }
                let nick = entry.nick.clone();
                let owner = account == self.owner;
                self.occupants.push(Occupant { bot, owner, account, nick });
                (self.occupants.len() - 1, first, false)
            }
        };
        let occupant = &self.occupants[place];
        let statuses = [STATUS_SELF, STATUS_CREATED];
        let statuses = if first { &statuses[..] } else { &statuses[..1] };
        self.presence(occupant, None, statuses, "").write(&entry.address, &mut bytes);
        if !known {
            let (whom, when) = ((&*self.address, &*entry.address), (target.began, ctx.now));
            self.history.write(entry.history, whom, when, &mut bytes);
            match &self.subject {
                Some(subject) => subject.write(&entry.address, &mut bytes),
                None => self.no_subject().write(&entry.address, &mut bytes),
            }
        }
        let (others, own) = (self.presence(occupant, None, &[], ""), Parcel::whole(bytes));
        ctx.publish(self.group, Mail::Entered { who: bot, others, own });
    }

    /// What ends a join where nobody has given a subject (XEP-0045 section 7.2.15).
    fn no_subject(&self) -> Arc<Parcel> {
        let mut bytes = b"<message type='groupchat'".to_vec();
        push_attribute("from", &self.address, &mut bytes);
        bytes.extend_from_slice(b"><subject/></message>");
        Parcel::back(bytes)
    }

    fn said(&mut self, place: usize, stanza: &Stanza<'_>, ctx: &mut Ctx<'_, XmppTarget>) {
        let occupant = &self.occupants[place];
        let from = format!("{}/{}", self.address, occupant.nick);
        let to = stanza.to().unwrap_or_default();
        let nick = to.split_once('/').map(|(_, nick)| nick);
        match (stanza.element().name(), stanza.kind(), nick) {
            ("presence", Kind::Unavailable, _) => self.leave(place, &[], ctx),
            ("message", Kind::Groupchat, None) => {
                let mut bytes =
                    Vec::with_capacity(stanza.element().source().len() + from.len() + 8);
                let at = server::readdress(stanza, &from, &mut bytes);
                let parcel = Parcel::to_anybody(bytes, at);
                match (stanza.body().is_some(), stanza.subject().is_some()) {
                    (true, _) => self.history.keep(ctx.now, parcel.clone()),
                    (false, true) => self.subject = Some(parcel.clone()),
                    (false, false) => {}
                }
                ctx.publish(self.group, Mail::Said(parcel));
            }
            ("message" | "iq", kind, Some(nick)) if kind != Kind::Groupchat => {
                let found = self.occupants.iter().find(|occupant| &*occupant.nick == nick);
                let mut bytes = Vec::new();
                if let Some(found) = found {
                    let at = server::readdress(stanza, &from, &mut bytes);
                    ctx.send_to(found.bot, Mail::ToOne(Parcel::to_anybody(bytes, at)));
                } else if kind != Kind::Error && kind != Kind::Result {
                    server::refuse(stanza, StanzaCondition::ItemNotFound, &mut bytes);
                    ctx.send_to(occupant.bot, Mail::ToOne(Parcel::whole(bytes)));
                }
            }
            ("iq", Kind::Get | Kind::Set, None) => self.asked(place, stanza, ctx),
            _ => {}
        }
    }

    /// An occupant goes, or has to.
    fn leave(&mut self, place: usize, statuses: &[u16], ctx: &mut Ctx<'_, XmppTarget>) {
        let occupant = self.occupants.swap_remove(place);
        let others = self.presence(&occupant, Some("unavailable"), statuses, "");
        let own: Vec<u16> = statuses.iter().copied().chain([STATUS_SELF]).collect();
        let own = self.presence(&occupant, Some("unavailable"), &own, "");
        ctx.publish(self.group, Mail::Left { who: occupant.bot, others, own });
    }

    /// A question or an order to the room itself.
    fn asked(&mut self, place: usize, stanza: &Stanza<'_>, ctx: &mut Ctx<'_, XmppTarget>) {
        let (asking, owner) = (self.occupants[place].bot, self.occupants[place].owner);
        let payload = stanza.payload();
        let within = |namespace: &str| payload.is_some_and(|query| query.is("query", namespace));
        let order = stanza.kind() == Kind::Set;
        let mut bytes = Vec::new();
        let orders = within(namespace::MUC_OWNER) || within(MUC_ADMIN);
        let (mut over, mut changed) = (false, false);
        if payload.is_some_and(|ping| ping.is("ping", namespace::PING)) {
            server::answer(stanza, &mut bytes, |_| {});
        } else if within(DISCO) {
            server::answer(stanza, &mut bytes, |out| out.extend_from_slice(ROOM_IDENTITY));
        } else if orders && !owner {
            server::refuse(stanza, StanzaCondition::Forbidden, &mut bytes);
        } else if orders && order {
            let child = |name| payload.and_then(|query| query.child(name, query.namespace()));
            over = child("destroy").is_some();
            if let Some(item) = child("item") {
                self.order(item.attributes(["nick", "jid", "role", "affiliation"]), ctx);
            }
            if let Some(password) = payload.and_then(|query| form::password(&query)) {
                changed = self.password != password;
                self.password = password;
            }
            server::answer(stanza, &mut bytes, |_| {});
        } else if orders {
            server::answer(stanza, &mut bytes, |out| form::write(self.password.as_deref(), out));
        } else {
            server::refuse(stanza, StanzaCondition::ServiceUnavailable, &mut bytes);
        }
        ctx.send_to(asking, Mail::ToOne(Parcel::whole(bytes)));
        if changed {
            ctx.publish(self.group, Mail::Said(self.reconfigured()));
        }
        if over {
            self.destroy(ctx);
        }
    }

    /// What all are told of a new configuration (XEP-0045 section 10.2.1).
    fn reconfigured(&self) -> Arc<Parcel> {
        let mut bytes = b"<message type='groupchat'".to_vec();
        push_attribute("from", &self.address, &mut bytes);
        bytes.extend_from_slice(b"><x xmlns='http://jabber.org/protocol/muc#user'>");
        bytes.extend_from_slice(b"<status code='104'/></x></message>");
        Parcel::back(bytes)
    }

    /// Kicks a nick or bans an account (XEP-0045 sections 8.2 and 9.1).
    fn order(
        &mut self,
        [nick, address, role, affiliation]: [Option<std::borrow::Cow<'_, str>>; 4],
        ctx: &mut Ctx<'_, XmppTarget>,
    ) {
        if let (Some(address), Some("outcast")) = (&address, affiliation.as_deref()) {
            let (account, _) = numbers(address);
            self.banned.push(account);
            while let Some(place) = self.occupants.iter().position(|one| one.account == account) {
                self.leave(place, &[STATUS_BANNED], ctx);
            }
        } else if let (Some(nick), Some("none")) = (nick, role.as_deref())
            && let Some(place) = self.occupants.iter().position(|one| *one.nick == *nick)
        {
            self.leave(place, &[STATUS_KICKED], ctx);
        }
    }

    /// The room is no more: told to each occupant alone, and not marked (XEP-0045 section 10.9).
    fn destroy(&mut self, ctx: &mut Ctx<'_, XmppTarget>) {
        for occupant in std::mem::take(&mut self.occupants) {
            let mut bytes = b"<presence type='unavailable'".to_vec();
            push_attribute("from", &format!("{}/{}", self.address, occupant.nick), &mut bytes);
            bytes.extend_from_slice(b"><x xmlns='http://jabber.org/protocol/muc#user'>");
            bytes.extend_from_slice(b"<item affiliation='none' role='none'/><destroy/>");
            bytes.extend_from_slice(b"</x></presence>");
            let own = Parcel::back(bytes);
            ctx.send_to(occupant.bot, Mail::Over(self.group, own));
        }
    }

    /// The presence of an occupant (XEP-0045 section 7.2.2).
    fn presence(
        &self,
        occupant: &Occupant,
        kind: Option<&str>,
        statuses: &[u16],
        nick: &str,
    ) -> Arc<Parcel> {
        let mut bytes = b"<presence".to_vec();
        push_attribute("from", &format!("{}/{}", self.address, occupant.nick), &mut bytes);
        let place = bytes.len();
        if let Some(kind) = kind {
            push_attribute("type", kind, &mut bytes);
        }
        bytes.extend_from_slice(b"><x xmlns='http://jabber.org/protocol/muc#user'><item");
        push_attribute("affiliation", if occupant.owner { "owner" } else { "none" }, &mut bytes);
        let here = if occupant.owner { "moderator" } else { "participant" };
        let role = if kind.is_some() && nick.is_empty() { "none" } else { here };
        push_attribute("role", role, &mut bytes);
        if !nick.is_empty() {
            push_attribute("nick", nick, &mut bytes);
        }
        bytes.extend_from_slice(b"/>");
        for status in statuses {
            bytes.extend_from_slice(format!("<status code='{status}'/>").as_bytes());
        }
        bytes.extend_from_slice(b"</x></presence>");
        Parcel::to_anybody(bytes, place)
    }
}

/// Rooms (XEP-0045): what moderators do.
const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
/// Who is who (XEP-0030).
pub(super) const DISCO: &str = "http://jabber.org/protocol/disco#info";
/// What a room says about itself.
pub(super) const ROOM_IDENTITY: &[u8] = b"<query xmlns='http://jabber.org/protocol/disco#info'>\
    <identity category='conference' type='text'/>\
    <feature var='http://jabber.org/protocol/muc'/></query>";
