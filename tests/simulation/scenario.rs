//! The bots of the simulated runs, and the target they meet.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use densebots_engine::{
    BotId, Ctx, GroupId, Letter as Mail, Link, Lost, Names, Op, Rng, Role, Scenario, Think, Time,
};
use densebots_protocols::line::{Framing, Line};

use crate::book::{Address, Book, Letter, Loss, Stay};

pub(crate) const PING: Op = Op(0);
const LINE_MAX: u32 = 1 << 15;
/// The longest pause: everybody acts several times between the healing and the end.
const PAUSE_MAX: Duration = Duration::from_millis(800);
pub(crate) const GROUPS: u64 = 5;

/// Bots that ping, talk in groups, come and go.
pub(crate) struct Gossip {
    pub book: Book,
    pub think: Think,
    /// The first id and one more than the last that letters are written to.
    pub ids: (u32, u32),
    /// The first line is a login: online when its echo is there.
    pub login: bool,
    /// The largest padding of a ping.
    pub padding: u64,
    /// Chances in a thousand of a wake, in the order of [`Gossip::act`].
    pub habits: Habits,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    pub publish: u64,
    pub direct: u64,
    pub all: u64,
    pub wander: u64,
    pub hang_up: u64,
    pub quit: u64,
}

#[derive(Default)]
pub(crate) struct Bot {
    /// What was said on this link and is to come back.
    said: VecDeque<u32>,
    next: u32,
    /// The ping in flight: its number and when it was due.
    ping: Option<(u32, Time)>,
    quitting: bool,
}

impl Gossip {
    fn group(number: u64) -> GroupId {
        GroupId::numbered(number)
    }

    fn sleep(&self, ctx: &mut Ctx<'_, Self>, by_pace: bool) {
        let pause = self.think.draw(ctx.rng()).min(PAUSE_MAX);
        let due = if by_pace { ctx.due + pause } else { ctx.now + pause };
        if by_pace {
            ctx.wake_at(due);
        } else {
            ctx.wake_in(pause);
        }
        self.book.open().set_wake(ctx.id, due);
    }

    fn say(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>, word: &str) -> bool {
        let number = bot.next;
        let padding = if self.padding == 0 { 0 } else { ctx.rng().below(self.padding) } as usize;
        let line = format!("{word} {} {number} {}\n", ctx.id, "x".repeat(padding));
        let sent = ctx.send(|_, out| out.extend_from_slice(line.as_bytes()));
        if sent {
            bot.next += 1;
            bot.said.push_back(number);
        }
        sent
    }

    fn ping(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        if ctx.is_open() && bot.ping.is_none() {
            bot.ping = Some((bot.next, ctx.due));
            ctx.begin(PING);
            self.say(bot, ctx, "p");
        }
    }

    fn write(&self, ctx: &mut Ctx<'_, Self>, to: Address) {
        let number = self.book.open().letters.len();
        // Noted before it is written: nothing is heard before it is in the book.
        let letter = Letter { from: ctx.id, to, at: ctx.now, admitted: true };
        self.book.open().letters.push(letter);
        let admitted = match to {
            Address::Group(group) => ctx.publish(Self::group(group), number),
            Address::Bot(bot) => ctx.send_to(bot, number),
            Address::All => ctx.send_all(number),
        };
        self.book.open().letters[number].admitted = admitted;
    }

    fn enter(&self, ctx: &mut Ctx<'_, Self>, group: u64) {
        if !ctx.is_in(Self::group(group)) {
            ctx.join(Self::group(group));
            let stay = Stay { group, bot: ctx.id, from: ctx.now, until: None };
            self.book.open().stays.push(stay);
        }
    }

    fn wander(&self, ctx: &mut Ctx<'_, Self>) {
        let group = ctx.rng().below(GROUPS);
        if !ctx.is_in(Self::group(group)) {
            return self.enter(ctx, group);
        }
        ctx.leave(Self::group(group));
        let (id, now) = (ctx.id, ctx.now);
        let mut book = self.book.open();
        let stays = book.stays.iter_mut().filter(|stay| stay.bot == id && stay.group == group);
        stays.for_each(|stay| _ = stay.until.get_or_insert(now));
    }

