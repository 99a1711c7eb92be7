//! The embedded target as an XMPP server: users, rooms, and what one says to the other.
//!
//! ```text
//!   user's link -- stanza --> guest -- letter --> keeper of the room -- group --> guests --> links
//!                               \ -- letter --> switchboard of the account -- letter --> guest
//! ```
//!
//! Guests are the accepted bots, keepers keep rooms (`room.rs`), and each listening bot is also
//! the switchboard of a part of the accounts (`switchboard.rs`). A stanza is encoded once and then
//! shared (`parcel.rs`); only the `to` attribute differs from one hearer to the next.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use densebots_engine::{
    BotId, Counter, Ctx, GroupId, Letter, Link, Lost, Names, Plan, Rng, Role, Scenario,
};
use densebots_protocols::xmpp::sasl::{BINDING, Offer};
pub use densebots_protocols::xmpp::server::Starttls;
use densebots_protocols::xmpp::server::{self, Domain, Event, Hosted, STANZA_MAX};
use densebots_protocols::xmpp::{Kind, Stanza, StanzaCondition};

use super::guest::Guest;
use super::parcel::{Mail, Parcel, Wired};
use super::people::{Admission, People};
use super::room::Room;
use super::switchboard::{Switchboard, numbers};

mod letters;
mod stanzas;
#[cfg(test)]
mod tests;
mod wires;

pub use wires::AWAY_MAX;
use wires::Relay;

/// Messages that were not delivered, on purpose.
const DROPPED: Counter = Counter(0);
/// Messages that were delivered twice, on purpose.
const DUPLICATED: Counter = Counter(1);
/// Messages that were held back for a time, on purpose.
const DELAYED: Counter = Counter(2);
/// Messages that went out behind the next one, on purpose.
const REORDERED: Counter = Counter(3);
/// Streams that went on over another link.
const RESUMED: Counter = Counter(4);
/// Users whose link was lost and that did not come back in time.
const WENT: Counter = Counter(5);

/// How long a message waits for the next one, to go out behind it.
const SWAP_MAX: Duration = Duration::from_secs(1);

/// What the service is like.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its domain; rooms are at `conference.` of it.
    pub domain: String,
    /// Who may log in.
    pub admission: Admission,
    /// Whether streams are changed to TLS. Needs a plan whose listeners can.
    pub starttls: Starttls,
    /// Whether accounts can be made (XEP-0077).
    pub registration: bool,
    /// Occupants of one room.
    pub occupants_max: u32,
    /// The time of day at which it begins, since 1970: what rooms tell of earlier carries it.
    pub began: Duration,
    /// What it does wrong, on purpose.
    pub meddling: Meddling,
}

impl Default for Service {
    fn default() -> Service {
        Service {
            domain: "localhost".to_owned(),
            admission: Admission::Anybody { password: String::new() },
            starttls: Starttls::Off,
            registration: true,
            occupants_max: 10_000,
            began: Duration::ZERO,
            meddling: Meddling::default(),
        }
    }
}

/// What a target does to one in so many deliveries of messages, in rooms and to one user; 0 is
/// never. For tests of whoever claims to notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meddling {
    /// It is not delivered.
    pub drop: u64,
    /// It is delivered twice.
    pub duplicate: u64,
    /// It waits for [`Meddling::delay_by`].
    pub delay: u64,
    /// How long.
    pub delay_by: Duration,
    /// It goes out behind the next one.
    pub reorder: u64,
    /// All messages, in rooms and to one user, come without the ids that their senders gave them.
    pub drop_ids: bool,
}

/// The target.
pub struct XmppTarget {
    domain: Arc<Domain>,
    rooms: String,
    pub(super) occupants_max: u32,
    pub(super) began: Duration,
    meddling: Meddling,
    /// Where the listening bots listen, in the order of their ids.
    listen: Vec<SocketAddr>,
    first_id: u32,
    /// Users whose link is lost and that may come back.
    away: AtomicUsize,
}

