//! The fuzz targets without libFuzzer: every kept input, and thousands of changed ones from seeded
//! dice. Runs on a stable toolchain, with every other test.
//!
//! `cargo test -p densebots-tests --features fuzzed --test fuzz`
//!
//! An input that fails is written to a file, whose name is told: put it into
//! `tests/fuzz/corpus/TARGET` when it is mended.
#![forbid(unsafe_code)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use densebots_engine::{BotId, Rng};
use densebots_tests::fuzzed::{TARGETS, Target};

/// Changed inputs of each target.
const CHANGED: u32 = 4_000;
/// Bytes of an input: what libFuzzer allows itself.
const LENGTH_MAX: usize = 4096;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The kept inputs of a target, in order of their names. They have a dot in them; what libFuzzer
/// found on this machine has none.
fn kept(name: &str) -> Vec<Vec<u8>> {
    let folder = folder().join("corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("listed").path()).collect();
    paths.retain(|path| path.extension().is_some());
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("an input can be read")).collect()
}

/// Tries one input; one that fails is kept where it can be found.
fn check((name, target): Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.input"));
        fs::write(&path, input).expect("a file can be written");
        eprintln!("{name} fails for {}: {}", path.display(), input.escape_ascii());
        resume_unwind(panic);
    }
}

/// One of the kept inputs with a few changes.
fn changed(kept: &[Vec<u8>], dice: &mut Rng) -> Vec<u8> {
    let mut input = any(kept, dice).clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(input.len() as u64 + 1) as usize;
        let end = (at + dice.below(16) as usize).min(input.len());
        match dice.below(7) {
            0 => input.insert(at, dice.below(256) as u8),
            1 => drop(input.drain(at..end)),
            2 => drop(input.splice(at..at, input[at..end].to_vec())),
            3 => {
                // The rest of another one.
                let other = any(kept, dice);
                let from = dice.below(other.len() as u64 + 1) as usize;
                input.splice(at.., other[from..].iter().copied());
            }
            4 => {
                let other = any(kept, dice);
                let from = dice.below(other.len() as u64 + 1) as usize;
                let until = (from + dice.below(40) as usize).min(other.len());
                input.splice(at..at, other[from..until].iter().copied());
            }
            5 => input[at..end].iter_mut().for_each(|byte| *byte = dice.below(256) as u8),
            _ => input[at..end].iter_mut().take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
        }
        input.truncate(LENGTH_MAX);
    }
    input
}

fn any<'a>(kept: &'a [Vec<u8>], dice: &mut Rng) -> &'a Vec<u8> {
    &kept[dice.below(kept.len() as u64) as usize]
}

/// Every kept input of a target, and changed ones.
fn try_out(name: &str) {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    let target = *found.unwrap_or_else(|| panic!("{name} is no target"));
    let kept = kept(name);
    assert!(!kept.is_empty(), "{name}: no input is kept");
    check(target, &[]);
    kept.iter().for_each(|input| check(target, input));
    for nth in 0..CHANGED {
        check(target, &changed(&kept, &mut Rng::of(1, BotId(nth))));
    }
}

macro_rules! each_holds {
    ($($name:ident: $target:literal,)*) => {
        const TRIED: &[&str] = &[$($target),*];
        $(#[test]
        fn $name() {
            try_out($target);
        })*
    };
}

each_holds! {
    elements_are_what_they_are_for_others: "element",
    streams_are_cut_the_same_however_they_come: "framer",
    lines_are_cut_the_same_however_they_come: "line",
    logins_are_the_same_however_they_come: "login",
    records_hold_what_was_sealed: "record",
    scenarios_are_read_or_refused: "scenario",
    quantities_are_read_or_refused: "units",
}

#[test]
fn every_target_has_its_program_and_is_tried_here() {
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(TRIED, names);
    let entries = fs::read_dir(folder().join("fuzz_targets")).expect("the programs are there");
    let stem = |path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mut programs: Vec<_> =
        entries.filter_map(|entry| stem(entry.expect("listed").path())).collect();
    programs.sort();
    assert_eq!(programs, names);
}
