//! When each bot comes: pure functions of the plan and the bot's number.

use std::time::Duration;

use crate::time::Time;

/// How many bots, arriving how, for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// So many bots come and stay; each waits for its answers, so a slow target slows the load.
    Closed {
        /// The population.
        bots: u32,
        /// How they arrive.
        arrival: Arrival,
        /// How long they stay, counted from full population.
        hold: Duration,
    },
    /// Bots keep arriving at a rate, whatever the target does, and leave when they are done.
    Open {
        /// Bots a second.
        rate: f64,
        /// The rate climbs linearly from 0 for so long.
        ramp: Duration,
        /// How long arrivals go on.
        lasting: Duration,
        /// Bots that may be live at once; arrivals beyond are dropped and counted.
        live_max: u32,
    },
}

/// How the bots of a closed load arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrival {
    /// All in the first moment.
    AtOnce,
    /// So many a second.
    Constant(f64),
    /// Evenly over this time: the population grows linearly.
    Ramp(Duration),
}

impl Load {
    /// Ids the load may use.
    pub fn bots_max(&self) -> u64 {
        match *self {
            Load::Closed { bots, .. } => u64::from(bots),
            Load::Open { .. } => self.arrivals(),
        }
    }

    /// Bots that may be live at once.
    pub fn live_max(&self) -> u32 {
        match *self {
            Load::Closed { bots, .. } => bots,
            Load::Open { live_max, .. } => {
                live_max.min(u32::try_from(self.arrivals()).unwrap_or(u32::MAX))
            }
        }
    }

    /// All arrivals of an open load.
    fn arrivals(&self) -> u64 {
        let Load::Open { rate, ramp, lasting, .. } = *self else { return self.bots_max() };
        let (ramp, lasting) = (ramp.as_secs_f64(), lasting.as_secs_f64());
        let climbing = ramp.min(lasting);
        let climbed = if ramp > 0.0 { rate * climbing * climbing / (2.0 * ramp) } else { 0.0 };
        (climbed + rate * (lasting - climbing)).ceil() as u64
    }

    /// The bots the load begins with.
    pub(crate) fn cohort(&self, first_id: u32) -> Cohort {
        let (count, pace) = match *self {
            Load::Closed { bots, arrival: Arrival::AtOnce, .. } => (bots, Pace::AtOnce),
            Load::Closed { bots, arrival: Arrival::Constant(rate), .. } => (bots, Pace::Rate(rate)),
            Load::Closed { bots, arrival: Arrival::Ramp(over), .. } if !over.is_zero() => {
                (bots, Pace::Rate(f64::from(bots) / over.as_secs_f64()))
            }
            Load::Closed { bots, .. } => (bots, Pace::AtOnce),
            Load::Open { rate, ramp, .. } => {
                let count = u32::try_from(self.arrivals()).unwrap_or(u32::MAX);
                (count, if ramp.is_zero() { Pace::Rate(rate) } else { Pace::Climb { rate, ramp } })
            }
        };
        Cohort { first_id, count, start: Time::ZERO, pace }
    }

    /// What is wrong with it, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        let rate = match *self {
            Load::Closed { arrival: Arrival::Constant(rate), .. } | Load::Open { rate, .. } => rate,
            Load::Closed { .. } => return None,
        };
        (!rate.is_finite() || rate <= 0.0)
            .then(|| format!("an arrival rate of {rate} a second; it must be above 0"))
    }
}

/// Bots with consecutive ids that arrive at a pace. The plan begins with one cohort; `add`, respawn
/// and changes of rate make more. Every shard holds the same cohorts and launches its own ids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cohort {
    pub(crate) first_id: u32,
    pub(crate) count: u32,
    /// When the pace begins.
    pub(crate) start: Time,
    pub(crate) pace: Pace,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    AtOnce,
    /// Constant, bots a second; 0 never launches.
    Rate(f64),
    /// From 0 to `rate` within `ramp`, then constant.
    Climb {
        rate: f64,
        ramp: Duration,
    },
}

impl Cohort {
    /// When bot number `nth` (from 0) of the cohort is due.
    pub(crate) fn due(&self, nth: u32) -> Time {
        let nth = f64::from(nth);
        let seconds = match self.pace {
            Pace::AtOnce => 0.0,
            Pace::Rate(rate) if rate <= 0.0 => return Time::NEVER,
            Pace::Rate(rate) => nth / rate,
            Pace::Climb { rate, ramp } => {
                // Climbing, n(t) = rate * t^2 / (2 * ramp); then n(t) = rate * (t - ramp / 2).
                let ramp = ramp.as_secs_f64();
                let in_ramp = rate * ramp / 2.0;
                if nth <= in_ramp {
                    (2.0 * ramp * nth / rate).sqrt()
                } else {
                    nth / rate + ramp / 2.0
                }
            }
        };
        Time::from_nanos(self.start.nanos().saturating_add((seconds * 1e9).ceil() as u64))
    }

