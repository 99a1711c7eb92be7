//! The warm path allocates nothing: 10,000 turns of every shard under a counting allocator.
//!
//! What counts are allocations on threads named "shard N", of bots and embedded target alike, from
//! one moment to another. No sample falls between the two: once a second a shard reads its own CPU
//! time from the system and hands its meter to the conductor by an unbounded channel, and the
//! conductor, a thread of its own, merges. Here the "second" is an hour. What a sample costs is
//! bounded by the other test.
//!
//! Alone in its process, because an allocator belongs to the whole of it.
#![deny(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use densebots_engine::{
    Arrival, BotId, Command, Ctx, Endpoint, GroupId, Letter, Link, Load, Names, Op, Plan, Rng,
    Role, Run, Scenario, start,
};
use densebots_protocols::line::{Framing, Line};
use densebots_scenarios::file::{File, Source};
use densebots_scenarios::target::Speaks;
use densebots_scenarios::{Settings, serve, serve_here};

const TURNS: u64 = 10_000;
const BOTS: u32 = 16;
/// Buffers grow to what the busiest turn so far needed, and on a noisy machine a busier one may
/// come: so many rounds of 10,000 turns may pass until one allocates nothing.
const ROUNDS_MAX: usize = 20;
const SHARDS: usize = 2;

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counted;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Whether the allocations of a thread count.
#[derive(Clone, Copy, PartialEq)]
enum Counts {
    NotAsked,
    /// Asking for the name of the thread may allocate itself.
    BeingAsked,
    No,
    Yes,
}

thread_local! {
    static COUNTS: Cell<Counts> = const { Cell::new(Counts::NotAsked) };
}

