//! The dense record layer against the records of rustls, tampered with on the way and cut anywhere.

use densebots_engine::RecordLayer;
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks,
    OutboundPlainMessage,
};
use rustls::{ConnectionTrafficSecrets, ContentType, ExtractedSecrets, ProtocolVersion};

use super::{pieces, taken};

/// Bytes of plaintext in one record (RFC 8446, section 5.1), and of its header.
const PLAIN_MAX: usize = 1 << 14;
const HEADER: usize = 5;
/// RecordLayer of one input: more of them try nothing new.
const RECORDS_MAX: usize = 64;
const HANDSHAKE: u8 = 22;
const APPLICATION: u8 = 23;
const TICKET: u8 = 4;
/// What becomes of a record on its way; anything else: it arrives.
const FLIPPED: u8 = 12;
const DROPPED: u8 = 13;
const REPLAYED: u8 = 14;
const SHORTENED: u8 = 15;

/// Nothing comes out that the peer has not sealed, in its order and up to the first record that
/// was tampered with; what is sealed here rustls opens.
///
/// Choices: the suite (bit 0), whether the rest is taken for ciphertext as it is (bit 1), and
/// three lengths of pieces, as square roots. Otherwise the rest are orders of three bytes, a record
/// each: see [`Peer::obey`].
pub fn record(input: &[u8]) {
    let Some(([choice, a, b, c], rest)) = taken(input) else { return };
    let chacha = choice & 1 == 1;
    let lengths = [a, b, c].map(|root| usize::from(root) * usize::from(root));
    let mut records = RecordLayer::new(secrets(chacha), false).expect("a suite of ours");
    let mut peer = Peer::new(chacha);
    if choice & 2 == 2 {
        peer.wire.extend_from_slice(rest);
        peer.sound = false;
    } else {
        let (orders, _) = rest.as_chunks::<3>();
        orders.iter().take(RECORDS_MAX).for_each(|order| peer.obey(*order));
    }
    let heard = hear(&mut records, &peer.wire, lengths);
    assert!(peer.sealed.starts_with(&heard.plain), "bytes that nobody sealed");
    assert!(heard.plain.len() >= peer.certain, "{} of {}", heard.plain.len(), peer.certain);
    if peer.sound {
        assert_eq!((heard.fault, heard.closed), (None, peer.closed));
        assert_eq!(heard.plain.len(), peer.sealed.len());
    }
    answer(&mut records, &heard.plain, peer.opener);
}

/// The keys of the side that dialled: it writes with the first and reads with the second.
fn secrets(chacha: bool) -> ExtractedSecrets {
    let way = |of| {
        let (key, iv) = keys(of);
        match chacha {
            true => ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv },
            false => ConnectionTrafficSecrets::Aes256Gcm { key, iv },
        }
    };
    ExtractedSecrets { tx: (0, way(1)), rx: (0, way(2)) }
}

fn keys(of: u8) -> (AeadKey, Iv) {
    (AeadKey::from([of; 32]), Iv::from([of; 12]))
}

/// The other end: rustls, and a network that tampers.
struct Peer {
    sealer: Box<dyn MessageEncrypter>,
    opener: Box<dyn MessageDecrypter>,
    /// The sequence number of the next record.
    next: u64,
    wire: Vec<u8>,
    /// What was said up to the first record that was tampered with.
    sealed: Vec<u8>,
    /// So much of it has to be heard.
    certain: usize,
    /// Nothing was tampered with, and nothing said that has no place.
    sound: bool,
    /// Nothing that follows may be heard.
    over: bool,
    closed: bool,
}

impl Peer {
    fn new(chacha: bool) -> Peer {
        let suite = if chacha { TLS13_CHACHA20_POLY1305_SHA256 } else { TLS13_AES_256_GCM_SHA384 };
        let aead = suite.tls13().expect("a suite of 1.3").aead_alg;
        let ((write, write_iv), (read, read_iv)) = (keys(2), keys(1));
        Peer {
            sealer: aead.encrypter(write, write_iv),
            opener: aead.decrypter(read, read_iv),
            next: 0,
            wire: Vec::new(),
            sealed: Vec::new(),
            certain: 0,
            sound: true,
            over: false,
            closed: false,
        }
    }

    /// Says one record. The order's lower half is what, its upper half what becomes of it on the
    /// way, and the two numbers behind it how much, of what kind, or where.
    fn obey(&mut self, [order, n, m]: [u8; 3]) {
        let most = usize::from(n) + 64 * usize::from(m);
        let fate = order >> 4;
        match order & 15 {
            0..=4 => self.text(&text(most.min(PLAIN_MAX), n), fate, m),
            5 | 6 => {
                // Padding (section 5.4): a kind of zero, and zeros before it.
                let said = text(usize::from(n), m);
                let padded = [&said[..], &[APPLICATION], &vec![0; usize::from(m)]].concat();
                if self.send(0, &padded, fate, m) {
                    self.hear(&said);
                }
            }
            7..=9 => {
                let ticket = [&[TICKET, 0, 0, n][..], &text(usize::from(n), m)].concat();
                let (front, back) = ticket.split_at(1 + usize::from(m) % (ticket.len() - 1));
                self.send(HANDSHAKE, front, fate, m);
                self.send(HANDSHAKE, back, 0, m);
            }
            10 => self.alert([n, m], fate),
            11 => {
                let over = text(PLAIN_MAX + 1 + usize::from(n), m);
                self.send(APPLICATION, &over, fate, m);
                self.break_off();
            }
            _ => {
                // Anything: what comes of it is not foreseen here.
                let body = text(usize::from(m), n);
                if n == APPLICATION {
                    self.text(&body, fate, m);
                } else {
                    self.send(n, &body, fate, m);
                    self.sound = false;
                }
            }
        }
        if fate == REPLAYED {
            self.break_off();
        }
    }

