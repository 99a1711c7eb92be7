//! A shard: one thread's bots, their links, and the turn.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use slab::Slab;

use crate::bots::Bots;
use crate::ctx::{Ctx, Desk};
use crate::derive::Derivations;
use crate::flush::{Out, Pool};
use crate::groups::Groups;
use crate::id::BotId;
use crate::ledger::Ledger;
use crate::limits::{SourceSpread, Sources};
use crate::links::{Link, Links, NONE};
use crate::mail::{Batch, Office};
use crate::metrics::{Meter, Names};
use crate::net::{Load, Net, Ready, Wake};
use crate::plan::{Cohort, Plan};
use crate::scenario::Scenario;
use crate::time::Time;
use crate::timers::Timers;
use crate::transcript::Recorder;
use crate::transport::Transports;

pub(crate) mod check;
mod deliver;
mod derive;
mod ends;
mod launch;
mod life;
mod moments;
pub(crate) mod orders;
mod record;
mod sample;
mod secure;
mod serve;
mod wake;
mod wishes;
mod write;

pub use life::Life;
pub(crate) use orders::{Note, Order};

/// Bots launched and attempts begun in one turn: a connect costs the kernel about 40 µs.
const LAUNCH_MAX: usize = 128;
/// Connections accepted in one turn, for each listener.
const ACCEPT_MAX: usize = 64;
/// Bots woken in one turn.
const WAKE_MAX: usize = 1024;
/// Letters delivered in one turn.
const DELIVER_MAX: usize = 8192;
/// Bots visited in one turn by a drain, a sweep or a stop.
const VISIT_MAX: usize = 64;
/// Bytes read from one link in one turn; more wait on the "again" queue.
const READ_MAX: usize = 64 << 10;
/// Bytes written to one link in one turn, beyond what the turn itself appended.
const WRITE_MAX: usize = 256 << 10;
/// Bytes of one unfinished unit; sessions have lower limits of their own.
const UNREAD_MAX: usize = 16 << 20;
/// One thread's bots and everything they need. Driven by [`Shard::turn`].
pub(crate) struct Shard<S: Scenario, N: Net> {
    pub(crate) me: usize,
    pub(crate) shards: usize,
    scenario: Arc<S>,
    pub(crate) net: N,
    pub(crate) now: Time,
    pub(crate) bots: Bots<S::Bot>,
    /// By link key, beside the links, so that what callbacks see does not depend on the net.
    conns: Vec<Option<N::Conn>>,
    /// Likewise, for links over TLS.
    transports: Transports,
    derivations: Derivations,
    listeners: Slab<Listener<N::Listener>>,
    timers: Timers,
    pub(crate) desk: Desk<S>,
    pool: Pool,
    cohorts: Vec<Launching>,
    dials: VecDeque<QueuedDial>,
    /// Attempts under way, and how many may be.
    dialling: usize,
    dialling_max: usize,
    /// Which source address the next dial of each endpoint comes from.
    sources: SourceSpread,
    /// Live planned bots may be so many on this shard (open loads).
    live_max: u64,
    ready: Vec<Ready>,
    /// Links with bytes left that no event will tell of.
    again: VecDeque<Link>,
    /// Links that are write-blocked.
    blocked: Vec<Link>,
    /// Links that close once their bytes are sent, and when they are cut off.
    closing: VecDeque<(Time, Link)>,
    /// Links to finish at the end of this turn.
    finishing: Vec<Link>,
    fired: Vec<u32>,
    input: Vec<u8>,
    delivery: Option<Delivery<S::Mail>>,
    visits: Vec<Visit>,
    orders: Receiver<Order>,
    notes: Sender<Note>,
    lives: Option<Sender<Life<S::Bot>>>,
    /// Ends of bots the observer's channel had no room for.
    untold: VecDeque<Life<S::Bot>>,
    peers: Vec<Peer<N::Waker>>,
    spare: Receiver<Box<Meter>>,
    next_sample: Time,
    /// When the bots that are left are cut off.
    cut_off: Time,
    stopping: bool,
    /// What was last told of it: all arrivals have come and all that live are online; none live.
    settled: bool,
    empty: bool,
    /// How late the latest thing of this turn ran.
    late: Option<Duration>,
    /// CPU time and run delay at the last sample.
    load: Load,
    /// The groups whose home this is.
    pub(crate) groups: Groups,
    /// A number for the next listener.
    listening: u32,
    /// Who is in a callback, for the report of a panic.
    calling: Arc<AtomicU32>,
}

