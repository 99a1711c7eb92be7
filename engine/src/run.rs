//! A run on real sockets: a thread a shard, a conductor, commands in, snapshots out.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};

use crate::conduct::{Command, CommandError, Conductor};
use crate::id::BotId;
use crate::plan::{Plan, PlanError, SHARDS_MAX};
use crate::report::{Report, Snapshot};
use crate::scenario::Scenario;
use crate::shard::Life;
use crate::sys;
use crate::time::Time;

mod conductor;
mod crew;

/// Events an observer may be behind before less important ones are counted instead of told.
const LIVES_MAX: usize = 1 << 16;
/// Snapshots that may wait to be looked at; the oldest give way.
const SNAPSHOTS_MAX: usize = 4;

/// A run could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The plan cannot be run.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The system refused what a shard needs before its first bot.
    #[error("cannot start shard {shard}: {error}")]
    Shard {
        /// The shard.
        shard: usize,
        /// What the system said.
        error: io::Error,
    },
}

/// A run under way. Dropping it stops the run.
pub struct Run {
    commands: Sender<Call>,
    snapshots: Receiver<Snapshot>,
    conductor: Option<JoinHandle<Report>>,
}

/// A command and where its answer goes.
struct Call {
    command: Command,
    answer: Sender<Result<Vec<BotId>, CommandError>>,
}

/// Starts a run on real sockets.
///
/// With `plan.shards` 0 there is one shard a core.
pub fn start<S: Scenario>(scenario: S, plan: Plan) -> Result<Run, StartError> {
    launch(scenario, plan, None::<fn(Life<S::Bot>)>)
}

/// Starts a run and tells `observer`, on a thread of its own, what happens in the lives of bots:
/// when they get online, lose links, and end, with their outcome and last state.
pub fn start_observed<S: Scenario>(
    scenario: S,
    plan: Plan,
    observer: impl FnMut(Life<S::Bot>) + Send + 'static,
) -> Result<Run, StartError> {
    launch(scenario, plan, Some(observer))
}

impl Run {
    /// Gives a command. A removal answers with the ids it removed; others with none.
    pub fn command(&self, command: Command) -> Result<Vec<BotId>, CommandError> {
        let (answer, answered) = bounded(1);
        if self.commands.send(Call { command, answer }).is_err() {
            return Err(CommandError::Ending);
        }
        answered.recv().unwrap_or(Err(CommandError::Ending))
    }

    /// The next snapshot, one a second; `None` if none came in time or the run has ended.
    pub fn snapshot(&self, patience: Duration) -> Option<Snapshot> {
        self.snapshots.recv_timeout(patience).ok()
    }

    /// Whether the run has ended.
    pub fn ended(&self) -> bool {
        self.conductor.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for the end.
    pub fn finish(mut self) -> Report {
        let conductor = self.conductor.take().expect("only this and drop take it");
        conductor.join().expect("the conductor does not panic")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(conductor) = self.conductor.take() {
            let _ = self.command(Command::Stop);
            let _ = conductor.join();
        }
    }
}

fn launch<S: Scenario>(
    scenario: S,
    mut plan: Plan,
    observer: Option<impl FnMut(Life<S::Bot>) + Send + 'static>,
) -> Result<Run, StartError> {
    if plan.shards == 0 {
        plan.shards = thread::available_parallelism().map_or(1, usize::from).min(SHARDS_MAX);
    }
    plan.check()?;
    let _ = sys::raise_descriptor_limit();
    let (scenario, plan) = (Arc::new(scenario), Arc::new(plan));
    let names = scenario.names();
    let (lives, observing) = observer.map(observe).unzip();
    let (crew, noted) = crew::muster(scenario, &plan, &names, lives)?;
    let conductor = Conductor::new(plan.clone(), names, plan.shards);
    let (commands, called) = unbounded();
    let (shown, snapshots) = bounded(SNAPSHOTS_MAX);
    let mut lead = conductor::Lead::new(plan.clone(), conductor, crew, noted, called, shown);
    let older = snapshots.clone();
    let conductor = thread::Builder::new()
        .name("conductor".to_owned())
        .spawn(move || {
            let report = lead.conduct(now(), &older);
            drop(lead);
            observing.into_iter().for_each(|thread| drop(thread.join()));
            report
        })
        .map_err(|error| StartError::Shard { shard: plan.shards, error })?;
    Ok(Run { commands, snapshots, conductor: Some(conductor) })
}

#[allow(clippy::disallowed_methods)] // the epoch of a run: the one moment that is not of the run
fn now() -> Instant {
    Instant::now()
}

fn observe<B: Send + 'static>(
    mut observer: impl FnMut(Life<B>) + Send + 'static,
) -> (Sender<Life<B>>, JoinHandle<()>) {
    let (lives, lived) = bounded(LIVES_MAX);
    let thread = thread::Builder::new()
        .name("observer".to_owned())
        .spawn(move || lived.iter().for_each(&mut observer))
        .expect("a thread for the observer");
    (lives, thread)
}

/// Sends the newest snapshot; the oldest gives way to it.
fn show(shown: &Sender<Snapshot>, older: &Receiver<Snapshot>, snapshot: Snapshot) {
    if let Err(TrySendError::Full(snapshot)) = shown.try_send(snapshot) {
        let _ = older.try_recv();
        let _ = shown.try_send(snapshot);
    }
}

/// The time of a run, read outside its shards.
fn time_since(epoch: Instant) -> Time {
    Time::ZERO + now().duration_since(epoch)
}
