//! What is wanted of the rooms: parameters, and the rooms that follow from them.

use std::time::Duration;

use densebots_engine::{GroupId, Plan};

use super::Room;
use super::places::Places;
use crate::accounts::Pattern;
use crate::chat::{self, Chat};
use crate::{Parameter, SettingError, Settings};

/// What can be set, beside what all XMPP scenarios have.
pub const PARAMETERS: [Parameter; chat::PARAMETERS.len() + 9] = chat::with([
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
]);

/// Rooms of one bot: each is a seat in its memory, walked when one of them is due.
const SEATS_MAX: u64 = 256;
/// Rooms in all: each has a name that is kept.
const ROOMS_MAX: u64 = 1_000_000;
pub(super) fn places(settings: &Settings) -> Result<Places, SettingError> {
    Ok(Places {
        rooms: settings.number("rooms-per-bot", 1..=SEATS_MAX, "a number from 1 to 256")?,
        users: settings.number("bots-per-room", 1..=ROOMS_MAX, "a number from 1 to 1,000,000")?,
    })
}

pub(super) fn pace(settings: &Settings) -> Result<Duration, SettingError> {
    let pace = settings.duration("pace")?;
    if pace.is_zero() { Err(settings.fault("pace", "a time above zero")) } else { Ok(pace) }
}

pub(super) fn rooms(
    settings: &Settings,
    plan: &Plan,
    places: Places,
    chat: &Chat,
) -> Result<Vec<Room>, SettingError> {
    let count = places.count(plan.load.bots_max().max(1));
    if count > ROOMS_MAX {
        let why = format!("that makes {count} rooms, of at most {ROOMS_MAX}");
        return Err(settings.wrong("rooms-per-bot", why));
    }
    let names = Pattern::of(settings.text("room-names")).map_err(|why| {
        settings.wrong("room-names", format!("column {}: {}", why.column, why.why))
    })?;
    if count > 1 && !names.has_id() {
        return Err(settings.fault("room-names", "a pattern with {id}"));
    }
    let room = |nth| {
        let address = format!("{}@{}", names.fill(nth), chat.muc).to_lowercase();
        Room { group: GroupId::named(&address), address: address.into() }
    };
    Ok((0..count as u32).map(room).collect())
}
