//! Users that log in, leave, and come again: a storm of logins.
//!
//! ```text
//!   dial --> login --> online --presence confirmed, hold--> leaves --pause--> dial
//!     ^        | lost     | lost
//!     +--------+----------+
//! ```
//! A round is a run of the plan's `repeat`, with a new stream and a new connection. A round that is
//! lost begins again after the plan's back-off, and counts as one when it is over.

use std::time::Duration;

use densebots_engine::{
    BotId, Counter, Ctx, Link, Lost, Names, Op, Plan, Repeat, Rng, Role, Scenario, Work,
};
use densebots_protocols::xmpp::{Event, Xmpp};

use crate::chat::{self, Chat, PRESENCE, Stay, Told};
use crate::{Parameter, SettingError, Settings};

/// What can be set, beside what all XMPP scenarios have.
pub const PARAMETERS: [Parameter; chat::PARAMETERS.len() + 3] = chat::with([
    Parameter { name: "hold", default: "0s", about: "how long a bot stays before it leaves" },
    Parameter { name: "rounds", default: "0", about: "logins of a bot; 0: until the run ends" },
    Parameter { name: "pause", default: "0s", about: "between leaving and coming again" },
]);

/// Rounds that came to their end.
const ROUNDS: Counter = Counter(0);

/// What all bots share.
pub struct LoginStorm {
    chat: Chat,
    hold: Duration,
    repeat: Repeat,
}

/// One bot: its login.
pub struct Bot(Stay);

const _: () = assert!(size_of::<Bot>() <= 16);

impl LoginStorm {
    /// From what was set.
    pub fn from(settings: &Settings, plan: &Plan) -> Result<LoginStorm, SettingError> {
        let rounds = settings.number("rounds", 0..=u32::MAX.into(), "a number of logins")? as u32;
        let repeat =
            Repeat { times: (rounds > 0).then_some(rounds), interval: settings.duration("pause")? };
        Ok(LoginStorm {
            chat: Chat::from(settings, plan)?,
            hold: settings.duration("hold")?,
            repeat,
        })
    }

    /// The plan with this scenario's rounds in it, unless it has rounds of its own.
    pub fn plan(&self, plan: Plan) -> Plan {
        let own = plan.repeat != Repeat::default();
        Plan { repeat: if own { plan.repeat } else { self.repeat }, ..plan }
    }

    fn leave(ctx: &mut Ctx<'_, Self>) {
        ctx.count(ROUNDS, 1);
        ctx.quit();
    }

    /// The bot is there, or nobody will ever say so: it stays as long as it is meant to.
    fn stay(&self, ctx: &mut Ctx<'_, Self>) {
        if self.hold.is_zero() { Self::leave(ctx) } else { ctx.wake_in(self.hold) }
    }
}

impl Scenario for LoginStorm {
    type Session = Xmpp;
    type Bot = Bot;
    type Mail = ();

    fn names(&self) -> Names {
        Names { counters: vec!["login-storm.rounds".to_owned()], ..Names::ops(&chat::ops([])) }
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Bot {
        Bot(Stay::default())
    }

    fn session(&self, id: BotId, bot: &mut Bot, _: Link) -> Xmpp {
        let mut session = self.chat.session(id, &mut bot.0);
        session.discard_messages(true);
        session
    }

    fn on_open(&self, bot: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) {
        self.chat.opened(&mut bot.0, ctx);
    }

    fn on_event(&self, bot: &mut Bot, event: Event<'_>, ctx: &mut Ctx<'_, Self>) {
        match (self.chat.hear(&mut bot.0, &event, ctx), event) {
            (Told::Online, _) => ctx.ready(),
            (Told::Resumed, _) => {
                ctx.ready();
                self.stay(ctx);
            }
            (Told::Along, Event::Presence(_)) => self.stay(ctx),
            _ => {}
        }
    }

    fn on_wake(&self, _: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        Self::leave(ctx);
    }

    fn on_timeout(&self, _: &mut Bot, op: Op, ctx: &mut Ctx<'_, Self>) {
        if op == PRESENCE {
            self.stay(ctx);
        }
    }

    fn on_work(&self, bot: &mut Bot, _: Link, work: Work, ctx: &mut Ctx<'_, Self>) {
        self.chat.works(&mut bot.0, work, ctx);
    }

    fn on_secured(&self, bot: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) {
        self.chat.secured(&mut bot.0, ctx);
    }

    fn salvage(&self, bot: &mut Bot, session: Xmpp) {
        bot.0.salvage(session);
    }

    fn on_lost(&self, _: &mut Bot, _: Link, _: &Lost, ctx: &mut Ctx<'_, Self>) {
        ctx.forget_wake();
        ctx.redial();
    }

    fn on_silent(&self, _: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) -> bool {
        ctx.send(|session, out| session.ping("", "alive", out))
    }
}
