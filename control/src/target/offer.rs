//! What a target offers: its protocol, its certificate, who may log in.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use densebots_engine::plan::{AcceptTls, Identity, Resume, Tls};
use densebots_engine::{Plan, Run};
use densebots_scenarios::accounts::{Account, Accounts};
use densebots_scenarios::target::xmpp::{Meddling, Service, Starttls};
use densebots_scenarios::target::{Admission, Speaks};
use sha2::{Digest, Sha256};

use crate::args::{MeddlingFlags, ServeFlags, TlsWay};
use crate::clock;
use crate::ending::usage;
use crate::names::{Scheme, check_domain};
use crate::secure::{self, ALPN_XMPP, Way};

/// How long a delayed message waits, unless told: longer than bots wait for it, unless told.
const DELAY: Duration = Duration::from_secs(15);

/// Everything that a target needs to know beside where it listens.
pub(crate) struct Offer {
    speaks: Speaks,
    service: Service,
    tls: Option<Tls>,
    /// The hash of its certificate as `--pin` takes it, if it has one.
    pub fingerprint: Option<String>,
}

impl Offer {
    /// From the flags of `serve`.
    pub(crate) fn of(flags: &ServeFlags, speaks: Speaks) -> Result<Offer> {
        let xmpp = speaks == Speaks::Xmpp;
        if let Some(flag) = only_xmpp(flags).filter(|_| !xmpp) {
            return Err(usage(format!("{flag} is for `serve xmpp`")));
        }
        let asked = flags.tls.or(flags.cert.as_ref().map(|_| TlsWay::On));
        let way = Way::asked(asked, Scheme { xmpp, secure: false })?.unwrap_or(Way::Off);
        let mut service = Service {
            starttls: match way {
                Way::Off | Way::Direct => Starttls::Off,
                Way::Optional => Starttls::Offered,
                Way::Starttls => Starttls::Required,
            },
            began: clock::since_1970(),
            meddling: meddling(&flags.meddling)?,
            ..Service::default()
        };
        if let Some(domain) = &flags.domain {
            check_domain(domain)?;
            service.domain.clone_from(domain);
        }
        if flags.accounts.is_some() {
            service.admission = listed(flags)?;
        }
        if way == Way::Off {
            if flags.cert.is_some() {
                return Err(usage("--cert: with --tls off nobody would see it"));
            }
            if flags.tickets {
                return Err(usage("--tickets is for TLS, and this target has none; add --tls"));
            }
            return Ok(Offer { speaks, service, tls: None, fingerprint: None });
        }
        let identity = match (&flags.cert, &flags.key) {
            (Some(_), Some(_)) => given(flags)?,
            _ => made(&service.domain)?,
        };
        let fingerprint = fingerprint(&identity.chain);
        let direct = way == Way::Direct;
        let tls = Tls {
            direct,
            resume: if flags.tickets { Resume::Shared } else { Resume::Never },
            alpn: if direct && xmpp { vec![ALPN_XMPP.to_vec()] } else { Vec::new() },
            accept: Some(AcceptTls { identity, peer_roots: Vec::new() }),
            ..Tls::default()
        };
        Ok(Offer { speaks, service, tls: Some(tls), fingerprint })
    }

    /// Starts it.
    pub(crate) fn start(
        &self,
        plan: Plan,
        listening: impl FnMut(SocketAddr) + Send + 'static,
    ) -> Result<Run> {
        let plan = Plan { tls: self.tls.clone(), ..plan };
        Ok(match self.speaks {
            Speaks::Xmpp => densebots_scenarios::serve_xmpp(&self.service, plan, listening)?,
            Speaks::Echo | Speaks::Rooms => {
                densebots_scenarios::serve(self.speaks, plan, listening)?
            }
        })
    }
}

/// The flag that was given although it is for XMPP alone.
fn only_xmpp(flags: &ServeFlags) -> Option<&'static str> {
    let all = [("--domain", flags.domain.is_some()), ("--accounts", flags.accounts.is_some())];
    let faults = one_in(&flags.meddling).map(|(flag, given)| (flag, given.is_some()));
    let all = all.into_iter().chain([("--drop-ids", flags.meddling.drop_ids)]);
    all.chain(faults).find(|(_, given)| *given).map(|(flag, _)| flag)
}

