//! Plain or TLS on a link: with `transport/` and `derive.rs` the one place that names a library
//! of cryptography.
//!
//! ```text
//!             begin              place free            done
//!   plain ------------> waiting ------------> shaking -------> kept ---------> dense
//!                                                |               |  TLS 1.3, and |
//!                                                +-- fault ----> gone  the plan <+
//! ```
//!
//! Three tiers behind one seam. *Plain* costs nothing: its links have no place in the table.
//! *Kept* is a connection of rustls (0.23, unbuffered), about 3 kB. *Dense* is two traffic keys,
//! inline in the table; everything else is given up after the handshake. Ciphers are made anew,
//! for every record of a kept link and every batch of records of a dense one. Both decrypt into one
//! scratch of the shard.
//!
//! Verbs: [`begin`](Transports::begin), [`start`](Transports::start) (the handshake),
//! [`open`](Transports::open) what has come, [`seal`](Transports::seal) what is said,
//! [`part`](Transports::part) with a close_notify, [`forget`](Transports::forget).

use std::collections::VecDeque;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;

mod ciphers;
mod config;
mod open;
mod record;
mod secrets;
mod tickets;
mod verifier;
mod whole;
pub(crate) mod words;

use crate::links::Link;
use crate::plan::{Tier, Tls};
use crate::time::Time;
use config::Configs;
use record::Dense;
#[cfg(feature = "fuzzed")]
pub use record::RecordLayer;
use secrets::Exporter;
use tickets::Tickets;
use whole::{Side, Whole};
pub(crate) use words::Fault;

/// Handshakes in flight on one shard: each holds 3.2 kB, and the answer to one costs 130 to 195 µs
/// that others wait for.
pub(crate) const SHAKING_MAX: usize = 64;
/// Steps of cryptography in one turn, of about 150 µs each: a flight of a handshake is one, a
/// derivation several. A turn stays near a millisecond, and lag (limited from 5 ms on) bounded.
pub(crate) const STEPS_MAX: u32 = 8;
/// A scratch that a burst grew beyond this is given back.
const SCRATCH_MAX: usize = 1 << 20;

/// The TLS of one shard's links, by link key. Empty in a run without TLS.
pub(crate) struct Transports {
    configs: Option<Configs>,
    table: Vec<Secure>,
    /// Links that wait for a place among the handshakes in flight.
    waiting: VecDeque<Link>,
    /// Handshakes in flight, and until when each may take.
    shaking: Vec<(Time, Link)>,
    /// What is decrypted and encrypted at the moment, for all links.
    pub(crate) plain: Vec<u8>,
    pub(crate) wire: Vec<u8>,
    /// Links with bytes of their handshakes to write at the end of this turn.
    pub(crate) wired: Vec<Link>,
    /// Steps of cryptography left in this turn.
    pub(crate) steps: u32,
}

/// The TLS of one link.
#[derive(Default)]
struct Secure {
    /// Bytes of an unfinished record. Heap only while there are some.
    #[allow(clippy::box_collection)] // one word, as the pool lends it
    rest: Option<Box<Vec<u8>>>,
    state: State,
}

// What a link over dense TLS costs beyond a plain one.
const _: () = assert!(size_of::<Secure>() <= 120);

#[derive(Default)]
enum State {
    #[default]
    Plain,
    Opening(Box<Opening>),
    Kept(Whole),
    Dense(Dense),
}

/// A link on its way to TLS.
struct Opening {
    /// `None` while it waits for a place.
    whole: Option<Whole>,
    /// Caught when rustls derived it; for an accepted link that is before its handshake is over.
    exporter: Option<Exporter>,
    /// Something came while it waited for its place, and was not read.
    missed: bool,
    /// What was said meanwhile; it goes out when the handshake is over.
    held: Vec<u8>,
    /// When it was meant to begin.
    since: Time,
    direct: bool,
    accepted: bool,
}

/// What came of bytes that a link has read.
#[derive(Default)]
pub(crate) struct Opened {
    /// How many of them are done with.
    pub(crate) used: usize,
    /// The handshake is over.
    pub(crate) up: Option<Up>,
    /// The peer said that nothing follows.
    pub(crate) closed: bool,
    /// It is settled what the link keeps.
    pub(crate) settled: Option<Tier>,
}

/// What a finished handshake has to tell.
pub(crate) struct Up {
    /// The value of `tls-exporter`, over TLS 1.3.
    pub(crate) exporter: Option<[u8; 32]>,
    /// The peer that dialled us has shown a good certificate.
    pub(crate) verified: bool,
    /// It went on with an earlier session.
    pub(crate) resumed: bool,
    /// What was said meanwhile.
    pub(crate) held: Vec<u8>,
    /// When the handshake was meant to begin.
    pub(crate) since: Time,
    /// It began with the connection: the session has not been opened yet.
    pub(crate) direct: bool,
}

