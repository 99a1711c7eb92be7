//! Secrets on their way out of rustls: the exporter's for channel binding (RFC 9266), all of them
//! for a key log.

use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, PoisonError};

use rustls::crypto::tls13::OkmBlock;
use rustls::{KeyLog, Tls13CipherSuite};

/// The label of the secret from which exported values are derived (RFC 8446, section 7.5), as key
/// logs write it.
const EXPORTER: &str = "EXPORTER_SECRET";
/// What a channel binding is exported under (RFC 9266, section 2).
const BINDING: &[u8] = b"EXPORTER-Channel-Binding";

/// An exporter secret; 48 bytes for suites with SHA-384, 32 otherwise.
#[derive(Clone, Copy)]
pub(super) struct Exporter {
    secret: [u8; 48],
    length: u8,
}

/// Catches what rustls logs for a shard. rustls logs from within the call that reads a connection's
/// records, so what was caught belongs to the connection that was read last.
#[derive(Debug)]
pub(super) struct Secrets {
    caught: Mutex<Option<Exporter>>,
    lines: Option<SyncSender<String>>,
    /// Lines that found no room.
    lost: Mutex<u64>,
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exporter") // never the secret
    }
}

impl Secrets {
    pub(super) fn new(lines: Option<SyncSender<String>>) -> Secrets {
        Secrets { caught: Mutex::new(None), lines, lost: Mutex::new(0) }
    }

    /// The exporter secret caught since the last call.
    pub(super) fn take(&self) -> Option<Exporter> {
        self.caught.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Lines lost since the last call.
    pub(super) fn take_lost(&self) -> u64 {
        std::mem::take(&mut *self.lost.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        if label == EXPORTER && secret.len() <= 48 {
            let mut exporter = Exporter { secret: [0; 48], length: secret.len() as u8 };
            exporter.secret[..secret.len()].copy_from_slice(secret);
            *self.caught.lock().unwrap_or_else(PoisonError::into_inner) = Some(exporter);
        }
        if let Some(lines) = &self.lines {
            let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
            let line = format!("{label} {} {}", hex(client_random), hex(secret));
            if lines.try_send(line).is_err() {
                *self.lost.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            }
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == EXPORTER || self.lines.is_some()
    }
}

impl Exporter {
    /// The value of `tls-exporter` (RFC 9266) by the exporter of RFC 8446, section 7.5.
    pub(super) fn binding(&self, suite: &Tls13CipherSuite) -> Option<[u8; 32]> {
        let hash = suite.common.hash_provider;
        let nothing = hash.hash(&[]);
        let secret = OkmBlock::new(&self.secret[..usize::from(self.length)]);
        let mut derived = [0; 48];
        let derived = derived.get_mut(..hash.output_len())?;
        expand_label(suite, &secret, BINDING, nothing.as_ref(), derived)?;
        let mut value = [0; 32];
        expand_label(suite, &OkmBlock::new(derived), b"exporter", nothing.as_ref(), &mut value)?;
        Some(value)
    }
}

/// HKDF-Expand-Label (RFC 8446, section 7.1).
fn expand_label(
    suite: &Tls13CipherSuite,
    secret: &OkmBlock,
    label: &[u8],
    context: &[u8],
    output: &mut [u8],
) -> Option<()> {
    const PREFIX: &[u8] = b"tls13 ";
    let length = (output.len() as u16).to_be_bytes();
    let (label_length, context_length) = ((PREFIX.len() + label.len()) as u8, context.len() as u8);
    let parts = [&length[..], &[label_length], PREFIX, label, &[context_length], context];
    suite.hkdf_provider.expander_for_okm(secret).expand_slice(&parts, output).ok()
}
