//! The dense record layer: TLS 1.3 with nothing but two traffic keys (RFC 8446, section 5).
//!
//! ```text
//!   peer's record -> application data ---> appended to the plaintext
//!                    ticket -------------> skipped, also when it spans records
//!                    close_notify -------> the end
//!                    other alert --------> fault, in the peer's words
//!                    key update ---------> fault: its secret was given up with the connection
//!                    anything else ------> fault, and an alert for the peer
//! ```

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use rustls::ConnectionTrafficSecrets;

use super::words::{self, Fault};

/// Records on one key in one direction. AES-GCM is good for 2^24 and a half (RFC 8446, section
/// 5.5); no bot comes near, and half of that keeps a margin.
const RECORDS_MAX: u32 = 1 << 23;
/// Bytes of plaintext in one record (RFC 8446, section 5.1).
pub(super) const PLAIN_MAX: usize = 1 << 14;
/// Bytes behind the header of one record (RFC 8446, section 5.2).
pub(super) const RECORD_MAX: usize = PLAIN_MAX + 256;
/// A ticket of more bytes than this is not one: the limit of rustls for handshake messages.
const TICKET_MAX: u32 = 0xFFFF;

const HEADER: usize = 5;
pub(super) const TAG: usize = 16;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION: u8 = 23;
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;

/// One connection after its handshake.
pub(super) struct Dense {
    write: Way,
    read: Way,
    /// Bytes of a ticket still to skip.
    skip: u32,
    /// The beginning of a handshake message whose header is not whole yet.
    head: [u8; 3],
    head_length: u8,
    suite: Suite,
    accepted: bool,
    /// Our close_notify is sent: nothing may follow it.
    parted: bool,
}

/// One direction.
struct Way {
    key: [u8; 32],
    iv: [u8; 12],
    /// The sequence number of the next record; `RECORDS_MAX` keeps it small.
    next: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suite {
    Aes128,
    Aes256,
    ChaCha20,
}

impl Suite {
    pub(super) fn algorithm(self) -> &'static Algorithm {
        match self {
            Suite::Aes128 => &AES_128_GCM,
            Suite::Aes256 => &AES_256_GCM,
            Suite::ChaCha20 => &CHACHA20_POLY1305,
        }
    }

    /// The cipher of a key as long as the suite wants it.
    pub(super) fn cipher(self, key: &[u8]) -> LessSafeKey {
        let key = UnboundKey::new(self.algorithm(), key);
        LessSafeKey::new(key.expect("a key of the suite's length"))
    }
}

