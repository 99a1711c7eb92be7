//! Chat bots that join a random room, say a few phrases there, and jump to another.
//!
//! ```text
//!              +------------- refused: after a pause -------------+
//!              v                                                  |
//!   online -> out --join--> entering --own presence--> inside ----+--- thrown out
//!              ^                                         |  ^
//!              |                                   phrase|  |heard back, pause
//!              |                                         v  |
//!              +--own presence unavailable-- leaving <- all said
//! ```
//! Who is the first in a room creates it; where a service locks a new room until its owner has
//! spoken, the others try again after a while. Rooms made so are gone when the last bot has left.

use std::time::Duration;

use densebots_engine::{
    BotId, Counter, Ctx, Link, Lost, Names, Op, Plan, Rng, Role, Scenario, Think, Work,
};
use densebots_protocols::xmpp::{Event, History, Xmpp};

use crate::chat::{self, Chat, ROOMS_MAX, Room, Stay, Told};
use crate::{Parameter, SettingError, Settings, Traffic, phrases, refusals};

mod hears;
#[cfg(test)]
mod tests;

/// What can be set, beside what all XMPP scenarios have.
pub const PARAMETERS: [Parameter; chat::PARAMETERS.len() + 10] = chat::with([
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
]);

const JOIN: Op = Op(chat::OWN);
const LEAVE: Op = Op(chat::OWN + 1);
/// From the moment a phrase was due until its sender hears it.
const SAY: Op = Op(chat::OWN + 2);

/// Rooms that bots made.
const CREATED: Counter = Counter(0);
/// Bots that a room threw out.
const THROWN_OUT: Counter = Counter(1);
/// Streams that went on over a new connection, where other bots log in anew.
const RESUMED: Counter = Counter(2);
/// Refusals, by condition.
const REFUSED: u16 = 3;

/// What all bots share.
pub struct Jumper {
    chat: Chat,
    rooms: Vec<Room>,
    phrases: Vec<Box<str>>,
    says: (u8, u8),
    pause: Think,
    patience: Duration,
    listeners: u64,
    /// Of so many bots one measures.
    measure: u64,
    create: bool,
    history: History,
}

/// One bot.
pub struct Bot {
    stay: Stay,
    /// The room it is in, enters or leaves.
    room: u32,
    /// What it has to hear back, as numbered by the ledger.
    said: u32,
    /// Phrases it still says there.
    left: u8,
    /// Joins of this room that were refused.
    tries: u8,
    place: Place,
    /// The room has told its subject: from here on nothing is history.
    settled: bool,
    /// The join was refused for now: it asks again when it wakes.
    asks_again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Out,
    Entering,
    Inside,
    Leaving,
}

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

    fn room(&self, bot: &Bot) -> &Room {
        &self.rooms[bot.room as usize]
    }

    fn nick(&self, bot: &Bot, id: BotId) -> String {
        let name = self.chat.name(id);
        if bot.tries == 0 { name } else { format!("{name}-{}", bot.tries) }
    }

    fn talks(&self, id: BotId) -> bool {
        u64::from(id.0) % 100 >= self.listeners
    }

    /// Whether the bot hears what is said, owes it, and times its own phrases.
    fn measures(&self, id: BotId) -> bool {
        u64::from(id.0).is_multiple_of(self.measure)
    }

    /// Picks a room and asks to be let in.
    fn jump(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        bot.room = ctx.rng().below(self.rooms.len() as u64) as u32;
        (bot.place, bot.tries, bot.settled) = (Place::Entering, 0, false);
        ctx.begin(JOIN);
        self.ask(bot, ctx);
    }

    fn ask(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        bot.asks_again = false;
        let (room, nick) = (&self.room(bot).address, self.nick(bot, ctx.id));
        ctx.send(|session, out| session.join(room, &nick, None, self.history, out));
    }

    fn leave(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        bot.place = Place::Leaving;
        ctx.ledger().left(self.room(bot).group);
        ctx.begin(LEAVE);
        self.part(bot, ctx);
    }

    fn part(&self, bot: &Bot, ctx: &mut Ctx<'_, Self>) {
        let (room, nick) = (&self.room(bot).address, self.nick(bot, ctx.id));
        ctx.send(|session, out| session.leave(room, &nick, out));
    }

    fn speak(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        if ctx.in_flight(SAY) {
            return ctx.drop_load(SAY); // it has not heard its last phrase yet
        }
        let phrase = &self.phrases[ctx.rng().below(self.phrases.len() as u64) as usize];
        let room = self.room(bot);
        let message = ctx.ledger().sent(room.group);
        if self.measures(ctx.id) {
            bot.said = message.sequence;
            ctx.begin(SAY);
        }
        ctx.send(|session, out| {
            session.groupchat(&room.address, message.text().as_str(), phrase, out);
        });
    }

    /// The bot is in the room, and says so much there.
    fn inside(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        bot.place = Place::Inside;
        let (least, most) = self.says;
        bot.left = least + ctx.rng().below(u64::from(most - least) + 1) as u8;
        if self.measures(ctx.id) {
            ctx.ledger().entered(self.room(bot).group);
        }
        ctx.think(&self.pause);
    }
}

