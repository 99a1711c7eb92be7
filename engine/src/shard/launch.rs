//! Step 3: bots whose arrival is due, and attempts to connect that have a place.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::{LAUNCH_MAX, QueuedDial, Shard};
use crate::bots::{Alarm, Role, State};
use crate::dice::Rng;
use crate::id::BotId;
use crate::links::{LinkState, Lost};
use crate::net::{Dial, Net};
use crate::planted::Bug;
use crate::scenario::Scenario;
use crate::time::Time;

/// Room for dials that wait which a shard keeps.
const DIALS_KEPT: usize = 1024;

impl<S: Scenario, N: Net> Shard<S, N> {
    pub(super) fn launch(&mut self) {
        let mut budget = LAUNCH_MAX;
        let mut nth = 0;
        while nth < self.cohorts.len() {
            let launching = &mut self.cohorts[nth];
            if launching.next >= launching.cohort.count {
                self.cohorts.swap_remove(nth);
                continue;
            }
            let due = launching.cohort.due(launching.next);
            if due > self.now || budget == 0 {
                nth += 1;
                continue;
            }
            budget -= 1;
            let id = BotId(launching.cohort.first_id + launching.next);
            launching.next = launching.cohort.next_on(launching.next + 1, self.me, self.shards);
            self.bring(id, due);
        }
        for _ in 0..LAUNCH_MAX {
            if !self.may_dial() {
                break;
            }
            let Some(dial) = self.dials.pop_front() else { break };
            self.dial(&dial);
        }
        if self.dials.is_empty() && self.dials.capacity() > DIALS_KEPT {
            self.dials = VecDeque::new(); // a burst of arrivals is over: idle owns nothing
        }
    }

    /// Whether one more attempt may begin: there is a place, and those under way get their keys.
    pub(super) fn may_dial(&self) -> bool {
        self.dialling < self.dialling_max && !self.derivations.is_full()
    }

    /// When the next bot is due.
    pub(super) fn next_launch(&self) -> Time {
        let due = |l: &super::Launching| match l.next < l.cohort.count {
            true => l.cohort.due(l.next),
            false => Time::NEVER,
        };
        self.cohorts.iter().map(due).min().unwrap_or(Time::NEVER)
    }

    /// A planned bot comes to life.
    fn bring(&mut self, id: BotId, due: Time) {
        self.late_by(due);
        if self.desk.meter.population.live() >= self.live_max {
            self.desk.meter.dropped += 1;
            self.desk.meter.limit("live bots of an open load");
            return;
        }
        let key = self.create(id, Role::Planned);
        let population = &mut self.desk.meter.population;
        population.launched += 1;
        population.waiting += 1;
        self.tell(super::Life::Started(id));
        self.begin_run(key, Role::Planned, due);
    }

    /// A bot of any kind gets its slot.
    pub(super) fn create(&mut self, id: BotId, role: Role) -> u32 {
        let mut rng = Rng::of(self.desk.plan.seed, id);
        let bot = self.scenario.bot(id, role, &mut rng);
        self.bots.insert(id, role, rng, bot)
    }

    pub(super) fn begin_run(&mut self, key: u32, role: Role, due: Time) {
        self.call(key, None, due, |scenario, bot, ctx| scenario.on_start(bot, role, ctx));
        self.settle(key);
    }

    /// Puts a dial behind those that wait for a place.
    pub(super) fn queue_dial(&mut self, key: u32, to: Option<SocketAddr>) {
        let core = &mut self.bots.at(key).core;
        core.dials = core.dials.saturating_add(1);
        let (generation, own) = (core.generation, to.is_some());
        if own || core.cold.is_some() {
            let cold = core.cold.get_or_insert_default();
            cold.redial = to;
            cold.dials.extend(to);
        }
        self.dials.push_back(QueuedDial { key, generation, own });
    }

    fn dial(&mut self, dial: &QueuedDial) {
        let mut generation = dial.generation;
        if self.desk.plan.has(Bug::StaleGeneration) && self.bots.contains(dial.key) {
            generation = self.bots.core(dial.key).generation;
        }
        let Some(slot) = self.bots.same(dial.key, generation) else { return };
        let (core, shards) = (&mut slot.core, self.shards);
        let core_id = core.id;
        core.dials = core.dials.saturating_sub(1);
        let plan = &self.desk.plan;
        let endpoint = plan.endpoint(core.id.0, shards, u32::from(core.retries));
        let own = match &mut core.cold {
            Some(cold) if dial.own && !cold.dials.is_empty() => Some(cold.dials.remove(0)),
            _ => None,
        };
        let to = own.or_else(|| endpoint.map(|nth| plan.endpoints[nth].address));
        let endpoint = match own {
            Some(at) => plan.endpoints.iter().position(|endpoint| endpoint.address == at),
            None => endpoint,
        };
        let until = self.now + plan.connect_timeout;
        if core.state == State::Online {
            // One more link: what the alarm is for stays, it looks at dials too.
            (core.alarm, core.alarm_for) = (core.alarm.min(until), Alarm::Liveness);
        } else {
            (core.alarm, core.alarm_for) = (until, Alarm::Attempt);
        }
        if core.state == State::Waiting {
            core.state = State::Connecting;
            self.desk.meter.population.waiting -= 1;
            self.desk.meter.population.connecting += 1;
        }
        let link = self.desk.links.next_link();
        let session = self.scenario.session(core.id, &mut slot.bot, link);
        let next = slot.core.links;
        let link = self.desk.links.insert(dial.key, next, LinkState::Dialling, session);
        slot.core.links = link.key;
        let watched = self.watches(link, core_id);
        let place = self.desk.links.at(link.key);
        place.since = self.now;
        place.flags.traced = watched;
        place.endpoint = endpoint.map_or(u16::MAX, |nth| nth as u16);
        self.desk.meter.dialled += 1;
        let Some(to) = to else {
            return self.lose(link.key, Lost::new(crate::Cause::Scenario, "no target to dial"));
        };
        let from = self.sources.pick(endpoint.unwrap_or(0), &to);
        let tuning = self.desk.plan.tuning.clone();
        match self.net.connect(&Dial { to, from, tuning }, link.token()) {
            Ok(conn) => {
                self.place_conn(link.key, conn);
                self.desk.links.at(link.key).flags.counted = true;
                self.dialling += 1;
                self.arm(dial.key);
            }
            Err(error) => self.lose(link.key, Lost::by(&error)),
        }
    }

    pub(super) fn place_conn(&mut self, key: u32, conn: N::Conn) {
        let at = key as usize;
        if at >= self.conns.len() {
            self.conns.resize_with(at + 1, || None);
        }
        self.conns[at] = Some(conn);
    }
}
