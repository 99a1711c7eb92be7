//! The chat bots against the embedded target in one simulated world: whatever the network does,
//! they come back and the ledger adds up; whatever the target does wrong, the ledger finds it.
//!
//! `DENSEBOTS_SEEDS=1000` plays that many seeds of each, `DENSEBOTS_SEED=7` that one alone:
//! `DENSEBOTS_SEED=7 cargo test -p densebots-tests --test chats jumpers -- --nocapture`
#![allow(missing_docs, unreachable_pub)]

#[path = "chats/echoes.rs"]
mod echoes;
#[path = "chats/elsewhere.rs"]
mod elsewhere;
#[path = "chats/ends.rs"]
mod ends;
#[path = "chats/kept_out.rs"]
mod kept_out;
#[path = "chats/meddled.rs"]
mod meddled;
#[path = "chats/resumed.rs"]
mod resumed;
#[path = "chats/tagged.rs"]
mod tagged;
#[path = "chats/world.rs"]
mod world;

use std::time::Duration;

use densebots_scenarios::chat;
use densebots_scenarios::jumper::{self, Jumper};
use densebots_scenarios::login_storm::{self, LoginStorm};
use densebots_scenarios::one_to_one::{self, OneToOne};
use densebots_scenarios::presence::{self, Presence};
use densebots_scenarios::rooms::{self, Rooms};
use densebots_scenarios::xmpp_idle::XmppIdle;
use world::{DRAIN, HEAL, Played, Setting, play, round_trip_max, seeds};

/// Seeds of each scenario in every test run.
const SEEDS: u64 = 50;

pub fn jumpers(setting: &Setting) -> Played {
    play(setting, &jumper::PARAMETERS, |settings, plan| {
        (Jumper::from(settings, plan).expect("they fit"), plan.clone())
    })
}

pub fn in_rooms(setting: &Setting) -> Played {
    play(setting, &rooms::PARAMETERS, |settings, plan| {
        (Rooms::from(settings, plan).expect("they fit"), plan.clone())
    })
}

pub fn neighbours(setting: &Setting) -> Played {
    play(setting, &one_to_one::PARAMETERS, |settings, plan| {
        (OneToOne::from(settings, plan).expect("they fit"), plan.clone())
    })
}

fn contacts(setting: &Setting) -> Played {
    play(setting, &presence::PARAMETERS, |settings, plan| {
        (Presence::from(settings, plan).expect("they fit"), plan.clone())
    })
}

fn idlers(setting: &Setting) -> Played {
    play(setting, &chat::PARAMETERS, |settings, plan| {
        (XmppIdle::from(settings, plan).expect("they fit"), plan.clone())
    })
}

fn storm(setting: &Setting) -> Played {
    play(setting, &login_storm::PARAMETERS, |settings, plan| {
        let storm = LoginStorm::from(settings, plan).expect("they fit");
        let plan = storm.plan(plan.clone());
        (storm, plan)
    })
}

const JUMPS: &[(&str, &str)] = &[("says", "1..3"), ("pause", "100ms..1s"), ("patience", "500ms")];
const ROOMS: &[(&str, &str)] = &[
    ("rooms-per-bot", "3"),
    ("bots-per-room", "5"),
    ("pace", "800ms"),
    ("entry", "50ms"),
    ("patience", "1s"),
];
const NEIGHBOURS: &[(&str, &str)] =
    &[("pace", "300ms"), ("settle", "100ms"), ("rounds", "0"), ("management", "acknowledge")];

const CONTACTS: &[(&str, &str)] = &[("contacts", "4"), ("pace", "500ms")];

/// Plays many seeds in a bad network: everybody comes back, and the ledger adds up. A target that
/// does not meddle tells nothing twice and everything in order.
fn lives(run: fn(&Setting) -> Played, set: &'static [(&'static str, &'static str)], op: &str) {
    let seeds = seeds(SEEDS);
    let mut heard = 0;
    for &seed in &seeds {
        let played = run(&Setting::bad(seed, set));
        played.adds_up();
        assert_eq!(played.online, 20, "seed {seed}: all are back");
        assert!(played.op(op).0 > 20, "seed {seed}: {op} goes well: {:?}", played.op(op));
        let own = played.delivery();
        assert_eq!((own.duplicated, own.reordered), (0, 0), "seed {seed}: {own:?}");
        heard += own.delivered;
    }
    assert!(seeds.len() < 10 || heard > 1000 * seeds.len() as u64, "{heard}");
}

/// Plays some seeds in a network that only delays and cuts up: nothing is amiss. `load`: bytes a
/// second that a bot hears.
fn delivers(run: fn(&Setting) -> Played, set: &'static [(&'static str, &'static str)], load: u32) {
    for seed in seeds(SEEDS / 2) {
        let played = run(&Setting::slow(seed, set, load));
        played.adds_up();
        let own = played.delivery();
        assert_eq!(played.online, 20, "seed {seed}");
        let wrong = [own.missing, own.duplicated, own.reordered, own.late, own.bounced];
        assert_eq!(wrong, [0; 5], "seed {seed}: {own:?}");
        assert!(own.delivered > 500, "seed {seed}: {own:?}");
    }
}

