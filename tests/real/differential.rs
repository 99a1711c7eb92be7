//! The exchanges that bots use, played against Prosody, ejabberd and our embedded target: they
//! answer alike in kind, type, condition and status, and where they do not it is written down.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use densebots_engine::{Arrival, Load, Plan};
use densebots_scenarios::serve_xmpp;
use densebots_scenarios::target::Admission;
use densebots_scenarios::target::xmpp::Service;
use densebots_tests::servers::{Make, shared};

use crate::ground::endpoint;

#[path = "differential/guarded.rs"]
mod guarded;
#[path = "differential/rooms.rs"]
mod rooms;
#[path = "differential/script.rs"]
mod script;
#[path = "differential/wire.rs"]
mod wire;

use guarded::GUARDED;
use rooms::ROOMS;
use script::{BEGINNING, END, ENTRANCE, Exchange, Who};
use wire::{Names, Wire};

/// No answer takes longer, even on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);
/// Once a play has gone wrong, the rest is there to be looked at, soon.
const IMPATIENCE: Duration = Duration::from_millis(500);

impl Exchange {
    /// What this one answers.
    fn expected(&self, who: Who) -> Vec<String> {
        let own = self.differs.iter().find(|(other, ..)| *other == who);
        let answers = own.map_or(self.answers, |(_, answers, why)| {
            assert!(!why.is_empty(), "{}: no reason", self.what);
            answers
        });
        let mut answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
        if who == Who::Ejabberd && own.is_none() {
            let avatars: Vec<String> = answers.iter().filter_map(|said| avatar(said)).collect();
            answers.extend(avatars);
        }
        answers.sort_unstable();
        answers
    }
}

/// What ejabberd says beside this: to who comes, goes or hears of a new configuration, the avatar
/// of the room, by a presence of the room itself. No bot asks about it.
fn avatar(said: &str) -> Option<String> {
    let (what, from) = said.split_once(" from ")?;
    let room = from.split(['/', ' ']).next()?;
    if said.contains(" [110") {
        return Some(format!("{what} from {room}"));
    }
    let (user, _) = said.split_once(' ').filter(|_| said.ends_with(" [104]"))?;
    Some(format!("{user} presence - from {room}"))
}

/// Everything that both users hear, until it is what was expected or time is up; and a little more,
/// should there be more.
fn heard(wires: &mut [Wire; 2], expected: &[String], patience: Duration) -> Vec<String> {
    let (mut all, begun) = (Vec::new(), Instant::now());
    loop {
        let enough = all == expected || begun.elapsed() >= patience;
        let before = all.len();
        for (user, wire) in wires.iter_mut().enumerate() {
            let mut heard = Vec::new();
            wire.hear(&mut heard);
            all.extend(heard.into_iter().map(|said| format!("{user}: {said}")));
        }
        all.sort_unstable();
        if enough && all.len() == before {
            return all;
        }
    }
}

/// The other user gets in, by the same words as the first.
fn enter(wires: &mut [Wire; 2]) {
    for words in ENTRANCE {
        wires[1].say(words);
        let (mut answers, begun) = (Vec::new(), Instant::now());
        let header = words.starts_with("<?xml");
        while answers.len() < if header { 2 } else { 1 } {
            assert!(begun.elapsed() < PATIENCE, "only {answers:?} after {words}");
            wires[1].hear(&mut answers);
        }
    }
}

/// Plays all of it; tells where it went otherwise than expected.
fn play(who: Who, address: SocketAddr, names: &Names) -> Vec<String> {
    let mut wires = ["duela", "duelb"].map(|account| Wire::to(address, names, account));
    enter(&mut wires);
    let mut wrong = Vec::new();
    for exchange in BEGINNING.iter().chain(ROOMS).chain(GUARDED).chain(END) {
        wires[exchange.by].say(exchange.says);
        let expected = exchange.expected(who);
        let patience = if wrong.is_empty() { PATIENCE } else { IMPATIENCE };
        let heard = heard(&mut wires, &expected, patience);
        if heard != expected {
            let (expected, heard) = (expected.join("\n    "), heard.join("\n    "));
            wrong.push(format!("{who:?}: {}\n  not {expected}\n  but {heard}", exchange.what));
        }
    }
    wrong
}

fn play_real(make: Make, who: Who) {
    let Some(server) = shared(make) else { return };
    let names = Names { home: server.domain.clone(), muc: server.muc.clone() };
    let wrong = play(who, server.plain(), &names);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn prosody_answers_as_the_script_has_it() {
    play_real(Make::Prosody, Who::Prosody);
}

#[test]
fn ejabberd_answers_as_the_script_has_it() {
    play_real(Make::Ejabberd, Who::Ejabberd);
}

#[test]
fn our_target_answers_as_the_script_has_it() {
    let service = Service {
        domain: "home.test".to_owned(),
        admission: Admission::Listed([].into()),
        ..Service::default()
    };
    let (hour, anywhere) = (Duration::from_secs(3600), endpoint(([127, 0, 0, 1], 0).into()));
    let plan = Plan {
        endpoints: vec![anywhere],
        shards: 1,
        load: Load::Closed { bots: 1, arrival: Arrival::AtOnce, hold: hour },
        ..Plan::default()
    };
    let (told, listening) = std::sync::mpsc::channel();
    let run = serve_xmpp(&service, plan, move |at| _ = told.send(at)).expect("a plan");
    let address = listening.recv_timeout(PATIENCE).expect("it listens");
    let names = Names { home: "home.test".to_owned(), muc: "conference.home.test".to_owned() };
    let wrong = play(Who::Ours, address, &names);
    drop(run);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
