//! Servers that do what they must not.

use super::transcripts::{PLAIN, after_login};
use super::*;
use crate::xml::oracle::streams::{document, edited};

fn session() -> Xmpp {
    Xmpp::new(juliet(service(Tls::Off)))
}

fn required() -> Xmpp {
    Xmpp::new(juliet(service(Tls::Required)))
}

const MECHANISMS: &str = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
                          <mechanism>PLAIN</mechanism></mechanisms>";
const SENT_AUTH: &str = "E Login(Sasl)
C <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAByMG0zMA==</auth>";

/// A dialogue that begins with our header and the server's.
#[track_caller]
fn after_headers(make: fn() -> Xmpp, rest: &str) {
    check(make, &script(&format!("C OURS\nS HEADER\n{rest}")));
}

/// A dialogue that begins with the choice of PLAIN.
#[track_caller]
fn after_auth(rest: &str) {
    let features = format!("S <stream:features>{MECHANISMS}</stream:features>");
    after_headers(session, &format!("{features}\n{SENT_AUTH}\n{rest}"));
}

/// A dialogue that begins with the address of a session that is online.
#[track_caller]
fn after_online(rest: &str) {
    check(session, &script(&format!("{PLAIN}{rest}")));
}

#[test]
fn no_stream_at_all() {
    let refuses = |answer: &str, rule: &str| {
        check(session, &script(&format!("C OURS\nS {answer}\nX {rule}")));
    };
    refuses("HTTP/1.1 400 Bad Request", "something that is no XML stream (not-well-formed)");
    refuses("<!DOCTYPE html><html>", "a document type (restricted-xml)");
    refuses("<html>", "something that is no XMPP stream (invalid-namespace)");
    refuses(
        "<stream:stream xmlns='jabber:client' version='1.0'>",
        "a prefix without a namespace (bad-namespace-prefix)",
    );
    refuses(
        "<stream xmlns='http://etherx.jabber.org/streams' version='1.0'>",
        "a stream with another prefix (bad-namespace-prefix)",
    );
    let header = |kind: &str, version: &str| {
        format!("<stream:stream xmlns='{kind}' xmlns:stream='{STREAMS}'{version}>")
    };
    refuses(
        &header("jabber:server", " version='1.0'"),
        "a stream of another kind of stanzas (invalid-namespace)",
    );
    let old = "a stream of an old version (unsupported-version)";
    refuses(&header("jabber:client", ""), old);
    refuses(&header("jabber:client", " version='0.9'"), old);
    refuses(&header("jabber:client", " version='one'"), old);
}

#[test]
fn features_that_never_come() {
    after_headers(session, "end\nX the end of the stream in the middle of the login");
    // Signs of life are no features, and no reason to give up: that is for a timeout.
    after_headers(
        session,
        "S  \nS \n\nend\nX the end of the stream in the middle of the login".trim(),
    );
    after_headers(
        session,
        "S </stream:stream>\nX the end of the stream in the middle of the login",
    );
    after_headers(session, "S <message from='a'/>\nX no features where the stream needs them");
}

#[test]
fn features_without_anything_usable() {
    let nothing = "no login mechanism that can be used";
    for features in [
        "",
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>X-MAGIC</mechanism>\
         </mechanisms>",
        "<mechanisms xmlns='urn:other'><mechanism>PLAIN</mechanism></mechanisms>",
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
         <mechanism xmlns='urn:other'>PLAIN</mechanism></mechanisms>",
    ] {
        let text = format!("S <stream:features>{features}</stream:features>\nX {nothing}");
        after_headers(session, &text);
    }
    check(session, &after_login("", "X no offer of resource binding"));
}

