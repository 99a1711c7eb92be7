//! Users that write to their neighbours by id, one after another, at a pace.
//!
//! ```text
//!   login --> online --presence confirmed--> here --settle--> writes to the next neighbour <-+
//!     ^         |                              |                      |                 pace |
//!     |  lost   |            lost: what was due meanwhile is dropped  +----------------------+
//!     +---------+------------------------------+                      | all rounds written
//!                                                                     v
//!                                                               linger, leaves
//! ```
//! The bots stand in a ring by their ids, so that each has as many neighbours as every other. A
//! message counts from when it was due until its addressee hears it, which that bot tells the
//! sender inside the generator. What a service kept for a user who was away (XEP-0203) is told
//! apart from what it delivered.

use std::time::Duration;

use densebots_engine::{
    BotId, Counter, Ctx, GroupId, Letter, Link, Lost, Names, Op, Plan, Rng, Role, Scenario, Work,
};
use densebots_protocols::xmpp::{Event, Kind, Stanza, Xmpp};

use crate::chat::{self, Chat, PRESENCE, Stay, Told};
use crate::tag::{self, Tag};
use crate::{Parameter, SettingError, Settings, Traffic, refusals};

/// What can be set, beside what all XMPP scenarios have.
pub const PARAMETERS: [Parameter; chat::PARAMETERS.len() + 8] = chat::with([
    Parameter { name: "before", default: "4", about: "neighbours with lower ids" },
    Parameter { name: "behind", default: "4", about: "neighbours with higher ids" },
    Parameter { name: "rounds", default: "73", about: "messages to each neighbour; 0: no end" },
    Parameter { name: "pace", default: "20s", about: "time between two messages of a bot" },
    Parameter { name: "size", default: "80..120", about: "bytes of a message: least and most" },
    Parameter { name: "settle", default: "5s", about: "from the presence to the first message" },
    Parameter { name: "linger", default: "10s", about: "from the last message to leaving" },
    tag::PARAMETER,
]);

/// From the moment a message was due until its addressee hears it.
const MESSAGE: Op = Op(chat::OWN);

/// Messages that the service kept while their addressee was away.
const OFFLINE: Counter = Counter(0);
/// Refusals, by condition.
const REFUSED: u16 = 1;

/// Neighbours on one side. Each costs nothing; this many nobody has.
const NEIGHBOURS_MAX: u64 = 1000;
/// Bytes of a message (RFC 6120 section 13.12 asks for 10,000 bytes of stanza).
const SIZE_MAX: u32 = 8_000;
/// Bytes of the text that all messages are cut from.
const TEXT: usize = 1 << 16;

/// What all bots share.
pub struct OneToOne {
    chat: Chat,
    first_id: u32,
    population: u32,
    before: u32,
    behind: u32,
    rounds: u32,
    pace: Duration,
    size: (u32, u32),
    settle: Duration,
    linger: Duration,
    tag: Tag,
    text: String,
}

/// One bot.
pub struct Bot {
    stay: Stay,
    /// Messages that were due so far, written or not.
    due: u32,
    here: Presence,
    /// It was here when its stream was lost.
    was_here: bool,
    /// Its stream was resumed: what comes with a delay is not from before it came.
    resumed: bool,
    /// Its first message is on the timer: a new login keeps the pace.
    paced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// Not logged in.
    Away,
    /// Logged in, and the service has not told its presence back.
    Coming,
    /// Messages come.
    Here,
}

const _: () = assert!(size_of::<Bot>() <= 24);

impl OneToOne {
    /// From what was set.
    pub fn from(settings: &Settings, plan: &Plan) -> Result<OneToOne, SettingError> {
        let side = |name| settings.number(name, 0..=NEIGHBOURS_MAX, "a number up to 1,000");
        let population = plan.load.bots_max().min(u64::from(u32::MAX));
        // Nobody is a neighbour twice, or their own.
        let others = population.saturating_sub(1);
        let before = side("before")?.min(others / 2);
        let behind = side("behind")?.min(others - before);
        let size = settings.span(
            "size",
            |text| text.parse().ok().filter(|size| (1..=SIZE_MAX).contains(size)),
            "a span such as 80..120, up to 8000",
        )?;
        let rounds = settings.number("rounds", 0..=u32::MAX.into(), "a number of rounds")?;
        let mut rng = Rng::of(plan.seed, BotId(0));
        let text = (0..TEXT).map(|_| char::from(LETTERS[rng.below(64) as usize])).collect();
        Ok(OneToOne {
            chat: Chat::from(settings, plan)?,
            first_id: plan.first_id,
            population: population as u32,
            before: before as u32,
            behind: behind as u32,
            rounds: rounds as u32,
            pace: settings.pace("pace")?,
            size,
            settle: settings.duration("settle")?,
            linger: settings.duration("linger")?,
            tag: Tag::from(settings)?,
            text,
        })
    }

