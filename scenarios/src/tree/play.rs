//! Trees as a scenario of the engine.

use std::cell::Cell;
use std::sync::OnceLock;

use densebots_engine::{
    BotId, Ctx, Letter, Link, Lost, Names, Op, Plan, Rng, Role, Scenario, Time, Work,
};
use densebots_protocols::Session;

use super::compile::CURSOR;
use super::machine::{Cause, Turn};
use super::{COUNTERS, NONE, Steps, compile, kind_of};
use crate::file::{Faults, File, Span};
use crate::vocabulary::line::Lines;
use crate::vocabulary::xmpp::Users;
use crate::vocabulary::{Standing, Vocabulary};
use crate::{Ready, SettingError, Settings};

/// Memory of a bot, in two sizes, because it lies inline: most trees do with the small one.
pub(super) const SMALL: usize = 32;
pub(super) const LARGE: usize = 256;

thread_local! {
    /// Where texts are put together before they are sent. One a shard, and it keeps its room.
    pub(super) static SCRATCH: Cell<String> = const { Cell::new(String::new()) };
}

/// A file's trees over a protocol.
pub(crate) struct Tree<V: Vocabulary, const N: usize> {
    pub(super) vocabulary: V,
    pub(super) steps: Steps,
    file: &'static File,
    first_id: u32,
    /// The trees' own counters stand behind so many.
    pub(super) counters_before: u16,
    /// The engine keeps reasons for as long as the program lives.
    pub(super) reasons: Box<[&'static str]>,
    runaway: OnceLock<&'static str>,
}

/// One bot.
pub(crate) struct Bot<V: Vocabulary, const N: usize> {
    pub(super) stay: V::Stay,
    pub(super) kind: u8,
    /// Actions can be written.
    pub(super) online: bool,
    /// Its tree has begun.
    begun: bool,
    /// Cursor, variables, slots.
    pub(super) memory: [u8; N],
}

// A hundred thousand of them lie in slabs.
const _: () = assert!(size_of::<Bot<Lines, SMALL>>() <= 36);
const _: () = assert!(size_of::<Bot<Users, SMALL>>() <= 88);

impl<V: Vocabulary, const N: usize> Bot<V, N> {
    fn bytes<const SIZE: usize>(&self, at: u16) -> [u8; SIZE] {
        let at = usize::from(at);
        *self.memory[at..].first_chunk().expect("a slot lies in the memory")
    }

    fn put<const SIZE: usize>(&mut self, at: u16, bytes: [u8; SIZE]) {
        let at = usize::from(at);
        *self.memory[at..].first_chunk_mut().expect("a slot lies in the memory") = bytes;
    }

    pub(super) fn cursor(&self, at: u16) -> u16 {
        u16::from_le_bytes(self.bytes(at))
    }

    pub(super) fn set_cursor(&mut self, at: u16, step: u16) {
        self.put(at, step.to_le_bytes());
    }

    pub(super) fn number(&self, at: u16) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    pub(super) fn set_number(&mut self, at: u16, number: u32) {
        self.put(at, number.to_le_bytes());
    }

    pub(super) fn moment(&self, at: u16) -> Time {
        // Steps that wait for no moment are asked too.
        let at = usize::from(at);
        self.memory.get(at..at + 8).map_or(Time::NEVER, |bytes| {
            Time::from_nanos(bytes.try_into().map_or(u64::MAX, u64::from_le_bytes))
        })
    }

    pub(super) fn set_moment(&mut self, at: u16, moment: Time) {
        self.put(at, moment.nanos().to_le_bytes());
    }
}

impl<V: Vocabulary, const N: usize> Tree<V, N> {
    fn new(vocabulary: V, steps: Steps, file: &'static File, plan: &Plan) -> Tree<V, N> {
        assert!(steps.bytes <= N, "the memory of a bot is large enough");
        let counters_before = V::counters().len() as u16;
        let first_id = plan.first_id;
        let kept = |why: &String| &*Box::leak(why.clone().into_boxed_str());
        let reasons = steps.reasons.iter().map(kept).collect();
        let runaway = OnceLock::new();
        Tree { vocabulary, steps, file, first_id, counters_before, reasons, runaway }
    }

