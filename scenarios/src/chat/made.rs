//! Rooms that bots made: with a password, if they are to have one, and gone when the run is over.
//!
//! A service may keep a room when its last occupant has left, and then a run leaves what the next
//! one stumbles over. So who made a room destroys it (XEP-0045 section 10.9) when the run drains.
//! Rooms of this kind that emptied meanwhile, and that another bot made anew, are that one's.

use std::sync::atomic::Ordering;

use densebots_engine::{BotId, Ctx, Op, Scenario};
use densebots_protocols::xmpp::{Kind, Stanza, StanzaCondition, Xmpp};

use super::Room;
use super::wanted::password;
use crate::accounts::Pattern;
use crate::{Parameter, SettingError, Settings, refusals};

/// What can be set of rooms that bots make.
pub(crate) const PARAMETERS: [Parameter; 2] = [
    Parameter {
        name: "destroy",
        default: "true",
        about: "who made a room destroys it when the run drains; false at the embedded target, \
                whose rooms are gone with their last occupant",
    },
    Parameter {
        name: "room-password-file",
        default: "",
        about: "a file with the password of all rooms, or a pattern by the room's number",
    },
];

/// Rooms that one bot remembers to have made, newest last.
const MADE_MAX: usize = 64;

/// How rooms are made and ended.
pub(crate) struct Making {
    destroys: bool,
    password: Option<Pattern>,
}

impl Making {
    pub(crate) fn from(settings: &Settings) -> Result<Making, SettingError> {
        let name = "room-password-file";
        let password = match settings.text(name) {
            "" => None,
            file => Some(password(settings, name, file)?),
        };
        Ok(Making { destroys: settings.switch("destroy")?, password })
    }

    /// What lets one into a room.
    pub(crate) fn password(&self, room: u32) -> Option<String> {
        self.password.as_ref().map(|pattern| pattern.fill(room))
    }

    /// A bot made a room that is new: it configures it, and is the one who destroys it. Answers
    /// whether it is to remember that.
    pub(crate) fn create<S: Scenario<Session = Xmpp>>(
        &self,
        (number, room): (u32, &Room),
        destroy: Op,
        ctx: &mut Ctx<'_, S>,
    ) -> bool {
        let password = self.password(number);
        ctx.send(|session, out| {
            session.create_room(&room.address, "create", password.as_deref(), out);
        });
        room.maker.store(ctx.id.0, Ordering::Relaxed);
        if self.destroys && ctx.draining() {
            // The others of this run are leaving, and who made the room before has ended it.
            self.destroy((number, room), destroy, ctx);
            return false;
        }
        self.destroys
    }

    /// Destroys a room, if it is this bot's.
    pub(crate) fn destroy<S: Scenario<Session = Xmpp>>(
        &self,
        (number, room): (u32, &Room),
        op: Op,
        ctx: &mut Ctx<'_, S>,
    ) {
        let own = BotId(room.maker.load(Ordering::Relaxed)) == ctx.id;
        if self.destroys && own && ctx.is_open() {
            room.maker.store(0, Ordering::Relaxed);
            ctx.begin_nth(op, number as u16);
            let id = format!("{DESTROY}{number}");
            ctx.send(|session, out| session.destroy_room(&room.address, &id, out));
        }
    }

    /// Whether this is the answer to that, which ends the op. A room that is not there any more is
    /// as gone as it should be.
    pub(crate) fn is_destroyed<S: Scenario>(
        iq: &Stanza<'_>,
        op: Op,
        refused: u16,
        ctx: &mut Ctx<'_, S>,
    ) -> bool {
        let number = |id: &str| id.strip_prefix(DESTROY)?.parse::<u32>().ok();
        let Some(number) = iq.id().as_deref().and_then(number) else { return false };
        let nth = number as u16;
        match (iq.kind(), refusals::condition(iq)) {
            (Kind::Error, StanzaCondition::ItemNotFound | StanzaCondition::Gone) => {
                ctx.end_nth(op, nth);
            }
            (Kind::Error, condition) => {
                ctx.count(refusals::counter(refused, condition), 1);
                ctx.fail_nth(op, nth);
            }
            _ => _ = ctx.end_nth(op, nth),
        }
        true
    }
}

/// What the ids of these orders begin with.
const DESTROY: &str = "destroy.";

/// The rooms that a bot made, by number. Most have made none.
#[derive(Default)]
pub(crate) struct Made(#[allow(clippy::box_collection)] Option<Box<Vec<u32>>>);

impl Made {
    /// One more. False if an older one had to be forgotten for it.
    pub(crate) fn add(&mut self, room: u32) -> bool {
        let rooms = self.0.get_or_insert_default();
        rooms.retain(|&own| own != room);
        rooms.push(room);
        if rooms.len() > MADE_MAX {
            rooms.remove(0);
            return false;
        }
        true
    }

    /// All of them, which are forgotten.
    pub(crate) fn take(&mut self) -> Vec<u32> {
        self.0.take().map_or_else(Vec::new, |rooms| *rooms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_rooms_are_remembered_once_each() {
        let mut made = Made::default();
        assert!([3, 4, 3].into_iter().all(|room| made.add(room)));
        assert_eq!(made.take(), [4, 3]);
        assert_eq!(made.take(), []);
        let forgotten = (0..70).filter(|&room| !made.add(room)).count();
        assert_eq!((forgotten, made.take()), (6, (6..70).collect()));
    }
}
