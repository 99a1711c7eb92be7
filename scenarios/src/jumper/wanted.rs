//! What is wanted of jumpers.

use densebots_engine::{Plan, Think};
use densebots_protocols::xmpp::History;

use super::Jumper;
use crate::chat::{self, Chat, Making, ROOMS_MAX};
use crate::refusals::{self, Refusals};
use crate::tag::{self, Tag};
use crate::{Parameter, SettingError, Settings, Traffic, phrases};

/// What can be set, beside what all XMPP scenarios have.
pub const PARAMETERS: [Parameter; chat::PARAMETERS.len() + 14] = chat::with([
    Parameter { name: "rooms", default: "0", about: "rooms; 0 means one for every five bots" },
    Parameter {
        name: "room-names",
        default: "bot_room_{id}",
        about: "names of rooms by number: {id}, or {id:06} with zeros",
    },
    Parameter {
        name: "create",
        default: "true",
        about: "false: rooms have to be there, and creating one counts as a refusal",
    },
    Parameter {
        name: "phrases",
        default: "",
        about: "a text file, a phrase a line; else built-in",
    },
    Parameter { name: "says", default: "5..10", about: "phrases in a room: least and most" },
    Parameter { name: "pause", default: "5s..15s", about: "after a phrase: shortest and longest" },
    Parameter { name: "listeners", default: "0", about: "percent of the bots that say nothing" },
    Parameter {
        name: "measure",
        default: "1",
        about: "one bot in so many hears and accounts; the others drop messages unread",
    },
    Parameter { name: "patience", default: "5s", about: "the pause after a refusal" },
    Parameter { name: "history", default: "0", about: "old messages that a join asks for" },
    tag::PARAMETER,
    refusals::PARAMETER,
    chat::MAKING[0],
    chat::MAKING[1],
]);

impl Jumper {
    /// From what was set.
    pub fn from(settings: &Settings, plan: &Plan) -> Result<Jumper, SettingError> {
        let chat = Chat::from(settings, plan)?;
        let says = settings.span("says", |text| text.parse().ok(), "a span such as 5..10")?;
        let pause = settings.times("pause")?;
        let create = settings.switch("create")?;
        let last = settings.number("history", 0..=1000, "a number from 0 to 1000")?;
        Ok(Jumper {
            rooms: chat.rooms(settings, count(settings, plan.load.bots_max())?)?,
            phrases: phrases::read(settings)?,
            says,
            pause: Think::Uniform(pause.0, pause.1),
            patience: settings.duration("patience")?,
            listeners: settings.number("listeners", 0..=100, "a share from 0 to 100")?,
            measure: settings.number("measure", 1..=u64::MAX, "a number from 1 on")?,
            create,
            tag: Tag::from(settings)?,
            refusals: Refusals::from(settings)?,
            making: Making::from(settings)?,
            history: if last == 0 { History::None } else { History::Last(last as u32) },
            chat,
        })
    }

    /// The traffic of one bot that talks, with `bots` of them.
    pub fn traffic(settings: &Settings, bots: u64) -> Result<Traffic, SettingError> {
        let pause = settings.times("pause")?;
        let rate = 2.0 / (pause.0 + pause.1).as_secs_f64().max(0.001);
        let rooms = count(settings, bots)?;
        let others = bots as f64 / rooms as f64;
        Ok(Traffic { sends: rate, hears: rate * (others + 1.0), bytes: 250 })
    }
}

/// How many rooms there are for so many bots.
fn count(settings: &Settings, bots: u64) -> Result<u64, SettingError> {
    let rooms = settings.number("rooms", 0..=ROOMS_MAX, "a number up to 1,000,000")?;
    Ok(if rooms > 0 { rooms } else { (bots / 5).clamp(1, ROOMS_MAX) })
}
