//! The shards' threads: how they are made ready, begin together and end.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::{StartError, now};
use crate::id::BotId;
use crate::mail::{MailRoom, offices};
use crate::metrics::{Meter, Names};
use crate::net::mio::{MioNet, Waker};
use crate::net::{Net, Wake};
use crate::plan::Plan;
use crate::scenario::Scenario;
use crate::shard::{Life, Note, Order, Parts, Peer, Shard, Turn};
use crate::sys;

/// Meters in circulation for each shard: one that counts, one on its way.
const METERS: usize = 2;

/// A shard as the conductor knows it.
pub(super) struct Member {
    orders: Sender<Order>,
    waker: Waker,
    go: Sender<Instant>,
    pub(super) spares: Sender<Box<Meter>>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    /// Lets it begin, with the moment that is called zero.
    pub(super) fn begin(&self, epoch: Instant) {
        let _ = self.go.send(epoch);
    }

    /// Gives it an order and wakes it.
    pub(super) fn order(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            self.waker.wake();
        }
    }

    /// Waits until its thread has ended.
    pub(super) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a shard's thread is told when everybody is ready, and what it tells before.
struct Gate {
    ready: Sender<(usize, io::Result<()>)>,
    go: Receiver<Instant>,
}

/// Starts a thread for every shard and waits until all are ready to begin.
// `lives` by value: once every thread has a sender of its own, this one has to go, or the observer
// never ends.
#[allow(clippy::needless_pass_by_value)]
pub(super) fn muster<S: Scenario>(
    scenario: Arc<S>,
    plan: &Arc<Plan>,
    names: &Names,
    lives: Option<Sender<Life<S::Bot>>>,
) -> Result<(Vec<Member>, Receiver<Note>), StartError> {
    let shards = plan.shards;
    let broken = |shard| move |error| StartError::Shard { shard, error };
    let epoch = now();
    // Every poll and waker is made before the first thread splits its descriptor table, so that
    // each table has the wakers of all.
    let mut nets = Vec::new();
    for shard in 0..shards {
        nets.push(MioNet::new(epoch).map_err(broken(shard))?);
    }
    let polls: Vec<_> = nets.iter().map(MioNet::poll_descriptor).collect();
    let peers: Vec<_> = nets
        .iter()
        .map(|net| Peer { waker: net.waker(), told: Arc::new(AtomicBool::new(false)) })
        .collect();
    let (notes, noted) = unbounded();
    let (ready, readied) = unbounded();
    let mut crew = Vec::new();
    for (net, office) in nets.into_iter().zip(offices(shards, MailRoom::default())) {
        let me = crew.len();
        let (orders, ordered) = unbounded();
        let (spares, spare) = bounded(METERS);
        let (go, gone) = bounded(1);
        for _ in 1..METERS {
            let _ = spares.try_send(Box::new(Meter::new(names, plan.endpoints.len())));
        }
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
            calling: Arc::new(AtomicU32::new(0)),
        };
        let gate = Gate { ready: ready.clone(), go: gone };
        let thread = thread::Builder::new()
            .name(format!("shard {me}"))
            .spawn(move || work(parts, &gate))
            .map_err(broken(me))?;
        let waker = peers[me].waker.clone();
        crew.push(Member { orders, waker, go, spares, thread: Some(thread) });
    }
    for (shard, answer) in readied.iter().take(shards).collect::<Vec<_>>() {
        answer.map_err(broken(shard))?;
        if plan.split_tables {
            // The shard has its poll in a table of its own now.
            sys::release_copy(polls[shard]);
        }
    }
    Ok((crew, noted))
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
