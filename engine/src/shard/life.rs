//! What an observer hears of bots.

use std::net::SocketAddr;

use super::Shard;
use crate::ctx::Outcome;
use crate::id::BotId;
use crate::net::Net;
use crate::scenario::Scenario;
use crate::time::Time;

/// What happened in the life of a bot, for an observer.
#[derive(Debug)]
pub enum Life<B> {
    /// It was launched.
    Started(BotId),
    /// It is online (again).
    Online(BotId),
    /// It lost a link that was open.
    Lost(BotId, crate::Lost),
    /// It listens.
    Listening(BotId, SocketAddr),
    /// Bytes of a bot that the plan traces: said by it, or else heard by it.
    Wire {
        /// The bot.
        bot: BotId,
        /// When.
        at: Time,
        /// By the bot; otherwise by the peer.
        said: bool,
        /// As they travelled, inside the transport's encryption if it has one.
        bytes: Box<[u8]>,
    },
    /// It ended, and this is its last state.
    Ended(BotId, Outcome, B),
}

impl<B> Life<B> {
    /// The same without the bot's last state, for observers of any scenario.
    pub fn without_state(self) -> Life<()> {
        match self {
            Life::Started(bot) => Life::Started(bot),
            Life::Online(bot) => Life::Online(bot),
            Life::Lost(bot, lost) => Life::Lost(bot, lost),
            Life::Listening(bot, at) => Life::Listening(bot, at),
            Life::Wire { bot, at, said, bytes } => Life::Wire { bot, at, said, bytes },
            Life::Ended(bot, outcome, _) => Life::Ended(bot, outcome, ()),
        }
    }
}

impl<S: Scenario, N: Net> Shard<S, N> {
    /// Shows the observer bytes of a bot that the plan traces.
    pub(super) fn trace(&mut self, key: u32, said: bool, bytes: &[u8]) {
        let (bot, at) = (self.bots.core(key).id, self.now);
        if !self.desk.plan.trace.contains(&bot.0) {
            return;
        }
        self.tell(Life::Wire { bot, at, said, bytes: bytes.into() });
    }

    pub(super) fn tell(&mut self, life: Life<S::Bot>) {
        let Some(lives) = &self.lives else { return };
        match lives.try_send(life) {
            Ok(()) | Err(crossbeam_channel::TrySendError::Disconnected(_)) => {}
            // The end of a bot carries its value: it waits. The rest is counted.
            Err(crossbeam_channel::TrySendError::Full(life @ Life::Ended(..))) => {
                self.untold.push_back(life);
            }
            Err(crossbeam_channel::TrySendError::Full(_)) => {
                self.desk.meter.limit("life events the observer did not take");
            }
        }
    }
}
