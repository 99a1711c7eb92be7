//! What is not believed.

use proptest::prelude::*;

use super::*;

const SHA1: Mechanism = Mechanism::Scram { hash: Hash::Sha1, bound: false };

fn begun(mechanism: Mechanism) -> Exchange {
    let who = Credentials::password("user", "pencil").expect("prepared");
    let (stream, _) = streams(true);
    let choice = Choice::Exactly(mechanism);
    Exchange::begin(choice, everything(), &who, &stream).expect("offered").0
}

/// The beginning of an honest challenge.
fn nonce() -> String {
    format!("r={}theirs", scram::nonce(&streams(true).0))
}

#[test]
fn a_challenge_has_to_be_sound() {
    let nonce = nonce();
    let sound = format!("{nonce},s=c2FsdA==,i=4096");
    assert!(begun(SHA1).challenge(sound.as_bytes()).is_ok());
    assert!(begun(SHA1).challenge(format!("{sound},x=unheard of").as_bytes()).is_ok());
    let (own, _) = nonce.split_at(nonce.len() - "theirs".len());
    let cases = [
        String::new(),
        "e=other-error".to_owned(),
        format!("m=must,{sound}"),
        format!("{own},s=c2FsdA==,i=4096"),
        "r=someother,s=c2FsdA==,i=4096".to_owned(),
        format!("{nonce}\u{7f},s=c2FsdA==,i=4096"),
        format!("{nonce},s=,i=4096"),
        format!("{nonce},s=c2FsdA=,i=4096"),
        format!("{nonce},s={},i=4096", scram::encode(&[7; 300])),
        format!("{nonce},i=4096,s=c2FsdA=="),
        format!("{nonce},s=c2FsdA=="),
        format!("{nonce},s=c2FsdA==,i=0"),
        format!("{nonce},s=c2FsdA==,i=+1"),
        format!("{nonce},s=c2FsdA==,i=-1"),
        format!("{nonce},s=c2FsdA==,i=99999999999"),
        format!("{nonce},s=c2FsdA==,i={}", ROUNDS_MAX + 1),
        format!("{sound},x={}", "x".repeat(scram::MESSAGE_MAX)),
    ];
    for challenge in cases {
        let mut exchange = begun(SHA1);
        let error = exchange.challenge(challenge.as_bytes()).expect_err(&challenge);
        assert_eq!(error.condition, condition::ABORTED);
        // Once broken, always broken, whatever comes.
        assert_eq!(exchange.challenge(sound.as_bytes()), Err(error));
        assert_eq!(exchange.success(b""), Err(error));
        assert!(exchange.derived(b"key").is_empty());
    }
    assert!(begun(SHA1).challenge(b"r=\xff").is_err());
    assert!(begun(Mechanism::Plain).challenge(sound.as_bytes()).is_err());
}

#[test]
fn a_server_has_to_prove_itself() {
    let finished = || {
        let mut exchange = begun(SHA1);
        let challenge = format!("{},s=c2FsdA==,i=2", nonce());
        let Ok(Reply::Derive(wanted)) = exchange.challenge(challenge.as_bytes()) else {
            panic!("a key is needed here");
        };
        exchange.derived(&derive(&wanted));
        exchange
    };
    let zeroes = format!("v={}", scram::encode(&[0; 20]));
    for last in ["", "v=", "v=?", "e=invalid-proof", "v=AAAA", "x", &zeroes] {
        assert!(finished().success(last.as_bytes()).is_err(), "{last}");
        assert!(finished().challenge(last.as_bytes()).is_err(), "{last}");
    }
    // Success too early proves nothing at all.
    assert!(begun(SHA1).success(zeroes.as_bytes()).is_err());
    assert!(begun(Mechanism::Plain).success(b"").is_ok());
}

