//! What a person can say to a run while it runs.

use std::collections::BTreeSet;
use std::thread;

use densebots_engine::{
    Arrival, BotId, Command, CommandError, Load, Phase, Plan, Run, Snapshot, start,
};
use densebots_scenarios::idle::Idle;

use crate::ground::{HOLD, begun, plan, target, until, until_online};

fn remove(run: &Run, bots: u32, force: bool) -> Vec<u32> {
    let ids = run.command(Command::Remove { bots, force }).expect("the run goes on");
    ids.into_iter().map(|BotId(id)| id).collect()
}

fn end(run: Run) {
    run.command(Command::Stop).expect("the run goes on");
    run.finish();
}

#[test]
fn bots_are_added_by_number_and_by_id() {
    let (_target, endpoints) = target();
    let run = begun(start(Idle, Plan { capacity: 100, ..plan(endpoints, 20) }));
    until_online(&run, 20);
    run.command(Command::Add(10)).expect("there is room");
    until_online(&run, 30);
    run.command(Command::AddIds(50, 59)).expect("there is room, and the ids are free");
    until_online(&run, 40);
    // The ids above the highest ever given, 60 to 69: the removal takes the highest ones.
    run.command(Command::Add(10)).expect("there is room");
    until_online(&run, 50);
    let highest: BTreeSet<u32> = remove(&run, 20, true).into_iter().collect();
    assert_eq!(highest, (50..=69).collect());

    let taken = run.command(Command::AddIds(60, 61)).expect_err("given already");
    assert_eq!(taken, CommandError::Ids { first: 60, last: 61, highest: 69 });
    let backwards = run.command(Command::AddIds(80, 71)).expect_err("first is above last");
    assert!(matches!(backwards, CommandError::Ids { first: 80, last: 71, .. }));
    let many = run.command(Command::Add(1000)).expect_err("no room for so many");
    assert!(matches!(many, CommandError::Capacity { asked: 1000, .. }), "{many}");
    end(run);
}

#[test]
fn removing_answers_with_the_ids_and_never_takes_a_bot_twice() {
    let (_target, endpoints) = target();
    let run = begun(start(Idle, plan(endpoints, 100)));
    until_online(&run, 100);
    let run = &run;
    let taken: Vec<Vec<u32>> = thread::scope(|scope| {
        let quick: Vec<_> =
            (0..6).map(|nth| scope.spawn(move || remove(run, 10, nth % 2 == 0))).collect();
        quick.into_iter().map(|thread| thread.join().expect("does not panic")).collect()
    });
    assert!(taken.iter().all(|ids| ids.len() == 10), "{taken:?}");
    let all: BTreeSet<u32> = taken.concat().into_iter().collect();
    assert_eq!(all.len(), 60, "nobody was taken twice: {taken:?}");
    assert!(all.iter().all(|id| (1..=100).contains(id)));
    until_online(run, 40);
    assert_eq!(remove(run, 1000, false).len(), 40, "no more than there are");
    // Nobody is left and nobody will come: the run ends.
    until(run, "the end", |snapshot| snapshot.phase == Phase::Ended);
    assert_eq!(run.command(Command::Add(1)), Err(CommandError::Ending));
}

#[test]
fn the_rate_changes_for_those_who_have_not_come() {
    let (_target, endpoints) = target();
    let slowly = Load::Closed { bots: 500, arrival: Arrival::Constant(2.0), hold: HOLD };
    let run = begun(start(Idle, Plan { load: slowly, ..plan(endpoints, 500) }));
    let few = until(&run, "the first bot", |snapshot| snapshot.second.population.online > 0);
    assert!(few.second.population.launched < 20, "{:?}", few.second.population);
    run.command(Command::Rate(5000.0)).expect("a rate");
    until_online(&run, 500);
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = run.command(Command::Rate(wrong)).expect_err("no rate");
        assert!(matches!(error, CommandError::Rate(_)), "{error}");
    }
    end(run);
}

#[test]
fn nobody_comes_while_the_run_is_paused() {
    let (_target, endpoints) = target();
    let load = Load::Closed { bots: 2000, arrival: Arrival::Constant(500.0), hold: HOLD };
    let run = begun(start(Idle, Plan { load, ..plan(endpoints, 2000) }));
    until(&run, "some bots", |snapshot| snapshot.second.population.online > 50);
    run.command(Command::Pause).expect("the run goes on");
    let launched = |snapshot: &Snapshot| snapshot.second.population.launched;
    until(&run, "the pause", |snapshot| snapshot.paused);
    let settled = until(&run, "those on their way", |snapshot| {
        snapshot.second.population.online == launched(snapshot)
    });
    let later = (0..10).filter_map(|_| run.snapshot(crate::ground::PATIENCE)).next_back();
    assert_eq!(launched(&later.expect("snapshots go on")), launched(&settled));
    assert!(launched(&settled) < 2000);
    run.command(Command::Resume).expect("the run goes on");
    until_online(&run, 2000);
    end(run);
}

#[test]
fn drain_lets_bots_finish_and_nothing_is_obeyed_afterwards() {
    let (_target, endpoints) = target();
    let run = begun(start(Idle, plan(endpoints, 50)));
    until_online(&run, 50);
    run.command(Command::Drain).expect("the run goes on");
    assert_eq!(run.command(Command::Add(1)), Err(CommandError::Ending));
    let report = run.finish();
    let population = report.bots.population;
    assert_eq!((population.done, population.failed, population.live()), (50, 0, 0));
    assert_eq!(report.bots.online_at_end, 50, "counted before the drain");
    assert_eq!(report.total.losses, [], "who leaves is not lost");
}
