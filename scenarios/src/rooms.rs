//! Users that are in several rooms at once, and say something in each at a pace.
//!
//! ```text
//!               its creator: at once
//!               others: when it is open,          own presence
//!   away -> out --or patience is over--> entering ------------> inside: speaks at the pace
//!     ^      ^                              | refused              | thrown out
//!     |      +------------ later -----------+----------------------+
//!     +-- lost (from everywhere)
//!
//!   a room: first to come --201, configures--> asked --result--> open: the others are told
//! ```
//! Which user is in which rooms and who makes them follows from the ids (`rooms/places.rs`). Who
//! waits for a room asks its creator by mail, and is told when it is open. A creator that does
//! not come is not waited for longer than `patience`: whoever comes first makes the room.

use std::time::Duration;

use densebots_engine::{
    BotId, Counter, Ctx, GroupId, Letter, Link, Lost, Names, Op, Plan, Rng, Role, Scenario, Time,
    Work,
};
use densebots_protocols::xmpp::{Event, History, Stanza, Xmpp};

use crate::chat::{self, Chat, Making, Room, Stay, Told};
use crate::refusals::{self, Refusals};
use crate::tag::Tag;
use crate::{SettingError, Settings, Traffic, phrases, thrown};

mod hears;
mod places;
mod wanted;
use places::Places;
pub use wanted::PARAMETERS;
use wanted::{count, places};

const JOIN: Op = Op(chat::OWN);
/// From the presence that says a room is new until it is configured.
const CREATE: Op = Op(chat::OWN + 1);
/// From the moment a message was due until its sender hears it.
const SAY: Op = Op(chat::OWN + 2);
/// From the order to destroy a room that the bot made until it is answered.
const DESTROY: Op = Op(chat::OWN + 3);

/// Rooms that bots made.
const CREATED: Counter = Counter(0);
/// Bots that a room threw out.
const THROWN_OUT: Counter = Counter(1);
/// Bots that a room threw out, by why.
const THROWN: u16 = 2;
/// Refusals, by condition.
const REFUSED: u16 = THROWN + thrown::COUNT;

/// What all bots share.
pub struct Rooms {
    chat: Chat,
    first_id: u32,
    places: Places,
    rooms: Vec<Room>,
    phrases: Vec<Box<str>>,
    one_sender: bool,
    pace: Duration,
    messages: u32,
    entry: Duration,
    patience: Duration,
    tag: Tag,
    refusals: Refusals,
    making: Making,
}

/// One bot.
pub struct Bot {
    stay: Stay,
    seats: Box<[Seat]>,
    online: bool,
}

const _: () = assert!(size_of::<Bot>() <= 40 && size_of::<Seat>() <= 40);

/// A bot in one of its rooms.
struct Seat {
    /// When it asks to be let in, the first time or again.
    entry: Time,
    /// Since when it has been asking.
    since: Time,
    /// When its next message is due, whether it is inside then or not.
    say: Time,
    room: u32,
    /// Messages that were due so far.
    said: u32,
    place: Place,
    /// Refusals of this entry.
    tries: u8,
    /// Which nick it has: some may be taken.
    nick: u8,
    /// The room has told its subject: from here on nothing is history.
    settled: bool,
    /// The room is configured.
    open: bool,
    /// The bot made it, and has to destroy it.
    made: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Out,
    Entering,
    Inside,
}

/// What bots tell each other of a room.
#[derive(Clone, Copy, Debug)]
pub enum Mail {
    /// To its creator: is it open?
    Ask(u32),
    /// It is.
    Open(u32),
}

impl Seat {
    fn new(room: u32) -> Seat {
        Seat {
            entry: Time::NEVER,
            since: Time::ZERO,
            say: Time::NEVER,
            room,
            said: 0,
            place: Place::Out,
            tries: 0,
            nick: 0,
            settled: false,
            open: false,
            made: false,
        }
    }

    /// It is not in the room, and tries to get in again then.
    fn out(&mut self, again: Time) {
        (self.place, self.entry, self.settled, self.open) = (Place::Out, again, false, false);
    }
}

impl Rooms {
    /// From what was set.
    pub fn from(settings: &Settings, plan: &Plan) -> Result<Rooms, SettingError> {
        let chat = Chat::from(settings, plan)?;
        let one_sender = match settings.text("senders") {
            "all" => false,
            "one" => true,
            _ => return Err(settings.fault("senders", "all or one")),
        };
        let places = places(settings)?;
        let messages = settings.number("messages", 0..=u32::MAX.into(), "a number of messages")?;
        Ok(Rooms {
            rooms: chat.rooms(settings, count(settings, plan, places)?)?,
            first_id: plan.first_id,
            places,
            phrases: phrases::read(settings)?,
            one_sender,
            pace: settings.pace("pace")?,
            messages: messages as u32,
            entry: settings.duration("entry")?,
            patience: settings.duration("patience")?,
            tag: Tag::from(settings)?,
            refusals: Refusals::from(settings)?,
            making: Making::from(settings)?,
            chat,
        })
    }

