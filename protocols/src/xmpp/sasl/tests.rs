use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

use super::*;

mod oracle;
mod refusals;
mod vectors;

/// PBKDF2 as the engine does it.
pub(super) fn derive(derive: &Derive) -> Vec<u8> {
    use pbkdf2::pbkdf2_hmac;
    let Derive { hash, secret, salt, rounds } = derive;
    let key = &mut vec![0; [20, 32, 64][*hash as usize]][..];
    match hash {
        Hash::Sha1 => pbkdf2_hmac::<sha1::Sha1>(secret, salt, *rounds, key),
        Hash::Sha256 => pbkdf2_hmac::<sha2::Sha256>(secret, salt, *rounds, key),
        Hash::Sha512 => pbkdf2_hmac::<sha2::Sha512>(secret, salt, *rounds, key),
    }
    key.to_vec()
}

/// One account, whose password is asked for to be derived at every login.
pub(super) struct Pencil {
    pub(super) account: &'static str,
    pub(super) password: &'static str,
    pub(super) salt: Vec<u8>,
    pub(super) rounds: u32,
}

impl Pencil {
    pub(super) fn new(account: &'static str, password: &'static str) -> Self {
        Self { account, password, salt: b"sixteen of salt!".to_vec(), rounds: 64 }
    }
}

impl Accounts for Pencil {
    fn admits(&self, account: &str, password: &str) -> bool {
        account == self.account && password == self.password
    }

    fn salted(&self, account: &str, _: Hash) -> Option<Salted<'_>> {
        let secret = Secret::Password(Cow::Borrowed(self.password));
        let salted = Salted { salt: &self.salt, rounds: self.rounds, secret };
        (account == self.account).then_some(salted)
    }
}

/// Two sides of one stream, whose dice differ.
pub(super) fn streams(secured: bool) -> (Stream, Stream) {
    let secured = secured.then_some([7; 32]);
    let encrypted = secured.is_some();
    let dialled = Stream { secured, encrypted, seed: [1; 18], ..Stream::default() };
    (dialled, Stream { seed: [2; 18], accepted: true, ..dialled })
}

pub(super) fn everything() -> Offer {
    let all = MECHANISMS.iter().fold(Offer::default(), |offer, (name, _)| offer.with(name));
    all.with_binding(BINDING)
}

/// Lets both sides talk until the accepting one is content and the dialling one believes it.
pub(super) fn converse(
    mechanism: Mechanism,
    who: &Credentials<'_>,
    accounts: &impl Accounts,
) -> Result<String, SaslError> {
    let (dialled, accepted) = streams(true);
    let choice = Choice::Exactly(mechanism);
    let (mut exchange, first) = Exchange::begin(choice, everything(), who, &dialled)?;
    let (mut acceptance, mut answer) =
        Acceptance::begin(mechanism.name(), Some(&first), everything(), &accepted, accounts)?;
    loop {
        answer = match answer {
            Answer::Success(last) => {
                exchange.success(&last.unwrap_or_default())?;
                return Ok(acceptance.account().to_owned());
            }
            Answer::Derive(wanted) => acceptance.derived(&derive(&wanted))?,
            Answer::Challenge(challenge) => {
                let response = match exchange.challenge(&challenge)? {
                    Reply::Respond(response) => response,
                    Reply::Derive(wanted) => exchange.derived(&derive(&wanted)),
                };
                acceptance.response(&response, accounts)?
            }
        };
    }
}

pub(super) fn scrams() -> impl Iterator<Item = Mechanism> {
    let mechanisms = MECHANISMS.iter().map(|(_, mechanism)| *mechanism);
    mechanisms.filter(|mechanism| matches!(mechanism, Mechanism::Scram { .. }))
}

#[test]
fn both_sides_agree_on_every_mechanism() {
    for (account, password) in
        [("user", "pencil"), ("a=b,c", "p,=w"), ("=2C=3D", ",,,"), ("ñandú", "пароль")]
    {
        let accounts = Pencil::new(account, password);
        let who = Credentials::password(account, password).expect("prepared");
        for mechanism in scrams().chain([Mechanism::Plain]) {
            assert_eq!(converse(mechanism, &who, &accounts).as_deref(), Ok(account));
        }
    }
}

#[test]
fn nobody_gets_a_name() {
    let accounts = Pencil::new("user", "pencil");
    let name = converse(Mechanism::Anonymous, &Credentials::nobody(), &accounts).expect("in");
    assert!(name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
}

#[test]
fn kept_keys_and_kept_salted_passwords_are_as_good() {
    struct Kept {
        salted: Vec<u8>,
        keys: Option<Keys>,
    }
    impl Accounts for Kept {
        fn admits(&self, _: &str, _: &str) -> bool {
            false
        }
        fn salted(&self, _: &str, _: Hash) -> Option<Salted<'_>> {
            let secret = self.keys.as_ref().map_or(Secret::Salted(&self.salted), Secret::Keys);
            Some(Salted { salt: b"salt", rounds: 3, secret })
        }
    }
    let who = Credentials::password("user", "pencil").expect("prepared");
    let wrong = Credentials::password("user", "pen").expect("prepared");
    for mechanism in scrams() {
        let Mechanism::Scram { hash, .. } = mechanism else { continue };
        let (secret, salt) = (b"pencil"[..].into(), b"salt"[..].into());
        let salted = derive(&Derive { hash, secret, salt, rounds: 3 });
        for keys in [None, Some(Keys::of(hash, &salted))] {
            let accounts = Kept { salted: salted.clone(), keys };
            assert_eq!(converse(mechanism, &who, &accounts).as_deref(), Ok("user"));
            let refused = converse(mechanism, &wrong, &accounts).expect_err("wrong password");
            assert_eq!(refused.condition, condition::NOT_AUTHORIZED);
        }
    }
}