    fn act(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        let mut dice = ctx.rng().below(1000);
        let mut falls = |chance: u64| {
            let hit = dice < chance;
            dice = if hit { u64::MAX } else { dice.wrapping_sub(chance) };
            hit
        };
        let habits = self.habits;
        if falls(habits.publish) {
            let group = ctx.rng().below(GROUPS);
            self.write(ctx, Address::Group(group));
        } else if falls(habits.direct) {
            let to = self.ids.0 + ctx.rng().below(u64::from(self.ids.1 - self.ids.0)) as u32;
            self.write(ctx, Address::Bot(BotId(to)));
        } else if falls(habits.all) {
            self.write(ctx, Address::All);
        } else if falls(habits.wander) {
            self.wander(ctx);
        } else if falls(habits.hang_up) {
            // The target closes behind its last word.
            ctx.send(|_, out| out.extend_from_slice(b"hang up\n"));
        } else if falls(habits.quit) {
            ctx.send(|_, out| out.extend_from_slice(b"bye\n"));
            ctx.quit();
            bot.quitting = true;
            self.book.open().stop(ctx.id, ctx.now);
        } else {
            self.ping(bot, ctx);
        }
    }

    fn online(&self, ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
        let (first, second) = (u64::from(ctx.id.0) % GROUPS, u64::from(ctx.id.0 / 7) % GROUPS);
        self.enter(ctx, first);
        self.enter(ctx, second);
        if self.book.open().life(ctx.id).wake.is_none() {
            self.sleep(ctx, false);
        }
    }

    fn answered(&self, bot: &mut Bot, number: u32, ctx: &mut Ctx<'_, Self>) {
        let Some((_, due)) = bot.ping.take_if(|(ping, _)| *ping == number) else {
            return ctx.late(PING);
        };
        let (latency, expected) = (ctx.end(PING), ctx.now.since(due));
        let mut book = self.book.open();
        if latency != Some(expected) {
            book.wrong(
                ctx.now,
                format!("bot {}: a latency of {latency:?}, from due it is {expected:?}", ctx.id),
            );
        }
        book.pings_ok += 1;
        let life = book.life(ctx.id);
        (life.last_ok, life.pings_ok) = (ctx.now, life.pings_ok + 1);
    }
}

impl Scenario for Gossip {
    type Session = Line;
    type Bot = Bot;
    type Mail = usize;

