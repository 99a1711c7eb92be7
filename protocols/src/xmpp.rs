//! XMPP (RFC 6120, 6121, 7590) for the side that dials.
//!
//! In scope: the stream and its negotiation (STARTTLS, SASL, binding, stream management), stanzas
//! in and out, the answers that every server expects, the limits that keep a hostile one harmless.
//! Out of scope: what to do about stanzas, retries, timeouts, going to another host.
//!
//! A login is told as it goes on, so that each of its phases can be timed:
//!
//! ```
//! use std::sync::Arc;
//! use densebots_protocols::xmpp::{Account, Event, Identity, Phase, Service, Tls, Xmpp};
//! use densebots_protocols::{Session, Step, Stream};
//!
//! let service = Arc::new(Service { tls: Tls::Off, ..Service::new("example.org") });
//! let identity = Identity::password("juliet", "r0m30myr0m30")?;
//! let account = Account { service, identity, resource: "balcony".into() };
//! let mut session = Xmpp::new(account);
//! let mut out = Vec::new();
//! session.open(&Stream::default(), &mut out);
//! assert!(out.starts_with(b"<?xml version='1.0'?><stream:stream "));
//!
//! let header = b"<stream:stream xmlns='jabber:client' version='1.0' id='1' \
//!                xmlns:stream='http://etherx.jabber.org/streams'>";
//! let features = b"<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
//!                  <mechanism>PLAIN</mechanism></mechanisms></stream:features>";
//! assert!(matches!(session.receive(header, false, &mut out)?, Step::Quiet(_)));
//! let step = session.receive(features, false, &mut out)?;
//! assert!(matches!(step, Step::Event(_, Event::Login(Phase::Sasl))));
//! assert!(out.ends_with(b"mechanism='PLAIN'>AGp1bGlldAByMG0zMG15cjBtMzA=</auth>"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::borrow::Cow;

use crate::xml::{Frame, Framer};
use crate::{Session, Step, Stream, Violation};

mod account;
mod conditions;
mod counts;
mod login;
mod managed;
pub mod namespace;
pub mod sasl;
mod send;
pub mod server;
mod stanza;
#[cfg(test)]
mod tests;
mod units;

pub use account::{Account, Identity, Management, STANZA_MAX, Service, Tls};
pub use conditions::{Remedy, SaslCondition, StanzaCondition, StreamCondition};
pub use login::KnownFeatures;
pub use managed::Resumption;
pub use send::{History, Subscription};
pub use stanza::{
    Kind, Muc, Removal, STATUS_AFFILIATION, STATUS_BANNED, STATUS_CREATED, STATUS_FAULT,
    STATUS_KICKED, STATUS_MEMBERS_ONLY, STATUS_NICK, STATUS_RENAMED, STATUS_SELF, STATUS_SHUTDOWN,
    Stanza, StanzaError, StreamError,
};

use login::Login;
use managed::Managed;

// One lies in every link, a hundred thousand times.
const _: () = assert!(size_of::<Xmpp>() <= 48);

const TOO_LONG: Violation = Violation { rule: "a stanza over the limit (policy-violation)" };
const CUT: Violation = Violation { rule: "the end of the stream in the middle of a stanza" };
const CUT_LOGIN: Violation = Violation { rule: "the end of the stream in the middle of the login" };

