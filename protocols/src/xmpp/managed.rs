//! Stream management (XEP-0198): counts of stanzas in both directions, and what is still without
//! acknowledgement.

use std::collections::VecDeque;

use super::counts::{ASK_EVERY, Counts};
use super::{namespace, send};
use crate::Violation;
use crate::xml::Element;

/// Stanzas kept for a resumption. A server that acknowledges nothing must not make a bot grow;
/// beyond this the stream cannot be resumed, and stanzas are only counted.
const UNACKNOWLEDGED_MAX: usize = 256;

const UNCOUNTED: Violation =
    Violation { rule: "an acknowledgement without a count (undefined-condition)" };
const TOO_HIGH: Violation =
    Violation { rule: "an acknowledgement of more than was sent (undefined-condition)" };

/// What is needed to go on with a stream after its connection was lost.
#[derive(Clone, Debug)]
pub struct Resumption {
    id: Box<str>,
    counts: Counts,
    waiting: VecDeque<Box<[u8]>>,
}

impl Resumption {
    /// How many stanzas will be sent again, unless the server has heard them.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

pub(super) struct Managed {
    /// The name of the stream, if it can be resumed.
    id: Option<Box<str>>,
    counts: Counts,
    /// What is not acknowledged, if the stream can be resumed.
    waiting: VecDeque<Box<[u8]>>,
}

impl Managed {
    /// From the server's `<enabled/>`.
    pub(super) fn enabled(enabled: &Element<'_>) -> Self {
        let [resume, id] = enabled.attributes(["resume", "id"]);
        let resumable = matches!(resume.as_deref(), Some("true" | "1"));
        Self {
            id: id.filter(|_| resumable).map(|id| id.into_owned().into()),
            counts: Counts::default(),
            waiting: VecDeque::new(),
        }
    }

    /// From the server's `<resumed/>`, which acknowledges what the old connection still brought.
    /// Empties the resumption, unless the server acknowledges what never was.
    pub(super) fn resumed(
        resumption: &mut Resumption,
        resumed: &Element<'_>,
    ) -> Result<Self, Violation> {
        resumption.counts.fresh(count(resumed)?).ok_or(TOO_HIGH)?;
        let mut managed = Self {
            id: Some(std::mem::take(&mut resumption.id)),
            counts: resumption.counts,
            waiting: std::mem::take(&mut resumption.waiting),
        };
        managed.acknowledged(resumed)?;
        Ok(managed)
    }

    /// Sends everything that is still without acknowledgement again.
    pub(super) fn repeat(&self, out: &mut Vec<u8>) {
        for stanza in &self.waiting {
            out.extend_from_slice(stanza);
        }
    }

    pub(super) fn resumption(&mut self) -> Option<Resumption> {
        Some(Resumption {
            id: self.id.take()?,
            counts: self.counts,
            waiting: std::mem::take(&mut self.waiting),
        })
    }

    pub(super) fn received(&mut self) {
        self.counts.receive();
    }

    /// Counts the stanza from `from` to the end of `out`, and asks now and then for a word.
    pub(super) fn sent(&mut self, from: usize, out: &mut Vec<u8>) {
        self.counts.unacknowledged += 1;
        if self.id.is_some() {
            if self.waiting.len() == UNACKNOWLEDGED_MAX {
                self.id = None;
                self.waiting = VecDeque::new();
            } else {
                self.waiting.push_back(out[from..].into());
            }
        }
        if self.counts.unacknowledged.is_multiple_of(ASK_EVERY) {
            send::empty("r", namespace::MANAGEMENT, out);
        }
    }

    /// Tells the server how many stanzas came in.
    pub(super) fn acknowledge(&self, out: &mut Vec<u8>) {
        let received = self.counts.received.to_string();
        send::open("a", &[("xmlns", namespace::MANAGEMENT), ("h", &received)], out);
        out.extend_from_slice(b"/>");
    }

    /// Hears how many of ours came in. Answers how many are still without acknowledgement.
    pub(super) fn acknowledged(&mut self, element: &Element<'_>) -> Result<usize, Violation> {
        let fresh = self.counts.acknowledge(count(element)?).ok_or(TOO_HIGH)?;
        self.waiting.drain(..self.waiting.len().min(fresh as usize));
        Ok(self.counts.unacknowledged as usize)
    }
}

/// How many stanzas have come, as the server says.
fn count(element: &Element<'_>) -> Result<u32, Violation> {
    element.attribute("h").and_then(|count| count.parse().ok()).ok_or(UNCOUNTED)
}

/// Asks the server to go on with a stream.
pub(super) fn resume(resumption: &Resumption, out: &mut Vec<u8>) {
    let received = resumption.counts.received.to_string();
    let attributes =
        [("xmlns", namespace::MANAGEMENT), ("h", &received), ("previd", &resumption.id)];
    send::open("resume", &attributes, out);
    out.extend_from_slice(b"/>");
}
