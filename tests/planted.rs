//! Bugs planted in the engine: each is caught by an oracle, and without it the seed passes.
//!
//! `cargo test -p densebots-tests --features planted --test planted -- --nocapture`
#![allow(missing_docs, unreachable_pub)]

#[path = "simulation/book.rs"]
mod book;
#[path = "simulation/mail.rs"]
mod mail;
#[path = "simulation/oracles.rs"]
mod oracles;
#[path = "simulation/scenario.rs"]
mod scenario;
#[path = "simulation/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use densebots_engine::planted::Bug;
use world::World;

/// A bug must be caught within so many seeds.
const SEEDS: u64 = 1000;

/// What the oracles say of a seed with this bug, or without any.
fn verdict(seed: u64, bug: Option<Bug>) -> Vec<String> {
    let world = || oracles::trial(World::of(seed, |setting| setting.plan.planted = bug)).0;
    catch_unwind(AssertUnwindSafe(world)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        vec![format!("an assertion of the engine: {}", text.unwrap_or_default())]
    })
}

fn caught(bug: Bug) {
    let found = (0..SEEDS).find_map(|seed| {
        let wrong = verdict(seed, Some(bug));
        wrong.into_iter().next().map(|first| (seed, first))
    });
    let Some((seed, first)) = found else { panic!("{bug:?} survived {SEEDS} seeds") };
    println!("{bug:?} is caught at seed {seed}: {first}");
    assert_eq!(verdict(seed, None), [] as [String; 0], "seed {seed} fails without the bug too");
}

macro_rules! each_is_caught {
    ($($name:ident: $bug:ident,)*) => {
        $(#[test]
        fn $name() {
            caught(Bug::$bug);
        })*
    };
}

each_is_caught! {
    a_stale_generation_that_is_accepted: StaleGeneration,
    a_cascade_that_loses_a_timer: LostCascade,
    a_rest_that_is_dropped: LostRest,
    an_again_entry_that_is_lost: LostAgain,
    a_letter_to_a_dead_member: LetterToDead,
    a_latency_counted_from_now: LatencyFromNow,
    a_pool_that_leaks: LeakyPool,
    a_bot_that_is_removed_twice: RemovedTwice,
    a_member_that_is_not_cleared: GhostMember,
    a_second_wake: SecondWake,
}
