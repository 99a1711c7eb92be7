//! `xmpp.*`: users of a chat server, in rooms and one to one. Bots log in by themselves.

use std::cell::Cell;

use densebots_engine::{BotId, Counter, Ctx, GroupId, Plan, Scenario, Work};
use densebots_protocols::Session;
use densebots_protocols::xmpp::{Event, History, Xmpp};

use super::{
    Action, Announced, Answer, Argument, Begun, Described, Doing, EventKind, Given, Key, Lexicon,
    Standing, Told, Vocabulary, described,
};
use crate::chat::{self, Chat, Stay};
use crate::{SettingError, Settings, refusals};

mod hears;

const ROOM: Argument =
    Argument::text("room", None, "its name at the service of rooms, or its whole address");
const NICK: Argument =
    Argument::text("nick", Some(""), "the name in it; the account's, unless given");
const WORDS: Argument = Argument::text("text", None, "what is said");

const ACTIONS: [Action<Users>; 8] = [
    Action::plain(
        Described {
            name: "xmpp.join",
            about: "enters a room, or makes it; over when the room says so, fails if it refuses",
            arguments: &[
                ROOM,
                NICK,
                Argument::number("history", Some("0"), "old messages that it asks for"),
            ],
            op: Some("xmpp.join"),
        },
        join,
    ),
    Action {
        described: Described {
            name: "xmpp.leave",
            about: "leaves a room; over when the room says so",
            arguments: &[ROOM, NICK],
            op: Some("xmpp.leave"),
        },
        announces: |users, _, given| Announced::Leaves(users.group(given.text(0))),
        begin: leave,
    },
    Action {
        described: Described {
            name: "xmpp.say",
            about: "says something in a room; over when the bot hears it, fails if it comes back. \
                    Who should hear it is in the ledger",
            arguments: &[ROOM, WORDS],
            op: Some("xmpp.say"),
        },
        announces: |users, _, given| Announced::Room(users.group(given.text(0))),
        begin: say,
    },
    Action {
        described: Described {
            name: "xmpp.message",
            about: "writes to another bot of the run; over when that one hears it, fails if it \
                    comes back. It is in the ledger",
            arguments: &[Argument::number("to", None, "the id of the other bot"), WORDS],
            op: Some("xmpp.message"),
        },
        announces: |_, _, given| Announced::Bot(addressee(given)),
        begin: message,
    },
    Action::plain(
        Described {
            name: "xmpp.send",
            about: "writes to any address; over at once, and in no ledger",
            arguments: &[Argument::text("to", None, "the address"), WORDS],
            op: None,
        },
        |doing| {
            let given = &doing.given;
            doing.session.message(given.text(0), UNKEPT, given.text(1), doing.out);
            Begun::Over(true)
        },
    ),
    Action::plain(
        Described {
            name: "xmpp.presence",
            about: "says how the bot is; over at once",
            arguments: &[
                Argument::text("show", Some(""), "away, chat, dnd or xa; there, unless given"),
                Argument::text("status", Some(""), "any text"),
            ],
            op: None,
        },
        |doing| {
            let (show, status) = (doing.given.text(0), doing.given.text(1));
            match (show, status) {
                ("", "") => doing.session.presence(doing.out),
                _ => {
                    let show = Some(show).filter(|show| !show.is_empty());
                    doing.session.status(show, status, doing.out);
                }
            }
            Begun::Over(true)
        },
    ),
    Action::plain(
        Described {
            name: "xmpp.ping",
            about: "asks for a sign of life; over with any answer",
            arguments: &[Argument::text("to", Some(""), "whom; the server, unless given")],
            op: Some("xmpp.ping"),
        },
        |doing| ask(doing, |doing, id| doing.session.ping(doing.given.text(0), id, doing.out)),
    ),
    Action::plain(
        Described {
            name: "xmpp.roster",
            about: "asks for the list of contacts; fails if that is refused",
            arguments: &[],
            op: Some("xmpp.roster"),
        },
        |doing| ask(doing, |doing, id| doing.session.roster(id, doing.out)),
    ),
];

const DESCRIBED: [Described; ACTIONS.len()] = described(&ACTIONS);