#[test]
fn jumpers_live_through_a_bad_network() {
    lives(jumpers, JUMPS, "xmpp.say");
}

#[test]
fn rooms_live_through_a_bad_network() {
    lives(in_rooms, ROOMS, "xmpp.say");
}

#[test]
fn neighbours_live_through_a_bad_network() {
    lives(neighbours, NEIGHBOURS, "xmpp.message");
}

#[test]
fn contacts_live_through_a_bad_network() {
    lives(contacts, CONTACTS, "presence.change");
}

/// Four contacts and itself, two changes a second of 200 bytes each.
#[test]
fn contacts_hear_everything_in_a_slow_network() {
    delivers(contacts, CONTACTS, 2_000);
}

/// Each pair is seeded once, from one side and from the other, and then all changes are heard.
#[test]
fn subscriptions_are_seeded_once() {
    let played = contacts(&Setting::quiet(1, CONTACTS));
    assert_eq!(played.op("xmpp.roster"), (20, 0));
    assert_eq!(played.op("xmpp.subscribe"), (20 * 4, 0));
    assert_eq!(played.counter("presence.granted"), 20 * 4);
    let own = played.delivery();
    assert_eq!(own.delivered, own.expected);
    let changes = played.op("presence.change").0;
    assert!(own.delivered > changes * 39 / 10, "four hear each of {changes}: {own:?}");
}

/// Five in a room, two phrases a second of 250 bytes each; twice that for those who come and go.
#[test]
fn jumpers_hear_everything_in_a_slow_network() {
    delivers(jumpers, JUMPS, 5_000);
}

/// Five in each of three rooms, a message every 800 ms of 250 bytes each.
#[test]
fn rooms_hear_everything_in_a_slow_network() {
    delivers(in_rooms, ROOMS, 4_700);
}

/// A message every 300 ms, its answer, and the acknowledgements of both.
#[test]
fn neighbours_hear_everything_in_a_slow_network() {
    delivers(neighbours, NEIGHBOURS, 2_000);
}

#[test]
fn idlers_and_storms_live_through_a_bad_network() {
    for seed in seeds(SEEDS) {
        let played = idlers(&Setting::bad(seed, &[]));
        assert_eq!(played.online, 20, "seed {seed}: all are back");
        assert!(!played.delivery().kept, "who says nothing keeps no ledger");
        let storm = storm(&Setting::bad(seed, &[("hold", "20ms"), ("pause", "100ms")]));
        let rounds = storm.counter("login-storm.rounds");
        assert!(rounds > 20 * rounds_least(seed), "seed {seed}: {rounds} rounds");
        assert!(storm.op("xmpp.login").0 >= rounds, "seed {seed}");
        assert!(storm.bots.total.repeated > 20, "seed {seed}");
    }
}

/// The rounds that a bot of the storm has at least: as many as fit into the time in which the
/// network is well, however long each is on its way, but no more than fifty.
fn rounds_least(seed: u64) -> u64 {
    // Connecting, the stream, the password, the stream again, the address, the presence.
    let on_its_way = 6 * round_trip_max(&Setting::bad(seed, &[]).faults);
    let round = Duration::from_millis(20 + 100) + on_its_way;
    let well = DRAIN - HEAL;
    ((well.as_nanos() / round.as_nanos()) as u64).min(50)
}

/// A login is a round, whatever the pause: nobody is lost in a quiet network.
#[test]
fn a_storm_has_as_many_rounds_as_it_is_told() {
    let played = storm(&Setting::quiet(1, &[("rounds", "3"), ("pause", "1s")]));
    assert_eq!(played.counter("login-storm.rounds"), 60);
    assert_eq!(played.op("xmpp.presence"), (60, 0));
    assert_eq!(played.bots.bots.population.done, 20);
    assert!(played.bots.total.losses.is_empty(), "{:?}", played.bots.total.losses);
}

/// In a quiet network each room is made once, by whom the formula says.
#[test]
fn each_room_is_made_once_and_nobody_is_refused() {
    let played = in_rooms(&Setting::quiet(1, ROOMS));
    assert_eq!(played.counter("rooms.created"), 4 * 3);
    assert_eq!(played.op("xmpp.create"), (12, 0));
    assert_eq!(played.op("xmpp.join"), (60, 0));
    let quiet: &[_] = &[
        ("rooms-per-bot", "3"),
        ("bots-per-room", "5"),
        ("pace", "800ms"),
        ("entry", "50ms"),
        ("senders", "one"),
        ("messages", "4"),
    ];
    let played = in_rooms(&Setting::quiet(1, quiet));
    assert_eq!(played.delivery().messages, 12 * 4, "one speaks in each room");
    let limited = [("rounds", "2"), ("pace", "500ms"), ("linger", "1s"), ("settle", "1s")];
    let played = neighbours(&Setting::quiet(1, Box::leak(Box::new(limited))));
    assert_eq!(played.op("xmpp.message"), (20 * 8 * 2, 0), "two rounds to eight neighbours");
    assert_eq!(played.bots.bots.population.done, 20);
}
