//! XMPP for the side that accepts: what a server says to a bot until the bot has an address.
//!
//! In scope: streams, STARTTLS, SASL, registration (XEP-0077) before the login, binding, the words
//! of stream management (XEP-0198) and its counts ([`Managed`]). What is said follows Prosody and
//! ejabberd.
//! Out of scope: where stanzas go, and whose streams are resumed. Stanzas are handed out as they
//! came, and [`readdress`], [`answer`] and [`refuse`] write what is made of them.

use std::borrow::Cow;
use std::sync::Arc;

use super::sasl::{Accounts, Offer};
use super::{Stanza, StanzaCondition, namespace};
use crate::xml::{Element, Frame, Framer, end_of_stream, push_attribute};
use crate::{Session, Step, Stream, Violation};

mod login;
mod managed;
#[cfg(test)]
mod tests;
mod write;

use login::{Login, Next};
pub use managed::{Managed, UNACKNOWLEDGED_BYTES_MAX, UNACKNOWLEDGED_MAX};
pub use write::{answer, enabled, readdress, readdress_nameless, refuse, unmanaged};

// One lies in every link, a hundred thousand times.
const _: () = assert!(size_of::<Hosted>() <= 32);

/// The longest stanza that is taken, unless told: Prosody's limit for its users.
pub const STANZA_MAX: u32 = 256 * 1024;

const CUT: Violation = Violation { rule: "the end of the stream in the middle of a stanza" };

/// What all streams of a server share.
pub struct Domain {
    /// Its name: the part of an address behind the `@`.
    pub name: Box<str>,
    /// The mechanisms to log in with; those bound to TLS are only offered over TLS.
    pub mechanisms: Offer,
    /// Whether a stream is changed to TLS (RFC 6120 section 5).
    pub starttls: Starttls,
    /// Whether accounts can be made (XEP-0077).
    pub registration: bool,
    /// The longest stanza.
    pub longest: u32,
    /// The accounts.
    pub directory: Box<dyn Directory>,
}

/// Whether a stream is changed to TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Starttls {
    /// It is not.
    #[default]
    Off,
    /// If the peer wants.
    Offered,
    /// Nobody logs in without.
    Required,
}

/// The accounts of a server, which may change.
pub trait Directory: Accounts + Send + Sync {
    /// Makes an account (XEP-0077 section 3.1).
    fn register(&self, account: &str, password: &str) -> Result<(), StanzaCondition> {
        let _ = (account, password);
        Err(StanzaCondition::ServiceUnavailable)
    }

    /// Removes an account (XEP-0077 section 3.2).
    fn unregister(&self, account: &str) -> Result<(), StanzaCondition> {
        let _ = account;
        Err(StanzaCondition::ServiceUnavailable)
    }
}

