//! Groups of ten on a line server that pass a token by mail; who has it speaks.
//!
//! Neighbours in a group live on different shards, so every pass crosses from one to the next.
//! ```text
//!   first: all here --begin round--> 1 speaks --token--> 2 speaks --> ... --> 10 --token--> first
//!            ^                                                                              |
//!            +---------------------------- pause, next round <------------------------------+
//! ```

use std::time::Duration;

use densebots_engine::{
    BotId, Counter, Ctx, GroupId, Letter, Link, Names, Op, Plan, Rng, Role, Scenario,
};
use densebots_protocols::line::{Framing, Line};

use crate::{Parameter, SettingError, Settings, Traffic};

/// What can be set.
pub const PARAMETERS: &[Parameter] = &[
    Parameter { name: "group", default: "10", about: "bots in a group" },
    Parameter { name: "pause", default: "10s", about: "time between two rounds of a token" },
];

/// From being handed the token to hearing one's own words.
const SAY: Op = Op(0);
/// One round of the token.
const ROUND: Op = Op(1);
/// Words of others that were heard.
const HEARD: Counter = Counter(0);
/// Rounds whose token was lost with a bot.
const LOST_TOKENS: Counter = Counter(1);

/// What all bots share.
pub struct Talk {
    /// Bots in a group.
    pub group: u32,
    /// The time between two rounds.
    pub pause: Duration,
}

/// One bot.
pub struct Bot {
    /// Members of its group that have told it they are here; counted by the first alone.
    here: u16,
    /// The token's round; a token of an older one is void.
    round: u32,
    in_room: bool,
}

/// What members tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mail {
    /// To the first: I am in.
    Here,
    /// To the next: it is your turn.
    Token {
        /// Counted by the first.
        round: u32,
    },
}

impl Talk {
    /// From what was set.
    pub fn from(settings: &Settings) -> Result<Talk, SettingError> {
        let group = settings.number("group", 2..=1000, "a number from 2 to 1000")?;
        Ok(Talk { group: group as u32, pause: settings.duration("pause")? })
    }

    /// The traffic of one bot: a round takes little beside the pause.
    pub fn traffic(&self) -> Traffic {
        let rate = 1.0 / self.pause.as_secs_f64().max(0.001);
        Traffic { sends: rate, hears: rate * f64::from(self.group), bytes: 24 }
    }

    /// The ids of the group of `id`: its first, and how many it has.
    fn circle(&self, id: BotId, plan: &Plan) -> (u32, u32) {
        let nth = id.0.saturating_sub(plan.first_id);
        let first = plan.first_id + nth / self.group * self.group;
        let last = u64::from(plan.first_id) + plan.load.bots_max();
        let members = last.saturating_sub(u64::from(first)).min(u64::from(self.group));
        (first, (members as u32).max(1))
    }

    /// The group of a bot: where it speaks, and by what its members know each other.
    fn room(&self, ctx: &Ctx<'_, Self>) -> GroupId {
        GroupId::numbered(u64::from(self.circle(ctx.id, ctx.plan()).0))
    }

    /// Speaks, if in the room; the token goes on once the words are heard.
    fn speak(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        if bot.in_room && !ctx.draining() {
            ctx.begin(SAY);
            let room = self.room(ctx);
            let (message, round) = (ctx.ledger().sent(room), bot.round);
            ctx.send(|_, out| {
                message.write(out);
                out.extend_from_slice(format!(" speaks in round {round}\n").as_bytes());
            });
        }
    }

    fn begin_round(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        bot.round = bot.round.wrapping_add(1);
        ctx.begin(ROUND);
        self.speak(bot, ctx);
    }

    fn pass(&self, bot: &Bot, ctx: &mut Ctx<'_, Self>) {
        let (first, members) = self.circle(ctx.id, ctx.plan());
        let next = first + (ctx.id.0 - first + 1) % members;
        ctx.send_to(BotId(next), Mail::Token { round: bot.round });
    }
}

impl Scenario for Talk {
    type Session = Line;
    type Bot = Bot;
    type Mail = Mail;

    fn names(&self) -> Names {
        Names {
            counters: vec!["talk.heard".to_owned(), "talk.lost_tokens".to_owned()],
            ledger: true,
            ..Names::ops(&["talk.say", "talk.round"])
        }
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Bot {
        Bot { here: 0, round: 0, in_room: false }
    }

    fn session(&self, _: BotId, bot: &mut Bot, _: Link) -> Line {
        bot.in_room = false;
        Line::new(Framing::lines(4096))
    }

    fn on_open(&self, _: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) {
        let (first, _) = self.circle(ctx.id, ctx.plan());
        ctx.send(|_, out| out.extend_from_slice(format!("/join {first}\n").as_bytes()));
    }

    fn on_event(&self, bot: &mut Bot, line: &[u8], ctx: &mut Ctx<'_, Self>) {
        if line.starts_with(b"/joined ") {
            bot.in_room = true;
            ctx.ready();
            let (first, _) = self.circle(ctx.id, ctx.plan());
            let room = self.room(ctx);
            ctx.ledger().entered(room);
            ctx.join(room);
            ctx.send_to(BotId(first), Mail::Here);
            return;
        }
        let word = line.split(|&byte| byte == b' ').next().unwrap_or_default();
        let Some(message) = ctx.ledger().read(word) else { return ctx.ledger().foreign() };
        let room = self.room(ctx);
        ctx.ledger().heard(room, message);
        if message.sender == ctx.id {
            if ctx.end(SAY).is_some() {
                self.pass(bot, ctx);
            }
        } else {
            ctx.count(HEARD, 1);
        }
    }

    fn on_mail(&self, bot: &mut Bot, letter: &Letter<Mail>, ctx: &mut Ctx<'_, Self>) {
        let (first, members) = self.circle(ctx.id, ctx.plan());
        match letter.body {
            Mail::Here => {
                bot.here = bot.here.saturating_add(1);
                if u32::from(bot.here) == members {
                    let pause = crate::first_pause(self.pause, ctx.rng().fraction());
                    ctx.wake_in(pause);
                }
            }
            Mail::Token { round } if ctx.id.0 == first => {
                if round == bot.round && ctx.end(ROUND).is_some() {
                    ctx.wake_in(self.pause);
                }
            }
            Mail::Token { round } => {
                bot.round = round;
                self.speak(bot, ctx);
            }
        }
    }

    fn on_wake(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        if !ctx.draining() {
            self.begin_round(bot, ctx);
        }
    }

    fn on_timeout(&self, bot: &mut Bot, op: Op, ctx: &mut Ctx<'_, Self>) {
        // The token was lost with a bot: the first, who alone counts rounds, makes a new one.
        if op == ROUND && !ctx.draining() {
            ctx.count(LOST_TOKENS, 1);
            self.begin_round(bot, ctx);
        }
    }

    fn on_drain(&self, _: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        ctx.quit(); // a token on its way has nobody to come back to
    }
}