/// A listener, a user, a wire to one, or a room.
pub struct Tenant(Part);

enum Part {
    Listener(Box<Switchboard>),
    Guest(Guest),
    Relay(Relay),
    Room(Box<Room>),
}

const _: () = assert!(size_of::<Tenant>() <= 48);

impl XmppTarget {
    /// A target that listens on the endpoints of its plan, one bot each.
    pub fn new(service: &Service, plan: &Plan) -> XmppTarget {
        let names = [
            "SCRAM-SHA-512-PLUS",
            "SCRAM-SHA-256-PLUS",
            "SCRAM-SHA-1-PLUS",
            "SCRAM-SHA-512",
            "SCRAM-SHA-256",
            "SCRAM-SHA-1",
            "PLAIN",
            "EXTERNAL",
            "ANONYMOUS",
        ];
        let offer = Offer::default().with_binding(BINDING);
        let domain = Domain {
            name: service.domain.as_str().into(),
            mechanisms: names.iter().fold(offer, |offer, name| offer.with(name)),
            starttls: service.starttls,
            registration: service.registration,
            longest: STANZA_MAX,
            directory: Box::new(People::new(&service.admission)),
        };
        XmppTarget {
            domain: Arc::new(domain),
            rooms: format!("conference.{}", service.domain),
            occupants_max: service.occupants_max,
            began: service.began,
            meddling: service.meddling,
            listen: plan.endpoints.iter().map(|endpoint| endpoint.address).collect(),
            first_id: plan.first_id,
            away: AtomicUsize::new(0),
        }
    }

    /// Who knows where the users of an account are.
    pub(super) fn switchboard(&self, account: u64) -> BotId {
        BotId(self.first_id + (account % self.listen.len().max(1) as u64) as u32)
    }

    /// Tells the switchboard that a user is here, or gone.
    fn register(&self, guest: &mut Guest, here: bool, ctx: &mut Ctx<'_, Self>) {
        let Some((account, Some(resource))) = guest.address.as_deref().map(numbers) else { return };
        let mail = match here {
            true => Mail::Here { account, resource },
            false => Mail::Gone { account, resource },
        };
        ctx.send_to(self.switchboard(account), mail);
        if !here {
            guest.address = None; // it is said once
        }
    }
}

impl Scenario for XmppTarget {
    type Session = Hosted;
    type Bot = Tenant;
    type Mail = Mail;

    fn names(&self) -> Names {
        let names = ["dropped", "duplicated", "delayed", "reordered", "resumed", "went"];
        Names { counters: names.map(|name| format!("target.{name}")).to_vec(), ..Names::default() }
    }

    fn bot(&self, _: BotId, role: Role, _: &mut Rng) -> Tenant {
        Tenant(match role {
            Role::Planned => Part::Listener(Box::default()),
            Role::Accepted { .. } => Part::Guest(Guest::default()),
            Role::Keeper { group } => Part::Room(Box::new(Room::new(group))),
        })
    }

    fn session(&self, _: BotId, _: &mut Tenant, _: Link) -> Hosted {
        Hosted::new(self.domain.clone())
    }

    fn on_start(&self, _: &mut Tenant, role: Role, ctx: &mut Ctx<'_, Self>) {
        match role {
            Role::Accepted { .. } => {}
            Role::Keeper { .. } => ctx.ready(),
            Role::Planned => match self.listen.get((ctx.id.0 - self.first_id) as usize) {
                Some(&at) => {
                    ctx.listen(at);
                    ctx.ready();
                }
                None => ctx.give_up("more listening bots than addresses to listen on"),
            },
        }
    }

