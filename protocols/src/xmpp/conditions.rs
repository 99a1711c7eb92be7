//! The conditions with which servers say no: fixed tables, so that every one of them can be
//! counted by name.

/// An enum of conditions with the names that they have as elements.
macro_rules! conditions {
    (
        $(#[$outer:meta])* $name:ident, $what:literal:
        $($(#[$inner:meta])* $variant:ident = $text:literal,)*
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$inner])* $variant,)*
            /// None of those that the standard knows.
            Unknown,
        }

        impl $name {
            /// Every condition of the standard.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The condition whose element has this name.
            pub fn named(name: &str) -> Self {
                match name {
                    $($text => Self::$variant,)*
                    _ => Self::Unknown,
                }
            }

            /// The name of its element.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Unknown => "undefined-condition",
                }
            }

            /// The name with what it is a condition of, for the causes of loss in the report.
            pub const fn rule(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($what, ": ", $text),)*
                    Self::Unknown => concat!($what, " of no known kind"),
                }
            }
        }
    };
}

conditions! {
    /// Why a stream ended (RFC 6120 section 4.9.3).
    StreamCondition, "a stream error":
    /// XML that cannot be processed.
    BadFormat = "bad-format",
    /// A prefix that is not known, or none where one is needed.
    BadNamespacePrefix = "bad-namespace-prefix",
    /// A new stream took the place of this one.
    Conflict = "conflict",
    /// The peer thinks that the connection is broken.
    ConnectionTimeout = "connection-timeout",
    /// The domain is no longer served here.
    HostGone = "host-gone",
    /// The domain is not served here.
    HostUnknown = "host-unknown",
    /// A stanza between servers without an address.
    ImproperAddressing = "improper-addressing",
    /// The server cannot go on.
    InternalServerError = "internal-server-error",
    /// An address that is not the sender's.
    InvalidFrom = "invalid-from",
    /// A namespace that does not belong there.
    InvalidNamespace = "invalid-namespace",
    /// XML that breaks a schema.
    InvalidXml = "invalid-xml",
    /// Something before the login that belongs behind it.
    NotAuthorized = "not-authorized",
    /// XML that is none.
    NotWellFormed = "not-well-formed",
    /// A rule of this server: a limit, a quota.
    PolicyViolation = "policy-violation",
    /// Another server could not be reached.
    RemoteConnectionFailed = "remote-connection-failed",
    /// The stream is to be opened again.
    Reset = "reset",
    /// The server has not enough of something.
    ResourceConstraint = "resource-constraint",
    /// XML that XMPP forbids.
    RestrictedXml = "restricted-xml",
    /// The service is to be found elsewhere.
    SeeOtherHost = "see-other-host",
    /// The server shuts down.
    SystemShutdown = "system-shutdown",
    /// None of the others.
    UndefinedCondition = "undefined-condition",
    /// Not UTF-8.
    UnsupportedEncoding = "unsupported-encoding",
    /// A feature that was demanded and is not there.
    UnsupportedFeature = "unsupported-feature",
    /// A stanza of no known kind.
    UnsupportedStanzaType = "unsupported-stanza-type",
    /// A version that is not spoken.
    UnsupportedVersion = "unsupported-version",
}

conditions! {
    /// Why a login failed (RFC 6120 section 6.5).
    SaslCondition, "a login failure":
    /// The login was given up.
    Aborted = "aborted",
    /// The account is switched off.
    AccountDisabled = "account-disabled",
    /// The password is too old.
    CredentialsExpired = "credentials-expired",
    /// The mechanism wants TLS.
    EncryptionRequired = "encryption-required",
    /// Not base64.
    IncorrectEncoding = "incorrect-encoding",
    /// One account may not act for the other.
    InvalidAuthzid = "invalid-authzid",
    /// The mechanism is not offered.
    InvalidMechanism = "invalid-mechanism",
    /// The message is not one of the mechanism's.
    MalformedRequest = "malformed-request",
    /// The account wants a stronger mechanism.
    MechanismTooWeak = "mechanism-too-weak",
    /// Wrong name or password.
    NotAuthorized = "not-authorized",
    /// Not now.
    TemporaryAuthFailure = "temporary-auth-failure",
}

conditions! {
    /// Why a stanza was not delivered, or a request not granted (RFC 6120 section 8.3.3).
    StanzaCondition, "a refusal":
    /// The request makes no sense.
    BadRequest = "bad-request",
    /// There is one already: a nick, an account, a resource.
    Conflict = "conflict",
    /// Nobody here does this.
    FeatureNotImplemented = "feature-not-implemented",
    /// Not allowed, whoever asks: banned.
    Forbidden = "forbidden",
    /// Not at this address any more.
    Gone = "gone",
    /// The server cannot.
    InternalServerError = "internal-server-error",
    /// There is no such thing.
    ItemNotFound = "item-not-found",
    /// An address that is none.
    JidMalformed = "jid-malformed",
    /// Not what was agreed.
    NotAcceptable = "not-acceptable",
    /// Nobody may do this.
    NotAllowed = "not-allowed",
    /// A password is missing or wrong.
    NotAuthorized = "not-authorized",
    /// A rule of this server: a limit, a quota.
    PolicyViolation = "policy-violation",
    /// The recipient is away.
    RecipientUnavailable = "recipient-unavailable",
    /// To be asked elsewhere.
    Redirect = "redirect",
    /// An account is needed first.
    RegistrationRequired = "registration-required",
    /// There is no such server.
    RemoteServerNotFound = "remote-server-not-found",
    /// Another server did not answer.
    RemoteServerTimeout = "remote-server-timeout",
    /// The server has not enough of something: also a full room.
    ResourceConstraint = "resource-constraint",
    /// Not offered here: also a full room (XEP-0045 section 7.2.9).
    ServiceUnavailable = "service-unavailable",
    /// A subscription is needed first.
    SubscriptionRequired = "subscription-required",
    /// None of the others.
    UndefinedCondition = "undefined-condition",
    /// Not expected at this time.
    UnexpectedRequest = "unexpected-request",
}

/// What can be done about a refusal (RFC 6120 section 8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Try again with credentials.
    Auth,
    /// Nothing.
    Cancel,
    /// Nothing: it was a warning.
    Continue,
    /// Try again with something else.
    Modify,
    /// Try again later.
    Wait,
}

impl Remedy {
    /// The remedy of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "auth" => Self::Auth,
            "cancel" => Self::Cancel,
            "continue" => Self::Continue,
            "modify" => Self::Modify,
            "wait" => Self::Wait,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_is_found_by_its_name() {
        for condition in StreamCondition::ALL {
            assert_eq!(StreamCondition::named(condition.name()), *condition);
            assert_eq!(condition.rule(), format!("a stream error: {}", condition.name()));
        }
        for condition in SaslCondition::ALL {
            assert_eq!(SaslCondition::named(condition.name()), *condition);
        }
        for condition in StanzaCondition::ALL {
            assert_eq!(StanzaCondition::named(condition.name()), *condition);
        }
        assert_eq!(StanzaCondition::named("no-such-thing"), StanzaCondition::Unknown);
        let counts = (StreamCondition::ALL.len(), SaslCondition::ALL.len());
        assert_eq!((counts, StanzaCondition::ALL.len()), ((25, 11), 22), "as in the RFC");
    }
}
