use proptest::prelude::*;
use rustls::ExtractedSecrets;
use rustls::crypto::cipher::{AeadKey, Iv};

use super::*;

/// Two ends that finished a handshake with each other: who dialled, and who accepted.
fn ends(suite: Suite) -> (Dense, Dense) {
    let secrets = |of: u8| {
        let (key, iv) = (AeadKey::from([of; 32]), Iv::from([of; 12]));
        match suite {
            Suite::Aes256 => ConnectionTrafficSecrets::Aes256Gcm { key, iv },
            Suite::ChaCha20 => ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv },
            Suite::Aes128 => unreachable!("its keys cannot be made outside of rustls"),
        }
    };
    let end = |write, read, accepted| {
        let secrets = ExtractedSecrets { tx: (0, secrets(write)), rx: (0, secrets(read)) };
        Dense::new(secrets, accepted).expect("a suite of ours")
    };
    (end(1, 2, false), end(2, 1, true))
}

/// One record of any kind, said by the end that accepted.
fn said(by: &mut Dense, kind: u8, part: &[u8]) -> Vec<u8> {
    let (key, mut wire) = (by.write.cipher(by.suite), Vec::new());
    seal_one(&mut by.write, &key, kind, part, &mut wire).expect("not worn out");
    wire
}

/// What opening says: the words of a fault, or the plaintext and whether it is the end.
fn opened(by: &mut Dense, mut cipher: Vec<u8>) -> Result<(Vec<u8>, bool), &'static str> {
    let mut plain = Vec::new();
    let records = by.open(&mut cipher, &mut plain).map_err(|fault| fault.words)?;
    assert_eq!(records.used, cipher.len());
    Ok((plain, records.closed))
}

proptest! {
    #[test]
    fn what_is_sealed_is_opened_however_it_comes(
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40_000), 1..5),
        splits in prop::collection::vec(1usize..20_000, 1..20),
        chacha in any::<bool>(),
    ) {
        let (mut one, mut other) = ends(if chacha { Suite::ChaCha20 } else { Suite::Aes256 });
        let mut wire = Vec::new();
        for text in &texts {
            one.seal(text, &mut wire).expect("not worn out");
        }
        one.alert(words::CLOSE_NOTIFY, &mut wire);
        one.seal(b"too late", &mut wire).expect("nothing happens");
        let (mut rest, mut plain, mut closed) = (Vec::new(), Vec::new(), false);
        let mut sizes = splits.into_iter().cycle();
        while !wire.is_empty() {
            let size = sizes.next().expect("it goes on for ever").min(wire.len());
            rest.extend(wire.drain(..size));
            let records = other.open(&mut rest, &mut plain).expect("nothing is wrong with it");
            rest.drain(..records.used);
            closed |= records.closed;
        }
        prop_assert!(closed && rest.is_empty());
        prop_assert_eq!(plain, texts.concat());
    }

    #[test]
    fn garbage_is_refused_or_unfinished(mut cipher in prop::collection::vec(any::<u8>(), 0..600)) {
        let (mut one, _) = ends(Suite::Aes256);
        let mut plain = Vec::new();
        if let Ok(records) = one.open(&mut cipher, &mut plain) {
            prop_assert_eq!(records, Records::default());
        }
        prop_assert!(plain.is_empty());
    }

    #[test]
    fn garbage_that_looks_like_a_record_is_a_bad_one(
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let (mut one, _) = ends(Suite::ChaCha20);
        let [high, low] = (body.len() as u16).to_be_bytes();
        let cipher = [&[23, 3, 3, high, low], &body[..]].concat();
        prop_assert_eq!(opened(&mut one, cipher), Err(words::BAD_RECORD));
    }

    #[test]
    fn one_flipped_bit_is_noticed(
        text in prop::collection::vec(any::<u8>(), 1..100),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let (mut one, mut other) = ends(Suite::Aes256);
        let mut wire = Vec::new();
        other.seal(&text, &mut wire).expect("not worn out");
        wire[at.index(text.len() + 22)] ^= 1 << bit;
        let mut plain = Vec::new();
        if let Ok(records) = one.open(&mut wire, &mut plain) {
            prop_assert_eq!(records.used, 0); // a length that is not reached
        }
        prop_assert!(plain.is_empty());
    }

    #[test]
    fn messages_inside_of_records_are_skipped_or_refused(
        kind in any::<u8>(),
        body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let (mut one, mut other) = ends(Suite::Aes256);
        let wire = said(&mut other, kind, &body);
        if let Ok((plain, _)) = opened(&mut one, wire) {
            prop_assert_eq!(plain, if kind == APPLICATION { body } else { Vec::new() });
        }
    }
}