    /// The traffic of one bot once it is in all its rooms.
    pub fn traffic(settings: &Settings, bots: u64) -> Result<Traffic, SettingError> {
        let Places { rooms, users } = places(settings)?;
        let pace = settings.pace("pace")?.as_secs_f64();
        let users = users.min(bots.max(1)) as f64;
        let senders = if settings.text("senders") == "one" { 1.0 } else { users };
        let messages = rooms as f64 / pace;
        Ok(Traffic { sends: messages * senders / users, hears: messages * senders, bytes: 250 })
    }

    /// The number of a bot, from 0. Bots beyond the plan's go where others are.
    fn user(&self, id: BotId) -> u64 {
        let all = self.rooms.len() as u64 / self.places.rooms * self.places.users;
        u64::from(id.0 - self.first_id) % all.max(1)
    }

    fn id_of(&self, user: u64) -> BotId {
        BotId(self.first_id + user as u32)
    }

    fn creates(&self, id: BotId, room: u32) -> bool {
        self.places.creator_of(u64::from(room)) == self.user(id)
    }

    fn nick(&self, seat: &Seat, id: BotId) -> String {
        let name = self.chat.name(id);
        if seat.nick == 0 { name } else { format!("{name}-{}", seat.nick) }
    }

    /// Which of the bot's rooms a stanza comes from.
    fn seat_of(&self, bot: &Bot, stanza: &Stanza<'_>) -> Option<usize> {
        let from = stanza.from()?;
        let group = GroupId::named(from.split('/').next()?);
        bot.seats.iter().position(|seat| self.rooms[seat.room as usize].group == group)
    }

    /// The bot has logged in: one room after another, the bot's own first.
    fn begin(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        for (nth, seat) in (0..).zip(&mut bot.seats) {
            let own = self.creates(ctx.id, seat.room);
            let wait = if own { Duration::ZERO } else { self.patience };
            seat.out(ctx.now + wait + self.entry * nth);
            (seat.tries, seat.nick) = (0, 0);
            if !own {
                let creator = self.places.creator_of(u64::from(seat.room));
                ctx.send_to(self.id_of(creator), Mail::Ask(seat.room));
            }
        }
    }

    /// The bot is in this room, and speaks there from now on.
    fn inside(&self, seat: &mut Seat, ctx: &mut Ctx<'_, Self>) {
        (seat.place, seat.entry, seat.tries) = (Place::Inside, Time::NEVER, 0);
        let speaks = !self.one_sender || self.creates(ctx.id, seat.room);
        if speaks && seat.said == 0 && seat.say == Time::NEVER {
            seat.say = ctx.now + crate::first_pause(self.pace, ctx.rng().fraction());
        }
    }

    /// Asks to be let in. The op goes on until the room says yes, or no for good.
    fn enter(&self, bot: &mut Bot, nth: usize, ctx: &mut Ctx<'_, Self>) {
        let seat = &mut bot.seats[nth];
        let patience = ctx.plan().request_timeout;
        if seat.place == Place::Out || seat.since + patience <= ctx.now {
            (seat.place, seat.since, seat.tries) = (Place::Entering, ctx.due, 0);
            ctx.begin_nth(JOIN, nth as u16);
        }
        seat.entry = seat.since + patience; // the op ends by then, whatever comes of it
        let (room, nick) = (&self.rooms[seat.room as usize].address, self.nick(seat, ctx.id));
        let password = self.making.password(seat.room);
        ctx.send(|session, out| {
            session.join(room, &nick, password.as_deref(), History::None, out);
        });
    }

    fn speak(&self, bot: &mut Bot, nth: usize, ctx: &mut Ctx<'_, Self>) {
        let seat = &mut bot.seats[nth];
        let online = bot.online && seat.place == Place::Inside;
        seat.said = seat.said.wrapping_add(1);
        let over = self.messages > 0 && seat.said >= self.messages;
        seat.say = if over { Time::NEVER } else { seat.say + self.pace };
        if !online {
            return ctx.drop_load(SAY); // meant to be said, could not be: counted, not skipped
        }
        let phrase = &self.phrases[ctx.rng().below(self.phrases.len() as u64) as usize];
        let room = &self.rooms[seat.room as usize];
        let message = ctx.ledger().sent(room.group);
        ctx.begin_nth(SAY, message.sequence as u16);
        ctx.send(|session, out| {
            let body = self.tag.body(phrase, message);
            session.groupchat(&room.address, message.text().as_str(), &body, out);
        });
    }

