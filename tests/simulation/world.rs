//! What a seed means: the faults, the plan, the commands and the stalls of one simulated run.

use std::net::SocketAddr;
use std::time::Duration;

use densebots_engine::net::sim::{Dice, Faults};
use densebots_engine::{
    Arrival, Backoff, Broken, Close, Command, Endpoint, Engine, Life, Load, Outcome, Plan,
    Rehearsal, Repeat, Think, Time,
};

use crate::book::{Book, Stall};
use crate::scenario::{Echo, Gossip, Habits};

/// No fault begins after this.
pub(crate) const HEAL: Time = Time::from_nanos(9_000_000_000);
/// Everybody has got online and finished an op by then; the bots' run drains.
pub(crate) const DRAIN: Time = Time::from_nanos(14_000_000_000);
/// The run is over by then.
pub(crate) const END: Time = Time::from_nanos(19_000_000_000);

pub(crate) const FIRST_ID: u32 = 100;
const BOTS: u32 = 32;

pub(crate) struct World {
    pub stage: Rehearsal,
    pub faults: Faults,
    pub bots: Engine,
    pub target: Engine,
    pub book: Book,
    pub target_book: Book,
    pub plan: Plan,
    /// In words, for a seed that fails.
    pub story: Vec<String>,
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn at_millis(count: u64) -> Time {
    Time::ZERO + millis(count)
}

/// What is decided for a world before it begins.
pub(crate) struct Setting {
    pub faults: Faults,
    pub plan: Plan,
    pub habits: Habits,
    pub think: Think,
    pub login: bool,
    pub padding: u64,
    pub mail: Option<(usize, usize)>,
}

impl Setting {
    /// A swarm: every kind of thing is absent in a good part of all seeds.
    pub(crate) fn of(seed: u64) -> Setting {
        let mut dice = Dice::new(seed);
        let faults = Faults::swarm(&mut dice);
        let mut pick = |some: u64| dice.below(some);
        let mut often = |most: u64| if pick(5) < 2 { 0 } else { 1 + pick(most) };
        let habits = Habits {
            publish: often(200),
            direct: often(100),
            all: often(40),
            wander: often(100),
            hang_up: often(30),
            quit: often(20),
        };
        let padding = often(3000);
        let mail = match pick(3) {
            0 => Some((1, 2 + pick(30) as usize)),
            _ => None,
        };
        let think = match pick(4) {
            0 => Think::Fixed(millis(50 + pick(400))),
            1 => Think::Uniform(millis(pick(100)), millis(100 + pick(700))),
            2 => Think::Exponential(millis(50 + pick(400))),
            _ => Think::LogNormal { median: millis(30 + pick(300)), spread: 1.0 },
        };
        let login = pick(2) == 0;
        let arrival = match pick(3) {
            0 => Arrival::AtOnce,
            1 => Arrival::Constant(5.0 + pick(40) as f64),
            _ => Arrival::Ramp(millis(500 + pick(4000))),
        };
        let hold = Duration::from_secs(60);
        let load = match pick(6) {
            0 => Load::Open { rate: 6.0, ramp: millis(pick(4000)), lasting: hold, live_max: 24 },
            _ => Load::Closed { bots: BOTS, arrival, hold },
        };
        let plan = Plan {
            seed,
            load,
            first_id: FIRST_ID,
            failing: (seed % 4) as u32,
            capacity: [0, 16][pick(2) as usize],
            shards: 2,
            connecting_max: [2, 4, 8, 64][pick(4) as usize],
            connect_timeout: millis(1500),
            request_timeout: millis(2000),
            reconnect: Backoff {
                first: millis(50 + pick(100)),
                cap: millis(400),
                give_up: if pick(4) == 0 { Some(2 + pick(4) as u32) } else { None },
            },
            repeat: Repeat {
                times: [Some(1), Some(3), None][pick(3) as usize],
                interval: millis(pick(400)),
            },
            respawn: if pick(3) == 0 { Some(1.0 + pick(10) as f64) } else { None },
            close: [Close::Fin, Close::Rst, Close::Wait][pick(3) as usize],
            liveness: millis(3000),
            drain: millis(2000),
            sample_every: millis(2000),
            ..Plan::default()
        };
        Setting { faults, plan, habits, think, login, padding, mail }
    }
}

impl World {
    /// The world of a seed, with commands and stalls.
    pub(crate) fn of(seed: u64, adjust: impl FnOnce(&mut Setting)) -> World {
        let mut setting = Setting::of(seed);
        adjust(&mut setting);
        let mut world = World::with(seed, setting);
        let mut dice = Dice::new(seed ^ 0xC0_44A2D);
        world.stage.world().heal(HEAL);
        if dice.chance(0.6) {
            world.plan_stalls(&mut dice);
        }
        if dice.chance(0.6) {
            world.plan_commands(&mut dice);
        }
        world
    }

