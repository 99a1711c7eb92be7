//! Rooms (XEP-0045) as the bots know them: by number, with a name by a pattern.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use densebots_engine::GroupId;

use super::Chat;
use crate::accounts::check_name;
use crate::{SettingError, Settings};

/// Most rooms of a run: each has a name that is kept.
pub(crate) const ROOMS_MAX: u64 = 1_000_000;
/// How often a join is tried again, with another nick or because the room is not open yet.
pub(crate) const TRIES_MAX: u8 = 20;
/// The pause before a room is tried again that is not open yet.
pub(crate) const UNLOCKING: Duration = Duration::from_secs(1);

/// A room that bots are in.
pub(crate) struct Room {
    pub(crate) address: Box<str>,
    /// What the ledger knows it by.
    pub(crate) group: GroupId,
    /// The bot that made it last, by its id; 0 for nobody.
    pub(crate) maker: AtomicU32,
}

impl Chat {
    /// So many rooms, named by the parameter `room-names` at the service of rooms.
    pub(crate) fn rooms(&self, settings: &Settings, count: u64) -> Result<Vec<Room>, SettingError> {
        let names = settings.pattern("room-names")?;
        if count > 1 && !names.has_id() {
            return Err(settings.fault("room-names", "a pattern with {id}"));
        }
        check_name(&names.fill(u32::MAX))
            .map_err(|why| settings.wrong("room-names", why.to_owned()))?;
        let room = |nth| {
            let address = format!("{}@{}", names.fill(nth), self.muc).to_lowercase();
            let group = GroupId::named(&address);
            Room { group, address: address.into(), maker: AtomicU32::new(0) }
        };
        Ok((0..count as u32).map(room).collect())
    }
}