impl Scenario for Jumper {
    type Session = Xmpp;
    type Bot = Bot;
    type Mail = ();

    fn names(&self) -> Names {
        let counters = ["jumper.rooms_created", "jumper.thrown_out", "xmpp.resumed"];
        Names {
            counters: counters.into_iter().map(str::to_owned).chain(refusals::names()).collect(),
            ledger: true,
            ..Names::ops(&chat::ops(["xmpp.join", "xmpp.leave", "xmpp.say"]))
        }
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Bot {
        Bot {
            stay: Stay::default(),
            room: 0,
            said: 0,
            left: 0,
            tries: 0,
            place: Place::Out,
            settled: false,
            asks_again: false,
        }
    }

    fn session(&self, id: BotId, bot: &mut Bot, _: Link) -> Xmpp {
        let mut session = self.chat.session(id, &mut bot.stay);
        session.discard_messages(!self.measures(id));
        session
    }

    fn on_open(&self, bot: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) {
        self.chat.opened(&mut bot.stay, ctx);
    }

    fn on_event(&self, bot: &mut Bot, event: Event<'_>, ctx: &mut Ctx<'_, Self>) {
        match self.chat.hear(&mut bot.stay, &event, ctx) {
            Told::Along => {}
            Told::Online => {
                if bot.place == Place::Inside {
                    // A fresh login owes nothing of the room that the lost one was in.
                    ctx.ledger().left(self.room(bot).group);
                }
                bot.place = Place::Out;
                ctx.ready();
                if !ctx.draining() {
                    self.jump(bot, ctx);
                }
            }
            Told::Resumed => {
                ctx.ready();
                ctx.count(RESUMED, 1);
                ctx.ledger().resumed();
                match bot.place {
                    Place::Inside => ctx.think(&self.pause),
                    // What was not acknowledged is sent again with the stream; but the wake of
                    // who was to ask again went with the link.
                    Place::Entering => {
                        ctx.begin(JOIN);
                        if bot.asks_again {
                            self.ask(bot, ctx);
                        }
                    }
                    Place::Leaving => ctx.begin(LEAVE),
                    Place::Out => self.jump(bot, ctx),
                }
            }
            Told::Other => match event {
                Event::Presence(presence) => self.presence(bot, &presence, ctx),
                Event::Message(message) => self.message(bot, &message, ctx),
                _ => {}
            },
        }
    }

    fn on_wake(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        // A join that waits for its room to open is finished by whoever leaves, too.
        if (ctx.draining() && bot.place != Place::Entering) || !ctx.is_open() {
            return;
        }
        match bot.place {
            Place::Out => self.jump(bot, ctx),
            Place::Entering => self.ask(bot, ctx),
            Place::Inside if bot.left == 0 => self.leave(bot, ctx),
            Place::Inside => {
                bot.left -= 1;
                if self.talks(ctx.id) {
                    self.speak(bot, ctx);
                }
                ctx.think(&self.pause);
            }
            Place::Leaving => {}
        }
    }

    fn on_timeout(&self, bot: &mut Bot, op: Op, ctx: &mut Ctx<'_, Self>) {
        if op == JOIN || op == LEAVE {
            // Should the room have let it in meanwhile: it is not there.
            self.part(bot, ctx);
            bot.place = Place::Out;
            ctx.wake_in(self.patience);
        }
    }

    fn on_work(&self, bot: &mut Bot, _: Link, work: Work, ctx: &mut Ctx<'_, Self>) {
        self.chat.works(&mut bot.stay, work, ctx);
    }

    fn on_secured(&self, bot: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) {
        self.chat.secured(&mut bot.stay, ctx);
    }

    fn salvage(&self, bot: &mut Bot, session: Xmpp) {
        bot.stay.salvage(session);
    }

    fn on_lost(&self, _: &mut Bot, _: Link, _: &Lost, ctx: &mut Ctx<'_, Self>) {
        // Whether it is still where it was shows when the login is over; nothing is said into that.
        ctx.forget_wake();
        ctx.redial();
    }

    fn on_silent(&self, _: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) -> bool {
        ctx.send(|session, out| session.ping("", "alive", out))
    }
}

/// How many rooms there are for so many bots.
fn count(settings: &Settings, bots: u64) -> Result<u64, SettingError> {
    let rooms = settings.number("rooms", 0..=ROOMS_MAX, "a number up to 1,000,000")?;
    Ok(if rooms > 0 { rooms } else { (bots / 5).clamp(1, ROOMS_MAX) })
}
