//! What a timer costs: the engine's wheel beside a binary heap with lazy cancel.
//!
//! A million timers, four mixes. Both do the same work in turns of virtual time, and the heap pays
//! for what it put off: stale entries are popped when their time comes, as they would be in a run.
//!
//! Each mix prints nanoseconds per operation for people and, for a script,
//! `ratio timers.MIX median min max`: the heap's time over the wheel's, pair by pair. `life`, all
//! that a timer costs from the first to the last, is to be at least 2, and so are `cancel` and
//! `fire`. `arm` alone is the heap's best case and not a figure to aim at: a push of a random
//! deadline moves few entries and leaves the work to the pop.
//!
//! `cargo bench` measures; any other run (`cargo test --all-targets`) is a small one that only
//! shows that the mixes work.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use densebots_bench::pairs::ratio;
use densebots_engine::time::Time;
use densebots_engine::timers::Timers;

/// Pairs of runs, each the wheel and then the heap, so that a noisy neighbour meets both.
const PAIRS: usize = 9;
/// How many times as long as the wheel the heap is to take.
const RATIO_MIN: f64 = 2.0;
/// Virtual time between two looks at the timers: a shard's turn under load.
const TURN: Duration = Duration::from_micros(500);
/// Most timers fired at a time, as a shard would.
const FIRED_MAX: usize = 1024;

fn main() {
    let measured = std::env::args().any(|arg| arg == "--bench");
    let timers = if measured { 1_000_000 } else { 10_000 };
    let pairs = if measured { PAIRS } else { 1 };
    let bar = measured.then_some(RATIO_MIN);
    compare("life", (timers, pairs), bar, life::<Timers>, life::<Heap>);
    compare("arm", (timers, pairs), None, arm::<Timers>, arm::<Heap>);
    compare("cancel", (timers, pairs), bar, cancel::<Timers>, cancel::<Heap>);
    compare("fire", (timers, pairs), bar, fire::<Timers>, fire::<Heap>);
}

/// Both sides of the comparison, seen from a shard.
trait Deadlines {
    fn with_capacity(timers: usize) -> Self;
    fn arm(&mut self, key: u32, due: Time);
    fn cancel(&mut self, key: u32);
    fn advance(&mut self, now: Time, fired: &mut Vec<u32>, most: usize) -> bool;
    fn next(&self) -> Option<Time>;
}

impl Deadlines for Timers {
    fn with_capacity(timers: usize) -> Timers {
        Timers::with_capacity(timers)
    }
    fn arm(&mut self, key: u32, due: Time) {
        Timers::arm(self, key, due);
    }
    fn cancel(&mut self, key: u32) {
        Timers::cancel(self, key);
    }
    fn advance(&mut self, now: Time, fired: &mut Vec<u32>, most: usize) -> bool {
        Timers::advance(self, now, fired, most)
    }
    fn next(&self) -> Option<Time> {
        Timers::next(self)
    }
}

/// A heap in which a cancelled entry stays until it comes up and its stamp is seen to be old.
struct Heap {
    entries: BinaryHeap<Reverse<(Time, u32, u32)>>,
    stamps: Vec<u32>,
}

impl Deadlines for Heap {
    fn with_capacity(timers: usize) -> Heap {
        // Room for what lazy cancelling leaves behind, so that no growth is measured.
        Heap { entries: BinaryHeap::with_capacity(timers * 4), stamps: vec![0; timers] }
    }
    fn arm(&mut self, key: u32, due: Time) {
        let stamp = &mut self.stamps[key as usize];
        *stamp += 1;
        self.entries.push(Reverse((due, key, *stamp)));
    }
    fn cancel(&mut self, key: u32) {
        self.stamps[key as usize] += 1;
    }
    fn advance(&mut self, now: Time, fired: &mut Vec<u32>, most: usize) -> bool {
        let mut left = most;
        while let Some(&Reverse((due, key, stamp))) = self.entries.peek() {
            if due > now {
                return false;
            }
            let live = self.stamps[key as usize] == stamp;
            if live && left == 0 {
                return true;
            }
            self.entries.pop();
            if live {
                self.stamps[key as usize] += 1;
                fired.push(key);
                left -= 1;
            }
        }
        false
    }
    fn next(&self) -> Option<Time> {
        self.entries.peek().map(|&Reverse((due, ..))| due)
    }
}

/// Every key gets a deadline anywhere in a minute; every other one is taken back, the rest fire.
/// One operation: arm, and cancel or fire.
fn life<D: Deadlines>(timers: u32) -> f64 {
    let (mut deadlines, dues) = touched::<D>(timers);
    let end = Time::ZERO + TURN + Duration::from_secs(60) + TURN;
    let (mut now, mut count) = (Time::ZERO + TURN, 0);
    let mut fired = Vec::with_capacity(FIRED_MAX);
    let cost = timed(timers, || {
        for (&due, key) in dues.iter().zip(0..) {
            deadlines.arm(key, due);
        }
        (0..timers).step_by(2).for_each(|key| deadlines.cancel(key));
        while now < end {
            now += TURN;
            look(&mut deadlines, now, &mut fired);
            count += fired.drain(..).count();
        }
    });
    assert_eq!(count, timers as usize / 2, "each fires that was not taken back");
    cost
}

