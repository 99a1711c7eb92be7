//! How a bot goes through its tree: from what has happened to the next step that waits.
//!
//! ```text
//!   resume --poke--> the step that waits is over --ended--> its parent goes on --enter--> ...
//!     |                                                        until a step waits again
//!     +--expired-> a timeout above it: all below is aborted, the timeout has failed
//! ```
//! A cursor stands on the step that waits. Branches of `parallel` have cursors of their own, and
//! the parent's stands on the `parallel`.

use std::time::Duration;

use densebots_engine::{Counter, Ctx, Op, Time};

use super::play::{Bot, Tree};
use super::{Amount, Does, ENDED, FAILED, NONE, RUNAWAY, STRIDE_MAX, Sets, Step};
use crate::template::{Expr, Heard, Scope};
use crate::vocabulary::{Answer, Vocabulary};

/// What has happened.
#[derive(Clone, Copy)]
pub(super) enum Cause<'e> {
    Wake,
    Told {
        answer: Option<Answer>,
        heard: Option<&'e Heard<'e>>,
    },
    Timeout(Op),
    /// The link is gone, and with it all ops in flight.
    Lost,
    /// The link is back.
    Online,
}

/// Where a cursor goes from here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    Enter(u16),
    Ended(u16, bool),
    Waits(u16),
}

/// One call of the engine.
pub(super) struct Turn<'t, 'b, 'c, V: Vocabulary, const N: usize> {
    pub tree: &'t Tree<V, N>,
    pub bot: &'b mut Bot<V, N>,
    pub ctx: &'b mut Ctx<'c, Tree<V, N>>,
    pub heard: Option<&'b Heard<'b>>,
    /// When this call was meant to happen: branches have other moments of their own.
    due: Time,
    /// Steps that it may still take.
    fuel: u32,
    /// The bot leaves: nothing goes on.
    pub over: bool,
    /// An action has failed because the link is gone; the next one waits for it.
    pub tried: bool,
}

/// The cursor of the whole tree.
const ROOT: u16 = 0;

/// What the bot knows, for templates.
pub(super) fn scope<'s, V: Vocabulary, const N: usize>(
    bot: &'s Bot<V, N>,
    ctx: &'s mut Ctx<'_, Tree<V, N>>,
    heard: Option<&'s Heard<'s>>,
) -> Scope<'s> {
    Scope { memory: &bot.memory, id: ctx.id.0, now: ctx.now, rng: ctx.rng(), heard }
}

