//! Stream management (XEP-0198) from the accepting side: counts of stanzas in both directions, and
//! what the peer has not acknowledged.

use std::collections::VecDeque;

use super::super::counts::{ASK_EVERY, Counts};
use super::write;
use crate::xml::{Frame, Framer};

/// Stanzas kept for a peer that does not acknowledge them: some seconds of a busy room.
pub const UNACKNOWLEDGED_MAX: usize = 2048;

/// Their bytes.
pub const UNACKNOWLEDGED_BYTES_MAX: usize = 1 << 20;

/// Room that is kept when nothing waits any more.
const ROOM_KEPT: usize = 4096;

/// The counts of one stream. It knows no link, so it outlives one.
///
/// Where something cannot go on it answers with the condition of the stream error (RFC 6120
/// section 4.9.3) that ends the stream.
pub struct Managed {
    counts: Counts,
    /// What is not acknowledged, if the stream can be resumed.
    waiting: Option<Waiting>,
}

/// Stanzas, one behind the other.
#[derive(Default)]
struct Waiting {
    bytes: VecDeque<u8>,
    lengths: VecDeque<u32>,
}

impl Managed {
    /// A stream whose stanzas are counted from here on. If it is resumable, what is sent is kept.
    pub fn new(resumable: bool) -> Managed {
        let waiting = resumable.then(Waiting::default);
        Managed { counts: Counts::default(), waiting }
    }

    /// Whether it can go on over another link.
    pub fn is_resumable(&self) -> bool {
        self.waiting.is_some()
    }

    /// One more stanza of the peer has been dealt with.
    pub fn received(&mut self) {
        self.counts.receive();
    }

    /// Tells the peer how many those are.
    pub fn acknowledge(&self, out: &mut Vec<u8>) {
        write::counted("a", self.counts.received, None, out);
    }

    /// Takes in the stanzas from `from` to the end of `out`, which are on their way to the peer,
    /// and asks now and then how many have come.
    pub fn sent(&mut self, from: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let (mut framer, mut rest) = (Framer::new(), &out[from..]);
        let _ = framer.scan(b"<s>"); // only inside of a stream are there stanzas
        let before = self.counts.unacknowledged / ASK_EVERY;
        while let Ok(Frame::Stanza(end)) = framer.scan(rest) {
            self.counts.unacknowledged += 1;
            if let Some(waiting) = &mut self.waiting {
                waiting.bytes.extend(&rest[..end]);
                waiting.lengths.push_back(end as u32); // far below: it is bounded right here
                if waiting.bytes.len() > UNACKNOWLEDGED_BYTES_MAX {
                    return Err("policy-violation");
                }
            }
            rest = &rest[end..];
        }
        debug_assert!(rest.is_empty(), "whole stanzas and nothing else are sent");
        if self.counts.unacknowledged as usize > UNACKNOWLEDGED_MAX && self.waiting.is_some() {
            return Err("policy-violation");
        }
        if self.counts.unacknowledged / ASK_EVERY > before {
            write::empty("r", super::namespace::MANAGEMENT, out);
        }
        Ok(())
    }

