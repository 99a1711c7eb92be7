//! Rehearsals: whole engines in a simulated world, on one thread, in virtual time.
//!
//! ```
//! use std::time::Duration;
//!
//! use densebots_engine::net::sim::Faults;
//! use densebots_engine::{Arrival, BotId, Ctx, Endpoint, Link, Load, Plan, Rehearsal, Rng, Role};
//! use densebots_engine::{Scenario, Time};
//! use densebots_protocols::line::{Framing, Line};
//!
//! /// Listens if it has an address to listen at, dials otherwise; says nothing.
//! struct Quiet(Option<std::net::SocketAddr>);
//!
//! impl Scenario for Quiet {
//!     type Session = Line;
//!     type Bot = ();
//!     type Mail = ();
//!     fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}
//!     fn session(&self, _: BotId, _: &mut (), _: Link) -> Line {
//!         Line::new(Framing::lines(100))
//!     }
//!     fn on_start(&self, _: &mut (), role: Role, ctx: &mut Ctx<'_, Self>) {
//!         match self.0 {
//!             Some(at) if role == Role::Planned => {
//!                 ctx.listen(at);
//!                 ctx.ready();
//!             }
//!             None => ctx.dial(),
//!             _ => {}
//!         }
//!     }
//!     fn on_event(&self, _: &mut (), _: &[u8], _: &mut Ctx<'_, Self>) {}
//! }
//!
//! let at = ([127, 0, 0, 1], 7000).into();
//! let load = |bots| Load::Closed {
//!     bots,
//!     arrival: Arrival::AtOnce,
//!     hold: Duration::from_secs(60),
//! };
//! let endpoints = vec![Endpoint { name: "target".to_owned(), address: at, weight: 1 }];
//! let mut rehearsal = Rehearsal::new(1, Faults::none());
//! let target = Plan { load: load(1), ..Plan::default() };
//! rehearsal.add("target", Quiet(Some(at)), target)?;
//! let plan = Plan { load: load(100), endpoints, ..Plan::default() };
//! let bots = rehearsal.add("bots", Quiet(None), plan)?;
//!
//! rehearsal.run_until(Time::ZERO + Duration::from_secs(5))?;
//! assert_eq!(rehearsal.report(bots).bots.population.online, 100);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::time::Duration;

use crate::conduct::{Command, CommandError};
use crate::id::BotId;
use crate::mail::MailRoom;
use crate::net::sim::{Dice, Faults, SimNet, SimWorld};
use crate::plan::{Plan, PlanError};
use crate::report::Report;
use crate::scenario::Scenario;
use crate::shard::Life;
use crate::time::Time;

mod cast;

use cast::{Act, Cast};

/// Turns at one moment before the rehearsal says that time stands still.
const ROUNDS_MAX: u32 = 100_000;

/// Engines, and peers written by hand, that meet in one [`SimWorld`].
///
/// Everything is a function of the seed and of the calls made: a rehearsal that fails fails again.
pub struct Rehearsal {
    world: SimWorld,
    dice: Dice,
    engines: Vec<Box<dyn Act>>,
    peers: Vec<Peer>,
    agenda: Vec<Planned>,
    stalls: Vec<Stall>,
    room: MailRoom,
    check_every: Option<u32>,
    turns: u32,
}

/// An engine of a rehearsal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine(usize);

/// What a command came to.
pub type Answer = Result<Vec<BotId>, CommandError>;

/// An invariant of the engine that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {at:?}, {who}: {rule}")]
pub struct Broken {
    /// When it was noticed.
    pub at: Time,
    /// The engine and shard.
    pub who: String,
    /// What did not hold.
    pub rule: String,
}

struct Peer {
    net: SimNet,
    met: bool,
    act: Box<dyn FnMut(&mut SimNet)>,
}

struct Planned {
    at: Time,
    engine: usize,
    command: Command,
}

struct Stall {
    net: usize,
    from: Time,
    until: Time,
}

/// Who has a reason to take a turn.
#[derive(Clone, Copy)]
enum Due {
    Shard(usize, usize),
    Peer(usize),
}

