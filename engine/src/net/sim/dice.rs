//! Seeded dice: the only source of chance in a simulated world.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A small seeded generator (splitmix64). The same seed rolls the same numbers on every machine.
///
/// Not the engine's generator on purpose: a new release of a library must not change what a seed
/// in a list of once failing seeds stands for.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Dice for `seed`. Neighbouring seeds give unrelated rolls.
    pub const fn new(seed: u64) -> Dice {
        Dice { state: seed }
    }

    /// The next 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from 0 to `limit - 1`; 0 if `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.roll()) * u128::from(limit)) >> 64) as u64
    }

    /// True with the probability `chance` (0 to 1). A chance of zero costs no roll, so that a
    /// fault that is off leaves the others' rolls alone.
    pub fn chance(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.fraction() < chance
    }

    /// A fraction from 0 up to, and without, 1.
    pub fn fraction(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A size within the range, both ends included; its start if the range is empty.
    pub fn size(&mut self, range: &RangeInclusive<usize>) -> usize {
        let width = range.end().saturating_sub(*range.start()) as u64;
        range.start() + self.below(width.saturating_add(1)) as usize
    }

    /// A duration within the range, both ends included; its start if the range is empty.
    pub fn duration(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let width = range.end().saturating_sub(*range.start()).as_nanos();
        let width = u64::try_from(width).unwrap_or(u64::MAX);
        *range.start() + Duration::from_nanos(self.below(width.saturating_add(1)))
    }

    /// Dice of their own for some part, so that its rolls do not disturb these.
    pub fn split(&mut self) -> Dice {
        Dice::new(self.roll())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_stay_in_their_range() {
        let mut dice = Dice::new(7);
        let span = Duration::from_millis(2)..=Duration::from_millis(3);
        for _ in 0..1000 {
            assert!(dice.below(3) < 3);
            assert!((4..=6).contains(&dice.size(&(4..=6))));
            assert!(span.contains(&dice.duration(&span)));
        }
        assert_eq!((dice.below(0), dice.size(&(5..=5))), (0, 5));
    }

    /// The seeds of once failing runs stand for nothing if this ever changes.
    #[test]
    fn a_seed_means_the_same_for_ever() {
        let mut dice = Dice::new(0);
        assert_eq!(dice.roll(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(dice.roll(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn chance_keeps_its_promise() {
        let mut dice = Dice::new(1);
        let hits = (0..10_000).filter(|_| dice.chance(0.3)).count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
        assert!(!dice.chance(0.0) && dice.chance(1.0));
    }
}
