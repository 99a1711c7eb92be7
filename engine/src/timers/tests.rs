//! The wheel against a heap that says what has to fire, and the corners one by one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::*;

/// Keys of the random runs; few, so that arming again and cancelling meet armed timers.
const KEYS: u32 = 64;
const HOUR: u64 = 3_600_000_000_000 >> TICK_BITS;

/// What the wheel promises, in the plainest way: deadlines by tick, stale ones skipped.
#[derive(Default)]
struct Model {
    heap: BinaryHeap<Reverse<(u64, u32)>>,
    ticks: Vec<Option<u64>>,
    reached: u64,
}

impl Model {
    fn arm(&mut self, key: u32, due: Time) {
        let exact = due.nanos().div_ceil(1 << TICK_BITS);
        let tick = exact.clamp(self.reached, self.reached + u64::from(u32::MAX));
        self.ticks.resize(self.ticks.len().max(key as usize + 1), None);
        self.ticks[key as usize] = Some(tick);
        self.heap.push(Reverse((tick, key)));
    }

    fn soonest(&mut self) -> Option<u64> {
        while let Some(&Reverse((tick, key))) = self.heap.peek() {
            if self.ticks[key as usize] == Some(tick) {
                return Some(tick);
            }
            self.heap.pop();
        }
        None
    }

    fn len(&self) -> usize {
        self.ticks.iter().flatten().count()
    }
}

/// A wheel and its model, which do the same and must agree after every step.
struct Pair {
    wheel: Timers,
    model: Model,
    clock: u64,
    fired: Vec<u32>,
}

impl Pair {
    fn starting_at(clock: u64) -> Pair {
        let (wheel, model) = (Timers::with_capacity(4), Model::default());
        let mut pair = Pair { wheel, model, clock, fired: Vec::new() };
        assert!(!pair.advance(0, 0));
        pair
    }

    /// Arms `away` nanoseconds from now, or before now.
    fn arm(&mut self, key: u32, away: i64) {
        let due = Time::from_nanos(self.clock.saturating_add_signed(away));
        self.wheel.arm(key, due);
        self.model.arm(key, due);
        assert!(self.wheel.is_armed(key));
        self.agree();
    }

    fn cancel(&mut self, key: u32) {
        self.wheel.cancel(key);
        if let Some(tick) = self.model.ticks.get_mut(key as usize) {
            *tick = None;
        }
        assert!(!self.wheel.is_armed(key));
        self.agree();
    }

    /// Lets `nanos` pass and fires at most `most`, each of which the model must have expected.
    fn advance(&mut self, nanos: u64, most: usize) -> bool {
        self.clock = self.clock.saturating_add(nanos);
        let target = self.clock >> TICK_BITS;
        self.fired.clear();
        let more = self.wheel.advance(Time::from_nanos(self.clock), &mut self.fired, most);
        assert!(self.fired.len() <= most);
        for &key in &self.fired {
            let soonest = self.model.soonest();
            assert_eq!(self.model.ticks[key as usize].take(), soonest, "key {key} out of order");
            assert!(soonest.is_some_and(|tick| tick <= target), "key {key} fired early");
            assert!(!self.wheel.is_armed(key));
        }
        let left = self.model.soonest().filter(|&tick| tick <= target);
        assert_eq!(more, left.is_some(), "what is left at {target}");
        assert!(!more || self.fired.len() == most, "stopped before the cap");
        self.model.reached = left.unwrap_or(target).max(self.model.reached);
        self.agree();
        more
    }

    /// Waits as an owner would: until the wheel asks for it, at most `wakes` times.
    fn wait_until_fired(&mut self, wakes: usize) {
        for _ in 0..wakes {
            // The tick at the end of time is not reached by any clock.
            let Some(until) = self.wheel.next().filter(|&until| until < Time::NEVER) else {
                return;
            };
            self.advance(until.nanos().saturating_sub(self.clock), usize::MAX);
            if !self.fired.is_empty() {
                return;
            }
        }
        panic!("nothing fired in {wakes} wakes");
    }

