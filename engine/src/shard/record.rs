//! The last words of bots that fail.

use super::{Note, Shard};
use crate::id::BotId;
use crate::links::Link;
use crate::net::Net;
use crate::scenario::Scenario;

impl<S: Scenario, N: Net> Shard<S, N> {
    /// A bot dials: whether what goes over its link is looked at, for an observer or for a
    /// transcript.
    pub(super) fn watches(&mut self, link: Link, bot: BotId) -> bool {
        let (recorded, ousted) = self.desk.recorder.seat(link, bot, self.now);
        if let Some(ousted) = ousted {
            self.unwatch(ousted);
        }
        recorded || self.desk.plan.trace.contains(&bot.0)
    }

    fn unwatch(&mut self, link: Link) {
        let Some(slot) = self.desk.links.get(link) else { return };
        let bot = slot.bot;
        let observed =
            self.bots.contains(bot) && self.desk.plan.trace.contains(&self.bots.core(bot).id.0);
        self.desk.links.at(link.key).flags.traced = observed;
    }

    /// Keeps what was said or heard on a link that is looked at.
    pub(super) fn record(&mut self, link: Link, said: bool, bytes: &[u8]) {
        self.desk.recorder.hear(link, self.now, said, bytes);
    }

    /// Hands transcripts to the conductor.
    pub(super) fn tell_failing(&mut self) {
        for transcript in self.desk.recorder.caught() {
            let _ = self.notes.send(Note::Failing(transcript));
        }
    }
}