/// `xmpp.*`, for people and for whoever reads files.
pub(crate) static LEXICON: Lexicon = Lexicon {
    protocol: "xmpp",
    actions: &DESCRIBED,
    events: &[
        EventKind {
            name: "xmpp.heard",
            about: "somebody has said something, in a room or to the bot alone",
            fields: &["body", "from", "room", "nick"],
        },
        EventKind {
            name: "xmpp.presence",
            about: "somebody has come, gone or changed",
            fields: &["from", "type"],
        },
    ],
    parameters: &chat::PARAMETERS,
    ops: &chat::OPS,
};

/// What tells answers of one kind from those of another.
const JOINED: u8 = 0;
const LEFT: u8 = 1;
const HEARD: u8 = 2;
const ANSWERED: u8 = 3;

const CREATED: Counter = Counter(0);
const THROWN_OUT: Counter = Counter(1);
/// Refusals, by condition.
const REFUSED: u16 = 2;

/// The id of messages that are in no ledger.
const UNKEPT: &str = "unkept";

/// What all bots share.
pub(crate) struct Users {
    chat: Chat,
}

/// What is kept of one bot.
#[derive(Default)]
pub(crate) struct Place {
    login: Stay,
    /// A room it is in, and the others.
    room: Option<GroupId>,
    #[allow(clippy::box_collection)] // eight bytes for the many who are in one, not 24
    rooms: Option<Box<Vec<GroupId>>>,
    /// Its stream was resumed: what comes with a delay is not from before it came.
    resumed: bool,
    /// Questions it has asked: each has a number.
    asked: u32,
}

impl Place {
    fn entered(&mut self, room: GroupId) {
        match self.room {
            None => self.room = Some(room),
            Some(known) if known == room => {}
            Some(_) => {
                let rooms = self.rooms.get_or_insert_default();
                if !rooms.contains(&room) {
                    rooms.push(room);
                }
            }
        }
    }

    /// Whether it was there.
    fn left(&mut self, room: GroupId) -> bool {
        if self.room == Some(room) {
            self.room = self.rooms.as_mut().and_then(|rooms| rooms.pop());
            return true;
        }
        let Some(rooms) = &mut self.rooms else { return false };
        let nth = rooms.iter().position(|known| *known == room);
        nth.map(|nth| rooms.swap_remove(nth)).is_some()
    }

    fn take_any(&mut self) -> Option<GroupId> {
        let room = self.room?;
        self.left(room);
        Some(room)
    }
}

thread_local! {
    /// The address of a room while something is written to it.
    static ADDRESS: Cell<String> = const { Cell::new(String::new()) };
}

impl Users {
    /// Calls with the whole address of a room, in lower case as services write it.
    fn at<R>(&self, room: &str, call: impl FnOnce(&str) -> R) -> R {
        let mut address = ADDRESS.take();
        address.clear();
        address.extend(room.chars().flat_map(char::to_lowercase));
        if !room.contains('@') {
            address.push('@');
            address.push_str(&self.chat.muc);
        }
        let result = call(&address);
        ADDRESS.set(address);
        result
    }

    fn group(&self, room: &str) -> GroupId {
        self.at(room, |address| GroupId::named(address))
    }
}

/// The nick of the argument with this number, or the account's name.
fn nick(doing: &Doing<'_, Users>) -> String {
    match doing.given.text(1) {
        "" => doing.vocabulary.chat.name(doing.id),
        nick => nick.to_owned(),
    }
}

fn join(doing: &mut Doing<'_, Users>) -> Begun {
    let (users, nick) = (doing.vocabulary, nick(doing));
    let history = match doing.given.numbers[2] {
        last if last >= 1.0 => History::Last(last as u32),
        _ => History::None,
    };
    users.at(doing.given.text(0), |room| {
        doing.session.join(room, &nick, None, history, doing.out);
        Begun::Waits(Key::of(JOINED, room))
    })
}

fn leave(doing: &mut Doing<'_, Users>) -> Begun {
    let (users, nick) = (doing.vocabulary, nick(doing));
    users.at(doing.given.text(0), |room| {
        doing.stay.left(GroupId::named(room));
        doing.session.leave(room, &nick, doing.out);
        Begun::Waits(Key::of(LEFT, room))
    })
}

fn say(doing: &mut Doing<'_, Users>) -> Begun {
    let Some(message) = doing.message else { return Begun::Over(false) };
    doing.vocabulary.at(doing.given.text(0), |room| {
        let words = doing.given.text(1);
        doing.session.groupchat(room, message.text().as_str(), words, doing.out);
    });
    Begun::Waits(Key::numbered(HEARD, message.sequence))
}