/// Says what is wrong with the plan's TLS.
pub(crate) fn check(tls: &Tls) -> Result<(), String> {
    Configs::new(tls).map(drop)
}

impl Transports {
    /// For a shard with room for so many links. The plan was checked.
    pub(crate) fn new(tls: Option<&Tls>, room: usize) -> Transports {
        let configs = tls.map(|tls| Configs::new(tls).expect("the plan was checked"));
        Transports {
            table: Vec::with_capacity(if configs.is_some() { room } else { 0 }),
            configs,
            waiting: VecDeque::new(),
            shaking: Vec::new(),
            plain: Vec::new(),
            wire: Vec::new(),
            wired: Vec::new(),
            steps: STEPS_MAX,
        }
    }

    /// Whether the plan has TLS for links of this kind.
    pub(crate) fn speaks(&self, accepted: bool) -> bool {
        let configs = self.configs.as_ref();
        configs.is_some_and(|configs| match accepted {
            true => configs.accept.is_some(),
            false => configs.dial.is_some(),
        })
    }

    /// A link is to be encrypted from here on. It waits for a place.
    pub(crate) fn begin(&mut self, link: Link, accepted: bool, direct: bool, now: Time) {
        let at = link.key as usize;
        if at >= self.table.len() {
            self.table.resize_with(at + 1, Secure::default);
        }
        let opening = Opening {
            whole: None,
            exporter: None,
            missed: false,
            held: Vec::new(),
            since: now,
            direct,
            accepted,
        };
        self.table[at].state = State::Opening(Box::new(opening));
        self.waiting.push_back(link);
    }

    /// Whether a handshake could begin now.
    pub(crate) fn has_place(&self) -> bool {
        !self.waiting.is_empty() && self.shaking.len() < SHAKING_MAX
    }

    /// The link whose handshake begins next; it may be gone.
    pub(crate) fn next_waiting(&mut self) -> Option<Link> {
        if self.shaking.len() < SHAKING_MAX { self.waiting.pop_front() } else { None }
    }

    /// Begins the handshake of a link of this bot; the first words of one that dialled go to
    /// `wire`. Answers whether there is something of the peer's to read already.
    pub(crate) fn start(
        &mut self,
        link: Link,
        bot: u32,
        until: Time,
        wire: &mut Vec<u8>,
    ) -> Result<bool, Fault> {
        self.turn(bot);
        let Some(configs) = &self.configs else { return Ok(false) };
        let Secure { rest, state: State::Opening(opening) } = &mut self.table[link.key as usize]
        else {
            return Ok(false);
        };
        let fault = |error| Fault { words: words::of(&error, false), alert: None };
        let side = match (&configs.dial, &configs.accept) {
            (_, Some(config)) if opening.accepted => {
                let connection = UnbufferedServerConnection::new(config.clone());
                Side::Accepted(Box::new(connection.map_err(fault)?))
            }
            (Some((config, name)), _) if !opening.accepted => {
                let config = Arc::clone(config);
                let connection = UnbufferedClientConnection::new(config, name.clone());
                Side::Dialled(Box::new(connection.map_err(fault)?))
            }
            _ => return Ok(false),
        };
        self.shaking.push((until, link));
        let mut whole = Whole::new(side);
        if !opening.accepted {
            self.steps = self.steps.saturating_sub(1);
            whole.drive(&mut [], &mut Vec::new(), wire).standing.map_err(fault)?;
        }
        opening.whole = Some(whole);
        Ok(opening.missed || rest.is_some())
    }

    /// Whatever ticket is asked for or handed over next is this bot's.
    fn turn(&self, bot: u32) {
        if let Some(tickets) = self.tickets() {
            tickets.turn(bot);
        }
    }

    fn tickets(&self) -> Option<&Tickets> {
        self.configs.as_ref()?.tickets.as_deref()
    }

    /// A bot has ended: its ticket goes with it.
    pub(crate) fn bot_ended(&mut self, bot: u32) {
        if let Some(tickets) = self.tickets() {
            tickets.forget(bot);
        }
    }

    /// A bot key that has a ticket and is none of these.
    pub(crate) fn ticket_of_none(&self, live: impl Fn(u32) -> bool) -> Option<u32> {
        self.tickets()?.owners().into_iter().find(|&bot| !live(bot))
    }

    /// The handshake that has taken longest and too long.
    pub(crate) fn overdue(&self, now: Time) -> Option<Link> {
        self.shaking.iter().find(|(until, _)| *until <= now).map(|&(_, link)| link)
    }

