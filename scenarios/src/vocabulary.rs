//! Vocabularies: what trees can do with a protocol, and what they can hear.
//!
//! An action is one entry of its vocabulary's table: its words for people, its arguments, its op,
//! and the function that writes it. Files, `densebots actions` and the JSON Schema know it by that.
//! What completes or fails it is an `Answer` that the vocabulary makes of what the peer says:
//! both name the same `Key`, and so an action in flight is eight bytes.

use densebots_engine::{BotId, Ctx, GroupId, MessageId, Plan, Scenario, Work};
use densebots_protocols::Session;

use crate::template::{FIELDS_MAX, Heard};
use crate::{Parameter, SettingError, Settings};

pub(crate) mod line;
pub(crate) mod xmpp;

/// Arguments of one action.
pub(crate) const ARGUMENTS_MAX: usize = 4;

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A text.
    Text,
    /// A number.
    Number,
}

/// An argument of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its key in the file.
    pub name: &'static str,
    /// What it is.
    pub takes: Takes,
    /// What it is if it is left out; `None`: it has to be there.
    pub default: Option<&'static str>,
    /// What it means.
    pub about: &'static str,
}

impl Argument {
    const fn text(
        name: &'static str,
        default: Option<&'static str>,
        about: &'static str,
    ) -> Argument {
        Argument { name, takes: Takes::Text, default, about }
    }

    const fn number(
        name: &'static str,
        default: Option<&'static str>,
        about: &'static str,
    ) -> Argument {
        Argument { name, takes: Takes::Number, default, about }
    }
}

/// What people are told of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its name in a tree, `line.send` say.
    pub name: &'static str,
    /// What it does, and what completes and fails it.
    pub about: &'static str,
    /// What it takes; the first one can be given without its key.
    pub arguments: &'static [Argument],
    /// The op that it is timed as. Without one it is over at once.
    pub op: Option<&'static str>,
}

/// What people are told of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventKind {
    /// Its name in `wait_for`.
    pub name: &'static str,
    /// When it happens.
    pub about: &'static str,
    /// What templates can name of it: `event.text`.
    pub fields: &'static [&'static str],
}

/// A vocabulary as far as reading a file needs it.
#[derive(Clone, Copy, Debug)]
pub struct Lexicon {
    /// The protocol: what stands before the dot.
    pub protocol: &'static str,
    /// What bots can do.
    pub actions: &'static [Described],
    /// What bots can hear.
    pub events: &'static [EventKind],
    /// Parameters that come with the protocol.
    pub parameters: &'static [Parameter],
    /// Ops that are timed whatever the tree does.
    pub ops: &'static [&'static str],
}

/// Every vocabulary.
pub const LEXICONS: &[&Lexicon] = &[&line::LEXICON, &xmpp::LEXICON];

/// The vocabulary of this protocol.
pub(crate) fn of_protocol(name: &str) -> Option<&'static Lexicon> {
    LEXICONS.iter().find(|lexicon| lexicon.protocol == name).copied()
}

/// What an action in flight waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub u64);

impl Key {
    /// Of a kind of answer, and what tells one from another of it.
    pub(crate) fn of(kind: u8, what: impl AsRef<[u8]>) -> Key {
        let seed = 0xCBF2_9CE4_8422_2325 ^ u64::from(kind);
        let hash = what
            .as_ref()
            .iter()
            .fold(seed, |hash: u64, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        // The highest values mean that nothing is waited for.
        Key(hash >> 1)
    }

    pub(crate) fn numbered(kind: u8, number: u32) -> Key {
        Key::of(kind, number.to_le_bytes())
    }
}

/// The peer has answered an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub key: Key,
    pub ok: bool,
}

/// How an action begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It is over.
    Over(bool),
    /// It is over when this is answered.
    Waits(Key),
}

/// The arguments of an action that begins.
pub(crate) struct Given<'a> {
    pub text: &'a str,
    /// Where each text ends in it.
    pub ends: [u32; ARGUMENTS_MAX],
    pub numbers: [f64; ARGUMENTS_MAX],
}

impl Given<'_> {
    pub(crate) fn text(&self, nth: usize) -> &str {
        let from = if nth == 0 { 0 } else { self.ends[nth - 1] as usize };
        &self.text[from..self.ends[nth] as usize]
    }
}

