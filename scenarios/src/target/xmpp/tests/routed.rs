//! What users send each other, and what comes back if there is nobody.

use super::*;

#[test]
fn one_finds_the_other_and_nobody_is_said_to_be_nobody() {
    let one: Vec<Act> = vec![
        (1000, |session, out| session.message("u2@localhost", "bare", "hi", out)),
        (1100, |session, out| session.message("u2@localhost/r", "full", "hi", out)),
        (1200, |session, out| session.message("u2@localhost/other", "no resource", "hi", out)),
        (1300, |session, out| session.message("nobody@localhost", "no account", "hi", out)),
        (1400, |session, out| session.message("a@elsewhere.org", "no server", "hi", out)),
        (1500, |session, out| session.roster("roster", out)),
        (1600, |session, out| session.ping("localhost", "ping", out)),
        (1700, |session, out| session.ping("u2@localhost/r", "ping two", out)),
        (1800, |session, out| {
            session.iq("get", "", "odd", out, |out| out.extend_from_slice(b"<x xmlns='u'/>"));
        }),
    ];
    let (told, _) = play(&Service::default(), "any", vec![one, vec![]]);
    let (one, two) = (heard(&told, 1), heard(&told, 2));
    assert_eq!(two.len(), 2, "{two:?}");
    assert!(two.iter().all(|said| said.contains("from='u1@localhost/r'")), "{two:?}");
    let answer = |id: &str| {
        let answer = one.iter().find(|said| said.contains(&format!("id='{id}'")));
        answer.unwrap_or_else(|| panic!("no answer to {id}: {one:?}"))
    };
    assert!(answer("no resource").contains("<service-unavailable"));
    assert!(answer("no resource").contains("from='u2@localhost/other'"));
    assert!(answer("no account").contains("<service-unavailable"));
    assert!(answer("no server").contains("<remote-server-not-found"));
    assert!(answer("roster").contains("<query xmlns='jabber:iq:roster'/>"));
    assert!(answer("ping").contains("type='result'"));
    assert!(answer("ping two").contains("from='u2@localhost/r'"));
    assert!(answer("odd").contains("<service-unavailable"));
}

/// Another host (RFC 6120 section 10.4): what asks or tells is refused, an answer never.
#[test]
fn who_writes_to_another_host_is_told_that_there_is_none() {
    const NOWHERE: &str = "room@conference.elsewhere.org";
    let one: Vec<Act> = vec![
        (1000, |session, out| session.join(NOWHERE, "nick", None, History::None, out)),
        (1100, |session, out| session.message("a@elsewhere.org", "message", "hi", out)),
        (1200, |session, out| session.ping("elsewhere.org", "ping", out)),
        (1300, |_, out| {
            for (name, kind) in [("presence", "error"), ("message", "error"), ("iq", "result")] {
                let answer = format!("<{name} type='{kind}' id='answer' to='a@elsewhere.org'/>");
                out.extend_from_slice(answer.as_bytes());
            }
        }),
        (1400, |session, out| session.ping("localhost", "still here", out)),
    ];
    let (told, _) = play(&Service::default(), "any", vec![one]);
    let one = heard(&told, 1);
    assert_eq!(one.len(), 4, "{one:?}");
    assert!(one[0].contains(&format!("from='{NOWHERE}/nick'")), "{one:?}");
    for (refused, name) in one.iter().zip(["presence", "message", "iq"]) {
        assert!(refused.starts_with(&format!("<{name} type='error'")), "{refused}");
        assert!(refused.contains("<error type='cancel'><remote-server-not-found"), "{refused}");
    }
    assert!(one[3].contains("id='still here'"), "{one:?}");
}