impl Rehearsal {
    /// An empty world at time zero. The seed decides all that `faults` leaves open, and the order
    /// in which shards take their turns.
    pub fn new(seed: u64, faults: Faults) -> Rehearsal {
        Rehearsal {
            world: SimWorld::new(seed, faults),
            dice: Dice::new(seed ^ 0x7E_4E_A5),
            engines: Vec::new(),
            peers: Vec::new(),
            agenda: Vec::new(),
            stalls: Vec::new(),
            room: MailRoom::default(),
            check_every: None,
            turns: 0,
        }
    }

    /// The world: to heal it, to garble a server, to ask who broke what.
    pub fn world(&self) -> &SimWorld {
        &self.world
    }

    /// From now on every turn of this many (at least 1) ends with a recount of everything the
    /// engine counts.
    pub fn check_every(&mut self, turns: u32) {
        self.check_every = Some(turns.max(1));
    }

    /// Engines added from now on have so little room for mail: batches that may wait between two
    /// shards, and posts in an outbox before a shard stops reading.
    pub fn tighten_mail(&mut self, batches: usize, outbox: usize) {
        self.room = MailRoom { batches: batches.max(1), outbox: outbox.max(1) };
    }

    /// Adds an engine that starts now. Shards 0 in the plan is one shard.
    pub fn add<S: Scenario>(
        &mut self,
        name: &str,
        scenario: S,
        plan: Plan,
    ) -> Result<Engine, PlanError> {
        self.add_observed(name, scenario, plan, |_, _| {})
    }

    /// Adds an engine and tells `observer` what happens in the lives of its bots, and when.
    pub fn add_observed<S: Scenario>(
        &mut self,
        name: &str,
        scenario: S,
        plan: Plan,
        observer: impl FnMut(Time, Life<S::Bot>) + 'static,
    ) -> Result<Engine, PlanError> {
        plan.check()?;
        let cast = Cast::new(&self.world, name, scenario, plan, self.room, Box::new(observer));
        self.engines.push(Box::new(cast));
        Ok(Engine(self.engines.len() - 1))
    }

    /// Adds a peer written by hand: `act` is called whenever its net has a reason to poll, and
    /// should poll.
    pub fn add_peer(&mut self, name: &str, act: impl FnMut(&mut SimNet) + 'static) -> usize {
        let net = self.world.net(name);
        let number = net.number();
        self.peers.push(Peer { net, met: false, act: Box::new(act) });
        number
    }

    /// Gives a command at a moment to come.
    pub fn command(&mut self, engine: Engine, at: Time, command: Command) {
        self.agenda.push(Planned { at, engine: engine.0, command });
        self.agenda.sort_by_key(|planned| planned.at); // stable: in the order they were given
    }

    /// A shard gets no turn from `from` until `until`, as if its thread did not run.
    pub fn stall(&mut self, engine: Engine, shard: usize, from: Time, until: Time) {
        let net = self.net(engine, shard);
        self.stalls.push(Stall { net, from, until });
    }

    /// The number of a shard's net in the world.
    pub fn net(&self, engine: Engine, shard: usize) -> usize {
        self.engines[engine.0].nets()[shard]
    }

    /// Lets everything happen that happens up to `to`, that moment included.
    pub fn run_until(&mut self, to: Time) -> Result<(), Broken> {
        let mut rounds = 0;
        loop {
            let now = self.world.now();
            self.world.advance_to(now);
            self.give_commands(now);
            let mut due = self.due(now);
            if due.is_empty() {
                match self.next_moment(now) {
                    Some(next) if next <= to => self.world.advance_to(next),
                    _ => {
                        self.world.advance_to(to);
                        return Ok(());
                    }
                }
                rounds = 0;
                continue;
            }
            rounds += 1;
            if rounds > ROUNDS_MAX {
                return Err(Broken {
                    at: now,
                    who: "everybody".to_owned(),
                    rule: "time stands still: somebody always has something to do".to_owned(),
                });
            }
            while !due.is_empty() {
                let nth = self.dice.below(due.len() as u64) as usize;
                self.turn(due.swap_remove(nth))?;
            }
            self.conduct(now)?;
        }
    }

