//! The servers themselves: what they offer is what the other tests build on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use densebots_tests::servers::{Independent, Make, Server, shared};
use serde_json::Value;

/// No answer on loopback takes longer.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// What a server offers at the beginning of a stream to this service.
fn features(server: &Server, service: &str) -> String {
    let mut link = TcpStream::connect(server.plain()).expect("it listens");
    link.set_read_timeout(Some(ANSWER_MAX)).expect("no zero");
    let header = format!(
        "<?xml version='1.0'?><stream:stream to='{service}' version='1.0' \
         xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
    );
    link.write_all(header.as_bytes()).expect("it reads");
    let (mut answer, mut chunk) = (String::new(), [0; 4096]);
    while !answer.contains("</stream:features>") {
        let read = link.read(&mut chunk).expect("it answers in time");
        assert!(read > 0, "closed after: {answer}");
        answer.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
    answer
}

/// Tries it at both servers, as far as they are here.
fn at_both(check: impl Fn(&Server)) {
    for server in Make::ALL.into_iter().filter_map(shared) {
        check(server);
    }
}

/// What was seen, by its name.
fn seen<'a>(saw: &'a [Value], what: &str) -> Vec<&'a Value> {
    saw.iter().filter(|one| one["saw"] == what).collect()
}

#[test]
fn they_offer_starttls_registration_and_their_mechanisms() {
    at_both(|server| {
        let offered = features(server, &server.domain);
        assert!(offered.contains("urn:ietf:params:xml:ns:xmpp-tls"), "{offered}");
        assert!(offered.contains("http://jabber.org/features/iq-register"), "{offered}");
        for mechanism in server.make.mechanisms() {
            let mechanism = format!("<mechanism>{mechanism}</mechanism>");
            assert!(offered.contains(&mechanism), "{mechanism} is not in {offered}");
        }
        let offered = features(server, &server.anonymous);
        assert!(offered.contains("<mechanism>ANONYMOUS</mechanism>"), "{offered}");
    });
}

#[test]
fn an_independent_library_logs_in_by_every_way_and_mechanism() {
    at_both(|server| {
        server.register([("anna", "a & b's <secret>")]);
        let login = || Independent::at(server, "anna", "a & b's <secret>");
        for mechanism in server.make.mechanisms() {
            let Some(login) = login() else { return };
            let saw = login.asked("--mechanism", mechanism).saw();
            assert_eq!(saw[0]["mechanism"], *mechanism, "{saw:?}");
            assert_eq!(saw[0]["tls"], "TLSv1.3", "{saw:?}");
        }
        let Some(direct) = login() else { return };
        let saw = direct.direct_tls(server).saw();
        assert_eq!((&saw[0]["saw"], &saw[0]["tls"]), (&"online".into(), &"TLSv1.3".into()));
        let Some(plain) = login() else { return };
        let saw = plain.plain().saw();
        assert_eq!((&saw[0]["saw"], &saw[0]["tls"]), (&"online".into(), &Value::Null));
        let Some(wrong) = Independent::at(server, "anna", "another") else { return };
        let saw = wrong.saw();
        assert_eq!(saw[0]["saw"], "failed", "{saw:?}");
    });
}

#[test]
fn an_independent_library_chats_in_a_room_and_alone() {
    at_both(|server| {
        server.register([("berta", "secret")]);
        let own = format!("berta@{}", server.domain);
        let room = format!("hall@{}", server.muc);
        let Some(login) = Independent::at(server, "berta", "secret") else { return };
        let login = login.asked("--room", &room).asked("--say", "to all");
        let saw = login.asked("--to", &own).asked("--send", "to me").asked("--hear", "2").saw();
        let joined = seen(&saw, "joined");
        let status = joined.first().map(|joined| joined["status"].to_string());
        assert_eq!(status.as_deref(), Some("[110,201]"), "{saw:?}");
        let mut heard: Vec<_> = seen(&saw, "message");
        heard.sort_by_key(|message| message["type"].to_string());
        assert_eq!(heard[0]["body"], "to me", "{saw:?}");
        assert_eq!((&heard[1]["body"], &heard[1]["delayed"]), (&"to all".into(), &false.into()));
        let Some(login) = Independent::at(server, "berta", "secret") else { return };
        let refused = login.asked("--room", &format!("hall@{}", server.closed_muc)).saw();
        let condition = match server.make {
            Make::Prosody => "join refused: not-allowed",
            Make::Ejabberd => "join refused: forbidden",
        };
        let why = seen(&refused, "failed").first().map(|failed| failed["why"].to_string());
        assert!(why.as_ref().is_some_and(|why| why.contains(condition)), "{refused:?}");
    });
}

#[test]
fn a_server_comes_back_with_its_accounts_on_its_ports() {
    for make in Make::ALL {
        let Some(server) = Server::start(make) else { continue };
        server.register([("carla", "secret")]);
        server.stop();
        assert!(TcpStream::connect(server.plain()).is_err(), "it should not listen");
        server.restart();
        let Some(login) = Independent::at(&server, "carla", "secret") else { continue };
        let saw = login.saw();
        assert_eq!(saw[0]["saw"], "online", "{saw:?}\n{}", server.log());
    }
}