    /// Rings are whole both ways, hold every armed timer, and are marked only while they hold one.
    fn sound(&self) {
        let entries = &self.wheel.entries;
        let mut held = 0;
        for slot in 0..SLOTS {
            let mut at = slot;
            loop {
                let next = entries[at as usize].next;
                assert_eq!(entries[next as usize].prev, at);
                at = next;
                if at == slot {
                    break;
                }
                held += 1;
            }
            let marked = self.wheel.occupied[(slot / LEVEL_SLOTS) as usize].contains(slot as u8);
            assert_eq!(marked, entries[slot as usize].next != slot, "slot {slot}");
        }
        assert_eq!(held, self.wheel.len());
    }

    fn agree(&mut self) {
        assert_eq!(self.wheel.len(), self.model.len());
        let (asked, fires) = (self.wheel.next(), self.model.soonest());
        assert_eq!(asked.is_some(), fires.is_some());
        if let (Some(asked), Some(fires)) = (asked, fires) {
            assert!(asked.nanos() >> TICK_BITS <= fires, "asked to be woken too late");
            let passed = asked.nanos() >> TICK_BITS < self.model.reached;
            assert!(!passed, "asked to be woken in the past");
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Arm(u32, i64),
    Flood(i64),
    Cancel(u32),
    Advance(u64, usize),
    Wait,
}

/// Spans of every size from nothing to beyond the reach, whole ticks among them.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => (0u32..50, any::<u64>()).prop_map(|(bits, dice)| dice & ((1 << bits) - 1)),
        2 => (0u32..34, 0u64..3).prop_map(|(bits, more)| ((1 << bits) + more - 1) << TICK_BITS),
        1 => (0u64..1 << 34).prop_map(|ticks| ticks << TICK_BITS),
    ]
}

/// How far from now: mostly ahead, sometimes back.
fn away() -> impl Strategy<Value = i64> {
    (span(), 0..8).prop_map(|(nanos, sign)| if sign == 0 { -(nanos as i64) } else { nanos as i64 })
}

fn act() -> impl Strategy<Value = Act> {
    let most = prop_oneof![3 => Just(usize::MAX), 1 => 0usize..4, 1 => 4usize..40];
    prop_oneof![
        8 => (0..KEYS, away()).prop_map(|(key, away)| Act::Arm(key, away)),
        1 => away().prop_map(Act::Flood),
        3 => (0..KEYS).prop_map(Act::Cancel),
        5 => (span(), most).prop_map(|(nanos, most)| Act::Advance(nanos, most)),
        3 => Just(Act::Wait),
    ]
}