    fn text(&mut self, text: &[u8], fate: u8, at: u8) {
        if self.send(APPLICATION, text, fate, at) {
            self.hear(text);
        }
    }

    fn alert(&mut self, alert: [u8; 2], fate: u8) {
        let heard = self.send(21, &alert, fate, alert[1]);
        match alert[1] {
            90 => {} // user_canceled
            0 if heard => {
                self.closed |= self.sound;
                self.over = true;
            }
            _ => self.break_off(),
        }
    }

    /// What was just said comes out at the other end.
    fn hear(&mut self, text: &[u8]) {
        if !self.over {
            self.sealed.extend_from_slice(text);
            self.certain = if self.sound { self.sealed.len() } else { self.certain };
        }
    }

    /// Nothing is heard from here on.
    fn break_off(&mut self) {
        self.over = true;
        self.sound &= self.closed;
    }

    /// Seals a record and puts it on the wire; whether it arrives as it is.
    fn send(&mut self, kind: u8, body: &[u8], fate: u8, at: u8) -> bool {
        let message = OutboundPlainMessage {
            typ: ContentType::from(kind),
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(body),
        };
        let sealed = self.sealer.encrypt(message, self.next).expect("a record");
        self.next += 1;
        let mut sealed = sealed.encode();
        match fate {
            FLIPPED => {
                let place = usize::from(at) * 257 % sealed.len();
                sealed[place] ^= 1 << (at % 8);
            }
            DROPPED => sealed.clear(),
            REPLAYED => sealed.extend_from_within(..),
            SHORTENED => sealed.truncate(sealed.len() - 1),
            _ => {}
        }
        self.wire.extend_from_slice(&sealed);
        let arrives = !matches!(fate, FLIPPED | DROPPED | SHORTENED);
        if !arrives {
            self.break_off();
        }
        arrives
    }
}

/// Bytes to say.
fn text(length: usize, first: u8) -> Vec<u8> {
    (0..length).map(|at| first.wrapping_add((at % 251) as u8)).collect()
}

#[derive(Default)]
struct Heard {
    plain: Vec<u8>,
    closed: bool,
    fault: Option<&'static str>,
}

/// Opens what comes in pieces, as a link does; counts that every record has its number.
fn hear(records: &mut RecordLayer, wire: &[u8], lengths: [usize; 3]) -> Heard {
    let (mut heard, mut rest, mut count) = (Heard::default(), Vec::new(), 0);
    for piece in pieces(wire, lengths) {
        rest.extend_from_slice(piece);
        let raw = rest.clone();
        match records.open(&mut rest, &mut heard.plain) {
            Ok((used, closed)) => {
                count += whole(&raw[..used]);
                assert_eq!(records.next(), count, "a number for each record");
                assert_eq!(rest[used..], raw[used..], "an unfinished record is left as it is");
                rest.drain(..used);
                heard.closed = closed;
            }
            Err(words) => heard.fault = Some(words),
        }
        if heard.closed || heard.fault.is_some() {
            break;
        }
    }
    heard
}

/// How many records these bytes are.
fn whole(mut records: &[u8]) -> u32 {
    let mut count = 0;
    while let Some(header) = records.first_chunk::<HEADER>() {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        records = &records[HEADER + length..];
        count += 1;
    }
    assert!(records.is_empty(), "a part of a record was used up");
    count
}

/// Says it back: rustls opens every record, under its number, up to the close_notify.
fn answer(records: &mut RecordLayer, said: &[u8], mut opener: Box<dyn MessageDecrypter>) {
    let (mut wire, mut heard, mut number) = (Vec::new(), Vec::new(), 0);
    records.seal(said, &mut wire).expect("keys that are not worn out");
    records.part(&mut wire);
    records.seal(b"too late", &mut wire).expect("nothing happens");
    let mut rest = &mut wire[..];
    let mut parted = false;
    while !rest.is_empty() {
        let length = usize::from(u16::from_be_bytes([rest[3], rest[4]]));
        let (record, behind) = rest.split_at_mut(HEADER + length);
        let (typ, version) = (ContentType::from(record[0]), ProtocolVersion::TLSv1_2);
        let message = InboundOpaqueMessage::new(typ, version, &mut record[HEADER..]);
        let opened = opener.decrypt(message, number).expect("a record that rustls opens");
        match opened.typ {
            ContentType::ApplicationData => heard.extend_from_slice(opened.payload),
            typ => parted = (typ, opened.payload) == (ContentType::Alert, &[1, 0][..]),
        }
        number += 1;
        rest = behind;
    }
    assert!(parted && heard == said, "rustls heard something else");
}