    /// The op of a tree, behind those of the protocol.
    pub(super) fn op(&self, op: u16) -> Op {
        Op(V::LEXICON.ops.len() as u16 + op)
    }

    /// A bot has come to this step.
    pub(super) fn reach(&self, step: u16) {
        self.file.coverage.reach(step);
    }

    /// Why a bot gives up whose tree never waits. The first one is told with its place.
    pub(super) fn runaway(&self, at: Span) -> &'static str {
        self.runaway.get_or_init(|| {
            let (line, _) = self.file.source.place(at.from);
            let steps = super::STRIDE_MAX;
            let name = &self.file.source.name;
            let why = format!("{name}:{line}: {steps} steps without waiting for anything");
            Box::leak(why.into_boxed_str())
        })
    }

    /// What the vocabulary makes of an event is told to the tree.
    fn stand(&self, standing: Standing, bot: &mut Bot<V, N>, ctx: &mut Ctx<'_, Self>) {
        let goes_on = self.steps.kinds[usize::from(bot.kind)].goes_on;
        match standing {
            Standing::Same => {}
            Standing::Online | Standing::Resumed => {
                bot.online = true;
                let again = !goes_on && standing == Standing::Online;
                if again || !bot.begun {
                    bot.begun = true;
                    return Turn::new(self, bot, ctx).begin();
                }
                if standing == Standing::Resumed && !goes_on {
                    // Its ops were lost with the link, though what it asked may still be answered.
                    Turn::new(self, bot, ctx).go_on(Cause::Lost);
                }
                Turn::new(self, bot, ctx).go_on(Cause::Online);
            }
        }
    }
}

impl<V: Vocabulary, const N: usize> Scenario for Tree<V, N> {
    type Session = V::Session;
    type Bot = Bot<V, N>;
    /// The number of a message that was heard.
    type Mail = u32;

    fn names(&self) -> Names {
        let login = V::LEXICON.ops.iter().map(|op| (*op).to_owned());
        let fixed = COUNTERS.iter().map(|name| (*name).to_owned());
        Names {
            ops: login.chain(self.steps.ops.iter().cloned()).collect(),
            counters: V::counters()
                .into_iter()
                .chain(fixed)
                .chain(self.steps.counters.iter().cloned())
                .collect(),
            ledger: V::LEDGER,
            ..Names::default()
        }
    }

    fn bot(&self, id: BotId, _: Role, rng: &mut Rng) -> Bot<V, N> {
        let nth = u64::from(id.0.saturating_sub(self.first_id));
        let kind = kind_of(&self.steps.kinds, nth, rng);
        let begins = &self.steps.kinds[kind].memory;
        let mut memory = [0; N];
        memory[..begins.len()].copy_from_slice(begins);
        debug_assert_eq!(memory[..CURSOR], NONE.to_le_bytes());
        let stay = V::Stay::default();
        Bot { stay, kind: kind as u8, online: false, begun: false, memory }
    }

    fn session(&self, id: BotId, bot: &mut Bot<V, N>, _: Link) -> V::Session {
        self.vocabulary.session(id, &mut bot.stay)
    }

    fn on_open(&self, bot: &mut Bot<V, N>, _: Link, ctx: &mut Ctx<'_, Self>) {
        let standing = self.vocabulary.opened(&mut bot.stay, ctx);
        self.stand(standing, bot, ctx);
    }

    fn on_work(&self, bot: &mut Bot<V, N>, _: Link, work: Work, ctx: &mut Ctx<'_, Self>) {
        self.vocabulary.works(&mut bot.stay, work, ctx);
    }

    fn on_secured(&self, bot: &mut Bot<V, N>, _: Link, ctx: &mut Ctx<'_, Self>) {
        self.vocabulary.secured(&mut bot.stay, ctx);
    }

    fn on_event(
        &self,
        bot: &mut Bot<V, N>,
        event: <V::Session as Session>::Event<'_>,
        ctx: &mut Ctx<'_, Self>,
    ) {
        let told = self.vocabulary.hear(&mut bot.stay, event, &self.steps.wanted, ctx);
        self.stand(told.standing, bot, ctx);
        if bot.online && (told.answer.is_some() || told.heard.is_some()) {
            let (answer, heard) = (told.answer, told.heard.as_ref());
            Turn::new(self, bot, ctx).go_on(Cause::Told { answer, heard });
        }
    }