/// Beginnings: of the run, just before 32 bits of ticks are through (once, often), nearly never.
fn beginning() -> impl Strategy<Value = u64> {
    let rounds = prop_oneof![Just(0u64), Just(1), 1..60_000u64, Just(65_535)];
    let before = prop_oneof![Just(0), 0..100u64, 0..1u64 << 30];
    (rounds, before).prop_map(|(rounds, before)| {
        (rounds << (32 + TICK_BITS)).saturating_sub(before << TICK_BITS)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fires_as_a_heap_does(
        clock in beginning(),
        acts in prop::collection::vec(act(), 1..200),
    ) {
        let mut pair = Pair::starting_at(clock);
        for act in acts {
            match act {
                Act::Arm(key, away) => pair.arm(key, away),
                Act::Flood(away) => (0..KEYS).for_each(|key| pair.arm(key, away)),
                Act::Cancel(key) => pair.cancel(key),
                Act::Advance(nanos, most) => {
                    pair.advance(nanos, most);
                }
                Act::Wait => pair.wait_until_fired(KEYS as usize * 3 + 1),
            }
            pair.sound();
        }
        // Whatever is left fires in the end, a few at a time.
        for _ in 0..=KEYS {
            while pair.advance(u64::from(u32::MAX) << TICK_BITS, 5) {}
        }
        prop_assert!(pair.wheel.is_empty() || pair.clock == u64::MAX);
    }
}

#[test]
fn never_early_and_less_than_a_tick_late() {
    for due in [0, 1, 65_535, 65_536, 65_537, 16_777_216, 999_999_999_999] {
        let mut timers = Timers::with_capacity(1);
        let mut fired = Vec::new();
        timers.arm(0, Time::from_nanos(due));
        if due > 0 {
            timers.advance(Time::from_nanos(due - 1), &mut fired, 9);
            assert_eq!(fired, [], "due at {due}");
        }
        timers.advance(Time::from_nanos(due) + (TICK - Duration::from_nanos(1)), &mut fired, 9);
        assert_eq!(fired, [0], "due at {due}");
    }
}

#[test]
fn an_idle_wheel_waits_long() {
    for ticks in [1, 255, 256, 65_536, HOUR, 24 * HOUR, u64::from(u32::MAX)] {
        let mut pair = Pair::starting_at(0);
        pair.arm(0, (ticks << TICK_BITS) as i64);
        // The first three wakes may be for spreading.
        pair.wait_until_fired(4);
        assert_eq!(pair.clock, ticks << TICK_BITS);
        assert_eq!(pair.wheel.next(), None);
    }
}

#[test]
fn skips_what_is_empty() {
    // Stepping through these 55 thousand million ticks would take minutes.
    let mut pair = Pair::starting_at(0);
    for _ in 0..1000 {
        pair.arm(0, (HOUR << TICK_BITS) as i64);
        pair.advance(HOUR << TICK_BITS, 1);
        assert_eq!(pair.fired, [0]);
    }
}

#[test]
fn too_far_fires_at_the_reach() {
    let mut pair = Pair::starting_at(123 << TICK_BITS);
    pair.wheel.arm(0, Time::NEVER);
    pair.model.arm(0, Time::NEVER);
    let reach = REACH.as_nanos() as u64;
    pair.advance(reach - 1, 1);
    assert_eq!(pair.fired, []);
    pair.advance(1, 1);
    assert_eq!(pair.fired, [0]);
}

#[test]
fn a_capped_tick_goes_on_where_it_stopped() {
    let mut pair = Pair::starting_at(0);
    (0..6).for_each(|key| pair.arm(key, 1_000_000));
    assert!(pair.advance(2_000_000, 2));
    assert_eq!(pair.fired, [0, 1]);
    // What is armed for the past now comes after what waited already: nobody is passed over.
    pair.arm(0, -1_500_000);
    pair.cancel(2);
    pair.arm(3, 1_000_000);
    assert!(pair.advance(0, 2));
    assert_eq!(pair.fired, [4, 5]);
    assert!(pair.advance(0, 0));
    assert!(!pair.advance(0, 2));
    assert_eq!(pair.fired, [0]);
    assert!(!pair.advance(1_100_000, 2));
    assert_eq!(pair.fired, [3]);
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let mut timers = Timers::with_capacity(1);
    let mut fired = Vec::new();
    timers.advance(Time::from_nanos(1 << 40), &mut fired, 1);
    timers.arm(0, Time::from_nanos((1 << 40) + 1));
    timers.advance(Time::ZERO, &mut fired, 1);
    assert_eq!(fired, []);
    timers.advance(Time::from_nanos((1 << 40) + (1 << TICK_BITS)), &mut fired, 1);
    assert_eq!(fired, [0]);
}

#[test]
fn unknown_keys_are_unarmed() {
    let mut timers = Timers::with_capacity(0);
    timers.cancel(u32::MAX);
    assert!(!timers.is_armed(u32::MAX) && !timers.is_armed(0));
    timers.arm(300, Time::from_nanos(1));
    timers.cancel(299);
    assert_eq!(timers.len(), 1);
}

#[test]
fn a_warm_table_does_not_grow() {
    let mut timers = Timers::with_capacity(1000);
    let room = timers.entries.capacity();
    let mut fired = Vec::with_capacity(1000);
    for round in 0..100u64 {
        (0..1000).for_each(|key| timers.arm(key, Time::from_nanos(round << 30 | u64::from(key))));
        timers.advance(Time::from_nanos(round << 30 | 1 << 29), &mut fired, 1000);
        assert_eq!(fired.len(), 1000);
        fired.clear();
    }
    assert_eq!((timers.entries.capacity(), fired.capacity()), (room, 1000));
}

#[cfg(feature = "planted")]
#[test]
fn the_planted_bug_loses_some() {
    let mut timers = Timers::with_capacity(6400);
    timers.plant_lost_cascade();
    (0..6400).for_each(|key| timers.arm(key, Time::from_nanos(1 << 30)));
    let mut fired = Vec::new();
    timers.advance(Time::from_nanos(1 << 30), &mut fired, usize::MAX);
    assert!((6100..6400).contains(&fired.len()), "{} of 6400 fired", fired.len());
}