fn count() {
    if !COUNTING.load(Ordering::Relaxed) {
        return;
    }
    let counts = COUNTS.try_with(|counts| {
        if counts.get() == Counts::NotAsked {
            counts.set(Counts::BeingAsked);
            let shard = thread::current().name().is_some_and(|name| name.starts_with("shard "));
            counts.set(if shard { Counts::Yes } else { Counts::No });
        }
        counts.get()
    });
    if counts == Ok(Counts::Yes) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: everything is left to the system's allocator; counting touches no memory of a caller.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the memory came from `System` above.
        unsafe { System.dealloc(memory, layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the memory came from `System` above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

const PING: Op = Op(0);
/// About one tick of the timers' wheel.
const TICK: Duration = Duration::from_micros(50);

/// The first bot of each shard counts turns. All others ping, and write to others on both shards
/// and to their group now and then: sockets, timers, ops, letters and groups are all warm.
struct Busy {
    turns: [Arc<AtomicU64>; SHARDS],
}

impl Scenario for Busy {
    type Session = Line;
    type Bot = u32;
    type Mail = u32;

    fn names(&self) -> Names {
        Names::ops(&["ping"])
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> u32 {
        0
    }

    fn session(&self, _: BotId, _: &mut u32, _: Link) -> Line {
        Line::new(Framing::lines(64))
    }

    fn on_start(&self, _: &mut u32, _: Role, ctx: &mut Ctx<'_, Self>) {
        if ctx.id.0 <= SHARDS as u32 {
            ctx.ready();
            ctx.wake_in(TICK);
        } else {
            ctx.dial();
        }
    }

    fn on_open(&self, _: &mut u32, _: Link, ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
        ctx.join(GroupId::numbered(u64::from(ctx.id.0 / 4)));
        ctx.wake_in(TICK);
    }

    fn on_wake(&self, pings: &mut u32, ctx: &mut Ctx<'_, Self>) {
        if let Some(turns) = self.turns.get(ctx.id.0 as usize - 1) {
            // It sets its wake anew from now, so one turn holds one of them at most.
            turns.fetch_add(1, Ordering::Relaxed);
            return ctx.wake_in(TICK);
        }
        *pings += 1;
        ctx.begin(PING);
        ctx.send(|line, out| line.send(&[b'.'; 63], out).expect("fits"));
        if pings.is_multiple_of(4) {
            ctx.send_to(BotId(1 + ctx.id.0 % BOTS), *pings);
        }
        if pings.is_multiple_of(16) {
            ctx.publish(GroupId::numbered(u64::from(ctx.id.0 / 4)), *pings);
        }
    }

    fn on_event(&self, _: &mut u32, _: &[u8], ctx: &mut Ctx<'_, Self>) {
        ctx.end(PING);
        ctx.wake_in(TICK);
    }

    fn on_mail(&self, _: &mut u32, letter: &Letter<u32>, _: &mut Ctx<'_, Self>) {
        assert!(letter.body > 0);
    }
}

/// One process, one counter: the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn plan(endpoints: Vec<Endpoint>, bots: u32, sample_every: Duration) -> Plan {
    let hold = Duration::from_secs(3600);
    let load = Load::Closed { bots, arrival: Arrival::AtOnce, hold };
    // The last words of some bots are remembered, as in every run of the program.
    Plan { endpoints, shards: SHARDS, load, sample_every, failing: 5, ..Plan::default() }
}

/// Target and bots, and the turns that each shard of the bots has taken, at least.
fn busy(sample_every: Duration) -> (Run, Run, impl Fn() -> u64) {
    let endpoint = |address| Endpoint { name: "echo".to_owned(), address, weight: 1 };
    let anywhere = vec![endpoint(SocketAddr::from(([127, 0, 0, 1], 0))); SHARDS];
    let (told, listening) = channel();
    let ears = plan(anywhere, SHARDS as u32, sample_every);
    let target = serve(Speaks::Echo, ears, move |at| told.send(at).expect("we listen"));
    let target = target.expect("a plan that can run");
    let endpoints = listening.iter().take(SHARDS).map(endpoint).collect();
    let turns: [Arc<AtomicU64>; SHARDS] = Default::default();
    let busy = Busy { turns: turns.clone() };
    let run = start(busy, plan(endpoints, BOTS, sample_every)).expect("a plan that can run");
    let taken = move || turns.iter().map(|turns| turns.load(Ordering::Relaxed)).min().unwrap_or(0);
    (target, run, taken)
}

/// Waits until each shard has taken so many turns more.
fn wait(turns: u64, taken: &impl Fn() -> u64) {
    let from = taken();
    while taken() < from + turns {
        thread::yield_now();
    }
}

/// How many allocations so many turns take.
fn allocations_of(turns: u64, taken: &impl Fn() -> u64) -> u64 {
    ALLOCATIONS.store(0, Ordering::Relaxed);
    COUNTING.store(true, Ordering::Relaxed);
    wait(turns, taken);
    COUNTING.store(false, Ordering::Relaxed);
    ALLOCATIONS.load(Ordering::Relaxed)
}

#[test]
fn ten_thousand_warm_turns_allocate_nothing() {
    let _alone = TURN.lock();
    let (target, run, turns) = busy(Duration::from_secs(3600));
    let mut rounds = Vec::new();
    while rounds.last() != Some(&0) && rounds.len() < ROUNDS_MAX {
        rounds.push(allocations_of(TURNS, &turns));
    }
    run.command(Command::Drain).expect("it runs");
    let total = run.finish().total;
    drop(target);
    println!("allocations in rounds of {TURNS} turns: {rounds:?}");
    assert_eq!(rounds.last(), Some(&0), "{rounds:?}");
    assert!(total.ops[0].ok > TURNS && total.mail.heard > TURNS, "{:?}", total.mail);
}

#[test]
fn a_sample_allocates_little() {
    const EACH_MAX: f64 = 8.0;
    let _alone = TURN.lock();
    let every = Duration::from_millis(10);
    let (target, run, turns) = busy(every);
    wait(TURNS, &turns);
    let before = run.snapshot(Duration::from_secs(10)).expect("it runs").at;
    let allocations = allocations_of(TURNS, &turns);
    let mut after = before;
    while let Some(snapshot) = run.snapshot(Duration::ZERO) {
        after = after.max(snapshot.at);
    }
    drop((run, target));
    let samples = after.since(before).as_secs_f64() / every.as_secs_f64() * SHARDS as f64;
    assert!(samples > 10.0, "{samples} samples are too few to tell");
    let each = allocations as f64 / samples;
    println!("{each:.2} allocations a sample");
    assert!(each <= EACH_MAX, "{each} allocations a sample");
}

/// Templates, variables, a comparison, an op and its answer, at a pace.
const TREE: &str = "
parameters: {pace: 1ms}
bots:
  variables: {sent: 0, last: ''}
  tree:
    every:
      pace: '{{ pace }}'
      do:
        - set: {sent: '{{ sent + 1 }}'}
        - line.ask: '={{ sent }} of {{ bot.id }}: {{ random_text(random(10, 40)) }}'
        - if:
            when: '{{ sent % 2 == 0 and not contains(last, \"x\") }}'
            then: {set: {last: 'no {{ sent }} at {{ run_ms() }}'}}
        - line.send: '{{ pick(\"a\", last) }}'
        - {wait_for: {event: line.heard, set: {last: '{{ event.text }}'}, within: 1s}}
";

/// A tree may not allocate more a sample than bots written by hand, whatever it does in between.
#[test]
fn a_tree_allocates_nothing_of_its_own() {
    const EACH_MAX: f64 = 8.0;
    let _alone = TURN.lock();
    let source = Source { name: "tree.yaml".to_owned(), text: TREE.to_owned() };
    let file =
        File::read(source).unwrap_or_else(|(source, faults)| panic!("{}", source.show(&faults)));
    let file = file.keep();
    let scenario = file.builtin();
    let settings = Settings::of(scenario.parameters, []).expect("known").with_file(file);
    let (target, endpoints) = serve_here(Speaks::Echo, SHARDS).expect("ports on loopback");
    let every = Duration::from_millis(10);
    let run = scenario.start(&settings, plan(endpoints, BOTS, every), None).expect("it starts");
    let until = |asked: u64| loop {
        let snapshot = run.snapshot(Duration::from_secs(10)).expect("it runs");
        if snapshot.report.total.ops[0].ok >= asked {
            return (snapshot.report.total.ops[0].ok, snapshot.at);
        }
    };
    // Buffers grow to what the busiest turn needed; a round without growth is what counts.
    let mut rounds = Vec::new();
    while rounds.last().is_none_or(|each| *each > EACH_MAX) && rounds.len() < ROUNDS_MAX {
        let (asked, from) = until(1);
        ALLOCATIONS.store(0, Ordering::Relaxed);
        COUNTING.store(true, Ordering::Relaxed);
        let (_, to) = until(asked + 5_000);
        COUNTING.store(false, Ordering::Relaxed);
        let samples = to.since(from).as_secs_f64() / every.as_secs_f64() * SHARDS as f64;
        assert!(5_000.0 > 20.0 * samples, "{samples} samples for 5,000 questions say nothing");
        rounds.push(ALLOCATIONS.load(Ordering::Relaxed) as f64 / samples);
    }
    drop((run, target));
    println!("allocations a sample in rounds of 5,000 questions: {rounds:?}");
    assert!(rounds.last().is_some_and(|each| *each <= EACH_MAX), "{rounds:?}");
}
