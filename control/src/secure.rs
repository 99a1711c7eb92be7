//! How a run is encrypted: flags and files become the plan's TLS, or a fault that names both.

use std::fs;
use std::path::Path;

use anyhow::Result;
use densebots_engine::Plan;
use densebots_engine::plan::{DialTls, Identity, Resume, Tier, Tls, Trust};

use crate::args::{SecureFlags, TlsResume, TlsTier, TlsWay};
use crate::ending::usage;
use crate::names::Scheme;

mod key_log;
pub(crate) use key_log::KeyLog;

/// No file of certificates is larger; what is, is something else.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// What XMPP is called in a handshake (XEP-0368, section 4).
pub(crate) const ALPN_XMPP: &[u8] = b"xmpp-client";

/// When connections are encrypted, decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Never.
    Off,
    /// By STARTTLS if the service offers it.
    Optional,
    /// By STARTTLS.
    Starttls,
    /// From the first byte.
    Direct,
}

impl Way {
    /// What was asked for; `None` if nothing was, and the address of the target decides.
    pub(crate) fn asked(asked: Option<TlsWay>, scheme: Scheme) -> Result<Option<Way>> {
        let name = if scheme.xmpp { "xmpp" } else { "line" };
        Ok(match (asked, scheme.secure) {
            (None, false) => None,
            (None | Some(TlsWay::On | TlsWay::Direct), true) | (Some(TlsWay::Direct), false) => {
                Some(Way::Direct)
            }
            (Some(way), true) => {
                return Err(usage(format!(
                    "--tls {} contradicts --target {name}s://, which is TLS from the first byte; \
                     give {name}://",
                    way.word()
                )));
            }
            (Some(TlsWay::Off), false) => Some(Way::Off),
            (Some(TlsWay::On), false) if !scheme.xmpp => Some(Way::Direct),
            (Some(TlsWay::Optional | TlsWay::Starttls), false) if !scheme.xmpp => {
                return Err(usage("--tls: only XMPP has STARTTLS; give --tls direct"));
            }
            (Some(TlsWay::Optional), false) => Some(Way::Optional),
            (Some(TlsWay::On | TlsWay::Starttls), false) => Some(Way::Starttls),
        })
    }

    /// What is usual: lines say `lines://` if they are to be encrypted, XMPP is, unless the target
    /// is on this machine.
    pub(crate) fn usual(scheme: Scheme, here: bool) -> Way {
        if here || !scheme.xmpp { Way::Off } else { Way::Starttls }
    }

    /// The word that asks for it.
    pub(crate) fn flag(self) -> TlsWay {
        match self {
            Way::Off => TlsWay::Off,
            Way::Optional => TlsWay::Optional,
            Way::Starttls => TlsWay::Starttls,
            Way::Direct => TlsWay::Direct,
        }
    }

    /// In words, as the plan tells it.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Way::Off => "no TLS",
            Way::Optional => "STARTTLS if offered",
            Way::Starttls => "STARTTLS required",
            Way::Direct => "TLS from the first byte",
        }
    }
}

/// The plan's TLS for a service of this name. An embedded target is believed by the certificate
/// that it will make, and so by none yet.
pub(crate) fn tls(
    flags: &SecureFlags,
    way: Way,
    xmpp: bool,
    name: &str,
    embedded: bool,
) -> Result<Option<Tls>> {
    if way == Way::Off {
        return match said(flags) {
            None => Ok(None),
            Some(flag) => {
                Err(usage(format!("{flag} is for TLS, and this run has none; add --tls")))
            }
        };
    }
    let trust = match (embedded, believed(flags)) {
        (true, Some(flag)) => {
            return Err(usage(format!(
                "{flag}: the embedded target makes a certificate for each run, and that one alone \
                 is believed; leave {flag} out, or give --target"
            )));
        }
        (true, None) => Trust::Pinned(Vec::new()),
        (false, _) => trust(flags)?,
    };
    let identity = flags.own_certificate.as_deref().map(identity).transpose()?;
    let tls = Tls {
        direct: way == Way::Direct,
        tier: match flags.tls_tier {
            None | Some(TlsTier::Dense) => Tier::Dense,
            Some(TlsTier::Kept) => Tier::Kept,
        },
        resume: match flags.tls_resume {
            None | Some(TlsResume::None) => Resume::Never,
            Some(TlsResume::Shared) => Resume::Shared,
            Some(TlsResume::PerBot) => Resume::PerBot,
        },
        alpn: if way == Way::Direct && xmpp { vec![ALPN_XMPP.to_vec()] } else { Vec::new() },
        dial: Some(DialTls { name: name.to_owned(), trust, identity }),
        ..Tls::default()
    };
    match fault(&tls) {
        None => Ok(Some(tls)),
        Some(why) => Err(usage(format!("--target: {why}, and a certificate is checked for one"))),
    }
}

