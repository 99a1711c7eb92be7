//! From the first stream header to the first stanza.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::account::{Account, Service, Tls};
use super::conditions::SaslCondition;
use super::managed::{Managed, Resumption};
use super::sasl::{Exchange, Reply};
use super::{Event, Identity, Phase, namespace, send};
use crate::xml::{Element, STREAMS, push_attribute, push_text};
use crate::{Derive, Stream, Violation};

mod bind;
mod features;

use features::Features;
pub use features::KnownFeatures;

const NO_STREAM: Violation =
    Violation { rule: "something that is no XMPP stream (invalid-namespace)" };
const OTHER_PREFIX: Violation =
    Violation { rule: "a stream with another prefix (bad-namespace-prefix)" };
const OTHER_NAMESPACE: Violation =
    Violation { rule: "a stream of another kind of stanzas (invalid-namespace)" };
const OLD: Violation = Violation { rule: "a stream of an old version (unsupported-version)" };
const NO_FEATURES: Violation = Violation { rule: "no features where the stream needs them" };
const NO_TLS: Violation = Violation { rule: "no offer of TLS, which is required" };
const TLS_WANTED: Violation = Violation { rule: "a demand for TLS, which is off" };
const TLS_FAILED: Violation = Violation { rule: "a refusal to begin TLS" };
const OUT_OF_TURN: Violation = Violation { rule: "an answer to nothing that was asked" };
const NOT_BASE64: Violation =
    Violation { rule: "a login message that is not base64 (incorrect-encoding)" };

/// What a stanza of the login leads to.
pub(super) enum Move<'a> {
    Quiet,
    Event(Event<'a>),
    StartTls,
    Derive(Derive),
    /// The stream begins anew.
    Restart,
    Online {
        address: Option<Cow<'a, str>>,
        managed: Option<Box<Managed>>,
    },
}

/// All that only a login needs, in one box that goes when the login is over.
pub(super) struct Login {
    service: Arc<Service>,
    identity: Identity,
    resource: Box<str>,
    stream: Stream,
    wait: Wait,
    purpose: Purpose,
    authenticated: bool,
    /// What the last features said.
    offered: Offered,
    /// The address, once it is bound and as long as something else is missing.
    address: Box<str>,
    /// The stream to go on with, until the server has gone on with it or refused.
    resumption: Option<Resumption>,
    /// The server's count of it is impossible: it is not to be asked again.
    miscounted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Login,
    Register,
}

#[derive(Clone, Copy, Default)]
struct Offered {
    session: bool,
    management: bool,
}

/// What the login waits for.
///
/// ```text
///   open -> Header -> Features --- TLS agreed ----------> Proceed -> Handshake -> open
///             ^          |  |
///             |          |  +---- an account to make ---> Registration -> Done
///             |          +------- no login yet ---------> Sasl <-> Derivation
///             +--------------------- success ---------------+
///                        |
///                        +--- a stream to resume -> Resumed -> online
///                        |                             | failed
///                        +---------------------------- + --> Bound -> Session -> Enabled -> online
///                                                               each of them if there is need
/// ```
enum Wait {
    Open,
    Header,
    Features,
    Proceed,
    Handshake,
    Sasl(Exchange),
    Derivation(Exchange),
    Registration,
    Done,
    Resumed,
    Bound,
    Session,
    Enabled,
}

impl Login {
    pub(super) fn new(account: Account) -> Self {
        let Account { service, identity, resource } = account;
        Self {
            service,
            identity,
            resource,
            stream: Stream::default(),
            wait: Wait::Open,
            purpose: Purpose::Login,
            authenticated: false,
            offered: Offered::default(),
            address: Box::default(),
            resumption: None,
            miscounted: false,
        }
    }

    pub(super) fn resuming(account: Account, resumption: Resumption) -> Self {
        Self { resumption: Some(resumption), ..Self::new(account) }
    }

    pub(super) fn registering(account: Account) -> Self {
        Self { purpose: Purpose::Register, ..Self::new(account) }
    }