#[test]
fn a_signature_may_come_before_the_success() {
    let accounts = Pencil::new("user", "pencil");
    let (_, accepted) = streams(true);
    let mut exchange = begun(SHA1);
    let nonce = scram::nonce(&streams(true).0);
    let first = format!("n,,n=user,r={nonce}");
    let first = Some(first.as_bytes());
    let (mut acceptance, answer) =
        Acceptance::begin("SCRAM-SHA-1", first, everything(), &accepted, &accounts).expect("sound");
    let Answer::Challenge(challenge) = answer else { panic!("a challenge comes first") };
    let Ok(Reply::Derive(wanted)) = exchange.challenge(&challenge) else { panic!("a key") };
    let response = exchange.derived(&derive(&wanted));
    let Ok(Answer::Derive(wanted)) = acceptance.response(&response, &accounts) else {
        panic!("a key is needed here");
    };
    let Ok(Answer::Success(Some(last))) = acceptance.derived(&derive(&wanted)) else {
        panic!("the password is right");
    };
    assert_eq!(exchange.challenge(&last), Ok(Reply::Respond(Vec::new())));
    assert_eq!(exchange.success(b""), Ok(()));
}

#[test]
fn the_strongest_that_fits_is_chosen_and_what_was_told_is_kept() {
    let who = Credentials::password("user", "pencil").expect("prepared");
    let name = |choice, offer, secured| {
        let (stream, _) = streams(secured);
        let begun = Exchange::begin(choice, offer, &who, &stream);
        begun.map_or_else(|error| error.condition, |(begun, _)| begun.mechanism().name())
    };
    let offer = |names: &[&str]| names.iter().fold(Offer::default(), |all, name| all.with(name));
    let some = offer(&["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "EXTERNAL", "ANONYMOUS"]);
    let bound = Choice::Exactly("SCRAM-SHA-1-PLUS".parse().expect("known"));
    let plain = Choice::Exactly(Mechanism::Plain);

    assert_eq!(name(Choice::Strongest, everything(), true), "SCRAM-SHA-512-PLUS");
    assert_eq!(name(Choice::Strongest, everything(), false), "SCRAM-SHA-512");
    assert_eq!(name(Choice::Strongest, some, true), "SCRAM-SHA-1"); // no binding is announced
    assert_eq!(name(Choice::Strongest, some.with_binding("tls-unique"), true), "SCRAM-SHA-1");
    assert_eq!(name(Choice::Strongest, some.with_binding(BINDING), true), "SCRAM-SHA-1-PLUS");
    assert_eq!(name(bound, some, true), "SCRAM-SHA-1-PLUS");
    assert_eq!(name(bound, some, false), "aborted");
    assert_eq!(name(bound, offer(&["SCRAM-SHA-1", "PLAIN"]), true), "aborted");
    assert_eq!(name(plain, everything(), true), "PLAIN");
    assert_eq!(name(plain, offer(&["SCRAM-SHA-1"]), true), "aborted");
    assert_eq!(name(Choice::Strongest, offer(&["EXTERNAL", "ANONYMOUS", "X"]), true), "aborted");
}

#[test]
fn an_offer_is_what_the_stream_can_keep() {
    let (open, secured) = (streams(false).0, streams(true).0);
    assert_eq!(everything().over(&Stream { verified: true, ..secured }), everything());
    let kept = everything().over(&open);
    let names = ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "ANONYMOUS"];
    assert_eq!(kept.names().collect::<Vec<_>>(), names);
    assert!(!kept.binds());
}

#[test]
fn the_accepting_side_says_what_is_wrong() {
    let accounts = Pencil::new("user", "pencil");
    let (_, stream) = streams(true);
    let condition = |mechanism: &str, first: &[u8], offer: Offer| {
        let begun = Acceptance::begin(mechanism, Some(first), offer, &stream, &accounts);
        begun.map_or_else(|error| error.condition, |_| "fine")
    };
    let unbound = Offer::default().with("SCRAM-SHA-1").with("PLAIN");
    let cases: [(&str, &[u8], Offer, &str); 24] = [
        ("PLAIN", b"\0user\0pencil", unbound, "fine"),
        ("PLAIN", b"user\0user\0pencil", unbound, "fine"),
        ("PLAIN", b"root\0user\0pencil", unbound, "invalid-authzid"),
        ("PLAIN", b"\0user\0pen", unbound, "not-authorized"),
        ("PLAIN", b"\0us\ter\0pencil", unbound, "not-authorized"),
        ("PLAIN", b"\0user\0", unbound, "malformed-request"),
        ("PLAIN", b"\0\0pencil", unbound, "malformed-request"),
        ("PLAIN", b"user\0pencil", unbound, "malformed-request"),
        ("PLAIN", b"\0user\0pencil\0", unbound, "malformed-request"),
        ("PLAIN", b"\0us\xff\0pencil", unbound, "malformed-request"),
        ("ANONYMOUS", b"", unbound, "invalid-mechanism"),
        ("X-NONE", b"", unbound, "invalid-mechanism"),
        ("SCRAM-SHA-1", b"n,,n=user,r=own", unbound, "fine"),
        ("SCRAM-SHA-1", b"y,,n=user,r=own", unbound, "fine"),
        ("SCRAM-SHA-1", b"y,,n=user,r=own", everything(), "not-authorized"),
        ("SCRAM-SHA-1", b"p=tls-exporter,,n=user,r=own", everything(), "malformed-request"),
        ("SCRAM-SHA-1-PLUS", b"n,,n=user,r=own", everything(), "malformed-request"),
        ("SCRAM-SHA-1-PLUS", b"p=tls-unique,,n=user,r=own", everything(), "malformed-request"),
        ("SCRAM-SHA-1", b"n,,n=nobody,r=own", unbound, "not-authorized"),
        ("SCRAM-SHA-1", b"n,a=root,n=user,r=own", unbound, "invalid-authzid"),
        ("SCRAM-SHA-1", b"n,,m=must,n=user,r=own", unbound, "malformed-request"),
        ("SCRAM-SHA-1", b"n,,n=us=er,r=own", unbound, "malformed-request"),
        ("SCRAM-SHA-1", b"n,,n=user,r=", unbound, "malformed-request"),
        ("SCRAM-SHA-1", b"", unbound, "malformed-request"),
    ];
    for (mechanism, first, offer, expected) in cases {
        let shown = String::from_utf8_lossy(first);
        assert_eq!(condition(mechanism, first, offer), expected, "{mechanism} {shown:?}");
    }
}

#[test]
fn a_login_is_bound_to_its_own_channel() {
    let accounts = Pencil::new("user", "pencil");
    let who = Credentials::password("user", "pencil").expect("prepared");
    for mechanism in scrams() {
        let (ours, theirs) = streams(true);
        let between = Stream { secured: Some([8; 32]), ..theirs };
        let choice = Choice::Exactly(mechanism);
        let (mut exchange, first) =
            Exchange::begin(choice, everything(), &who, &ours).expect("offered");
        let name = mechanism.name();
        let (mut acceptance, answer) =
            Acceptance::begin(name, Some(&first), everything(), &between, &accounts)
                .expect("a sound beginning");
        let Answer::Challenge(challenge) = answer else { panic!("a challenge comes first") };
        let Ok(Reply::Derive(wanted)) = exchange.challenge(&challenge) else { panic!("a key") };
        let response = exchange.derived(&derive(&wanted));
        let answer = acceptance.response(&response, &accounts);
        assert_eq!(answer.is_err(), mechanism.bound(), "{name}");
    }
}

#[test]
fn a_mechanism_without_its_first_message_is_asked_for_it() {
    let accounts = Pencil::new("user", "pencil");
    let (_, stream) = streams(false);
    let (mut acceptance, answer) =
        Acceptance::begin("PLAIN", None, everything(), &stream, &accounts).expect("offered");
    assert_eq!(answer, Answer::Challenge(Vec::new()));
    let granted = acceptance.response(b"\0user\0pencil", &accounts);
    assert_eq!((granted, acceptance.account()), (Ok(Answer::Success(None)), "user"));
    assert!(acceptance.response(b"\0user\0pencil", &accounts).is_err());
    assert!(acceptance.derived(b"key").is_err());
}

#[test]
fn only_prepared_names_are_taken() {
    let cases = [
        ("juliet", Ok(())),
        ("a b", Ok(())),
        ("ñandú", Ok(())),
        ("", Err(Unprepared::Empty)),
        ("a\0b", Err(Unprepared::Forbidden)),
        ("tab\t", Err(Unprepared::Forbidden)),
        ("\u{7f}", Err(Unprepared::Forbidden)),
        ("\u{e000}", Err(Unprepared::Forbidden)),
        ("a\u{1F600}", Err(Unprepared::Forbidden)), // unknown to Unicode 3.2
        ("I\u{ad}X", Err(Unprepared::Changed)),
        ("\u{aa}", Err(Unprepared::Changed)),
        ("n\u{303}", Err(Unprepared::Changed)),
        ("a\u{a0}b", Err(Unprepared::Changed)),
    ];
    for (text, expected) in cases {
        assert_eq!(prepared(text), expected, "{text:?}");
    }
}

#[test]
fn every_name_leads_back_to_its_mechanism() {
    for (name, mechanism) in MECHANISMS {
        assert_eq!((name.parse(), mechanism.name()), (Ok(mechanism), name));
    }
    assert_eq!("plain".parse::<Mechanism>(), Err(UnknownMechanism));
}

proptest! {
    #[test]
    fn garbage_is_refused_without_a_panic(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..4),
        rank in 0..MECHANISMS.len(),
    ) {
        let accounts = Pencil::new("user", "pencil");
        let (name, mechanism) = MECHANISMS[rank];
        let (_, stream) = streams(true);
        let first = &messages[0][..];
        if let Ok((mut acceptance, _)) =
            Acceptance::begin(name, Some(first), everything(), &stream, &accounts)
        {
            for message in &messages[1..] {
                let _ = acceptance.response(message, &accounts);
            }
            prop_assert!(acceptance.derived(b"key").is_err());
        }
        if matches!(mechanism, Mechanism::Scram { .. }) {
            let mut exchange = begun(mechanism);
            for message in &messages {
                prop_assert!(exchange.challenge(message).is_err());
            }
        }
    }

    /// One byte changed anywhere, in either direction, and nobody gets in.
    #[test]
    fn a_changed_message_ends_a_login(at in 0usize..200, flip in 1u8..128, which in 0usize..4) {
        let accounts = Pencil::new("user", "pencil");
        let mut turn = 0;
        let mut meddle = |mut message: Vec<u8>| {
            if turn == which {
                let at = at % message.len();
                message[at] ^= flip;
            }
            turn += 1;
            message
        };
        let login = meddled(&accounts, &mut meddle);
        prop_assert!(login.is_err());
    }
}

fn meddled(
    accounts: &Pencil,
    meddle: &mut impl FnMut(Vec<u8>) -> Vec<u8>,
) -> Result<(), SaslError> {
    let (ours, theirs) = streams(true);
    let who = Credentials::password("user", "pencil").expect("prepared");
    let mechanism = Mechanism::Scram { hash: Hash::Sha256, bound: true };
    let (mut exchange, first) =
        Exchange::begin(Choice::Exactly(mechanism), everything(), &who, &ours)?;
    let first = meddle(first);
    let name = mechanism.name();
    let (mut acceptance, answer) =
        Acceptance::begin(name, Some(&first), everything(), &theirs, accounts)?;
    let Answer::Challenge(challenge) = answer else { panic!("a challenge comes first") };
    let Reply::Derive(wanted) = exchange.challenge(&meddle(challenge))? else { panic!("a key") };
    let response = meddle(exchange.derived(&derive(&wanted)));
    let Answer::Derive(wanted) = acceptance.response(&response, accounts)? else {
        panic!("a key is needed here");
    };
    let Answer::Success(Some(last)) = acceptance.derived(&derive(&wanted))? else {
        panic!("a signature is due");
    };
    exchange.success(&meddle(last))
}
