//! The negotiation of a stream, from the accepting side.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Domain, Starttls, write};
use crate::xml::{Element, push_attribute, push_text};
use crate::xmpp::sasl::{Acceptance, Answer, BINDING, SaslError, condition, prepared};
use crate::xmpp::{Stanza, namespace};
use crate::{Derive, Stream};

/// Logins that may fail on one stream: RFC 6120 section 6.4.5 asks for two to five.
const FAILURES_MAX: u8 = 5;
/// The longest resource, in bytes (RFC 7622 section 3.4).
const RESOURCE_MAX: usize = 1023;

/// What follows from a unit.
pub(super) enum Next {
    Quiet,
    StartTls,
    Derive(Derive),
    /// A new header comes.
    Restart,
    /// It has an address.
    Bound,
    /// The stream cannot go on.
    Fault(&'static str),
}

/// Where a negotiation is.
///
/// ```text
///             +---------- starttls, then the stream is open anew ----------+
///             v                                                            |
///   New --header--> Offered --auth--> Proving --right--> Known             |
///                    |  ^ |              |                 | header        |
///                    |  | +--------------|-----------------|---------------+
///                    |  +----- wrong ----+                 v
///                    +---> (fault)                       Binding --bind--> (a user)
/// ```
#[derive(Default)]
enum Stage {
    #[default]
    New,
    Offered,
    Proving(Box<Acceptance>),
    Known,
    Binding,
}

/// A negotiation. Lives until the peer has an address.
#[derive(Default)]
pub(super) struct Login {
    stage: Stage,
    stream: Stream,
    /// Our header is out.
    opened: bool,
    failures: u8,
    account: Box<str>,
    /// The full address, when it is given.
    address: Box<str>,
}

impl Login {
    pub(super) fn into_address(self) -> Box<str> {
        self.address
    }

    /// Whether it has proved who it is, and an address is all that is missing.
    pub(super) const fn is_binding(&self) -> bool {
        matches!(self.stage, Stage::Binding)
    }

    /// Whose login it is.
    pub(super) fn account(&self) -> &str {
        &self.account
    }

    /// The byte stream is up.
    pub(super) fn open(&mut self, stream: &Stream) {
        *self = Self { stream: *stream, failures: self.failures, ..Self::default() };
    }

    pub(super) const fn opened(&self) -> bool {
        self.opened
    }

    /// Says our header, which has to come even before a fault.
    pub(super) fn header_if_none(&mut self, domain: &Domain, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.opened, true) {
            return;
        }
        out.extend_from_slice(b"<?xml version='1.0'?><stream:stream");
        push_attribute("xmlns", namespace::STANZAS, out);
        push_attribute("xmlns:stream", crate::xml::STREAMS, out);
        push_attribute("from", &domain.name, out);
        let id = STANDARD.encode(self.stream.seed);
        let stage = if matches!(self.stage, Stage::Known) { "b" } else { "a" };
        push_attribute("id", &format!("{id}{stage}"), out);
        out.extend_from_slice(b" version='1.0' xml:lang='en'>");
    }

    /// The peer's header.
    pub(super) fn header(
        &mut self,
        header: Element<'_>,
        domain: &Domain,
        out: &mut Vec<u8>,
    ) -> Next {
        self.header_if_none(domain, out);
        if !header.is("stream", crate::xml::STREAMS) || header.prefix() != Some("stream") {
            return Next::Fault("invalid-namespace");
        }
        if header.default_namespace() != namespace::STANZAS {
            return Next::Fault("invalid-namespace");
        }
        let [to, version] = header.attributes(["to", "version"]);
        if to.is_some_and(|to| to != *domain.name) {
            return Next::Fault("host-unknown");
        }
        if version.is_none_or(|version| !version.starts_with("1.")) {
            return Next::Fault("unsupported-version");
        }
        out.extend_from_slice(b"<stream:features>");
        if matches!(self.stage, Stage::Known) {
            write::empty("bind", namespace::BIND, out);
            out.extend_from_slice(b"<session xmlns='urn:ietf:params:xml:ns:xmpp-session'>");
            out.extend_from_slice(b"<optional/></session>");
            write::empty("sm", namespace::MANAGEMENT, out);
            self.stage = Stage::Binding;
        } else {
            self.offer(domain, out);
            self.stage = Stage::Offered;
        }
        out.extend_from_slice(b"</stream:features>");
        Next::Quiet
    }

