//! A target that drops, repeats, delays and swaps messages: the ledger counts just what it did.

use std::time::Duration;

use densebots_scenarios::target::xmpp::Meddling;

use crate::world::{LATE, Played, Setting, seeds};
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
///
/// What is dropped or comes after the limit is missing, or excused if its hearer left before the
/// limit. All of it that was delayed is heard in the end: late by who misses it, unowed by who is
/// excused. Nobody may leave in the half second between the limit and the moment it comes.
fn check(run: fn(&Setting) -> Played, set: &'static [(&'static str, &'static str)], what: &str) {
    let delay_by = LATE + Duration::from_millis(500);
    let none = Meddling::default();
    let cases = [
        Meddling { drop: 20, ..none },
        Meddling { duplicate: 20, ..none },
        Meddling { delay: 20, delay_by, ..none },
        Meddling { drop: 30, duplicate: 30, ..none },
    ];
    for (case, meddling) in cases.into_iter().enumerate() {
        for seed in seeds(SEEDS) {
            let played = run(&Setting { meddling, ..Setting::quiet(seed, set) });
            played.adds_up();
            let [dropped, duplicated, delayed, _] = done(&played);
            let struck = dropped + duplicated + delayed;
            assert!(struck > 20, "{what}, {meddling:?}, seed {seed}: {struck} struck");
            let [missing, again, late, _] = found(&played);
            let own = played.delivery();
            let (excused, unowed) = (own.excused, own.unowed);
            let told = [missing + excused, again, late, unowed];
            let [known_late, known_unowed] =
                if meddling.delay > 0 { [missing, excused] } else { [0, 0] };
            let known = [dropped + delayed, duplicated, known_late, known_unowed];
            let name = format!("{what}, case {case}, seed {seed}");
            assert_eq!(told, known, "{name}: missing {missing}, excused {excused}");
        }
    }
}

/// Where everybody hears one sender alone, what the target swapped came in another order.
fn check_order(run: fn(&Setting) -> Played, set: &'static [(&'static str, &'static str)]) {
    for seed in seeds(SEEDS) {
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

/// All jump at the same two moments, 13.6 s and 27.2 s after they came in, and nobody speaks within
/// three seconds of that: of what is said while somebody comes or goes, only the bots know whether
/// it is owed, and the target would strike that, too. Nothing was said from 5 s to 5.5 s before a
/// jump, and all that is delayed has come before 30 s, when the bots are asked to leave.
#[test]
fn between_jumpers() {
    let set: &[_] = &[("says", "3..3"), ("pause", "3400ms..3400ms"), ("patience", "1s")];
    let many = |setting: &Setting| {
        jumpers(&Setting { bots: 40, faults: setting.faults.clone(), ..*setting })
    };
    check(many, set, "jumper");
}
