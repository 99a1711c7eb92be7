//! Stanzas, after a login.

use super::transcripts::PLAIN;
use super::*;

fn session() -> Xmpp {
    Xmpp::new(juliet(service(Tls::Off)))
}

/// A session whose login is over.
pub(super) fn online(session: Xmpp, login: &str) -> Dialogue {
    let mut peer = Dialogue::new(session);
    let (mut out, mut log) = (Vec::new(), Vec::new());
    peer.session.open(&peer.stream(), &mut out);
    for line in lines(login).iter().filter(|line| line.starts_with("S ")) {
        assert!(peer.give(&line.as_bytes()[2..], false, &mut out, &mut log), "{log:?}");
    }
    assert!(peer.session.is_online(), "{log:?}");
    peer
}

/// What a method appends.
fn said(write: impl FnOnce(&mut Xmpp, &mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut online(session(), &script(PLAIN)).session, &mut out);
    let text = String::from_utf8(out).expect("UTF-8");
    let element = Element::parse(text.as_bytes(), namespace::STANZAS).expect("well-formed");
    element.verify().expect("well-formed");
    text
}

#[test]
fn stanzas_are_told() {
    check(
        session,
        &script(&format!(
            "{PLAIN}S <message from='a@b/c' id='1' type='groupchat'><body>hi</body></message>
E message Groupchat from=a@b/c id=1
S <presence from='a@b/c' type='unavailable'/>
E presence Unavailable from=a@b/c id=
S <iq type='result' id='7'/>
E iq Result from= id=7
S <iq type='error' id='8'/><message type='odd'/>
E iq Error from= id=8
E message Normal from= id=
S </stream:stream>
E Closed
C </stream:stream>
end"
        )),
    );
}

#[test]
fn questions_are_answered_by_the_session() {
    let unavailable = "<error type='cancel'><service-unavailable \
                       xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
    check(
        session,
        &script(&format!(
            "{PLAIN}S <iq type='get' id='p&amp;1' from='example.org'>
    <ping xmlns='urn:xmpp:ping'/></iq>
C <iq type='result' id='p&amp;1' to='example.org'/>
S <iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>
C <iq type='result' id='r'/>
S <iq type='get' id='v' from='x@y/z'><query xmlns='jabber:iq:version'/></iq>
C <iq type='error' id='v' to='x@y/z'>{unavailable}
S <iq type='set' id='q'><ping xmlns='urn:xmpp:ping'/></iq>
C <iq type='error' id='q'>{unavailable}"
        )),
    );
}

#[test]
fn whitespace_keeps_alive_and_means_nothing() {
    let text = format!(
        "{PLAIN}S  \t\r\nS <presence/> <presence/>\nE presence Available from= id=\n\
         E presence Available from= id="
    );
    check(session, &script(&text.replace("\t\r\n", "\t\n")));
}

#[test]
fn a_message_is_read_as_deep_as_asked() {
    let text = "<message from='room@muc/nick' id='1' type='groupchat'><subject>s</subject>\
                <body>a &lt; b</body><delay xmlns='urn:xmpp:delay' \
                stamp='2002-10-13T23:58:37Z'/></message>";
    let message = Stanza(Element::parse(text.as_bytes(), namespace::STANZAS).expect("well-formed"));
    assert_eq!(message.kind(), Kind::Groupchat);
    assert_eq!(message.body().as_deref(), Some("a < b"));
    assert_eq!(message.subject().as_deref(), Some("s"));
    assert_eq!(message.delay().as_deref(), Some("2002-10-13T23:58:37Z"));
    assert!(message.error().is_none() && message.muc().is_none());
}

#[test]
fn what_a_room_says_is_understood() {
    let text = "<presence from='room@muc/nick'><x xmlns='http://jabber.org/protocol/muc#user'>\
                <item affiliation='owner' role='moderator'/><status code='110'/>\
                <status code='201'/>\
                <status code='x'/></x></presence>";
    let presence =
        Stanza(Element::parse(text.as_bytes(), namespace::STANZAS).expect("well-formed"));
    let muc = presence.muc().expect("it says something");
    assert_eq!(muc.statuses().collect::<Vec<_>>(), [STATUS_SELF, STATUS_CREATED]);
    assert!(muc.says(STATUS_SELF) && !muc.says(STATUS_BANNED) && !muc.destroyed());
    assert_eq!(muc.occupant("role").as_deref(), Some("moderator"));
    assert_eq!(muc.occupant("nick"), None);
}

#[test]
fn a_room_says_why_somebody_is_out() {
    let removal = |inside: &str| {
        let text = format!(
            "<presence type='unavailable'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='none' role='none'/>{inside}</x></presence>"
        );
        let element = Element::parse(text.as_bytes(), namespace::STANZAS).expect("well-formed");
        Stanza(element).muc().expect("it says something").removal()
    };
    let codes = |codes: &[u16]| {
        let told = codes.iter().map(|code| format!("<status code='{code}'/>"));
        removal(&told.collect::<String>())
    };
    let each = [307, 301, 321, 322, 332, 333].map(|code| codes(&[110, code]));
    let named = [
        Removal::Kicked,
        Removal::Banned,
        Removal::Affiliation,
        Removal::MembersOnly,
        Removal::ShutDown,
        Removal::Fault,
    ];
    assert_eq!(each, named);
    assert_eq!(codes(&[110, 307, 333]), Removal::Fault, "as Prosody says it");
    assert_eq!(codes(&[110]), Removal::Untold);
    assert_eq!(removal("<destroy/><status code='332'/>"), Removal::Destroyed);
    let mut names: Vec<_> = Removal::ALL.iter().map(|removal| removal.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 8, "each has a name of its own");
}

