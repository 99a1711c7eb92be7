//! Which steps of a file some bot has come to.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{NONE, Steps};
use crate::file::Span;

/// The steps of a file, and which of them were reached. Shards share it; each step is written once.
#[derive(Debug, Default)]
pub(crate) struct Coverage(Box<[Place]>);

#[derive(Debug)]
struct Place {
    span: Span,
    parent: u16,
    reached: AtomicBool,
}

impl Coverage {
    pub(crate) fn of(steps: &Steps) -> Coverage {
        let place = |step: &super::Step| Place {
            span: step.span,
            parent: step.parent,
            reached: AtomicBool::new(false),
        };
        Coverage(steps.steps.iter().map(place).collect())
    }

    pub(crate) fn steps(&self) -> usize {
        self.0.len()
    }

    /// A bot has come to this step.
    pub(super) fn reach(&self, step: u16) {
        let place = &self.0[usize::from(step)];
        // Looking costs nothing once it is so; writing would take the line from other shards.
        if !place.reached.load(Ordering::Relaxed) {
            place.reached.store(true, Ordering::Relaxed);
        }
    }

    /// Where the file has steps that nobody came to, though somebody came to what they stand in.
    /// A sub-tree is reached if it was from any of its uses.
    pub(crate) fn unreached(&self) -> Vec<Span> {
        let reached = |place: &Place| place.reached.load(Ordering::Relaxed);
        let anywhere = |span: Span| self.0.iter().any(|other| other.span == span && reached(other));
        let mut found: Vec<Span> = Vec::new();
        for place in self.0.iter().filter(|place| !reached(place)) {
            let outermost = place.parent == NONE || reached(&self.0[usize::from(place.parent)]);
            if outermost && !found.contains(&place.span) && !anywhere(place.span) {
                found.push(place.span);
            }
        }
        found.sort_unstable_by_key(|span| span.from);
        found
    }
}
