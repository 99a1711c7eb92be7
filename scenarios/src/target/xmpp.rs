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
use std::time::Duration;

use densebots_engine::{
    BotId, Counter, Ctx, GroupId, Letter, Link, Lost, Names, Plan, Rng, Role, Scenario,
};
use densebots_protocols::xmpp::sasl::{BINDING, Offer};
use densebots_protocols::xmpp::server::{self, Domain, Event, Hosted, STANZA_MAX, Starttls};
use densebots_protocols::xmpp::{Kind, Stanza, StanzaCondition, namespace};

use super::guest::{Guest, Held, Place, Presence};
use super::parcel::{Entry, Mail, Parcel, Routed};
use super::people::{Admission, People};
use super::room::{DISCO, ROOM_IDENTITY, Room};
use super::switchboard::{Switchboard, numbers};

/// Messages that were not delivered, on purpose.
const DROPPED: Counter = Counter(0);
/// Messages that were delivered twice, on purpose.
const DUPLICATED: Counter = Counter(1);
/// Messages that were held back for a time, on purpose.
const DELAYED: Counter = Counter(2);
/// Messages that went out behind the next one, on purpose.
const REORDERED: Counter = Counter(3);

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
    /// What it does wrong, on purpose.
    pub meddling: Meddling,
}

impl Default for Service {
    fn default() -> Service {
        Service {
            domain: "localhost".to_owned(),
            admission: Admission::Anybody { password: "secret".to_owned() },
            starttls: Starttls::Off,
            registration: true,
            occupants_max: 10_000,
            meddling: Meddling::default(),
        }
    }
}

/// What a target does to one in so many deliveries in rooms; 0 is never. For tests of whoever
/// claims to notice.
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
}

/// The target.
pub struct XmppTarget {
    domain: Arc<Domain>,
    rooms: String,
    occupants_max: u32,
    meddling: Meddling,
    /// Where the listening bots listen, in the order of their ids.
    listen: Vec<SocketAddr>,
    first_id: u32,
}

/// A listener, a user or a room.
pub struct Tenant(Part);

enum Part {
    Listener(Box<Switchboard>),
    Guest(Guest),
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
            meddling: service.meddling,
            listen: plan.endpoints.iter().map(|endpoint| endpoint.address).collect(),
            first_id: plan.first_id,
        }
    }

    /// Who knows where the users of an account are.
    fn switchboard(&self, account: u64) -> BotId {
        BotId(self.first_id + (account % self.listen.len().max(1) as u64) as u32)
    }
}

impl Scenario for XmppTarget {
    type Session = Hosted;
    type Bot = Tenant;
    type Mail = Mail;

    fn names(&self) -> Names {
        let names = ["dropped", "duplicated", "delayed", "reordered"];
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
        let Part::Guest(guest) = &mut tenant.0 else { return };
        match event {
            Event::Bound => {
                let mut address = None;
                ctx.send(|session, _| address = session.take_address());
                guest.address = address;
                self.register(guest, true, ctx);
                ctx.ready();
            }
            Event::Message(stanza) | Event::Presence(stanza) | Event::Iq(stanza) => {
                self.said(guest, &stanza, ctx);
            }
            Event::Ended(_) => {
                self.register(guest, false, ctx);
                ctx.quit();
            }
        }
    }

    fn on_mail(&self, tenant: &mut Tenant, letter: &Letter<Mail>, ctx: &mut Ctx<'_, Self>) {
        match &mut tenant.0 {
            Part::Listener(switchboard) => switchboard.hear(letter.from, &letter.body, ctx),
            Part::Room(room) => room.hear(letter.from, &letter.body, ctx, self.occupants_max),
            Part::Guest(guest) => self.heard(guest, letter, ctx),
        }
    }

    fn on_wake(&self, tenant: &mut Tenant, ctx: &mut Ctx<'_, Self>) {
        if let Part::Guest(guest) = &mut tenant.0
            && let Some(parcel) = guest.release(true)
        {
            write(guest, &parcel, ctx);
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
        if let Part::Guest(guest) = &mut tenant.0 {
            self.register(guest, false, ctx);
        }
    }
}

/// Stanzas of users.
impl XmppTarget {
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

