//! What goes wrong with TLS, in the few words that the report counts.

use rustls::{AlertDescription, CertificateError, Error};

/// Why a link over TLS cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// For the report.
    pub(crate) words: &'static str,
    /// What the peer is told; `None` if it told us, or has been told.
    pub(super) alert: Option<u8>,
}

impl Fault {
    pub(super) fn new(words: &'static str, alert: u8) -> Fault {
        Fault { words, alert: Some(alert) }
    }
}

/// The peer sent what has no place here.
pub(super) fn unexpected(words: &'static str) -> Fault {
    Fault::new(words, UNEXPECTED_MESSAGE)
}

// Alerts (RFC 8446, section 6).
pub(super) const CLOSE_NOTIFY: u8 = 0;
pub(super) const UNEXPECTED_MESSAGE: u8 = 10;
pub(super) const BAD_RECORD_MAC: u8 = 20;
pub(super) const RECORD_OVERFLOW: u8 = 22;
pub(super) const DECODE_ERROR: u8 = 50;
pub(super) const USER_CANCELED: u8 = 90;

pub(super) const BAD_RECORD: &str = "bad record";
pub(super) const TOO_LONG: &str = "record over its limit";
pub(super) const KEY_UPDATE: &str = "key update on a dense link";
pub(super) const WORN_OUT: &str = "2^23 records on one key";
pub(super) const NOT_TLS: &str = "plaintext where TLS was expected";
pub(crate) const MID_HANDSHAKE: &str = "closed in mid-handshake";
pub(crate) const TRUNCATED: &str = "ended without close_notify";
pub(crate) const UNFINISHED: &str = "TLS handshake not finished in time";
pub(crate) const INJECTED: &str = "plaintext behind its leave to begin TLS";

/// What an error of rustls means. `up`: the handshake was over.
pub(super) fn of(error: &Error, up: bool) -> &'static str {
    match error {
        Error::InvalidCertificate(certificate) => certificate_words(certificate),
        Error::NoCertificatesPresented => "no certificate shown",
        Error::AlertReceived(description) => alert(u8::from(*description)),
        Error::DecryptError => BAD_RECORD,
        Error::PeerSentOversizedRecord => TOO_LONG,
        Error::PeerIncompatible(_) => "no version, suite or group in common",
        Error::NoApplicationProtocol => "no application protocol in common",
        Error::InvalidMessage(_) if up => BAD_RECORD,
        Error::InvalidMessage(_) => "malformed handshake",
        Error::PeerMisbehaved(_) if up => "broken rules of TLS",
        Error::PeerMisbehaved(_) => "broken rules of the handshake",
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "message out of its order"
        }
        _ => "TLS failed",
    }
}

fn certificate_words(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "certificate expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "certificate not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "certificate for another name"
        }
        CertificateError::UnknownIssuer => "certificate of an unknown issuer",
        CertificateError::Revoked => "certificate revoked",
        CertificateError::BadSignature => "certificate with a bad signature",
        CertificateError::ApplicationVerificationFailure => "certificate not the pinned one",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "certificate for another purpose"
        }
        _ => "certificate not acceptable",
    }
}

/// What an alert of the peer means.
pub(super) fn alert(description: u8) -> &'static str {
    match AlertDescription::from(description) {
        AlertDescription::UnexpectedMessage => "alert: unexpected_message",
        AlertDescription::BadRecordMac => "alert: bad_record_mac",
        AlertDescription::RecordOverflow => "alert: record_overflow",
        AlertDescription::HandshakeFailure => "alert: handshake_failure",
        AlertDescription::BadCertificate => "alert: bad_certificate",
        AlertDescription::UnsupportedCertificate => "alert: unsupported_certificate",
        AlertDescription::CertificateRevoked => "alert: certificate_revoked",
        AlertDescription::CertificateExpired => "alert: certificate_expired",
        AlertDescription::CertificateUnknown => "alert: certificate_unknown",
        AlertDescription::IllegalParameter => "alert: illegal_parameter",
        AlertDescription::UnknownCA => "alert: unknown_ca",
        AlertDescription::AccessDenied => "alert: access_denied",
        AlertDescription::DecodeError => "alert: decode_error",
        AlertDescription::DecryptError => "alert: decrypt_error",
        AlertDescription::ProtocolVersion => "alert: protocol_version",
        AlertDescription::InsufficientSecurity => "alert: insufficient_security",
        AlertDescription::InternalError => "alert: internal_error",
        AlertDescription::UserCanceled => "alert: user_canceled",
        AlertDescription::MissingExtension => "alert: missing_extension",
        AlertDescription::UnrecognisedName => "alert: unrecognized_name",
        AlertDescription::CertificateRequired => "alert: certificate_required",
        AlertDescription::NoApplicationProtocol => "alert: no_application_protocol",
        _ => "alert: another",
    }
}
