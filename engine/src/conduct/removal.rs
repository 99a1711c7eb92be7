//! Removing bots: every shard gives its part, and no bot is given twice.

use super::Conductor;
use crate::id::BotId;
use crate::shard::Order;

/// A removal that waits for the shards' answers.
pub(super) struct Removal {
    ticket: u64,
    wanted: usize,
    force: bool,
    /// Shards that have not answered; those that gave all they were asked for may have more.
    waiting: usize,
    asked: usize,
    generous: bool,
    ids: Vec<BotId>,
}

impl Conductor {
    /// Asks every shard for its part of a removal.
    pub(super) fn begin_removal(&mut self, wanted: usize, force: bool) -> u64 {
        let ticket = self.tickets;
        self.tickets += 1;
        self.removals.push(Removal {
            ticket,
            wanted,
            force,
            waiting: 0,
            asked: 0,
            generous: true,
            ids: Vec::new(),
        });
        self.ask_removal(self.removals.len() - 1);
        ticket
    }

    fn ask_removal(&mut self, at: usize) {
        let removal = &mut self.removals[at];
        let left = removal.wanted - removal.ids.len();
        let living: Vec<usize> = (0..self.shards).filter(|&shard| !self.ended[shard]).collect();
        if left == 0 || !removal.generous || living.is_empty() {
            let removal = self.removals.swap_remove(at);
            self.removed.push((removal.ticket, removal.ids));
            return;
        }
        // Each gives an equal part, so that one more round asks only those that had enough.
        let part = left.div_ceil(living.len());
        (removal.asked, removal.generous) = (part, false);
        let mut left = left;
        for shard in living {
            let count = part.min(left);
            left -= count;
            if count > 0 {
                removal.waiting += 1;
                let (ticket, force) = (removal.ticket, removal.force);
                self.orders.push((Some(shard), Order::Remove { count, force, ticket }));
            }
        }
    }

    pub(super) fn gather_removal(&mut self, ticket: u64, ids: Vec<BotId>) {
        let Some(at) = self.removals.iter().position(|removal| removal.ticket == ticket) else {
            return;
        };
        let removal = &mut self.removals[at];
        removal.waiting -= 1;
        removal.generous |= !ids.is_empty();
        // At once, so that nobody is launched in the place of a bot that was removed.
        self.target = self.target.saturating_sub(ids.len() as u64);
        self.report.bots.target = self.target;
        self.held = self.held.min(self.target);
        removal.ids.extend(ids);
        if removal.waiting == 0 {
            self.ask_removal(at);
        }
    }
}
