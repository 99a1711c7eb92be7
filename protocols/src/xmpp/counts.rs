//! How many stanzas went and came on one stream, the same for both sides (XEP-0198 section 4).

/// Stanzas without acknowledgement at which, and at whose multiples, one is asked for.
pub(super) const ASK_EVERY: u32 = 16;

/// Counts since stream management was enabled. They wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Stanzas of the peer that have come.
    pub(super) received: u32,
    /// Stanzas to the peer that it has acknowledged.
    pub(super) acknowledged: u32,
    /// How many it has not.
    pub(super) unacknowledged: u32,
}

impl Counts {
    /// One more stanza has come.
    pub(super) fn receive(&mut self) {
        self.received = self.received.wrapping_add(1);
    }

    /// How many stanzas more than before the peer has acknowledged, if it says so many in all. One
    /// that went back looks like one far too high: `None`, like all that counts what never was.
    pub(super) fn fresh(&self, count: u32) -> Option<u32> {
        Some(count.wrapping_sub(self.acknowledged)).filter(|fresh| *fresh <= self.unacknowledged)
    }

    /// The peer has acknowledged so many in all. Answers how many more than before.
    pub(super) fn acknowledge(&mut self, count: u32) -> Option<u32> {
        let fresh = self.fresh(count)?;
        self.unacknowledged -= fresh;
        self.acknowledged = count;
        Some(fresh)
    }
}
