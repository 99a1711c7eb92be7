use std::borrow::Cow;

use super::*;
use crate::Derive;
use crate::xmpp::sasl::{BINDING, Choice, Mechanism, Salted, Secret};
use crate::xmpp::{self, Account, Identity, Management, Service, Tls, Xmpp};
use crate::{Hash, Stream};

/// Everybody whose password is "secret", and whoever registers.
struct Everybody;

impl Accounts for Everybody {
    fn admits(&self, _: &str, password: &str) -> bool {
        password == "secret"
    }
    fn salted(&self, _: &str, _: Hash) -> Option<Salted<'_>> {
        Some(Salted { salt: b"salt", rounds: 8, secret: Secret::Password(Cow::Borrowed("secret")) })
    }
}

impl Directory for Everybody {
    fn register(&self, account: &str, _: &str) -> Result<(), StanzaCondition> {
        if account == "taken" { Err(StanzaCondition::Conflict) } else { Ok(()) }
    }
}

fn domain(starttls: Starttls) -> Arc<Domain> {
    let names = ["SCRAM-SHA-512-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "ANONYMOUS"];
    let offer = names.iter().fold(Offer::default().with_binding(BINDING), |all, one| all.with(one));
    Arc::new(Domain {
        name: "example.org".into(),
        mechanisms: offer,
        starttls,
        registration: true,
        longest: 4096,
        directory: Box::new(Everybody),
    })
}

fn derive(wanted: &Derive) -> Vec<u8> {
    let mut key = vec![0; [20, 32, 64][wanted.hash as usize]];
    let (secret, salt) = (&wanted.secret, &wanted.salt);
    match wanted.hash {
        Hash::Sha1 => pbkdf2::pbkdf2_hmac::<sha1::Sha1>(secret, salt, wanted.rounds, &mut key),
        Hash::Sha256 => pbkdf2::pbkdf2_hmac::<sha2::Sha256>(secret, salt, wanted.rounds, &mut key),
        Hash::Sha512 => pbkdf2::pbkdf2_hmac::<sha2::Sha512>(secret, salt, wanted.rounds, &mut key),
    }
    key
}

/// Feeds a session in pieces until nothing comes any more. Tells events, and whether TLS begins.
fn feed<S: Session>(
    session: &mut S,
    unread: &mut Vec<u8>,
    piece: usize,
    out: &mut Vec<u8>,
    mut event: impl FnMut(&mut Vec<String>, S::Event<'_>),
) -> Result<(Vec<String>, bool), Violation> {
    let (mut told, mut shown) = (Vec::new(), 0);
    while shown < unread.len() {
        shown = (shown + piece).min(unread.len());
        loop {
            let (used, tls) = match session.receive(&unread[..shown], false, out)? {
                Step::Partial => break,
                Step::Quiet(used) => (used, false),
                Step::Event(used, said) => {
                    event(&mut told, said);
                    (used, false)
                }
                Step::StartTls(used) => (used, true),
                Step::Derive(used, wanted) => {
                    session.derived(&derive(&wanted), out);
                    (used, false)
                }
            };
            unread.drain(..used);
            shown -= used;
            if tls {
                return Ok((told, true));
            }
            if shown == 0 {
                break;
            }
        }
    }
    Ok((told, false))
}

/// Lets our dialling side talk to our accepting side until both are silent.
fn meet(account: Account, domain: Arc<Domain>, piece: usize) -> (Hosted, Xmpp, Vec<String>) {
    let direct = account.service.tls == Tls::Direct;
    let (mut dialled, mut hosted) = (Xmpp::new(account), Hosted::new(domain));
    let (mut up, mut down, mut told) = (Vec::new(), Vec::new(), Vec::new());
    let stream = |accepted: bool, secured: bool| Stream {
        secured: secured.then_some([3; 32]),
        encrypted: secured,
        seed: [u8::from(accepted); 18],
        accepted,
        ..Stream::default()
    };
    hosted.open(&stream(true, direct), &mut down);
    dialled.open(&stream(false, direct), &mut up);
    for _ in 0..40 {
        let heard = feed(&mut hosted, &mut up, piece, &mut down, |told, event| match event {
            Event::Bound => told.push("bound".to_owned()),
            Event::Message(stanza) | Event::Presence(stanza) | Event::Iq(stanza) => {
                told.push(stanza.element().source().to_owned());
            }
            other => told.push(format!("{other:?}")),
        });
        let (heard, tls) = heard.expect("our own side speaks well");
        told.extend(heard);
        if told.pop_if(|last| last == "Enable(false)").is_some() {
            enabled(None, &mut down);
        }
        if tls {
            hosted.open(&stream(true, true), &mut down);
        }
        let heard = feed(&mut dialled, &mut down, piece, &mut up, |told, event| match event {
            xmpp::Event::Online { address } => {
                told.push(format!("online {}", address.as_deref().unwrap_or_default()));
            }
            xmpp::Event::Acknowledged(left) => told.push(format!("{left} left")),
            xmpp::Event::StreamError(error) => told.push(error.condition().name().to_owned()),
            xmpp::Event::Registered(made) => told.push(format!("{made:?}")),
            _ => {}
        });
        match heard {
            Ok((heard, tls)) => {
                told.extend(heard);
                if tls {
                    dialled.open(&stream(false, true), &mut up);
                }
            }
            Err(violation) => {
                told.push(violation.rule.to_owned());
                break;
            }
        }
        if up.is_empty() && down.is_empty() {
            break;
        }
    }
    (hosted, dialled, told)
}

fn account(tls: Tls, mechanism: &str, password: &str) -> Account {
    let mechanism: Mechanism = mechanism.parse().expect("known");
    let service = Service {
        tls,
        mechanism: Choice::Exactly(mechanism),
        management: Management::Acknowledge,
        ..Service::new("example.org")
    };
    let identity = Identity::password("juliet", password).expect("prepared");
    Account { service: Arc::new(service), identity, resource: "balcony".into() }
}

#[test]
fn our_two_sides_find_together() {
    let open = [Starttls::Off, Starttls::Offered];
    let cases = [
        ("PLAIN", Tls::Off, &open[..]),
        ("SCRAM-SHA-1", Tls::Off, &open[..]),
        ("SCRAM-SHA-256", Tls::Required, &[Starttls::Offered, Starttls::Required][..]),
        ("SCRAM-SHA-512-PLUS", Tls::Required, &[Starttls::Offered, Starttls::Required][..]),
        ("SCRAM-SHA-512-PLUS", Tls::Direct, &[Starttls::Off, Starttls::Required][..]),
    ];
    for (mechanism, tls, offers) in cases {
        for starttls in offers {
            for piece in [1, 7, 100_000] {
                let account = account(tls, mechanism, "secret");
                let (mut hosted, dialled, told) = meet(account, domain(*starttls), piece);
                let address = "juliet@example.org/balcony";
                assert_eq!(told, ["bound".to_owned(), format!("online {address}")], "{mechanism}");
                assert!(dialled.is_online());
                assert_eq!(hosted.take_address().as_deref(), Some(address));
                assert_eq!(hosted.take_address(), None);
            }
        }
    }
}

#[test]
fn who_may_not_come_in_is_told_why() {
    let cases = [
        (Tls::Off, "PLAIN", "wrong", Starttls::Off, "a login failure: not-authorized"),
        (Tls::Off, "SCRAM-SHA-1", "wrong", Starttls::Off, "a login failure: not-authorized"),
    ];
    for (tls, mechanism, password, starttls, expected) in cases {
        let (_, _, told) = meet(account(tls, mechanism, password), domain(starttls), 50);
        assert_eq!(told, [expected]);
    }
}

/// A dialogue without a login by our own side: what a peer says and what it is answered.
fn answered(domain: Arc<Domain>, said: &[&str]) -> (String, Vec<String>) {
    let mut hosted = Hosted::new(domain);
    let (mut out, mut told) = (Vec::new(), Vec::new());
    hosted.open(&Stream { accepted: true, ..Stream::default() }, &mut out);
    for said in said {
        out.clear();
        let mut unread = said.as_bytes().to_vec();
        let heard = feed(&mut hosted, &mut unread, 1000, &mut out, |told, event| {
            told.push(match event {
                Event::Bound => "bound".to_owned(),
                Event::Message(stanza) | Event::Presence(stanza) | Event::Iq(stanza) => {
                    stanza.element().name().to_owned()
                }
                Event::Ended(why) => format!("ended {}", why.unwrap_or_default()),
                other => format!("{other:?}"),
            });
        });
        told.extend(heard.expect("a fault is said, not a violation").0);
    }
    (String::from_utf8(out).expect("text"), told)
}

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='example.org' \
                      version='1.0' xmlns:stream='http://etherx.jabber.org/streams'>";
const AUTH: &str = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>\
                    AGp1bGlldABzZWNyZXQ=</auth>";
const BIND: &str = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                    <resource>r</resource></bind></iq>";

#[test]
fn a_user_is_answered() {
    let login = [HEADER, AUTH, HEADER, BIND];
    let cases = [
        ("<iq type='get' id='1' to='a@example.org'><x xmlns='u'/></iq>", "", Some("iq")),
        ("<message to='a@example.org'><body>hi</body></message>", "", Some("message")),
        ("<presence/> <presence/>", "", Some("presence")),
        ("<enable xmlns='urn:xmpp:sm:3'/>", "", Some("Enable(false)")),
        ("<enable xmlns='urn:xmpp:sm:3' resume='1'/>", "", Some("Enable(true)")),
        ("<r xmlns='urn:xmpp:sm:3'/>", "", Some("Ask")),
        ("<a xmlns='urn:xmpp:sm:3' h='7'/>", "", Some("Acknowledged(7)")),
        (
            "<a xmlns='urn:xmpp:sm:3'/>",
            "<stream:error><undefined-condition \
             xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
            Some("ended undefined-condition"),
        ),
        (
            "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>",
            "<failed xmlns='urn:xmpp:sm:3'>\
             <unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
            None,
        ),
        ("</stream:stream>", "</stream:stream>", Some("ended ")),
        (
            "<unheard/>",
            "<stream:error><unsupported-stanza-type \
             xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
            Some("ended unsupported-stanza-type"),
        ),
    ];
    for (said, expected, event) in cases {
        let dialogue: Vec<_> = login.iter().copied().chain([said]).collect();
        let (answer, told) = answered(domain(Starttls::Off), &dialogue);
        assert_eq!(answer, expected, "{said}");
        assert_eq!(told.get(1).map(String::as_str), event, "{said}");
    }
}

#[test]
fn a_stream_is_resumed_in_place_of_a_login() {
    let mut hosted = Hosted::new(domain(Starttls::Off));
    let mut out = Vec::new();
    let mut say = |hosted: &mut Hosted, said: &str| {
        out.clear();
        let mut unread = said.as_bytes().to_vec();
        let told = feed(hosted, &mut unread, 1000, &mut out, |told, event| {
            told.push(format!("{event:?}"));
        });
        (told.expect("no violation").0, String::from_utf8_lossy(&out).into_owned())
    };
    let resume = "<resume xmlns='urn:xmpp:sm:3' previd='a&amp;b' h='4'/>";
    let failed = |why: &str| {
        format!(
            "<failed xmlns='urn:xmpp:sm:3'>\
             <{why} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
        )
    };
    hosted.open(&Stream { accepted: true, ..Stream::default() }, &mut Vec::new());
    say(&mut hosted, HEADER);
    assert_eq!(hosted.account(), None);
    say(&mut hosted, AUTH);
    say(&mut hosted, HEADER);
    assert_eq!(hosted.account().as_deref(), Some("juliet@example.org"));
    let (told, said) = say(&mut hosted, &resume.replace(" h='4'", ""));
    assert_eq!((told.len(), said), (0, failed("bad-request")));
    assert_eq!(say(&mut hosted, resume).0, ["Resume(\"a&b\", 4)"]);
    let mut refused = Vec::new();
    hosted.refuse_resumption(&mut refused);
    assert_eq!(String::from_utf8_lossy(&refused), failed("item-not-found"));
    assert_eq!(say(&mut hosted, resume).0.len(), 1, "it may ask again");
    hosted.resume();
    assert_eq!((hosted.account(), hosted.take_address()), (None, None));
    assert_eq!(say(&mut hosted, "<r xmlns='urn:xmpp:sm:3'/>").0, ["Ask"]);
    assert_eq!(say(&mut hosted, resume).1, failed("unexpected-request"));
    refused.clear();
    hosted.refuse_resumption(&mut refused);
    assert!(refused.is_empty(), "it is granted");
    let (_, told) =
        answered(domain(Starttls::Off), &[HEADER, AUTH, HEADER, &format!("{resume}<presence/>")]);
    assert_eq!(told.last().map(String::as_str), Some("ended not-authorized"), "too early");
}

#[test]
fn who_breaks_the_rules_is_told_which() {
    let host = HEADER.replace("example.org", "elsewhere.org");
    let old = HEADER.replace("version='1.0' xmlns", "xmlns");
    let namespace = HEADER.replace("jabber:client", "jabber:server");
    let long = format!("<message><body>{}", "x".repeat(5000));
    let cases: [(&[&str], &str); 11] = [
        (&[&host], "host-unknown"),
        (&[&old], "unsupported-version"),
        (&[&namespace], "invalid-namespace"),
        (&["GET / HTTP/1.1\r\n\r\n"], "not-well-formed"),
        (&[HEADER, "<message/>"], "not-authorized"),
        (&[HEADER, AUTH, HEADER, "<message/>"], "not-authorized"),
        (&[HEADER, AUTH, HEADER, BIND, "<!-- -->"], "restricted-xml"),
        (&[HEADER, AUTH, HEADER, BIND, "<message><body></message></message>"], "not-well-formed"),
        (&[HEADER, AUTH, HEADER, BIND, "<message><a></b></message>"], "not-well-formed"),
        (&[HEADER, AUTH, HEADER, BIND, &long], "policy-violation"),
        (&[HEADER, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"], "unsupported-feature"),
    ];
    for (said, condition) in cases {
        let (answer, told) = answered(domain(Starttls::Off), said);
        let error = format!(
            "<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
             </stream:error></stream:stream>"
        );
        assert!(answer.ends_with(&error), "{said:?}: {answer}");
        assert_eq!(told.last().map(String::as_str), Some(&*format!("ended {condition}")));
    }
    let wrong = AUTH.replace("AGp1bGlldABzZWNyZXQ=", "?");
    let mut said = vec![HEADER];
    said.extend([&*wrong; 4]);
    let (answer, told) = answered(domain(Starttls::Off), &said);
    assert!(answer.contains("<incorrect-encoding/>") && told.is_empty(), "{answer}");
    said.push(&wrong);
    let (_, told) = answered(domain(Starttls::Off), &said);
    assert_eq!(told, ["ended policy-violation"]);
}

#[test]
fn accounts_are_made_before_the_login() {
    let wish = |account: &str| {
        format!(
            "<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>{account}\
             </username><password>secret</password></query></iq>"
        )
    };
    for (account, expected) in [
        ("romeo", "<iq type='result' id='r'></iq>"),
        ("taken", "<conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"),
        ("a/b", "<not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"),
    ] {
        let (answer, _) = answered(domain(Starttls::Off), &[HEADER, &wish(account)]);
        assert!(answer.contains(expected), "{answer}");
    }
}

#[test]
fn a_stanza_keeps_everything_but_its_addresses() {
    let cases = [
        (
            "<message to='r@h' type='groupchat' id='1'><body>a &lt; b</body></message>",
            "<message from='r@h/n&apos;' TO type='groupchat' id='1'>\
             <body>a &lt; b</body></message>",
        ),
        (
            "<message  from=\"x\"\n xml:lang = \"e'n\" to='r' xmlns='jabber:client' />",
            "<message from='r@h/n&apos;' TO xml:lang=\"e'n\"/>",
        ),
    ];
    for (text, expected) in cases {
        let mut out = b"before".to_vec();
        let stanza = Stanza::parse(text.as_bytes()).expect("a stanza");
        let place = readdress(&stanza, "r@h/n'", &mut out);
        let mut written = String::from_utf8(out.split_off(6)).expect("text");
        written.insert_str(place, " TO");
        assert_eq!(written, expected);
    }
}
