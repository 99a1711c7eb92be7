//! From the plan's words to configurations of rustls, one set a shard.

use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, Ticketer, kx_group};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::ciphers;
use super::secrets::Secrets;
use super::tickets::Tickets;
use super::verifier::{Believing, Pinned, Remembering};
use crate::plan::{AcceptTls, DialTls, Identity, Resume, Tier, Tls, Trust, Versions};

/// Names of services whose tickets a shard keeps; a run has one.
const NAMES_KEPT: usize = 4;

/// What the connections of one shard are made of.
pub(super) struct Configs {
    pub(super) dial: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(super) accept: Option<Arc<ServerConfig>>,
    pub(super) secrets: Arc<Secrets>,
    pub(super) tier: Tier,
    pub(super) resume: Resume,
    /// Where each bot has a ticket of its own.
    pub(super) tickets: Option<Arc<Tickets>>,
}

impl Configs {
    /// Checks everything the plan says of TLS; the error says what is wrong with it.
    pub(super) fn new(tls: &Tls) -> Result<Configs, String> {
        gather_entropy()?;
        let secrets = Arc::new(Secrets::new(tls.key_log.clone()));
        let tickets = (tls.resume == Resume::PerBot).then(|| Arc::new(Tickets::new()));
        let dial = match &tls.dial {
            Some(dial) => {
                let name = ServerName::try_from(dial.name.clone())
                    .map_err(|_| format!("`{}` is no name of a host", dial.name))?;
                Some((Arc::new(dialling(tls, dial, &secrets, tickets.as_ref())?), name))
            }
            None => None,
        };
        let accept = match &tls.accept {
            Some(accept) => Some(Arc::new(accepting(tls, accept, &secrets)?)),
            None => None,
        };
        Ok(Configs { dial, accept, secrets, tier: tls.tier, resume: tls.resume, tickets })
    }
}

/// Once a process the library gathers entropy for 60 ms: when the plan is checked, and not in the
/// first handshake of a shard, for which all its bots would wait.
fn gather_entropy() -> Result<(), String> {
    let random = aws_lc_rs::default_provider().secure_random;
    random.fill(&mut [0]).map_err(|error| format!("no entropy: {error:?}"))
}

fn provider(tls: &Tls) -> Arc<CryptoProvider> {
    let mut kx_groups = vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    if tls.post_quantum {
        kx_groups.insert(0, kx_group::X25519MLKEM768);
    }
    let cipher_suites = ciphers::SUITES.clone();
    Arc::new(CryptoProvider { kx_groups, cipher_suites, ..aws_lc_rs::default_provider() })
}

fn versions(tls: &Tls) -> Vec<&'static SupportedProtocolVersion> {
    match tls.versions {
        Versions::Both => vec![&TLS13, &TLS12],
        Versions::Only12 => vec![&TLS12],
        Versions::Only13 => vec![&TLS13],
    }
}

fn dialling(
    tls: &Tls,
    dial: &DialTls,
    secrets: &Arc<Secrets>,
    tickets: Option<&Arc<Tickets>>,
) -> Result<ClientConfig, String> {
    let provider = provider(tls);
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(tls))
        .map_err(|error| error.to_string())?
        .dangerous();
    let builder = match &dial.trust {
        Trust::Roots(given) => {
            let roots = Arc::new(roots(given)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
                .build()
                .map_err(|error| format!("roots: {error}"))?;
            builder.with_custom_certificate_verifier(Arc::new(Remembering::new(verifier)))
        }
        Trust::Pinned(hashes) => {
            let pinned = Pinned::new(hashes.clone(), provider.signature_verification_algorithms);
            builder.with_custom_certificate_verifier(Arc::new(pinned))
        }
        Trust::Anybody => {
            let believing = Believing(provider.signature_verification_algorithms);
            builder.with_custom_certificate_verifier(Arc::new(believing))
        }
    };
    let mut config = match &dial.identity {
        Some(identity) => {
            let (chain, key) = identity_of(identity)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("the certificate of the bots: {error}"))?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols.clone_from(&tls.alpn);
    config.resumption = match (tls.resume, tickets) {
        (Resume::PerBot, Some(tickets)) => Resumption::store(tickets.clone()),
        (Resume::Shared, _) => Resumption::in_memory_sessions(NAMES_KEPT),
        _ => Resumption::disabled(),
    };
    config.enable_secret_extraction = tls.tier == Tier::Dense;
    config.key_log = secrets.clone();
    Ok(config)
}

fn accepting(
    tls: &Tls,
    accept: &AcceptTls,
    secrets: &Arc<Secrets>,
) -> Result<ServerConfig, String> {
    let provider = provider(tls);
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(tls))
        .map_err(|error| error.to_string())?;
    let builder = if accept.peer_roots.is_empty() {
        builder.with_no_client_auth()
    } else {
        let roots = Arc::new(roots(&accept.peer_roots)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
            .allow_unauthenticated()
            .build()
            .map_err(|error| format!("roots of those that dial: {error}"))?;
        builder.with_client_cert_verifier(verifier)
    };
    let (chain, key) = identity_of(&accept.identity)?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("the certificate shown: {error}"))?;
    config.alpn_protocols.clone_from(&tls.alpn);
    match tls.resume {
        Resume::Never => {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Resume::Shared | Resume::PerBot => {
            config.ticketer = Ticketer::new().map_err(|error| error.to_string())?;
        }
    }
    config.enable_secret_extraction = tls.tier == Tier::Dense;
    config.key_log = secrets.clone();
    Ok(config)
}

fn roots(given: &[Vec<u8>]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for bytes in given {
        for root in certificates(bytes)? {
            roots.add(root).map_err(|error| format!("a root: {error}"))?;
        }
    }
    Ok(roots)
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    if !is_pem(bytes) {
        return Ok(vec![CertificateDer::from(bytes.to_vec())]);
    }
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match all {
        Ok(all) if all.is_empty() => Err("PEM without a certificate".to_owned()),
        Ok(all) => Ok(all),
        Err(error) => Err(format!("PEM of certificates: {error}")),
    }
}

fn identity_of(
    identity: &Identity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let key = if is_pem(&identity.key) {
        PrivateKeyDer::from_pem_slice(&identity.key)
            .map_err(|error| format!("PEM of a private key: {error}"))?
    } else {
        PrivateKeyDer::try_from(identity.key.clone())
            .map_err(|error| format!("a private key: {error}"))?
    };
    Ok((certificates(&identity.chain)?, key))
}