/// What a peer said.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// It has an address ([`Hosted::take_address`]) and is a user from now on.
    Bound,
    /// It does not want an address but its stream of this name, of which so many stanzas have come
    /// (XEP-0198 section 5). To be answered by [`Hosted::resume`] or [`Hosted::refuse_resumption`].
    Resume(Cow<'a, str>, u32),
    /// A message.
    Message(Stanza<'a>),
    /// A presence.
    Presence(Stanza<'a>),
    /// A question, an order or an answer.
    Iq(Stanza<'a>),
    /// It wants stanzas to be counted from here on, and its stream to be resumable, if it says so.
    Enable(bool),
    /// How many of its stanzas have come?
    Ask,
    /// So many have come to it.
    Acknowledged(u32),
    /// The stream is over: for this reason if it is ours (RFC 6120 section 4.9.3), which has been
    /// said. The link is to be closed.
    Ended(Option<&'static str>),
}

/// One stream of a server.
///
/// ```text
///   Login (see its own diagram) --bound--> Serving --</stream:stream>--> Over
///    |  ^                                   ^  |                          ^
///    |  | refused                           |  |                          |
///    +--+----> Resuming ------ granted -----+  |                          |
///    |            |                            |                          |
///    +------------+---------- fault -----------+--------------------------+
/// ```
pub struct Hosted {
    domain: Arc<Domain>,
    /// What is only needed until the address has been asked for.
    login: Option<Box<Login>>,
    /// How many bytes at the front of the input the framer has seen.
    scanned: u32,
    framer: Framer,
    state: State,
    closed: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Login,
    Resuming,
    Serving,
    Over,
}

impl Hosted {
    /// A stream that begins.
    pub fn new(domain: Arc<Domain>) -> Self {
        Self {
            domain,
            login: Some(Box::default()),
            scanned: 0,
            framer: Framer::new(),
            state: State::Login,
            closed: false,
        }
    }

    /// The full address of the peer, once, after [`Event::Bound`].
    pub fn take_address(&mut self) -> Option<Box<str>> {
        let login = self.login.take_if(|_| self.state == State::Serving);
        login.map(|login| login.into_address())
    }

    /// The bare address of a peer that has logged in and has no full one.
    pub fn account(&self) -> Option<String> {
        let login = self.login.as_ref().filter(|login| login.is_binding())?;
        Some(format!("{}@{}", login.account(), self.domain.name))
    }

    /// The stream that the peer wants to go on with does so over this link. What says so and the
    /// stanzas that did not come are the caller's to write ([`Managed::resume`]).
    pub fn resume(&mut self) {
        if self.state == State::Resuming {
            (self.state, self.login) = (State::Serving, None);
        }
    }

    /// The stream that the peer wants to go on with is not there: it can ask for an address.
    pub fn refuse_resumption(&mut self, out: &mut Vec<u8>) {
        if self.state == State::Resuming {
            self.state = State::Login;
            unmanaged(StanzaCondition::ItemNotFound, out);
        }
    }

    /// Ends the stream for a reason (RFC 6120 section 4.9.3). The link is to be closed behind it.
    pub fn fail(&mut self, condition: &'static str, out: &mut Vec<u8>) {
        if self.closed {
            return;
        }
        if let Some(login) = self.login.as_mut().filter(|_| self.state == State::Login) {
            login.header_if_none(&self.domain, out);
        }
        out.extend_from_slice(b"<stream:error><");
        out.extend_from_slice(condition.as_bytes());
        push_attribute("xmlns", namespace::STREAM_ERRORS, out);
        out.extend_from_slice(b"/></stream:error>");
        self.end(out);
        self.state = State::Over;
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.closed, true) {
            out.extend_from_slice(b"</stream:stream>");
        }
    }

    fn fault<'a>(&mut self, used: usize, why: &'static str, out: &mut Vec<u8>) -> Step<Event<'a>> {
        self.fail(why, out);
        Step::Event(used, Event::Ended(Some(why)))
    }

    /// One whole unit, `used` bytes of the input.
    fn unit<'a>(
        &mut self,
        frame: Frame,
        bytes: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<Step<Event<'a>>, Violation> {
        let used = bytes.len();
        let login = self.login.as_mut().filter(|_| self.state == State::Login);
        match (frame, login) {
            (Frame::KeepAlive(_), _) => Ok(Step::Quiet(used)),
            (Frame::Opened(_), Some(login)) => {
                let next = login.header(Element::header(bytes)?, &self.domain, out);
                Ok(self.go(next, used, out))
            }
            (Frame::Closed(_), _) => {
                end_of_stream(bytes, "stream:stream")?;
                self.end(out);
                self.state = State::Over;
                Ok(Step::Event(used, Event::Ended(None)))
            }
            (_, Some(login)) => {
                let element = Element::parse(bytes, namespace::STANZAS)?;
                element.verify()?;
                if login.is_binding() && element.is("resume", namespace::MANAGEMENT) {
                    return Ok(self.asked_to_resume(&element, used, out));
                }
                let next = login.stanza(element, &self.domain, out);
                Ok(self.go(next, used, out))
            }
            _ if self.state == State::Resuming => Ok(self.fault(used, "not-authorized", out)),
            _ => self.stanza(Element::parse(bytes, namespace::STANZAS)?, used, out),
        }
    }

    fn go<'a>(&mut self, next: Next, used: usize, out: &mut Vec<u8>) -> Step<Event<'a>> {
        match next {
            Next::Quiet => Step::Quiet(used),
            Next::StartTls => {
                self.framer = Framer::new();
                Step::StartTls(used)
            }
            Next::Derive(derive) => Step::Derive(used, derive),
            Next::Restart => {
                self.framer = Framer::new();
                Step::Quiet(used)
            }
            Next::Bound => {
                self.state = State::Serving;
                Step::Event(used, Event::Bound)
            }
            Next::Fault(why) => self.fault(used, why, out),
        }
    }

    /// A stanza of a user.
    fn stanza<'a>(
        &mut self,
        element: Element<'a>,
        used: usize,
        out: &mut Vec<u8>,
    ) -> Result<Step<Event<'a>>, Violation> {
        element.verify()?;
        let stanza = Stanza(element);
        let event = match (element.namespace(), element.name()) {
            (namespace::STANZAS, "message") => Event::Message(stanza),
            (namespace::STANZAS, "presence") => Event::Presence(stanza),
            (namespace::STANZAS, "iq") => Event::Iq(stanza),
            (namespace::MANAGEMENT, "enable") => {
                Event::Enable(matches!(element.attribute("resume").as_deref(), Some("true" | "1")))
            }
            (namespace::MANAGEMENT, "r") => Event::Ask,
            (namespace::MANAGEMENT, "a") => match count(&element) {
                Some(count) => Event::Acknowledged(count),
                None => return Ok(self.fault(used, "undefined-condition", out)),
            },
            (namespace::MANAGEMENT, _) => {
                unmanaged(StanzaCondition::UnexpectedRequest, out);
                return Ok(Step::Quiet(used));
            }
            _ => return Ok(self.fault(used, "unsupported-stanza-type", out)),
        };
        Ok(Step::Event(used, event))
    }

    fn asked_to_resume<'a>(
        &mut self,
        element: &Element<'a>,
        used: usize,
        out: &mut Vec<u8>,
    ) -> Step<Event<'a>> {
        match (element.attribute("previd"), count(element)) {
            (Some(previous), Some(count)) => {
                self.state = State::Resuming;
                Step::Event(used, Event::Resume(previous, count))
            }
            _ => {
                unmanaged(StanzaCondition::BadRequest, out);
                Step::Quiet(used)
            }
        }
    }
}

