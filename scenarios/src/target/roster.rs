//! Who hears whose presence (RFC 6121 sections 2 to 4): rosters, kept by the switchboards.
//!
//! ```text
//!            subscribe             subscribe
//!   A's guest ----> A's switchboard ----> B's switchboard ----> B's guest
//!                   (asked)               (waits for B)            | subscribed
//!   A's guest <---- A's switchboard <---- B's switchboard <--------+
//!                   (A hears B)           (B is heard by A)
//! ```
//! Only accounts with contacts have a roster: a hundred thousand users without cost nothing.

use std::collections::HashMap;
use std::sync::Arc;

use densebots_engine::{BotId, Ctx};
use densebots_protocols::xml::push_attribute;
use densebots_protocols::xmpp::{Kind, namespace, server};

use super::parcel::{Mail, Parcel, Routed, Word};
use super::switchboard::numbers;
use super::xmpp::XmppTarget;

/// Contacts of one account: beyond this a wish for one more is not heard.
const CONTACTS_MAX: usize = 1000;

/// The accounts of one switchboard that have contacts.
#[derive(Default)]
pub(super) struct Rosters(HashMap<u64, Roster>);

#[derive(Default)]
struct Roster {
    contacts: Vec<Contact>,
    /// The account's presence, while it is there.
    presence: Option<Arc<Parcel>>,
}

struct Contact {
    /// Its bare address.
    address: Box<str>,
    account: u64,
    /// The account has asked to hear it.
    asked: bool,
    /// The account hears it.
    hears: bool,
    /// It hears the account.
    heard: bool,
    /// Its wish to hear the account, until that is granted or refused.
    wish: Option<Arc<Parcel>>,
}

impl Contact {
    fn subscription(&self) -> &'static str {
        match (self.hears, self.heard) {
            (true, true) => "both",
            (true, false) => "to",
            (false, true) => "from",
            (false, false) => "none",
        }
    }

    fn item(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<item");
        push_attribute("jid", &self.address, out);
        push_attribute("subscription", self.subscription(), out);
        if self.asked {
            push_attribute("ask", "subscribe", out);
        }
        out.extend_from_slice(b"/>");
    }

    fn route(&self, parcel: &Arc<Parcel>, target: &XmppTarget, ctx: &mut Ctx<'_, XmppTarget>) {
        let routed = Routed { to: self.address.clone(), parcel: parcel.clone() };
        ctx.send_to(target.switchboard(self.account), Mail::Route(Arc::new(routed)));
    }
}

impl Roster {
    fn contact(&mut self, address: &str) -> Option<&mut Contact> {
        let (account, _) = numbers(address);
        let at = self.contacts.iter().position(|contact| contact.account == account);
        let at = match at {
            Some(at) => at,
            None if self.contacts.len() >= CONTACTS_MAX => return None,
            None => {
                let (asked, hears, heard) = (false, false, false);
                let address = address.into();
                self.contacts.push(Contact { address, account, asked, hears, heard, wish: None });
                self.contacts.len() - 1
            }
        };
        Some(&mut self.contacts[at])
    }
}

impl Rosters {
    /// A user says something about a subscription to another one.
    pub(super) fn says(
        &mut self,
        word: &Word,
        seat: Option<BotId>,
        target: &XmppTarget,
        ctx: &mut Ctx<'_, XmppTarget>,
    ) {
        let (account, _) = numbers(&word.from);
        let roster = self.0.entry(account).or_default();
        if roster.presence.is_none() {
            roster.presence = word.presence.clone();
        }
        let presence = roster.presence.clone();
        let Some(contact) = roster.contact(&word.to) else { return };
        match word.kind {
            Kind::Subscribe => contact.asked = !contact.hears,
            // Nobody asked, or it is granted already: the other one hears nothing of it, nor how
            // the account is, once more (RFC 6121 section A.2.3).
            Kind::Subscribed if contact.wish.is_none() => return,
            Kind::Subscribed => (contact.heard, contact.wish) = (true, None),
            Kind::Unsubscribe => (contact.asked, contact.hears) = (false, false),
            _ => (contact.heard, contact.wish) = (false, None),
        }
        push(contact, seat, ctx);
        let heard = Arc::new(Word { presence: None, ..word.clone() });
        ctx.send_to(target.switchboard(contact.account), Mail::Heard(heard));
        if let (Kind::Subscribed, Some(presence)) = (word.kind, presence) {
            contact.route(&presence, target, ctx);
        }
    }