    /// The stream that is still to be gone on with.
    pub(super) fn take_resumption(&mut self) -> Option<Resumption> {
        self.resumption.take_if(|_| !self.miscounted)
    }

    pub(super) fn longest(&self) -> u32 {
        self.service.stanza_max
    }

    /// Whether nothing more is to come that the login needs.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.wait, Wait::Done)
    }

    pub(super) fn open(&mut self, stream: &Stream, out: &mut Vec<u8>) {
        self.stream = *stream;
        self.wait = Wait::Header;
        self.write_header(out);
    }

    /// The bytes that follow are TLS, until the stream is opened again.
    pub(super) fn await_tls(&mut self) {
        self.wait = Wait::Handshake;
    }

    /// Our stream header (RFC 6120 section 4.7).
    pub(super) fn write_header(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<?xml version='1.0'?><stream:stream xmlns='jabber:client'");
        push_attribute("xmlns:stream", STREAMS, out);
        push_attribute("to", &self.service.domain, out);
        // Who comes is nobody's business as long as everybody can read it (section 4.7.1).
        if let Some(name) = self.identity.name().filter(|_| self.stream.encrypted) {
            push_attribute("from", &format!("{name}@{}", self.service.domain), out);
        }
        push_attribute("version", "1.0", out);
        push_attribute("xml:lang", &self.service.language, out);
        out.push(b'>');
    }

    /// The server's stream header (RFC 6120 sections 4.7 and 4.8).
    pub(super) fn header(&mut self, header: Element<'_>) -> Result<(), Violation> {
        if !header.is("stream", STREAMS) {
            return Err(NO_STREAM);
        }
        // The one that everybody uses may be demanded (section 4.8.5).
        if header.prefix() != Some("stream") {
            return Err(OTHER_PREFIX);
        }
        if header.default_namespace() != namespace::STANZAS {
            return Err(OTHER_NAMESPACE);
        }
        let version = header.attribute("version");
        let major = version.as_deref().and_then(|version| version.split_once('.'));
        if !major.is_some_and(|(major, _)| major.parse().is_ok_and(|major: u32| major >= 1)) {
            return Err(OLD);
        }
        self.wait = Wait::Features;
        Ok(())
    }

    /// A whole element, not read yet, if it is one that the service has said before.
    pub(super) fn known<'a>(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Result<Move<'a>, Violation>> {
        let Wait::Features = self.wait else { return None };
        let features = self.service.known.find(bytes)?;
        Some(self.features(&features, out))
    }

    /// A whole element that is no stream error; `None` if it is none of the login.
    pub(super) fn stanza<'a>(
        &mut self,
        element: &Element<'a>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Move<'a>>, Violation> {
        let next = match self.wait {
            Wait::Features if element.is("features", STREAMS) => {
                let features = Features::of(element);
                self.service.known.keep(element, features);
                self.features(&features, out)
            }
            Wait::Features => Err(NO_FEATURES),
            Wait::Proceed if element.is("proceed", namespace::TLS) => Ok(Move::StartTls),
            Wait::Proceed if element.is("failure", namespace::TLS) => Err(TLS_FAILED),
            Wait::Sasl(_) if element.namespace() == namespace::SASL => self.sasl(element, out),
            Wait::Registration => self.registered(element),
            Wait::Resumed if element.is("resumed", namespace::MANAGEMENT) => {
                let resumption = self.resumption.as_mut().ok_or(OUT_OF_TURN)?;
                let managed = Managed::resumed(resumption, element);
                self.miscounted = managed.is_err();
                let managed = managed?;
                Ok(Move::Online { address: None, managed: Some(Box::new(managed)) })
            }
            Wait::Resumed if element.is("failed", namespace::MANAGEMENT) => {
                self.resumption = None;
                Ok(self.bind(out))
            }
            Wait::Bound => self.bound(element, out),
            Wait::Session if bind::answers(element, "session") => self.granted(element, out),
            Wait::Enabled if element.is("enabled", namespace::MANAGEMENT) => {
                let managed = Managed::enabled(element);
                Ok(self.online(Some(Box::new(managed))))
            }
            Wait::Enabled if element.is("failed", namespace::MANAGEMENT) => Ok(self.online(None)),
            Wait::Session | Wait::Enabled => return Ok(None),
            _ => Err(OUT_OF_TURN),
        };
        next.map(Some)
    }

    /// The features of a stream (RFC 6120 section 4.3.2).
    fn features<'a>(
        &mut self,
        features: &Features,
        out: &mut Vec<u8>,
    ) -> Result<Move<'a>, Violation> {
        if self.authenticated {
            return self.after_login(features, out);
        }
        if !self.stream.encrypted {
            match (self.service.tls, features.starttls) {
                (Tls::Off, Some(true)) => return Err(TLS_WANTED),
                (Tls::Off, _) | (Tls::IfOffered, None) => {}
                (Tls::Required | Tls::Direct, None) => return Err(NO_TLS),
                (_, Some(_)) => {
                    send::empty("starttls", namespace::TLS, out);
                    self.wait = Wait::Proceed;
                    return Ok(Move::Event(Event::Login(Phase::Tls)));
                }
            }
        }
        if self.purpose == Purpose::Register {
            return Ok(self.register(out));
        }
        let credentials = self.identity.credentials();
        let (exchange, response) =
            Exchange::begin(self.service.mechanism, features.sasl, &credentials, &self.stream)?;
        let mechanism = exchange.mechanism().name();
        send::open("auth", &[("xmlns", namespace::SASL), ("mechanism", mechanism)], out);
        out.push(b'>');
        // Nothing is not the same as no message (RFC 6120 section 6.4.2).
        out.extend_from_slice(if response.is_empty() { b"=" } else { b"" });
        push_text(&BASE64.encode(response), out);
        out.extend_from_slice(b"</auth>");
        self.wait = Wait::Sasl(exchange);
        Ok(Move::Event(Event::Login(Phase::Sasl)))
    }

    /// The server's side of the login (RFC 6120 section 6.4).
    fn sasl<'a>(
        &mut self,
        element: &Element<'a>,
        out: &mut Vec<u8>,
    ) -> Result<Move<'a>, Violation> {
        let Wait::Sasl(exchange) = &mut self.wait else { return Err(OUT_OF_TURN) };
        match element.name() {
            "challenge" => match exchange.challenge(&decode(element)?)? {
                Reply::Respond(response) => {
                    respond(&response, out);
                    Ok(Move::Quiet)
                }
                Reply::Derive(derive) => {
                    let wait = std::mem::replace(&mut self.wait, Wait::Open);
                    if let Wait::Sasl(exchange) = wait {
                        self.wait = Wait::Derivation(exchange);
                    }
                    Ok(Move::Derive(derive))
                }
            },
            "success" => {
                exchange.success(&decode(element)?)?;
                self.authenticated = true;
                self.wait = Wait::Header;
                Ok(Move::Restart)
            }
            "failure" => {
                let condition = element.children().find(|child| child.name() != "text");
                let name = condition.map_or("", |condition| condition.name());
                Err(Violation { rule: SaslCondition::named(name).rule() })
            }
            _ => Err(OUT_OF_TURN),
        }
    }

    /// The salted password, made into a response.
    pub(super) fn derived(&mut self, key: &[u8], out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.wait, Wait::Open) {
            Wait::Derivation(mut exchange) => {
                respond(&exchange.derived(key), out);
                self.wait = Wait::Sasl(exchange);
            }
            other => self.wait = other,
        }
    }
}

/// The message in a SASL element (RFC 6120 section 6.4.2); `=` is an empty one.
fn decode(element: &Element<'_>) -> Result<Vec<u8>, Violation> {
    let text = element.text();
    match text.trim() {
        "" | "=" => Ok(Vec::new()),
        text => BASE64.decode(text).map_err(|_| NOT_BASE64),
    }
}

fn respond(response: &[u8], out: &mut Vec<u8>) {
    send::open("response", &[("xmlns", namespace::SASL)], out);
    out.push(b'>');
    push_text(&BASE64.encode(response), out);
    out.extend_from_slice(b"</response>");
}
