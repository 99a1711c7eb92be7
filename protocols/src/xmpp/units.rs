//! What a session makes of the units of its stream.

use super::login::Move;
use super::{CUT_LOGIN, Event, Kind, Phase, Stanza, State, StreamError, Xmpp, namespace, send};
use crate::xml::{self, Element, Frame, Framer, STREAMS, push_attribute};
use crate::{Step, Violation};

const PREFIXED: Violation =
    Violation { rule: "a stanza with a namespace prefix (bad-namespace-prefix)" };
const UNKNOWN: Violation =
    Violation { rule: "a stanza of an unknown kind (unsupported-stanza-type)" };
const PLAIN_AFTER_PROCEED: Violation =
    Violation { rule: "plaintext after the agreement on TLS (policy-violation)" };

impl Xmpp {
    /// One whole unit, `used` bytes of the input.
    pub(super) fn unit<'a>(
        &mut self,
        frame: Frame,
        input: &'a [u8],
        used: usize,
        out: &mut Vec<u8>,
    ) -> Result<Step<Event<'a>>, Violation> {
        let bytes = &input[..used];
        match (frame, &mut self.state) {
            (Frame::KeepAlive(_), _) => Ok(Step::Quiet(used)),
            (_, State::Ending(condition, _)) => Err(Violation { rule: condition.rule() }),
            (Frame::Opened(_), State::Login(login)) => {
                login.header(Element::header(bytes)?)?;
                Ok(Step::Quiet(used))
            }
            (Frame::Closed(_), _) => {
                xml::end_of_stream(bytes, "stream:stream")?;
                if matches!(&self.state, State::Login(login) if !login.is_done()) && !self.closed {
                    return Err(CUT_LOGIN);
                }
                self.end(out);
                Ok(Step::Event(used, Event::Closed))
            }
            (_, State::Online | State::Managed(_)) if self.discarding && is_message(bytes) => {
                self.count();
                Ok(Step::Quiet(used))
            }
            (_, state) => {
                if let State::Login(login) = state
                    && let Some(next) = login.known(bytes, out)
                {
                    return self.go(next?, input, used, out);
                }
                let element = Element::parse(bytes, namespace::STANZAS)?;
                if element.is("error", STREAMS) {
                    return Ok(self.stream_error(element, used, out));
                }
                if let State::Login(login) = &mut self.state {
                    element.verify()?;
                    if let Some(next) = login.stanza(&element, out)? {
                        return self.go(next, input, used, out);
                    }
                }
                self.stanza(element, used, out)
            }
        }
    }

    /// What the login makes of a stanza.
    fn go<'a>(
        &mut self,
        next: Move<'a>,
        input: &'a [u8],
        used: usize,
        out: &mut Vec<u8>,
    ) -> Result<Step<Event<'a>>, Violation> {
        Ok(match next {
            Move::Quiet => Step::Quiet(used),
            Move::Event(event) => Step::Event(used, event),
            Move::Derive(derive) => Step::Derive(used, derive),
            Move::StartTls if input.len() > used => return Err(PLAIN_AFTER_PROCEED),
            Move::StartTls => {
                self.opened = false;
                self.framer = Framer::new();
                if let State::Login(login) = &mut self.state {
                    login.await_tls();
                }
                Step::StartTls(used)
            }
            Move::Restart => {
                self.framer = Framer::new();
                if let State::Login(login) = &self.state {
                    login.write_header(out);
                }
                Step::Event(used, Event::Login(Phase::Stream))
            }
            Move::Online { address, managed } => {
                self.state = match managed {
                    Some(managed) => {
                        managed.repeat(out);
                        State::Managed(managed)
                    }
                    None => State::Online,
                };
                Step::Event(used, Event::Online { address })
            }
        })
    }

    /// A stanza that is none of the login.
    fn stanza<'a>(
        &mut self,
        element: Element<'a>,
        used: usize,
        out: &mut Vec<u8>,
    ) -> Result<Step<Event<'a>>, Violation> {
        if element.prefix().is_some() {
            return Err(PREFIXED);
        }
        let stanza = Stanza(element);
        let event = match (element.namespace(), element.name()) {
            (namespace::STANZAS, "message") => Event::Message(stanza),
            (namespace::STANZAS, "presence") => Event::Presence(stanza),
            (namespace::STANZAS, "iq") => Event::Iq(stanza),
            (namespace::MANAGEMENT, name) => {
                let State::Managed(managed) = &mut self.state else { return Err(UNKNOWN) };
                return match name {
                    "r" => {
                        managed.acknowledge(out);
                        Ok(Step::Quiet(used))
                    }
                    "a" => {
                        Ok(Step::Event(used, Event::Acknowledged(managed.acknowledged(&element)?)))
                    }
                    _ => Err(UNKNOWN),
                };
            }
            _ => return Err(UNKNOWN),
        };
        self.count();
        if matches!(event, Event::Iq(_)) && !matches!(stanza.kind(), Kind::Result | Kind::Error) {
            self.answer(&stanza, out);
            return Ok(Step::Quiet(used));
        }
        Ok(Step::Event(used, event))
    }

    /// Answers a question or an order, as every entity has to (RFC 6120 section 8.2.3).
    fn answer(&mut self, iq: &Stanza<'_>, out: &mut Vec<u8>) {
        let payload = iq.payload();
        let granted = payload.is_some_and(|payload| match iq.kind() {
            Kind::Get => payload.is("ping", namespace::PING),
            // A change of the roster (RFC 6121 section 2.1.6) is heard and not kept.
            Kind::Set => payload.is("query", namespace::ROSTER),
            _ => false,
        });
        let [from, id] = iq.element().attributes(["from", "id"]);
        self.write(out, |out| {
            let kind = if granted { "result" } else { "error" };
            send::open("iq", &[("type", kind)], out);
            push_attribute("id", &id.unwrap_or_default(), out);
            if let Some(from) = from {
                push_attribute("to", &from, out);
            }
            out.extend_from_slice(match granted {
                true => b"/>",
                false => {
                    b"><error type='cancel'><service-unavailable \
                    xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
                }
            });
        });
    }

    fn stream_error<'a>(
        &mut self,
        element: Element<'a>,
        used: usize,
        out: &mut Vec<u8>,
    ) -> Step<Event<'a>> {
        let error = StreamError(element);
        self.end(out);
        let resumption = match &mut self.state {
            State::Login(login) => login.take_resumption().map(Box::new),
            _ => None, // what is closed for a reason is over (XEP-0198 section 5)
        };
        self.state = State::Ending(error.condition(), resumption);
        Step::Event(used, Event::StreamError(error))
    }

    /// Counts a stanza that came in, where that was agreed on.
    fn count(&mut self) {
        if let State::Managed(managed) = &mut self.state {
            managed.received();
        }
    }
}

/// Whether a unit is a message, by its first bytes.
fn is_message(bytes: &[u8]) -> bool {
    let name_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>');
    bytes.strip_prefix(b"<message").and_then(|rest| rest.first()).is_some_and(name_end)
}