    /// The traffic of one bot.
    pub fn traffic(settings: &Settings) -> Result<Traffic, SettingError> {
        let rate = 1.0 / settings.pace("pace")?.as_secs_f64();
        Ok(Traffic { sends: rate, hears: rate, bytes: 250 })
    }

    fn neighbours(&self) -> u32 {
        self.before + self.behind
    }

    /// Who gets the message with this number: those before it from far to near, then those behind
    /// it from near to far.
    fn neighbour(&self, id: BotId, nth: u32) -> BotId {
        let nth = nth % self.neighbours();
        let place = (id.0 - self.first_id) % self.population;
        let back = self.before.saturating_sub(nth);
        let forth = if nth < self.before { 0 } else { nth - self.before + 1 };
        let place = u64::from(place) + u64::from(self.population - back) + u64::from(forth);
        BotId(self.first_id + (place % u64::from(self.population)) as u32)
    }

    fn write(&self, bot: &Bot, ctx: &mut Ctx<'_, Self>) {
        let neighbour = self.neighbour(ctx.id, bot.due);
        let (least, most) = self.size;
        let size = least + ctx.rng().below(u64::from(most - least) + 1) as u32;
        let from = ctx.rng().below((TEXT - size as usize) as u64) as usize;
        let text = &self.text[from..from + size as usize];
        let message = ctx.ledger().sent_to(neighbour);
        ctx.begin_nth(MESSAGE, message.sequence as u16);
        let to = format!("{}@{}", self.chat.name(neighbour), self.chat.domain());
        let body = self.tag.body(text, message);
        ctx.send(|session, out| session.message(&to, message.text().as_str(), &body, out));
    }

    /// The service has told the bot's presence back: messages to it come.
    fn arrived(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        bot.here = Presence::Here;
        let own = GroupId::of_bot(ctx.id);
        ctx.ledger().entered(own);
        if !std::mem::replace(&mut bot.paced, true) && self.neighbours() > 0 {
            // Spread over one pace, or all bots that came together would write together.
            let spread = crate::first_pause(self.pace, ctx.rng().fraction());
            ctx.wake_in(self.settle + spread);
        }
    }

    fn message(&self, bot: &Bot, message: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        let known = self.tag.read(message.id().as_deref(), message, &ctx.ledger());
        match (message.kind(), known) {
            (Kind::Error, known) => {
                ctx.count(refusals::counter(REFUSED, refusals::condition(message)), 1);
                if let Some(known) = known.filter(|known| known.sender == ctx.id) {
                    ctx.ledger().bounced(known);
                    ctx.fail_nth(MESSAGE, known.sequence as u16);
                }
            }
            (Kind::Groupchat | Kind::Headline, _) => {}
            (_, None) if message.body().is_none() => {}
            (_, None) => match message.from().and_then(|from| self.chat.bot_at(&from)) {
                // It is of this run, and nobody can say which one it is.
                Some(sender) if bot.resumed || message.delay().is_none() => {
                    let own = GroupId::of_bot(ctx.id);
                    ctx.ledger().ids_not_kept(own);
                    ctx.send_to(sender, None);
                }
                _ => ctx.ledger().foreign(),
            },
            (_, Some(_)) if !bot.resumed && message.delay().is_some() => {
                ctx.count(OFFLINE, 1);
                ctx.ledger().history();
            }
            (_, Some(known)) => {
                let own = GroupId::of_bot(ctx.id);
                ctx.ledger().heard(own, known);
                ctx.send_to(known.sender, Some(known.sequence));
            }
        }
    }
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Scenario for OneToOne {
    type Session = Xmpp;
    type Bot = Bot;
    /// The number of a message that was heard, if it had one still.
    type Mail = Option<u32>;

    fn names(&self) -> Names {
        let counters = std::iter::once("one-to-one.offline".to_owned());
        Names {
            counters: counters.chain(refusals::names()).collect(),
            ledger: true,
            ..Names::ops(&chat::ops(["xmpp.message"]))
        }
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Bot {
        let (stay, here) = (Stay::default(), Presence::Away);
        Bot { stay, due: 0, here, was_here: false, resumed: false, paced: false }
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
                (bot.here, bot.resumed) = (Presence::Coming, false);
                ctx.ready();
            }
            (Told::Resumed, _) => {
                bot.resumed = true;
                ctx.ready();
                ctx.ledger().resumed();
                if bot.was_here {
                    bot.here = Presence::Here;
                } else {
                    bot.here = Presence::Coming;
                    ctx.begin(PRESENCE);
                    ctx.send(|session, out| session.presence(out));
                }
            }
            (Told::Along, Event::Presence(_)) => self.arrived(bot, ctx),
            (Told::Other, Event::Message(message)) => self.message(bot, &message, ctx),
            _ => {}
        }
    }