/// Refuses a mechanism of SASL that nobody can log in with over this TLS.
pub(crate) fn suits(mechanism: &str, tls: Option<&Tls>) -> Result<()> {
    let dial = tls.and_then(|tls| tls.dial.as_ref());
    let shown = dial.is_some_and(|dial| dial.identity.is_some());
    let why = match mechanism {
        "EXTERNAL" if tls.is_none() => "is a login by certificate; add --tls and --client-cert",
        "EXTERNAL" if !shown => "is a login by certificate; add --client-cert",
        bound if bound.ends_with("-PLUS") && tls.is_none() => {
            "is bound to TLS, and this run has none; add --tls"
        }
        _ => return Ok(()),
    };
    Err(usage(format!("--set mechanism={mechanism}: {mechanism} {why}")))
}

/// User-space bytes that encryption adds to a bot, as measured.
pub(crate) fn bytes_per_bot(tls: Option<&Tls>) -> u64 {
    let Some(tls) = tls else { return 0 };
    let kept = match tls.tier {
        Tier::Dense => 128,
        Tier::Kept => 3_400,
    };
    kept + if tls.resume == Resume::PerBot { 900 } else { 0 }
}

/// Whether the certificate of the target is checked; `None` without TLS.
pub(crate) fn verified(tls: Option<&Tls>) -> Option<bool> {
    let dial = tls?.dial.as_ref()?;
    Some(dial.trust != Trust::Anybody)
}

/// What the plan says of TLS, in words.
pub(crate) fn told(way: Way, tls: Option<&Tls>) -> String {
    let Some(dial) = tls.and_then(|tls| tls.dial.as_ref()) else { return way.told().to_owned() };
    let trust = match &dial.trust {
        Trust::Roots(_) => format!("certificate checked for {}", dial.name),
        Trust::Pinned(_) => "certificate pinned".to_owned(),
        Trust::Anybody => "certificate NOT checked (--insecure)".to_owned(),
    };
    format!("{}, {trust}", way.told())
}

/// The flag of these that was given although it means nothing without TLS.
fn said(flags: &SecureFlags) -> Option<&'static str> {
    let rest = [
        ("--tls-key-log", flags.tls_key_log.is_some()),
        ("--tls-tier", flags.tls_tier.is_some()),
        ("--tls-resume", flags.tls_resume.is_some()),
    ];
    believed(flags).or(rest.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag))
}

/// The flag of these that was given although an embedded target has its own certificate.
fn believed(flags: &SecureFlags) -> Option<&'static str> {
    let all = [
        ("--ca-file", flags.ca_file.is_some()),
        ("--insecure", flags.insecure),
        ("--pin", !flags.pin.is_empty()),
        ("--client-cert", flags.own_certificate.is_some()),
    ];
    all.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
}

fn trust(flags: &SecureFlags) -> Result<Trust> {
    if flags.insecure {
        return Ok(Trust::Anybody);
    }
    if !flags.pin.is_empty() {
        return flags.pin.iter().map(|typed| pin(typed)).collect::<Result<_>>().map(Trust::Pinned);
    }
    let Some(path) = &flags.ca_file else { return roots_of_this_machine() };
    let trust = Trust::Roots(vec![read("--ca-file", path)?]);
    match fault(&dialling(trust.clone(), None)) {
        None => Ok(trust),
        Some(why) => Err(usage(format!(
            "--ca-file {}: {why}; give certificates in PEM, -----BEGIN CERTIFICATE-----",
            path.display()
        ))),
    }
}

fn roots_of_this_machine() -> Result<Trust> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots: Vec<Vec<u8>> = found.certs.iter().map(|root| root.to_vec()).collect();
    if fault(&dialling(Trust::Roots(roots.clone()), None)).is_some() {
        // One that cannot be read must not take the others with it.
        roots.retain(|root| fault(&dialling(Trust::Roots(vec![root.clone()]), None)).is_none());
    }
    if roots.is_empty() {
        let why = found.errors.first().map_or(String::new(), |error| format!(" ({error})"));
        return Err(usage(format!(
            "--tls: this machine has no root certificates{why}; give --ca-file, or install \
             ca-certificates"
        )));
    }
    Ok(Trust::Roots(roots))
}

