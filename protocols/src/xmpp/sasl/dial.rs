//! The side that dials and logs in.

use super::scram::{self, Digest, MESSAGE_MAX};
use super::{
    Choice, Credentials, Derive, Mechanism, Offer, SaslError, Stream, Who, condition, utf8,
};
use crate::Hash;

/// The most rounds that a server may ask for. Servers ask for 4,096 (RFC 7677) to 10,000; this many
/// take about 10 ms, during which every other bot of a shard waits.
pub const ROUNDS_MAX: u32 = 100_000;

/// The longest salt. Servers have 16 to 36 bytes.
const SALT_MAX: usize = 256;

const fn refused(rule: &'static str) -> SaslError {
    SaslError { condition: condition::ABORTED, rule }
}

const NOT_OFFERED: SaslError = refused("no login mechanism that can be used");
const UNASKED: SaslError = refused("a challenge where the login mechanism has none");
const TOO_LONG: SaslError = refused("a login challenge over the limit");
const NOT_TEXT: SaslError = refused("a login challenge that is not UTF-8");
const EXTENDED: SaslError = refused("a login challenge with an extension that must be known");
const MALFORMED: SaslError = refused("a malformed login challenge");
const NONCE: SaslError = refused("a login challenge with another nonce");
const SALT: SaslError = refused("a login challenge without a usable salt");
const ROUNDS: SaslError = refused("a login challenge with no or too many rounds");
const SIGNATURE: SaslError = refused("a wrong server signature");
const UNPROVEN: SaslError = refused("success without its server signature");
const SAID_NO: SaslError = refused("a login error in the last message");

/// One login of the side that dials. Lives only as long as the login.
pub struct Exchange {
    mechanism: Mechanism,
    state: State,
}

/// Where a login is. SCRAM goes through all of it, the other mechanisms only through `Said`.
///
/// ```text
/// begin -> Said                                                            -> success
/// begin -> First -challenge-> Salting -derived-> Last ----------------------> success(v=...)
///                                                Last -challenge(v=...)-> Said -> success
/// any of them -error-> Broken
/// ```
enum State {
    /// All is said that there is to say.
    Said,
    /// The first message is out.
    First { bare: Box<str>, password: Box<str>, binding: Option<[u8; 32]> },
    /// The salted password is being derived. `agreed` is what both sides sign; its end, from
    /// `closing` on, is the beginning of the last message.
    Salting { agreed: Box<str>, closing: usize },
    /// The proof is out, and the server has to prove itself.
    Last { expected: Digest },
    /// It failed; it goes on failing in the same way.
    Broken(SaslError),
}

/// What to do about a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Send this response.
    Respond(Vec<u8>),
    /// Derive the salted password, and send what [`Exchange::derived`] makes of it.
    Derive(Derive),
}

impl Exchange {
    /// Begins a login with the mechanism that fits the choice, and says the initial response.
    ///
    /// An error says that nothing usable was offered.
    pub fn begin(
        choice: Choice,
        offer: Offer,
        credentials: &Credentials<'_>,
        stream: &Stream,
    ) -> Result<(Self, Vec<u8>), SaslError> {
        let mechanism = choice.pick(offer, credentials, stream).ok_or(NOT_OFFERED)?;
        Ok(Self::saying(mechanism, credentials, stream, &scram::nonce(stream)))
    }

    pub(super) fn saying(
        mechanism: Mechanism,
        credentials: &Credentials<'_>,
        stream: &Stream,
        nonce: &str,
    ) -> (Self, Vec<u8>) {
        let (state, response) = match (mechanism, credentials.0) {
            (Mechanism::Scram { bound, .. }, Who::Password { account, password }) => {
                let bare = format!("n={},r={nonce}", scram::escape(account));
                let response = format!("{}{bare}", scram::header(bound));
                let binding = stream.secured.filter(|_| bound);
                (State::First { bare: bare.into(), password: password.into(), binding }, response)
            }
            (_, Who::Password { account, password }) => {
                (State::Said, format!("\0{account}\0{password}"))
            }
            (_, Who::Certificate { authorize }) => (State::Said, authorize.to_owned()),
            (_, Who::Nobody) => (State::Said, String::new()),
        };
        (Self { mechanism, state }, response.into_bytes())
    }

    /// The mechanism in use.
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The server's next message.
    pub fn challenge(&mut self, message: &[u8]) -> Result<Reply, SaslError> {
        let next = match (&self.state, self.mechanism) {
            (State::Broken(error), _) => Err(*error),
            (State::First { bare, password, binding }, Mechanism::Scram { hash, .. }) => {
                salting(bare, password, binding.as_ref(), hash, message)
            }
            (State::Last { expected }, _) => {
                prove(expected, message).map(|()| (State::Said, Reply::Respond(Vec::new())))
            }
            _ => Err(UNASKED),
        };
        self.step(next)
    }

