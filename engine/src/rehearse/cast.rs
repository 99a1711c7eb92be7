//! One engine of a rehearsal: its shards and its conductor, without their threads.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::{Answer, Broken};
use crate::conduct::{Command, Conductor, Vitals};
use crate::groups::GroupId;
use crate::id::BotId;
use crate::mail::{MailRoom, offices};
use crate::metrics::Meter;
use crate::net::sim::{SimNet, SimWaker, SimWorld};
use crate::net::{Net, Wake};
use crate::plan::Plan;
use crate::report::{Phase, Report};
use crate::scenario::Scenario;
use crate::shard::check::Handed;
use crate::shard::{Life, Note, Order, Parts, Peer, Shard, Turn};
use crate::time::Time;

/// An engine without the type of its scenario.
pub(super) trait Act {
    fn nets(&self) -> &[usize];
    /// Whether the shard has not ended.
    fn lives(&self, shard: usize) -> bool;
    /// Whether the shard has had its first turn.
    fn met(&self, shard: usize) -> bool;
    fn turn(&mut self, shard: usize, checked: bool) -> Result<(), Broken>;
    /// Notes go to the conductor and orders to the shards.
    fn conduct(&mut self, now: Time, checked: bool) -> Result<(), Broken>;
    fn tick(&mut self, now: Time);
    fn next_tick(&self, now: Time) -> Option<Time>;
    fn command(&mut self, command: Command, now: Time);
    fn ended(&self) -> bool;
    fn report(&self) -> &Report;
    fn answers(&self) -> &[(Command, Answer)];
}

type Membership = (GroupId, BotId);
type Observer<B> = Box<dyn FnMut(Time, Life<B>)>;

pub(super) struct Cast<S: Scenario> {
    name: String,
    plan: Arc<Plan>,
    world: SimWorld,
    crew: Vec<Member<S>>,
    nets: Vec<usize>,
    conductor: Conductor,
    noted: Receiver<Note>,
    /// Notes on their way to the conductor.
    notes: VecDeque<Note>,
    lived: Receiver<Life<S::Bot>>,
    observer: Observer<S::Bot>,
    next: Time,
    over: bool,
    /// Removals that wait for their answer, by ticket.
    waiting: Vec<(u64, Command)>,
    answers: Vec<(Command, Answer)>,
}

struct Member<S: Scenario> {
    /// `None` once it has ended.
    shard: Option<Shard<S, SimNet>>,
    met: bool,
    orders: Sender<Order>,
    spares: Sender<Box<Meter>>,
    waker: SimWaker,
    handed: Handed,
}

impl<S: Scenario> Cast<S> {
    pub(super) fn new(
        world: &SimWorld,
        name: &str,
        scenario: S,
        plan: Plan,
        room: MailRoom,
        observer: Observer<S::Bot>,
    ) -> Cast<S> {
        let shards = plan.shards.max(1);
        let (scenario, plan) = (Arc::new(scenario), Arc::new(Plan { shards, ..plan }));
        let names = scenario.names();
        let nets: Vec<_> = (0..shards).map(|nth| world.net(&format!("{name} {nth}"))).collect();
        let numbers = nets.iter().map(SimNet::number).collect();
        let peers: Vec<_> = nets
            .iter()
            .map(|net| Peer { waker: net.waker(), told: Arc::new(AtomicBool::new(false)) })
            .collect();
        let (notes, noted) = unbounded();
        let (lives, lived) = unbounded();
        let mut crew = Vec::new();
        for (net, office) in nets.into_iter().zip(offices(shards, room)) {
            let (orders, ordered) = unbounded();
            let (spares, spare) = unbounded();
            let _ = spares.send(Box::new(Meter::new(&names, plan.endpoints.len())));
            let waker = net.waker();
            let parts = Parts {
                me: crew.len(),
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
                lives: Some(lives.clone()),
                calling: Arc::new(AtomicU32::new(0)),
            };
            let shard = Some(Shard::new(parts));
            let handed = Handed::default();
            crew.push(Member { shard, met: false, orders, spares, waker, handed });
        }
        Cast {
            name: name.to_owned(),
            world: world.clone(),
            crew,
            nets: numbers,
            conductor: Conductor::new(plan.clone(), names, shards),
            noted,
            notes: VecDeque::new(),
            lived,
            observer,
            next: Time::ZERO + plan.sample_every,
            over: false,
            waiting: Vec::new(),
            answers: Vec::new(),
            plan,
        }
    }

    fn broken(&self, shard: Option<usize>, rule: String) -> Broken {
        let who = match shard {
            Some(shard) => format!("{} shard {shard}", self.name),
            None => self.name.clone(),
        };
        Broken { at: self.world.now(), who, rule }
    }

