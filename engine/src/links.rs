//! Links: the connections of bots, in a slab with generations.
//!
//! ```text
//!     dial                accept
//!      v                    v
//!   dialling ---opened--> open ---close--> closing --bytes sent--> gone
//!      |                    |                                       ^
//!      +------- lost -------+---------------------------------------+
//! ```

use slab::Slab;

use crate::time::Time;

/// One link of a bot, as the scenario sees it. Stays distinct from links that take its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    pub(crate) key: u32,
    pub(crate) generation: u32,
}

impl Link {
    /// The token under which the net of its shard knows this link.
    pub fn token(self) -> crate::net::Token {
        crate::net::Token(u64::from(self.generation) << 32 | u64::from(self.key))
    }
}

/// Why a link was lost or an attempt to connect failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// Who did it, in one of a few classes.
    pub cause: Cause,
    /// Its own words: the rule that was broken, the limit that was met.
    pub condition: &'static str,
    /// The bot was online, so this is a loss. Otherwise it was on its way there, and an attempt
    /// has failed, be it at the login.
    pub online: bool,
}

/// The classes of loss. The report counts each apart and says who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The target's machine refused the connection.
    Refused,
    /// The connection was reset.
    Reset,
    /// The target closed the connection.
    Closed,
    /// No answer in time: to the dial, or to the ping of a silent link.
    Timeout,
    /// There is no way to the target.
    Unreachable,
    /// The target broke the protocol.
    Violation,
    /// The target does not read what it is sent.
    StoppedReading,
    /// The generator's own limit; the target is not to blame.
    LocalLimit,
    /// The scenario ended it.
    Scenario,
    /// TLS could not be agreed on, or was broken.
    Tls,
}

impl Cause {
    /// Whose doing it was, for the report.
    pub fn blame(self) -> &'static str {
        match self {
            Cause::Refused | Cause::Closed | Cause::Violation | Cause::StoppedReading => "target",
            Cause::Tls => "target or plan",
            Cause::Reset | Cause::Timeout => "target or network",
            Cause::Unreachable => "network",
            Cause::LocalLimit => "generator",
            Cause::Scenario => "plan",
        }
    }

    /// The name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Refused => "refused",
            Cause::Reset => "reset",
            Cause::Closed => "closed by peer",
            Cause::Timeout => "timeout",
            Cause::Unreachable => "unreachable",
            Cause::Violation => "violation",
            Cause::StoppedReading => "target stopped reading",
            Cause::LocalLimit => "local limit",
            Cause::Scenario => "scenario",
            Cause::Tls => "tls",
        }
    }
}

impl Lost {
    pub(crate) fn new(cause: Cause, condition: &'static str) -> Lost {
        Lost { cause, condition, online: false }
    }

    /// What an error of the network or the system means.
    pub(crate) fn by(error: &std::io::Error) -> Lost {
        use std::io::ErrorKind::*;
        if let Some(limit) = crate::limits::local_limit(error) {
            return Lost::new(Cause::LocalLimit, limit);
        }
        match error.kind() {
            ConnectionRefused => Lost::new(Cause::Refused, "connection refused"),
            ConnectionReset => Lost::new(Cause::Reset, "connection reset"),
            ConnectionAborted => Lost::new(Cause::Reset, "connection aborted"),
            BrokenPipe | NotConnected => Lost::new(Cause::Reset, "connection broken"),
            TimedOut => Lost::new(Cause::Timeout, "no answer from the network"),
            HostUnreachable | NetworkUnreachable | NetworkDown => {
                Lost::new(Cause::Unreachable, "no way to the target")
            }
            PermissionDenied => Lost::new(Cause::LocalLimit, "not permitted by this machine"),
            _ => Lost::new(Cause::Reset, "the system reported an unusual error"),
        }
    }
}

/// No link, no bot, no segment.
pub(crate) const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkState {
    Dialling,
    Open,
    /// Its last bytes are on their way; nothing is read for the bot any more.
    Closing,
}

