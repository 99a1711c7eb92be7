//! What an observer hears of bots.

use std::net::SocketAddr;

use crate::ctx::Outcome;
use crate::id::BotId;
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
