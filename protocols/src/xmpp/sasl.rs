//! SASL (RFC 4422) for both sides: PLAIN (RFC 4616), ANONYMOUS (RFC 4505), EXTERNAL, and SCRAM
//! (RFC 5802, RFC 7677) with SHA-1, SHA-256 and SHA-512, each also bound to the TLS channel by
//! `tls-exporter` (RFC 9266).
//!
//! In scope: the messages of the mechanisms, as raw bytes, and which mechanism to use.
//! Out of scope: base64 and the elements around the messages (RFC 6120, section 6), which the
//! stream's session writes; PBKDF2, which is asked for ([`Derive`]) because it costs more than
//! everything else of a login together; dice, which come with the [`Stream`].
//!
//! ```
//! use densebots_protocols::Stream;
//! use densebots_protocols::xmpp::sasl::{Choice, Credentials, Exchange, Offer};
//!
//! let offer = Offer::default().with("SCRAM-SHA-1").with("PLAIN").with("X-UNHEARD-OF");
//! let juliet = Credentials::password("juliet", "r0m30myr0m30")?;
//! let plain = Choice::Exactly("PLAIN".parse()?);
//! let (exchange, response) = Exchange::begin(plain, offer, &juliet, &Stream::default())?;
//! assert_eq!(exchange.mechanism().name(), "PLAIN");
//! assert_eq!(response, b"\0juliet\0r0m30myr0m30");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::str::FromStr;

use crate::{Derive, Hash, Stream, Violation};

mod accept;
mod dial;
mod scram;
#[cfg(test)]
mod tests;

pub use accept::{Acceptance, Accounts, Answer, Salted, Secret};
pub use dial::{Exchange, ROUNDS_MAX, Reply};
pub use scram::Keys;

/// The conditions with which a login fails (RFC 6120, section 6.5).
pub mod condition {
    /// The side that dialled gave up.
    pub const ABORTED: &str = "aborted";
    /// The account is switched off.
    pub const ACCOUNT_DISABLED: &str = "account-disabled";
    /// The password is too old.
    pub const CREDENTIALS_EXPIRED: &str = "credentials-expired";
    /// The mechanism wants TLS.
    pub const ENCRYPTION_REQUIRED: &str = "encryption-required";
    /// Not base64.
    pub const INCORRECT_ENCODING: &str = "incorrect-encoding";
    /// One account may not act for the other.
    pub const INVALID_AUTHZID: &str = "invalid-authzid";
    /// The mechanism is not offered.
    pub const INVALID_MECHANISM: &str = "invalid-mechanism";
    /// The message is not one of the mechanism's.
    pub const MALFORMED_REQUEST: &str = "malformed-request";
    /// The account wants a stronger mechanism.
    pub const MECHANISM_TOO_WEAK: &str = "mechanism-too-weak";
    /// Wrong name or password.
    pub const NOT_AUTHORIZED: &str = "not-authorized";
    /// Not now.
    pub const TEMPORARY_AUTH_FAILURE: &str = "temporary-auth-failure";
}

/// A login that cannot go on. The link is of no use for another attempt by the same exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
pub struct SaslError {
    /// The condition to tell the peer (RFC 6120, section 6.5): one of [`condition`]. It is
    /// `aborted` on the side that dialled, which says it by `<abort/>`.
    pub condition: &'static str,
    /// What the peer did, in words that finish "the peer sent ...".
    pub rule: &'static str,
}

impl From<SaslError> for Violation {
    fn from(error: SaslError) -> Self {
        Self { rule: error.rule }
    }
}

/// A name or password that no login can be made with: the fault of whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unprepared {
    /// A mechanism with a name or a password has no way to say nothing.
    #[error("a name or password must not be empty")]
    Empty,
    /// Control characters and others that SASLprep (RFC 4013) does not let through.
    #[error("a name or password must not hold characters that SASLprep forbids")]
    Forbidden,
    /// Both sides would have to change it in the same way before they compare it.
    #[error("a name or password must be written as SASLprep leaves it")]
    Changed,
}