    /// A world without commands and stalls.
    pub(crate) fn with(seed: u64, setting: Setting) -> World {
        let Setting { faults, plan, habits, think, login, padding, mail } = setting;
        let mut stage = Rehearsal::new(seed, faults.clone());
        // A recount costs as much as the turn; what is wrong mostly stays wrong for a while.
        stage.check_every(if seed.is_multiple_of(8) { 1 } else { 16 });
        let mut story = vec![format!("{think:?}, {habits:?}, login {login}, padding {padding}")];
        if let Some((batches, outbox)) = mail {
            stage.tighten_mail(batches, outbox);
            story.push(format!("mail: {batches} batches, {outbox} posts"));
        }
        let endpoints = endpoints();
        let listen: Vec<SocketAddr> = endpoints.iter().map(|endpoint| endpoint.address).collect();
        let (book, target_book) = (Book::default(), Book::default());
        book.open().shards = plan.shards.max(1);
        target_book.open().shards = listen.len();
        let serving = Load::Closed {
            bots: listen.len() as u32,
            arrival: Arrival::AtOnce,
            hold: Duration::from_secs(3600),
        };
        let target_plan = Plan {
            seed: !seed,
            load: serving,
            shards: listen.len(),
            drain: millis(2000),
            sample_every: millis(5000),
            #[cfg(feature = "planted")]
            planted: plan.planted,
            ..Plan::default()
        };
        let echo = Echo { book: target_book.clone(), listen };
        let target = stage.add("target", echo, target_plan).expect("a plan that can run");
        let plan = Plan { endpoints, ..plan };
        story.push(format!("{:?}, repeat {:?}", plan.load, plan.repeat));
        story.push(format!("respawn {:?}, close {:?}", plan.respawn, plan.close));
        let ids = (FIRST_ID, FIRST_ID + BOTS);
        let book_of_bots = book.clone();
        let gossip = Gossip { book: book.clone(), think, ids, login, padding, habits };
        let told = book_of_bots;
        let bots = stage
            .add_observed("bots", gossip, plan.clone(), move |now, life| note(&told, now, &life))
            .expect("a plan that can run");
        World { stage, faults, bots, target, book, target_book, plan, story }
    }

    fn plan_stalls(&mut self, dice: &mut Dice) {
        for _ in 0..1 + dice.below(4) {
            let from = at_millis(dice.below(7500));
            let until = from + millis(1 + dice.below(1200));
            let engine = if dice.chance(0.6) { self.bots } else { self.target };
            let shard = dice.below(2) as usize;
            self.stage.stall(engine, shard, from, until);
            let book = if engine == self.bots { &self.book } else { &self.target_book };
            book.open().stalls.push(Stall { shard, from, until });
            let who = if engine == self.bots { "bots" } else { "target" };
            self.story.push(format!("{who} shard {shard} stalls from {from:?} until {until:?}"));
        }
    }

    fn plan_commands(&mut self, dice: &mut Dice) {
        for _ in 0..1 + dice.below(6) {
            let at = at_millis(200 + dice.below(8000));
            let bots = 1 + dice.below(4) as u32;
            let commands = match dice.below(6) {
                0 => vec![(at, Command::Add(bots))],
                1 => vec![(at, Command::Remove { bots, force: true })],
                2 | 3 => {
                    let remove = Command::Remove { bots, force: false };
                    vec![(at, remove.clone()), (at + millis(dice.below(20)), remove)]
                }
                4 => vec![(at, Command::Rate(1.0 + dice.below(50) as f64))],
                _ => vec![(at, Command::Pause), (at + millis(dice.below(800)), Command::Resume)],
            };
            for (at, command) in commands {
                self.story.push(format!("at {at:?} {command:?}"));
                self.stage.command(self.bots, at, command);
            }
        }
    }

    /// The whole run: `before_drain` looks at it when everybody should be well.
    pub(crate) fn play(&mut self, before_drain: impl FnOnce(&mut World)) -> Result<(), Broken> {
        self.stage.run_until(DRAIN)?;
        before_drain(self);
        let now = self.stage.now();
        self.stage.command(self.bots, now, Command::Drain);
        while !self.stage.ended(self.bots) && self.stage.now() < END {
            self.stage.run_until(self.stage.now() + millis(100))?;
        }
        self.stage.run_until(self.stage.now() + millis(500))
    }

    /// Ends the target too.
    pub(crate) fn close(&mut self) -> Result<(), Broken> {
        let now = self.stage.now();
        self.stage.command(self.target, now, Command::Stop);
        self.stage.run_to_end(now + Duration::from_secs(5))
    }
}

/// Where the target listens.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let endpoint = |nth: u16| Endpoint {
        name: format!("e{nth}"),
        address: ([127, 0, 0, 1], 7001 + nth).into(),
        weight: 1,
    };
    (0..2).map(endpoint).collect()
}

fn note<B>(book: &Book, now: Time, life: &Life<B>) {
    let mut book = book.open();
    match *life {
        Life::Online(bot) => book.life(bot).online = true,
        Life::Lost(bot, _) => book.life(bot).online = false,
        Life::Ended(bot, outcome, _) if bot.0 < densebots_engine::plan::BOTS_MAX => {
            book.stop(bot, now);
            book.life(bot).ended = Some(now);
            if let Outcome::Failed(why) = outcome {
                book.life(bot).failed = Some(why);
            }
        }
        _ => {}
    }
}