#[test]
fn tickets_are_skipped_however_they_are_cut() {
    let ticket = |length: u8| [vec![NEW_SESSION_TICKET, 0, 0, length], vec![7; 200]].concat();
    for cut in 1..204 {
        let (mut one, mut other) = ends(Suite::Aes256);
        let both = [ticket(200), ticket(200)].concat();
        let mut wire = said(&mut other, HANDSHAKE, &both[..cut]);
        wire.extend(said(&mut other, HANDSHAKE, &both[cut..]));
        wire.extend(said(&mut other, APPLICATION, b"word"));
        assert_eq!(opened(&mut one, wire), Ok((b"word".to_vec(), false)), "cut at {cut}");
    }
}

#[test]
fn what_breaks_the_rules_is_told_apart() {
    let close = [1, words::CLOSE_NOTIFY];
    let cases: [(u8, &[u8], Result<bool, &str>); 12] = [
        (ALERT, &close, Ok(true)),
        (ALERT, &[1, words::USER_CANCELED], Ok(false)),
        (ALERT, &[2, 40], Err("alert: handshake_failure")),
        (ALERT, &[2, 199], Err("alert: another")),
        (ALERT, &[2], Err("an alert of a wrong length")),
        (HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 0], Err(words::KEY_UPDATE)),
        (HANDSHAKE, &[1, 0, 0, 0], Err("a handshake message after its time")),
        (HANDSHAKE, &[], Err("an empty handshake record")),
        (HANDSHAKE, &[NEW_SESSION_TICKET, 1, 0, 0], Err(words::TOO_LONG)),
        (20, &[1], Err("a record of an unknown kind")),
        (24, &[0], Err("a record of an unknown kind")),
        (0, &[0, 0], Err("a record without a kind")),
    ];
    for (kind, body, expected) in cases {
        let (mut one, mut other) = ends(Suite::ChaCha20);
        let wire = said(&mut other, kind, body);
        let told = opened(&mut one, wire).map(|(_, closed)| closed);
        assert_eq!(told, expected, "{kind} {body:?}");
    }
    // Padding (RFC 8446, section 5.4) is no part of what is said.
    let (mut one, mut other) = ends(Suite::Aes256);
    let wire = said(&mut other, 0, b"word\x17\0\0\0");
    assert_eq!(opened(&mut one, wire), Ok((b"word".to_vec(), false)));
    // Nothing but a message's other half may follow its first.
    let (mut one, mut other) = ends(Suite::Aes256);
    let mut wire = said(&mut other, HANDSHAKE, &[NEW_SESSION_TICKET, 0]);
    wire.extend(said(&mut other, APPLICATION, b"word"));
    assert_eq!(opened(&mut one, wire), Err("a handshake message cut short"));
    // Who was dialled is sent no tickets.
    let (mut one, mut other) = ends(Suite::Aes256);
    let wire = said(&mut one, HANDSHAKE, &[NEW_SESSION_TICKET, 0, 0, 0]);
    assert_eq!(opened(&mut other, wire), Err("a handshake message after its time"));
    // What is not encrypted, and what is too long, is refused before it is whole.
    let (mut one, _) = ends(Suite::Aes256);
    assert_eq!(opened(&mut one, vec![20, 3, 3, 0, 1, 1]), Err("a record that is not encrypted"));
    assert_eq!(opened(&mut one, vec![23, 3, 3, 0x41, 1]), Err(words::TOO_LONG));
}

#[test]
fn records_up_to_the_limit_pass() {
    let (mut one, mut other) = ends(Suite::Aes256);
    let wire = said(&mut other, APPLICATION, &[5; PLAIN_MAX]);
    assert_eq!(opened(&mut one, wire), Ok((vec![5; PLAIN_MAX], false)));
    let wire = said(&mut other, APPLICATION, &[5; PLAIN_MAX + 1]);
    assert_eq!(opened(&mut one, wire), Err(words::TOO_LONG));
}

#[test]
fn a_key_wears_out() {
    let (mut one, mut other) = ends(Suite::Aes256);
    (other.write.next, one.read.next) = (RECORDS_MAX - 1, RECORDS_MAX - 1);
    let mut wire = Vec::new();
    other.seal(b"last", &mut wire).expect("one is left");
    assert_eq!(opened(&mut one, wire), Ok((b"last".to_vec(), false)));
    let mut wire = Vec::new();
    let worn = other.seal(b"one more", &mut wire).map_err(|fault| fault.words);
    assert_eq!((worn, wire.len()), (Err(words::WORN_OUT), 0));
    other.write.next = 0; // and who hears one more says the same
    let wire = said(&mut other, APPLICATION, b"x");
    assert_eq!(opened(&mut one, wire), Err(words::WORN_OUT));
}

#[test]
fn a_dense_link_is_small() {
    assert!(size_of::<Dense>() <= 112, "{}", size_of::<Dense>());
}