/// Whether a name or password is one that SASLprep (RFC 4013) leaves as it is.
///
/// To be asked when a plan is loaded. Servers differ in what they do with the others, so a
/// failed login would say nothing about the server under load.
pub fn prepared(text: &str) -> Result<(), Unprepared> {
    if text.is_empty() {
        return Err(Unprepared::Empty);
    }
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(());
    }
    let prepared = stringprep::saslprep(text).map_err(|_| Unprepared::Forbidden)?;
    // Code points that Unicode 3.2 did not know are let through by a query, not by a stored name.
    if text.chars().any(stringprep::tables::unassigned_code_point) {
        return Err(Unprepared::Forbidden);
    }
    if prepared == text { Ok(()) } else { Err(Unprepared::Changed) }
}

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Nobody in particular (RFC 4505).
    Anonymous,
    /// Name and password as they are (RFC 4616).
    Plain,
    /// Whoever the certificate of the stream names (RFC 4422, appendix A).
    External,
    /// Proof of the password on both sides (RFC 5802).
    Scram {
        /// The hash under everything.
        hash: Hash,
        /// Bound to the TLS channel: the -PLUS of the name.
        bound: bool,
    },
}

/// Every mechanism with its name, the strongest first: the order of [`Choice::Strongest`].
const MECHANISMS: [(&str, Mechanism); 9] = [
    ("SCRAM-SHA-512-PLUS", Mechanism::Scram { hash: Hash::Sha512, bound: true }),
    ("SCRAM-SHA-256-PLUS", Mechanism::Scram { hash: Hash::Sha256, bound: true }),
    ("SCRAM-SHA-1-PLUS", Mechanism::Scram { hash: Hash::Sha1, bound: true }),
    ("SCRAM-SHA-512", Mechanism::Scram { hash: Hash::Sha512, bound: false }),
    ("SCRAM-SHA-256", Mechanism::Scram { hash: Hash::Sha256, bound: false }),
    ("SCRAM-SHA-1", Mechanism::Scram { hash: Hash::Sha1, bound: false }),
    ("PLAIN", Mechanism::Plain),
    ("EXTERNAL", Mechanism::External),
    ("ANONYMOUS", Mechanism::Anonymous),
];

impl Mechanism {
    /// The name by which servers offer it.
    pub fn name(self) -> &'static str {
        MECHANISMS[self.rank()].0
    }

    fn rank(self) -> usize {
        let known = MECHANISMS.iter().position(|(_, mechanism)| *mechanism == self);
        known.expect("the table holds every mechanism")
    }

    const fn bound(self) -> bool {
        matches!(self, Self::Scram { bound: true, .. })
    }
}

/// A name that is none of the mechanisms here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a mechanism known here")]
pub struct UnknownMechanism;

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(name: &str) -> Result<Self, UnknownMechanism> {
        let known = MECHANISMS.iter().find(|(known, _)| *known == name);
        known.map(|(_, mechanism)| *mechanism).ok_or(UnknownMechanism)
    }
}

/// What a server announces in its stream features: mechanisms, and whether it can check the
/// channel binding `tls-exporter` (XEP-0440).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// A bit for each line of [`MECHANISMS`].
    mechanisms: u16,
    exporter: bool,
}

impl Offer {
    /// The offer with one mechanism more. A name that is not known here changes nothing.
    pub fn with(mut self, name: &str) -> Self {
        if let Ok(mechanism) = name.parse::<Mechanism>() {
            self.mechanisms |= 1 << mechanism.rank();
        }
        self
    }

    /// The offer with one channel binding more. One that is not `tls-exporter` changes nothing.
    pub fn with_binding(mut self, name: &str) -> Self {
        self.exporter |= name == BINDING;
        self
    }

