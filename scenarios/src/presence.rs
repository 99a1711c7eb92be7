//! Users that hear each other's presence, and change their own at a pace: what a roster costs.
//!
//! ```text
//!   login --> online --roster--> seeds what is missing --> changes its presence at the pace
//!     ^         | lost           (once: a service keeps it)
//!     +---------+
//!
//!   for each pair, who has the lower id asks first:
//!     A --subscribe--> B --subscribed, subscribe--> A --subscribed--> B
//! ```
//! The bots stand in a ring by their ids, and each has as many contacts on one side as on the
//! other. A change of presence carries its name in its status, so that the ledger knows who had to
//! hear it: a bot owes the changes of a contact from the moment it first hears that contact, which
//! proves that the service knows of both. A presence with a stamp tells how a contact has been, and
//! is history.

use std::time::Duration;

use densebots_engine::{
    BotId, Counter, Ctx, GroupId, Link, Lost, Names, Op, Plan, Rng, Role, Scenario, Work,
};
use densebots_protocols::xmpp::{Event, Kind, Stanza, Subscription, Xmpp, namespace};

use crate::chat::{self, Chat, Stay, Told};
use crate::{Parameter, SettingError, Settings, Traffic};

/// What can be set, beside what all XMPP scenarios have.
pub const PARAMETERS: [Parameter; chat::PARAMETERS.len() + 2] = chat::with([
    Parameter { name: "contacts", default: "10", about: "of each bot, an even number" },
    Parameter { name: "pace", default: "60s", about: "between two changes of a bot's presence" },
]);

/// From the question to the answer.
const ROSTER: Op = Op(chat::OWN);
/// From the wish to hear a contact until that is granted.
const SUBSCRIBE: Op = Op(chat::OWN + 1);
/// From the moment a change was due until the service tells it back.
const CHANGE: Op = Op(chat::OWN + 2);

/// What the question for the roster is called.
const QUESTION: &str = "roster";

/// Presences of contacts that were heard.
const HEARD: Counter = Counter(0);
/// Subscriptions that were granted to a contact.
const GRANTED: Counter = Counter(1);

/// Each has a bit in a bot's memory.
const CONTACTS_MAX: u64 = 64;

/// What all bots share.
pub struct Presence {
    chat: Chat,
    first_id: u32,
    population: u32,
    /// Contacts on one side.
    side: u32,
    pace: Duration,
}

/// One bot.
pub struct Bot {
    stay: Stay,
    /// Contacts it hears, as the roster says: a bit each, in the order of [`Presence::contact`].
    hears: u64,
    /// Contacts it has heard since it logged in.
    heard: u64,
    /// Its first change is on the timer: a new login keeps the pace.
    paced: bool,
    online: bool,
    /// The roster has come.
    known: bool,
}

const _: () = assert!(size_of::<Bot>() <= 40);

impl Presence {
    /// From what was set.
    pub fn from(settings: &Settings, plan: &Plan) -> Result<Presence, SettingError> {
        let contacts = contacts(settings)?;
        let population = plan.load.bots_max().min(u64::from(u32::MAX));
        Ok(Presence {
            chat: Chat::from(settings, plan)?,
            first_id: plan.first_id,
            population: population as u32,
            side: (contacts / 2).min(population.saturating_sub(1) / 2) as u32,
            pace: settings.pace("pace")?,
        })
    }

    /// The traffic of one bot: its own changes, and those of its contacts.
    pub fn traffic(settings: &Settings) -> Result<Traffic, SettingError> {
        let rate = 1.0 / settings.pace("pace")?.as_secs_f64();
        let contacts = contacts(settings)? as f64;
        Ok(Traffic { sends: rate, hears: rate * (contacts + 1.0), bytes: 200 })
    }

    /// The contacts of a bot: those behind it, then those before it.
    fn contact(&self, id: BotId, nth: u32) -> BotId {
        let place = u64::from((id.0 - self.first_id) % self.population);
        let all = u64::from(self.population);
        let step = u64::from(nth % self.side.max(1)) + 1;
        let place = if nth < self.side { place + step } else { place + all - step };
        BotId(self.first_id + (place % all) as u32)
    }

    fn contacts(&self) -> u32 {
        2 * self.side
    }

    fn address(&self, id: BotId) -> String {
        format!("{}@{}", self.chat.name(id), self.chat.domain())
    }

    /// Which contact an address is of.
    fn which(&self, id: BotId, address: &str) -> Option<(u32, BotId)> {
        let bare = address.split('/').next()?;
        let of = |nth| (nth, self.contact(id, nth));
        (0..self.contacts()).map(of).find(|&(_, contact)| self.address(contact) == bare)
    }

    /// Asks for the subscriptions that are missing: at first, of each pair who has the lower id.
    fn seed(&self, bot: &Bot, all: bool, ctx: &mut Ctx<'_, Self>) {
        for nth in 0..self.contacts() {
            let contact = self.contact(ctx.id, nth);
            if bot.hears & 1 << nth == 0 && (all || ctx.id < contact) {
                self.subscribe(nth, contact, ctx);
            }
        }
    }

    fn subscribe(&self, nth: u32, contact: BotId, ctx: &mut Ctx<'_, Self>) {
        ctx.begin_nth(SUBSCRIBE, nth as u16);
        let to = self.address(contact);
        ctx.send(|session, out| session.subscription(&to, Subscription::Subscribe, out));
    }