    /// Takes in what shards noted: what their meters held is remembered for the checks.
    fn collect(&mut self) {
        while let Ok(note) = self.noted.try_recv() {
            if let Note::Sample(shard, meter) = &note {
                self.crew[*shard].handed.add(meter);
            }
            self.notes.push_back(note);
        }
        let now = self.world.now();
        while let Ok(life) = self.lived.try_recv() {
            (self.observer)(now, life);
        }
    }

    fn pass_on(&mut self) {
        for (shard, order) in self.conductor.orders() {
            let to = match shard {
                Some(shard) => shard..shard + 1,
                None => 0..self.crew.len(),
            };
            for member in &self.crew[to] {
                if member.orders.send(order).is_ok() {
                    member.waker.wake();
                }
            }
        }
        for (ticket, ids) in self.conductor.removed() {
            if let Some(at) = self.waiting.iter().position(|&(waiting, _)| waiting == ticket) {
                let (_, command) = self.waiting.swap_remove(at);
                self.answers.push((command, Ok(ids)));
            }
        }
    }

    /// What homes know of memberships is what the members know, once no mail is on its way.
    fn check_memberships(&self) -> Result<(), Broken> {
        let shards = || self.crew.iter().filter_map(|member| member.shard.as_ref());
        if shards().count() < self.crew.len() || !shards().all(Shard::mail_is_quiet) {
            return Ok(());
        }
        let mut kept: Vec<_> = shards().flat_map(Shard::kept_memberships).collect();
        let mut own: Vec<_> = shards().flat_map(Shard::own_memberships).collect();
        kept.sort_unstable();
        own.sort_unstable();
        if kept == own {
            return Ok(());
        }
        let only = |these: &[Membership], those: &[Membership]| -> Vec<_> {
            these.iter().filter(|one| !those.contains(one)).copied().collect()
        };
        let (ghosts, strangers) = (only(&kept, &own), only(&own, &kept));
        Err(self.broken(
            None,
            format!("groups: homes alone know {ghosts:?}, bots alone know {strangers:?}"),
        ))
    }
}

impl<S: Scenario> Act for Cast<S> {
    fn nets(&self) -> &[usize] {
        &self.nets
    }

    fn lives(&self, shard: usize) -> bool {
        self.crew[shard].shard.is_some()
    }

    fn met(&self, shard: usize) -> bool {
        self.crew[shard].met
    }

    fn turn(&mut self, nth: usize, checked: bool) -> Result<(), Broken> {
        let member = &mut self.crew[nth];
        let Some(shard) = &mut member.shard else { return Ok(()) };
        member.met = true;
        let turn = shard.turn(None);
        self.collect();
        let member = &mut self.crew[nth];
        let Some(shard) = &member.shard else { return Ok(()) };
        let mut fine = Ok(());
        if checked {
            fine = shard.check(&member.handed, self.world.open(self.nets[nth]));
        }
        match turn {
            Ok(Turn::Going) => {}
            Ok(Turn::Ended) => {
                fine = fine.and_then(|()| shard.check_end());
                if let Some(shard) = member.shard.take() {
                    self.notes.push_back(Note::Ended(nth, shard.last_meter()));
                }
            }
            Err(error) => {
                member.shard = None;
                self.notes.push_back(Note::Broken { shard: nth, error: error.to_string() });
            }
        }
        fine.map_err(|rule| self.broken(Some(nth), rule))
    }

    fn conduct(&mut self, now: Time, checked: bool) -> Result<(), Broken> {
        while let Some(note) = self.notes.pop_front() {
            if let Some((shard, mut meter)) = self.conductor.note(note, now) {
                meter.clear();
                let _ = self.crew[shard].spares.send(meter);
            }
        }
        let before = self.next;
        self.tick(now);
        if checked && self.next > before && !self.over {
            self.check_memberships()?;
        }
        Ok(())
    }

    fn tick(&mut self, now: Time) {
        if self.over {
            return;
        }
        let ended = self.conductor.phase() == Phase::Ended;
        let late = now >= self.next + self.plan.sample_every / 2;
        if ended || late || (now >= self.next && self.conductor.second_is_in()) {
            self.conductor.tick(now, Vitals::default());
            while self.next <= now {
                self.next += self.plan.sample_every;
            }
        }
        self.over = ended;
        self.pass_on();
    }

    fn next_tick(&self, now: Time) -> Option<Time> {
        let late = self.next + self.plan.sample_every / 2;
        (!self.over).then_some(if now < self.next { self.next } else { late })
    }

    fn command(&mut self, command: Command, now: Time) {
        match self.conductor.command(&command, now) {
            Ok(Some(ticket)) => self.waiting.push((ticket, command)),
            Ok(None) => self.answers.push((command, Ok(Vec::new()))),
            Err(error) => self.answers.push((command, Err(error))),
        }
        self.pass_on();
    }

    fn ended(&self) -> bool {
        self.over
    }

    fn report(&self) -> &Report {
        self.conductor.report()
    }

    fn answers(&self) -> &[(Command, Answer)] {
        &self.answers
    }
}