    fn said(&self, guest: &mut Guest, stanza: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        let Some(address) = guest.address.as_deref() else { return };
        let bare = address.split('/').next().unwrap_or_default();
        let to = stanza.to().unwrap_or_default();
        let (local, host) = split(&to);
        if host == self.rooms {
            return self.to_rooms(guest, stanza, local.is_some(), ctx);
        }
        let own = to.is_empty() || to == *self.domain.name || to == bare;
        match stanza.element().name() {
            "iq" if own => self.asked(guest, stanza, ctx),
            "presence" if own => {} // nobody hears of it who has not subscribed
            "message" if to.is_empty() => self.route(guest, bare, stanza, ctx),
            _ if local.is_some() && host == &*self.domain.name => {
                self.route(guest, &to, stanza, ctx);
            }
            "presence" => {}
            _ => back(stanza, StanzaCondition::RemoteServerNotFound, ctx),
        }
    }

    /// Sends a stanza to another user.
    fn route(&self, guest: &Guest, to: &str, stanza: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        let Some(address) = guest.address.as_deref() else { return };
        // A subscription is between accounts (RFC 6121 section 3.1.2).
        let subscription = matches!(
            stanza.kind(),
            Kind::Subscribe | Kind::Subscribed | Kind::Unsubscribe | Kind::Unsubscribed
        );
        let bare = address.split('/').next().unwrap_or_default();
        let from = if subscription { bare } else { address };
        let mut bytes = Vec::with_capacity(stanza.element().source().len() + from.len() + 8);
        let place = server::readdress(stanza, from, &mut bytes);
        let parcel = Parcel::to_anybody(bytes, place);
        let routed = Arc::new(Routed { to: to.into(), parcel });
        ctx.send_to(self.switchboard(numbers(to).0), Mail::Route(routed));
    }

    /// A question or an order to the server or to the own account.
    fn asked(&self, guest: &mut Guest, stanza: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        if !matches!(stanza.kind(), Kind::Get | Kind::Set) {
            return;
        }
        let Some(query) = stanza.payload() else {
            return back(stanza, StanzaCondition::BadRequest, ctx);
        };
        match query.namespace() {
            namespace::ROSTER => answer(stanza, ctx, |out| {
                if stanza.kind() == Kind::Get {
                    out.extend_from_slice(b"<query xmlns='jabber:iq:roster'/>");
                }
            }),
            namespace::REGISTER if query.child("remove", namespace::REGISTER).is_some() => {
                let account =
                    guest.address.as_deref().and_then(|address| address.split('@').next());
                match self.domain.directory.unregister(account.unwrap_or_default()) {
                    Ok(()) => answer(stanza, ctx, |_| {}),
                    Err(condition) => back(stanza, condition, ctx),
                }
            }
            DISCO => answer(stanza, ctx, |out| {
                out.extend_from_slice(b"<query xmlns='http://jabber.org/protocol/disco#info'>");
                out.extend_from_slice(b"<identity category='server' type='im' name='densebots'/>");
                out.extend_from_slice(b"<feature var='http://jabber.org/protocol/disco#info'/>");
                out.extend_from_slice(b"<feature var='http://jabber.org/protocol/disco#items'/>");
                out.extend_from_slice(b"<feature var='urn:xmpp:ping'/></query>");
            }),
            ITEMS => answer(stanza, ctx, |out| {
                let rooms = &self.rooms;
                let items = format!("<query xmlns='{ITEMS}'><item jid='{rooms}'/></query>");
                out.extend_from_slice(items.as_bytes());
            }),
            _ => back(stanza, StanzaCondition::ServiceUnavailable, ctx),
        }
    }
}

/// Rooms, as users see them.
impl XmppTarget {
    fn to_rooms(
        &self,
        guest: &mut Guest,
        stanza: &Stanza<'_>,
        to_one: bool,
        ctx: &mut Ctx<'_, Self>,
    ) {
        let to = stanza.to().unwrap_or_default();
        let (room, nick) = match to.split_once('/') {
            Some((room, nick)) => (room, Some(nick)),
            None => (&*to, None),
        };
        let group = GroupId::named(room.to_ascii_lowercase());
        let kind = stanza.kind();
        let place = guest.place(group).map(|place| *place);
        let question = matches!(kind, Kind::Get | Kind::Set);
        match (stanza.element().name(), place) {
            ("presence", _) if kind == Kind::Available => match nick.filter(|_| to_one) {
                Some(nick) => self.enter(guest, group, room, nick, ctx),
                None => back(stanza, StanzaCondition::JidMalformed, ctx),
            },
            ("presence", Some(place)) if place.state == Presence::Waiting => {
                guest.take_want(group);
                guest.remove(group);
                ctx.leave(group);
            }
            (name, Some(Place { keeper, state: Presence::Inside, .. })) => {
                if name == "presence"
                    && kind == Kind::Unavailable
                    && let Some(place) = guest.place(group)
                {
                    place.state = Presence::Leaving;
                }
                let address = guest.address.as_deref().unwrap_or_default();
                let mut bytes = Vec::with_capacity(stanza.element().source().len() + 64);
                let at = server::readdress(stanza, address, &mut bytes);
                let parcel = Parcel::to_anybody(bytes, at).addressed(&to);
                ctx.send_to(keeper, Mail::ToRoom(parcel));
            }
            ("iq", _) if question => self.asked_outside(stanza, to_one, ctx),
            ("message", _) if kind != Kind::Error => {
                back(stanza, StanzaCondition::NotAcceptable, ctx);
            }
            _ => {}
        }
    }

