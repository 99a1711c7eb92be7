//! Who the bots are and what they do: the trait that users of the engine write.

use densebots_protocols::Session;

use crate::bots::Role;
use crate::ctx::Ctx;
use crate::dice::Rng;
use crate::groups::GroupId;
use crate::id::BotId;
use crate::links::{Link, Lost};
use crate::mail::Letter;
use crate::metrics::{Names, Op};

/// What the engine does for a link beside carrying its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// TLS begins: where the session asked for it, or with the connection, before
    /// [`on_open`](Scenario::on_open). Its end is [`on_secured`](Scenario::on_secured).
    Handshake,
    /// The session has asked for a key that has to be derived, and waits for it.
    Derivation,
    /// It has that key.
    Derived,
}

/// What bots do. `&self` is what all of them share and never changes: phrases, accounts, settings.
///
/// Every callback runs on the bot's own shard, one at a time, and must not block.
pub trait Scenario: Sized + Send + Sync + 'static {
    /// The protocol, one for each link.
    type Session: Session;
    /// The state of one bot. It lies inline in a slab, a million times: keep it small.
    type Bot: Send + 'static;
    /// What bots of this kind tell each other.
    type Mail: Clone + Send + 'static;

    /// Names of ops, counters, gauges and values, each by its index.
    fn names(&self) -> Names {
        Names::default()
    }

    /// A new bot; also when it starts again under the plan's `repeat`.
    fn bot(&self, id: BotId, role: Role, rng: &mut Rng) -> Self::Bot;

    /// The session of a new link, for every dial, redial and accept.
    fn session(&self, id: BotId, bot: &mut Self::Bot, link: Link) -> Self::Session;

    /// The bot is launched. Unless overridden, a planned bot dials the plan's target.
    fn on_start(&self, bot: &mut Self::Bot, role: Role, ctx: &mut Ctx<'_, Self>) {
        let _ = bot;
        match role {
            Role::Planned => ctx.dial(),
            Role::Accepted { .. } => {}
            Role::Keeper { .. } => ctx.ready(),
        }
    }

    /// The byte stream of a link is up. Unless overridden, the bot is online now; a protocol with
    /// a login calls [`Ctx::ready`] when that has succeeded.
    fn on_open(&self, bot: &mut Self::Bot, link: Link, ctx: &mut Ctx<'_, Self>) {
        let _ = (bot, link);
        ctx.ready();
    }

    /// The engine does something for a link that its session neither sees nor hears.
    fn on_work(&self, bot: &mut Self::Bot, link: Link, work: Work, ctx: &mut Ctx<'_, Self>) {
        let _ = (bot, link, work, ctx);
    }

    /// TLS is up on a link, and its session has been opened over it. If TLS began with the
    /// connection, [`on_open`](Scenario::on_open) follows; otherwise it has been before.
    fn on_secured(&self, bot: &mut Self::Bot, link: Link, ctx: &mut Ctx<'_, Self>) {
        let _ = (bot, link, ctx);
    }

    /// The peer said something.
    fn on_event(
        &self,
        bot: &mut Self::Bot,
        event: <Self::Session as Session>::Event<'_>,
        ctx: &mut Ctx<'_, Self>,
    );

    /// The bot's wake is due; `ctx.due` says since when.
    fn on_wake(&self, bot: &mut Self::Bot, ctx: &mut Ctx<'_, Self>) {
        let _ = (bot, ctx);
    }

    /// A letter has come, from another bot or from this one.
    fn on_mail(&self, bot: &mut Self::Bot, letter: &Letter<Self::Mail>, ctx: &mut Ctx<'_, Self>) {
        let _ = (bot, letter, ctx);
    }

    /// An op ran out of time. It is counted already; its answer, if it still comes, is late.
    fn on_timeout(&self, bot: &mut Self::Bot, op: Op, ctx: &mut Ctx<'_, Self>) {
        let _ = (bot, op, ctx);
    }

    /// A link was lost, or an attempt to connect failed. Unless overridden, the bot dials again
    /// as the plan's back-off says.
    fn on_lost(&self, bot: &mut Self::Bot, link: Link, why: &Lost, ctx: &mut Ctx<'_, Self>) {
        let _ = (bot, link, why);
        ctx.redial();
    }

    /// The session of a link that was lost, before [`on_lost`](Scenario::on_lost): take from it
    /// what the next one needs to go on.
    fn salvage(&self, bot: &mut Self::Bot, session: Self::Session) {
        let _ = (bot, session);
    }

    /// A link heard nothing for the plan's liveness window: say something that will be answered,
    /// and return true. False means the scenario cannot ask; the open connection must do then.
    fn on_silent(&self, bot: &mut Self::Bot, link: Link, ctx: &mut Ctx<'_, Self>) -> bool {
        let _ = (bot, link, ctx);
        false
    }

    /// The run drains: finish what you began, begin nothing new. Unless overridden, a bot leaves
    /// when its ops in flight have ended.
    fn on_drain(&self, bot: &mut Self::Bot, ctx: &mut Ctx<'_, Self>) {
        let _ = bot;
        ctx.leave_when_idle();
    }

    /// Whether a group has a keeper. Asked once, when the group comes to be.
    fn keeps(&self, group: GroupId) -> bool {
        let _ = group;
        false
    }

    /// For keepers: `member` joined the group, or left it or died.
    fn on_member(&self, bot: &mut Self::Bot, member: BotId, joined: bool, ctx: &mut Ctx<'_, Self>) {
        let _ = (bot, member, joined, ctx);
    }
}
