//! The side that accepts and checks.

use std::borrow::Cow;

use super::scram::{self, Digest, Keys, MESSAGE_MAX};
use super::{BINDING, Derive, Mechanism, Offer, SaslError, Stream, condition, prepared, utf8};
use crate::Hash;

const fn malformed(rule: &'static str) -> SaslError {
    SaslError { condition: condition::MALFORMED_REQUEST, rule }
}

const fn denied(rule: &'static str) -> SaslError {
    SaslError { condition: condition::NOT_AUTHORIZED, rule }
}

const NOT_OFFERED: SaslError = SaslError {
    condition: condition::INVALID_MECHANISM,
    rule: "a login mechanism that is not offered",
};
const OTHER_NAME: SaslError = SaslError {
    condition: condition::INVALID_AUTHZID,
    rule: "the name of an account that it may not act as",
};
const TOO_LONG: SaslError = malformed("a login response over the limit");
const NOT_TEXT: SaslError = malformed("a login response that is not UTF-8");
const MALFORMED: SaslError = malformed("a malformed login response");
const UNASKED: SaslError = malformed("a login response that nobody asked for");
const EXTENDED: SaslError = malformed("a login response with an extension that must be known");
const OTHER_BINDING: SaslError = malformed("another channel binding than tls-exporter");
const DOWNGRADED: SaslError = denied("the claim that no channel binding is offered");
const UNBOUND: SaslError = denied("a channel binding of another channel");
const NONCE: SaslError = denied("a login response with another nonce");
const UNKNOWN: SaslError = denied("an unknown account");
const WRONG: SaslError = denied("a wrong password");

/// What the accepting side knows of its accounts. Shared by all logins.
pub trait Accounts {
    /// Whether the password is the account's: for PLAIN.
    fn admits(&self, account: &str, password: &str) -> bool;

    /// What SCRAM checks a proof against. `None` if there is no such account, or none that can
    /// be logged in to by this hash.
    fn salted(&self, account: &str, hash: Hash) -> Option<Salted<'_>>;

    /// Whether who showed a good certificate may be this account: for EXTERNAL.
    fn certified(&self, account: &str) -> bool {
        let _ = account;
        false
    }

    /// Whether the account may act as `authzid`, which in XMPP is a bare address.
    fn acts_as(&self, account: &str, authzid: &str) -> bool {
        account == authzid
    }
}

/// One account's secret for SCRAM. Accounts that share salt, rounds and password share what was
/// derived for the first of them.
#[derive(Clone)]
pub struct Salted<'a> {
    /// The salt.
    pub salt: &'a [u8],
    /// How often it is hashed.
    pub rounds: u32,
    /// What is kept.
    pub secret: Secret<'a>,
}