    /// How many are due at `now`.
    pub(crate) fn count_due(&self, now: Time) -> u32 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.due(middle) <= now { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Splits at `now`: what is due stays, the rest comes at another pace from `now` on.
    pub(crate) fn repace(&mut self, now: Time, pace: Pace) -> Option<Cohort> {
        let due = self.count_due(now);
        let rest = self.count - due;
        self.count = due;
        (rest > 0).then(|| Cohort { first_id: self.first_id + due, count: rest, start: now, pace })
    }

    /// The first number at or after `nth` whose id lives on `shard`.
    pub(crate) fn next_on(&self, nth: u32, shard: usize, shards: usize) -> u32 {
        let id = u64::from(self.first_id) + u64::from(nth);
        let (shard, shards) = (shard as u64, shards as u64);
        let ahead = (shard + shards - id % shards) % shards;
        u32::try_from(u64::from(nth) + ahead).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cohort(pace: Pace, count: u32) -> Cohort {
        Cohort { first_id: 1, count, start: Time::from_nanos(1_000_000_000), pace }
    }

    fn seconds(cohort: &Cohort, nth: u32) -> f64 {
        cohort.due(nth).seconds()
    }

    #[test]
    fn each_pace_has_its_due_times() {
        assert_eq!(seconds(&cohort(Pace::AtOnce, 9), 8), 1.0);
        assert_eq!(seconds(&cohort(Pace::Rate(10.0), 9), 5), 1.5);
        assert_eq!(cohort(Pace::Rate(0.0), 9).due(0), Time::NEVER);
        let climb = cohort(Pace::Climb { rate: 10.0, ramp: Duration::from_secs(4) }, 100);
        assert_eq!(seconds(&climb, 0), 1.0);
        assert_eq!(seconds(&climb, 20), 5.0); // the ramp brings 10 * 4 / 2 bots
        assert_eq!(seconds(&climb, 30), 6.0);
        assert!((seconds(&climb, 5) - 3.0).abs() < 1e-6); // a quarter of them in half of the time
    }

    #[test]
    fn counting_agrees_with_the_due_times() {
        for pace in
            [Pace::AtOnce, Pace::Rate(3.0), Pace::Climb { rate: 7.0, ramp: Duration::from_secs(3) }]
        {
            let cohort = cohort(pace, 50);
            for millis in (0..20_000).step_by(37) {
                let now = Time::ZERO + Duration::from_millis(millis);
                let counted = (0..50).filter(|&nth| cohort.due(nth) <= now).count();
                assert_eq!(cohort.count_due(now) as usize, counted, "{pace:?} at {now:?}");
            }
        }
    }

    #[test]
    fn a_new_pace_takes_over_where_the_old_one_stood() {
        let mut old = cohort(Pace::Rate(10.0), 100);
        let now = old.start + Duration::from_millis(1050);
        let new = old.repace(now, Pace::Rate(2.0)).expect("bots are left");
        assert_eq!((old.count, new.first_id, new.count), (11, 12, 89));
        assert_eq!(new.due(1).since(now), Duration::from_millis(500));
        assert_eq!(cohort(Pace::AtOnce, 5).repace(now, Pace::Rate(1.0)), None);
    }

    #[test]
    fn every_id_is_launched_by_exactly_one_shard() {
        let cohort = cohort(Pace::AtOnce, 100);
        let mut seen = [0; 100];
        for shard in 0..7 {
            let mut nth = cohort.next_on(0, shard, 7);
            while nth < cohort.count {
                assert_eq!((cohort.first_id + nth) as usize % 7, shard);
                seen[nth as usize] += 1;
                nth = cohort.next_on(nth + 1, shard, 7);
            }
        }
        assert_eq!(seen, [1; 100]);
    }

    #[test]
    fn an_open_load_counts_its_arrivals() {
        let open = |ramp, lasting| Load::Open {
            rate: 100.0,
            ramp: Duration::from_secs(ramp),
            lasting: Duration::from_secs(lasting),
            live_max: 1000,
        };
        assert_eq!(open(0, 10).bots_max(), 1000);
        assert_eq!(open(4, 10).bots_max(), 800);
        assert_eq!(open(20, 10).bots_max(), 250);
    }
}
