//! Stream management: counts, and going on with a stream that was lost.

use super::online::online;
use super::transcripts::after_login;
use super::*;

fn account() -> Account {
    juliet(Service { management: Management::Resume, ..service(Tls::Off) })
}

const FEATURES: &str =
    "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/>";

fn managed() -> Dialogue {
    let login = after_login(
        FEATURES,
        "S <iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>
    <jid>juliet@example.org/balcony</jid></bind></iq>
S <enabled xmlns='urn:xmpp:sm:3' id='sm&lt;1' resume='1'/>",
    );
    online(Xmpp::new(account()), &login)
}

/// What came of some bytes: the log, and what was appended.
fn heard(peer: &mut Dialogue, bytes: &str) -> (Vec<String>, String) {
    let (mut out, mut log) = (Vec::new(), Vec::new());
    peer.give(bytes.as_bytes(), false, &mut out, &mut log);
    (log, String::from_utf8(out).expect("UTF-8"))
}

#[test]
fn what_came_in_is_acknowledged() {
    let mut peer = managed();
    let (_, out) = heard(&mut peer, "<r xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(out, "<a xmlns='urn:xmpp:sm:3' h='0'/>");
    peer.session.discard_messages(true);
    let (_, out) =
        heard(&mut peer, "<message/><presence/> <iq type='result'/><r xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(out, "<a xmlns='urn:xmpp:sm:3' h='3'/>");
}

#[test]
fn what_went_out_is_counted_and_asked_about() {
    let mut peer = managed();
    let mut out = Vec::new();
    for number in 1..=16 {
        out.clear();
        peer.session.message("a@b", "1", "x", &mut out);
        assert_eq!(out.ends_with(b"<r xmlns='urn:xmpp:sm:3'/>"), number == 16);
    }
    let (log, _) = heard(&mut peer, "<a xmlns='urn:xmpp:sm:3' h='10'/>");
    assert_eq!(log, ["E Acknowledged(6)"]);
    let (log, _) = heard(&mut peer, "<a xmlns='urn:xmpp:sm:3' h='16'/>");
    assert_eq!(log, ["E Acknowledged(0)"]);
    let (log, _) = heard(&mut peer, "<a xmlns='urn:xmpp:sm:3' h='17'/>");
    assert_eq!(log, ["X an acknowledgement of more than was sent (undefined-condition)"]);
    let (log, _) = heard(&mut managed(), "<a xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(log, ["X an acknowledgement without a count (undefined-condition)"]);
    let mut out = Vec::new();
    managed().session.ask_acknowledgement(&mut out);
    assert_eq!(out, b"<r xmlns='urn:xmpp:sm:3'/>");
}

#[test]
fn a_lost_stream_goes_on() {
    let mut peer = managed();
    heard(&mut peer, "<presence/><presence/>");
    let mut out = Vec::new();
    peer.session.message("a@b", "1", "one", &mut out);
    peer.session.message("a@b", "2", "two", &mut out);
    let resumption = peer.session.take_resumption().expect("agreed on");
    assert_eq!(resumption.waiting(), 2);
    assert!(peer.session.take_resumption().is_none(), "only once");

    let asked = "E Login(Resume)\nC <resume xmlns='urn:xmpp:sm:3' h='2' previd='sm&lt;1'/>\n";
    let two = "<message to='a@b' type='chat' id='2'><body>two</body></message>";
    let again = || Xmpp::resuming(account(), resumption.clone());
    check(
        again,
        &after_login(
            FEATURES,
            &format!(
                "{asked}S <resumed xmlns='urn:xmpp:sm:3' h='1' previd='sm&lt;1'/>
E online again
C {two}
S <presence/><r xmlns='urn:xmpp:sm:3'/>
E presence Available from= id=
C <a xmlns='urn:xmpp:sm:3' h='3'/>"
            ),
        ),
    );
    check(
        again,
        &after_login(
            FEATURES,
            &format!(
                "{asked}S <failed xmlns='urn:xmpp:sm:3'><item-not-found \
                 xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>\nE Login(Bind)
C <iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>
    <resource>balcony</resource></bind></iq>"
            ),
        ),
    );
    check(
        again,
        &after_login(
            FEATURES,
            &format!(
                "{asked}S <resumed xmlns='urn:xmpp:sm:3' h='3'/>\n\
                 X an acknowledgement of more than was sent (undefined-condition)"
            ),
        ),
    );
}

/// What is left to go on with after a login that came as far as this and was lost.
fn left(tail: &str) -> Option<usize> {
    let mut peer = managed();
    peer.session.message("a@b", "1", "one", &mut Vec::new());
    let resumption = peer.session.take_resumption().expect("agreed on");
    let mut peer = Dialogue::new(Xmpp::resuming(account(), resumption));
    let (mut out, mut log) = (Vec::new(), Vec::new());
    peer.session.open(&Stream::default(), &mut out);
    let login = lines(&after_login(FEATURES, tail));
    for bytes in login.iter().filter_map(|line| line.strip_prefix("S ")) {
        peer.give(bytes.as_bytes(), false, &mut out, &mut log);
    }
    let left = peer.session.take_resumption();
    assert!(peer.session.take_resumption().is_none(), "only once");
    left.map(|resumption| resumption.waiting())
}

#[test]
fn a_login_that_is_lost_again_leaves_the_stream_to_go_on_with() {
    let resumed = |count: u32| format!("S <resumed xmlns='urn:xmpp:sm:3' h='{count}'/>");
    let failed = "S <failed xmlns='urn:xmpp:sm:3'/>";
    assert_eq!(left(""), Some(1), "asked, and not answered");
    assert_eq!(left(&resumed(0)), Some(1), "the new stream takes its place");
    assert_eq!(left(&resumed(1)), Some(0));
    assert_eq!(left(failed), None, "refused");
    assert_eq!(left(&resumed(2)), None, "the counts do not fit and never will");
    let over = |condition: &str| {
        format!(
            "S <stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
             </stream:error>"
        )
    };
    assert_eq!(left(&over("system-shutdown")), Some(1), "another server may go on");
    assert_eq!(left(&format!("{}\n{}", resumed(0), over("conflict"))), None);
    assert_eq!(left(&format!("{failed}\n{}", over("conflict"))), None);
    let mut early = Xmpp::resuming(account(), {
        let mut peer = managed();
        peer.session.take_resumption().expect("agreed on")
    });
    assert!(early.take_resumption().is_some(), "a dial that failed");
    assert!(Xmpp::new(account()).take_resumption().is_none());
}

#[test]
fn a_server_that_acknowledges_nothing_does_not_make_a_bot_grow() {
    let mut peer = managed();
    let mut out = Vec::new();
    for _ in 0..257 {
        peer.session.presence(&mut out);
    }
    assert!(peer.session.take_resumption().is_none());
    let (log, _) = heard(&mut peer, "<a xmlns='urn:xmpp:sm:3' h='257'/>");
    assert_eq!(log, ["E Acknowledged(0)"], "and yet it is counted");
}

#[test]
fn a_stream_that_was_closed_is_not_resumed() {
    let mut peer = managed();
    peer.session.close(&mut Vec::new());
    assert!(peer.session.take_resumption().is_none());
}
