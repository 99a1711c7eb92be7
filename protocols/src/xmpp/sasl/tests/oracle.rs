//! Against another implementation, in both directions.

use std::io::Cursor;
use std::sync::Arc;

use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::mechanisms::anonymous::ANONYMOUS;
use rsasl::mechanisms::external::EXTERNAL;
use rsasl::mechanisms::plain::PLAIN;
use rsasl::mechanisms::scram::properties::ScramStoredPassword;
use rsasl::mechanisms::scram::{
    SCRAM_SHA1, SCRAM_SHA1_PLUS, SCRAM_SHA256, SCRAM_SHA256_PLUS, SCRAM_SHA512, SCRAM_SHA512_PLUS,
};
use rsasl::prelude::{
    ChannelBindingCallback, Mechname, Registry, SASLClient, SASLConfig, SASLServer, SessionError,
    Validation,
};
use rsasl::property::{AuthId, AuthzId, Password};
use rsasl::validate::{Validate, ValidationError};

use super::*;

const ACCOUNT: &str = "user";
const PASSWORD: &str = "pencil, =2C";
const AUTHZID: &str = "other";
const ROUNDS: u32 = 50;

/// All that both implementations know; the bound ones are not among its defaults.
static KNOWN: [rsasl::prelude::Mechanism; 9] = [
    SCRAM_SHA1,
    SCRAM_SHA1_PLUS,
    SCRAM_SHA256,
    SCRAM_SHA256_PLUS,
    SCRAM_SHA512,
    SCRAM_SHA512_PLUS,
    PLAIN,
    ANONYMOUS,
    EXTERNAL,
];

/// The other side's half of a channel.
struct Channel;

impl ChannelBindingCallback for Channel {
    fn get_cb_data(&self, name: &str) -> Option<&[u8]> {
        (name == BINDING).then_some(&[7; 32])
    }
}

/// What the other implementation asks of a server or a client.
struct Asked {
    hash: Hash,
    client: bool,
    authzid: Option<&'static str>,
}

struct Admitted;

impl Validation for Admitted {
    type Value = String;
}

impl SessionCallback for Asked {
    fn enable_channel_binding(&self) -> bool {
        true
    }

    fn callback(
        &self,
        _: &SessionData,
        _: &Context<'_>,
        request: &mut Request<'_>,
    ) -> Result<(), SessionError> {
        if self.client {
            request.satisfy::<AuthId>(ACCOUNT)?.satisfy::<Password>(PASSWORD.as_bytes())?;
            if let Some(authzid) = self.authzid {
                request.satisfy::<AuthzId>(authzid)?;
            }
            return Ok(());
        }
        let (secret, salt) = (PASSWORD.as_bytes().into(), b"salt"[..].into());
        let salted = derive(&Derive { hash: self.hash, secret, salt, rounds: ROUNDS });
        let keys = Keys::of(self.hash, &salted);
        let (stored, server) = (keys.stored.bytes(), keys.server.bytes());
        let stored = ScramStoredPassword::new(ROUNDS, b"salt", stored, server);
        request.satisfy::<ScramStoredPassword<'_>>(&stored)?;
        Ok(())
    }

    fn validate(
        &self,
        session: &SessionData,
        context: &Context<'_>,
        validate: &mut Validate<'_>,
    ) -> Result<(), ValidationError> {
        validate.with::<Admitted, _>(|| {
            if session.mechanism().mechanism.as_str() == "PLAIN" {
                let password = context.get_ref::<Password>().expect("PLAIN has one");
                assert_eq!(password, PASSWORD.as_bytes());
            }
            let name = match session.mechanism().mechanism.as_str() {
                "EXTERNAL" => context.get_ref::<AuthzId>(),
                _ => context.get_ref::<AuthId>(),
            };
            Ok(name.unwrap_or("nobody").to_owned())
        })?;
        Ok(())
    }
}

fn config(hash: Hash, client: bool, authzid: Option<&'static str>) -> Arc<SASLConfig> {
    let builder = SASLConfig::builder().with_registry(Registry::with_mechanisms(&KNOWN));
    builder.with_callback(Asked { hash, client, authzid }).expect("a sound configuration")
}

fn hash_of(mechanism: Mechanism) -> Hash {
    match mechanism {
        Mechanism::Scram { hash, .. } => hash,
        _ => Hash::Sha1,
    }
}

fn mechname(mechanism: Mechanism) -> &'static Mechname {
    Mechname::parse(mechanism.name().as_bytes()).expect("a name")
}

/// What is offered beside the mechanism, so that nobody suspects a downgrade.
fn offer(mechanism: Mechanism) -> Offer {
    Offer::default().with(mechanism.name()).with_binding(BINDING)
}

