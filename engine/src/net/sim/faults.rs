//! What a simulated network does wrong, and how often.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::dice::Dice;

/// The conditions and faults of one world. A plain table: set what the test is about.
///
/// A chance goes from 0 (never) to 1 (always). With a chance of 1 for
/// [`would_block`](Faults::would_block) nothing makes progress.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// How long anything takes one way; drawn once per connection.
    pub latency: RangeInclusive<Duration>,
    /// Bytes a writer may have waiting; drawn per connection and direction.
    pub send_buffer: RangeInclusive<usize>,
    /// Bytes a reader may leave unread; drawn per connection and direction.
    pub receive_buffer: RangeInclusive<usize>,
    /// Connections a listener holds before somebody accepts them; drawn per listener.
    pub backlog: RangeInclusive<usize>,

    /// Chance that a connect is refused although somebody listens.
    pub refused: f64,
    /// Chance that a connect is never answered.
    pub silent: f64,
    /// Chance that a connect takes longer by [`slow_by`](Faults::slow_by).
    pub slow: f64,
    /// How much longer a slow connect takes.
    pub slow_by: RangeInclusive<Duration>,
    /// Chance that a delivery takes longer by [`jitter_by`](Faults::jitter_by). Order is kept.
    pub jitter: f64,
    /// How much longer a delivery with jitter takes.
    pub jitter_by: RangeInclusive<Duration>,
    /// Chance that a delivery, and with it all that come behind it, is held up for seconds.
    pub stall: f64,
    /// How long a stall lasts.
    pub stall_for: RangeInclusive<Duration>,
    /// Chance that a read gives less than there is. A new readable event follows.
    pub short_read: f64,
    /// Chance that a read, a write or an accept says "would block" although there are bytes, room
    /// or a connection. A new event follows, as no kernel says so without one.
    pub would_block: f64,
    /// Chance per poll of an event without a reason: for a live connection, for one that still
    /// connects, or for a token whose connection is closed.
    pub spurious: f64,
    /// Chance that a connection is reset in mid-life by the network.
    pub reset: f64,
    /// When in its life, counted from the end of the connect, it is reset.
    pub reset_after: RangeInclusive<Duration>,
    /// Chance per connect or accept that a net runs out of descriptors (EMFILE).
    pub no_descriptors: f64,
    /// How long a net stays out of descriptors.
    pub no_descriptors_for: RangeInclusive<Duration>,

    /// Chance that a delivery from a garbled server comes twice. Like the next two not part of a
    /// swarm: TCP does not do this, a bad server does; see
    /// [`SimWorld::garble`](super::SimWorld::garble).
    pub repeated: f64,
    /// Chance that the halves of a delivery from a garbled server change places.
    pub reordered: f64,
    /// Chance that some byte of a delivery from a garbled server is replaced.
    pub garbage: f64,
}

