//! Users that log in and stay silent: what an online user costs, and nothing else.
//!
//! ```text
//!   login --> online, and nothing more; pings are answered by the session
//!     ^          | lost
//!     +----------+
//! ```

use densebots_engine::{BotId, Ctx, Link, Lost, Names, Plan, Rng, Role, Scenario, Work};
use densebots_protocols::xmpp::{Event, Xmpp};

use crate::chat::{self, Chat, Stay, Told};
use crate::{SettingError, Settings};

/// What all bots share.
pub struct XmppIdle {
    chat: Chat,
}

/// One bot: its login.
pub struct Bot(Stay);

// A hundred thousand of them are what the density of logged-in users is measured with.
const _: () = assert!(size_of::<Bot>() <= 16);

impl XmppIdle {
    /// From what was set.
    pub fn from(settings: &Settings, plan: &Plan) -> Result<XmppIdle, SettingError> {
        Ok(XmppIdle { chat: Chat::from(settings, plan)? })
    }
}

impl Scenario for XmppIdle {
    type Session = Xmpp;
    type Bot = Bot;
    type Mail = ();

    fn names(&self) -> Names {
        Names::ops(&chat::ops([]))
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
        if let Told::Online | Told::Resumed = self.chat.hear(&mut bot.0, &event, ctx) {
            ctx.ready();
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
        ctx.redial();
    }

    fn on_silent(&self, _: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) -> bool {
        ctx.send(|session, out| session.ping("", "alive", out))
    }
}