    fn on_wake(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        if ctx.draining() {
            return;
        }
        let all = u64::from(self.rounds) * u64::from(self.neighbours());
        if self.rounds > 0 && u64::from(bot.due) >= all {
            return ctx.quit();
        }
        match bot.here {
            Presence::Here => self.write(bot, ctx),
            Presence::Away | Presence::Coming => ctx.drop_load(MESSAGE),
        }
        bot.due = bot.due.wrapping_add(1);
        let last = self.rounds > 0 && u64::from(bot.due) >= all;
        ctx.wake_at(ctx.due + if last { self.linger } else { self.pace });
    }

    fn on_mail(&self, _: &mut Bot, letter: &Letter<Option<u32>>, ctx: &mut Ctx<'_, Self>) {
        match letter.body {
            Some(sequence) => ctx.end_nth(MESSAGE, sequence as u16),
            None => ctx.end(MESSAGE), // the oldest in flight: they come in order
        };
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
        // An attempt that failed tells nothing new of the stream before it.
        bot.was_here = bot.stay.resumes() && (bot.was_here || bot.here == Presence::Here);
        bot.here = Presence::Away;
        ctx.redial();
    }

    fn on_silent(&self, _: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) -> bool {
        ctx.send(|session, out| session.ping("", "alive", out))
    }
}

#[cfg(test)]
mod tests {
    use densebots_engine::{Arrival, Load};

    use super::*;

    fn ring(bots: u32, sides: (&str, &str)) -> OneToOne {
        let load = Load::Closed { bots, arrival: Arrival::AtOnce, hold: Duration::ZERO };
        let plan = Plan { load, first_id: 10, ..Plan::default() };
        let set = [("before", sides.0), ("behind", sides.1)];
        let settings = Settings::of(&PARAMETERS, set).expect("known");
        OneToOne::from(&settings, &plan).expect("they fit")
    }

    #[test]
    fn neighbours_stand_in_a_ring() {
        let ring = ring(6, ("2", "1"));
        let of = |id: u32| (0..4).map(|nth| ring.neighbour(BotId(id), nth).0).collect::<Vec<_>>();
        assert_eq!(of(12), [10, 11, 13, 10]);
        assert_eq!(of(10), [14, 15, 11, 14]);
        assert_eq!(of(15), [13, 14, 10, 13]);
        assert_eq!(of(16), of(10), "who came later takes somebody's place");
    }

    #[test]
    fn nobody_is_a_neighbour_twice() {
        for (bots, neighbours) in [(1, 0), (2, 1), (3, 2), (8, 7), (9, 8), (10, 8)] {
            let ring = ring(bots, ("4", "4"));
            assert_eq!(ring.neighbours(), neighbours, "of {bots}");
            let mut all: Vec<_> =
                (0..neighbours).map(|nth| ring.neighbour(BotId(10), nth).0).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), neighbours as usize);
            assert!(!all.contains(&10));
        }
    }
}