/// What an action has at hand while it writes.
pub(crate) struct Doing<'a, V: Vocabulary> {
    pub vocabulary: &'a V,
    pub id: BotId,
    pub stay: &'a mut V::Stay,
    pub session: &'a mut V::Session,
    pub out: &'a mut Vec<u8>,
    pub given: Given<'a>,
    /// What the ledger calls the message, if the action announced one.
    pub message: Option<MessageId>,
}

/// What the ledger is told before an action is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    Nothing,
    /// A message to all who are in this room.
    Room(GroupId),
    /// A message to one bot.
    Bot(BotId),
    /// The bot asks to leave this room.
    Leaves(GroupId),
}

/// An action: all there is to it. What ends one that waits is the [`Answer`] with its [`Key`].
pub(crate) struct Action<V: Vocabulary> {
    pub described: Described,
    pub announces: fn(&V, BotId, &Given<'_>) -> Announced,
    pub begin: fn(&mut Doing<'_, V>) -> Begun,
}

impl<V: Vocabulary> Action<V> {
    /// One of which the ledger is told nothing.
    pub(crate) const fn plain(
        described: Described,
        begin: fn(&mut Doing<'_, V>) -> Begun,
    ) -> Action<V> {
        Action { described, announces: |_, _, _| Announced::Nothing, begin }
    }
}

/// What people are told of these actions, in their order.
pub(crate) const fn described<V: Vocabulary, const N: usize>(
    actions: &[Action<V>; N],
) -> [Described; N] {
    let mut all = [actions[0].described; N];
    let mut nth = 1;
    while nth < N {
        all[nth] = actions[nth].described;
        nth += 1;
    }
    all
}

/// What an event means for a bot.
#[derive(Default)]
pub(crate) struct Told<'e> {
    pub standing: Standing,
    pub answer: Option<Answer>,
    pub heard: Option<Heard<'e>>,
}

/// Whether the bot can act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// As before.
    #[default]
    Same,
    /// From now on.
    Online,
    /// Again, with all it was in.
    Resumed,
}

/// A protocol as trees use it.
pub(crate) trait Vocabulary: Sized + Send + Sync + 'static {
    type Session: Session;
    /// What the protocol keeps of one bot.
    type Stay: Default + Send + 'static;
    const LEXICON: &'static Lexicon;
    /// Those of the lexicon, in its order, because that is made of them.
    const ACTIONS: &'static [Action<Self>];
    /// Messages are entered in the ledger.
    const LEDGER: bool = false;

    /// From what was set.
    fn of(settings: &Settings, plan: &Plan) -> Result<Self, SettingError>;

    /// Counters that are there whatever the tree does.
    fn counters() -> Vec<String> {
        Vec::new()
    }

    fn session(&self, id: BotId, stay: &mut Self::Stay) -> Self::Session;

    /// The byte stream is up.
    fn opened<S>(&self, stay: &mut Self::Stay, ctx: &mut Ctx<'_, S>) -> Standing
    where
        S: Scenario<Session = Self::Session, Mail = u32>;

    /// The engine does something for a link that its session neither sees nor hears.
    fn works<S>(&self, stay: &mut Self::Stay, work: Work, ctx: &mut Ctx<'_, S>)
    where
        S: Scenario<Session = Self::Session, Mail = u32>,
    {
        let _ = (stay, work, ctx);
    }

    /// The byte stream is up over TLS.
    fn secured<S>(&self, stay: &mut Self::Stay, ctx: &mut Ctx<'_, S>)
    where
        S: Scenario<Session = Self::Session, Mail = u32>,
    {
        let _ = (stay, ctx);
    }

    /// The peer said something. `wanted` says which fields of each event anybody looks at; an
    /// event that nobody waits for is not there.
    fn hear<'e, S>(
        &self,
        stay: &mut Self::Stay,
        event: <Self::Session as Session>::Event<'e>,
        wanted: &[Option<u8>],
        ctx: &mut Ctx<'_, S>,
    ) -> Told<'e>
    where
        S: Scenario<Session = Self::Session, Mail = u32>;

    /// A letter of another bot says that it has heard a message of this one.
    fn mail(&self, body: u32) -> Option<Answer> {
        let _ = body;
        None
    }

    fn salvage(&self, stay: &mut Self::Stay, session: Self::Session) {
        let _ = (stay, session);
    }

    /// Asks for a sign of life, if the protocol knows how.
    fn ping<S>(&self, ctx: &mut Ctx<'_, S>) -> bool
    where
        S: Scenario<Session = Self::Session, Mail = u32>,
    {
        let _ = ctx;
        false
    }
}

const _: () = assert!(FIELDS_MAX <= 8, "a byte says which fields are wanted");