    fn presence(&self, bot: &mut Bot, presence: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        let from = presence.from().unwrap_or_default();
        let status = presence.element().child("status", namespace::STANZAS);
        let status = status.map(|status| status.text()).unwrap_or_default();
        let known = ctx.ledger().read(status.as_bytes());
        if let Some(own) = known.filter(|known| known.sender == ctx.id) {
            ctx.end_nth(CHANGE, own.sequence as u16);
            return;
        }
        let Some((nth, contact)) = self.which(ctx.id, &from) else { return };
        let bit = 1 << nth;
        match presence.kind() {
            Kind::Subscribe => {
                ctx.count(GRANTED, 1);
                ctx.send(|session, out| {
                    session.subscription(&from, Subscription::Subscribed, out);
                });
                if bot.hears & bit == 0 && contact < ctx.id {
                    self.subscribe(nth, contact, ctx);
                }
            }
            Kind::Subscribed => {
                if bot.hears & bit == 0 {
                    ctx.end_nth(SUBSCRIBE, nth as u16);
                }
                bot.hears |= bit;
            }
            Kind::Available => {
                ctx.count(HEARD, 1);
                // The answer to a probe, where the service stamps it: how the contact has been for
                // some time (RFC 6121 section 4.3.2).
                let past = presence.delay().is_some();
                let group = circle(contact);
                if bot.heard & bit == 0 {
                    // How the contact is, said before the bot came: what follows it has to hear.
                    bot.heard |= bit;
                    if known.is_some() {
                        ctx.ledger().history();
                    }
                    ctx.ledger().entered(group);
                } else if let Some(known) = known {
                    match past {
                        true => ctx.ledger().history(),
                        false => ctx.ledger().heard(group, known),
                    }
                }
            }
            _ => {}
        }
    }

    /// The roster has come.
    fn roster(&self, bot: &mut Bot, iq: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        if iq.id().as_deref() != Some(QUESTION) || !ctx.in_flight(ROSTER) {
            return;
        }
        if iq.kind() != Kind::Result {
            ctx.fail(ROSTER);
            return;
        }
        ctx.end(ROSTER);
        let items = iq.payload();
        for item in items.iter().flat_map(|query| query.children()) {
            let [address, subscription] = item.attributes(["jid", "subscription"]);
            let hears = matches!(subscription.as_deref(), Some("both" | "to"));
            if let (true, Some(address)) = (hears, address)
                && let Some((nth, _)) = self.which(ctx.id, &address)
            {
                bot.hears |= 1 << nth;
            }
        }
        bot.known = true;
        self.seed(bot, false, ctx);
    }

    /// Says how the bot is now, in words that name this change.
    fn change(&self, ctx: &mut Ctx<'_, Self>) {
        let own = circle(ctx.id);
        let message = ctx.ledger().sent(own);
        ctx.begin_nth(CHANGE, message.sequence as u16);
        let show = message.sequence.is_multiple_of(2).then_some("away");
        ctx.send(|session, out| session.status(show, message.text().as_str(), out));
    }
}

/// Those who hear a bot's presence.
fn circle(of: BotId) -> GroupId {
    GroupId::numbered(of.0.into())
}

impl Scenario for Presence {
    type Session = Xmpp;
    type Bot = Bot;
    type Mail = ();

    fn names(&self) -> Names {
        let counters = ["heard", "granted"].map(|name| format!("presence.{name}"));
        Names {
            counters: counters.to_vec(),
            ledger: true,
            ..Names::ops(&chat::ops(["xmpp.roster", "xmpp.subscribe", "presence.change"]))
        }
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Bot {
        let stay = Stay::default();
        Bot { stay, hears: 0, heard: 0, paced: false, online: false, known: false }
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
                (bot.online, bot.known, bot.hears, bot.heard) = (true, false, 0, 0);
                ctx.ready();
                ctx.begin(ROSTER);
                ctx.send(|session, out| session.roster(QUESTION, out));
                if !std::mem::replace(&mut bot.paced, true) {
                    // Spread over one pace, or all bots that came together would change together.
                    let pause = crate::first_pause(self.pace, ctx.rng().fraction());
                    ctx.wake_in(pause);
                }
            }
            (Told::Resumed, _) => {
                bot.online = true;
                ctx.ready();
                ctx.ledger().resumed();
            }
            (Told::Other, Event::Presence(presence)) => self.presence(bot, &presence, ctx),
            (Told::Other, Event::Iq(iq)) => self.roster(bot, &iq, ctx),
            _ => {}
        }
    }

    fn on_wake(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        if ctx.draining() {
            return;
        }
        ctx.wake_at(ctx.due + self.pace);
        if !bot.online {
            return ctx.drop_load(CHANGE); // meant to be said, could not be: counted, not skipped
        }
        self.change(ctx);
        if !bot.known && !ctx.in_flight(ROSTER) {
            ctx.begin(ROSTER);
            ctx.send(|session, out| session.roster(QUESTION, out));
        } else if bot.known && !ctx.in_flight(SUBSCRIBE) {
            self.seed(bot, true, ctx);
        }
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
        bot.online = false;
        ctx.redial();
    }

    fn on_silent(&self, _: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) -> bool {
        ctx.send(|session, out| session.ping("", "alive", out))
    }
}

fn contacts(settings: &Settings) -> Result<u64, SettingError> {
    let contacts = settings.number("contacts", 0..=CONTACTS_MAX, "an even number up to 64")?;
    let even = contacts.is_multiple_of(2);
    if even { Ok(contacts) } else { Err(settings.fault("contacts", "an even number up to 64")) }
}
