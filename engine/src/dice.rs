//! Dice: eight bytes a bot, seeded by the run and the bot alone.

use std::convert::Infallible;
use std::time::Duration;

use rand::TryRng;
use rand_distr::{Distribution, Exp, LogNormal};

use crate::id::BotId;

/// A bot's own dice (SplitMix64). What one bot draws never depends on what another bot does.
///
/// Implements rand's generator trait, so every distribution of `rand` and `rand_distr` works on it.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The dice of bot `id` in the run with this seed.
    pub fn of(seed: u64, id: BotId) -> Rng {
        let mut rng = Rng(seed ^ u64::from(id.0).wrapping_mul(0xD6E8_FEB8_6659_FD93));
        rng.next(); // neighbours' states differ in few bits; one step spreads them
        Rng(rng.next())
    }

    /// The next 64 random bits.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A whole number below `end` (at least 1), each as likely as the others.
    pub fn below(&mut self, end: u64) -> u64 {
        // Multiply and shift: the bias is below end / 2^64.
        ((u128::from(self.next()) * u128::from(end.max(1))) >> 64) as u64
    }

    /// A fraction from 0 up to but without 1.
    pub fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Spreads the bits of a number over all of it (the finalizer of SplitMix64).
pub(crate) fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.next() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        for chunk in into.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// How long a bot thinks before it acts again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Think {
    /// Always the same.
    Fixed(Duration),
    /// Between the two, each moment as likely as the others.
    Uniform(Duration, Duration),
    /// Exponential with this mean: the pauses of a Poisson process.
    Exponential(Duration),
    /// Log-normal with this median and this spread (the standard deviation of the logarithm).
    LogNormal {
        /// Half of the pauses are shorter.
        median: Duration,
        /// 0.5 is narrow, 1.5 has a long tail.
        spread: f64,
    },
}

/// The longest pause a distribution can give: tails are cut so that a bot never sleeps for ever.
pub const THINK_MAX: Duration = Duration::from_secs(24 * 3600);

impl Think {
    /// One pause.
    pub fn draw(&self, rng: &mut Rng) -> Duration {
        let seconds = match *self {
            Think::Fixed(pause) => return pause.min(THINK_MAX),
            Think::Uniform(from, to) => {
                let (low, high) = (from.min(to), from.max(to));
                let span = u64::try_from((high - low).as_nanos()).unwrap_or(u64::MAX);
                let pause = low + Duration::from_nanos(rng.below(span.saturating_add(1)));
                return pause.min(THINK_MAX);
            }
            Think::Exponential(mean) => {
                let rate = 1.0 / mean.as_secs_f64().max(1e-9);
                Exp::new(rate).map_or(0.0, |law| law.sample(rng))
            }
            Think::LogNormal { median, spread } => {
                let location = median.as_secs_f64().max(1e-9).ln();
                LogNormal::new(location, spread.abs()).map_or(0.0, |law| law.sample(rng))
            }
        };
        Duration::from_secs_f64(seconds.clamp(0.0, THINK_MAX.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(think: Think) -> f64 {
        let mut rng = Rng::of(7, BotId(1));
        (0..20_000).map(|_| think.draw(&mut rng).as_secs_f64()).sum::<f64>() / 20_000.0
    }

    #[test]
    fn the_same_bot_of_the_same_run_draws_the_same() {
        let draw = |seed, id| {
            let mut rng = Rng::of(seed, BotId(id));
            [rng.next(), rng.next()]
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }

    #[test]
    fn think_times_have_the_mean_of_their_law() {
        let second = Duration::from_secs(1);
        assert_eq!(mean(Think::Fixed(second)), 1.0);
        assert!((mean(Think::Uniform(second, 3 * second)) - 2.0).abs() < 0.02);
        assert!((mean(Think::Exponential(2 * second)) - 2.0).abs() < 0.05);
        // The mean of a log-normal law is median * exp(spread^2 / 2).
        let law = Think::LogNormal { median: second, spread: 0.5 };
        assert!((mean(law) - 0.125f64.exp()).abs() < 0.03);
    }

    #[test]
    fn a_turned_round_range_and_a_wild_tail_stay_in_bounds() {
        let mut rng = Rng::of(1, BotId(1));
        let (one, two) = (Duration::from_secs(1), Duration::from_secs(2));
        for _ in 0..1000 {
            let pause = Think::Uniform(two, one).draw(&mut rng);
            assert!(pause >= one && pause <= two);
            let wild = Think::LogNormal { median: two, spread: 50.0 }.draw(&mut rng);
            assert!(wild <= THINK_MAX);
        }
    }
}