/// What is kept of a password.
#[derive(Clone)]
pub enum Secret<'a> {
    /// The password itself: the salted one is asked for at every login ([`Answer::Derive`]).
    Password(Cow<'a, str>),
    /// The salted password.
    Salted(&'a [u8]),
    /// The keys alone, as a server keeps them.
    Keys(&'a Keys),
}

/// What to do next for a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Send this challenge.
    Challenge(Vec<u8>),
    /// Derive the salted password, and go on with what [`Acceptance::derived`] says.
    Derive(Derive),
    /// The account is in. The message goes with the success, where there is one.
    Success(Option<Vec<u8>>),
}

/// One login of the side that accepts. Lives only as long as the login.
///
/// EXTERNAL is for streams whose peer showed a good certificate. Whom that names the stream does
/// not say, so the peer has to, and it is up to [`Accounts::certified`] whether that will do.
pub struct Acceptance {
    state: State,
    account: Box<str>,
    /// The two sides' common secret of the channel, where there is one.
    secured: Option<[u8; 32]>,
    nonce: String,
    binds: bool,
}

/// Where a login is.
///
/// ```text
/// begin -> Awaiting -response-> (as if it had come with begin)
/// begin -> Granted                                                    PLAIN, ANONYMOUS, EXTERNAL
/// begin -> Challenged -response-> Granted                             SCRAM, keys known
///          Challenged -response-> Deriving -derived-> Granted         SCRAM, password known
/// any of them -error-> Broken
/// ```
enum State {
    /// The mechanism is known, and its first message is to come.
    Awaiting(Mechanism),
    /// Ours was the first message of SCRAM.
    Challenged(Box<Challenged>),
    /// The proof is there, the keys are not.
    Deriving { hash: Hash, agreed: Box<str>, proof: Box<[u8]> },
    /// The account is in.
    Granted,
    /// It failed; it goes on failing in the same way.
    Broken(SaslError),
}

struct Challenged {
    hash: Hash,
    /// The head of the peer's first message (RFC 5802: gs2-header), and whether it binds.
    header: Box<str>,
    bound: bool,
    /// The rest of it, and our answer: the beginning of what both sides sign.
    agreed: Box<str>,
    nonce: Box<str>,
}

impl Acceptance {
    /// Begins a login with the mechanism that the peer named, and looks at its first message if
    /// it came with it.
    ///
    /// `offer` is what was announced on this stream.
    pub fn begin(
        mechanism: &str,
        initial: Option<&[u8]>,
        offer: Offer,
        stream: &Stream,
        accounts: &(impl Accounts + ?Sized),
    ) -> Result<(Self, Answer), SaslError> {
        let known = mechanism.parse().ok().filter(|mechanism| offer.holds(*mechanism));
        let mechanism = known.ok_or(NOT_OFFERED)?;
        let binds = offer.names().any(|name| name.ends_with("-PLUS"));
        let mut begun = Self::awaiting(mechanism, stream, scram::nonce(stream), binds);
        let answer = match initial {
            Some(first) => begun.response(first, accounts)?,
            None => Answer::Challenge(Vec::new()),
        };
        Ok((begun, answer))
    }

    pub(super) fn awaiting(
        mechanism: Mechanism,
        stream: &Stream,
        nonce: String,
        binds: bool,
    ) -> Self {
        let state = State::Awaiting(mechanism);
        Self { state, account: "".into(), secured: stream.secured, nonce, binds }
    }

    /// The account that logs in. Not to be trusted before [`Answer::Success`].
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The peer's next message.
    pub fn response(
        &mut self,
        message: &[u8],
        accounts: &(impl Accounts + ?Sized),
    ) -> Result<Answer, SaslError> {
        let state = std::mem::replace(&mut self.state, State::Broken(UNASKED));
        let next = match state {
            State::Broken(error) => Err(error),
            _ if message.len() > MESSAGE_MAX => Err(TOO_LONG),
            State::Awaiting(Mechanism::Plain) => self.plain(message, accounts),
            State::Awaiting(Mechanism::Anonymous) => self.anonymous(message),
            State::Awaiting(Mechanism::Scram { hash, bound }) => {
                self.challenged(hash, bound, message, accounts)
            }
            State::Awaiting(Mechanism::External) => self.external(message, accounts),
            State::Challenged(challenged) => self.proof(&challenged, message, accounts),
            State::Deriving { .. } | State::Granted => Err(UNASKED),
        };
        self.step(next)
    }

    /// The salted password that was asked for by [`Answer::Derive`].
    pub fn derived(&mut self, key: &[u8]) -> Result<Answer, SaslError> {
        let next = match &self.state {
            State::Deriving { hash, agreed, proof } => {
                granted(*hash, &Keys::of(*hash, key), agreed, proof)
            }
            State::Broken(error) => Err(*error),
            _ => Err(UNASKED),
        };
        self.step(next)
    }

    fn step(&mut self, next: Result<(State, Answer), SaslError>) -> Result<Answer, SaslError> {
        let (state, result) = match next {
            Ok((state, answer)) => (state, Ok(answer)),
            Err(error) => (State::Broken(error), Err(error)),
        };
        self.state = state;
        result
    }

    /// `authzid NUL account NUL password` (RFC 4616, section 2).
    fn plain(
        &mut self,
        message: &[u8],
        accounts: &(impl Accounts + ?Sized),
    ) -> Result<(State, Answer), SaslError> {
        let mut parts = utf8(message, NOT_TEXT)?.split('\0');
        let (Some(authzid), Some(account), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(MALFORMED);
        };
        if account.is_empty() || password.is_empty() {
            return Err(MALFORMED);
        }
        if prepared(account).is_err() || !accounts.admits(account, password) {
            return Err(WRONG);
        }
        if !authzid.is_empty() && !accounts.acts_as(account, authzid) {
            return Err(OTHER_NAME);
        }
        self.account = account.into();
        Ok((State::Granted, Answer::Success(None)))
    }

    /// The address to act as (RFC 4422, appendix A.1; XEP-0178), which must not be left out here.
    fn external(
        &mut self,
        message: &[u8],
        accounts: &(impl Accounts + ?Sized),
    ) -> Result<(State, Answer), SaslError> {
        let authzid = utf8(message, NOT_TEXT)?;
        let account = authzid.split('@').next().unwrap_or_default();
        let known = prepared(account).is_ok() && accounts.certified(account);
        if account.is_empty() || !known || !accounts.acts_as(account, authzid) {
            return Err(OTHER_NAME);
        }
        self.account = account.into();
        Ok((State::Granted, Answer::Success(None)))
    }

    /// A trace, which is nobody's business (RFC 4505, section 2), and a name never heard before.
    fn anonymous(&mut self, message: &[u8]) -> Result<(State, Answer), SaslError> {
        utf8(message, NOT_TEXT)?;
        let name = scram::digest(Hash::Sha1, self.nonce.as_bytes());
        self.account = name.bytes()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((State::Granted, Answer::Success(None)))
    }

    /// `gs2-header n=account,r=nonce` (RFC 5802, section 7), and extensions nobody must know.
    fn challenged(
        &mut self,
        hash: Hash,
        bound: bool,
        message: &[u8],
        accounts: &(impl Accounts + ?Sized),
    ) -> Result<(State, Answer), SaslError> {
        let message = utf8(message, NOT_TEXT)?;
        let (flag, rest) = message.split_once(',').ok_or(MALFORMED)?;
        let (authzid, bare) = rest.split_once(',').ok_or(MALFORMED)?;
        match flag {
            "y" if self.binds => return Err(DOWNGRADED),
            "n" | "y" if !bound => {}
            _ => match flag.strip_prefix("p=") {
                Some(BINDING) if bound => {}
                Some(name) if bound && !name.is_empty() => return Err(OTHER_BINDING),
                _ => return Err(MALFORMED),
            },
        }
        if bare.starts_with("m=") {
            return Err(EXTENDED);
        }
        let rest = &mut &*bare;
        let name = scram::attribute("n", rest).and_then(scram::unescape).ok_or(MALFORMED)?;
        let theirs = scram::attribute("r", rest).ok_or(MALFORMED)?;
        if name.is_empty() || theirs.is_empty() || !scram::printable(theirs) {
            return Err(MALFORMED);
        }
        if !authzid.is_empty() {
            let authzid = authzid.strip_prefix("a=").and_then(scram::unescape).ok_or(MALFORMED)?;
            if !accounts.acts_as(&name, &authzid) {
                return Err(OTHER_NAME);
            }
        }
        let salted = prepared(&name).ok().and_then(|()| accounts.salted(&name, hash));
        let Salted { salt, rounds, .. } = salted.ok_or(UNKNOWN)?;

        let nonce = format!("{theirs}{}", self.nonce);
        let challenge = format!("r={nonce},s={},i={rounds}", scram::encode(salt));
        let header = message[..message.len() - bare.len()].into();
        let agreed = format!("{bare},{challenge}").into();
        self.account = name.into();
        let nonce = nonce.into();
        let next = Box::new(Challenged { hash, header, bound, agreed, nonce });
        Ok((State::Challenged(next), Answer::Challenge(challenge.into_bytes())))
    }

    /// `c=binding,r=nonce,p=proof`, with extensions before the proof.
    fn proof(
        &self,
        challenged: &Challenged,
        message: &[u8],
        accounts: &(impl Accounts + ?Sized),
    ) -> Result<(State, Answer), SaslError> {
        let message = utf8(message, NOT_TEXT)?;
        let (closing, proof) = message.rsplit_once(",p=").ok_or(MALFORMED)?;
        let proof = scram::decode(proof).ok_or(MALFORMED)?;
        let rest = &mut &*closing;
        let binding = scram::attribute("c", rest).and_then(scram::decode).ok_or(MALFORMED)?;
        let nonce = scram::attribute("r", rest).ok_or(MALFORMED)?;

        let mut expected = challenged.header.as_bytes().to_vec();
        if challenged.bound {
            expected.extend(self.secured.ok_or(UNBOUND)?);
        }
        if binding != expected {
            return Err(UNBOUND);
        }
        if nonce != &*challenged.nonce {
            return Err(NONCE);
        }
        let hash = challenged.hash;
        let agreed = format!("{},{closing}", challenged.agreed);
        let Salted { salt, rounds, secret } =
            accounts.salted(&self.account, hash).ok_or(UNKNOWN)?;
        match secret {
            Secret::Keys(keys) => granted(hash, keys, &agreed, &proof),
            Secret::Salted(salted) => granted(hash, &Keys::of(hash, salted), &agreed, &proof),
            Secret::Password(password) => {
                let (agreed, proof) = (agreed.into(), proof.into());
                let (secret, salt) = (password.as_bytes().into(), salt.into());
                let derive = Derive { hash, secret, salt, rounds };
                Ok((State::Deriving { hash, agreed, proof }, Answer::Derive(derive)))
            }
        }
    }
}

/// The server's signature, if the proof holds (RFC 5802, section 3).
fn granted(
    hash: Hash,
    keys: &Keys,
    agreed: &str,
    proof: &[u8],
) -> Result<(State, Answer), SaslError> {
    let signature: Digest = scram::mac(hash, keys.stored.bytes(), agreed.as_bytes());
    let login_key = signature.xor(proof).ok_or(WRONG)?;
    if !scram::digest(hash, login_key.bytes()).is(keys.stored.bytes()) {
        return Err(WRONG);
    }
    let own = scram::mac(hash, keys.server.bytes(), agreed.as_bytes());
    let last = format!("v={}", scram::encode(own.bytes()));
    Ok((State::Granted, Answer::Success(Some(last.into_bytes()))))
}