fn message(doing: &mut Doing<'_, Users>) -> Begun {
    let Some(message) = doing.message else { return Begun::Over(false) };
    let chat = &doing.vocabulary.chat;
    let to = format!("{}@{}", chat.name(addressee(&doing.given)), chat.domain());
    doing.session.message(&to, message.text().as_str(), doing.given.text(1), doing.out);
    Begun::Waits(Key::numbered(HEARD, message.sequence))
}

/// The bot that a message is for.
fn addressee(given: &Given<'_>) -> BotId {
    BotId(given.numbers[0] as u32)
}

/// Writes a question, whose answer ends the action.
fn ask(doing: &mut Doing<'_, Users>, write: fn(&mut Doing<'_, Users>, &str)) -> Begun {
    doing.stay.asked = doing.stay.asked.wrapping_add(1);
    let id = format!("ask{}", doing.stay.asked);
    write(doing, &id);
    Begun::Waits(Key::of(ANSWERED, &id))
}

impl Vocabulary for Users {
    type Session = Xmpp;
    type Stay = Place;
    const LEXICON: &'static Lexicon = &LEXICON;
    const LEDGER: bool = true;
    const ACTIONS: &'static [Action<Users>] = &ACTIONS;

    fn of(settings: &Settings, plan: &Plan) -> Result<Users, SettingError> {
        Ok(Users { chat: Chat::from(settings, plan)? })
    }

    fn counters() -> Vec<String> {
        let own = ["xmpp.rooms_created", "xmpp.thrown_out"].map(str::to_owned);
        own.into_iter().chain(refusals::names()).collect()
    }

    fn session(&self, id: BotId, place: &mut Place) -> Xmpp {
        self.chat.session(id, &mut place.login)
    }

    fn opened<S>(&self, place: &mut Place, ctx: &mut Ctx<'_, S>) -> Standing
    where
        S: Scenario<Session = Xmpp, Mail = u32>,
    {
        self.chat.opened(&mut place.login, ctx);
        Standing::Same
    }

    fn works<S>(&self, place: &mut Place, work: Work, ctx: &mut Ctx<'_, S>)
    where
        S: Scenario<Session = Xmpp, Mail = u32>,
    {
        self.chat.works(&mut place.login, work, ctx);
    }

    fn secured<S>(&self, place: &mut Place, ctx: &mut Ctx<'_, S>)
    where
        S: Scenario<Session = Xmpp, Mail = u32>,
    {
        self.chat.secured(&mut place.login, ctx);
    }

    fn hear<'e, S>(
        &self,
        place: &mut Place,
        event: <Xmpp as Session>::Event<'e>,
        wanted: &[Option<u8>],
        ctx: &mut Ctx<'_, S>,
    ) -> Told<'e>
    where
        S: Scenario<Session = Xmpp, Mail = u32>,
    {
        match (self.chat.hear(&mut place.login, &event, ctx), event) {
            (chat::Told::Online, _) => {
                place.resumed = false;
                // A fresh login owes nothing of the rooms that the lost one was in.
                while let Some(room) = place.take_any() {
                    ctx.ledger().left(room);
                }
                ctx.ready();
                Told { standing: Standing::Online, ..Told::default() }
            }
            (chat::Told::Resumed, _) => {
                place.resumed = true;
                ctx.ledger().resumed();
                ctx.ready();
                Told { standing: Standing::Resumed, ..Told::default() }
            }
            (chat::Told::Along, Event::Presence(_)) => {
                // Its own first presence: messages to it come from now on.
                let own = GroupId::of_bot(ctx.id);
                ctx.ledger().entered(own);
                Told::default()
            }
            (chat::Told::Other, Event::Presence(presence)) => {
                self.presence(place, presence, wanted[1], ctx)
            }
            (chat::Told::Other, Event::Message(message)) => {
                self.message(place, message, wanted[0], ctx)
            }
            (chat::Told::Other, Event::Iq(answer)) => hears::answer(&answer),
            _ => Told::default(),
        }
    }

    fn mail(&self, body: u32) -> Option<Answer> {
        Some(Answer { key: Key::numbered(HEARD, body), ok: true })
    }

    fn salvage(&self, place: &mut Place, session: Xmpp) {
        place.login.salvage(session);
    }

    fn ping<S>(&self, ctx: &mut Ctx<'_, S>) -> bool
    where
        S: Scenario<Session = Xmpp, Mail = u32>,
    {
        ctx.send(|session, out| session.ping("", "alive", out))
    }
}
