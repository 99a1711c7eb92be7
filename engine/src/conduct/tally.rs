//! The report as it grows: blank at first; what was counted in a second is added at its end.

use std::time::Duration;

use super::{Conductor, Vitals};
use crate::metrics::{Meter, Names, Population};
use crate::plan::{Plan, Repeat};
use crate::report::{BotsReport, EndpointReport, Generator, Limited, Phase, Report};

/// The report of a run in which nothing has happened.
pub(super) fn blank(plan: &Plan, names: Names, shards: usize, target: u64) -> Report {
    // Made, not cloned: all memory that they will need belongs to the base.
    let meter = || Meter::new(&names, plan.endpoints.len());
    let (total, measured, split_tables) = (meter(), meter(), plan.split_tables);
    Report {
        names,
        seed: plan.seed,
        duration: Duration::ZERO,
        ended_by: None,
        panic: None,
        bots: nobody(plan, target),
        total,
        measured,
        window: Duration::ZERO,
        limited: Limited::default(),
        late: plan.ledger.late,
        ramp: Duration::ZERO,
        generator: Generator { shards, split_tables, ..Generator::default() },
        endpoints: endpoints(plan),
        unsent_max: 0,
        transcripts: Vec::new(),
    }
}

/// Before anybody came.
fn nobody(plan: &Plan, target: u64) -> BotsReport {
    let repeating = plan.repeat != Repeat::default();
    BotsReport { target, repeating, min_online: u64::MAX, ..BotsReport::default() }
}

/// The same of each endpoint.
fn endpoints(plan: &Plan) -> Vec<EndpointReport> {
    let named = |name: &String| EndpointReport { name: name.clone(), ..EndpointReport::default() };
    plan.endpoints.iter().map(|endpoint| named(&endpoint.name)).collect()
}

impl Conductor {
    pub(super) fn merge(&mut self, second: &Meter, span: Duration, limited: &[&'static str]) {
        self.report.total.add(second);
        self.report.total.standing(second);
        self.report.unsent_max = self.report.unsent_max.max(second.unsent);
        let own = &mut self.report.limited;
        // Nor is one in which bots were told to leave.
        let left = matches!(self.phase, Phase::Drain | Phase::Ended);
        if self.second_phase != Phase::Hold || left {
            own.outside += u64::from(!limited.is_empty());
            return;
        }
        self.report.measured.add(second);
        self.report.measured.standing(second);
        own.window += 1;
        own.seconds += u64::from(!limited.is_empty());
        for &name in limited {
            match own.reasons.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += 1,
                None => own.reasons.push((name, 1)),
            }
        }
        let (bots, online) = (&mut self.report.bots, second.population.online);
        let before = self.report.window.as_secs_f64();
        self.report.window += span;
        let share = span.as_secs_f64() / self.report.window.as_secs_f64().max(1e-9);
        bots.mean_online +=
            (online as f64 - bots.mean_online) * if before > 0.0 { share } else { 1.0 };
        if self.settled.iter().all(|&settled| settled) {
            self.held = self.target;
        }
        if online < self.held {
            bots.seconds_below_target += span.as_secs_f64();
        }
        self.look_at_least(online);
    }

    /// So many are online in the measure window.
    pub(super) fn look_at_least(&mut self, online: u64) {
        let (bots, held) = (&mut self.report.bots, self.held);
        bots.min_online = bots.min_online.min(online);
        let (least, of) = bots.least_held;
        // Compared as shares: people may have changed the target meanwhile.
        if of == 0 || u128::from(online) * u128::from(of) < u128::from(least) * u128::from(held) {
            bots.least_held = (online, held);
        }
    }

    pub(super) fn weigh(&mut self, population: Population, vitals: Vitals) {
        let bots = &mut self.report.bots;
        bots.population = population;
        if self.phase.lives() || self.phase == Phase::Sweep {
            bots.online_at_end = population.online;
            let counts = self.report.endpoints.iter_mut().zip(&self.report.total.endpoints);
            for (endpoint, count) in counts {
                endpoint.online_at_end = u64::try_from(count.online).unwrap_or(0);
                endpoint.peak_online = endpoint.peak_online.max(endpoint.online_at_end);
            }
        }
        let generator = &mut self.report.generator;
        generator.cpu = vitals.cpu;
        generator.rss_bytes = generator.rss_bytes.max(vitals.rss_bytes);
        let Some(base) = self.base else { return };
        if population.online > 0 && self.phase.lives() {
            let per_bot = |now: u64, base: u64| Some(now.saturating_sub(base) / population.online);
            generator.user_bytes_per_bot = per_bot(vitals.rss_bytes, base.rss_bytes);
            generator.kernel_bytes_per_bot = per_bot(vitals.kernel_bytes, base.kernel_bytes);
        }
    }
}