/// One link. The socket lies beside it, in the shard's table of connections.
pub(crate) struct Slot<S> {
    pub(crate) generation: u32,
    pub(crate) bot: u32,
    /// The next link of the same bot.
    pub(crate) next: u32,
    /// The last segment of this turn's output that is for this link.
    pub(crate) segment: u32,
    /// When the peer was last heard, in milliseconds of the run.
    pub(crate) heard_ms: u32,
    pub(crate) endpoint: u16,
    pub(crate) state: LinkState,
    pub(crate) flags: Flags,
    /// When the attempt began; latency of the connect counts from here.
    pub(crate) since: Time,
    /// Bytes of an unfinished unit. Heap only while there are some: one word instead of three.
    #[allow(clippy::box_collection)]
    pub(crate) unread: Option<Box<Vec<u8>>>,
    /// Bytes the socket refused. Heap only while there are some.
    pub(crate) unsent: Option<Box<Unsent>>,
    pub(crate) session: S,
}

// The engine's share of an idle link; the session comes on top.
const _: () = assert!(size_of::<Slot<()>>() <= 56);

/// What a link remembers in single bits.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flags {
    /// On the "again" queue.
    pub(crate) again: bool,
    /// A peer dialled us.
    pub(crate) accepted: bool,
    /// Counted among the attempts under way.
    pub(crate) counted: bool,
    /// A silent link was asked to answer.
    pub(crate) asked: bool,
    /// The peer has ended its side or an error waits, and no event will tell of it again.
    pub(crate) ended: bool,
    /// The observer wants its bytes.
    pub(crate) traced: bool,
    /// Encrypted, or about to be.
    pub(crate) tls: bool,
    /// Its session waits for a key and reads nothing meanwhile.
    pub(crate) deriving: bool,
    /// Bytes of its handshake are to be written at the end of this turn.
    pub(crate) wired: bool,
}

/// Bytes that wait until the socket takes them.
pub(crate) struct Unsent {
    /// As the pool lends it.
    #[allow(clippy::box_collection)]
    pub(crate) bytes: Box<Vec<u8>>,
    /// How many of them are sent.
    pub(crate) sent: usize,
    /// Since when the socket takes nothing.
    pub(crate) since: Time,
    /// Up to when that time is counted already.
    pub(crate) counted: Time,
}

impl Unsent {
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.sent
    }
}

/// The links of one shard.
pub(crate) struct Links<S> {
    slots: Slab<Slot<S>>,
    /// A number for the next link; with the key it makes a [`Link`] unique.
    generation: u32,
}

impl<S> Links<S> {
    pub(crate) fn with_capacity(links: usize) -> Links<S> {
        Links { slots: Slab::with_capacity(links), generation: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The handle the next [`Links::insert`] will give.
    pub(crate) fn next_link(&self) -> Link {
        let key = u32::try_from(self.slots.vacant_key()).expect("at most 2^31 links a shard");
        Link { key, generation: self.generation }
    }

    pub(crate) fn insert(&mut self, bot: u32, next: u32, state: LinkState, session: S) -> Link {
        let link = self.next_link();
        self.slots.insert(Slot {
            generation: link.generation,
            bot,
            next,
            segment: NONE,
            heard_ms: 0,
            endpoint: 0,
            state,
            flags: Flags::default(),
            since: Time::ZERO,
            unread: None,
            unsent: None,
            session,
        });
        // Tokens carry 31 bits of it: the top bit tells links from listeners.
        self.generation = (self.generation + 1) & 0x7FFF_FFFF;
        link
    }

    pub(crate) fn live(&self, link: Link) -> bool {
        self.slots.get(link.key as usize).is_some_and(|slot| slot.generation == link.generation)
    }

    pub(crate) fn at(&mut self, key: u32) -> &mut Slot<S> {
        &mut self.slots[key as usize]
    }

    pub(crate) fn peek(&self, key: u32) -> &Slot<S> {
        &self.slots[key as usize]
    }

    pub(crate) fn at_any(&self, key: u32) -> bool {
        self.slots.contains(key as usize)
    }

    pub(crate) fn get(&mut self, link: Link) -> Option<&mut Slot<S>> {
        self.slots.get_mut(link.key as usize).filter(|slot| slot.generation == link.generation)
    }

    pub(crate) fn link(&self, key: u32) -> Link {
        Link { key, generation: self.slots[key as usize].generation }
    }

    pub(crate) fn remove(&mut self, key: u32) -> Slot<S> {
        self.slots.remove(key as usize)
    }

    /// The links of the chain that begins at `first`, as keys.
    pub(crate) fn chain(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors((first != NONE).then_some(first), |&key| {
            let next = self.slots[key as usize].next;
            (next != NONE).then_some(next)
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Slot<S>)> {
        self.slots.iter().map(|(key, slot)| (key as u32, slot))
    }
}
