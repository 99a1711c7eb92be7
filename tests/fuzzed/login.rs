//! An XMPP session that dials, from its first header on, against any server.

use std::sync::Arc;

use densebots_protocols::xmpp::{Account, Event, Identity, Management, Service, Tls, Xmpp};
use densebots_protocols::{Derive, Hash, Session, Step, Stream};

use super::{pieces, taken};

/// The longest stanza here: short enough to be reached.
const STANZA_MAX: u32 = 4096;
/// What a session may answer: so many bytes for each that came, and those of its own accord.
const ANSWER_MAX: usize = 64;
const OWN_MAX: usize = 4096;
/// How far the session is that a resumption is taken from.
const BEFORE: &str = "<stream:stream xmlns='jabber:client' version='1.0' \
    xmlns:stream='http://etherx.jabber.org/streams'><stream:features>\
    <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism>\
    </mechanisms></stream:features><success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>\
    <stream:stream xmlns='jabber:client' version='1.0' \
    xmlns:stream='http://etherx.jabber.org/streams'><stream:features>\
    <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/></stream:features>\
    <iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
    <jid>juliet@example.org/balcony</jid></bind></iq>\
    <enabled xmlns='urn:xmpp:sm:3' id='1' resume='true'/>";

/// What a session made of a server.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    /// What it told its bot, in the words of `Debug`.
    events: Vec<String>,
    said: Vec<u8>,
    /// The rule that was broken.
    broken: Option<&'static str>,
}

/// Any server is answered the same however its bytes come, with a bounded memory. Choices: what
/// the session is to do, then three lengths of pieces. A NUL ends what the server says before it
/// waits for an answer, which tells what is said over TLS from what stands before it.
pub fn login(input: &[u8]) {
    let Some(([choice, a, b, c], server)) = taken(input) else { return };
    let whole = tell(choice, server, [usize::MAX; 3]);
    for lengths in [[1; 3], [a, b, c].map(usize::from)] {
        assert_eq!(tell(choice, server, lengths), whole, "in pieces of {lengths:?}");
    }
    let most = OWN_MAX + ANSWER_MAX * server.len();
    assert!(whole.said.len() <= most, "{} bytes for {}", whole.said.len(), server.len());
}

/// The session, and whether its stream is encrypted from the first byte. The two lowest bits of the
/// choice are what is done about TLS, the next two who logs in, then stream management, and
/// what it is for.
fn session(choice: u8) -> (Xmpp, bool) {
    let tls = [Tls::Off, Tls::IfOffered, Tls::Required, Tls::Direct][usize::from(choice & 3)];
    let identity = match choice >> 2 & 3 {
        0 | 1 => Identity::password("juliet", "r0m30myr0m30").expect("a name"),
        2 => Identity::certificate("juliet@example.org").expect("a name"),
        _ => Identity::nobody(),
    };
    let management = match choice >> 4 & 3 {
        0 | 1 => Management::Resume,
        2 => Management::Acknowledge,
        _ => Management::Off,
    };
    let account = |tls, identity, management| {
        let service =
            Service { tls, management, stanza_max: STANZA_MAX, ..Service::new("example.org") };
        Account { service: Arc::new(service), identity, resource: "balcony".into() }
    };
    let wanted = account(tls, identity.clone(), management);
    let session = match choice >> 6 {
        2 if identity.name().is_some() => Xmpp::registering(wanted),
        3 => {
            let juliet = Identity::password("juliet", "r0m30myr0m30").expect("a name");
            let mut before = Xmpp::new(account(Tls::Off, juliet, Management::Resume));
            let told = drive(&mut before, false, BEFORE.as_bytes(), [usize::MAX; 3]);
            let resumption = before.take_resumption();
            Xmpp::resuming(wanted, resumption.unwrap_or_else(|| panic!("{:?}", told.events)))
        }
        _ => Xmpp::new(wanted),
    };
    (session, tls == Tls::Direct)
}

fn tell(choice: u8, server: &[u8], lengths: [usize; 3]) -> Told {
    let (mut session, encrypted) = session(choice);
    let mut told = drive(&mut session, encrypted, server, lengths);
    if told.broken.is_none() {
        session.close(&mut told.said);
    }
    told
}

/// Drives a session as a link does, up to the end of the byte stream or of its patience.
fn drive(session: &mut Xmpp, encrypted: bool, server: &[u8], lengths: [usize; 3]) -> Told {
    let (mut told, mut unread) = (Told::default(), Vec::new());
    session.open(&stream(encrypted), &mut told.said);
    for flight in server.split(|byte| *byte == 0) {
        let mut left = flight.len();
        for piece in pieces(flight, lengths) {
            left -= piece.len();
            unread.extend_from_slice(piece);
            if let Some(rule) = hear(session, &mut unread, left, &mut told) {
                told.broken = Some(rule);
                return told;
            }
            assert!(unread.len() <= STANZA_MAX as usize, "{} bytes wait", unread.len());
        }
    }
    if let Err(violation) = session.receive(&unread, true, &mut told.said) {
        told.broken = Some(violation.rule);
    }
    told
}

/// Gives a session what is unread; answers with the rule that the server broke. `left` bytes of
/// this flight are still to come.
fn hear(
    session: &mut Xmpp,
    unread: &mut Vec<u8>,
    left: usize,
    told: &mut Told,
) -> Option<&'static str> {
    let mut used_up = 0;
    while used_up < unread.len() {
        let input = &unread[used_up..];
        let used = match session.receive(input, false, &mut told.said) {
            Ok(Step::Partial) => break,
            Ok(Step::Quiet(used)) => used,
            Ok(Step::Event(used, event)) => {
                told.events.push(format!("{event:?}"));
                let online = matches!(event, Event::Online { .. });
                if online || matches!(event, Event::Message(_)) {
                    session.ping("juliet@example.org", "1", &mut told.said);
                }
                used
            }
            Ok(Step::StartTls(used)) if used < input.len() || left > 0 => {
                // The session sees only what has come with it; a link looks at the rest.
                return Some("plaintext after the agreement on TLS (policy-violation)");
            }
            Ok(Step::StartTls(used)) => {
                session.open(&stream(true), &mut told.said);
                used
            }
            Ok(Step::Derive(used, derive)) => {
                session.derived(&key(&derive), &mut told.said);
                used
            }
            Err(violation) => {
                let again = session.receive(input, false, &mut told.said).map(drop_event);
                assert_eq!(again, Err(violation), "once broken, always the same");
                return Some(violation.rule);
            }
        };
        assert!((1..=input.len()).contains(&used), "{used} of {} bytes", input.len());
        used_up += used;
    }
    unread.drain(..used_up);
    None
}

fn drop_event(_: Step<Event<'_>>) {}

fn stream(encrypted: bool) -> Stream {
    Stream { encrypted, secured: encrypted.then_some([7; 32]), ..Stream::default() }
}

/// A key of the right length; the server of a kept input knows it.
fn key(derive: &Derive) -> Vec<u8> {
    let length = match derive.hash {
        Hash::Sha1 => 20,
        Hash::Sha256 => 32,
        Hash::Sha512 => 64,
    };
    vec![7; length]
}
