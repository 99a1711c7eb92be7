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
//! spoken, the others try again after a while. Who made a room destroys it when the run drains.

use std::time::Duration;

use densebots_engine::{
    BotId, Counter, Ctx, Link, Lost, Names, Op, Rng, Role, Scenario, Think, Work,
};
use densebots_protocols::xmpp::{Event, History, Xmpp};

use crate::chat::{self, Chat, Made, Making, Room, Stay, Told};
use crate::refusals::{self, Refusals};
use crate::tag::Tag;
use crate::thrown;

mod hears;
#[cfg(test)]
mod tests;
mod wanted;
pub use wanted::PARAMETERS;

const JOIN: Op = Op(chat::OWN);
const LEAVE: Op = Op(chat::OWN + 1);
/// From the moment a phrase was due until its sender hears it.
const SAY: Op = Op(chat::OWN + 2);
/// From the order to destroy a room that the bot made until it is answered.
const DESTROY: Op = Op(chat::OWN + 3);

/// Rooms that bots made.
const CREATED: Counter = Counter(0);
/// Bots that a room threw out.
const THROWN_OUT: Counter = Counter(1);
/// Streams that went on over a new connection, where other bots log in anew.
const RESUMED: Counter = Counter(2);
/// Rooms that were made by bots that had made too many to remember.
const FORGOTTEN: Counter = Counter(3);
/// Bots that a room threw out, by why.
const THROWN: u16 = 4;
/// Refusals, by condition.
const REFUSED: u16 = THROWN + thrown::COUNT;

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
    tag: Tag,
    refusals: Refusals,
    making: Making,
    history: History,
}

/// One bot.
pub struct Bot {
    stay: Stay,
    /// The rooms that it has to destroy.
    made: Made,
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
        let password = self.making.password(bot.room);
        ctx.send(|session, out| {
            session.join(room, &nick, password.as_deref(), self.history, out);
        });
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
            let body = self.tag.body(phrase, message);
            session.groupchat(&room.address, message.text().as_str(), &body, out);
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
        let counters =
            ["jumper.rooms_created", "jumper.thrown_out", "xmpp.resumed", "jumper.rooms_forgotten"];
        let counters = counters.into_iter().map(str::to_owned).chain(thrown::names("jumper"));
        Names {
            counters: counters.chain(refusals::names()).collect(),
            ledger: true,
            ..Names::ops(&chat::ops(["xmpp.join", "xmpp.leave", "xmpp.say", "xmpp.destroy"]))
        }
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Bot {
        Bot {
            stay: Stay::default(),
            made: Made::default(),
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
                Event::Iq(iq) => Self::answered(&iq, ctx),
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

    fn on_drain(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        if ctx.draining() {
            for room in bot.made.take() {
                self.making.destroy((room, &self.rooms[room as usize]), DESTROY, ctx);
            }
        }
        ctx.leave_when_idle();
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
