//! Stanzas as they come in: the root at once, what lies deeper when asked.

use std::borrow::Cow;

use super::conditions::{Remedy, StanzaCondition, StreamCondition};
use super::namespace;
use crate::Violation;
use crate::xml::Element;

/// A message, a presence or an iq (RFC 6120 section 8) in the peer's own bytes.
///
/// Every question reads what it needs and nothing else, so ask once.
#[derive(Clone, Copy, Debug)]
pub struct Stanza<'a>(pub(super) Element<'a>);

/// The type of a stanza (RFC 6121 sections 4.7.1 and 5.2.2, RFC 6120 section 8.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A message of a conversation.
    Chat,
    /// A message in a room.
    Groupchat,
    /// A message that wants no answer.
    Headline,
    /// A message without a type.
    Normal,
    /// A presence without a type.
    Available,
    /// The end of a presence.
    Unavailable,
    /// A wish to hear somebody's presence.
    Subscribe,
    /// That wish, granted.
    Subscribed,
    /// No longer a wish.
    Unsubscribe,
    /// Refused, or granted no longer.
    Unsubscribed,
    /// A server asks for a presence.
    Probe,
    /// A question.
    Get,
    /// An order.
    Set,
    /// An answer.
    Result,
    /// A refusal.
    Error,
    /// A type that the stanza cannot have.
    Unknown,
}

impl<'a> Stanza<'a> {
    /// A stanza as it is written, with nothing around it.
    pub fn parse(text: &'a [u8]) -> Result<Self, Violation> {
        Element::parse(text, namespace::STANZAS).map(Self)
    }

    /// The element, for what has no method here.
    pub fn element(&self) -> Element<'a> {
        self.0
    }

    /// Who sent it; the own server or account may leave that out.
    pub fn from(&self) -> Option<Cow<'a, str>> {
        self.0.attribute("from")
    }

    /// Whom it is for.
    pub fn to(&self) -> Option<Cow<'a, str>> {
        self.0.attribute("to")
    }

    /// What the sender calls it.
    pub fn id(&self) -> Option<Cow<'a, str>> {
        self.0.attribute("id")
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        let kind = self.0.attribute("type");
        match (self.0.name(), kind.as_deref()) {
            (_, Some("error")) => Kind::Error,
            // An unknown type of a message is none (RFC 6121 section 5.2.2).
            ("message", Some("chat")) => Kind::Chat,
            ("message", Some("groupchat")) => Kind::Groupchat,
            ("message", Some("headline")) => Kind::Headline,
            ("message", _) => Kind::Normal,
            ("presence", None) => Kind::Available,
            ("presence", Some("unavailable")) => Kind::Unavailable,
            ("presence", Some("subscribe")) => Kind::Subscribe,
            ("presence", Some("subscribed")) => Kind::Subscribed,
            ("presence", Some("unsubscribe")) => Kind::Unsubscribe,
            ("presence", Some("unsubscribed")) => Kind::Unsubscribed,
            ("presence", Some("probe")) => Kind::Probe,
            ("iq", Some("get")) => Kind::Get,
            ("iq", Some("set")) => Kind::Set,
            ("iq", Some("result")) => Kind::Result,
            _ => Kind::Unknown,
        }
    }

    /// What a message says. A message without a body has something else to say.
    pub fn body(&self) -> Option<Cow<'a, str>> {
        self.0.child("body", namespace::STANZAS).map(|body| body.text())
    }

    /// The subject of a message. With a type of groupchat and no body it is the room's (XEP-0045
    /// section 8.1), and ends what a join brings.
    pub fn subject(&self) -> Option<Cow<'a, str>> {
        self.0.child("subject", namespace::STANZAS).map(|subject| subject.text())
    }

    /// When it was first sent, if it was kept for later (XEP-0203): history, or offline.
    pub fn delay(&self) -> Option<Cow<'a, str>> {
        let delay = self.0.child("delay", namespace::DELAY)?;
        Some(delay.attribute("stamp").unwrap_or_default())
    }

    /// What a room says about an occupant or a message (XEP-0045).
    pub fn muc(&self) -> Option<Muc<'a>> {
        self.0.child("x", namespace::MUC_USER).map(Muc)
    }

    /// Why it was refused.
    pub fn error(&self) -> Option<StanzaError<'a>> {
        self.0.child("error", namespace::STANZAS).map(StanzaError)
    }

    /// The first child: the question or the answer of an iq.
    pub fn payload(&self) -> Option<Element<'a>> {
        self.0.children().next()
    }
}

/// What a room adds to a stanza (XEP-0045 section 17.1): status codes and an occupant.
#[derive(Clone, Copy, Debug)]
pub struct Muc<'a>(Element<'a>);

/// This presence is the receiver's own (XEP-0045 section 7.2.2).
pub const STATUS_SELF: u16 = 110;
/// The room has just been created (XEP-0045 section 10.1.1).
pub const STATUS_CREATED: u16 = 201;
/// The room gave the occupant another nick (XEP-0045 section 7.2.3).
pub const STATUS_RENAMED: u16 = 210;
/// The occupant was banned (XEP-0045 section 9.1).
pub const STATUS_BANNED: u16 = 301;
/// The occupant changes the nick (XEP-0045 section 7.6).
pub const STATUS_NICK: u16 = 303;
/// The occupant was kicked (XEP-0045 section 8.2).
pub const STATUS_KICKED: u16 = 307;
/// The occupant's affiliation does not let it stay (XEP-0045 section 9.4).
pub const STATUS_AFFILIATION: u16 = 321;
/// The room is for members only now, and the occupant is none (XEP-0045 section 9.4).
pub const STATUS_MEMBERS_ONLY: u16 = 322;
/// The room's service shuts down (XEP-0045 section 9.8).
pub const STATUS_SHUTDOWN: u16 = 332;
/// The occupant was unreachable or answered with errors (XEP-0045 section 17.5).
pub const STATUS_FAULT: u16 = 333;

