//! What both sides of SCRAM (RFC 5802, RFC 7677) have in common: keys, attributes, escapes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ctutils::CtEq;
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest as _, Sha1};
use sha2::{Sha256, Sha512};

use super::{BINDING, Hash, Stream};

/// The longest message that is looked at. One of honest size has under 300 bytes; what a peer
/// sends is kept until the login is over.
pub(super) const MESSAGE_MAX: usize = 4096;

/// The value of one of the hashes.
#[derive(Clone, Copy)]
pub(super) struct Digest {
    bytes: [u8; 64],
    length: u8,
}

impl Digest {
    fn new(value: &[u8]) -> Self {
        let mut bytes = [0; 64];
        bytes[..value.len()].copy_from_slice(value);
        Self { bytes, length: value.len() as u8 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Compares in a time that does not tell where the difference is.
    pub(super) fn is(&self, other: &[u8]) -> bool {
        self.bytes().ct_eq(other).to_bool()
    }

    /// `None` if the other one has another length.
    pub(super) fn xor(&self, other: &[u8]) -> Option<Self> {
        if other.len() != self.bytes().len() {
            return None;
        }
        let mut mixed = *self;
        for (byte, other) in mixed.bytes.iter_mut().zip(other) {
            *byte ^= other;
        }
        Some(mixed)
    }
}

pub(super) fn mac(hash: Hash, key: &[u8], text: &[u8]) -> Digest {
    fn keyed<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Digest {
        let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
        mac.update(text);
        Digest::new(&mac.finalize().into_bytes())
    }
    match hash {
        Hash::Sha1 => keyed::<Hmac<Sha1>>(key, text),
        Hash::Sha256 => keyed::<Hmac<Sha256>>(key, text),
        Hash::Sha512 => keyed::<Hmac<Sha512>>(key, text),
    }
}

pub(super) fn digest(hash: Hash, text: &[u8]) -> Digest {
    match hash {
        Hash::Sha1 => Digest::new(&Sha1::digest(text)),
        Hash::Sha256 => Digest::new(&Sha256::digest(text)),
        Hash::Sha512 => Digest::new(&Sha512::digest(text)),
    }
}

/// What a server keeps of a password (RFC 5802, section 3): enough to check a proof and to prove
/// itself, not enough to log in.
#[derive(Clone, Copy)]
pub struct Keys {
    pub(super) stored: Digest,
    pub(super) server: Digest,
}

impl Keys {
    /// The keys of a salted password (the answer to a [`Derive`](crate::Derive)).
    pub fn of(hash: Hash, salted: &[u8]) -> Self {
        Self {
            stored: digest(hash, login_key(hash, salted).bytes()),
            server: mac(hash, salted, b"Server Key"),
        }
    }
}

pub(super) fn login_key(hash: Hash, salted: &[u8]) -> Digest {
    mac(hash, salted, b"Client Key")
}

/// 24 characters that no other stream has.
pub(super) fn nonce(stream: &Stream) -> String {
    STANDARD.encode(stream.seed)
}

/// The head of the first message: whether and to what the login is bound. It must not claim that
/// the server cannot bind (`y`): a server that can, but not by `tls-exporter`, would refuse.
pub(super) fn header(bound: bool) -> &'static str {
    const BOUND: &str = "p=tls-exporter,,";
    const { assert!(BOUND.len() == 4 + BINDING.len()) };
    if bound { BOUND } else { "n,," }
}

/// The value of the next attribute of a message, if it is the one that has to come.
pub(super) fn attribute<'a>(name: &str, rest: &mut &'a str) -> Option<&'a str> {
    let (first, behind) = rest.split_once(',').unwrap_or((rest, ""));
    let value = first.strip_prefix(name)?.strip_prefix('=')?;
    *rest = behind;
    Some(value)
}

/// Printable characters alone make a nonce (RFC 5802, section 7); a comma cannot occur here.
pub(super) fn printable(nonce: &str) -> bool {
    nonce.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// A name between commas (RFC 5802, section 5.1).
pub(super) fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// The name behind [`escape`]; `None` if it cannot have come from there.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (sign, rest) = match part.split_at_checked(2)? {
            ("2C", rest) => (',', rest),
            ("3D", rest) => ('=', rest),
            _ => return None,
        };
        name.push(sign);
        name.push_str(rest);
    }
    Some(name)
}