/// We dial, the other implementation accepts.
fn dialled(mechanism: Mechanism, who: &Credentials<'_>) -> Option<String> {
    let server =
        SASLServer::<Admitted, _>::with_cb(config(hash_of(mechanism), false, None), Channel);
    let mut session = server.start_suggested(mechname(mechanism)).expect("known to it");
    let (stream, _) = streams(true);
    let (mut exchange, mut said) =
        Exchange::begin(Choice::Exactly(mechanism), offer(mechanism), who, &stream).ok()?;
    loop {
        let mut answer = Cursor::new(Vec::new());
        let state = session.step(Some(&said), &mut answer).ok()?;
        let answer = answer.into_inner();
        if !state.is_running() {
            exchange.success(&answer).ok()?;
            return session.validation();
        }
        said = match exchange.challenge(&answer).ok()? {
            Reply::Respond(response) => response,
            Reply::Derive(wanted) => exchange.derived(&derive(&wanted)),
        };
    }
}

struct Both(Pencil);

impl Accounts for Both {
    fn admits(&self, account: &str, password: &str) -> bool {
        self.0.admits(account, password)
    }
    fn salted(&self, account: &str, hash: Hash) -> Option<Salted<'_>> {
        self.0.salted(account, hash)
    }
    fn certified(&self, account: &str) -> bool {
        account == AUTHZID
    }
    fn acts_as(&self, _: &str, authzid: &str) -> bool {
        authzid == AUTHZID
    }
}

/// The other implementation dials, we accept.
fn accepted(
    mechanism: Mechanism,
    password: &'static str,
    authzid: Option<&'static str>,
) -> Option<String> {
    let accounts = Both(Pencil { rounds: ROUNDS, ..Pencil::new(ACCOUNT, password) });
    let client = SASLClient::with_cb(config(hash_of(mechanism), true, authzid), Channel);
    let mut session = client.start_suggested(&[mechname(mechanism)]).expect("known to it");
    let mut step = |heard: Option<&[u8]>| {
        let mut said = Cursor::new(Vec::new());
        let state = session.step(heard, &mut said).ok()?;
        Some((said.into_inner(), state.is_running()))
    };
    let (first, _) = step(None)?;
    let (_, stream) = streams(true);
    let (mut acceptance, mut answer) =
        Acceptance::begin(mechanism.name(), Some(&first), offer(mechanism), &stream, &accounts)
            .ok()?;
    loop {
        answer = match answer {
            Answer::Challenge(challenge) => {
                acceptance.response(&step(Some(&challenge))?.0, &accounts).ok()?
            }
            Answer::Derive(wanted) => acceptance.derived(&derive(&wanted)).ok()?,
            Answer::Success(None) => return Some(acceptance.account().to_owned()),
            Answer::Success(Some(last)) => {
                let (_, running) = step(Some(&last))?;
                return (!running).then(|| acceptance.account().to_owned());
            }
        };
    }
}

#[test]
fn the_other_side_may_be_somebody_else() {
    let who = Credentials::password(ACCOUNT, PASSWORD).expect("prepared");
    let wrong = Credentials::password(ACCOUNT, "pen").expect("prepared");
    for mechanism in scrams().chain([Mechanism::Plain]) {
        let name = mechanism.name();
        assert_eq!(dialled(mechanism, &who).as_deref(), Some(ACCOUNT), "{name}");
        assert_eq!(accepted(mechanism, PASSWORD, None).as_deref(), Some(ACCOUNT), "{name}");
        assert_eq!(accepted(mechanism, PASSWORD, Some(AUTHZID)).as_deref(), Some(ACCOUNT));
        assert_eq!(accepted(mechanism, PASSWORD, Some("root")), None, "{name}");
        assert_eq!(accepted(mechanism, "pen", None), None, "{name}");
        if mechanism != Mechanism::Plain {
            assert_eq!(dialled(mechanism, &wrong), None, "{name}");
        }
    }
    let nobody = Credentials::nobody();
    assert_eq!(dialled(Mechanism::Anonymous, &nobody).as_deref(), Some("nobody"));
}

#[test]
fn a_certificate_speaks_for_whom_the_message_names() {
    let who = Credentials::certificate("juliet@example.org").expect("prepared");
    assert_eq!(dialled(Mechanism::External, &who).as_deref(), Some("juliet@example.org"));
    let whom_it_names = Credentials::certificate("").expect("nothing to prepare");
    assert_eq!(dialled(Mechanism::External, &whom_it_names).as_deref(), Some(""));
    assert_eq!(accepted(Mechanism::External, PASSWORD, Some(AUTHZID)).as_deref(), Some(AUTHZID));
    assert_eq!(accepted(Mechanism::External, PASSWORD, Some("root")), None);
    assert_eq!(accepted(Mechanism::External, PASSWORD, Some("")), None, "it has to say whom");
    // Without a certificate that is good nothing is offered.
    let offered = offer(Mechanism::External);
    let verified = Stream { verified: true, ..Stream::default() };
    assert!(offered.over(&verified).holds(Mechanism::External));
    assert!(!offered.over(&Stream::default()).holds(Mechanism::External));
}