    /// Whether the mechanism is offered.
    pub fn holds(self, mechanism: Mechanism) -> bool {
        self.mechanisms >> mechanism.rank() & 1 == 1
    }

    /// Whether the server announced that it can check `tls-exporter`.
    pub const fn binds(self) -> bool {
        self.exporter
    }

    /// The offer as it can be kept on a stream: without TLS nothing binds, and without a good
    /// certificate of the peer nothing is external.
    pub fn over(self, stream: &Stream) -> Self {
        let kept = |mechanism: Mechanism| match mechanism {
            Mechanism::External => stream.verified,
            bound => stream.secured.is_some() || !bound.bound(),
        };
        let mechanisms = self.names().filter_map(|name| name.parse().ok()).filter(|one| kept(*one));
        mechanisms.fold(
            Self { mechanisms: 0, exporter: self.exporter && stream.secured.is_some() },
            |offer, mechanism: Mechanism| offer.with(mechanism.name()),
        )
    }

    /// The offered mechanisms, the strongest first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        MECHANISMS
            .iter()
            .map(|(name, _)| *name)
            .enumerate()
            .filter_map(move |(rank, name)| (self.mechanisms >> rank & 1 == 1).then_some(name))
    }
}

/// The one channel binding known here (RFC 9266).
pub const BINDING: &str = "tls-exporter";

/// Which mechanism to log in with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The strongest one that the server offers and that fits the credentials. A bound one only
    /// where the server announces `tls-exporter`.
    #[default]
    Strongest,
    /// This one and no other. A bound one is taken even where no binding is announced: most
    /// servers that can do it do not say so.
    Exactly(Mechanism),
}

impl Choice {
    fn pick(self, offer: Offer, who: &Credentials<'_>, stream: &Stream) -> Option<Mechanism> {
        let usable = |mechanism: &Mechanism| {
            offer.holds(*mechanism)
                && who.fit(*mechanism)
                && (!mechanism.bound() || stream.secured.is_some())
        };
        match self {
            Self::Exactly(mechanism) => Some(mechanism).filter(usable),
            Self::Strongest => MECHANISMS
                .iter()
                .map(|(_, mechanism)| *mechanism)
                .filter(|mechanism| !mechanism.bound() || offer.binds())
                .find(usable),
        }
    }
}

/// Who logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials<'a>(Who<'a>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who<'a> {
    Nobody,
    Certificate { authorize: &'a str },
    Password { account: &'a str, password: &'a str },
}

impl<'a> Credentials<'a> {
    /// Nobody in particular: ANONYMOUS.
    pub const fn nobody() -> Self {
        Self(Who::Nobody)
    }

    /// Whoever the certificate of the stream names: EXTERNAL. `authorize` is the address to act
    /// as, or empty where the certificate says it all.
    pub fn certificate(authorize: &'a str) -> Result<Self, Unprepared> {
        if !authorize.is_empty() {
            prepared(authorize)?;
        }
        Ok(Self(Who::Certificate { authorize }))
    }

    /// An account (the part of the address before the `@`) and its password.
    pub fn password(account: &'a str, password: &'a str) -> Result<Self, Unprepared> {
        prepared(account)?;
        prepared(password)?;
        Ok(Self(Who::Password { account, password }))
    }

    const fn fit(&self, mechanism: Mechanism) -> bool {
        match mechanism {
            Mechanism::Anonymous => matches!(self.0, Who::Nobody),
            Mechanism::External => matches!(self.0, Who::Certificate { .. }),
            Mechanism::Plain | Mechanism::Scram { .. } => matches!(self.0, Who::Password { .. }),
        }
    }
}

/// A shorter way to the text of a message, which is UTF-8 in every mechanism here.
fn utf8(message: &[u8], error: SaslError) -> Result<&str, SaslError> {
    std::str::from_utf8(message).map_err(|_| error)
}
