//! What is wanted of the rooms: parameters, and how many rooms follow from them.

use densebots_engine::Plan;

use super::places::Places;
use crate::chat::{self, ROOMS_MAX};
use crate::{Parameter, SettingError, Settings};
use crate::{refusals, tag};

/// What can be set, beside what all XMPP scenarios have.
pub const PARAMETERS: [Parameter; chat::PARAMETERS.len() + 13] = chat::with([
    Parameter { name: "rooms-per-bot", default: "10", about: "rooms that each bot is in" },
    Parameter { name: "bots-per-room", default: "20", about: "bots that are in each room" },
    Parameter {
        name: "room-names",
        default: "room{id}",
        about: "names of rooms by number: {id}, or {id:06} with zeros",
    },
    Parameter { name: "senders", default: "all", about: "all, or one: who made a room speaks" },
    Parameter { name: "pace", default: "60s", about: "between messages of a bot in one room" },
    Parameter { name: "messages", default: "1000", about: "of a bot in one room; 0: no end" },
    Parameter { name: "entry", default: "1s", about: "between two rooms that a bot enters" },
    Parameter {
        name: "patience",
        default: "10s",
        about: "the wait for a room's creator, and after a refusal",
    },
    Parameter {
        name: "phrases",
        default: "",
        about: "a text file, a phrase a line; else built-in",
    },
    tag::PARAMETER,
    refusals::PARAMETER,
    chat::MAKING[0],
    chat::MAKING[1],
]);

/// Rooms of one bot: each is a seat in its memory, walked when one of them is due.
const SEATS_MAX: u64 = 256;

pub(super) fn places(settings: &Settings) -> Result<Places, SettingError> {
    Ok(Places {
        rooms: settings.number("rooms-per-bot", 1..=SEATS_MAX, "a number from 1 to 256")?,
        users: settings.number("bots-per-room", 1..=ROOMS_MAX, "a number from 1 to 1,000,000")?,
    })
}

/// How many rooms there are.
pub(super) fn count(settings: &Settings, plan: &Plan, places: Places) -> Result<u64, SettingError> {
    let count = places.count(plan.load.bots_max().max(1));
    if count <= ROOMS_MAX {
        return Ok(count);
    }
    let why = format!("that makes {count} rooms, of at most {ROOMS_MAX}");
    Err(settings.wrong("rooms-per-bot", why))
}
