//! What went wrong, and what was said before.

use schemars::JsonSchema;
use serde::Serialize;

/// Losses of one kind.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LostPart {
    /// The class.
    pub cause: &'static str,
    /// In its own words.
    pub condition: &'static str,
    /// Who did it.
    pub blame: &'static str,
    /// What helps, where that is known.
    pub remedy: Option<&'static str>,
    /// A bot was online; otherwise an attempt failed, be it at the login.
    pub online: bool,
    /// How often.
    pub count: u64,
    /// How often the bot came back.
    pub recovered: u64,
    /// A bot it happened to.
    pub example_bot: u32,
}

/// What a bot that failed said and heard last.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TranscriptPart {
    /// The bot.
    pub bot: u32,
    /// When it failed, in seconds of the run.
    pub at_s: f64,
    /// How it failed.
    pub cause: String,
    /// At most eight, in order.
    pub lines: Vec<TranscriptLine>,
}

/// What a bot said in one turn, or one unit that it heard.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TranscriptLine {
    /// When, in seconds of the run.
    pub at_s: f64,
    /// By the bot; otherwise by the target.
    pub said: bool,
    /// Its first 512 bytes, without the secrets of XMPP.
    pub text: String,
    /// How many it had.
    pub bytes: u64,
}
