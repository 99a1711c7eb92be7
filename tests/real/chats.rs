//! Messages from one to one, and several rooms at once.

use std::time::Duration;

use densebots_engine::Command;
use densebots_tests::servers::Independent;

use crate::ground::{Bots, accounts, all_well, at_both, counter, counts, online, op};
use crate::rooms::complete;

#[test]
fn an_independent_library_is_answered_by_an_echobot() {
    at_both(|server| {
        accounts(server, "echo", 2);
        server.register([("asker", "secret")]);
        let Some(asker) = Independent::at(server, "asker", "secret") else { return };
        let run = Bots::of("echobot", server, "echo", 2).lasting(Duration::from_secs(60));
        let run = run.over_tls(server, false).start();
        online(&run, 2);
        let bodies = ["hello", "a < b && c > d", "\u{1f916} says \"hi\""];
        let asker = asker.asked("--to", &format!("echo2@{}", server.domain)).asked("--hear", "3");
        let saw = bodies.iter().fold(asker, |asker, body| asker.asked("--send", body)).saw();
        run.command(Command::Drain).expect("it runs");
        let report = run.finish();
        let heard: Vec<_> = saw.iter().filter(|one| one["saw"] == "message").collect();
        let said: Vec<_> = heard.iter().map(|one| one["body"].as_str().unwrap_or("")).collect();
        assert_eq!(said, bodies, "{saw:?}");
        for message in heard {
            let from = message["from"].as_str().unwrap_or_default();
            assert!(from.starts_with(&format!("echo2@{}/", server.domain)), "{message}");
            assert_eq!(message["delayed"], false);
        }
        assert_eq!(counter(&report, "echobot.answered"), 3);
        assert_eq!(report.bots.population.done, 2, "{:?}", report.total.losses);
    });
}

#[test]
fn neighbours_write_to_each_other() {
    const BOTS: u32 = 20;
    at_both(|server| {
        accounts(server, "neighbour", BOTS);
        let bots = Bots::of("one-to-one", server, "neighbour", BOTS);
        let bots = bots.set("before", "2").set("behind", "2").set("rounds", "5");
        let bots = bots.set("pace", "100ms").set("settle", "1s").set("linger", "1s");
        // They leave when they have written everything, and that ends the run.
        let report = bots.lasting(Duration::from_secs(60)).run();
        let all = u64::from(BOTS) * 4 * 5;
        let delivery = &report.total.delivery;
        assert_eq!(op(&report, "xmpp.message"), (all, all), "{}", counts(&report));
        assert_eq!((delivery.messages, delivery.expected), (all, all), "{}", counts(&report));
        assert_eq!(delivery.delivered, all, "{}", counts(&report));
        assert_eq!(
            delivery.duplicated + delivery.reordered + delivery.foreign,
            0,
            "{}",
            counts(&report)
        );
        assert!(report.total.losses.is_empty(), "{:?}", report.total.losses);
    });
}

#[test]
fn bots_in_several_rooms_at_once() {
    at_both(|server| {
        accounts(server, "several", 20);
        let bots = Bots::of("rooms", server, "several", 20).set("room-names", "several_{id}");
        let bots = bots.set("rooms-per-bot", "3").set("bots-per-room", "6");
        let bots = bots.set("pace", "500ms").set("entry", "100ms").set("patience", "300ms");
        let report = bots.lasting(Duration::from_secs(4)).run();
        all_well(server, &report);
        complete(server, &report, 200);
    });
}