#[test]
fn tls_that_does_not_come() {
    let features = format!("S <stream:features>{MECHANISMS}</stream:features>");
    after_headers(required, &format!("{features}\nX no offer of TLS, which is required"));
    let starttls = "S <stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>\
                    <required/>\
                    </starttls></stream:features>";
    after_headers(session, &format!("{starttls}\nX a demand for TLS, which is off"));
    let asked =
        format!("{starttls}\nE Login(Tls)\nC <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    let refuses = |answer: &str, rule: &str| {
        after_headers(required, &format!("{asked}\nS {answer}\nX {rule}"));
    };
    refuses("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "a refusal to begin TLS");
    refuses("<proceed xmlns='urn:other'/>", "an answer to nothing that was asked");
    refuses("</stream:stream>", "the end of the stream in the middle of the login");
}

/// What stands behind the agreement on TLS was not protected by it (RFC 7590, and the class of
/// bugs of CVE-2011-0411). A pause between the two makes it bytes of the TLS handshake.
#[test]
fn plaintext_after_the_agreement_on_tls() {
    for more in [" ", "<stream:features/>", "\u{16}"] {
        let text = format!(
            "C OURS
S HEADER
S <stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>
E Login(Tls)
C <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>
S <proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>{more}
X plaintext after the agreement on TLS (policy-violation)"
        );
        check_whole(required(), &script(&text));
    }
}

#[test]
fn logins_that_fail() {
    let sasl = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
    for condition in SaslCondition::ALL {
        let (name, rule) = (condition.name(), condition.rule());
        after_auth(&format!(
            "S <failure {sasl}><text xml:lang='en'>No.</text><{name}/></failure>\nX {rule}"
        ));
    }
    after_auth(&format!("S <failure {sasl}/>\nX a login failure of no known kind"));
    after_auth(&format!(
        "S <failure {sasl}><magic/></failure>\nX a login failure of no known kind"
    ));
    after_auth(&format!(
        "S <challenge {sasl}>eA==</challenge>\nX a challenge where the login mechanism has none"
    ));
    after_auth(&format!(
        "S <success {sasl}>€</success>\nX a login message that is not base64 (incorrect-encoding)"
    ));
    after_auth(&format!("S <abort {sasl}/>\nX an answer to nothing that was asked"));
    after_auth("S <success xmlns='urn:other'/>\nX an answer to nothing that was asked");
    after_auth("S <iq type='get' id='1'/>\nX an answer to nothing that was asked");
    after_auth("end\nX the end of the stream in the middle of the login");
}

#[test]
fn resources_that_are_refused() {
    let upto = script(&PLAIN[..PLAIN.find("S <iq type='result'").expect("it binds")]);
    let refuses = |answer: &str, rule: &str| {
        check(session, &format!("{upto}S {answer}\nX {rule}"));
    };
    let error = |condition: &str| {
        format!(
            "<iq type='error' id='bind'><error type='cancel'><{condition} \
             xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        )
    };
    refuses(&error("conflict"), "a refusal to bind a resource: conflict");
    refuses(&error("resource-constraint"), "a refusal to bind a resource: resource-constraint");
    refuses(&error("forbidden"), "a refusal: forbidden");
    refuses("<iq type='error' id='bind'/>", "a refusal of no known kind");
    refuses("<iq type='result' id='other'/>", "an answer to nothing that was asked");
    let nowhere = "a resource binding without an address";
    refuses("<iq type='result' id='bind'/>", nowhere);
    refuses(
        "<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid/></bind>\
         </iq>",
        nowhere,
    );
}

/// Whatever the server was about to say, it may say this instead (RFC 6120 section 4.9.1.1).
#[test]
fn a_stream_error_at_every_step() {
    let dialogue = lines(&script(&format!("{PLAIN}S <presence/>")));
    let steps = dialogue.iter().enumerate().skip(2).filter(|(_, line)| line.starts_with("S "));
    for (number, line) in steps.filter(|(_, line)| *line != SERVER_HEADER) {
        let text = format!(
            "{}\nS <stream:error><host-gone xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
             <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>Bye</text></stream:error>\n\
             E stream error host-gone Bye\nC </stream:stream>",
            dialogue[..number].join("\n")
        );
        let rule = "X a stream error: host-gone";
        check(session, &format!("{text}\nS </stream:stream>\n{rule}"));
        check(session, &format!("{text}\nS {}\n{rule}", &line[2..]));
        check(session, &format!("{text}\nend\n{rule}"));
    }
}

#[test]
fn another_host_is_told_and_not_followed() {
    after_online(
        "S <stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>
    [2001:db8::1]:9222</see-other-host></stream:error>
E stream error see-other-host [2001:db8::1]:9222
C </stream:stream>
S </stream:stream>
X a stream error: see-other-host",
    );
    after_online(
        "S <stream:error><magic xmlns='urn:other'/></stream:error>
E stream error undefined-condition
C </stream:stream>
end
X a stream error of no known kind",
    );
}

#[test]
fn streams_that_are_no_xml() {
    let refuses = |answer: &str, rule: &str| after_online(&format!("S {answer}\nX {rule}"));
    refuses("<!-- hello -->", "a comment (restricted-xml)");
    refuses("<message><!-- hello -->", "a comment (restricted-xml)");
    refuses("<!DOCTYPE a>", "a document type (restricted-xml)");
    refuses("<?php ?>", "a processing instruction (restricted-xml)");
    refuses("hello", "text between stanzas (bad-format)");
    refuses("<message></presence>", "an end tag that does not match its start (not-well-formed)");
    refuses(
        "</stream:stram>",
        "an end tag that does not match the stream's header (not-well-formed)",
    );
    refuses("</message>", "an end tag that does not match the stream's header (not-well-formed)");
    refuses("<x:message/>", "a prefix without a namespace (bad-namespace-prefix)");
    refuses(
        "<x:message xmlns:x='jabber:client'/>",
        "a stanza with a namespace prefix (bad-namespace-prefix)",
    );
    refuses("<magic/>", "a stanza of an unknown kind (unsupported-stanza-type)");
    refuses(
        "<message xmlns='jabber:server'/>",
        "a stanza of an unknown kind (unsupported-stanza-type)",
    );
    refuses("<r xmlns='urn:xmpp:sm:3'/>", "a stanza of an unknown kind (unsupported-stanza-type)");
    let deep = "<a>".repeat(usize::from(xml::DEPTH_MAX));
    refuses(&deep, "elements nested too deep (policy-violation)");
    after_online("S <message><body>he\nend\nX the end of the stream in the middle of a stanza");
}

/// The session is not handed more than its limit before it refuses, however long the stanza is
/// and however it comes.
#[test]
fn a_stanza_without_end() {
    let limit = usize::try_from(STANZA_MAX).expect("small");
    for piece in [1, 1_000, 16_384, 100_000] {
        let mut peer = Dialogue::new(session());
        let (mut out, mut log) = (Vec::new(), Vec::new());
        peer.session.open(&peer.stream(), &mut out);
        for line in lines(&script(PLAIN)).iter().filter(|line| line.starts_with("S ")) {
            peer.give(&line.as_bytes()[2..], false, &mut out, &mut log);
        }
        log.clear();
        let mut stanza = b"<message><body>".to_vec();
        stanza.resize(100_000_000 / 100, b'x');
        let mut given = 0;
        let pieces =
            stanza.chunks(piece).chain(std::iter::repeat(&[b'x'; 100_000][..piece.min(100_000)]));
        for piece in pieces {
            given += piece.len();
            if !peer.give(piece, false, &mut out, &mut log) {
                break;
            }
        }
        assert_eq!(log, ["X a stanza over the limit (policy-violation)"]);
        assert!(given > limit && given <= limit + piece, "{given} in pieces of {piece}");
    }
}

#[test]
fn the_limit_is_the_same_for_whole_stanzas() {
    let small = || Xmpp::new(juliet(Service { stanza_max: 300, ..service(Tls::Off) }));
    let message = |length: usize| {
        let (front, back) = ("<message from='a'><body>", "</body></message>");
        format!("S {front}{}{back}", "x".repeat(length - front.len() - back.len()))
    };
    let fits = format!("{PLAIN}{}\nE message Normal from=a id=", message(300));
    check(small, &script(&fits));
    let over = format!("{PLAIN}{}\nX a stanza over the limit (policy-violation)", message(301));
    check(small, &script(&over));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(1_000))]

    /// Whatever a server sends, it means the same however it comes.
    #[test]
    fn any_stanzas_are_told_the_same_however_they_come(stream in edited(document())) {
        let text = String::from_utf8_lossy(&stream);
        let stanzas = text.split_once("streams'>").map_or(&*text, |(_, stanzas)| stanzas);
        let mut dialogue = lines(&script(PLAIN));
        dialogue.push(format!("S {stanzas}"));
        dialogue.push("end".to_owned());
        let whole = play(session(), &dialogue, Cut::Whole);
        proptest::prop_assert_eq!(play(session(), &dialogue, Cut::Bytes), whole);
    }
}