/// An empty set that has held every key once, and a deadline within a minute for each: the kernel
/// hands out the pages outside of the measurement.
fn touched<D: Deadlines>(timers: u32) -> (D, Vec<Time>) {
    let mut deadlines = D::with_capacity(timers as usize);
    let mut dice = Dice(1);
    (0..timers).for_each(|key| deadlines.arm(key, Time::ZERO + TURN));
    drain(&mut deadlines, Time::ZERO + TURN);
    let dues = (0..timers).map(|_| Time::ZERO + TURN + dice.within(60)).collect();
    (deadlines, dues)
}

/// Every key gets its first deadline, anywhere in a minute. One operation: arm.
fn arm<D: Deadlines>(timers: u32) -> f64 {
    let (mut deadlines, dues) = touched::<D>(timers);
    timed(timers, || {
        for (&due, key) in dues.iter().zip(0..) {
            deadlines.arm(key, due);
        }
    })
}

/// Replies come in time: every bot's timeout, 15 to 25 s ahead, is taken back after 10 s and set
/// again. One operation: cancel and arm.
fn cancel<D: Deadlines>(timers: u32) -> f64 {
    let mut deadlines = D::with_capacity(timers as usize);
    let mut dice = Dice(2);
    let mut keys: Vec<u32> = (0..timers).collect();
    (1..keys.len()).for_each(|last| keys.swap(last, dice.below(last as u64 + 1) as usize));
    let turns = Duration::from_secs(10).div_duration_f64(TURN);
    let batch = (f64::from(timers) / turns).ceil() as usize;
    let mut now = Time::ZERO;
    let mut fired = Vec::with_capacity(FIRED_MAX);
    let mut round = |deadlines: &mut D| {
        for batch in keys.chunks(batch) {
            now += TURN;
            look(deadlines, now, &mut fired);
            for &key in batch {
                deadlines.cancel(key);
                deadlines.arm(key, now + Duration::from_secs(15) + dice.within(10));
            }
        }
        assert!(fired.is_empty(), "every timeout is taken back in time");
    };
    // Three rounds until the heap holds as many stale entries as it ever will.
    (0..3).for_each(|_| round(&mut deadlines));
    timed(timers, || round(&mut deadlines))
}

/// Bots that think up to a minute: what fires is armed again. One operation: fire and arm.
fn fire<D: Deadlines>(timers: u32) -> f64 {
    let mut deadlines = D::with_capacity(timers as usize);
    let mut dice = Dice(3);
    (0..timers).for_each(|key| deadlines.arm(key, Time::ZERO + dice.within(60)));
    let mut now = Time::ZERO;
    let mut fired = Vec::with_capacity(FIRED_MAX);
    let mut round = |deadlines: &mut D| {
        let mut count = 0;
        while count < timers {
            now += TURN;
            look(deadlines, now, &mut fired);
            count += fired.len() as u32;
            for key in fired.drain(..) {
                deadlines.arm(key, now + dice.within(60));
            }
        }
    };
    round(&mut deadlines);
    timed(timers, || round(&mut deadlines))
}

/// What a shard asks of its timers once a turn.
fn look<D: Deadlines>(deadlines: &mut D, now: Time, fired: &mut Vec<u32>) {
    black_box(deadlines.next());
    while deadlines.advance(now, fired, FIRED_MAX) {}
}

fn drain<D: Deadlines>(deadlines: &mut D, now: Time) {
    let mut fired = Vec::with_capacity(FIRED_MAX);
    while deadlines.advance(now, &mut fired, FIRED_MAX) {
        fired.clear();
    }
}

/// Nanoseconds for each of `operations`.
#[allow(clippy::disallowed_methods)] // A benchmark is about the real clock.
fn timed(operations: u32, work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_nanos() as f64 / f64::from(operations)
}

fn compare(
    name: &str,
    (timers, pairs): (u32, usize),
    least: Option<f64>,
    wheel: fn(u32) -> f64,
    heap: fn(u32) -> f64,
) {
    // The heap behind the wheel, and its time over that of the wheel.
    let runs = (0..pairs).map(|_| (wheel(timers), heap(timers)));
    let runs: Vec<(f64, f64)> = runs.map(|(wheel, heap)| (heap, wheel)).collect();
    println!("{name}: nanoseconds of the heap and of the wheel, {timers} timers");
    let name = format!("timers.{name}");
    let ratio = ratio(&name, runs);
    least.into_iter().for_each(|least| ratio.wanted(&name, least));
}

/// Random numbers that are the same in every run (splitmix64), cheap beside what is measured.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Below `end`, or 0 if that is 0.
    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.roll()) * u128::from(end)) >> 64) as u64
    }

    fn within(&mut self, seconds: u64) -> Duration {
        Duration::from_nanos(self.below(seconds * 1_000_000_000))
    }
}
