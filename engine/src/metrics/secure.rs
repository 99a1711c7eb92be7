//! What is counted of encryption and of keys derived for logins.

use super::Spread;

/// Encryption of one shard's links, dialled and accepted.
#[derive(Clone, Debug)]
pub struct TlsMeter {
    /// Handshakes finished.
    pub handshakes: u64,
    /// Of these, such that went on with an earlier session.
    pub resumed: u64,
    /// Links that kept two traffic keys and nothing else.
    pub dense: u64,
    /// Links that kept their whole connection.
    pub kept: u64,
    /// From when a handshake was meant to begin to its end, of those that were finished.
    pub took: Spread,
}

impl Default for TlsMeter {
    fn default() -> TlsMeter {
        // Made when the first handshake is over: a plain run has none.
        TlsMeter { handshakes: 0, resumed: 0, dense: 0, kept: 0, took: Spread::of_latencies() }
    }
}

impl TlsMeter {
    pub(super) fn add(&mut self, other: &TlsMeter) {
        self.handshakes += other.handshakes;
        self.resumed += other.resumed;
        self.dense += other.dense;
        self.kept += other.kept;
        self.took.add(&other.took);
    }

    pub(super) fn clear(&mut self) {
        (self.handshakes, self.resumed, self.dense, self.kept) = (0, 0, 0, 0);
        self.took.clear();
    }
}

/// Keys derived for logins (PBKDF2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeriveMeter {
    /// Derived.
    pub count: u64,
    /// Known from before.
    pub remembered: u64,
    /// Time spent, in microseconds.
    pub spent_us: u64,
}

impl DeriveMeter {
    pub(super) fn add(&mut self, other: &DeriveMeter) {
        self.count += other.count;
        self.remembered += other.remembered;
        self.spent_us += other.spent_us;
    }
}
