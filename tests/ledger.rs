//! The ledger against a plain-list model that knows everything: every class is exact, for every
//! seed, whatever the service and the network do.
//!
//! A seed that fails prints how to repeat it:
//! `DENSEBOTS_SEED=7 cargo test -p densebots-tests --test ledger one_seed -- --nocapture`
#![allow(missing_docs, unreachable_pub)]

#[path = "ledger/chatter.rs"]
mod chatter;
#[path = "ledger/model.rs"]
mod model;
#[path = "ledger/service.rs"]
mod service;
#[path = "ledger/world.rs"]
mod world;

use std::collections::BTreeMap;

use model::Sum;
use world::{Played, play};

/// Seeds in every test run.
const SEEDS: u64 = 600;

/// Plays a seed. Says where the report and the model differ.
fn differ(seed: u64) -> Vec<String> {
    let Played { report, book, story, broken } = play(seed);
    let mut wrong: Vec<String> = broken.into_iter().collect();
    let book = book.lock().expect("nobody panicked");
    let (mut counted, known) = (Sum::of(&report), book.sum());
    if book.hasty {
        counted.heard_by_all = known.heard_by_all;
    }
    let pairs = counted.named().into_iter().zip(known.named());
    wrong.extend(
        pairs.filter(|(counted, known)| counted != known).map(|((name, counted), (_, known))| {
            format!("{name}: {counted} counted, {known} known")
        }),
    );
    if counted.delivered != report.total.delivery.each.count() {
        wrong.push("a delivery without its latency".to_owned());
    }
    if counted.open != 0 {
        wrong.push(format!("{} deliveries are in no class", counted.open));
    }
    if !wrong.is_empty() {
        wrong.extend(story);
        wrong.push(format!("limits: {:?}", report.total.limits));
        wrong.push(format!(
            "again: DENSEBOTS_SEED={seed} cargo test -p densebots-tests --test ledger one_seed"
        ));
    }
    wrong
}

fn play_all(seeds: impl Iterator<Item = u64>) {
    let mut failed = Vec::new();
    for seed in seeds {
        let wrong = differ(seed);
        if !wrong.is_empty() {
            if failed.len() < 3 {
                eprintln!("seed {seed} failed\n  {}", wrong.join("\n  "));
            }
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "{} seeds failed: {failed:?}", failed.len());
}

#[test]
fn even_seeds() {
    play_all((0..SEEDS).step_by(2));
}

#[test]
fn odd_seeds() {
    play_all((1..SEEDS).step_by(2));
}

#[test]
fn one_seed() {
    if let Some(seed) = std::env::var("DENSEBOTS_SEED").ok().and_then(|seed| seed.parse().ok()) {
        play_all(std::iter::once(seed));
    }
}

/// A model that sees nothing happen agrees with everything: the seeds meet every class.
#[test]
fn the_seeds_reach_every_class() {
    let mut sums = BTreeMap::<&str, u64>::new();
    for seed in 0..80 {
        let sum = Sum::of(&play(seed).report);
        sum.named().into_iter().for_each(|(name, count)| *sums.entry(name).or_default() += count);
    }
    println!("{sums:#?}");
    let never: Vec<_> =
        sums.iter().filter(|&(&name, &count)| count == 0 && name != "open").collect();
    assert!(never.is_empty(), "never: {never:?}");
}
