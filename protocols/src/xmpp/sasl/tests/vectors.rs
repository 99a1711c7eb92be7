//! The examples of the RFCs, letter by letter.

use super::*;

struct Example {
    hash: Hash,
    nonces: [&'static str; 2],
    salt: &'static str,
    /// What goes to and fro, beginning with the side that dials.
    said: [&'static str; 4],
}

/// RFC 5802, section 5, and RFC 7677, section 3.
const EXAMPLES: [Example; 2] = [
    Example {
        hash: Hash::Sha1,
        nonces: ["fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j"],
        salt: "QSXCR+Q6sek8bf92",
        said: [
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ],
    },
    Example {
        hash: Hash::Sha256,
        nonces: ["rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"],
        salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
        said: [
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ],
    },
];

#[test]
fn the_dialling_side_speaks_as_the_rfcs_do() {
    let who = Credentials::password("user", "pencil").expect("prepared");
    for Example { hash, nonces, said, .. } in EXAMPLES {
        let mechanism = Mechanism::Scram { hash, bound: false };
        let (mut exchange, first) =
            Exchange::saying(mechanism, &who, &Stream::default(), nonces[0]);
        assert_eq!(first, said[0].as_bytes());
        let Reply::Derive(wanted) = exchange.challenge(said[1].as_bytes()).expect("sound") else {
            panic!("a key is needed here");
        };
        assert_eq!(exchange.derived(&derive(&wanted)), said[2].as_bytes());
        exchange.success(said[3].as_bytes()).expect("signed");
    }
}

#[test]
fn the_accepting_side_speaks_as_the_rfcs_do() {
    for Example { hash, nonces, salt, said } in EXAMPLES {
        let salt = STANDARD.decode(salt).expect("base64");
        let accounts = Pencil { salt, rounds: 4096, ..Pencil::new("user", "pencil") };
        let mechanism = Mechanism::Scram { hash, bound: false };
        let (stream, nonce) = (Stream::default(), nonces[1].to_owned());
        let mut acceptance = Acceptance::awaiting(mechanism, &stream, nonce, false);

        let challenge = acceptance.response(said[0].as_bytes(), &accounts);
        assert_eq!(challenge, Ok(Answer::Challenge(said[1].into())));
        let answer = acceptance.response(said[2].as_bytes(), &accounts).expect("well-formed");
        let Answer::Derive(wanted) = answer else { panic!("a key is needed here") };
        let success = acceptance.derived(&derive(&wanted));
        assert_eq!(success, Ok(Answer::Success(Some(said[3].into()))));
    }
}