    /// The salted password that was asked for by [`Reply::Derive`], made into a response.
    ///
    /// Empty if nothing was asked for.
    pub fn derived(&mut self, key: &[u8]) -> Vec<u8> {
        let (State::Salting { agreed, closing }, Mechanism::Scram { hash, .. }) =
            (&self.state, self.mechanism)
        else {
            return Vec::new();
        };
        let own = scram::login_key(hash, key);
        let stored = scram::digest(hash, own.bytes());
        let signature = scram::mac(hash, stored.bytes(), agreed.as_bytes());
        let proof = own.xor(signature.bytes()).expect("both are digests of one hash");
        let response = format!("{},p={}", &agreed[*closing..], scram::encode(proof.bytes()));

        let server = scram::mac(hash, key, b"Server Key");
        let expected = scram::mac(hash, server.bytes(), agreed.as_bytes());
        self.state = State::Last { expected };
        response.into_bytes()
    }

    /// The server says that we are in; with SCRAM it has to have proved that it knows the
    /// password, here at the latest.
    pub fn success(&mut self, message: &[u8]) -> Result<(), SaslError> {
        let next = match &self.state {
            State::Said => Ok(()),
            State::Last { expected } => prove(expected, message),
            State::First { .. } | State::Salting { .. } => Err(UNPROVEN),
            State::Broken(error) => Err(*error),
        };
        self.step(next.map(|()| (State::Said, ())))
    }

    /// Goes on to the next state, or stays broken.
    fn step<T>(&mut self, next: Result<(State, T), SaslError>) -> Result<T, SaslError> {
        let (state, result) = match next {
            Ok((state, result)) => (state, Ok(result)),
            Err(error) => (State::Broken(error), Err(error)),
        };
        self.state = state;
        result
    }
}

/// The server's first message: `r=nonce,s=salt,i=rounds`, and extensions that nobody must know.
fn salting(
    bare: &str,
    password: &str,
    binding: Option<&[u8; 32]>,
    hash: Hash,
    message: &[u8],
) -> Result<(State, Reply), SaslError> {
    if message.len() > MESSAGE_MAX {
        return Err(TOO_LONG);
    }
    let message = utf8(message, NOT_TEXT)?;
    if message.starts_with("m=") {
        return Err(EXTENDED);
    }
    let rest = &mut &*message;
    let nonce = scram::attribute("r", rest).ok_or(MALFORMED)?;
    let salt = scram::attribute("s", rest).ok_or(MALFORMED)?;
    let rounds = scram::attribute("i", rest).ok_or(MALFORMED)?;

    let own = bare.rsplit_once("r=").map_or(bare, |(_, own)| own);
    let theirs = nonce.strip_prefix(own).ok_or(NONCE)?;
    if theirs.is_empty() || !scram::printable(theirs) {
        return Err(NONCE);
    }
    let salt = scram::decode(salt).filter(|salt| !salt.is_empty() && salt.len() <= SALT_MAX);
    let digits = rounds.bytes().all(|byte| byte.is_ascii_digit());
    let rounds = rounds.parse().ok().filter(|rounds| digits && (1..=ROUNDS_MAX).contains(rounds));

    let mut bound = scram::header(binding.is_some()).as_bytes().to_vec();
    bound.extend(binding.into_iter().flatten());
    let closing = bare.len() + message.len() + 2;
    let agreed = format!("{bare},{message},c={},r={nonce}", scram::encode(&bound)).into();
    let derive = Derive {
        hash,
        secret: password.as_bytes().into(),
        salt: salt.ok_or(SALT)?.into(),
        rounds: rounds.ok_or(ROUNDS)?,
    };
    Ok((State::Salting { agreed, closing }, Reply::Derive(derive)))
}

/// The server's last message: `v=signature`, or `e=error`.
fn prove(expected: &Digest, message: &[u8]) -> Result<(), SaslError> {
    if message.is_empty() {
        return Err(UNPROVEN);
    }
    let rest = &mut utf8(message, NOT_TEXT)?;
    if rest.starts_with("e=") {
        return Err(SAID_NO);
    }
    let signature = scram::attribute("v", rest).and_then(scram::decode).ok_or(SIGNATURE)?;
    if expected.is(&signature) { Ok(()) } else { Err(SIGNATURE) }
}
