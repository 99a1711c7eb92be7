//! Accounts made and removed over the network (XEP-0077): each bot does it once, and leaves.
//!
//! ```text
//!   make:    dial --> asks --> made, or there already --> leaves
//!   remove:  dial --> login --> asks --> removed --> leaves
//!              ^        |         |
//!              +--lost--+---------+     refused, or a login that failed: gives up
//! ```
//! An account that is there already is what was wanted, so a second run goes on where the first
//! ended. A login that fails says nothing of the kind: the account may be gone, or its password be
//! another one.

use densebots_engine::{
    BotId, Counter, Ctx, Link, Lost, Names, Op, Plan, Report, Rng, Role, Scenario,
};
use densebots_protocols::xmpp::{Event, Kind, SaslCondition, StanzaCondition, Xmpp};

use crate::accounts::Accounts;
use crate::chat::Chat;
use crate::{Ready, SettingError, Settings, refusals};

/// From the byte stream to the answer.
const MAKE: Op = Op(0);
/// From the wish to the answer.
const REMOVE: Op = Op(1);
/// The names of these ops.
const OPS: [&str; 2] = ["xmpp.register", "xmpp.unregister"];

/// Accounts made.
const MADE: Counter = Counter(0);
/// Accounts that were there already.
const THERE: Counter = Counter(1);
/// Accounts removed.
const REMOVED: Counter = Counter(2);
/// The first of the refusals.
const REFUSED: u16 = 3;

/// What becomes of the accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// They are made.
    Make,
    /// They are removed.
    Remove,
}

/// Prepares to make or to remove one account for each bot of the plan. Of `settings` those of a
/// login count, and not whose account it is.
pub fn prepare(
    purpose: Purpose,
    accounts: Accounts,
    settings: &Settings,
    plan: &Plan,
) -> Result<Ready, SettingError> {
    let chat = Chat::of(accounts, settings, plan)?;
    if !chat.has_accounts() {
        return Err(settings.fault("mechanism", "one that takes a password"));
    }
    Ok(Ready::of(Register { chat, purpose }))
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Accounts made.
    pub made: u64,
    /// Accounts that were there already.
    pub there: u64,
    /// Accounts removed.
    pub removed: u64,
    /// Wishes that the service refused, by its condition, none of them 0.
    pub refused: Vec<(&'static str, u64)>,
}

impl Tally {
    /// Of a report of such a run.
    pub fn of(report: &Report) -> Tally {
        let counted = |counter: Counter| report.total.counters[usize::from(counter.0)];
        let refused = StanzaCondition::ALL
            .iter()
            .map(|condition| (condition.name(), counted(refusals::counter(REFUSED, *condition))));
        Tally {
            made: counted(MADE),
            there: counted(THERE),
            removed: counted(REMOVED),
            refused: refused.filter(|(_, count)| *count > 0).collect(),
        }
    }

    /// Accounts that are as they should be.
    pub fn done(&self) -> u64 {
        self.made + self.there + self.removed
    }
}

struct Register {
    chat: Chat,
    purpose: Purpose,
}

/// One bot.
struct Bot {
    /// It has asked for its account to be removed.
    asked: bool,
}

impl Register {
    fn done(counter: Counter, ctx: &mut Ctx<'_, Self>) {
        ctx.count(counter, 1);
        ctx.ready();
        ctx.quit();
    }

    fn refused(condition: StanzaCondition, ctx: &mut Ctx<'_, Self>) {
        ctx.count(refusals::counter(REFUSED, condition), 1);
        ctx.give_up(condition.rule());
    }
}

impl Scenario for Register {
    type Session = Xmpp;
    type Bot = Bot;
    type Mail = ();

    fn names(&self) -> Names {
        let own = ["made", "there", "removed"].map(|name| format!("register.{name}"));
        Names { counters: own.into_iter().chain(refusals::names()).collect(), ..Names::ops(&OPS) }
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Bot {
        Bot { asked: false }
    }

    fn session(&self, id: BotId, _: &mut Bot, _: Link) -> Xmpp {
        match self.purpose {
            Purpose::Make => Xmpp::registering(self.chat.account(id)),
            Purpose::Remove => Xmpp::new(self.chat.account(id)),
        }
    }

    fn on_open(&self, _: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) {
        if self.purpose == Purpose::Make {
            ctx.begin(MAKE);
        }
    }

    fn on_event(&self, bot: &mut Bot, event: Event<'_>, ctx: &mut Ctx<'_, Self>) {
        match event {
            Event::Registered(Ok(())) => {
                ctx.end(MAKE);
                Self::done(MADE, ctx);
            }
            Event::Registered(Err(StanzaCondition::Conflict)) => {
                ctx.end(MAKE);
                Self::done(THERE, ctx);
            }
            Event::Registered(Err(condition)) => {
                ctx.fail(MAKE);
                Self::refused(condition, ctx);
            }
            Event::Online { .. } => {
                bot.asked = true;
                ctx.ready();
                ctx.begin(REMOVE);
                ctx.send(|session, out| session.unregister("remove", out));
            }
            Event::Iq(answer) if answer.id().as_deref() == Some("remove") => match answer.kind() {
                Kind::Error => {
                    ctx.fail(REMOVE);
                    Self::refused(refusals::condition(&answer), ctx);
                }
                _ => {
                    ctx.end(REMOVE);
                    Self::done(REMOVED, ctx);
                }
            },
            _ => {}
        }
    }

    fn on_timeout(&self, _: &mut Bot, _: Op, ctx: &mut Ctx<'_, Self>) {
        ctx.give_up("no answer in time");
    }

    fn on_lost(&self, bot: &mut Bot, _: Link, lost: &Lost, ctx: &mut Ctx<'_, Self>) {
        if bot.asked && lost.condition == SaslCondition::NotAuthorized.rule() {
            // The answer was lost with the last link, and the account is gone.
            Self::done(REMOVED, ctx);
        } else if SaslCondition::ALL.iter().any(|condition| condition.rule() == lost.condition) {
            ctx.give_up(lost.condition); // what was wrong is wrong again
        } else {
            ctx.redial();
        }
    }
}
