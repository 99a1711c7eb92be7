//! Bots that talk in rooms and to each other, wander, lose their links and come back, and write
//! everything into the model's book.

use std::sync::{Arc, Mutex, MutexGuard};

use densebots_engine::{
    BotId, Ctx, GroupId, Link, Lost, MessageId, Rng, Role, Scenario, Think, Time,
};
use densebots_protocols::line::{Framing, Line};

use crate::model::{Book, Message};

#[derive(Clone, Copy, Debug)]
pub struct Habits {
    pub rooms: u64,
    /// Chances in a thousand of a wake.
    pub tell: u64,
    pub wander: u64,
    pub hang_up: u64,
    pub quit: u64,
    /// Of a reconnect: the stream is resumed.
    pub resume: u64,
    /// Nobody says anything from then on.
    pub silent: Time,
}

pub struct Chatter {
    pub book: Arc<Mutex<Book>>,
    pub think: Think,
    pub habits: Habits,
    pub ids: (u32, u32),
}

#[derive(Default)]
pub struct Bot {
    rooms: Vec<u64>,
    /// It was online before.
    known: bool,
}

fn room(number: u64) -> GroupId {
    GroupId::named(format!("room {number}"))
}

impl Chatter {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nobody panicked")
    }

    fn online(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
        let own = GroupId::of_bot(ctx.id);
        if bot.known && ctx.rng().below(1000) < self.habits.resume {
            ctx.ledger().resumed();
            self.book().resumed(ctx.id, ctx.now);
        }
        ctx.ledger().entered(own);
        self.book().entered(ctx.id, own, ctx.now);
        if !bot.known {
            bot.known = true;
            let other = 1 + u64::from(ctx.id.0) % self.habits.rooms;
            bot.rooms = vec![0, other];
            ctx.think(&self.think);
        }
        for &number in &bot.rooms {
            say(&format!("join {number}"), ctx);
        }
    }

    fn note(&self, id: MessageId, room: GroupId, ctx: &Ctx<'_, Self>) {
        self.book().messages.push(Message { id, room, sent: ctx.now, bounced: None });
    }

    fn act(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        let habits = self.habits;
        let mut dice = ctx.rng().below(1000);
        let mut falls = |chance: u64| {
            let hit = dice < chance;
            dice = if hit { u64::MAX } else { dice.wrapping_sub(chance) };
            hit
        };
        if falls(habits.wander) {
            self.wander(bot, ctx);
        } else if falls(habits.hang_up) {
            say("bye", ctx);
        } else if falls(habits.quit) {
            ctx.quit();
        } else if falls(habits.tell) {
            let to = self.ids.0 + ctx.rng().below(u64::from(self.ids.1 - self.ids.0)) as u32;
            let id = ctx.ledger().sent_to(BotId(to));
            self.note(id, GroupId::of_bot(BotId(to)), ctx);
            say(&format!("tell {to} {}", text(id)), ctx);
        } else if !bot.rooms.is_empty() {
            let number = bot.rooms[ctx.rng().below(bot.rooms.len() as u64) as usize];
            let id = ctx.ledger().sent(room(number));
            self.note(id, room(number), ctx);
            say(&format!("say {number} {}", text(id)), ctx);
        }
    }

    fn wander(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        let number = 1 + ctx.rng().below(self.habits.rooms);
        if bot.rooms.contains(&number) {
            bot.rooms.retain(|&own| own != number);
            ctx.ledger().left(room(number));
            self.book().left(ctx.id, Some(room(number)), ctx.now);
            say(&format!("leave {number}"), ctx);
        } else {
            bot.rooms.push(number);
            say(&format!("join {number}"), ctx);
        }
    }

    fn heard(&self, room: GroupId, id: &str, ctx: &mut Ctx<'_, Self>) {
        match ctx.ledger().read(id.as_bytes()) {
            Some(id) => {
                ctx.ledger().heard(room, id);
                self.book().heard(ctx.id, room, id, ctx.now);
            }
            None if id == "history" => {
                ctx.ledger().history();
                self.book().history += 1;
            }
            None => {
                ctx.ledger().foreign();
                self.book().foreign += 1;
            }
        }
    }
}

fn text(id: MessageId) -> String {
    let mut text = Vec::new();
    id.write(&mut text);
    String::from_utf8(text).expect("digits and dots")
}

fn say(line: &str, ctx: &mut Ctx<'_, Chatter>) {
    ctx.send(|session, out| session.send(line.as_bytes(), out).expect("a line is a line"));
}

impl Scenario for Chatter {
    type Session = Line;
    type Bot = Bot;
    type Mail = ();

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Bot {
        Bot::default()
    }

    fn session(&self, _: BotId, _: &mut Bot, _: Link) -> Line {
        Line::new(Framing::lines(200))
    }

    fn on_open(&self, _: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) {
        say(&format!("hello {}", ctx.id), ctx);
    }

    fn on_event(&self, bot: &mut Bot, line: &[u8], ctx: &mut Ctx<'_, Self>) {
        let text = String::from_utf8_lossy(line).into_owned();
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            ["hi"] => self.online(bot, ctx),
            ["joined", number] => {
                let number = number.parse().expect("a number");
                // It may have wandered off before the answer came.
                if bot.rooms.contains(&number) {
                    ctx.ledger().entered(room(number));
                    self.book().entered(ctx.id, room(number), ctx.now);
                }
            }
            ["room", number, id] => self.heard(room(number.parse().expect("a number")), id, ctx),
            ["own", _, id] => self.heard(GroupId::of_bot(ctx.id), id, ctx),
            ["bounced", id] => {
                let id = ctx.ledger().read(id.as_bytes()).expect("its own");
                ctx.ledger().bounced(id);
                let mut book = self.book();
                let message = book.messages.iter_mut().find(|message| message.id == id);
                message.expect("it was sent").bounced.get_or_insert(ctx.now);
            }
            _ => panic!("the service says {text:?}"),
        }
    }

    fn on_wake(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        ctx.think(&self.think);
        if ctx.is_open() && ctx.now < self.habits.silent && !ctx.draining() {
            self.act(bot, ctx);
        }
    }

    fn on_lost(&self, _: &mut Bot, _: Link, _: &Lost, ctx: &mut Ctx<'_, Self>) {
        self.book().lost(ctx.id, ctx.now);
        ctx.redial();
    }

    fn on_drain(&self, _: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        if ctx.draining() {
            let mut book = self.book();
            let shard = ctx.id.0 as usize % book.shards;
            book.ends.entry(shard).or_insert(ctx.now);
        }
        ctx.quit();
    }
}