    /// Runs until every engine has ended, or `to`.
    pub fn run_to_end(&mut self, to: Time) -> Result<(), Broken> {
        while self.engines.iter().any(|engine| !engine.ended()) && self.world.now() < to {
            let step = self.world.now() + Duration::from_millis(100);
            self.run_until(step.min(to))?;
        }
        Ok(())
    }

    /// Whether the run of this engine is over.
    pub fn ended(&self, engine: Engine) -> bool {
        self.engines[engine.0].ended()
    }

    /// The report of this engine so far, as of its last second; when it has ended, the whole.
    pub fn report(&self, engine: Engine) -> &Report {
        self.engines[engine.0].report()
    }

    /// The commands that were answered, in order, each with its answer.
    pub fn answers(&self, engine: Engine) -> &[(Command, Answer)] {
        self.engines[engine.0].answers()
    }

    /// The virtual clock.
    pub fn now(&self) -> Time {
        self.world.now()
    }

    /// A hash over everything that happened. The same seed and calls give the same one.
    pub fn trace_hash(&self) -> u64 {
        self.world.trace_hash()
    }

    fn stalled(&self, net: usize, now: Time) -> bool {
        self.stalls.iter().any(|stall| stall.net == net && stall.from <= now && now < stall.until)
    }

    fn due(&self, now: Time) -> Vec<Due> {
        let mut due = Vec::new();
        for (nth, engine) in self.engines.iter().enumerate() {
            for (shard, &net) in engine.nets().iter().enumerate() {
                let waits = self.world.is_due(net) || !engine.met(shard);
                if engine.lives(shard) && waits && !self.stalled(net, now) {
                    due.push(Due::Shard(nth, shard));
                }
            }
        }
        let met = |peer: &Peer| peer.met && !self.world.is_due(peer.net.number());
        due.extend((0..self.peers.len()).filter(|&nth| !met(&self.peers[nth])).map(Due::Peer));
        due
    }

    fn turn(&mut self, due: Due) -> Result<(), Broken> {
        match due {
            Due::Shard(engine, shard) => {
                self.turns = self.turns.wrapping_add(1);
                let checked =
                    self.check_every.is_some_and(|every| self.turns.is_multiple_of(every));
                self.engines[engine].turn(shard, checked)
            }
            Due::Peer(nth) => {
                let peer = &mut self.peers[nth];
                peer.met = true;
                (peer.act)(&mut peer.net);
                Ok(())
            }
        }
    }

    fn conduct(&mut self, now: Time) -> Result<(), Broken> {
        for engine in &mut self.engines {
            engine.conduct(now, self.check_every.is_some())?;
        }
        Ok(())
    }

    fn give_commands(&mut self, now: Time) {
        while self.agenda.first().is_some_and(|planned| planned.at <= now) {
            let Planned { engine, command, .. } = self.agenda.remove(0);
            self.engines[engine].command(command, now);
        }
        // A conductor whose second is over acts too.
        for engine in &mut self.engines {
            engine.tick(now);
        }
    }

    /// The next moment at which anybody acts, later than `now`.
    fn next_moment(&self, now: Time) -> Option<Time> {
        let silent: Vec<usize> = self
            .engines
            .iter()
            .flat_map(|engine| {
                let nets = engine.nets().iter().enumerate();
                nets.filter(|&(shard, &net)| !engine.lives(shard) || self.stalled(net, now))
                    .map(|(_, &net)| net)
            })
            .collect();
        let world = self.world.next_moment_without(&silent);
        let ends = self.stalls.iter().flat_map(|stall| [stall.from, stall.until]);
        let agenda = self.agenda.first().map(|planned| planned.at);
        let ticks = self.engines.iter().filter_map(|engine| engine.next_tick(now));
        let others = ends.chain(agenda).chain(ticks).filter(|&at| at > now);
        others.chain(world).min()
    }
}