/// What the server said.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The login has entered this phase. The first one, up to the stream's features, begins when
    /// the byte stream is up, and needs no event.
    Login(Phase),
    /// The account was made, or not, where that was the purpose (XEP-0077).
    Registered(Result<(), StanzaCondition>),
    /// The login is over: stanzas can be sent.
    Online {
        /// The full address that the server gave; `None` if a stream was resumed, which keeps it.
        address: Option<Cow<'a, str>>,
    },
    /// A message.
    Message(Stanza<'a>),
    /// A presence.
    Presence(Stanza<'a>),
    /// An answer to an iq. Questions and orders are answered by the session itself.
    Iq(Stanza<'a>),
    /// The server acknowledged stanzas (XEP-0198): so many are still without acknowledgement.
    Acknowledged(usize),
    /// The server ends the stream for a reason. What follows, at the latest the end of the byte
    /// stream, breaks the link with that condition.
    StreamError(StreamError<'a>),
    /// The server ends the stream without a reason.
    Closed,
}

/// A phase of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// From the stream header to the features (RFC 6120 section 4.3).
    Stream,
    /// From the wish for TLS to the byte stream over it (RFC 6120 section 5).
    Tls,
    /// From the choice of a mechanism to the success (RFC 6120 section 6). With SCRAM this
    /// includes the derivation, which whoever does it can time.
    Sasl,
    /// From the wish for a resource to the address (RFC 6120 section 7).
    Bind,
    /// From the wish for a session to its grant: only for servers that require it (RFC 3921).
    Session,
    /// From the wish for stream management to its grant (XEP-0198 section 3).
    Management,
    /// From the wish to resume a stream to its grant (XEP-0198 section 5).
    Resume,
    /// From the wish for an account to the answer (XEP-0077).
    Register,
}

/// One stream to a server, from the dialling side.
///
/// ```text
///          open                                        features, login over
///   Login ------> Login (see its own diagram) ----------------------------> Online, Managed
///     |                                                                          |
///     | stream error                                                stream error |
///     +------------------------> Ending <----------------------------------------+
///                                  | anything, or the end
///                                  v
///                               violation
/// ```
pub struct Xmpp {
    framer: Framer,
    /// How many bytes at the front of the input the framer has seen.
    scanned: u32,
    /// The longest stanza.
    longest: u32,
    /// Our stream header is out.
    opened: bool,
    /// Our end of the stream is out.
    closed: bool,
    /// Messages are dropped without a look.
    discarding: bool,
    state: State,
}

enum State {
    Login(Box<Login>),
    Online,
    /// Online, and what was sent and received is counted (XEP-0198).
    Managed(Box<Managed>),
    /// The server ended the stream for this reason. If that was a login that should have gone on
    /// with another stream, that one can still be gone on with.
    Ending(StreamCondition, Option<Box<Resumption>>),
}

impl Xmpp {
    /// A session that logs in.
    pub fn new(account: Account) -> Self {
        Self::with(Login::new(account))
    }

    /// A session that goes on with a stream that was lost, if the server lets it, and logs in
    /// anew if not (XEP-0198 section 5).
    pub fn resuming(account: Account, resumption: Resumption) -> Self {
        Self::with(Login::resuming(account, resumption))
    }

    /// A session that makes the account instead of logging in (XEP-0077 section 3.1): it hears
    /// [`Event::Registered`] and is then of no more use. The account's identity has to be a name
    /// and a password.
    pub fn registering(account: Account) -> Self {
        Self::with(Login::registering(account))
    }

    fn with(login: Login) -> Self {
        Self {
            framer: Framer::new(),
            scanned: 0,
            longest: login.longest(),
            opened: false,
            closed: false,
            discarding: false,
            state: State::Login(Box::new(login)),
        }
    }

    /// Whether messages are from now on dropped without a look at them: for bots that make load
    /// and do not measure. They are framed and counted, nothing else; refused messages too.
    pub fn discard_messages(&mut self, discard: bool) {
        self.discarding = discard;
    }

    /// Whether the login is over and the stream has not ended.
    pub fn is_online(&self) -> bool {
        matches!(self.state, State::Online | State::Managed(_)) && !self.closed
    }

    /// What is needed to go on with this stream after its connection was lost (XEP-0198 section
    /// 5), if that was agreed on; or with the one that this login was to go on with, as long as
    /// the server has not refused. The session is of no more use for it afterwards.
    pub fn take_resumption(&mut self) -> Option<Resumption> {
        match &mut self.state {
            State::Managed(managed) if !self.closed => managed.resumption(),
            State::Login(login) => login.take_resumption(),
            State::Ending(_, resumption) => resumption.take().map(|resumption| *resumption),
            _ => None,
        }
    }

    /// Appends a stanza, and keeps it until it is acknowledged where that was agreed on.
    fn write(&mut self, out: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>)) {
        let from = out.len();
        append(out);
        if let State::Managed(managed) = &mut self.state {
            managed.sent(from, out);
        }
    }

    /// Says our end of the stream, once.
    fn end(&mut self, out: &mut Vec<u8>) {
        if self.opened && !self.closed {
            out.extend_from_slice(b"</stream:stream>");
        }
        self.closed = true;
    }
}

impl Session for Xmpp {
    type Event<'a> = Event<'a>;

    fn open(&mut self, stream: &Stream, out: &mut Vec<u8>) {
        self.framer = Framer::new();
        self.scanned = 0;
        if let State::Login(login) = &mut self.state {
            self.opened = true;
            login.open(stream, out);
        }
    }

    fn receive<'a>(
        &mut self,
        input: &'a [u8],
        ended: bool,
        out: &mut Vec<u8>,
    ) -> Result<Step<Event<'a>>, Violation> {
        // One byte more than the longest unit is enough to see that one is longer.
        let window = input.len().min((self.longest as usize).saturating_add(1));
        let seen = (self.scanned as usize).min(window);
        let mut framer = self.framer;
        let frame = framer.scan(&input[seen..window])?;
        let used = match frame {
            Frame::Partial if window > self.longest as usize => return Err(TOO_LONG),
            Frame::Partial => {
                (self.framer, self.scanned) = (framer, window as u32); // at most the limit
                return match self.state {
                    State::Ending(condition, _) if ended => {
                        Err(Violation { rule: condition.rule() })
                    }
                    _ if ended && !framer.is_between() => Err(CUT),
                    State::Login(ref login) if ended && !login.is_done() => Err(CUT_LOGIN),
                    _ => Ok(Step::Partial),
                };
            }
            Frame::KeepAlive(end)
            | Frame::Opened(end)
            | Frame::Stanza(end)
            | Frame::Closed(end) => seen + end,
        };
        if used > self.longest as usize {
            return Err(TOO_LONG);
        }
        let before = (self.framer, self.scanned);
        (self.framer, self.scanned) = (framer, 0);
        let step = self.unit(frame, input, used, out);
        if step.is_err() {
            (self.framer, self.scanned) = before; // the same input breaks the same rule again
        }
        step
    }

    fn derived(&mut self, key: &[u8], out: &mut Vec<u8>) {
        if let State::Login(login) = &mut self.state {
            login.derived(key, out);
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.end(out);
    }
}
