//! An XMPP library that is not ours logs in to our target and chats with bots there.

use rustix::process::Signal;
use serde_json::Value;

use crate::secure::Authority;
use crate::servers::Independent;
use crate::stage::{Running, program, served};

/// Bots that are all there.
fn bots(scenario: &str, bots: u32, words: &str) -> Running {
    let mut running = Running::of(program(&format!("run {scenario} --conns {bots} {words}")));
    running.until(|line| line.contains(&format!("online {bots} ")));
    running
}

/// What was said by who is called this, in its order.
fn said<'a>(saw: &'a [Value], by: &str) -> Vec<&'a str> {
    let messages = saw.iter().filter(|one| one["saw"] == "message" && one["from"] == by);
    messages.filter_map(|message| message["body"].as_str()).collect()
}

#[test]
fn somebody_with_another_library_chats_with_the_bots() {
    const ROOM: &str = "hall0@conference.localhost";
    let authority = Authority::new("of the independent");
    let target = served(&format!("xmpp --tls {}", authority.shows("localhost", 2099)));
    let at =
        format!("--target xmpp://localhost:{} --tls --pin {}", target.address.port(), target.pin);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.json");
    let asker = |mechanism| {
        let ca = authority.file("ca.pem");
        let asker = Independent::of("asker@localhost", "asker", target.address, &ca)?;
        let asker = asker.asked("--mechanism", mechanism).asked("--room", ROOM);
        let asker = asker.asked("--nick", "a stranger").asked("--say", "hello, hall");
        // Four bots speak once a second each: meanwhile there is an answer.
        let asker = asker.asked("--to", "echo1@localhost").asked("--send", "are you there?");
        Some(asker.asked("--hear", "14"))
    };
    let ways = ["SCRAM-SHA-256", "PLAIN"];
    let [Some(first), Some(second)] = ways.map(asker) else { return };
    let talk = "--set rooms-per-bot=1 --set bots-per-room=4 --set room-names=hall{id} \
                --set entry=1ms --set pace=1s --set names=talker{id}";
    let words = format!("{at} --for 1h {talk} --report {}", path.display());
    let talkers = bots("rooms", 4, &words);
    let echo = bots("echobot", 1, &format!("{at} --for 1h --set names=echo{{id}}"));
    for (mechanism, asker) in ways.into_iter().zip([first, second]) {
        let saw = asker.saw();
        let of = |what| saw.iter().find(|one| one["saw"] == what);
        assert_eq!(of("failed"), None, "{saw:?}");
        let online = of("online").expect("it logged in");
        assert_eq!((&online["mechanism"], &online["tls"]), (&mechanism.into(), &"TLSv1.3".into()));
        let joined = of("joined").expect("it was let in");
        let occupants = joined["occupants"].as_array().map_or(0, Vec::len);
        assert_eq!(occupants, 5, "four bots and itself: {joined}");
        let heard = (1..=4).filter(|id| !said(&saw, &format!("{ROOM}/talker{id}")).is_empty());
        assert!(heard.count() > 1, "bots talk: {saw:?}");
        assert_eq!(said(&saw, &format!("{ROOM}/a stranger")), ["hello, hall"], "{saw:?}");
        let answer = saw.iter().find(|one| one["type"] == "chat").expect("an answer");
        assert!(answer["from"].as_str().is_some_and(|from| from.starts_with("echo1@localhost/")));
        assert_eq!(answer["body"], "are you there?");
    }
    for running in [talkers, echo] {
        running.signal(Signal::TERM);
        running.end().with(130);
    }
    let report = std::fs::read(path).expect("the report was written");
    let report: Value = serde_json::from_slice(&report).expect("it is JSON");
    let told = &report["delivery"];
    assert_eq!(told["foreign"], 8, "each bot heard what the stranger said, twice: {told}");
    assert_eq!((&told["missing"], &told["duplicated"]), (&0.into(), &0.into()), "{told}");
}
