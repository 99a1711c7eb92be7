//! A service that gives messages ids of its own: nobody can say who heard what, unless the body
//! says it too.

use densebots_scenarios::target::xmpp::Meddling;

use crate::world::{Played, Setting, seeds};
use crate::{in_rooms, jumpers, neighbours};

const SEEDS: u64 = 4;

const JUMPS: &[(&str, &str)] = &[("says", "1..3"), ("pause", "100ms..1s"), ("tag", "body")];
const ROOMS: &[(&str, &str)] =
    &[("rooms-per-bot", "2"), ("bots-per-room", "5"), ("pace", "1s"), ("tag", "body")];
const NEIGHBOURS: &[(&str, &str)] =
    &[("pace", "300ms"), ("settle", "1s"), ("rounds", "0"), ("tag", "body")];

/// Plays it at such a service.
fn nameless(
    run: fn(&Setting) -> Played,
    seed: u64,
    set: &'static [(&'static str, &'static str)],
) -> Played {
    let meddling = Meddling { drop_ids: true, ..Meddling::default() };
    run(&Setting { meddling, ..Setting::quiet(seed, set) })
}

#[test]
fn a_tag_in_the_body_makes_the_ledger_complete() {
    for seed in seeds(SEEDS) {
        for (run, set, op) in [
            (jumpers as fn(&Setting) -> Played, JUMPS, "xmpp.say"),
            (in_rooms, ROOMS, "xmpp.say"),
            (neighbours, NEIGHBOURS, "xmpp.message"),
        ] {
            let played = nameless(run, seed, set);
            assert_eq!(played.bots.no_ledger(), None, "seed {seed}");
            played.adds_up();
            let own = played.delivery();
            let wrong = [own.missing, own.late, own.duplicated, own.reordered, own.bounced];
            assert_eq!(wrong, [0; 5], "seed {seed}: {own:?}");
            assert!(own.delivered > 500, "seed {seed}: {own:?}");
            assert_eq!(played.op(op).1, 0, "seed {seed}: each {op} is heard");
        }
    }
}

/// Without it the ledger says so. Who hears a message tells its sender all the same, so that what
/// was said is timed.
#[test]
fn without_a_tag_the_ledger_says_that_it_knows_nothing() {
    for (run, set, op) in [
        (jumpers as fn(&Setting) -> Played, &JUMPS[..2], "xmpp.say"),
        (in_rooms, &ROOMS[..3], "xmpp.say"),
        (neighbours, &NEIGHBOURS[..3], "xmpp.message"),
    ] {
        let played = nameless(run, 1, set);
        let why = played.bots.no_ledger().unwrap_or_default();
        assert!(why.starts_with("the service does not keep the ids of messages"), "{op}: {why}");
        let (ok, failed) = played.op(op);
        assert!(ok > 100 && failed == 0, "{op}: {ok} ok, {failed} not");
    }
}
