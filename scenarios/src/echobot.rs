//! Users that answer every message to them alone with its own words.
//!
//! ```text
//!   login --> online --message with a body--> answered to who sent it, as the address came
//!     ^          | lost
//!     +----------+
//! ```
//! What is not answered, and why:
//! - a message without a body: it has something else to say (a chat state, a receipt);
//! - an error, which wants no answer (RFC 6120 section 8.3.1), and a headline (RFC 6121 section
//!   5.2.2); what is said in a room is to everybody;
//! - an echo: each one's id begins with [`MARK`], so that two bots like this do not answer each
//!   other for ever;
//! - a bot's own words that come back to it, whatever their id.

use densebots_engine::{BotId, Counter, Ctx, Link, Lost, Names, Plan, Rng, Role, Scenario, Work};
use densebots_protocols::xmpp::{Event, Kind, Stanza, Xmpp};

use crate::chat::{self, Chat, Stay, Told};
use crate::{SettingError, Settings};

/// What the id of an echo begins with; the id of the message follows.
pub const MARK: &str = "echo.";

/// Messages that were answered.
const ANSWERED: Counter = Counter(0);
/// Messages without a body.
const EMPTY: Counter = Counter(1);
/// Echoes that came, of others or the bot's own.
const ECHOES: Counter = Counter(2);
/// Answers that came back as errors.
const REFUSED: Counter = Counter(3);

/// What all bots share.
pub struct Echobot {
    chat: Chat,
}

/// One bot: its login.
pub struct Bot(Stay);

const _: () = assert!(size_of::<Bot>() <= 16);

impl Echobot {
    /// From what was set.
    pub fn from(settings: &Settings, plan: &Plan) -> Result<Echobot, SettingError> {
        Ok(Echobot { chat: Chat::from(settings, plan)? })
    }

    fn message(&self, message: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        match message.kind() {
            Kind::Chat | Kind::Normal => {}
            Kind::Error => return ctx.count(REFUSED, 1),
            _ => return,
        }
        let Some(from) = message.from() else { return };
        let body = message.body().unwrap_or_default();
        if body.is_empty() {
            return ctx.count(EMPTY, 1);
        }
        let id = message.id().unwrap_or_default();
        let bare = from.split('/').next().unwrap_or_default();
        let own = bare.split_once('@').is_some_and(|(name, domain)| {
            domain == self.chat.domain() && name == self.chat.name(ctx.id)
        });
        if own || id.starts_with(MARK) {
            return ctx.count(ECHOES, 1);
        }
        ctx.count(ANSWERED, 1);
        let id = format!("{MARK}{id}");
        ctx.send(|session, out| session.message(&from, &id, &body, out));
    }
}

impl Scenario for Echobot {
    type Session = Xmpp;
    type Bot = Bot;
    type Mail = ();

    fn names(&self) -> Names {
        let counters = ["answered", "empty", "echoes", "refused"];
        Names {
            counters: counters.map(|name| format!("echobot.{name}")).to_vec(),
            ..Names::ops(&chat::ops([]))
        }
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Bot {
        Bot(Stay::default())
    }

    fn session(&self, id: BotId, bot: &mut Bot, _: Link) -> Xmpp {
        self.chat.session(id, &mut bot.0)
    }

    fn on_open(&self, bot: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) {
        self.chat.opened(&mut bot.0, ctx);
    }

    fn on_event(&self, bot: &mut Bot, event: Event<'_>, ctx: &mut Ctx<'_, Self>) {
        match (self.chat.hear(&mut bot.0, &event, ctx), event) {
            (Told::Online | Told::Resumed, _) => ctx.ready(),
            (Told::Other, Event::Message(message)) => self.message(&message, ctx),
            _ => {}
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
