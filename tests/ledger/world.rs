//! What a seed means: the habits of the bots, the faults of service and network, and the end.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use densebots_engine::net::sim::{Dice, Faults};
use densebots_engine::{
    Arrival, Backoff, Command, Endpoint, Life, Load, Plan, Rehearsal, Report, Terms, Think, Time,
};

use crate::chatter::{Chatter, Habits};
use crate::model::Book;
use crate::service::{self, Service};

const FIRST_ID: u32 = 100;
/// Nobody speaks after this.
const SILENT: Duration = Duration::from_secs(7);

pub struct Played {
    pub report: Report,
    pub book: Arc<Mutex<Book>>,
    pub story: Vec<String>,
    pub broken: Option<String>,
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn bots(dice: &mut Dice) -> (Plan, Habits, Think) {
    let mut pick = |some: u64| dice.below(some);
    let mut often = |most: u64| if pick(5) < 2 { 0 } else { 1 + pick(most) };
    let habits = Habits {
        rooms: 1 + often(5),
        tell: often(300),
        wander: often(200),
        hang_up: often(30),
        quit: often(20),
        resume: often(1000),
        silent: Time::ZERO + SILENT,
    };
    let crowd = [12, 24, 24, 90][pick(4) as usize];
    let think = match pick(2) {
        0 => Think::Fixed(millis(20 + pick(400))),
        _ => Think::Exponential(millis(20 + pick(400))),
    };
    let plan = Plan {
        load: Load::Closed {
            bots: crowd,
            arrival: [Arrival::AtOnce, Arrival::Ramp(millis(3000))][pick(2) as usize],
            hold: Duration::from_secs(60),
        },
        first_id: FIRST_ID,
        capacity: 16,
        shards: 1 + pick(3) as usize,
        connect_timeout: millis(1500),
        reconnect: Backoff { first: millis(50 + pick(400)), cap: millis(900), give_up: None },
        respawn: if pick(3) == 0 { Some(5.0) } else { None },
        drain: millis(3000 + pick(3000)),
        sample_every: millis(500),
        ledger: Terms { run: 1 + pick(1 << 20) as u32, late: millis(2500 + pick(1500)) },
        ..Plan::default()
    };
    (plan, habits, think)
}

fn faults(dice: &mut Dice, late: Duration) -> service::Faults {
    let mut often = |most: u64| if dice.below(5) < 2 { 0 } else { 1 + dice.below(most) };
    service::Faults {
        drop: often(200),
        duplicate: often(200),
        delay: often(300),
        bounce: often(60),
        babble: often(60),
        delay_max: if often(4) > 0 { late.mul_f64(1.5) } else { millis(300) },
    }
}

/// Plays the world of a seed.
pub fn play(seed: u64) -> Played {
    let mut dice = Dice::new(seed ^ 0x1ED_6E4);
    let (plan, habits, think) = bots(&mut dice);
    let faults = faults(&mut dice, plan.ledger.late);
    let network = if dice.chance(0.5) { Faults::none() } else { Faults::swarm(&mut dice) };
    let mut stage = Rehearsal::new(seed, network);
    stage.check_every(64);
    let mut story = vec![
        format!("{habits:?} {think:?} {faults:?}"),
        format!("{:?} on {} shards, {:?}", plan.load, plan.shards, plan.ledger),
    ];
    let hasty = dice.chance(0.3);
    if !hasty && dice.chance(0.3) {
        stage.tighten_mail(1, 2 + dice.below(30) as usize);
        story.push("mail is tight".to_owned());
    }
    let listen: Vec<SocketAddr> = (0..2).map(|nth| ([127, 0, 0, 1], 7001 + nth).into()).collect();
    let endpoint = |&address| Endpoint { name: "service".to_owned(), address, weight: 1 };
    let endpoints: Vec<Endpoint> = listen.iter().map(endpoint).collect();
    let hold = Duration::from_secs(3600);
    let serving = Load::Closed { bots: 2, arrival: Arrival::AtOnce, hold };
    let served = Plan { seed: !seed, load: serving, shards: 2, ..Plan::default() };
    stage.add("service", Service { listen, faults }, served).expect("a plan that can run");

    let Load::Closed { bots: crowd, .. } = plan.load else { unreachable!("as made above") };
    let (shards, late) = (plan.shards, plan.ledger.late);
    let book = Arc::new(Mutex::new(Book { late, shards, hasty, ..Book::default() }));
    let ids = (FIRST_ID, FIRST_ID + crowd);
    let chatter = Chatter { book: book.clone(), think, habits, ids };
    let told = book.clone();
    let observer = move |now, life: Life<_>| {
        if let Life::Ended(bot, ..) = life {
            told.lock().expect("nobody panicked").left(bot, None, now);
        }
    };
    let plan = Plan { seed, endpoints, ..plan };
    let engine = stage.add_observed("bots", chatter, plan, observer).expect("it can run");
    let at = |count: u64| Time::ZERO + millis(count);
    stage.world().heal(at(6000));
    for _ in 0..dice.below(4) {
        let (from, shard) = (dice.below(5000), dice.below(shards as u64) as usize);
        let until = from + 1 + dice.below(900);
        stage.stall(engine, shard, at(from), at(until));
        book.lock().expect("nobody panicked").stalls.push((shard, at(from), at(until)));
        story.push(format!("shard {shard} stalls from {from} until {until} ms"));
    }
    for _ in 0..dice.below(4) {
        let bots = 1 + dice.below(4) as u32;
        let command = match dice.below(3) {
            0 => Command::Add(bots),
            which => Command::Remove { bots, force: which == 1 },
        };
        let when = at(500 + dice.below(6000));
        story.push(format!("at {when:?} {command:?}"));
        stage.command(engine, when, command);
    }
    // In haste the run ends while bots speak; otherwise when every limit is over.
    let end = if hasty { at(3000 + dice.below(3500)) } else { Time::ZERO + SILENT + 3 * late };
    story.push(format!("drains at {end:?}"));
    let played = stage.run_until(end).and_then(|()| {
        stage.command(engine, end, Command::Drain);
        stage.run_until(end + Duration::from_secs(8))
    });
    let mut broken = played.err().map(|broken| broken.to_string());
    if broken.is_none() && !stage.ended(engine) {
        broken = Some("the run did not end".to_owned());
    }
    Played { report: stage.report(engine).clone(), book, story, broken }
}