const fn micros(count: u64) -> Duration {
    Duration::from_micros(count)
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Chances in a swarm, at most. High enough to meet each fault often in 14 virtual seconds of 32
/// bots, low enough that most connections still live to do something.
mod at_most {
    pub(super) const REFUSED: f64 = 0.2;
    pub(super) const SILENT: f64 = 0.1;
    pub(super) const SLOW: f64 = 0.2;
    pub(super) const JITTER: f64 = 0.5;
    pub(super) const STALL: f64 = 0.01;
    pub(super) const SHORT_READ: f64 = 0.3;
    pub(super) const WOULD_BLOCK: f64 = 0.2;
    pub(super) const SPURIOUS: f64 = 0.2;
    pub(super) const RESET: f64 = 0.2;
    pub(super) const NO_DESCRIPTORS: f64 = 0.05;
}

/// How often a swarm has each kind of fault at all. Seeds without a kind matter: a fault that is
/// always on hides what only happens in its absence.
const PRESENT: f64 = 0.6;

impl Faults {
    /// A network without faults: a tenth of a millisecond away, with ample buffers.
    pub fn none() -> Faults {
        Faults {
            latency: micros(100)..=micros(100),
            send_buffer: 64 << 10..=64 << 10,
            receive_buffer: 64 << 10..=64 << 10,
            backlog: 1024..=1024,
            refused: 0.0,
            silent: 0.0,
            slow: 0.0,
            slow_by: millis(100)..=millis(3_000),
            jitter: 0.0,
            jitter_by: millis(0)..=millis(30),
            stall: 0.0,
            stall_for: millis(500)..=millis(4_000),
            short_read: 0.0,
            would_block: 0.0,
            spurious: 0.0,
            reset: 0.0,
            reset_after: millis(0)..=millis(10_000),
            no_descriptors: 0.0,
            no_descriptors_for: millis(100)..=millis(2_000),
            repeated: 0.0,
            reordered: 0.0,
            garbage: 0.0,
        }
    }

    /// A random mix: each kind is absent in about 40 % of all draws, else of random strength.
    pub fn swarm(dice: &mut Dice) -> Faults {
        let mut faults = Faults::none();
        if dice.chance(PRESENT) {
            faults.latency = micros(20)..=micros(20 + dice.below(50_000));
        }
        if dice.chance(PRESENT) {
            let most = 512 + dice.below(8_192) as usize;
            (faults.send_buffer, faults.receive_buffer) = (256..=most, 256..=most);
        }
        if dice.chance(PRESENT) {
            faults.backlog = 1..=1 + dice.below(64) as usize;
        }
        let mut strength =
            |most: f64| if dice.chance(PRESENT) { dice.fraction() * most } else { 0.0 };
        faults.refused = strength(at_most::REFUSED);
        faults.silent = strength(at_most::SILENT);
        faults.slow = strength(at_most::SLOW);
        faults.jitter = strength(at_most::JITTER);
        faults.stall = strength(at_most::STALL);
        faults.short_read = strength(at_most::SHORT_READ);
        faults.would_block = strength(at_most::WOULD_BLOCK);
        faults.spurious = strength(at_most::SPURIOUS);
        faults.reset = strength(at_most::RESET);
        faults.no_descriptors = strength(at_most::NO_DESCRIPTORS);
        faults
    }

    /// The same without everything that breaks a connection or fails a connect: what is left only
    /// delays and cuts up, so every byte has to arrive.
    #[must_use]
    pub fn without_breaks(self) -> Faults {
        Faults { refused: 0.0, silent: 0.0, reset: 0.0, no_descriptors: 0.0, ..self }
            .without_garbling()
    }

    /// The same conditions without any fault; what [`SimWorld::heal`](super::SimWorld::heal) does.
    #[must_use]
    pub fn healed(self) -> Faults {
        let Faults { latency, send_buffer, receive_buffer, backlog, .. } = self;
        Faults { latency, send_buffer, receive_buffer, backlog, ..Faults::none() }
    }

    /// What is on, in words, for the print of a failing seed.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec![
            format!("latency {:?} to {:?}", self.latency.start(), self.latency.end()),
            format!(
                "send buffers {} to {} bytes",
                self.send_buffer.start(),
                self.send_buffer.end()
            ),
            format!(
                "receive buffers {} to {} bytes",
                self.receive_buffer.start(),
                self.receive_buffer.end()
            ),
            format!("backlog {} to {}", self.backlog.start(), self.backlog.end()),
        ];
        for (name, chance) in self.chances() {
            if chance > 0.0 {
                words.push(format!("{name} {:.2} %", chance * 100.0));
            }
        }
        words
    }

    fn chances(&self) -> [(&'static str, f64); 13] {
        [
            ("refused connects", self.refused),
            ("silent connects", self.silent),
            ("slow connects", self.slow),
            ("jitter", self.jitter),
            ("stalls", self.stall),
            ("short reads", self.short_read),
            ("would block", self.would_block),
            ("spurious events", self.spurious),
            ("resets", self.reset),
            ("out of descriptors", self.no_descriptors),
            ("repeated bytes", self.repeated),
            ("reordered bytes", self.reordered),
            ("garbage", self.garbage),
        ]
    }

    fn without_garbling(self) -> Faults {
        Faults { repeated: 0.0, reordered: 0.0, garbage: 0.0, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_absent_in_about_four_of_ten_draws() {
        let mut dice = Dice::new(3);
        let swarms: Vec<Faults> = (0..2_000).map(|_| Faults::swarm(&mut dice)).collect();
        for kind in 0..10 {
            let absent = swarms.iter().filter(|swarm| swarm.chances()[kind].1 == 0.0).count();
            assert!((700..900).contains(&absent), "kind {kind}: {absent} of 2000");
        }
        for kind in 10..13 {
            assert!(swarms.iter().all(|swarm| swarm.chances()[kind].1 == 0.0));
        }
    }

    #[test]
    fn words_name_what_is_on_and_nothing_else() {
        let faults = Faults { stall: 0.015, ..Faults::none() };
        let words = faults.words();
        assert!(words.contains(&"stalls 1.50 %".to_owned()), "{words:?}");
        assert_eq!(words.len(), 5);
        assert_eq!(faults.healed(), Faults::none());
    }
}
