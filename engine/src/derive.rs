//! Rationed PBKDF2 (RFC 8018): a derivation costs half a millisecond, and every other bot waits.
//!
//! A session asks by [`Step::Derive`](densebots_protocols::Step::Derive). Its link reads nothing
//! until it has its answer. Answers are remembered, because bots that come back ask again.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;

use aws_lc_rs::{digest, pbkdf2};
use densebots_protocols::{Derive, Hash};

use crate::links::Link;
use crate::time::Time;

/// Derivations that may wait on one shard before no further attempts to connect begin: those under
/// way are to get in first.
pub(crate) const WAITING_MAX: usize = 64;
/// Keys remembered on one shard, about 130 bytes each.
const KEPT_MAX: usize = 4096;
/// Rounds of one derivation. More would hold all bots of a shard for over 20 ms; servers ask for
/// 4,096 (RFC 7677) to 10,000.
pub(crate) const ROUNDS_MAX: u32 = 100_000;
/// Rounds of one step of cryptography: 150 µs of SHA-1.
const ROUNDS_A_STEP: u32 = 1366;

/// A derived key; as long as its hash.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    bytes: [u8; 64],
    length: u8,
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The derivations of one shard: those that wait, one a link at most, and those remembered.
#[derive(Default)]
pub(crate) struct Derivations {
    waiting: VecDeque<(Link, Derive)>,
    /// By the hash of everything that was asked.
    kept: HashMap<[u8; 32], Key>,
    /// The same in the order in which they came.
    order: VecDeque<[u8; 32]>,
    /// Where time is virtual: when the next one may begin.
    pub(crate) free_at: Time,
}

impl Derivations {
    /// The answer, if it is known.
    pub(crate) fn known(&self, derive: &Derive) -> Option<Key> {
        self.kept.get(&name(derive)).copied()
    }

    /// Puts a link behind those that wait.
    pub(crate) fn ask(&mut self, link: Link, derive: Derive) {
        self.waiting.push_back((link, derive));
    }

    /// So many wait that nobody else should come.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_MAX
    }

    /// When the next one may begin.
    pub(crate) fn next_moment(&self) -> Time {
        if self.waiting.is_empty() { Time::NEVER } else { self.free_at }
    }

    /// The next one that waits, and whose.
    pub(crate) fn next(&mut self) -> Option<(Link, Derive)> {
        let next = self.waiting.pop_front();
        if self.waiting.is_empty() && self.waiting.capacity() > WAITING_MAX * 2 {
            self.waiting = VecDeque::new(); // a burst of logins is over: idle owns nothing
        }
        next
    }

    /// Remembers an answer; the oldest gives way.
    pub(crate) fn keep(&mut self, derive: &Derive, key: Key) {
        let name = name(derive);
        if self.kept.insert(name, key).is_none() {
            self.order.push_back(name);
        }
        if self.order.len() > KEPT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.kept.remove(&oldest);
        }
    }
}

/// How many steps of a turn's ration it takes.
pub(crate) fn steps(derive: &Derive) -> u32 {
    derive.rounds.div_ceil(ROUNDS_A_STEP)
}

/// Derives: a key as long as the hash (RFC 5802, `Hi`).
pub(crate) fn derive(derive: &Derive) -> Key {
    let (algorithm, length) = match derive.hash {
        Hash::Sha1 => (pbkdf2::PBKDF2_HMAC_SHA1, 20),
        Hash::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
        Hash::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
    };
    let mut key = Key { bytes: [0; 64], length };
    let rounds = NonZeroU32::new(derive.rounds).unwrap_or(NonZeroU32::MIN);
    let out = &mut key.bytes[..usize::from(length)];
    pbkdf2::derive(algorithm, rounds, &derive.salt, &derive.secret, out);
    key
}

fn name(derive: &Derive) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[derive.hash as u8]);
    context.update(&derive.rounds.to_be_bytes());
    context.update(&(derive.secret.len() as u64).to_be_bytes());
    context.update(&derive.secret);
    context.update(&derive.salt);
    let mut name = [0; 32];
    name.copy_from_slice(context.finish().as_ref());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(hash: Hash, secret: &str, salt: &str, rounds: u32) -> Derive {
        Derive { hash, secret: secret.as_bytes().into(), salt: salt.as_bytes().into(), rounds }
    }

    fn hex(key: Key) -> String {
        key.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn keys_are_those_of_the_standards() {
        // RFC 6070 and RFC 7914, section 11 (its first 32 bytes).
        let cases = [
            (Hash::Sha1, "password", "salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
            (Hash::Sha1, "password", "salt", 4096, "4b007901b765489abead49d926f721d065a429c1"),
            (
                Hash::Sha256,
                "passwd",
                "salt",
                1,
                "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
            ),
        ];
        for (hash, secret, salt, rounds, expected) in cases {
            assert_eq!(hex(derive(&asked(hash, secret, salt, rounds))), expected);
        }
        assert_eq!(derive(&asked(Hash::Sha512, "a", "b", 1)).as_ref().len(), 64);
    }

    #[test]
    fn answers_are_told_apart_by_everything_asked() {
        let mut derivations = Derivations::default();
        let first = asked(Hash::Sha1, "ab", "c", 2);
        derivations.keep(&first, derive(&first));
        assert_eq!(derivations.known(&first).map(hex), Some(hex(derive(&first))));
        let others = [
            asked(Hash::Sha256, "ab", "c", 2),
            asked(Hash::Sha1, "a", "bc", 2),
            asked(Hash::Sha1, "ab", "d", 2),
            asked(Hash::Sha1, "ab", "c", 3),
        ];
        for other in &others {
            assert!(derivations.known(other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn the_oldest_answers_give_way() {
        let mut derivations = Derivations::default();
        let one = |nth: usize| asked(Hash::Sha1, &nth.to_string(), "salt", 1);
        for nth in 0..=KEPT_MAX {
            derivations.keep(&one(nth), derive(&one(nth)));
            derivations.keep(&one(nth), derive(&one(nth))); // again: nothing gives way for it
        }
        assert_eq!((derivations.kept.len(), derivations.order.len()), (KEPT_MAX, KEPT_MAX));
        assert!(derivations.known(&one(0)).is_none() && derivations.known(&one(1)).is_some());
    }

    #[test]
    fn a_longer_derivation_takes_more_of_the_ration() {
        let of = |rounds| steps(&asked(Hash::Sha1, "", "", rounds));
        assert_eq!((of(1), of(4096), of(10_000)), (1, 3, 8));
    }
}