    fn on_open(&self, _: &mut Tenant, _: Link, _: &mut Ctx<'_, Self>) {}

    fn on_event(&self, tenant: &mut Tenant, event: Event<'_>, ctx: &mut Ctx<'_, Self>) {
        let guest = match &mut tenant.0 {
            Part::Guest(guest) => guest,
            Part::Relay(relay) => return relay.pass_on(&event, self, ctx),
            Part::Listener(_) | Part::Room(_) => return,
        };
        match event {
            Event::Bound => {
                let mut address = None;
                ctx.send(|session, _| address = session.take_address());
                guest.address = address;
                self.register(guest, true, ctx);
                ctx.ready();
            }
            Event::Resume(stream, heard) => self.ask_to_resume(tenant, &stream, heard, ctx),
            event => {
                self.hears(guest, &event, ctx);
                self.end_if_broken(guest, ctx);
            }
        }
    }

    fn on_mail(&self, tenant: &mut Tenant, letter: &Letter<Mail>, ctx: &mut Ctx<'_, Self>) {
        match &mut tenant.0 {
            Part::Listener(switchboard) => switchboard.hear(letter.from, &letter.body, self, ctx),
            Part::Room(room) => room.hear(letter.from, &letter.body, self, ctx),
            Part::Relay(_) if matches!(letter.body, Mail::NotResumed) => {
                self.resume_nothing(tenant, ctx);
            }
            Part::Relay(relay) => relay.hear(letter.from, &letter.body, ctx),
            Part::Guest(guest) => {
                self.heard(guest, letter, ctx);
                self.end_if_broken(guest, ctx);
            }
        }
    }

    fn on_wake(&self, tenant: &mut Tenant, ctx: &mut Ctx<'_, Self>) {
        match &mut tenant.0 {
            Part::Guest(guest) if guest.is_away() => self.went(guest, ctx),
            Part::Guest(guest) => {
                if let Some(parcel) = guest.release(true) {
                    write(guest, &parcel, ctx);
                    self.end_if_broken(guest, ctx);
                }
            }
            Part::Relay(relay) => {
                self.let_go(relay, Wired::Lost, ctx);
                self.resume_nothing(tenant, ctx);
            }
            Part::Listener(_) | Part::Room(_) => {}
        }
    }

    fn on_member(&self, tenant: &mut Tenant, who: BotId, joined: bool, ctx: &mut Ctx<'_, Self>) {
        if let Part::Room(room) = &mut tenant.0 {
            room.member(who, joined, ctx);
        }
    }

    fn keeps(&self, _: GroupId) -> bool {
        true
    }

    fn on_lost(&self, tenant: &mut Tenant, _: Link, _: &Lost, ctx: &mut Ctx<'_, Self>) {
        match &mut tenant.0 {
            Part::Guest(guest) => self.lost(guest, ctx),
            Part::Relay(relay) => self.let_go(relay, Wired::Lost, ctx),
            Part::Listener(_) | Part::Room(_) => {}
        }
    }
}

/// Says stanzas to a user, wherever it is.
fn say(guest: &mut Guest, ctx: &mut Ctx<'_, XmppTarget>, append: impl FnOnce(&mut Vec<u8>)) {
    match guest.lasting() {
        None => _ = ctx.send(|_, out| append(out)),
        Some(lasting) => lasting.say(append, ctx),
    }
}

fn write(guest: &mut Guest, parcel: &Parcel, ctx: &mut Ctx<'_, XmppTarget>) {
    let Some(address) = guest.address.take() else { return };
    say(guest, ctx, |out| parcel.write(&address, out));
    guest.address = Some(address);
}

fn answer(
    guest: &mut Guest,
    stanza: &Stanza<'_>,
    ctx: &mut Ctx<'_, XmppTarget>,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    say(guest, ctx, |out| server::answer(stanza, out, payload));
}

/// Refuses a stanza, unless it is an answer itself.
fn back(
    guest: &mut Guest,
    stanza: &Stanza<'_>,
    condition: StanzaCondition,
    ctx: &mut Ctx<'_, XmppTarget>,
) {
    if !matches!(stanza.kind(), Kind::Error | Kind::Result) {
        say(guest, ctx, |out| server::refuse(stanza, condition, out));
    }
}