#[test]
fn a_refusal_has_a_condition_and_a_remedy() {
    for condition in StanzaCondition::ALL {
        let text = format!(
            "<presence type='error'><x xmlns='http://jabber.org/protocol/muc'/>\
             <error type='wait'><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>why</text>\
             <{} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>",
            condition.name()
        );
        let element = Element::parse(text.as_bytes(), namespace::STANZAS).expect("well-formed");
        let error = Stanza(element).error().expect("an error");
        assert_eq!(error.condition(), *condition);
        assert_eq!(error.remedy(), Some(Remedy::Wait));
        assert_eq!(error.text().as_deref(), Some("why"));
    }
}

#[test]
fn what_a_bot_wants_is_written() {
    assert_eq!(said(|session, out| session.presence(out)), "<presence/>");
    assert_eq!(
        said(|session, out| session.status(Some("away"), "a < b", out)),
        "<presence><show>away</show><status>a &lt; b</status></presence>"
    );
    assert_eq!(
        said(|session, out| session.subscription("a@b", Subscription::Subscribed, out)),
        "<presence to='a@b' type='subscribed'/>"
    );
    assert_eq!(
        said(|session, out| session.roster("1", out)),
        "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>"
    );
    assert_eq!(
        said(|session, out| session.roster_add("1", "a@b", out)),
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></iq>"
    );
    assert_eq!(
        said(|session, out| session.message("a@b", "i'd", "x & y", out)),
        "<message to='a@b' type='chat' id='i&apos;d'><body>x &amp; y</body></message>"
    );
    assert_eq!(
        said(|session, out| session.groupchat("room@muc", "1", "hi", out)),
        "<message to='room@muc' type='groupchat' id='1'><body>hi</body></message>"
    );
    assert_eq!(
        said(|session, out| session.subject("room@muc", "1", "hi", out)),
        "<message to='room@muc' type='groupchat' id='1'><subject>hi</subject></message>"
    );
    assert_eq!(
        said(|session, out| session.ping("", "1", out)),
        "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"
    );
    assert_eq!(
        said(|session, out| session.unregister("1", out)),
        "<iq type='set' id='1'><query xmlns='jabber:iq:register'><remove/></query></iq>"
    );
}

#[test]
fn rooms_are_joined_made_and_left() {
    let join = |password: Option<&'static str>, history| {
        said(move |session, out| session.join("room@muc", "it's", password, history, out))
    };
    let x = "<x xmlns='http://jabber.org/protocol/muc'";
    let to = "<presence to='room@muc/it&apos;s'>";
    assert_eq!(
        join(None, History::None),
        format!("{to}{x}><history maxstanzas='0'/></x></presence>")
    );
    assert_eq!(
        join(Some("<secret>"), History::Last(20)),
        format!(
            "{to}{x}><history maxstanzas='20'/><password>&lt;secret&gt;</password></x></presence>"
        )
    );
    assert_eq!(join(None, History::Usual), format!("{to}{x}/></presence>"));
    assert_eq!(
        join(Some("p"), History::Usual),
        format!("{to}{x}><password>p</password></x></presence>")
    );
    assert_eq!(
        said(|session, out| session.leave("room@muc", "n", out)),
        "<presence to='room@muc/n' type='unavailable'/>"
    );
    assert_eq!(
        said(|session, out| session.nick("room@muc", "n", out)),
        "<presence to='room@muc/n'/>"
    );
    assert_eq!(
        said(|session, out| session.create_room("room@muc", "1", None, out)),
        "<iq type='set' id='1' to='room@muc'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'/></query></iq>"
    );
    assert_eq!(
        said(|session, out| session.create_room("room@muc", "1", Some("a < b"), out)),
        "<iq type='set' id='1' to='room@muc'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>\
         <field var='muc#roomconfig_passwordprotectedroom'><value>1</value></field>\
         <field var='muc#roomconfig_roomsecret'><value>a &lt; b</value></field></x></query></iq>"
    );
    assert_eq!(
        said(|session, out| session.destroy_room("room@muc", "1", out)),
        "<iq type='set' id='1' to='room@muc'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <destroy/></query></iq>"
    );
}

#[test]
fn messages_nobody_wants_are_dropped_unread() {
    let mut peer = online(session(), &script(PLAIN));
    peer.session.discard_messages(true);
    let (mut out, mut log) = (Vec::new(), Vec::new());
    // Not even an end tag is compared, which shows that it is not read.
    let given = b"<message><body></x></y><message/><messages/>";
    assert!(!peer.give(given, false, &mut out, &mut log));
    assert_eq!(log, ["X a stanza of an unknown kind (unsupported-stanza-type)"]);
    let mut peer = online(session(), &script(PLAIN));
    peer.session.discard_messages(true);
    log.clear();
    assert!(peer.give(b"<message/><presence/><message a='b'/>", false, &mut out, &mut log));
    assert_eq!(log, ["E presence Available from= id="]);
}

#[test]
fn a_goodbye_is_said_once_and_answered() {
    let mut peer = online(session(), &script(PLAIN));
    let (mut out, mut log) = (Vec::new(), Vec::new());
    peer.session.close(&mut out);
    peer.session.close(&mut out);
    assert_eq!(out, b"</stream:stream>");
    assert!(!peer.session.is_online());
    assert!(peer.give(b"<presence/></stream:stream>", false, &mut out, &mut log));
    assert_eq!(log, ["E presence Available from= id=", "E Closed"]);
    assert_eq!(out, b"</stream:stream>");
}