/// How many stanzas have come, as the peer says.
fn count(element: &Element<'_>) -> Option<u32> {
    element.attribute("h")?.parse().ok()
}

impl Session for Hosted {
    type Event<'a> = Event<'a>;

    fn open(&mut self, stream: &Stream, _: &mut Vec<u8>) {
        self.framer = Framer::new();
        self.scanned = 0;
        if let Some(login) = self.login.as_mut().filter(|_| self.state == State::Login) {
            login.open(stream);
        }
    }

    fn receive<'a>(
        &mut self,
        input: &'a [u8],
        ended: bool,
        out: &mut Vec<u8>,
    ) -> Result<Step<Event<'a>>, Violation> {
        if self.state == State::Over {
            return Ok(Step::Quiet(input.len())); // whatever it is, it comes too late
        }
        let scanned = (self.scanned as usize).min(input.len());
        let step = match self.framer.scan(&input[scanned..]) {
            Ok(Frame::Partial) if input.len() > self.domain.longest as usize => {
                Ok(self.fault(input.len(), "policy-violation", out))
            }
            Ok(Frame::Partial) if ended && !self.framer.is_between() => return Err(CUT),
            Ok(Frame::Partial) => {
                self.scanned = input.len() as u32; // no longer than the longest stanza
                return Ok(Step::Partial);
            }
            Ok(frame) => {
                let end = scanned + frame.end();
                self.scanned = 0;
                if end > self.domain.longest as usize {
                    Ok(self.fault(end, "policy-violation", out))
                } else {
                    self.unit(frame, &input[..end], out)
                }
            }
            Err(violation) => Err(violation),
        };
        // Who breaks XML is told which rule, like everybody else.
        step.or_else(|violation| Ok(self.fault(input.len(), write::named(violation.rule), out)))
    }

    fn derived(&mut self, key: &[u8], out: &mut Vec<u8>) {
        let login = self.login.as_mut().filter(|_| self.state == State::Login);
        if login.is_some_and(|login| login.derived(key, out)) {
            self.framer = Framer::new();
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let silent = self.login.as_ref().is_some_and(|login| !login.opened());
        if !silent || self.state != State::Login {
            self.end(out);
        }
        self.state = State::Over;
    }
}