    fn on_wake(&self, bot: &mut Bot<V, N>, ctx: &mut Ctx<'_, Self>) {
        if ctx.draining() && !ctx.busy() {
            return;
        }
        Turn::new(self, bot, ctx).go_on(Cause::Wake);
    }

    fn on_mail(&self, bot: &mut Bot<V, N>, letter: &Letter<u32>, ctx: &mut Ctx<'_, Self>) {
        if let answer @ Some(_) = self.vocabulary.mail(letter.body).filter(|_| bot.online) {
            Turn::new(self, bot, ctx).go_on(Cause::Told { answer, heard: None });
        }
    }

    fn on_timeout(&self, bot: &mut Bot<V, N>, op: Op, ctx: &mut Ctx<'_, Self>) {
        Turn::new(self, bot, ctx).go_on(Cause::Timeout(op));
    }

    fn salvage(&self, bot: &mut Bot<V, N>, session: V::Session) {
        self.vocabulary.salvage(&mut bot.stay, session);
    }

    fn on_lost(&self, bot: &mut Bot<V, N>, _: Link, _: &Lost, ctx: &mut Ctx<'_, Self>) {
        let was_online = std::mem::replace(&mut bot.online, false);
        match self.steps.kinds[usize::from(bot.kind)].goes_on {
            true if was_online => Turn::new(self, bot, ctx).go_on(Cause::Lost),
            true => {}
            // Whether it begins again or goes on shows when the login is over.
            false => ctx.forget_wake(),
        }
        ctx.redial();
    }

    fn on_silent(&self, _: &mut Bot<V, N>, _: Link, ctx: &mut Ctx<'_, Self>) -> bool {
        self.vocabulary.ping(ctx)
    }
}

/// User-space bytes of a bot that needs so many for its tree: what idle bots of the protocol were
/// measured with, and the memory that lies inline.
pub(crate) fn bytes_per_bot(protocol: &str, bytes: usize) -> u64 {
    let idle =
        if protocol == "xmpp" { 256 + size_of::<crate::vocabulary::xmpp::Place>() } else { 192 };
    (idle + if bytes <= SMALL { SMALL } else { LARGE }) as u64
}

/// Compiles a file for a run with these settings.
pub(crate) fn prepare(
    file: &'static File,
    settings: &Settings,
    plan: &Plan,
) -> Result<Ready, SettingError> {
    let set = settings.pairs();
    let wrong = file.parameters.iter().filter_map(|declared| {
        let (_, value) = set.iter().find(|(name, _)| *name == declared.name)?;
        let why = declared.check(value).err()?;
        Some(format!("parameter `{}`: {why}", declared.name))
    });
    let wrong: Vec<String> = wrong.collect();
    if !wrong.is_empty() {
        return Err(SettingError::File(wrong.join("; ")));
    }
    let mut faults = Faults::default();
    let steps = compile(file, &set, &mut faults);
    let Some(steps) = steps.filter(|_| faults.is_empty()) else {
        let shown = file.source.show(&faults);
        return Err(SettingError::File(format!("the scenario does not fit what was set\n{shown}")));
    };
    match file.protocol() {
        "xmpp" => ready(Users::of(settings, plan)?, steps, file, plan),
        _ => ready(Lines::of(settings, plan)?, steps, file, plan),
    }
}

fn ready<V: Vocabulary>(
    vocabulary: V,
    steps: Steps,
    file: &'static File,
    plan: &Plan,
) -> Result<Ready, SettingError> {
    Ok(match steps.bytes {
        ..=SMALL => Ready::of(Tree::<V, SMALL>::new(vocabulary, steps, file, plan)),
        _ => Ready::of(Tree::<V, LARGE>::new(vocabulary, steps, file, plan)),
    })
}

#[cfg(test)]
pub(super) fn lines(steps: Steps, file: &'static File, plan: &Plan) -> Tree<Lines, LARGE> {
    Tree::new(Lines, steps, file, plan)
}

#[cfg(test)]
pub(super) fn users(
    steps: Steps,
    file: &'static File,
    settings: &Settings,
    plan: &Plan,
) -> Tree<Users, LARGE> {
    Tree::new(Users::of(settings, plan).expect("they fit"), steps, file, plan)
}
