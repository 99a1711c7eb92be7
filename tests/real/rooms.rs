//! Rooms at density: who should have heard what, and did; and rooms that let nobody in.

use std::time::Duration;

use densebots_engine::Report;
use densebots_tests::servers::{Make, Server};

use crate::ground::{Bots, accounts, all_well, at_both, counter, counts, op};

/// What the ledger says is complete, and it had something to say.
pub(crate) fn complete(server: &Server, report: &Report, messages_min: u64) {
    let (make, delivery) = (server.make.name(), &report.total.delivery);
    let counts = counts(report);
    assert_eq!(report.no_ledger(), None, "{make}");
    assert!(delivery.messages >= messages_min, "{make}: {counts}");
    // Who leaves a room while a message is on its way owes it no more. The slower the server, the
    // more do; beyond one in twenty the ledger says little.
    assert_eq!(delivery.delivered + delivery.excused, delivery.expected, "{make}: {counts}");
    assert!(delivery.excused * 20 <= delivery.expected, "{make}: {counts}");
    let wrong = [delivery.missing, delivery.late, delivery.duplicated, delivery.reordered];
    let stray = [delivery.bounced, delivery.history, delivery.foreign];
    assert_eq!((wrong, stray), ([0; 4], [0; 3]), "{make}: {counts}");
}

#[test]
fn five_hundred_jumpers_in_twenty_rooms() {
    at_both(|server| {
        accounts(server, "crowd", 500);
        let bots = Bots::jump(server, "crowd", 500).set("rooms", "20");
        // Every phrase is heard by 25: at a shorter pause who is in already keeps a server that
        // has half a core from answering those who log in.
        let bots = bots.set("says", "1..2").set("pause", "4s..8s");
        let report = bots.lasting(Duration::from_secs(10)).run();
        all_well(server, &report);
        complete(server, &report, 500);
        assert_eq!(op(&report, "xmpp.presence"), (500, 500));
        assert!(op(&report, "xmpp.leave").1 > 50, "they jump");
        assert!(counter(&report, "jumper.rooms_created") >= 20);
    });
}

#[test]
fn fifty_jumpers_over_tls() {
    at_both(|server| {
        accounts(server, "secret", 50);
        let bots = Bots::jump(server, "secret", 50).set("rooms", "5");
        let bots = bots.set("says", "2..4").set("pause", "200ms..600ms").over_tls(server, false);
        let report = bots.lasting(Duration::from_secs(4)).run();
        all_well(server, &report);
        complete(server, &report, 200);
        assert_eq!((report.total.tls.handshakes, report.total.tls.dense), (50, 50));
    });
}

#[test]
fn a_refusal_is_counted_by_its_condition() {
    at_both(|server| {
        accounts(server, "refused", 2);
        let bots = Bots::jump(server, "refused", 2).set("muc", &server.closed_muc);
        let report = bots.set("patience", "200ms").lasting(Duration::from_secs(1)).run();
        let condition = match server.make {
            Make::Prosody => "xmpp.refused.not-allowed",
            Make::Ejabberd => "xmpp.refused.forbidden",
        };
        let refused = counter(&report, condition);
        assert!(refused >= 4, "tried again after a while: {refused}");
        let (begun, ok) = op(&report, "xmpp.join");
        assert_eq!((begun >= refused, ok), (true, 0));
        // Who is not let in is online all the same; and a run of nothing but refusals has failed.
        assert_eq!(report.failures(), [format!("none of {begun} xmpp.join succeeded")]);
        assert!(report.total.losses.is_empty(), "{:?}", report.total.losses);
    });
}