    /// Another user says something about a subscription to this one. `seat`: where it is, if it is
    /// available; else a wish waits until it is.
    pub(super) fn hears(
        &mut self,
        word: &Word,
        seat: Option<BotId>,
        target: &XmppTarget,
        ctx: &mut Ctx<'_, XmppTarget>,
    ) {
        let (account, _) = numbers(&word.to);
        let Some(contact) = self.0.entry(account).or_default().contact(&word.from) else { return };
        match word.kind {
            // Granted already: the other one has forgotten (RFC 6121 section 3.1.3).
            Kind::Subscribe if contact.heard => {
                let granted = Word {
                    from: word.to.clone(),
                    to: word.from.clone(),
                    kind: Kind::Subscribed,
                    parcel: bare_presence(&word.to, Some("subscribed")),
                    presence: None,
                };
                ctx.send_to(target.switchboard(contact.account), Mail::Heard(Arc::new(granted)));
                return;
            }
            Kind::Subscribe => contact.wish = Some(word.parcel.clone()),
            Kind::Subscribed if contact.asked => (contact.asked, contact.hears) = (false, true),
            Kind::Unsubscribe => (contact.heard, contact.wish) = (false, None),
            Kind::Unsubscribed => (contact.asked, contact.hears) = (false, false),
            _ => return,
        }
        if let Some(seat) = seat {
            ctx.send_to(seat, Mail::ToOne(word.parcel.clone()));
        }
        if word.kind != Kind::Subscribe {
            push(contact, seat, ctx);
        }
    }

    /// A user tells all who hear it how it is; with nothing to tell, it is gone. `came`: it was not
    /// available before.
    pub(super) fn tells(
        &mut self,
        account: u64,
        presence: Option<&Arc<Parcel>>,
        came: Option<BotId>,
        target: &XmppTarget,
        ctx: &mut Ctx<'_, XmppTarget>,
    ) {
        let Some(roster) = self.0.get_mut(&account) else { return };
        let before = std::mem::replace(&mut roster.presence, presence.cloned());
        let gone = || Some(unavailable(before.as_ref()?));
        let Some(parcel) = presence.cloned().or_else(gone) else { return };
        for contact in &roster.contacts {
            if contact.heard {
                contact.route(&parcel, target, ctx);
            }
            // It has just come: how are the others, and who wanted what meanwhile?
            let Some(seat) = came else { continue };
            if contact.hears {
                let probe = Mail::Probe { account: contact.account, asker: seat };
                ctx.send_to(target.switchboard(contact.account), probe);
            }
            if let Some(wish) = &contact.wish {
                ctx.send_to(seat, Mail::ToOne(wish.clone()));
            }
        }
    }

    /// How somebody is, for one who has just come and may hear it.
    pub(super) fn probed(&self, account: u64, asker: BotId, ctx: &mut Ctx<'_, XmppTarget>) {
        let roster = self.0.get(&account);
        if let Some(presence) = roster.and_then(|roster| roster.presence.as_ref()) {
            ctx.send_to(asker, Mail::ToOne(presence.clone()));
        }
    }

    /// The answer to a question for the roster.
    pub(super) fn answer(
        &self,
        account: u64,
        asker: BotId,
        question: &Parcel,
        ctx: &mut Ctx<'_, XmppTarget>,
    ) {
        let Ok(question) = question.stanza() else { return };
        let mut bytes = Vec::new();
        server::answer(&question, &mut bytes, |out| {
            let contacts = self.0.get(&account).map(|roster| &roster.contacts);
            let Some(contacts) = contacts.filter(|contacts| !contacts.is_empty()) else {
                return out.extend_from_slice(b"<query xmlns='jabber:iq:roster'/>");
            };
            out.extend_from_slice(b"<query xmlns='jabber:iq:roster'>");
            contacts.iter().for_each(|contact| contact.item(out));
            out.extend_from_slice(b"</query>");
        });
        ctx.send_to(asker, Mail::ToOne(Parcel::whole(bytes)));
    }
}

/// Tells a user of a change in its roster (RFC 6121 section 2.1.6).
fn push(contact: &Contact, seat: Option<BotId>, ctx: &mut Ctx<'_, XmppTarget>) {
    let Some(seat) = seat else { return };
    let mut bytes = b"<iq type='set' id='roster'".to_vec();
    let place = bytes.len();
    bytes.extend_from_slice(b"><query");
    push_attribute("xmlns", namespace::ROSTER, &mut bytes);
    bytes.push(b'>');
    contact.item(&mut bytes);
    bytes.extend_from_slice(b"</query></iq>");
    ctx.send_to(seat, Mail::ToOne(Parcel::to_anybody(bytes, place)));
}

/// A presence from this address with nothing but a type, or not even that.
pub(super) fn bare_presence(from: &str, kind: Option<&str>) -> Arc<Parcel> {
    let mut bytes = b"<presence".to_vec();
    push_attribute("from", from, &mut bytes);
    let place = bytes.len();
    if let Some(kind) = kind {
        push_attribute("type", kind, &mut bytes);
    }
    bytes.extend_from_slice(b"/>");
    Parcel::to_anybody(bytes, place)
}

/// The end of a presence.
fn unavailable(presence: &Parcel) -> Arc<Parcel> {
    let from = presence.stanza().ok().and_then(|stanza| Some(stanza.from()?.into_owned()));
    bare_presence(&from.unwrap_or_default(), Some("unavailable"))
}
