//! Engines leave nothing behind: descriptors and threads of the process return to their start.
//!
//! Alone in its process, because it counts what the whole process has.
#![forbid(unsafe_code)]

use std::time::Duration;

use densebots_engine::{Arrival, Command, Endpoint, Load, Plan, Run, start};
use densebots_scenarios::{idle::Idle, serve_here, target::Speaks};

const PATIENCE: Duration = Duration::from_secs(30);
/// Looks at what there is before it counts as left behind: about a quarter of a second.
const LOOKS_MAX: usize = 10_000;

fn entries(of: &str) -> usize {
    std::fs::read_dir(of).expect("Linux has /proc").count()
}

/// Descriptors and threads.
fn belongings() -> (usize, usize) {
    (entries("/proc/self/fd"), entries("/proc/self/task"))
}

/// What there is once it is `wanted`: who waits for a thread hears of its end a moment before the
/// kernel takes it off the list.
fn settled(wanted: (usize, usize)) -> (usize, usize) {
    for _ in 0..LOOKS_MAX {
        if belongings() == wanted {
            break;
        }
        std::thread::yield_now();
    }
    belongings()
}

fn run(endpoints: &[Endpoint], split_tables: bool) -> Run {
    let plan = Plan {
        endpoints: endpoints.to_vec(),
        shards: 3,
        split_tables,
        load: Load::Closed { bots: 60, arrival: Arrival::AtOnce, hold: Duration::from_secs(600) },
        sample_every: Duration::from_millis(20),
        ..Plan::default()
    };
    let run = start(Idle, plan).expect("a plan that can run");
    while run.snapshot(PATIENCE).expect("it runs").second.population.online < 60 {}
    run
}

fn drained(run: Run) {
    run.command(Command::Drain).expect("it runs");
    assert_eq!(run.finish().bots.population.done, 60);
}

#[test]
fn descriptors_and_threads_return_to_their_start() {
    // What the first run makes for the whole process stays, and is made here.
    drop(serve_here(Speaks::Echo, 1).expect("a port"));
    let before = belongings();
    for split_tables in [false, true] {
        let (target, endpoints) = serve_here(Speaks::Echo, 3).expect("ports");
        let serving = belongings();
        for ended in [drained, drop] {
            ended(run(&endpoints, split_tables));
            assert_eq!(settled(serving).1, serving.1, "threads after one run, {split_tables}");
        }
        // Beside each other.
        let runs: Vec<Run> = (0..3).map(|_| run(&endpoints, split_tables)).collect();
        runs.into_iter().for_each(drained);
        drop(target);
        assert_eq!(settled(before), before, "after all runs, tables split: {split_tables}");
    }
    // A run that cannot start leaves nothing either.
    let impossible = Plan { shards: 100_000, ..Plan::default() };
    assert!(start(Idle, impossible).is_err());
    assert_eq!(settled(before), before, "after a run that could not start");
}