/// Why an occupant that did not leave is in the room no longer (XEP-0045 section 15.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// A moderator wanted it.
    Kicked,
    /// It may not come back either.
    Banned,
    /// It has lost the affiliation that one needs there.
    Affiliation,
    /// Only members may be there now.
    MembersOnly,
    /// The service shuts down.
    ShutDown,
    /// The service could not reach it.
    Fault,
    /// The room is no more.
    Destroyed,
    /// The room does not say.
    Untold,
}

impl Removal {
    /// All of them.
    pub const ALL: &'static [Removal] = &[
        Removal::Kicked,
        Removal::Banned,
        Removal::Affiliation,
        Removal::MembersOnly,
        Removal::ShutDown,
        Removal::Fault,
        Removal::Destroyed,
        Removal::Untold,
    ];

    /// A name for it, as for a counter.
    pub const fn name(self) -> &'static str {
        match self {
            Removal::Kicked => "kicked",
            Removal::Banned => "banned",
            Removal::Affiliation => "affiliation",
            Removal::MembersOnly => "members_only",
            Removal::ShutDown => "shut_down",
            Removal::Fault => "fault",
            Removal::Destroyed => "destroyed",
            Removal::Untold => "untold",
        }
    }
}

impl<'a> Muc<'a> {
    /// The status codes, in order.
    pub fn statuses(&self) -> impl Iterator<Item = u16> + use<'a> {
        let statuses = self.0.children().filter(|child| child.is("status", namespace::MUC_USER));
        statuses.filter_map(|status| status.attribute("code")?.parse().ok())
    }

    /// Whether a status is among them.
    pub fn says(&self, status: u16) -> bool {
        self.statuses().any(|said| said == status)
    }

    /// Why an occupant that did not leave is unavailable.
    pub fn removal(&self) -> Removal {
        // A service that removes whom it cannot reach says that it kicked it, too: what says more
        // comes first.
        let causes = [
            (STATUS_FAULT, Removal::Fault),
            (STATUS_SHUTDOWN, Removal::ShutDown),
            (STATUS_MEMBERS_ONLY, Removal::MembersOnly),
            (STATUS_AFFILIATION, Removal::Affiliation),
            (STATUS_BANNED, Removal::Banned),
            (STATUS_KICKED, Removal::Kicked),
        ];
        let told = causes.into_iter().find(|&(status, _)| self.says(status));
        match told {
            _ if self.destroyed() => Removal::Destroyed,
            Some((_, removal)) => removal,
            None => Removal::Untold,
        }
    }

    /// An attribute of the occupant: `role`, `affiliation`, `nick` or `jid`.
    pub fn occupant(&self, attribute: &str) -> Option<Cow<'a, str>> {
        self.0.child("item", namespace::MUC_USER)?.attribute(attribute)
    }

    /// Whether the room is gone (XEP-0045 section 10.9).
    pub fn destroyed(&self) -> bool {
        self.0.child("destroy", namespace::MUC_USER).is_some()
    }
}

/// A refusal (RFC 6120 section 8.3).
#[derive(Clone, Copy, Debug)]
pub struct StanzaError<'a>(Element<'a>);

impl<'a> StanzaError<'a> {
    /// Which one.
    pub fn condition(&self) -> StanzaCondition {
        let found = condition(&self.0, namespace::STANZA_ERRORS);
        found.map_or(StanzaCondition::Unknown, |child| StanzaCondition::named(child.name()))
    }

    /// What can be done about it.
    pub fn remedy(&self) -> Option<Remedy> {
        Remedy::named(&self.0.attribute("type")?)
    }

    /// What the server says about it.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        self.0.child("text", namespace::STANZA_ERRORS).map(|text| text.text())
    }
}

/// The end of a stream for a reason (RFC 6120 section 4.9).
#[derive(Clone, Copy, Debug)]
pub struct StreamError<'a>(pub(super) Element<'a>);

impl<'a> StreamError<'a> {
    /// Which one.
    pub fn condition(&self) -> StreamCondition {
        let found = condition(&self.0, namespace::STREAM_ERRORS);
        found.map_or(StreamCondition::Unknown, |child| StreamCondition::named(child.name()))
    }

    /// What the server says about it.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        self.0.child("text", namespace::STREAM_ERRORS).map(|text| text.text())
    }

    /// Where the service is to be found (RFC 6120 section 4.9.3.19): `host`, `host:port` or
    /// `[address]:port`. Whether to go there is for whoever allowed the first address.
    pub fn other_host(&self) -> Option<Cow<'a, str>> {
        self.0.child("see-other-host", namespace::STREAM_ERRORS).map(|host| host.text())
    }
}

/// The child that names the condition: any of the namespace that is not the text.
fn condition<'a>(error: &Element<'a>, namespace: &str) -> Option<Element<'a>> {
    error.children().find(|child| child.namespace() == namespace && child.name() != "text")
}