    fn enter(
        &self,
        guest: &mut Guest,
        group: GroupId,
        room: &str,
        nick: &str,
        ctx: &mut Ctx<'_, Self>,
    ) {
        let address = guest.address.clone().unwrap_or_default();
        let entry = Arc::new(Entry { room: room.into(), nick: nick.into(), address });
        match guest.place(group).map(|place| *place) {
            Some(Place { keeper, state: Presence::Inside | Presence::Asking, .. }) => {
                ctx.send_to(keeper, Mail::Enter(entry));
            }
            Some(_) => guest.want(group, entry),
            None => {
                guest.want(group, entry);
                let nobody = BotId(0);
                guest.add(Place { group, keeper: nobody, state: Presence::Waiting });
                ctx.join(group);
            }
        }
    }

    /// Questions by who is not in the room, or to all rooms together.
    fn asked_outside(&self, stanza: &Stanza<'_>, one: bool, ctx: &mut Ctx<'_, Self>) {
        let payload = stanza.payload();
        match payload.map_or("", |payload| payload.namespace()) {
            DISCO => answer(stanza, ctx, |out| out.extend_from_slice(ROOM_IDENTITY)),
            ITEMS => answer(stanza, ctx, |out| {
                out.extend_from_slice(format!("<query xmlns='{ITEMS}'/>").as_bytes());
            }),
            namespace::PING if !one => answer(stanza, ctx, |_| {}),
            _ if one => back(stanza, StanzaCondition::NotAcceptable, ctx),
            _ => back(stanza, StanzaCondition::ServiceUnavailable, ctx),
        }
    }
}

/// Letters to users.
impl XmppTarget {
    fn heard(&self, guest: &mut Guest, letter: &Letter<Mail>, ctx: &mut Ctx<'_, Self>) {
        match &letter.body {
            Mail::Welcome(group) => {
                let Some(entry) = guest.take_want(*group) else { return };
                let Some(place) = guest.place(*group) else { return };
                (place.keeper, place.state) = (letter.from, Presence::Asking);
                ctx.send_to(letter.from, Mail::Enter(entry));
            }
            Mail::Refused(group, parcel) => {
                write(guest, parcel, ctx);
                if guest.place(*group).is_some_and(|place| place.state == Presence::Asking) {
                    out_of(guest, *group, ctx);
                }
            }
            Mail::Over(group, parcel) => {
                write(guest, parcel, ctx);
                out_of(guest, *group, ctx);
            }
            Mail::ToOne(parcel) => write(guest, parcel, ctx),
            Mail::Nobody(routed) => nobody(guest, routed, ctx),
            Mail::Replaced => {
                guest.address = None;
                ctx.send(|session, out| session.fail("conflict", out));
                ctx.quit();
            }
            in_room => {
                if let Some(group) = letter.group {
                    self.heard_in_room(guest, group, in_room, ctx);
                }
            }
        }
    }