impl<'t, 'b, 'c, V: Vocabulary, const N: usize> Turn<'t, 'b, 'c, V, N> {
    pub(super) fn new(
        tree: &'t Tree<V, N>,
        bot: &'b mut Bot<V, N>,
        ctx: &'b mut Ctx<'c, Tree<V, N>>,
    ) -> Turn<'t, 'b, 'c, V, N> {
        let due = ctx.due;
        Turn { tree, bot, ctx, heard: None, due, fuel: STRIDE_MAX, over: false, tried: false }
    }

    /// Begins the tree from its root.
    pub(super) fn begin(mut self) {
        let root = self.root();
        self.bot.set_cursor(ROOT, NONE);
        let ended = self.run(ROOT, root, Next::Enter(root));
        self.settle(ended);
    }

    /// Goes on from where the bot waits.
    pub(super) fn go_on(mut self, cause: Cause<'b>) {
        if let Cause::Told { heard, .. } = cause {
            self.heard = heard;
        }
        let root = self.root();
        let ended = self.resume(ROOT, root, cause);
        self.settle(ended);
    }

    fn root(&self) -> u16 {
        self.tree.steps.kinds[usize::from(self.bot.kind)].root
    }

    pub(super) fn step(&self, at: u16) -> &'t Step {
        &self.tree.steps.steps[usize::from(at)]
    }

    /// The end of the tree is the end of the bot's run, which the plan may repeat. Otherwise the
    /// bot sleeps until the first thing that is due.
    fn settle(&mut self, ended: Option<bool>) {
        if let Some(ok) = ended {
            self.count(if ok { ENDED } else { FAILED });
            self.over = true;
            self.ctx.quit();
        }
        let due = if self.over { Time::NEVER } else { self.due(ROOT, self.root()) };
        match due {
            Time::NEVER => self.ctx.forget_wake(),
            due => self.ctx.wake_at(due),
        }
    }

    pub(super) fn count(&mut self, counter: u16) {
        self.ctx.count(Counter(self.tree.counters_before + counter), 1);
    }

    /// Takes steps until one waits, or the branch with this cursor is over.
    fn run(&mut self, cursor: u16, root: u16, mut next: Next) -> Option<bool> {
        loop {
            if self.over {
                self.bot.set_cursor(cursor, NONE);
                return None;
            }
            next = match next {
                Next::Waits(at) => {
                    self.bot.set_cursor(cursor, at);
                    return None;
                }
                Next::Ended(at, ok) if at == root => {
                    self.bot.set_cursor(cursor, NONE);
                    return Some(ok);
                }
                Next::Ended(at, ok) => self.ended(self.step(at).parent, at, ok),
                Next::Enter(at) if self.fuel == 0 => {
                    self.count(RUNAWAY);
                    self.over = true;
                    let why = self.tree.runaway(self.step(at).span);
                    self.ctx.give_up(why);
                    Next::Waits(at)
                }
                Next::Enter(at) => {
                    self.fuel -= 1;
                    self.tree.reach(at);
                    self.enter(at)
                }
            };
        }
    }

    /// What has happened, told to the branch with this cursor.
    fn resume(&mut self, cursor: u16, root: u16, cause: Cause<'_>) -> Option<bool> {
        let at = self.bot.cursor(cursor);
        if at >= FAILED_BRANCH || self.over {
            return None;
        }
        self.ctx.due = self.due;
        let above = match cause {
            Cause::Wake => self.above(at, root, |turn, step| {
                matches!(step.does, Does::Timeout(_)) && turn.bot.moment(step.slot) <= turn.ctx.now
            }),
            Cause::Timeout(op) => self.above(at, root, |turn, step| {
                matches!(step.does, Does::Measure(own) if turn.tree.op(own) == op)
                    && !turn.ctx.in_flight(op)
            }),
            _ => None,
        };
        let next = match above {
            Some(above) => {
                if matches!(cause, Cause::Wake) {
                    self.ctx.due = self.bot.moment(self.step(above).slot);
                }
                self.abort(at, above);
                Next::Ended(above, false)
            }
            None => self.poke(at, cause)?,
        };
        self.run(cursor, root, next)
    }

    /// The outermost step of a branch, from this one up, of which this is so.
    fn above(&self, at: u16, root: u16, is: impl Fn(&Self, &Step) -> bool) -> Option<u16> {
        let (mut found, mut step) = (None, at);
        loop {
            if is(self, self.step(step)) {
                found = Some(step);
            }
            if step == root {
                return found;
            }
            step = self.step(step).parent;
        }
    }

    /// What has happened, told to the step that waits. `None`: it goes on waiting.
    fn poke(&mut self, at: u16, cause: Cause<'_>) -> Option<Next> {
        let step = self.step(at);
        let due = self.bot.moment(end_of(step));
        let is_due = matches!(cause, Cause::Wake) && due <= self.ctx.now;
        if is_due {
            self.ctx.due = due;
        }
        match &step.does {
            Does::Parallel { all, branches } => self.poke_branches(at, *all, *branches, cause),
            Does::Wait(_) if is_due => Some(Next::Ended(at, true)),
            Does::Every { .. } if is_due => Some(self.beat(at)),
            Does::Retry { .. } if is_due => Some(Next::Enter(step.first)),
            Does::WaitFor(_) if is_due => Some(Next::Ended(at, false)),
            Does::WaitFor(awaited) => {
                let Cause::Told { heard: Some(heard), .. } = cause else { return None };
                if heard.event != awaited.event {
                    return None;
                }
                let this = awaited.condition.as_ref();
                let this = this.is_none_or(|this| this.truth(&mut self.scope()));
                if !this {
                    return None;
                }
                self.set(&awaited.sets);
                Some(Next::Ended(at, true))
            }
            Does::Act(act) => self.poke_act(at, act, cause),
            _ => None,
        }
    }

    pub(super) fn scope(&mut self) -> Scope<'_> {
        scope(self.bot, self.ctx, self.heard)
    }

    pub(super) fn draw(&mut self, amount: &Amount) -> Duration {
        amount.draw(&mut self.scope())
    }

    pub(super) fn number(&mut self, value: &Expr) -> f64 {
        value.number(&mut self.scope())
    }

    pub(super) fn set(&mut self, sets: &[(crate::template::Place, Sets)]) {
        for (place, to) in sets {
            match to {
                Sets::Number(value) => {
                    let number = value.number(&mut self.scope());
                    place.set_number(&mut self.bot.memory, number);
                }
                Sets::Truth(value) => {
                    let truth = value.truth(&mut self.scope());
                    place.set_truth(&mut self.bot.memory, truth);
                }
                Sets::Text(value) => {
                    let mut text = super::play::SCRATCH.take();
                    text.clear();
                    value.render(&mut self.scope(), &mut text);
                    place.set_text(&mut self.bot.memory, &text);
                    super::play::SCRATCH.set(text);
                }
            }
        }
    }

    fn poke_branches(
        &mut self,
        at: u16,
        all: bool,
        branches: u16,
        cause: Cause<'_>,
    ) -> Option<Next> {
        let (slot, mut below, mut ends) = (self.step(at).slot, self.step(at).first, None);
        for nth in 0..branches {
            let cursor = slot + 2 * nth;
            if ends.is_none()
                && let Some(ok) = self.resume(cursor, below, cause)
            {
                self.bot.set_cursor(cursor, if ok { SUCCEEDED } else { FAILED_BRANCH });
                ends = self.branches_end(at, all, branches);
            }
            below = self.step(below).next;
        }
        ends
    }

    /// Whether the branches have come to something; what still goes on is aborted then.
    pub(super) fn branches_end(&mut self, at: u16, all: bool, branches: u16) -> Option<Next> {
        let slot = self.step(at).slot;
        let count = |turn: &Self, what| {
            (0..branches).filter(|nth| turn.bot.cursor(slot + 2 * nth) == what).count()
        };
        let succeeded = count(self, SUCCEEDED);
        let failed = count(self, FAILED_BRANCH);
        let (decisive, other) = if all { (failed, succeeded) } else { (succeeded, failed) };
        if decisive == 0 && other < usize::from(branches) {
            return None;
        }
        self.abort_branches(at, branches);
        Some(Next::Ended(at, if decisive > 0 { !all } else { all }))
    }

    fn abort_branches(&mut self, at: u16, branches: u16) {
        let (slot, mut below) = (self.step(at).slot, self.step(at).first);
        for nth in 0..branches {
            let waits = self.bot.cursor(slot + 2 * nth);
            if waits < FAILED_BRANCH {
                self.abort(waits, self.step(below).parent);
            }
            self.bot.set_cursor(slot + 2 * nth, NONE);
            below = self.step(below).next;
        }
    }

    /// Ends what is under way from the step that waits up to one above, that one not included.
    fn abort(&mut self, at: u16, above: u16) {
        let mut step = at;
        while step != above {
            let op = match &self.step(step).does {
                Does::Act(act) => act.op,
                Does::Measure(op) => Some(*op),
                Does::Parallel { branches, .. } if step == at => {
                    self.abort_branches(step, *branches);
                    None
                }
                _ => None,
            };
            if let Some(op) = op.map(|op| self.tree.op(op)).filter(|op| self.ctx.in_flight(*op)) {
                self.ctx.fail(op);
            }
            step = self.step(step).parent;
        }
    }

    /// When the branch with this cursor has to be woken.
    fn due(&self, cursor: u16, root: u16) -> Time {
        let at = self.bot.cursor(cursor);
        if at >= FAILED_BRANCH {
            return Time::NEVER;
        }
        let step = self.step(at);
        let mut due = match &step.does {
            Does::Parallel { branches, .. } => {
                let (mut below, mut due) = (step.first, Time::NEVER);
                for nth in 0..*branches {
                    due = due.min(self.due(step.slot + 2 * nth, below));
                    below = self.step(below).next;
                }
                due
            }
            _ => self.bot.moment(end_of(step)),
        };
        let mut above = at;
        loop {
            let step = self.step(above);
            if matches!(step.does, Does::Timeout(_)) {
                due = due.min(self.bot.moment(step.slot));
            }
            if above == root {
                return due;
            }
            above = step.parent;
        }
    }

    /// Runs a branch of a `parallel` for the first time.
    pub(super) fn begin_branch(&mut self, cursor: u16, root: u16) {
        if let Some(ok) = self.run(cursor, root, Next::Enter(root)) {
            self.bot.set_cursor(cursor, if ok { SUCCEEDED } else { FAILED_BRANCH });
        }
    }
}

/// Where the moment stands that a step waits for; out of memory if it waits for none.
fn end_of(step: &Step) -> u16 {
    match step.does {
        Does::Wait(_) | Does::Every { .. } | Does::WaitFor(_) => step.slot,
        // Its tries stand in front of the end of the pause.
        Does::Retry { .. } => step.slot + 4,
        _ => NONE,
    }
}

/// What the cursor of a branch says that is over. Steps have lower numbers.
const SUCCEEDED: u16 = NONE - 1;
const FAILED_BRANCH: u16 = NONE - 2;
const _: () = assert!(super::STEPS_MAX < FAILED_BRANCH as usize);
