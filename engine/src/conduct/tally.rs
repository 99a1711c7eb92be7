//! The end of a second: what was counted in it goes into the report.

use std::time::Duration;

use super::{Conductor, Vitals};
use crate::metrics::{Meter, Population};
use crate::plan::{Plan, Repeat};
use crate::report::{BotsReport, Phase};

/// Before anybody came.
pub(super) fn nobody(plan: &Plan, target: u64) -> BotsReport {
    let repeating = plan.repeat != Repeat::default();
    BotsReport { target, repeating, min_online: u64::MAX, ..BotsReport::default() }
}

impl Conductor {
    pub(super) fn merge(&mut self, second: &Meter, span: Duration, limited: &[&'static str]) {
        self.report.total.add(second);
        self.report.total.standing(second);
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
        bots.min_online = bots.min_online.min(online);
        if online < self.target {
            bots.seconds_below_target += span.as_secs_f64();
        }
    }

    pub(super) fn weigh(&mut self, population: Population, vitals: Vitals) {
        let bots = &mut self.report.bots;
        bots.population = population;
        if self.phase.lives() || self.phase == Phase::Sweep {
            bots.online_at_end = population.online;
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