    fn heard_in_room(
        &self,
        guest: &mut Guest,
        group: GroupId,
        mail: &Mail,
        ctx: &mut Ctx<'_, Self>,
    ) {
        match mail {
            Mail::Entered { who, own, .. } if *who == ctx.id => {
                if let Some(place) = guest.place(group) {
                    if place.state == Presence::Asking {
                        place.state = Presence::Inside;
                    }
                    write(guest, own, ctx);
                }
            }
            _ if !guest.is_inside(group) => {} // of a time before it came
            Mail::Left { who, own, .. } if *who == ctx.id => {
                write(guest, own, ctx);
                out_of(guest, group, ctx);
            }
            Mail::Entered { others, .. } | Mail::Left { others, .. } => write(guest, others, ctx),
            Mail::Said(parcel) if parcel.is_message() && self.meddling != Meddling::default() => {
                self.meddle(guest, parcel, ctx);
            }
            Mail::Said(parcel) => write(guest, parcel, ctx),
            _ => {}
        }
    }

    /// Delivers a message, as a rule.
    fn meddle(&self, guest: &mut Guest, parcel: &Arc<Parcel>, ctx: &mut Ctx<'_, Self>) {
        let Meddling { drop, duplicate, delay, delay_by, reorder } = self.meddling;
        let mut struck = |one_in: u64| one_in > 0 && ctx.rng().below(one_in) == 0;
        if struck(drop) {
            return ctx.count(DROPPED, 1);
        }
        let (twice, late, swapped) = (struck(duplicate), struck(delay), struck(reorder));
        if (late || swapped) && !guest.holds() {
            ctx.count(if late { DELAYED } else { REORDERED }, 1);
            guest.hold(Held { parcel: parcel.clone(), swapped: !late });
            return ctx.wake_in(if late { delay_by } else { SWAP_MAX });
        }
        write(guest, parcel, ctx);
        if twice {
            ctx.count(DUPLICATED, 1);
            write(guest, parcel, ctx);
        }
        if let Some(held) = guest.release(false) {
            ctx.forget_wake();
            write(guest, &held, ctx);
        }
    }
}

/// What is where (XEP-0030).
const ITEMS: &str = "http://jabber.org/protocol/disco#items";

/// The part of an address before the `@`, if there is one, and the one behind it.
fn split(address: &str) -> (Option<&str>, &str) {
    let bare = address.split('/').next().unwrap_or_default();
    match bare.split_once('@') {
        Some((local, host)) => (Some(local), host),
        None => (None, bare),
    }
}

fn write(guest: &Guest, parcel: &Parcel, ctx: &mut Ctx<'_, XmppTarget>) {
    if let Some(address) = &guest.address {
        ctx.send(|_, out| parcel.write(address, out));
    }
}

fn answer(stanza: &Stanza<'_>, ctx: &mut Ctx<'_, XmppTarget>, payload: impl FnOnce(&mut Vec<u8>)) {
    ctx.send(|_, out| server::answer(stanza, out, payload));
}

/// Refuses a stanza, unless it is an answer itself.
fn back(stanza: &Stanza<'_>, condition: StanzaCondition, ctx: &mut Ctx<'_, XmppTarget>) {
    if !matches!(stanza.kind(), Kind::Error | Kind::Result) {
        ctx.send(|_, out| server::refuse(stanza, condition, out));
    }
}

/// A guest is no occupant any more, and may want to be one again.
fn out_of(guest: &mut Guest, group: GroupId, ctx: &mut Ctx<'_, XmppTarget>) {
    ctx.leave(group);
    guest.remove(group);
    if let Some(entry) = guest.take_want(group) {
        guest.want(group, entry);
        guest.add(Place { group, keeper: BotId(0), state: Presence::Waiting });
        ctx.join(group);
    }
}

/// The answer for nobody (RFC 6121 section 8.5): presences get none.
fn nobody(guest: &Guest, routed: &Routed, ctx: &mut Ctx<'_, XmppTarget>) {
    let whole = routed.parcel.addressed(&routed.to);
    let Ok(stanza) = whole.stanza() else { return };
    if stanza.element().name() != "presence" && guest.address.is_some() {
        back(&stanza, StanzaCondition::ServiceUnavailable, ctx);
    }
}
