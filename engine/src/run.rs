//! A run on real sockets: a thread a shard, a conductor, commands in, snapshots out.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};

use crate::conduct::{Command, CommandError, Conductor};
use crate::id::BotId;
use crate::mail::{MailRoom, offices};
use crate::metrics::Meter;
use crate::net::Net;
use crate::net::mio::MioNet;
use crate::plan::{Plan, PlanError, SHARDS_MAX};
use crate::report::{Report, Snapshot};
use crate::scenario::Scenario;
use crate::shard::{Life, Note, Order, Parts, Peer, Shard, Turn};
use crate::sys;
use crate::time::Time;

mod conductor;

/// Events an observer may be behind before less important ones are counted instead of told.
const LIVES_MAX: usize = 1 << 16;
/// Snapshots that may wait to be looked at; the oldest give way.
const SNAPSHOTS_MAX: usize = 4;
/// Meters in circulation for each shard: one that counts, one on its way.
const METERS: usize = 2;

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

/// What a shard's thread is told when everybody is ready, and what it tells before.
struct Gate {
    ready: Sender<(usize, io::Result<()>)>,
    go: Receiver<Instant>,
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
    let shards = plan.shards;
    let _ = sys::raise_descriptor_limit();
    let (scenario, plan) = (Arc::new(scenario), Arc::new(plan));
    let names = scenario.names();
    let epoch = now();
    let broken = |shard| move |error| StartError::Shard { shard, error };
    let mut nets = Vec::new();
    for shard in 0..shards {
        nets.push(MioNet::new(epoch).map_err(broken(shard))?);
    }
    let polls: Vec<_> = nets.iter().map(MioNet::poll_descriptor).collect();
    let peers: Vec<_> = nets
        .iter()
        .map(|net| Peer { waker: net.waker(), told: Arc::new(AtomicBool::new(false)) })
        .collect();
    let (lives, observing) = match observer {
        Some(observer) => {
            let (lives, thread) = observe(observer);
            (Some(lives), Some(thread))
        }
        None => (None, None),
    };
    let (notes, noted) = unbounded();
    let (ready, got_ready) = unbounded();
    let mut crew = Vec::new();
    let mut goes = Vec::new();
    for (net, office) in nets.into_iter().zip(offices(shards, MailRoom::default())) {
        let me = crew.len();
        let (orders, ordered) = unbounded();
        let (spares, spare) = bounded(METERS);
        let (go, gone) = bounded(1);
        let calling = Arc::new(AtomicU32::new(0));
        let parts = Parts {
            me,
            shards,
            scenario: scenario.clone(),
            plan: plan.clone(),
            names: names.clone(),
            net,
            office,
            peers: peers.clone(),
            orders: ordered,
            notes: notes.clone(),
            spare,
            lives: lives.clone(),
            calling,
        };
        let gate = Gate { ready: ready.clone(), go: gone };
        let thread = thread::Builder::new()
            .name(format!("shard {me}"))
            .spawn(move || work(parts, &gate))
            .map_err(broken(me))?;
        let waker = peers[me].waker.clone();
        crew.push(conductor::Member { orders, spares, waker, thread: Some(thread) });
        goes.push(go);
    }
    drop((notes, ready, lives));
    let answers: Vec<_> = got_ready.iter().take(shards).collect();
    if plan.split_tables {
        // The shards have their polls in tables of their own now.
        polls.into_iter().for_each(sys::release_copy);
    }
    for (shard, answer) in answers {
        answer.map_err(broken(shard))?;
    }
    let conductor = Conductor::new(plan.clone(), names.clone(), shards);
    let (commands, called) = unbounded();
    let (shown, snapshots) = bounded(SNAPSHOTS_MAX);
    let mut lead = conductor::Lead::new(plan, conductor, crew, noted, called, shown);
    for member in lead.crew() {
        for _ in 1..METERS {
            let _ = member.spares.try_send(Box::new(Meter::new(&names, lead.endpoints())));
        }
    }
    let older = snapshots.clone();
    let conductor = thread::Builder::new()
        .name("conductor".to_owned())
        .spawn(move || {
            let epoch = now();
            lead.base();
            for go in &goes {
                let _ = go.send(epoch);
            }
            let report = lead.conduct(epoch, &older);
            drop(lead);
            observing.into_iter().for_each(|thread| drop(thread.join()));
            report
        })
        .map_err(broken(shards))?;
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

/// A shard's thread: settles in, waits for the others, turns until it ends.
fn work<S: Scenario>(mut parts: Parts<S, MioNet>, gate: &Gate) {
    let (me, notes, calling) = (parts.me, parts.notes.clone(), parts.calling.clone());
    if let Err(error) = settle_in(&mut parts) {
        let _ = gate.ready.send((me, Err(error)));
        return;
    }
    let mut shard = Shard::new(parts);
    let _ = gate.ready.send((me, Ok(())));
    let Ok(epoch) = gate.go.recv() else { return };
    shard.net.begin(epoch);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        loop {
            match shard.turn(None) {
                Ok(Turn::Going) => {}
                Ok(Turn::Ended) => break Ok(()),
                Err(error) => break Err(error),
            }
        }
    }));
    let note = match ended {
        Ok(Ok(())) => Note::Ended(me, shard.last_meter()),
        Ok(Err(error)) => Note::Broken { shard: me, error: error.to_string() },
        Err(panic) => {
            let message = panic
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "a panic without words".to_owned());
            Note::Panicked { shard: me, bot: BotId(calling.load(Ordering::Relaxed)), message }
        }
    };
    let _ = notes.send(note);
}

/// Takes a descriptor table of the thread's own if the plan says so, and the timer in it.
fn settle_in<S: Scenario>(parts: &mut Parts<S, MioNet>) -> io::Result<()> {
    if parts.plan.split_tables {
        let mut keep = vec![0, 1, 2];
        keep.extend(parts.net.descriptors());
        keep.extend(parts.peers.iter().map(|peer| peer.waker.descriptor()));
        sys::split_descriptor_table(&keep)?;
    }
    parts.net.settle()
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

/// Gives an order to a shard and wakes it.
fn order(member: &conductor::Member, order: Order) {
    use crate::net::Wake;
    if member.orders.send(order).is_ok() {
        member.waker.wake();
    }
}
