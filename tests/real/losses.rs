//! Connections that are lost in mid-run: by a server that restarts, and by a wire that is cut.

use std::cell::Cell;
use std::time::Duration;

use densebots_engine::{Backoff, Command, Plan, Report, Run};
use densebots_tests::servers::{Make, Server};

use crate::ground::{Bots, accounts, at_both, counter, counts, endpoint, online, op, until};
use crate::relay::Relay;

const BOTS: u32 = 20;
/// Longer than anything here takes; runs are ended when they have shown what they should.
const LASTING: Duration = Duration::from_secs(120);

/// Jumpers that come back as often as it takes, and talk a lot in one room each.
fn steadfast(server: &Server, family: &str, management: &str) -> Bots {
    let mut bots = Bots::jump(server, family, BOTS).set("management", management).lasting(LASTING);
    bots = bots.set("rooms", "4").set("pause", "100ms..300ms").set("says", "250");
    let soon = Duration::from_millis(100);
    bots.plan.reconnect = Backoff { first: soon, cap: 5 * soon, give_up: None };
    bots
}

fn all_online(run: &Run) {
    online(run, BOTS);
}

/// Waits until so many more messages were heard.
fn said(run: &Run, more: u64) {
    let from = Cell::new(None);
    until(run, "said", |now| {
        let now = now.report.total.delivery.delivered;
        let first = from.get().unwrap_or(now);
        from.set(Some(first));
        now >= first + more
    });
}

/// Drains it, and looks at what every run has to have come to.
fn end(run: Run) -> Report {
    run.command(Command::Drain).expect("it runs");
    let report = run.finish();
    assert_eq!(report.bots.population.done, u64::from(BOTS), "{:?}", report.bots);
    let losses = &report.total.losses;
    let online = losses.iter().filter(|loss| loss.lost.online);
    let sum = online.fold((0, 0), |sum, loss| (sum.0 + loss.count, sum.1 + loss.recovered));
    assert_eq!(sum, (u64::from(BOTS), u64::from(BOTS)), "each lost one and came back: {losses:?}");
    let delivery = &report.total.delivery;
    let wrong = [delivery.missing, delivery.duplicated, delivery.reordered, delivery.late];
    assert_eq!((wrong, delivery.foreign), ([0; 4], 0), "{}", counts(&report));
    report
}

#[test]
fn all_come_back_to_a_server_that_restarts() {
    for make in Make::ALL {
        let Some(server) = Server::start(make) else { continue };
        let runs = ["off", "resume"].map(|management| {
            accounts(&server, management, BOTS);
            steadfast(&server, management, management).start()
        });
        runs.iter().for_each(all_online);
        runs.iter().for_each(|run| said(run, 100));
        server.restart();
        runs.iter().for_each(all_online);
        runs.iter().for_each(|run| said(run, 100));
        for run in runs {
            let report = end(run);
            assert_eq!(report.bots.min_online, 0, "everybody was away");
            // The server that comes back knows no stream of the one that went.
            assert_eq!(counter(&report, "xmpp.resumed"), 0);
            let twice = 2 * u64::from(BOTS);
            assert_eq!(op(&report, "xmpp.login").1, twice);
            assert_eq!(op(&report, "xmpp.presence").1, twice);
            let (excused, expected) =
                (report.total.delivery.excused, report.total.delivery.expected);
            // While others were still away, and not once they had come back to another room.
            assert!(excused * 2 < expected, "{make:?}: {}", counts(&report));
            println!("{make:?}: {}", counts(&report));
        }
    }
}

#[test]
fn streams_are_resumed_over_a_new_wire_and_owe_every_message() {
    at_both(|server| {
        accounts(server, "wire", BOTS);
        let relay = Relay::to(server.plain());
        let mut bots = steadfast(server, "wire", "resume");
        bots.plan = Plan { endpoints: vec![endpoint(relay.at())], ..bots.plan };
        let run = bots.start();
        all_online(&run);
        said(&run, 100);
        assert_eq!(relay.cut(), BOTS as usize);
        until(&run, "resumed", |now| {
            let recovered = now.report.total.losses.iter().map(|loss| loss.recovered);
            recovered.sum::<u64>() == u64::from(BOTS)
        });
        said(&run, 100);
        let report = end(run);
        assert_eq!(counter(&report, "xmpp.resumed"), u64::from(BOTS));
        assert_eq!(op(&report, "xmpp.login").1, 2 * u64::from(BOTS));
        assert_eq!(op(&report, "xmpp.presence").1, u64::from(BOTS), "nobody logs in anew");
        assert_eq!(op(&report, "xmpp.join").1, u64::from(BOTS), "nobody has left the room");
        let delivery = &report.total.delivery;
        assert_eq!((delivery.excused, delivery.bounced), (0, 0), "{}", counts(&report));
        let closed = delivery.delivered + delivery.unresolved;
        assert_eq!(closed, delivery.expected, "{}", counts(&report));
    });
}
