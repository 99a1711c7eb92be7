//! A chat service that may lose, repeat, delay and reorder what it delivers, and send back what it
//! does not.
//!
//! `hello BOT` is answered by `hi`, `join ROOM` by `joined ROOM`; `leave ROOM`; `say ROOM ID` and
//! `tell BOT ID` reach who is there as `room ROOM ID` and `own BOT ID`, or come back to the sender
//! as `bounced ID`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use densebots_engine::{BotId, Ctx, GroupId, Letter, Link, Lost, Rng, Role, Scenario, Time};
use densebots_protocols::line::{Framing, Line};

/// Chances in a thousand.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    pub drop: u64,
    pub duplicate: u64,
    pub delay: u64,
    pub bounce: u64,
    /// Speaks of things nobody of this run said.
    pub babble: u64,
    pub delay_max: Duration,
}

pub struct Service {
    pub listen: Vec<SocketAddr>,
    pub faults: Faults,
}

#[derive(Default)]
pub struct Guest {
    /// What is said later, and when.
    later: Vec<(Time, Arc<str>)>,
}

fn room(number: &str) -> GroupId {
    GroupId::named(format!("room {number}"))
}

fn bot(number: &str) -> GroupId {
    GroupId::named(format!("bot {number}"))
}

impl Service {
    fn deliver(&self, guest: &mut Guest, line: &Arc<str>, ctx: &mut Ctx<'_, Self>) {
        let faults = self.faults;
        let mut falls = |chance| ctx.rng().below(1000) < chance;
        if falls(faults.drop) {
            return;
        }
        let times = 1 + u32::from(falls(faults.duplicate));
        for _ in 0..times {
            if ctx.rng().below(1000) < faults.delay {
                let pause = faults.delay_max.mul_f64(ctx.rng().fraction());
                guest.later.push((ctx.now + pause, line.clone()));
                let next = guest.later.iter().map(|later| later.0).min().unwrap_or(Time::NEVER);
                ctx.wake_at(next);
            } else {
                say(line, ctx);
            }
        }
        if ctx.rng().below(1000) < faults.babble {
            let word = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
            let id = ["hello?", "7777.64.1", "history"][ctx.rng().below(3) as usize];
            say(&format!("{word} {id}"), ctx);
        }
    }
}

fn say(line: &str, ctx: &mut Ctx<'_, Service>) {
    ctx.send(|session, out| session.send(line.as_bytes(), out).expect("a line is a line"));
}

impl Scenario for Service {
    type Session = Line;
    type Bot = Guest;
    type Mail = Arc<str>;

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Guest {
        Guest::default()
    }

    fn session(&self, _: BotId, _: &mut Guest, _: Link) -> Line {
        Line::new(Framing::lines(200))
    }

    fn on_start(&self, _: &mut Guest, role: Role, ctx: &mut Ctx<'_, Self>) {
        if role == Role::Planned {
            ctx.listen(self.listen[ctx.id.0 as usize - 1]);
            ctx.ready();
        }
    }

    fn on_event(&self, guest: &mut Guest, line: &[u8], ctx: &mut Ctx<'_, Self>) {
        let text = String::from_utf8_lossy(line).into_owned();
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            ["hello", number] => {
                ctx.join(bot(number));
                say("hi", ctx);
            }
            ["join", number] => {
                ctx.join(room(number));
                say(&format!("joined {number}"), ctx);
            }
            ["leave", number] => ctx.leave(room(number)),
            ["say" | "tell", _, id] if ctx.rng().below(1000) < self.faults.bounce => {
                say(&format!("bounced {id}"), ctx);
            }
            ["say", number, id] => {
                let line: Arc<str> = format!("room {number} {id}").into();
                ctx.publish(room(number), line.clone());
                self.deliver(guest, &line, ctx);
            }
            ["tell", number, id] => {
                ctx.publish(bot(number), format!("own {number} {id}").into());
            }
            _ => ctx.quit(), // "bye", or a line that was cut
        }
    }

    fn on_mail(&self, guest: &mut Guest, letter: &Letter<Arc<str>>, ctx: &mut Ctx<'_, Self>) {
        self.deliver(guest, &letter.body, ctx);
    }

    fn on_wake(&self, guest: &mut Guest, ctx: &mut Ctx<'_, Self>) {
        let now = ctx.now;
        let due: Vec<_> = guest.later.extract_if(.., |later| later.0 <= now).collect();
        due.iter().for_each(|(_, line)| say(line, ctx));
        if let Some(next) = guest.later.iter().map(|later| later.0).min() {
            ctx.wake_at(next);
        }
    }

    fn on_lost(&self, _: &mut Guest, _: Link, _: &Lost, _: &mut Ctx<'_, Self>) {}
}
