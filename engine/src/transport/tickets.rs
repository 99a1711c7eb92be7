//! Tickets of earlier sessions, one a bot: `Resume::PerBot`.
//!
//! rustls asks for a ticket, and hands one over, by the name of the service alone. So the shard
//! says whose turn it is before each step that may do so. All of that happens on the shard's own
//! thread: nobody ever waits for the lock, which rustls's interface asks for.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

use crate::links::NONE;

/// Of what a bot was given, the last: the next link of it needs one.
enum Ticket {
    /// Good for any number of links.
    Tls12(Tls12ClientSessionValue),
    /// Good for one (RFC 8446, appendix C.4).
    Tls13(Tls13ClientSessionValue),
}

/// The tickets of a shard's bots.
pub(super) struct Tickets(Mutex<Held>);

struct Held {
    /// By bot key. Bots without one cost a word.
    tickets: Vec<Option<Box<Ticket>>>,
    /// The bot whose link is looked at; `NONE`: a link that is nobody's any more.
    turn: u32,
    /// The group of the last key exchange, no secret: the next one offers it first.
    group: Option<NamedGroup>,
}

impl Tickets {
    pub(super) fn new() -> Tickets {
        Tickets(Mutex::new(Held { tickets: Vec::new(), turn: NONE, group: None }))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes next is the business of this bot.
    pub(super) fn turn(&self, bot: u32) {
        self.held().turn = bot;
    }

    /// A bot has ended: whoever gets its place must not come as it.
    pub(super) fn forget(&self, bot: u32) {
        if let Some(place) = self.held().tickets.get_mut(bot as usize) {
            *place = None;
        }
    }

    /// The bots that have one.
    pub(super) fn owners(&self) -> Vec<u32> {
        let held = self.held();
        let all = held.tickets.iter().enumerate();
        all.filter(|(_, place)| place.is_some()).map(|(bot, _)| bot as u32).collect()
    }
}

impl Held {
    fn keep(&mut self, ticket: Ticket) {
        if self.turn == NONE {
            return;
        }
        let at = self.turn as usize;
        if at >= self.tickets.len() {
            self.tickets.resize_with(at + 1, || None);
        }
        self.tickets[at] = Some(Box::new(ticket));
    }

    /// The ticket of the bot whose turn it is, if it is of this kind.
    fn own(&mut self, wanted: fn(&Ticket) -> bool) -> Option<&mut Option<Box<Ticket>>> {
        let place = self.tickets.get_mut(self.turn as usize)?;
        place.as_deref().is_some_and(wanted).then_some(place)
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets") // never what is in them
    }
}

fn of_12(ticket: &Ticket) -> bool {
    matches!(ticket, Ticket::Tls12(_))
}

fn of_13(ticket: &Ticket) -> bool {
    matches!(ticket, Ticket::Tls13(_))
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.held().group = Some(group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.held().group
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.held().keep(Ticket::Tls12(session));
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        match self.held().own(of_12)?.as_deref() {
            Some(Ticket::Tls12(session)) => Some(session.clone()),
            _ => None,
        }
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        if let Some(place) = self.held().own(of_12) {
            *place = None;
        }
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.held().keep(Ticket::Tls13(ticket));
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        match *self.held().own(of_13)?.take()? {
            Ticket::Tls13(ticket) => Some(ticket),
            Ticket::Tls12(_) => None,
        }
    }
}