    /// When the next handshake in flight has taken too long.
    pub(crate) fn next_moment(&self) -> Time {
        self.shaking.iter().map(|&(until, _)| until).min().unwrap_or(Time::NEVER)
    }

    fn state(&self, key: u32) -> &State {
        self.table.get(key as usize).map_or(&State::Plain, |secure| &secure.state)
    }

    /// Something has come. If the handshake of the link has not begun it stays where it is until
    /// then: whether that is so.
    pub(crate) fn postpone(&mut self, key: u32) -> bool {
        let state = self.table.get_mut(key as usize).map(|secure| &mut secure.state);
        let Some(State::Opening(opening)) = state else { return false };
        opening.missed |= opening.whole.is_none();
        opening.whole.is_none()
    }

    /// Its handshake is not over, or has not begun.
    pub(crate) fn opens(&self, key: u32) -> bool {
        matches!(self.state(key), State::Opening(_))
    }

    /// The handshake that is not over began with the connection.
    pub(crate) fn opens_direct(&self, key: u32) -> bool {
        matches!(self.state(key), State::Opening(opening) if opening.direct)
    }

    /// The unfinished record of a link.
    pub(crate) fn rest(&self, key: u32) -> &[u8] {
        let secure = self.table.get(key as usize);
        secure.and_then(|secure| secure.rest.as_ref()).map_or(&[], |rest| rest)
    }

    /// Where the unfinished record of a link is kept.
    #[allow(clippy::box_collection)]
    pub(crate) fn rest_mut(&mut self, key: u32) -> &mut Option<Box<Vec<u8>>> {
        &mut self.table[key as usize].rest
    }

    /// How many links have an unfinished record.
    pub(crate) fn rests(&self) -> usize {
        self.table.iter().filter(|secure| secure.rest.is_some()).count()
    }

    /// Handshakes in flight, and links with a place in the table.
    pub(crate) fn standing(&self) -> (usize, usize) {
        let secured = |secure: &&Secure| !matches!(secure.state, State::Plain);
        (self.shaking.len(), self.table.iter().filter(secured).count())
    }

    /// Appends to `wire` the records that say `bytes`; before the handshake is over they are held.
    pub(crate) fn seal(&mut self, key: u32, bytes: &[u8], wire: &mut Vec<u8>) -> Result<(), Fault> {
        let Some(secure) = self.table.get_mut(key as usize) else { return Ok(()) };
        match &mut secure.state {
            State::Plain => Ok(()),
            State::Opening(opening) => {
                opening.held.extend_from_slice(bytes);
                Ok(())
            }
            State::Kept(whole) => {
                let rest = secure.rest.as_mut().map_or(&mut [][..], |rest| rest);
                whole.seal(bytes, rest, wire)
            }
            State::Dense(dense) => dense.seal(bytes, wire),
        }
    }

    /// How much a link has to say once its handshake is over.
    pub(crate) fn held(&self, key: u32) -> usize {
        match self.state(key) {
            State::Opening(opening) => opening.held.len(),
            _ => 0,
        }
    }

    /// Appends a close_notify, once.
    pub(crate) fn part(&mut self, key: u32, wire: &mut Vec<u8>) {
        let Some(secure) = self.table.get_mut(key as usize) else { return };
        match &mut secure.state {
            State::Plain | State::Opening(_) => {}
            State::Kept(whole) => {
                let rest = secure.rest.as_mut().map_or(&mut [][..], |rest| rest);
                whole.part(rest, wire);
            }
            State::Dense(dense) => dense.alert(words::CLOSE_NOTIFY, wire),
        }
    }

    /// A link is gone. Answers with its unfinished record, for the pool, and with what it kept if
    /// that was never settled.
    #[allow(clippy::box_collection)]
    pub(crate) fn forget(&mut self, link: Link) -> (Option<Box<Vec<u8>>>, Option<Tier>) {
        let Some(secure) = self.table.get_mut(link.key as usize) else { return (None, None) };
        let secure = std::mem::take(secure);
        if matches!(secure.state, State::Opening(_)) {
            self.shaking.retain(|&(_, other)| other != link);
        }
        let unsettled = matches!(&secure.state, State::Kept(whole) if !whole.settled);
        (secure.rest, unsettled.then_some(Tier::Kept))
    }

    /// Gives back what a burst made large, and tells of lines of the key log that were lost.
    pub(crate) fn tidy(&mut self) -> u64 {
        for scratch in [&mut self.plain, &mut self.wire] {
            if scratch.capacity() > SCRATCH_MAX {
                *scratch = Vec::new();
            }
        }
        self.configs.as_ref().map_or(0, |configs| configs.secrets.take_lost())
    }
}