    fn offer(&self, domain: &Domain, out: &mut Vec<u8>) {
        let secured = self.stream.encrypted;
        if !secured && domain.starttls != Starttls::Off {
            out.extend_from_slice(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>");
            if domain.starttls == Starttls::Required {
                out.extend_from_slice(b"<required/></starttls>");
                return;
            }
            out.extend_from_slice(b"</starttls>");
        }
        out.extend_from_slice(b"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>");
        let offer = domain.mechanisms.over(&self.stream);
        for name in offer.names() {
            out.extend_from_slice(b"<mechanism>");
            push_text(name, out);
            out.extend_from_slice(b"</mechanism>");
        }
        out.extend_from_slice(b"</mechanisms>");
        if offer.binds() {
            out.extend_from_slice(
                b"<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding",
            );
            push_attribute("type", BINDING, out);
            out.extend_from_slice(b"/></sasl-channel-binding>");
        }
        if domain.registration {
            write::empty("register", "http://jabber.org/features/iq-register", out);
        }
    }

    /// A unit behind a header.
    pub(super) fn stanza(
        &mut self,
        element: Element<'_>,
        domain: &Domain,
        out: &mut Vec<u8>,
    ) -> Next {
        let insecure = !self.stream.encrypted;
        let usable = !(insecure && domain.starttls == Starttls::Required);
        match (&mut self.stage, element.namespace(), element.name()) {
            (Stage::Offered, namespace::TLS, "starttls") => {
                if !insecure || domain.starttls == Starttls::Off {
                    write::empty("failure", namespace::TLS, out);
                    return Next::Fault("unsupported-feature");
                }
                write::empty("proceed", namespace::TLS, out);
                Next::StartTls
            }
            (Stage::Offered, namespace::SASL, "auth") if usable => self.auth(&element, domain, out),
            (Stage::Offered, namespace::SASL, "auth") => {
                self.failed(condition::ENCRYPTION_REQUIRED, out)
            }
            (Stage::Proving(_), namespace::SASL, "abort") => self.failed(condition::ABORTED, out),
            (Stage::Proving(acceptance), namespace::SASL, "response") => {
                let heard = decode(&element.text());
                let said = heard.and_then(|heard| acceptance.response(&heard, &*domain.directory));
                self.said(said, out)
            }
            (Stage::Offered, namespace::STANZAS, "iq") if usable && domain.registration => {
                register(&Stanza(element), domain, out);
                Next::Quiet
            }
            (Stage::Binding, namespace::STANZAS, "iq") => self.bind(&Stanza(element), domain, out),
            _ => Next::Fault("not-authorized"),
        }
    }

    fn auth(&mut self, element: &Element<'_>, domain: &Domain, out: &mut Vec<u8>) -> Next {
        let mechanism = element.attribute("mechanism").unwrap_or_default();
        let text = element.text();
        let first = match text.trim() {
            "" => Ok(None),
            "=" => Ok(Some(Vec::new())),
            text => decode(text).map(Some),
        };
        let offer = domain.mechanisms.over(&self.stream);
        let begun = first.and_then(|first| {
            let directory = &*domain.directory;
            Acceptance::begin(&mechanism, first.as_deref(), offer, &self.stream, directory)
        });
        let said = begun.map(|(acceptance, answer)| {
            self.stage = Stage::Proving(Box::new(acceptance));
            answer
        });
        self.said(said, out)
    }

    /// The derived key; whether a new header comes.
    pub(super) fn derived(&mut self, key: &[u8], out: &mut Vec<u8>) -> bool {
        let Stage::Proving(acceptance) = &mut self.stage else { return false };
        let said = acceptance.derived(key);
        matches!(self.said(said, out), Next::Restart)
    }

    fn said(&mut self, said: Result<Answer, SaslError>, out: &mut Vec<u8>) -> Next {
        let (name, message, next) = match said {
            Ok(Answer::Derive(derive)) => return Next::Derive(derive),
            Ok(Answer::Challenge(message)) => ("challenge", Some(message), Next::Quiet),
            Ok(Answer::Success(message)) => {
                if let Stage::Proving(acceptance) = &self.stage {
                    self.account = acceptance.account().into();
                }
                (self.stage, self.opened) = (Stage::Known, false);
                ("success", message, Next::Restart)
            }
            Err(error) => return self.failed(error.condition, out),
        };
        let text = STANDARD.encode(message.unwrap_or_default());
        out.extend_from_slice(
            format!("<{name} xmlns='{}'>{text}</{name}>", namespace::SASL).as_bytes(),
        );
        next
    }

    fn failed(&mut self, condition: &'static str, out: &mut Vec<u8>) -> Next {
        out.extend_from_slice(
            format!("<failure xmlns='{}'><{condition}/></failure>", namespace::SASL).as_bytes(),
        );
        self.stage = Stage::Offered;
        self.failures += 1;
        if self.failures < FAILURES_MAX { Next::Quiet } else { Next::Fault("policy-violation") }
    }

    /// Gives the peer its address (RFC 6120 section 7): with the resource it asks for, if any.
    fn bind(&mut self, iq: &Stanza<'_>, domain: &Domain, out: &mut Vec<u8>) -> Next {
        let wish = iq.element().child("bind", namespace::BIND);
        let Some(wish) = wish.filter(|_| iq.element().attribute_is("type", "set")) else {
            return Next::Fault("not-authorized");
        };
        let asked = wish.child("resource", namespace::BIND).map(|resource| resource.text());
        let usable = |resource: &str| resource.len() <= RESOURCE_MAX && prepared(resource).is_ok();
        let resource = match asked.filter(|resource| !resource.is_empty()) {
            Some(resource) if usable(&resource) => resource.into_owned(),
            Some(_) => {
                super::refuse(iq, crate::xmpp::StanzaCondition::BadRequest, out);
                return Next::Quiet;
            }
            None => self.stream.seed.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let address = format!("{}@{}/{resource}", self.account, domain.name);
        super::answer(iq, out, |out| {
            out.extend_from_slice(b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>");
            push_text(&address, out);
            out.extend_from_slice(b"</jid></bind>");
        });
        self.address = address.into();
        Next::Bound
    }
}

fn decode(text: &str) -> Result<Vec<u8>, SaslError> {
    let wrong = SaslError { condition: condition::INCORRECT_ENCODING, rule: "bad base64" };
    match text.trim() {
        "=" => Ok(Vec::new()),
        text => STANDARD.decode(text).map_err(|_| wrong),
    }
}

/// Registration by somebody who has no account yet (XEP-0077 section 3.1).
fn register(iq: &Stanza<'_>, domain: &Domain, out: &mut Vec<u8>) {
    use crate::xmpp::StanzaCondition as C;
    let Some(query) = iq.element().child("query", namespace::REGISTER) else {
        return super::refuse(iq, C::NotAllowed, out);
    };
    if iq.element().attribute_is("type", "get") {
        return super::answer(iq, out, |out| {
            out.extend_from_slice(b"<query xmlns='jabber:iq:register'><instructions>");
            out.extend_from_slice(b"Choose a username and password</instructions>");
            out.extend_from_slice(b"<username/><password/></query>");
        });
    }
    let field = |name| query.child(name, namespace::REGISTER).map(|field| field.text());
    let made = match (field("username"), field("password")) {
        (Some(account), Some(password)) if plain(&account) && prepared(&password).is_ok() => {
            domain.directory.register(&account, &password)
        }
        _ => Err(C::NotAcceptable),
    };
    match made {
        Ok(()) => super::answer(iq, out, |_| {}),
        Err(condition) => super::refuse(iq, condition, out),
    }
}

/// Whether a text can be the part of an address before the `@` (RFC 7622 section 3.3).
fn plain(account: &str) -> bool {
    prepared(account).is_ok() && !account.contains(['"', '&', '\'', '/', ':', '<', '>', '@', ' '])
}
