//! A target that drops, repeats, delays and swaps messages: the ledger counts just what it did.

use std::time::Duration;

use densebots_scenarios::target::xmpp::Meddling;

use crate::world::{LATE, Played, Setting};
use crate::{in_rooms, jumpers, neighbours};

const SEEDS: u64 = 8;

/// What the target counted: dropped, duplicated, delayed, reordered.
fn done(played: &Played) -> [u64; 4] {
    std::array::from_fn(|nth| played.target.total.counters[nth])
}

fn found(played: &Played) -> [u64; 4] {
    let own = played.delivery();
    [own.missing, own.duplicated, own.late, own.reordered]
}

/// In the quiet network nothing else goes wrong, so that what is found is what was done.
fn check(run: fn(&Setting) -> Played, set: &'static [(&'static str, &'static str)], what: &str) {
    let delay_by = LATE + Duration::from_secs(1);
    let none = Meddling::default();
    let cases = [
        Meddling { drop: 20, ..none },
        Meddling { duplicate: 20, ..none },
        Meddling { delay: 20, delay_by, ..none },
        Meddling { drop: 30, duplicate: 30, ..none },
    ];
    for (case, meddling) in cases.into_iter().enumerate() {
        for seed in 0..SEEDS {
            let played = run(&Setting { meddling, ..Setting::quiet(seed, set) });
            played.adds_up();
            let [dropped, duplicated, delayed, _] = done(&played);
            let struck = dropped + duplicated + delayed;
            assert!(struck > 20, "{what}, {meddling:?}, seed {seed}: {struck} struck");
            let [missing, again, late, _] = found(&played);
            // Who asked to leave before the time was over is excused of what was not delivered,
            // and is not there for what comes late.
            let excused = played.delivery().excused;
            let gone = if meddling.delay > 0 { excused } else { 0 };
            let told = (missing + excused, again, late + gone);
            let known = (dropped + delayed, duplicated, delayed);
            assert_eq!(told, known, "{what}, case {case}, seed {seed}: {:?}", played.delivery());
        }
    }
}

/// Where everybody hears one sender alone, what the target swapped came in another order.
fn check_order(run: fn(&Setting) -> Played, set: &'static [(&'static str, &'static str)]) {
    for seed in 0..SEEDS {
        let meddling = Meddling { reorder: 20, ..Meddling::default() };
        let played = run(&Setting { meddling, ..Setting::quiet(seed, set) });
        let [.., swapped] = done(&played);
        assert!(swapped > 20, "seed {seed}: {swapped} swapped");
        assert_eq!(found(&played), [0, 0, 0, swapped], "seed {seed}");
        played.adds_up();
    }
}

#[test]
fn in_rooms_that_bots_stay_in() {
    let set: &[_] = &[
        ("rooms-per-bot", "2"),
        ("bots-per-room", "5"),
        ("pace", "2s"),
        ("entry", "1ms"),
        ("messages", "8"),
    ];
    check(in_rooms, set, "rooms");
}

#[test]
fn in_rooms_with_one_sender() {
    let set: &[_] = &[
        ("rooms-per-bot", "1"),
        ("bots-per-room", "5"),
        ("pace", "200ms"),
        ("entry", "1ms"),
        ("senders", "one"),
    ];
    check_order(in_rooms, set);
}

#[test]
fn between_neighbours() {
    let set: &[_] = &[("pace", "200ms"), ("settle", "1s"), ("rounds", "12"), ("linger", "100s")];
    check(neighbours, set, "one-to-one");
    let one: &[_] = &[("pace", "200ms"), ("settle", "1s"), ("before", "0"), ("behind", "1")];
    check_order(neighbours, one);
}

/// Jumpers that stay where they are: a target that meddles while somebody comes or goes strikes
/// who owes nothing.
#[test]
#[ignore = "what is delayed until bots leave is counted differently from seed to seed; not settled"]
fn between_jumpers() {
    let set: &[_] = &[("says", "15..15"), ("pause", "1s..1100ms"), ("patience", "1s")];
    check(jumpers, set, "jumper");
}
