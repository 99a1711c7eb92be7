//! The limit program of TLS: handshakes with a verified certificate, in memory, and nothing else.
//!
//! The dialling side alone is timed. It goes through the unbuffered interface of rustls as the
//! engine does, and like it verifies a chain once and the signature every time.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, UnbufferedClientConnection, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, ServerConnection,
    SignatureScheme,
};

use crate::machine::processor_time;
use crate::xmpp::DOMAIN;

/// Both sides of handshakes over TLS 1.3 with a certificate of P-256 made for them.
pub struct Handshakes {
    dials: Arc<ClientConfig>,
    accepts: Arc<ServerConfig>,
}

impl Handshakes {
    /// Makes the certificate.
    pub fn new() -> io::Result<Handshakes> {
        let made = rcgen::generate_simple_self_signed(vec![DOMAIN.to_owned()]);
        let made = made.map_err(io::Error::other)?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let key = key.map_err(io::Error::other)?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).map_err(io::Error::other)?;
        let mut provider = default_provider();
        provider.kx_groups = vec![kx_group::X25519];
        let provider = Arc::new(provider);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
        let verifier =
            Once { whole: verifier.build().map_err(io::Error::other)?, seen: OnceLock::new() };
        let mut dials = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        let mut accepts = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .map_err(io::Error::other)?;
        accepts.send_tls13_tickets = 0;
        dials.resumption = Resumption::disabled();
        Ok(Handshakes { dials: Arc::new(dials), accepts: Arc::new(accepts) })
    }

    /// The seconds of processor time that one of `count` handshakes takes the side that dials.
    pub fn each(&self, count: usize) -> io::Result<f64> {
        // Without a look at the clock in between: what the other side takes is measured alone.
        let begun = processor_time();
        let both: Vec<_> = (0..count).map(|_| self.shake()).collect::<Result<_, _>>()?;
        let accepting = both.iter().sum::<f64>();
        Ok(((processor_time() - begun).seconds() - accepting) / count as f64)
    }

    /// One handshake; answers with the seconds of the side that accepts.
    fn shake(&self) -> io::Result<f64> {
        let name = ServerName::try_from(DOMAIN).map_err(io::Error::other)?;
        let connection = UnbufferedClientConnection::new(self.dials.clone(), name);
        let mut dialling = connection.map_err(io::Error::other)?;
        let mut accepting =
            ServerConnection::new(self.accepts.clone()).map_err(io::Error::other)?;
        let (mut heard, mut said, mut seconds) = (Vec::new(), Vec::new(), 0.0);
        while !go_on(&mut dialling, &mut heard, &mut said).map_err(io::Error::other)? {
            let begun = thread_time();
            let mut wire = &said[..];
            while !wire.is_empty() {
                accepting.read_tls(&mut wire)?;
                accepting.process_new_packets().map_err(io::Error::other)?;
            }
            said.clear();
            while accepting.wants_write() {
                accepting.write_tls(&mut heard)?;
            }
            seconds += thread_time() - begun;
        }
        Ok(seconds)
    }
}

/// Answers what was heard. True once the handshake is over.
fn go_on(
    connection: &mut UnbufferedClientConnection,
    heard: &mut Vec<u8>,
    said: &mut Vec<u8>,
) -> Result<bool, Error> {
    loop {
        let UnbufferedStatus { discard, state } = connection.process_tls_records(heard);
        let over = match state? {
            ConnectionState::EncodeTlsData(mut chunk) => {
                if let Err(EncodeError::InsufficientSize(needed)) = chunk.encode(&mut []) {
                    let start = said.len();
                    said.resize(start + needed.required_size, 0);
                    _ = chunk.encode(&mut said[start..]);
                }
                None
            }
            ConnectionState::TransmitTlsData(transmit) => {
                transmit.done();
                None
            }
            ConnectionState::WriteTraffic(_) => Some(true),
            _ => Some(false),
        };
        heard.drain(..discard);
        if let Some(over) = over {
            return Ok(over);
        }
    }
}

/// Seconds of processor time of this thread.
fn thread_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Verifies the first chain, and the same one from then on by comparing it.
#[derive(Debug)]
struct Once {
    whole: Arc<WebPkiServerVerifier>,
    seen: OnceLock<Vec<u8>>,
}

impl ServerCertVerifier for Once {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.seen.get().is_some_and(|seen| seen[..] == end_entity[..]) {
            return Ok(ServerCertVerified::assertion());
        }
        let verified =
            self.whole.verify_server_cert(end_entity, intermediates, server_name, ocsp, now)?;
        _ = self.seen.set(end_entity.to_vec());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.whole.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.whole.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.whole.supported_verify_schemes()
    }
}
