//! Logins as servers do them.

use super::*;
use crate::xmpp::sasl::{Choice, Mechanism};

/// PLAIN without TLS, up to the first stanza.
pub(in super::super) const PLAIN: &str = "
C OURS
S HEADER
S <stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>
    <mechanism>PLAIN</mechanism></mechanisms></stream:features>
E Login(Sasl)
C <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAByMG0zMA==</auth>
S <success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>
E Login(Stream)
C OURS
S HEADER
S <stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>
E Login(Bind)
C <iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>
    <resource>balcony</resource></bind></iq>
S <iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>
    <jid>juliet@example.org/balcony</jid></bind></iq>
E online juliet@example.org/balcony
";

fn plain(tls: Tls) -> impl Fn() -> Xmpp {
    move || Xmpp::new(juliet(service(tls)))
}

#[test]
fn a_login_without_tls() {
    check(plain(Tls::Off), &script(PLAIN));
    check(plain(Tls::IfOffered), &script(PLAIN));
}

#[test]
fn a_login_with_starttls_says_who_comes_only_then() {
    let text = "
C OURS
S HEADER
S <stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>
    </stream:features>
E Login(Tls)
C <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>
S <proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>
T
C OURS-SECURED
S HEADER
S <stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>
    <mechanism>PLAIN</mechanism></mechanisms></stream:features>
E Login(Sasl)
C <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAByMG0zMA==</auth>
";
    check(plain(Tls::Required), &script(text));
    check(plain(Tls::IfOffered), &script(text));
}

#[test]
fn a_login_with_scram_asks_for_a_derivation() {
    let text = "
C OURS
S HEADER
S <stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>
    <mechanism>PLAIN</mechanism><mechanism>SCRAM-SHA-1</mechanism>
    <mechanism>SCRAM-SHA-1-PLUS</mechanism></mechanisms></stream:features>
E Login(Sasl)
C <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>
    biwsbj1qdWxpZXQscj1BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=</auth>
S <challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>
    cj1BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFzZXJ2ZXIscz1jMkZzZEE9PSxpPTQwOTY=</challenge>
D Sha1 4096
";
    let expected = lines(&script(text));
    let log = play(plain(Tls::Off)(), &expected, Cut::Whole);
    assert_eq!(log[..expected.len()], expected);
    let response = &log[expected.len()];
    assert!(response.starts_with("C <response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"));
    assert_eq!(log.len(), expected.len() + 1);
    let wrong = format!(
        "{}\n{response}\nS <success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
         dj1ybUY5cHFWOFM3c3VBb1pXamE0ZEpSa0ZzS1E9</success>\nX a wrong server signature",
        script(text)
    );
    check(plain(Tls::Off), &wrong);
    let unproven = format!(
        "{}\n{response}\nS <success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>\n\
         X success without its server signature",
        script(text)
    );
    check(plain(Tls::Off), &unproven);
}

#[test]
fn bindings_are_used_where_they_are_announced() {
    let features = |binding: &str| {
        script(&format!(
            "
S HEADER
S <stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>
    <mechanism>SCRAM-SHA-256</mechanism><mechanism>SCRAM-SHA-256-PLUS</mechanism></mechanisms>
    {binding}</stream:features>"
        ))
    };
    for (binding, expected) in [
        ("", "SCRAM-SHA-256"),
        (
            "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>\
             <channel-binding type='tls-server-end-point'/></sasl-channel-binding>",
            "SCRAM-SHA-256",
        ),
        (
            "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>\
             <channel-binding type='tls-exporter'/></sasl-channel-binding>",
            "SCRAM-SHA-256-PLUS",
        ),
    ] {
        let mut peer = Dialogue::new(plain(Tls::Direct)());
        let (mut out, mut log) = (Vec::new(), Vec::new());
        peer.secured = Some([7; 32]);
        peer.session.open(&peer.stream(), &mut out);
        for line in lines(&features(binding)) {
            assert!(peer.give(&line.as_bytes()[2..], false, &mut out, &mut log));
        }
        assert_eq!(log, ["E Login(Sasl)"]);
        let out = String::from_utf8(out).expect("UTF-8");
        assert!(out.contains(&format!("mechanism='{expected}'")), "{binding}: {out}");
    }
}

