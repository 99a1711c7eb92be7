//! What a shard says of itself: the length of its turns, its lag, and a sample a second.

use super::{Note, Shard};
use crate::net::Net;
use crate::scenario::Scenario;
use crate::time::Time;

impl<S: Scenario, N: Net> Shard<S, N> {
    /// The end of a turn that began at `began`.
    pub(super) fn measure(&mut self, began: Time) {
        if let Some(late) = self.late.take() {
            self.desk.meter.lag.record_time(late);
        }
        self.look_at_clock();
        let length = self.now.since(began);
        let meter = &mut self.desk.meter;
        meter.turns += 1;
        meter.turn.record_time(length);
        meter.busy_us += length.as_micros() as u64;
        if self.now >= self.next_sample {
            self.sample();
        }
        self.tell_settled();
        self.tell_failing();
        while let Some(life) = self.untold.pop_front() {
            let before = self.untold.len();
            self.tell(life);
            if self.untold.len() > before {
                break; // the observer still has no room
            }
        }
    }

    /// Hands the meter to the conductor if an empty one is there to take its place; otherwise it
    /// goes on counting, and the next sample covers more than one second.
    fn sample(&mut self) {
        let every = self.desk.plan.sample_every;
        while self.next_sample <= self.now {
            self.next_sample += every;
        }
        self.look_at_blocked();
        self.desk.ledger.expire(self.now, &mut self.desk.meter);
        if let Ok(spare) = self.spare.try_recv() {
            let full = self.swap_meter(spare);
            let _ = self.notes.send(Note::Sample(self.me, full));
        }
    }

    fn swap_meter(&mut self, mut spare: Box<crate::metrics::Meter>) -> Box<crate::metrics::Meter> {
        let load = self.net.load();
        for _ in 0..self.transports.tidy() {
            self.desk.meter.limit("lines of the key log");
        }
        let meter = &mut self.desk.meter;
        meter.cpu_us = load.cpu.saturating_sub(self.load.cpu).as_micros() as u64;
        meter.run_delay_us = load.run_delay.saturating_sub(self.load.run_delay).as_micros() as u64;
        self.load = load;
        meter.links = self.desk.links.len() as u64;
        let office = std::mem::take(&mut self.desk.office.count);
        self.desk.meter.mail.add(&office);
        spare.clear();
        spare.standing(&self.desk.meter);
        std::mem::replace(&mut self.desk.meter, spare)
    }

    /// The last meter, when the shard ends.
    pub(crate) fn last_meter(mut self) -> Box<crate::metrics::Meter> {
        while let Some(mut batch) = self.desk.office.receive(&mut false) {
            self.read_notices(&mut batch, &mut 0);
        }
        self.desk.ledger.finish(self.now, &mut self.desk.meter);
        let spare = self.desk.meter.clone();
        self.swap_meter(spare)
    }

    /// Tells the conductor at once when everybody is in, or nobody is left: a phase may be over.
    fn tell_settled(&mut self) {
        let population = self.desk.meter.population;
        // A drain is over when the last words of those who left are out, and not before.
        let parting = self.desk.draining && !self.closing.is_empty();
        let settled = self.cohorts.is_empty()
            && !parting
            && (population.live() == 0 || population.online == population.live());
        let empty = population.live() == 0;
        if settled != self.settled || (settled && empty != self.empty) {
            let _ = self.notes.send(Note::Settled(self.me, population, settled));
        }
        (self.settled, self.empty) = (settled, empty);
    }
}