impl Way {
    fn new((next, secrets): (u64, ConnectionTrafficSecrets)) -> Option<(Suite, Way)> {
        let (suite, secret, iv) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (Suite::Aes128, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (Suite::Aes256, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (Suite::ChaCha20, key, iv),
            _ => return None,
        };
        let mut key = [0; 32];
        key[..secret.as_ref().len()].copy_from_slice(secret.as_ref());
        let iv = iv.as_ref().try_into().ok()?;
        Some((suite, Way { key, iv, next: u32::try_from(next).ok()? }))
    }

    /// The cipher, made anew for every batch of records: 200 ns instead of a kilobyte.
    fn cipher(&self, suite: Suite) -> LessSafeKey {
        suite.cipher(&self.key[..suite.algorithm().key_len()])
    }

    /// The nonce of the next record (RFC 8446, section 5.3).
    fn nonce(&mut self) -> Result<Nonce, Fault> {
        if self.next >= RECORDS_MAX {
            return Err(Fault::new(words::WORN_OUT, words::CLOSE_NOTIFY));
        }
        let mut nonce = self.iv;
        let number = u64::from(self.next).to_be_bytes();
        nonce[4..].iter_mut().zip(number).for_each(|(byte, number)| *byte ^= number);
        self.next += 1;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

/// What the bytes held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    /// Bytes of whole records.
    pub(super) used: usize,
    /// The peer said that nothing follows.
    pub(super) closed: bool,
}

impl Dense {
    /// From what a finished handshake agreed; `None` if the suite is not one of ours.
    pub(super) fn new(secrets: rustls::ExtractedSecrets, accepted: bool) -> Option<Dense> {
        let ((suite, write), (_, read)) = (Way::new(secrets.tx)?, Way::new(secrets.rx)?);
        Some(Dense {
            write,
            read,
            skip: 0,
            head: [0; 3],
            head_length: 0,
            suite,
            accepted,
            parted: false,
        })
    }

    /// Opens the whole records at the beginning of `cipher`, in place, and appends what they say.
    pub(super) fn open(
        &mut self,
        cipher: &mut [u8],
        plain: &mut Vec<u8>,
    ) -> Result<Records, Fault> {
        let (mut records, mut key) = (Records::default(), None);
        while let Some(length) = whole(&cipher[records.used..])? {
            let record = &mut cipher[records.used..records.used + HEADER + length];
            records.used += record.len();
            let key = key.get_or_insert_with(|| self.read.cipher(self.suite));
            let (kind, payload) = self.open_one(key, record)?;
            let amid = self.skip > 0 || self.head_length > 0;
            match kind {
                HANDSHAKE => self.handshake(payload)?,
                _ if amid => return Err(words::unexpected("a handshake message cut short")),
                APPLICATION => plain.extend_from_slice(payload),
                ALERT => records.closed = alert(payload)?,
                _ => return Err(words::unexpected("a record of an unknown kind")),
            }
            if records.closed {
                break;
            }
        }
        Ok(records)
    }

    /// The true kind and the plaintext of one record.
    fn open_one<'a>(
        &mut self,
        key: &LessSafeKey,
        record: &'a mut [u8],
    ) -> Result<(u8, &'a [u8]), Fault> {
        let (header, sealed) = record.split_at_mut(HEADER);
        if header[0] != APPLICATION {
            return Err(words::unexpected("a record that is not encrypted"));
        }
        let nonce = self.read.nonce()?;
        let opened = key
            .open_in_place(nonce, Aad::from(&*header), sealed)
            .map_err(|_| Fault::new(words::BAD_RECORD, words::BAD_RECORD_MAC))?;
        let end = opened.iter().rposition(|&byte| byte != 0);
        let Some(end) = end else { return Err(words::unexpected("a record without a kind")) };
        if end > PLAIN_MAX {
            return Err(Fault::new(words::TOO_LONG, words::RECORD_OVERFLOW));
        }
        Ok((opened[end], &opened[..end]))
    }

    /// Skips tickets; nothing else may come after the handshake.
    fn handshake(&mut self, mut payload: &[u8]) -> Result<(), Fault> {
        if payload.is_empty() {
            return Err(words::unexpected("an empty handshake record"));
        }
        while let Some((&byte, rest)) = payload.split_first() {
            if self.skip > 0 {
                let skipped = payload.len().min(self.skip as usize);
                self.skip -= skipped as u32;
                payload = &payload[skipped..];
                continue;
            }
            payload = rest;
            let at = usize::from(self.head_length);
            match (at, byte) {
                (0, NEW_SESSION_TICKET) if !self.accepted => {}
                (0, KEY_UPDATE) => return Err(Fault::new(words::KEY_UPDATE, words::CLOSE_NOTIFY)),
                (0, _) => return Err(words::unexpected("a handshake message after its time")),
                _ => {}
            }
            if at < self.head.len() {
                self.head[at] = byte;
                self.head_length += 1;
                continue;
            }
            self.skip = u32::from_be_bytes([0, self.head[1], self.head[2], byte]);
            self.head_length = 0;
            if self.skip > TICKET_MAX {
                return Err(Fault::new(words::TOO_LONG, words::DECODE_ERROR));
            }
        }
        Ok(())
    }

    /// Appends records that say `plain`.
    pub(super) fn seal(&mut self, plain: &[u8], wire: &mut Vec<u8>) -> Result<(), Fault> {
        if self.parted {
            return Ok(()); // what is said behind the end is not heard
        }
        let key = self.write.cipher(self.suite);
        plain
            .chunks(PLAIN_MAX)
            .try_for_each(|part| seal_one(&mut self.write, &key, APPLICATION, part, wire))
    }

    /// Appends an alert; after it nothing more is sealed.
    pub(super) fn alert(&mut self, description: u8, wire: &mut Vec<u8>) {
        if self.parted {
            return;
        }
        let level = if description == words::CLOSE_NOTIFY { 1 } else { 2 };
        let key = self.write.cipher(self.suite);
        // A key that is worn out cannot say so either: the peer sees the connection end.
        let _ = seal_one(&mut self.write, &key, ALERT, &[level, description], wire);
        self.parted = true;
    }
}

/// The length behind the header of the record at the beginning of `cipher`, if all of it is there.
pub(super) fn whole(cipher: &[u8]) -> Result<Option<usize>, Fault> {
    let Some(header) = cipher.first_chunk::<HEADER>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if length > RECORD_MAX {
        return Err(Fault::new(words::TOO_LONG, words::RECORD_OVERFLOW));
    }
    Ok((cipher.len() >= HEADER + length).then_some(length))
}

fn seal_one(
    way: &mut Way,
    key: &LessSafeKey,
    kind: u8,
    part: &[u8],
    wire: &mut Vec<u8>,
) -> Result<(), Fault> {
    let nonce = way.nonce()?;
    let length = (part.len() + 1 + TAG) as u16;
    let [high, low] = length.to_be_bytes();
    let header = [APPLICATION, 3, 3, high, low];
    wire.extend_from_slice(&header);
    let start = wire.len();
    wire.extend_from_slice(part);
    wire.push(kind);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(header), &mut wire[start..]);
    wire.extend_from_slice(tag.expect("a record of at most 16 kB").as_ref());
    Ok(())
}

/// Whether an alert is the end; every other one is a fault (RFC 8446, section 6).
fn alert(payload: &[u8]) -> Result<bool, Fault> {
    match *payload {
        [_, words::CLOSE_NOTIFY] => Ok(true),
        [_, words::USER_CANCELED] => Ok(false), // a close_notify follows
        [_, description] => Err(Fault { words: words::alert(description), alert: None }),
        _ => Err(Fault::new("an alert of a wrong length", words::DECODE_ERROR)),
    }
}

#[cfg(feature = "fuzzed")]
mod fuzzed;
#[cfg(feature = "fuzzed")]
pub use fuzzed::RecordLayer;
#[cfg(test)]
mod tests;