/// What a shard is made of that its maker has to give.
pub(crate) struct Parts<S: Scenario, N: Net> {
    pub(crate) me: usize,
    pub(crate) shards: usize,
    pub(crate) scenario: Arc<S>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) names: Names,
    pub(crate) net: N,
    pub(crate) office: Office<S::Mail>,
    pub(crate) peers: Vec<Peer<N::Waker>>,
    pub(crate) orders: Receiver<Order>,
    pub(crate) notes: Sender<Note>,
    pub(crate) spare: Receiver<Box<Meter>>,
    pub(crate) lives: Option<Sender<Life<S::Bot>>>,
    pub(crate) calling: Arc<AtomicU32>,
}

/// How a shard wakes another, once per batch at most: `told` is set until that shard looks.
#[derive(Clone)]
pub(crate) struct Peer<W> {
    pub(crate) waker: W,
    pub(crate) told: Arc<std::sync::atomic::AtomicBool>,
}

impl<W: Wake> Peer<W> {
    pub(crate) fn wake(&self) {
        if !self.told.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }
}

struct Listener<L> {
    generation: u32,
    bot: BotId,
    socket: L,
    again: bool,
}

/// A cohort and the number of the next bot of it that is this shard's.
struct Launching {
    cohort: Cohort,
    next: u32,
}

/// A dial that waits for a place. Small: when bots arrive faster than they can connect, a queue of
/// these is what grows.
struct QueuedDial {
    key: u32,
    generation: u32,
    /// To the first address in the bot's cold box, not to the plan's target.
    own: bool,
}

/// A batch that is being delivered, and how far it is.
struct Delivery<M> {
    batch: Batch<M>,
    post: usize,
    /// Within the batch's members, where the current post's begin.
    members_from: usize,
    /// Within the current post: members or bots that have heard it.
    heard: usize,
}

/// Something done to every bot or link, a bounded number a turn.
struct Visit {
    purpose: Purpose,
    keys: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Drain,
    Sweep,
    Stop,
}

/// What a turn says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Going,
    /// Nothing is left to do and nothing will come: the shard may end.
    Ended,
}

const LISTENER: u64 = 1 << 63;