/// What can be done to one delivery in so many.
fn one_in(flags: &MeddlingFlags) -> [(&'static str, Option<u32>); 4] {
    [
        ("--drop-one-in", flags.drop_one_in),
        ("--duplicate-one-in", flags.duplicate_one_in),
        ("--delay-one-in", flags.delay_one_in),
        ("--reorder-one-in", flags.reorder_one_in),
    ]
}

fn meddling(flags: &MeddlingFlags) -> Result<Meddling> {
    if let Some((flag, _)) = one_in(flags).into_iter().find(|(_, given)| *given == Some(0)) {
        return Err(usage(format!("{flag} 0: one in none; leave it out for never")));
    }
    let [drop, duplicate, delay, reorder] =
        one_in(flags).map(|(_, given)| given.map_or(0, u64::from));
    let delay_by = flags.delay_by.unwrap_or(DELAY);
    let drop_ids = flags.drop_ids;
    Ok(Meddling { drop, duplicate, delay, delay_by, reorder, drop_ids })
}

/// Those of a list, and nobody else.
fn listed(flags: &ServeFlags) -> Result<Admission> {
    let Some(path) = &flags.accounts else { return Ok(Service::default().admission) };
    let file = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| usage(format!("--accounts {file}: {error}")))?;
    let rows = match Accounts::from_csv(&file, &bytes) {
        Ok(Accounts::List(rows)) => rows,
        Ok(Accounts::Formula { .. }) => Vec::new(),
        Err(error) => return Err(usage(format!("--accounts {error}"))),
    };
    let entry = |account: Account| (account.name.to_lowercase(), account.password);
    Ok(Admission::Listed(rows.into_iter().map(entry).collect()))
}

/// The certificate of `--cert` and `--key`, which clap wants together.
fn given(flags: &ServeFlags) -> Result<Identity> {
    let (Some(cert), Some(key)) = (&flags.cert, &flags.key) else {
        return Err(usage("--cert and --key: give both"));
    };
    let identity =
        Identity { chain: secure::read("--cert", cert)?, key: secure::read("--key", key)? };
    let accept = AcceptTls { identity: identity.clone(), peer_roots: Vec::new() };
    match secure::fault(&Tls { accept: Some(accept), ..Tls::default() }) {
        None => Ok(identity),
        Some(why) => Err(usage(format!(
            "--cert {}, --key {}: {why}; give a certificate and its own private key in PEM",
            cert.display(),
            key.display()
        ))),
    }
}

/// A certificate for a domain of this machine, signed by itself.
fn made(domain: &str) -> Result<Identity> {
    let mut names = vec![domain.to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned()];
    names.sort_unstable();
    names.dedup();
    let key = rcgen::KeyPair::generate().context("making a private key")?;
    let params = rcgen::CertificateParams::new(names).map_err(|error| {
        usage(format!("--domain {domain}: no certificate is for that: {error}"))
    })?;
    let certificate = params.self_signed(&key).context("making a certificate")?;
    Ok(Identity { chain: certificate.pem().into_bytes(), key: key.serialize_pem().into_bytes() })
}

/// The hash of the first certificate, as `--pin` takes it; `None` if the engine reads what we do
/// not.
fn fingerprint(chain: &[u8]) -> Option<String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let der = match std::str::from_utf8(chain).ok().and_then(|text| text.split_once(BEGIN)) {
        Some((_, behind)) => {
            let digits: String =
                behind.split_once("-----END")?.0.split_ascii_whitespace().collect();
            BASE64_STANDARD.decode(digits).ok()?
        }
        None => chain.to_vec(),
    };
    let hash = Sha256::digest(der);
    Some(format!("sha256:{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_made_here_can_be_pinned() {
        let identity = made("chat.example").expect("a domain");
        let shown = fingerprint(&identity.chain).expect("PEM");
        let der = rcgen_der(&identity);
        assert_eq!(fingerprint(&der), Some(shown.clone()), "DER and PEM are one certificate");
        assert!(secure::pin(&shown).is_ok(), "{shown}");
        let accept = AcceptTls { identity, peer_roots: Vec::new() };
        assert_eq!(secure::fault(&Tls { accept: Some(accept), ..Tls::default() }), None);
        assert!(made("chat example\u{e9}").is_err());
    }

    fn rcgen_der(identity: &Identity) -> Vec<u8> {
        let text = String::from_utf8(identity.chain.clone()).expect("PEM is text");
        let lines: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        BASE64_STANDARD.decode(lines).expect("base64")
    }
}