    /// The peer says how many have come since the counts began.
    pub fn acknowledged(&mut self, count: u32) -> Result<(), &'static str> {
        let fresh = self.counts.acknowledge(count).ok_or("undefined-condition")?;
        if let Some(waiting) = &mut self.waiting {
            let bytes: u32 = waiting.lengths.drain(..fresh as usize).sum();
            waiting.bytes.drain(..bytes as usize);
            if waiting.bytes.is_empty() && waiting.bytes.capacity() > ROOM_KEPT {
                *waiting = Waiting::default();
            }
        }
        Ok(())
    }

    /// Goes on with the stream of that name over another link, where the peer says how many have
    /// come: appends that it does, and all stanzas that have not. False if it cannot, because the
    /// peer counts what never was, or because nothing was kept.
    pub fn resume(&mut self, name: &str, count: u32, out: &mut Vec<u8>) -> bool {
        if !self.is_resumable() || self.acknowledged(count).is_err() {
            return false;
        }
        write::counted("resumed", self.counts.received, Some(name), out);
        if let Some(waiting) = &self.waiting {
            let (front, back) = waiting.bytes.as_slices();
            out.extend_from_slice(front);
            out.extend_from_slice(back);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(managed: &mut Managed, stanzas: &str) -> (Result<(), &'static str>, String) {
        let mut out = b"before".to_vec();
        out.extend_from_slice(stanzas.as_bytes());
        let held = managed.sent(6, &mut out);
        (held, String::from_utf8(out.split_off(6 + stanzas.len())).expect("text"))
    }

    fn well(managed: &mut Managed, stanzas: &str) {
        assert_eq!(sent(managed, stanzas).0, Ok(()));
    }

    fn resumed(managed: &mut Managed, count: u32) -> Option<String> {
        let mut out = Vec::new();
        let resumed = managed.resume("n", count, &mut out);
        resumed.then(|| String::from_utf8(out).expect("text"))
    }

    #[test]
    fn what_was_not_heard_is_said_again() {
        let mut managed = Managed::new(true);
        managed.received();
        let (held, asked) = sent(&mut managed, "<message><body>></body></message><presence/>");
        assert_eq!((held, &*asked), (Ok(()), ""));
        well(&mut managed, "<iq id='3'/>");
        assert_eq!(managed.acknowledged(1), Ok(()));
        let head = "<resumed xmlns='urn:xmpp:sm:3' h='1' previd='n'/>";
        let expected = format!("{head}<presence/><iq id='3'/>");
        assert_eq!(resumed(&mut managed, 1), Some(expected));
        assert_eq!(resumed(&mut managed, 3), Some(head.to_owned()));
        well(&mut managed, "<iq id='4'/>");
        assert_eq!(resumed(&mut managed, 5), None, "more than was sent");
        assert_eq!(resumed(&mut managed, 2), None, "less than before");
        assert_eq!(resumed(&mut managed, 3), Some(format!("{head}<iq id='4'/>")));
        assert_eq!(managed.acknowledged(5), Err("undefined-condition"));
        assert_eq!(resumed(&mut Managed::new(false), 0), None);
    }

    #[test]
    fn counts_wrap() {
        let mut managed = Managed::new(true);
        managed.counts.acknowledged = u32::MAX;
        well(&mut managed, "<a/><b/><c/>");
        assert_eq!(managed.acknowledged(1), Ok(()));
        assert!(resumed(&mut managed, 1).is_some_and(|said| said.ends_with("<c/>")));
    }

    #[test]
    fn somebody_is_asked_now_and_then() {
        let mut managed = Managed::new(false);
        let ask = "<r xmlns='urn:xmpp:sm:3'/>";
        for nth in 1..=40 {
            let (_, asked) = sent(&mut managed, "<a/>");
            assert_eq!(asked == ask, nth % 16 == 0, "{nth}");
        }
        assert_eq!(sent(&mut managed, &"<a/>".repeat(50)).1, ask);
        let mut out = Vec::new();
        managed.received();
        managed.acknowledge(&mut out);
        assert_eq!(out, b"<a xmlns='urn:xmpp:sm:3' h='1'/>");
    }

    #[test]
    fn who_acknowledges_nothing_does_not_fill_the_memory() {
        let mut managed = Managed::new(true);
        for _ in 0..UNACKNOWLEDGED_MAX {
            well(&mut managed, "<a/>");
        }
        assert_eq!(sent(&mut managed, "<a/>").0, Err("policy-violation"));
        let mut managed = Managed::new(true);
        let long = format!("<a>{}</a>", "x".repeat(UNACKNOWLEDGED_BYTES_MAX / 4));
        let sent_whole = (0..10).take_while(|_| sent(&mut managed, &long).0.is_ok());
        assert_eq!(sent_whole.count(), 3);
        let mut counted = Managed::new(false);
        for _ in 0..10 * UNACKNOWLEDGED_MAX {
            assert_eq!(sent(&mut counted, "<a/>").0, Ok(()), "only counted");
        }
        assert_eq!(counted.acknowledged(10 * UNACKNOWLEDGED_MAX as u32), Ok(()));
    }

    #[test]
    fn a_burst_leaves_no_room_behind() {
        let mut managed = Managed::new(true);
        for _ in 0..1000 {
            well(&mut managed, "<message><body>hello there</body></message>");
        }
        assert_eq!(managed.acknowledged(1000), Ok(()));
        assert_eq!(managed.waiting.expect("resumable").bytes.capacity(), 0);
    }
}