    fn names(&self) -> Names {
        Names::ops(&["ping"])
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Bot {
        Bot::default()
    }

    fn session(&self, id: BotId, bot: &mut Bot, link: Link) -> Line {
        bot.said.clear();
        let mut book = self.book.open();
        let links = &mut book.life(id).links;
        links.insert(link.token().0);
        if links.len() > 1 {
            book.wrong.push(format!("bot {id} has two links"));
        }
        Line::new(Framing::lines(LINE_MAX))
    }

    fn on_start(&self, _: &mut Bot, role: Role, ctx: &mut Ctx<'_, Self>) {
        match role {
            Role::Keeper { .. } => ctx.ready(),
            _ => {
                self.book.open().start(ctx.id, ctx.now, ctx.due);
                ctx.dial();
            }
        }
    }

    fn on_open(&self, bot: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) {
        if self.login {
            self.say(bot, ctx, "login");
        } else {
            self.online(ctx);
        }
    }

    fn on_event(&self, bot: &mut Bot, line: &[u8], ctx: &mut Ctx<'_, Self>) {
        if line == b"closing" {
            return;
        }
        let text = String::from_utf8_lossy(line);
        let mut words = text.split(' ');
        let word = words.next().unwrap_or_default();
        let id = words.next().and_then(|word| word.parse().ok()).map(BotId);
        let number = words.next().and_then(|word| word.parse().ok());
        let expected = bot.said.pop_front();
        if id != Some(ctx.id) || number != expected || number.is_none() {
            let mut text = text.into_owned();
            text.truncate(60);
            self.book
                .open()
                .wrong(ctx.now, format!("bot {} heard {text:?}, expected {expected:?}", ctx.id));
            return;
        }
        match word {
            "login" => self.online(ctx),
            "p" => self.answered(bot, number.unwrap_or_default(), ctx),
            _ => {}
        }
    }

    fn on_wake(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        self.book.open().woken(ctx.id, ctx.now, ctx.due);
        if bot.quitting {
            self.book.open().wrong(ctx.now, format!("bot {} woke after its end", ctx.id));
        }
        if !ctx.draining() {
            let by_pace = ctx.rng().below(2) == 0;
            self.sleep(ctx, by_pace);
            self.act(bot, ctx);
        }
    }

    fn on_mail(&self, _: &mut Bot, letter: &Mail<usize>, ctx: &mut Ctx<'_, Self>) {
        let number = letter.body;
        let answer = {
            let mut book = self.book.open();
            book.heard.push((number, ctx.id, ctx.now));
            let written = book.letters[number].clone();
            let group = match written.to {
                Address::Group(group) => Some(Self::group(group)),
                _ => None,
            };
            if letter.from != written.from || letter.group != group {
                book.wrong(ctx.now, format!("letter {number} came as {letter:?}"));
            }
            matches!(written.to, Address::All) && number.is_multiple_of(4)
        };
        if answer && !ctx.draining() {
            self.write(ctx, Address::Bot(letter.from));
        }
    }

    fn on_timeout(&self, bot: &mut Bot, _: Op, ctx: &mut Ctx<'_, Self>) {
        let due = bot.ping.take().map(|(_, due)| due);
        let timeout = ctx.plan().request_timeout;
        if due.is_none_or(|due| ctx.now < due + timeout) {
            self.book.open().wrong(ctx.now, format!("bot {}: a timeout, due was {due:?}", ctx.id));
        }
    }

    fn on_lost(&self, bot: &mut Bot, link: Link, why: &Lost, ctx: &mut Ctx<'_, Self>) {
        let loss = Loss { bot: ctx.id, token: link.token(), lost: *why };
        let mut book = self.book.open();
        book.losses.push(loss);
        let life = book.life(ctx.id);
        life.links.remove(&link.token().0);
        life.online = false;
        drop(book);
        bot.said.clear();
        bot.ping = None;
        ctx.redial();
    }

    fn on_silent(&self, bot: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) -> bool {
        self.say(bot, ctx, "s")
    }

    fn keeps(&self, group: GroupId) -> bool {
        group == Self::group(0) || group == Self::group(1)
    }
}

/// Says every line back. "hang up" gets a last word, and nothing follows.
pub(crate) struct Echo {
    pub book: Book,
    pub listen: Vec<SocketAddr>,
}

impl Scenario for Echo {
    type Session = Line;
    type Bot = ();
    type Mail = ();

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}

    fn session(&self, _: BotId, (): &mut (), _: Link) -> Line {
        Line::new(Framing::lines(LINE_MAX))
    }

    fn on_start(&self, (): &mut (), role: Role, ctx: &mut Ctx<'_, Self>) {
        if role == Role::Planned {
            ctx.listen(self.listen[ctx.id.0 as usize - 1]);
            ctx.ready();
        }
    }

    fn on_event(&self, (): &mut (), line: &[u8], ctx: &mut Ctx<'_, Self>) {
        match line {
            b"hang up" => {
                ctx.send(|_, out| out.extend_from_slice(b"closing\n"));
                ctx.quit();
            }
            b"bye" => {}
            line => {
                ctx.send(|session, out| {
                    session.send(line, out).expect("a line is a line");
                });
            }
        }
    }

    fn on_lost(&self, (): &mut (), link: Link, why: &Lost, ctx: &mut Ctx<'_, Self>) {
        let loss = Loss { bot: ctx.id, token: link.token(), lost: *why };
        self.book.open().losses.push(loss);
    }
}