/// `sha256:HEX`, with or without colons between the bytes.
pub(crate) fn pin(typed: &str) -> Result<[u8; 32]> {
    let fault = || {
        usage(format!(
            "--pin {typed}: give sha256: and the 64 hexadecimal digits of the certificate's hash, \
             as `openssl x509 -fingerprint -sha256` tells it"
        ))
    };
    let digits = typed.strip_prefix("sha256:").ok_or_else(fault)?.replace(':', "");
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(fault());
    }
    let mut hash = [0; 32];
    for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| fault())?;
    }
    Ok(hash)
}

fn identity(path: &Path) -> Result<Identity> {
    let bytes = read("--client-cert", path)?;
    let identity = Identity { chain: bytes.clone(), key: bytes };
    match fault(&dialling(Trust::Anybody, Some(identity.clone()))) {
        None => Ok(identity),
        Some(why) => Err(usage(format!(
            "--client-cert {}: {why}; give a PEM file with the certificate and its private key",
            path.display()
        ))),
    }
}

/// A file that a flag names, if it is small enough to be one of certificates.
pub(crate) fn read(flag: &str, path: &Path) -> Result<Vec<u8>> {
    let fault = |why: String| usage(format!("{flag} {}: {why}", path.display()));
    let about = fs::metadata(path).map_err(|error| fault(error.to_string()))?;
    if about.len() > FILE_BYTES_MAX {
        return Err(fault("this is too large to be a file of certificates".to_owned()));
    }
    fs::read(path).map_err(|error| fault(error.to_string()))
}

fn dialling(trust: Trust, identity: Option<Identity>) -> Tls {
    let dial = DialTls { name: "localhost".to_owned(), trust, identity };
    Tls { dial: Some(dial), ..Tls::default() }
}

/// What the engine finds wrong with it.
pub(crate) fn fault(tls: &Tls) -> Option<String> {
    let plan = Plan { tls: Some(tls.clone()), ..Plan::default() };
    plan.check().err().map(|error| error.why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(way: TlsWay, xmpp: bool, secure: bool) -> Option<Way> {
        Way::asked(Some(way), Scheme { xmpp, secure }).ok().flatten()
    }

    #[test]
    fn what_is_asked_for_has_to_fit_the_protocol() {
        use TlsWay::{Direct, Off, On, Optional, Starttls};
        let xmpp = [Off, On, Optional, Starttls, Direct].map(|way| asked(way, true, false));
        let all = [Way::Off, Way::Starttls, Way::Optional, Way::Starttls, Way::Direct];
        assert_eq!(xmpp, all.map(Some));
        let lines = [Off, On, Optional, Starttls, Direct].map(|way| asked(way, false, false));
        assert_eq!(lines, [Some(Way::Off), Some(Way::Direct), None, None, Some(Way::Direct)]);
        for xmpp in [true, false] {
            let secure = [Off, On, Optional, Starttls, Direct].map(|way| asked(way, xmpp, true));
            assert_eq!(secure, [None, Some(Way::Direct), None, None, Some(Way::Direct)]);
        }
    }

    #[test]
    fn only_xmpp_elsewhere_is_encrypted_unasked() {
        for (xmpp, here, way) in
            [(true, false, Way::Starttls), (true, true, Way::Off), (false, false, Way::Off)]
        {
            assert_eq!(Way::usual(Scheme { xmpp, secure: false }, here), way);
        }
    }

    #[test]
    fn pins_are_read_as_openssl_writes_them() {
        let digits = "0aff".repeat(16);
        let hash = pin(&format!("sha256:{digits}")).expect("64 digits");
        assert_eq!((hash[0], hash[1], hash[31]), (0x0a, 0xff, 0xff));
        let colons = vec!["0A:FF"; 16].join(":");
        assert_eq!(pin(&format!("sha256:{colons}")).ok(), Some(hash));
        let short = &digits[1..];
        for wrong in [digits.clone(), format!("sha256:{short}"), format!("sha256:{short}x")] {
            assert!(pin(&wrong).is_err(), "{wrong}");
        }
    }
}
