//! Rooms at density: who should have heard what, and did; and rooms that let nobody in.

use std::time::Duration;

use densebots_engine::{Command, Report};
use densebots_tests::servers::{Make, Server};

use crate::ground::{Bots, accounts, all_well, at_both, counter, counts, op, until};

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

/// Four bots in two rooms of theirs, for as long as it takes.
fn dwellers(server: &Server, family: &'static str) -> Bots {
    let rooms = format!("{family}_{{id}}");
    let bots = Bots::of("rooms", server, family, 4).set("room-names", &rooms);
    let bots = bots.set("rooms-per-bot", "2").set("bots-per-room", "4").set("entry", "10ms");
    bots.set("pace", "500ms").lasting(Duration::from_secs(60))
}

/// Somebody of another run who sits in one of these rooms, and makes none.
fn witness(server: &Server, family: &'static str, account: &str) -> Bots {
    let bots = Bots::jump(server, family, 1).set("names", account).set("rooms", "2");
    let bots = bots.set("create", "false").set("pause", "30s").set("patience", "200ms");
    bots.lasting(Duration::from_secs(60))
}

fn succeeded(report: &Report, name: &str, count: u64) -> bool {
    op(report, name).1 == count
}

/// Who is still in a room sees that the run that made it destroys it; and leaves it, if told so.
#[test]
fn rooms_that_a_run_made_are_gone_with_it() {
    at_both(|server| {
        for (family, destroy) in [("ending", "true"), ("staying", "false")] {
            let account = format!("{family}guest{{id}}");
            accounts(server, family, 4);
            accounts(server, &format!("{family}guest"), 1);
            let run = dwellers(server, family).set("destroy", destroy).start();
            until(&run, "all in their rooms", |now| succeeded(&now.report, "xmpp.join", 8));
            let guest = witness(server, family, &account).start();
            until(&guest, "inside", |now| succeeded(&now.report, "xmpp.join", 1));
            run.command(Command::Drain).expect("it runs");
            let report = run.finish();
            let destroyed = u64::from(destroy == "true");
            assert_eq!(op(&report, "xmpp.destroy"), (2 * destroyed, 2 * destroyed));
            assert_eq!(counter(&report, "rooms.thrown_out"), 0, "the end of a run is none");
            let out = "jumper.thrown_out.destroyed";
            if destroyed == 1 {
                until(&guest, "out", |now| counter(&now.report, out) == 1);
                // Where it comes next is nothing: it would make a room, which it does not want.
                until(&guest, "nowhere", |now| {
                    counter(&now.report, "xmpp.refused.item-not-found") > 0
                });
            }
            guest.command(Command::Stop).expect("it runs");
            assert_eq!(counter(&guest.finish(), out), destroyed);
        }
    });
}

#[test]
fn a_room_with_a_password_lets_in_who_knows_it() {
    let file = |text: &str| {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("writable");
        file
    };
    let (right, wrong) = (file("open <sesame>\n"), file("sesame\n"));
    let path = |file: &tempfile::NamedTempFile| file.path().to_str().expect("text").to_owned();
    at_both(|server| {
        let (family, key) = ("secrecy", "room-password-file");
        accounts(server, family, 4);
        accounts(server, "burglar", 1);
        let run = dwellers(server, family).set(key, &path(&right)).start();
        until(&run, "all in their rooms", |now| succeeded(&now.report, "xmpp.join", 8));
        until(&run, "configured", |now| succeeded(&now.report, "xmpp.create", 2));
        let guest = witness(server, family, "burglar{id}").set(key, &path(&wrong)).start();
        let refused = "xmpp.refused.not-authorized";
        until(&guest, "refused", |now| counter(&now.report, refused) > 1);
        guest.command(Command::Stop).expect("it runs");
        assert_eq!(op(&guest.finish(), "xmpp.join").1, 0, "{}", server.make.name());
        let guest = witness(server, family, "burglar{id}").set(key, &path(&right)).start();
        until(&guest, "inside", |now| succeeded(&now.report, "xmpp.join", 1));
        drop((guest, run));
    });
}