impl<S: Scenario, N: Net> Shard<S, N> {
    pub(crate) fn new(parts: Parts<S, N>) -> Shard<S, N> {
        let Parts { me, shards, plan, .. } = parts;
        let room = (plan.load.live_max() as usize + plan.capacity as usize).div_ceil(shards) + 1;
        let cohort = plan.load.cohort(plan.first_id);
        let next = cohort.next_on(0, me, shards);
        let mut timers = Timers::with_capacity(room);
        #[cfg(feature = "planted")]
        if plan.has(crate::planted::Bug::LostCascade) {
            timers.plant_lost_cascade();
        }
        let _ = &mut timers;
        let meter = Box::new(Meter::new(&parts.names, plan.endpoints.len()));
        Shard {
            me,
            shards,
            scenario: parts.scenario,
            net: parts.net,
            now: Time::ZERO,
            bots: Bots::with_capacity(room, shards),
            conns: Vec::with_capacity(room),
            transports: Transports::new(plan.tls.as_ref(), room),
            derivations: Derivations::default(),
            listeners: Slab::new(),
            timers,
            pool: Pool::default(),
            cohorts: vec![Launching { cohort, next }],
            dials: VecDeque::new(),
            dialling: 0,
            dialling_max: (plan.connecting_max as usize).div_ceil(shards),
            sources: SourceSpread::new(
                Arc::new(plan.sources.iter().copied().collect::<Sources>()),
                plan.endpoints.len().max(1),
                me as u64,
            ),
            // A closed load bounds itself, and the ids that replace ended bots need not live on
            // the shards of those.
            live_max: match plan.load {
                crate::plan::Load::Closed { .. } => u64::MAX,
                crate::plan::Load::Open { live_max, .. } => {
                    u64::from(live_max).div_ceil(shards as u64) + u64::from(plan.capacity)
                }
            },
            ready: Vec::with_capacity(crate::net::READY_MAX),
            again: VecDeque::new(),
            blocked: Vec::new(),
            closing: VecDeque::new(),
            finishing: Vec::new(),
            fired: Vec::with_capacity(WAKE_MAX),
            input: vec![0; READ_MAX],
            delivery: None,
            visits: Vec::new(),
            orders: parts.orders,
            notes: parts.notes,
            lives: parts.lives,
            untold: VecDeque::new(),
            peers: parts.peers,
            spare: parts.spare,
            next_sample: Time::ZERO + plan.sample_every,
            cut_off: Time::NEVER,
            stopping: false,
            settled: false,
            empty: false,
            late: None,
            load: Load::default(),
            groups: Groups::default(),
            listening: 0,
            calling: parts.calling,
            desk: Desk {
                links: Links::with_capacity(room),
                out: Out::default(),
                office: parts.office,
                meter,
                ledger: Ledger::new(me, shards, plan.ledger),
                recorder: Recorder::new(plan.failing),
                wishes: VecDeque::with_capacity(16),
                begun: Vec::with_capacity(WAKE_MAX),
                key: NONE,
                draining: false,
                plan,
            },
        }
    }

    /// One turn. Nothing is done in reaction to an event; everything has its place in the turn.
    pub(crate) fn turn(&mut self, until: Option<Time>) -> io::Result<Turn> {
        self.wait(until)?; // 1. the only wait
        let began = self.now;
        self.obey(); // 2. orders from the conductor
        self.launch(); // 3. bots whose arrival is due, attempts that have a place
        self.serve(); // 4. links that are ready
        self.wake(); // 5. bots whose timer is due
        self.deliver(); // 6. mail from this shard and the others, bounded
        self.flush(); // 7. one write a link, one batch a shard, one sample a second
        self.measure(began);
        Ok(self.verdict())
    }

    fn wait(&mut self, until: Option<Time>) -> io::Result<()> {
        let next = self.next_moment();
        let until = until.map_or(next, |until| until.min(next));
        let until = (until != Time::NEVER).then_some(until);
        self.now = self.net.poll(until, &mut self.ready)?;
        Ok(())
    }

    fn verdict(&mut self) -> Turn {
        let left = self.bots.len() + self.desk.links.len();
        if self.stopping && left > 0 && self.visits.is_empty() {
            self.begin_visit(Purpose::Stop); // mail on its way founded a group after the stop
        }
        if self.stopping && left == 0 && self.untold.is_empty() { Turn::Ended } else { Turn::Going }
    }

    /// Runs one callback of one bot. Its wishes wait until [`Shard::settle`].
    fn call<R>(
        &mut self,
        key: u32,
        link: Option<Link>,
        due: Time,
        run: impl FnOnce(&S, &mut S::Bot, &mut Ctx<'_, S>) -> R,
    ) -> R {
        let slot = self.bots.at(key);
        self.calling.store(slot.core.id.0, Ordering::Relaxed);
        self.desk.key = key;
        let mut ctx = Ctx {
            id: slot.core.id,
            link,
            now: self.now,
            due,
            core: &mut slot.core,
            desk: &mut self.desk,
            by_timer: false,
        };
        run(&self.scenario, &mut slot.bot, &mut ctx)
    }

    /// Makes the timer of a bot fit what it waits for. A timer that stands earlier is left: it
    /// fires for nothing, which costs less than moving it with every message.
    fn arm(&mut self, key: u32) {
        let moment = self.bots.core(key).next_moment();
        if moment != Time::NEVER && self.timers.armed(key).is_none_or(|armed| moment < armed) {
            self.timers.arm(key, moment);
        }
    }
}
