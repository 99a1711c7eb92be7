//! Stanzas on their way: encoded once, however many hear them.

use std::sync::Arc;

use densebots_engine::{BotId, GroupId};
use densebots_protocols::Violation;
use densebots_protocols::xml::push_attribute;
use densebots_protocols::xmpp::{Kind, Stanza};

use super::room::Wish;

/// A stanza without an addressee, or several stanzas that have theirs.
#[derive(Debug)]
pub struct Parcel {
    bytes: Vec<u8>,
    /// Where the `to` attribute belongs.
    place: Option<usize>,
}

impl Parcel {
    /// One stanza whose `to` attribute belongs at `place`.
    pub(super) fn to_anybody(bytes: Vec<u8>, place: usize) -> Arc<Parcel> {
        Arc::new(Parcel { bytes, place: Some(place) })
    }

    /// Stanzas as they are.
    pub(super) fn whole(bytes: Vec<u8>) -> Arc<Parcel> {
        Arc::new(Parcel { bytes, place: None })
    }

    /// One stanza that goes back to where it came from: `to` belongs behind its name.
    pub(super) fn back(bytes: Vec<u8>) -> Arc<Parcel> {
        let name = bytes.iter().position(|byte| matches!(byte, b' ' | b'>' | b'/'));
        Arc::new(Parcel { place: Some(name.unwrap_or(0)), bytes })
    }

    /// Appends it for one addressee.
    pub(super) fn write(&self, to: &str, out: &mut Vec<u8>) {
        let Some(place) = self.place else {
            return out.extend_from_slice(&self.bytes);
        };
        out.extend_from_slice(&self.bytes[..place]);
        push_attribute("to", to, out);
        out.extend_from_slice(&self.bytes[place..]);
    }

    /// Appends it for one addressee, with one more element at its end.
    pub(super) fn write_with(&self, to: &str, more: &[u8], out: &mut Vec<u8>) {
        self.write(to, out);
        let end = out.iter().rposition(|&byte| byte == b'<').unwrap_or(out.len());
        out.splice(end..end, more.iter().copied());
    }

    /// How long it is, in bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The same with an addressee.
    pub(super) fn addressed(&self, to: &str) -> Arc<Parcel> {
        let mut bytes = Vec::with_capacity(self.bytes.len() + to.len() + 8);
        self.write(to, &mut bytes);
        Parcel::whole(bytes)
    }

    pub(super) fn is_message(&self) -> bool {
        self.bytes.starts_with(b"<message")
    }

    pub(super) fn is_presence(&self) -> bool {
        self.bytes.starts_with(b"<presence")
    }

    pub(super) fn stanza(&self) -> Result<Stanza<'_>, Violation> {
        Stanza::parse(&self.bytes)
    }
}

/// The wish to be in a room.
#[derive(Debug)]
pub struct Entry {
    pub(super) room: Box<str>,
    pub(super) nick: Box<str>,
    /// Who wants it: a full address.
    pub(super) address: Box<str>,
    /// What it gives as the room's password.
    pub(super) password: Option<Box<str>>,
    /// What it wants to hear of what was said before.
    pub(super) history: Wish,
}

/// A stanza to one user, to be looked up.
#[derive(Debug)]
pub struct Routed {
    /// As it is written.
    pub(super) to: Box<str>,
    pub(super) parcel: Arc<Parcel>,
}

/// What one user says to another about a subscription to presence.
#[derive(Clone, Debug)]
pub struct Word {
    /// The bare address of who says it.
    pub(super) from: Box<str>,
    /// The bare address of who hears it.
    pub(super) to: Box<str>,
    pub(super) kind: Kind,
    /// As it was said.
    pub(super) parcel: Arc<Parcel>,
    /// That the speaker is there, for who may hear it from now on.
    pub(super) presence: Option<Arc<Parcel>>,
}

/// A user wants to go on with its stream over another link (XEP-0198 section 5).
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Whose it is.
    pub(super) account: u64,
    /// Who has had it so far.
    pub(super) guest: BotId,
    /// What only that one and the user know.
    pub(super) secret: u64,
    /// How many stanzas have come to the user.
    pub(super) heard: u32,
    /// Who has the other link.
    pub(super) wire: BotId,
}

/// What comes over the wire of a user.
#[derive(Clone, Debug)]
pub enum Wired {
    /// A stanza.
    Stanza(Arc<Parcel>),
    /// A question: how many stanzas have come?
    Ask,
    /// So many have come to the user.
    Heard(u32),
    /// The stream is closed.
    Over,
    /// The link is lost.
    Lost,
}

/// What the target's bots tell each other.
#[derive(Clone, Debug)]
pub enum Mail {
    /// A keeper to who came: this is the room you wanted.
    Welcome(GroupId),
    /// To a keeper: let me be an occupant.
    Enter(Arc<Entry>),
    /// To a keeper: a stanza of an occupant, with its real address.
    ToRoom(Arc<Parcel>),
    /// A keeper to who came: you cannot be one.
    Refused(GroupId, Arc<Parcel>),
    /// A keeper to all: somebody is an occupant now, or another one than before.
    Entered {
        /// Who it is, and hears `own`.
        who: BotId,
        /// What the others hear.
        others: Arc<Parcel>,
        /// The occupants so far, and itself.
        own: Arc<Parcel>,
    },
    /// A keeper to all: somebody is no occupant any more.
    Left {
        /// Who it was, and hears `own`.
        who: BotId,
        /// What the others hear.
        others: Arc<Parcel>,
        /// What it hears.
        own: Arc<Parcel>,
    },
    /// A keeper to all: somebody spoke.
    Said(Arc<Parcel>),
    /// A keeper to each: the room is no more.
    Over(GroupId, Arc<Parcel>),
    /// A stanza for one user.
    ToOne(Arc<Parcel>),
    /// To a switchboard: I am this user.
    Here {
        /// The account.
        account: u64,
        /// The resource.
        resource: u32,
    },
    /// To a switchboard: I am not any more.
    Gone {
        /// The account.
        account: u64,
        /// The resource.
        resource: u32,
    },
    /// To a switchboard: find the user that this is for.
    Route(Arc<Routed>),
    /// To the own switchboard: this is said about a subscription.
    Says(Arc<Word>),
    /// To the other one's switchboard: so is this.
    Heard(Arc<Word>),
    /// To the own switchboard: this is how I am, for all who may hear it.
    Tells {
        /// The account.
        account: u64,
        /// Nothing if the user is away.
        presence: Option<Arc<Parcel>>,
    },
    /// To another one's switchboard: how is it?
    Probe {
        /// The other account.
        account: u64,
        /// Who hears the answer.
        asker: BotId,
    },
    /// To the own switchboard: a question for the roster.
    Roster {
        /// The account.
        account: u64,
        /// The question.
        question: Arc<Parcel>,
    },
    /// A switchboard to who wrote: there is nobody.
    Nobody(Arc<Routed>),
    /// A switchboard: somebody else has your address now.
    Replaced,
    /// To the switchboard of the account, and on to who has the stream.
    Resume(Arc<Claim>),
    /// The same way: who wanted that is gone.
    Abandon(Arc<Claim>),
    /// To who asked: it is yours to pass on. The first to be said.
    Resumed(Arc<Parcel>),
    /// To who asked: there is no such stream.
    NotResumed,
    /// To whose user this is.
    Wired(Wired),
    /// To a wire: this is to be said.
    ToWire(Arc<Parcel>),
    /// To a wire: the stream ends for this reason.
    Unwired(&'static str),
}