#[test]
fn nobody_in_particular_sends_an_empty_message() {
    let nobody = || {
        let service =
            Service { mechanism: Choice::Exactly(Mechanism::Anonymous), ..service(Tls::Off) };
        let service = std::sync::Arc::new(service);
        Xmpp::new(Account { service, identity: Identity::nobody(), resource: "".into() })
    };
    let text = "
C OURS
S HEADER
S <stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>
    <mechanism>ANONYMOUS</mechanism><mechanism>PLAIN</mechanism></mechanisms></stream:features>
E Login(Sasl)
C <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'>=</auth>
S <success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>
E Login(Stream)
C OURS
S HEADER
S <stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>
E Login(Bind)
C <iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'></bind></iq>
";
    check(nobody, &script(text));
}

/// The dialogue of [`PLAIN`] with other features behind the login, and what then follows.
pub(in super::super) fn after_login(features: &str, rest: &str) -> String {
    let upto = PLAIN.find("S <stream:features><bind").expect("it has one");
    script(&format!("{}S <stream:features>{features}</stream:features>\n{rest}", &PLAIN[..upto]))
}

const BIND: &str = "
E Login(Bind)
C <iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>
    <resource>balcony</resource></bind></iq>
S <iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>
    <jid>juliet@example.org/balcony</jid></bind></iq>
";

#[test]
fn a_session_is_asked_for_only_where_it_is_required() {
    let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>";
    let required = after_login(
        &format!("{bind}<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>"),
        &format!(
            "{BIND}E Login(Session)
C <iq type='set' id='session'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>
S <iq type='result' id='session'/>
E online juliet@example.org/balcony"
        ),
    );
    check(plain(Tls::Off), &required);
    let optional = after_login(
        &format!(
            "{bind}<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>"
        ),
        &format!("{BIND}E online juliet@example.org/balcony"),
    );
    check(plain(Tls::Off), &optional);
}

#[test]
fn stream_management_is_enabled_if_wished_and_offered() {
    let managed =
        |management| move || Xmpp::new(juliet(Service { management, ..service(Tls::Off) }));
    let features = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/>";
    let text = |enable: &str, answer: &str| {
        after_login(
            features,
            &format!(
                "{BIND}E Login(Management)\nC {enable}\nS {answer}\n\
                 E online juliet@example.org/balcony"
            ),
        )
    };
    let resume = text(
        "<enable xmlns='urn:xmpp:sm:3' resume='true'/>",
        "<enabled xmlns='urn:xmpp:sm:3' id='sm-1' resume='true'/>",
    );
    check(managed(Management::Resume), &resume);
    let failed = text(
        "<enable xmlns='urn:xmpp:sm:3'/>",
        "<failed xmlns='urn:xmpp:sm:3'><unexpected-request \
         xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
    );
    check(managed(Management::Acknowledge), &failed);
    let off = after_login(features, &format!("{BIND}E online juliet@example.org/balcony"));
    check(managed(Management::Off), &off);
}

#[test]
fn an_account_is_made_or_not() {
    let registering = || Xmpp::registering(juliet(service(Tls::Off)));
    let text = |answer: &str, event: &str| {
        script(&format!(
            "
C OURS
S HEADER
S <stream:features><register xmlns='http://jabber.org/features/iq-register'/></stream:features>
E Login(Register)
C <iq type='set' id='register'><query xmlns='jabber:iq:register'><username>juliet</username>
    <password>r0m30</password></query></iq>
S {answer}
E Registered({event})
end
"
        ))
    };
    check(registering, &text("<iq type='result' id='register'/>", "Ok(())"));
    let conflict = "<iq type='error' id='register'><error type='cancel'><conflict \
                    xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
    check(registering, &text(conflict, "Err(Conflict)"));
}
