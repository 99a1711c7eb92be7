//! The conductor's thread: drives the pure [`Conductor`] with real time and real channels.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select};

use super::crew::Member;
use super::{Call, show, time_since};
use crate::conduct::{CommandError, Conductor, Vitals};
use crate::id::BotId;
use crate::limits::Pulse;
use crate::plan::Plan;
use crate::report::{Phase, Report, Snapshot};
use crate::shard::Note;
use crate::sys;
use crate::time::Time;

/// How long the conductor waits for shards that are late with their sample.
const LATE_MAX: Duration = Duration::from_millis(500);

pub(super) struct Lead {
    plan: Arc<Plan>,
    conductor: Conductor,
    crew: Vec<Member>,
    notes: Receiver<Note>,
    calls: Receiver<Call>,
    shown: Sender<Snapshot>,
    /// Who waits for the answer of a removal.
    waiting: Vec<(u64, Sender<Result<Vec<BotId>, CommandError>>)>,
    pulse: Pulse,
}

impl Lead {
    pub(super) fn new(
        plan: Arc<Plan>,
        conductor: Conductor,
        crew: Vec<Member>,
        notes: Receiver<Note>,
        calls: Receiver<Call>,
        shown: Sender<Snapshot>,
    ) -> Lead {
        let pulse = Pulse::read();
        Lead { plan, conductor, crew, notes, calls, shown, waiting: Vec::new(), pulse }
    }

    fn vitals(&mut self) -> Vitals {
        let pulse = Pulse::read();
        let before = std::mem::replace(&mut self.pulse, pulse);
        Vitals {
            rss_bytes: sys::resident_bytes().unwrap_or(0),
            kernel_bytes: self.pulse.kernel_bytes,
            cpu: sys::total_cpu(),
            steal: self.pulse.steal_since(&before),
            overflows: self.pulse.overflows.saturating_sub(before.overflows),
        }
    }

    /// Leads the run to its end.
    pub(super) fn conduct(&mut self, epoch: Instant, older: &Receiver<Snapshot>) -> Report {
        // The memory before the first bot; then everybody begins.
        let vitals = self.vitals();
        self.conductor.base(vitals);
        self.crew.iter().for_each(|member| member.begin(epoch));
        let every = self.plan.sample_every;
        let mut next = Time::ZERO + every;
        while self.conductor.phase() != Phase::Ended {
            let now = time_since(epoch);
            let late = now >= next + LATE_MAX.min(every / 2);
            if late || (now >= next && self.conductor.second_is_in()) {
                self.tick(now, older);
                while next <= now {
                    next += every;
                }
            }
            self.pass_on();
            let until = if now < next { next } else { next + LATE_MAX.min(every / 2) };
            let patience = until.since(now).max(Duration::from_millis(1));
            select! {
                recv(self.notes) -> note => match note {
                    Ok(note) => self.note(note, time_since(epoch)),
                    Err(_) => break, // every shard is gone
                },
                recv(self.calls) -> call => if let Ok(call) = call {
                    self.call(call, time_since(epoch));
                },
                default(patience) => {}
            }
        }
        let now = time_since(epoch);
        self.tick(now, older);
        self.refuse_all();
        self.crew.iter_mut().for_each(Member::join);
        self.conductor.report().clone()
    }

    fn tick(&mut self, now: Time, older: &Receiver<Snapshot>) {
        let vitals = self.vitals();
        let snapshot = self.conductor.tick(now, vitals);
        show(&self.shown, older, snapshot);
    }

    fn note(&mut self, note: Note, now: Time) {
        if let Some((shard, mut meter)) = self.conductor.note(note, now) {
            meter.clear();
            let _ = self.crew[shard].spares.try_send(meter);
        }
    }

    fn call(&mut self, call: Call, now: Time) {
        match self.conductor.command(&call.command, now) {
            Ok(Some(ticket)) => self.waiting.push((ticket, call.answer)),
            Ok(None) => drop(call.answer.send(Ok(Vec::new()))),
            Err(error) => drop(call.answer.send(Err(error))),
        }
    }

    /// Orders go to the shards, answers to who asked.
    fn pass_on(&mut self) {
        for (shard, given) in self.conductor.orders() {
            match shard {
                Some(shard) => self.crew[shard].order(given),
                None => self.crew.iter().for_each(|member| member.order(given)),
            }
        }
        for (ticket, ids) in self.conductor.removed() {
            if let Some(at) = self.waiting.iter().position(|&(waiting, _)| waiting == ticket) {
                let _ = self.waiting.swap_remove(at).1.send(Ok(ids));
            }
        }
    }

    fn refuse_all(&mut self) {
        for (_, answer) in self.waiting.drain(..) {
            let _ = answer.send(Err(CommandError::Ending));
        }
        while let Ok(call) = self.calls.try_recv() {
            let _ = call.answer.send(Err(CommandError::Ending));
        }
    }
}