    /// Wakes the bot when the next thing is due in any of its rooms.
    fn arm(bot: &Bot, ctx: &mut Ctx<'_, Self>) {
        let moments = bot.seats.iter().map(|seat| {
            let entry = if bot.online { seat.entry } else { Time::NEVER };
            entry.min(seat.say)
        });
        ctx.wake_at(moments.min().unwrap_or(Time::NEVER));
    }
}

impl Scenario for Rooms {
    type Session = Xmpp;
    type Bot = Bot;
    type Mail = Mail;

    fn names(&self) -> Names {
        let counters = ["created", "thrown_out"].map(|name| format!("rooms.{name}"));
        Names {
            counters: counters
                .into_iter()
                .chain(thrown::names("rooms"))
                .chain(refusals::names())
                .collect(),
            ledger: true,
            ..Names::ops(&chat::ops(["xmpp.join", "xmpp.create", "xmpp.say", "xmpp.destroy"]))
        }
    }

    fn bot(&self, id: BotId, _: Role, _: &mut Rng) -> Bot {
        let rooms = self.places.rooms_of(self.user(id));
        let seats = rooms.map(|room| Seat::new(room as u32)).collect();
        Bot { stay: Stay::default(), seats, online: false }
    }

    fn session(&self, id: BotId, bot: &mut Bot, _: Link) -> Xmpp {
        self.chat.session(id, &mut bot.stay)
    }

    fn on_open(&self, bot: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) {
        self.chat.opened(&mut bot.stay, ctx);
    }

    fn on_event(&self, bot: &mut Bot, event: Event<'_>, ctx: &mut Ctx<'_, Self>) {
        match (self.chat.hear(&mut bot.stay, &event, ctx), event) {
            (Told::Online, _) => {
                bot.online = true;
                ctx.ready();
                self.begin(bot, ctx);
            }
            (Told::Resumed, _) => {
                bot.online = true;
                ctx.ready();
                ctx.ledger().resumed();
                let entering = bot.seats.iter_mut().filter(|seat| seat.place == Place::Entering);
                entering.for_each(|seat| seat.out(ctx.now));
            }
            (Told::Other, Event::Presence(presence)) => self.presence(bot, &presence, ctx),
            (Told::Other, Event::Iq(iq)) => self.answered(bot, &iq, ctx),
            (Told::Other, Event::Message(message)) => {
                return self.message(bot, &message, ctx); // makes nothing due
            }
            _ => return,
        }
        Self::arm(bot, ctx);
    }

    fn on_wake(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        if ctx.draining() {
            return;
        }
        for nth in 0..bot.seats.len() {
            let seat = &bot.seats[nth];
            let (entry, say) = (seat.entry, seat.say);
            if bot.online && entry <= ctx.now && seat.place != Place::Inside {
                ctx.due = entry;
                self.enter(bot, nth, ctx);
            }
            if say <= ctx.now {
                ctx.due = say;
                self.speak(bot, nth, ctx);
            }
        }
        Self::arm(bot, ctx);
    }

    fn on_mail(&self, bot: &mut Bot, letter: &Letter<Mail>, ctx: &mut Ctx<'_, Self>) {
        let (Mail::Ask(room) | Mail::Open(room)) = letter.body;
        let Some(seat) = bot.seats.iter_mut().find(|seat| seat.room == room) else { return };
        match letter.body {
            Mail::Ask(_) if seat.open => drop(ctx.send_to(letter.from, Mail::Open(room))),
            Mail::Ask(_) => {}
            Mail::Open(_) if bot.online && seat.place == Place::Out => {
                let soon = ctx.now + crate::first_pause(self.entry, ctx.rng().fraction());
                seat.entry = seat.entry.min(soon);
                Self::arm(bot, ctx);
            }
            Mail::Open(_) => {}
        }
    }

    fn on_drain(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        if ctx.draining() {
            for seat in bot.seats.iter().filter(|seat| seat.made) {
                self.making.destroy((seat.room, &self.rooms[seat.room as usize]), DESTROY, ctx);
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

    fn on_lost(&self, bot: &mut Bot, _: Link, _: &Lost, ctx: &mut Ctx<'_, Self>) {
        bot.online = false;
        if !bot.stay.resumes() {
            bot.seats.iter_mut().for_each(|seat| seat.out(Time::NEVER));
        }
        Self::arm(bot, ctx);
        ctx.redial();
    }

    fn on_silent(&self, _: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) -> bool {
        ctx.send(|session, out| session.ping("", "alive", out))
    }
}
