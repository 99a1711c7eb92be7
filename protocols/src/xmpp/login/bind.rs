//! Behind the proof of who it is: resuming, binding, stream management; and making an account,
//! which comes instead of it.

use std::borrow::Cow;

use super::features::Features;
use super::{Login, Move, OUT_OF_TURN, Offered, Wait};
use crate::Violation;
use crate::xml::Element;
use crate::xmpp::account::{Management, Who};
use crate::xmpp::managed::{self, Managed};
use crate::xmpp::{Event, Kind, Phase, Stanza, StanzaCondition, namespace, send};

const NO_BIND: Violation = Violation { rule: "no offer of resource binding" };
const NO_ADDRESS: Violation = Violation { rule: "a resource binding without an address" };

impl Login {
    /// The features behind the login: resume, or bind a resource.
    pub(super) fn after_login<'a>(
        &mut self,
        features: &Features,
        out: &mut Vec<u8>,
    ) -> Result<Move<'a>, Violation> {
        self.offered = Offered { session: features.session, management: features.management };
        let resumable = self.offered.management;
        if let Some(resumption) = self.resumption.as_ref().filter(|_| resumable) {
            managed::resume(resumption, out);
            self.wait = Wait::Resumed;
            return Ok(Move::Event(Event::Login(Phase::Resume)));
        }
        self.resumption = None;
        if !features.bind {
            return Err(NO_BIND);
        }
        Ok(self.bind(out))
    }

    /// Asks for a resource (RFC 6120 section 7).
    pub(super) fn bind<'a>(&mut self, out: &mut Vec<u8>) -> Move<'a> {
        send::open("iq", &[("type", "set"), ("id", "bind")], out);
        out.extend_from_slice(b"><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>");
        if !self.resource.is_empty() {
            send::element("resource", &self.resource, out);
        }
        out.extend_from_slice(b"</bind></iq>");
        self.wait = Wait::Bound;
        Move::Event(Event::Login(Phase::Bind))
    }

    pub(super) fn bound<'a>(
        &mut self,
        element: &Element<'a>,
        out: &mut Vec<u8>,
    ) -> Result<Move<'a>, Violation> {
        if !answers(element, "bind") {
            return Err(OUT_OF_TURN);
        }
        refused(element, bind_refused)?;
        let bind = element.child("bind", namespace::BIND).ok_or(NO_ADDRESS)?;
        let address = bind.child("jid", namespace::BIND).ok_or(NO_ADDRESS)?.text();
        if address.is_empty() {
            return Err(NO_ADDRESS);
        }
        self.address = address.into();
        if self.offered.session {
            send::open("iq", &[("type", "set"), ("id", "session")], out);
            out.push(b'>');
            send::empty("session", namespace::SESSION, out);
            out.extend_from_slice(b"</iq>");
            self.wait = Wait::Session;
            return Ok(Move::Event(Event::Login(Phase::Session)));
        }
        Ok(self.manage(out))
    }

    /// The answer to the wish for a session.
    pub(super) fn granted<'a>(
        &mut self,
        element: &Element<'a>,
        out: &mut Vec<u8>,
    ) -> Result<Move<'a>, Violation> {
        refused(element, session_refused)?;
        Ok(self.manage(out))
    }

    /// Asks for stream management (XEP-0198 section 3), if that is wished and offered.
    pub(super) fn manage<'a>(&mut self, out: &mut Vec<u8>) -> Move<'a> {
        let resume: &[_] = match self.service.management {
            Management::Resume => &[("xmlns", namespace::MANAGEMENT), ("resume", "true")],
            Management::Acknowledge => &[("xmlns", namespace::MANAGEMENT)],
            Management::Off => return self.online(None),
        };
        if !self.offered.management {
            return self.online(None);
        }
        send::open("enable", resume, out);
        out.extend_from_slice(b"/>");
        self.wait = Wait::Enabled;
        Move::Event(Event::Login(Phase::Management))
    }

    pub(super) fn online<'a>(&mut self, managed: Option<Box<Managed>>) -> Move<'a> {
        let address = std::mem::take(&mut self.address).into_string();
        Move::Online { address: Some(Cow::Owned(address)), managed }
    }

    /// Asks for an account (XEP-0077 section 3.1), without looking at what the server would like
    /// to know: name and password are what every server takes that lets bots in.
    pub(super) fn register<'a>(&mut self, out: &mut Vec<u8>) -> Move<'a> {
        send::open("iq", &[("type", "set"), ("id", "register")], out);
        out.push(b'>');
        send::open("query", &[("xmlns", namespace::REGISTER)], out);
        out.push(b'>');
        if let Who::Password { name, password } = &self.identity.0 {
            send::element("username", name, out);
            send::element("password", password, out);
        }
        out.extend_from_slice(b"</query></iq>");
        self.wait = Wait::Registration;
        Move::Event(Event::Login(Phase::Register))
    }

    pub(super) fn registered<'a>(&mut self, element: &Element<'a>) -> Result<Move<'a>, Violation> {
        if !answers(element, "register") {
            return Err(OUT_OF_TURN);
        }
        self.wait = Wait::Done;
        Ok(Move::Event(Event::Registered(match refusal(element) {
            Some(condition) => Err(condition),
            None => Ok(()),
        })))
    }
}

/// Whether this is the answer to our iq of that name.
pub(super) fn answers(element: &Element<'_>, id: &str) -> bool {
    element.is("iq", namespace::STANZAS)
        && element.attribute_is("id", id)
        && matches!(Stanza(*element).kind(), Kind::Result | Kind::Error)
}

/// Why an answer is none.
fn refusal(element: &Element<'_>) -> Option<StanzaCondition> {
    let stanza = Stanza(*element);
    let refused = stanza.kind() == Kind::Error;
    refused.then(|| stanza.error().map_or(StanzaCondition::Unknown, |error| error.condition()))
}

fn refused(
    element: &Element<'_>,
    rule: fn(StanzaCondition) -> &'static str,
) -> Result<(), Violation> {
    refusal(element).map_or(Ok(()), |condition| Err(Violation { rule: rule(condition) }))
}

/// The refusals of a resource that RFC 6120 section 7 knows.
fn bind_refused(condition: StanzaCondition) -> &'static str {
    match condition {
        StanzaCondition::BadRequest => "a refusal to bind a resource: bad-request",
        StanzaCondition::Conflict => "a refusal to bind a resource: conflict",
        StanzaCondition::NotAllowed => "a refusal to bind a resource: not-allowed",
        StanzaCondition::ResourceConstraint => "a refusal to bind a resource: resource-constraint",
        other => other.rule(),
    }
}

/// The refusals of a session that RFC 3921 section 3 knows.
fn session_refused(condition: StanzaCondition) -> &'static str {
    match condition {
        StanzaCondition::Conflict => "a refusal of a session: conflict",
        StanzaCondition::Forbidden => "a refusal of a session: forbidden",
        StanzaCondition::InternalServerError => "a refusal of a session: internal-server-error",
        other => other.rule(),
    }
}
