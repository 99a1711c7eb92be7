//! Whom a session logs in as, and where.

use std::sync::Arc;

use super::login::KnownFeatures;
use super::sasl::{Choice, Credentials, Unprepared};

/// The longest stanza unless told otherwise. What servers send to rooms and rosters of a test
/// stays far below; RFC 6120 section 13.12 asks for 10,000 bytes at least.
pub const STANZA_MAX: u32 = 64 * 1024;

/// A service as all sessions to it see it.
#[derive(Clone, Debug)]
pub struct Service {
    /// The domain, which need not be the name of the host.
    pub domain: Box<str>,
    /// What is done about TLS.
    pub tls: Tls,
    /// How to log in.
    pub mechanism: Choice,
    /// What is done about stream management.
    pub management: Management,
    /// The longest stanza in bytes.
    pub stanza_max: u32,
    /// The language of the bots (RFC 6120 section 4.7.4).
    pub language: Box<str>,
    /// What it has said to all of them; nothing at first.
    pub known: KnownFeatures,
}

impl Service {
    /// A service that has to offer STARTTLS, with the strongest login and nothing else.
    pub fn new(domain: &str) -> Self {
        Self {
            domain: domain.into(),
            tls: Tls::Required,
            mechanism: Choice::Strongest,
            management: Management::Off,
            stanza_max: STANZA_MAX,
            language: "en".into(),
            known: KnownFeatures::default(),
        }
    }
}

/// What a session does about TLS (RFC 6120 section 5, RFC 7590).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not asked for, even if offered.
    Off,
    /// Asked for if offered.
    IfOffered,
    /// Asked for; a service that does not offer it is refused.
    Required,
    /// The byte stream has TLS from its beginning (XEP-0368).
    Direct,
}

/// What a session does about stream management (XEP-0198).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Management {
    /// Nothing.
    Off,
    /// Stanzas are counted and acknowledged, if offered.
    Acknowledge,
    /// That, and a lost stream can be resumed, if offered.
    Resume,
}

/// Who logs in. Names and passwords are checked when it is made.
#[derive(Clone, Debug)]
pub struct Identity(pub(super) Who);

#[derive(Clone, Debug)]
pub(super) enum Who {
    Nobody,
    Certificate { authorize: Box<str> },
    Password { name: Box<str>, password: Box<str> },
}

impl Identity {
    /// Nobody in particular: ANONYMOUS.
    pub const fn nobody() -> Self {
        Self(Who::Nobody)
    }

    /// Whoever the certificate of the stream names: EXTERNAL.
    pub fn certificate(authorize: &str) -> Result<Self, Unprepared> {
        Credentials::certificate(authorize)?;
        Ok(Self(Who::Certificate { authorize: authorize.into() }))
    }

    /// A name, which is the part of the address before the `@`, and its password.
    pub fn password(name: &str, password: &str) -> Result<Self, Unprepared> {
        Credentials::password(name, password)?;
        Ok(Self(Who::Password { name: name.into(), password: password.into() }))
    }

    /// The name of the account, if it has one of its own.
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Who::Password { name, .. } => Some(name),
            _ => None,
        }
    }

    pub(super) fn credentials(&self) -> Credentials<'_> {
        let credentials = match &self.0 {
            Who::Nobody => return Credentials::nobody(),
            Who::Certificate { authorize } => Credentials::certificate(authorize),
            Who::Password { name, password } => Credentials::password(name, password),
        };
        credentials.expect("checked when the identity was made")
    }
}

/// All that a login needs. Dropped when the login is over.
#[derive(Clone, Debug)]
pub struct Account {
    /// Where.
    pub service: Arc<Service>,
    /// Who.
    pub identity: Identity,
    /// The resource to ask for; empty leaves it to the server (RFC 6120 section 7.6).
    pub resource: Box<str>,
}
