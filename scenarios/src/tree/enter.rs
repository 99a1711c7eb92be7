//! What each step does when a bot comes to it, and when what is below it is over.

use std::time::Duration;

use densebots_engine::{Backoff, Counter, Time};

use super::machine::{Cause, Next, Turn, scope};
use super::play::SCRATCH;
use super::{Act, Amount, Does, Gives, NONE};
use crate::template::Expr;
use crate::vocabulary::{ARGUMENTS_MAX, Announced, Begun, Doing, Given, Key, Vocabulary};

/// An action that waits for the link instead of an answer.
const FOR_LINK: u64 = u64::MAX;

impl<V: Vocabulary, const N: usize> Turn<'_, '_, '_, V, N> {
    pub(super) fn enter(&mut self, at: u16) -> Next {
        let step = self.step(at);
        match &step.does {
            Does::Sequence | Does::Select | Does::Always(_) | Does::Negate => {
                Next::Enter(step.first)
            }
            Does::Repeat { times, hold, .. } => {
                self.enter_repeat(at, times.as_ref(), hold.as_ref())
            }
            Does::Random => {
                let many = self.children(at).count() as u64;
                let nth = self.ctx.rng().below(many) as usize;
                Next::Enter(self.children(at).nth(nth).unwrap_or(step.first))
            }
            Does::Weighted(weights) => {
                let mut point = self.ctx.rng().below(weights.iter().copied().map(u64::from).sum());
                let child = self.children(at).zip(&**weights).find(|(_, weight)| {
                    let below = point < u64::from(**weight);
                    point = point.saturating_sub(u64::from(**weight));
                    below
                });
                Next::Enter(child.map_or(step.first, |(child, _)| child))
            }
            Does::Parallel { all, branches } => self.enter_branches(at, *all, *branches),
            Does::Timeout(after) => {
                let end = self.ctx.now + self.draw(after);
                self.bot.set_moment(step.slot, end);
                Next::Enter(step.first)
            }
            Does::Retry { .. } => {
                self.bot.set_number(step.slot, 0);
                Next::Enter(step.first)
            }
            Does::If(when) => {
                let child = match when.truth(&mut self.scope()) {
                    true => step.first,
                    false => self.step(step.first).next,
                };
                if child == NONE { Next::Ended(at, true) } else { Next::Enter(child) }
            }
            Does::Every { pace, times, spread, .. } => {
                self.enter_every(at, pace, times.as_ref(), *spread)
            }
            Does::Once if self.bot.memory[usize::from(step.slot)] != 0 => Next::Ended(at, true),
            Does::Once => {
                self.bot.memory[usize::from(step.slot)] = 1;
                Next::Enter(step.first)
            }
            Does::Measure(op) => {
                self.ctx.begin(self.tree.op(*op));
                Next::Enter(step.first)
            }
            _ => self.enter_leaf(at),
        }
    }

    fn enter_repeat(&mut self, at: u16, times: Option<&Expr>, hold: Option<&Amount>) -> Next {
        let step = self.step(at);
        if let Some(times) = times {
            let rounds = self.number(times).max(0.0) as u32;
            if rounds == 0 {
                return Next::Ended(at, true);
            }
            self.bot.set_number(step.slot, rounds);
        }
        if let Some(hold) = hold {
            let end = self.ctx.now + self.draw(hold);
            self.bot.set_moment(end_of_repeat(step.slot, times.is_some()), end);
        }
        Next::Enter(step.first)
    }

    fn enter_every(&mut self, at: u16, pace: &Amount, times: Option<&Expr>, spread: bool) -> Next {
        let step = self.step(at);
        if let Some(times) = times {
            let beats = self.number(times) as u32;
            if beats == 0 {
                return Next::Ended(at, true);
            }
            self.bot.set_number(step.slot + 8, beats);
        }
        if !spread {
            self.bot.set_moment(step.slot, self.ctx.due);
            return self.beat(at);
        }
        // Or all bots that came together would act together.
        let pace = self.draw(pace);
        let pause = crate::first_pause(pace, self.ctx.rng().fraction());
        self.bot.set_moment(step.slot, self.ctx.now + pause);
        self.rests(at)
    }

    fn enter_leaf(&mut self, at: u16) -> Next {
        let step = self.step(at);
        match &step.does {
            Does::Wait(pause) => {
                let pause = pause.draw(&mut self.scope());
                self.bot.set_moment(step.slot, self.ctx.now + pause);
                self.rests(at)
            }
            Does::WaitFor(awaited) => {
                let within = awaited.within.as_ref();
                let end = within.map_or(Time::NEVER, |within| self.ctx.now + self.draw(within));
                self.bot.set_moment(step.slot, end);
                self.rests(at)
            }
            Does::Act(act) => self.act(at, act),
            Does::Set(sets) => {
                self.set(sets);
                Next::Ended(at, true)
            }
            Does::Count(counter, by) => {
                let by = self.number(by).max(0.0) as u64;
                let first = self.tree.counters_before + super::COUNTERS.len() as u16;
                self.ctx.count(Counter(first + counter), by);
                Next::Ended(at, true)
            }
            Does::SucceedRate(rate) => {
                let rate = self.number(rate);
                Next::Ended(at, self.ctx.rng().fraction() < rate)
            }
            Does::Done => {
                self.over = true;
                self.count(super::ENDED);
                self.ctx.quit();
                Next::Ended(at, true)
            }
            Does::Error(why) => {
                self.over = true;
                self.ctx.give_up(self.tree.reasons[usize::from(*why)]);
                Next::Ended(at, false)
            }
            Does::StopRun(why) => {
                self.ctx.stop_run(self.tree.reasons[usize::from(*why)]);
                Next::Ended(at, true)
            }
            Does::Succeed(ok) => Next::Ended(at, *ok),
            _ => Next::Ended(at, false),
        }
    }

    fn children(&self, at: u16) -> impl Iterator<Item = u16> {
        let steps = &self.tree.steps.steps;
        let first = Some(self.step(at).first).filter(|first| *first != NONE);
        std::iter::successors(first, |at| {
            Some(steps[usize::from(*at)].next).filter(|next| *next != NONE)
        })
    }

    /// The bot waits here, unless the run drains and it has begun nothing that it should finish.
    fn rests(&mut self, at: u16) -> Next {
        if self.ctx.draining() && !self.ctx.busy() {
            self.over = true;
        }
        Next::Waits(at)
    }

    fn enter_branches(&mut self, at: u16, all: bool, branches: u16) -> Next {
        let slot = self.step(at).slot;
        for nth in 0..branches {
            self.bot.set_cursor(slot + 2 * nth, NONE);
        }
        let mut below = self.step(at).first;
        for nth in 0..branches {
            self.begin_branch(slot + 2 * nth, below);
            if self.over {
                return Next::Waits(at);
            }
            if let Some(ended) = self.branches_end(at, all, branches) {
                return ended;
            }
            below = self.step(below).next;
        }
        Next::Waits(at)
    }

    /// What is below a step is over.
    pub(super) fn ended(&mut self, at: u16, child: u16, ok: bool) -> Next {
        let step = self.step(at);
        let next = self.step(child).next;
        match &step.does {
            Does::Sequence if !ok || next == NONE => Next::Ended(at, ok),
            Does::Select if ok || next == NONE => Next::Ended(at, ok),
            Does::Sequence | Does::Select => Next::Enter(next),
            Does::Always(outcome) => Next::Ended(at, *outcome),
            Does::Negate => Next::Ended(at, !ok),
            Does::Repeat { times, until, hold } => {
                let last = times.is_some() && {
                    let left = self.bot.number(step.slot).saturating_sub(1);
                    self.bot.set_number(step.slot, left);
                    left == 0
                };
                let reached = *until == Some(ok);
                let late = hold.is_some() && {
                    let end = end_of_repeat(step.slot, times.is_some());
                    self.bot.moment(end) <= self.ctx.now
                };
                match reached || last || late {
                    // Rounds until something, and it never came.
                    true => Next::Ended(at, until.is_none() || reached),
                    false => Next::Enter(step.first),
                }
            }
            Does::Retry { times, first, cap } => {
                let tries = self.bot.number(step.slot) + 1;
                if ok || tries >= *times {
                    return Next::Ended(at, ok);
                }
                self.bot.set_number(step.slot, tries);
                let back = Backoff { first: *first, cap: *cap, give_up: None };
                let pause = back.pause(tries - 1, self.ctx.rng().fraction());
                let end = self.ctx.now + pause.unwrap_or(Duration::ZERO);
                self.bot.set_moment(step.slot + 4, end);
                self.rests(at)
            }
            Does::Every { .. } => self.after_beat(at),
            Does::Measure(op) => {
                let op = self.tree.op(*op);
                if self.ctx.in_flight(op) {
                    _ = if ok { self.ctx.end(op) } else { self.ctx.fail(op) };
                }
                Next::Ended(at, ok)
            }
            _ => Next::Ended(at, ok),
        }
    }

    /// A beat of `every`: whatever it does was due now.
    pub(super) fn beat(&mut self, at: u16) -> Next {
        let step = self.step(at);
        if self.ctx.draining() && !self.ctx.busy() {
            self.over = true;
            return Next::Waits(at);
        }
        self.ctx.due = self.bot.moment(step.slot);
        Next::Enter(step.first)
    }

    /// When the next beat is due. Those that have passed meanwhile are load that was not given.
    fn after_beat(&mut self, at: u16) -> Next {
        let step = self.step(at);
        let Does::Every { pace, times, op, .. } = &step.does else { return Next::Ended(at, true) };
        let counted = times.is_some();
        let mut left = if counted { self.bot.number(step.slot + 8) - 1 } else { u32::MAX };
        let pace = self.draw(pace).max(PACE_MIN);
        let mut due = self.bot.moment(step.slot) + pace;
        let passed = self.ctx.now.since(due).as_nanos() / pace.as_nanos();
        let late = due < self.ctx.now;
        let missed = if late { u32::try_from(passed + 1).unwrap_or(u32::MAX) } else { 0 };
        let missed = missed.min(left);
        // What would come while the run drains was not meant to.
        let told = if self.ctx.draining() { 0 } else { missed.min(MISSED_MAX) };
        for _ in 0..told {
            match op {
                Some(op) => self.ctx.drop_load(self.tree.op(*op)),
                None => self.count(super::DROPPED),
            }
        }
        due += pace.saturating_mul(missed);
        if counted {
            left -= missed;
            self.bot.set_number(step.slot + 8, left);
        }
        if left == 0 {
            return Next::Ended(at, true);
        }
        self.bot.set_moment(step.slot, due);
        self.rests(at)
    }

    /// Lets the vocabulary write an action.
    fn act(&mut self, at: u16, act: &Act) -> Next {
        let step = self.step(at);
        let op = act.op.map(|op| self.tree.op(op));
        if !self.bot.online || !self.ctx.is_open() {
            if self.tried {
                // Once it has failed, it waits: a tree that tries for ever would never end.
                self.bot.set_moment(step.slot, Time::from_nanos(FOR_LINK));
                return Next::Waits(at);
            }
            self.tried = true;
            if let Some(op) = op {
                self.ctx.drop_load(op);
            }
            return Next::Ended(at, false);
        }
        if self.ctx.draining() && !self.ctx.busy() {
            self.over = true;
            return Next::Waits(at);
        }
        let within = act.within.as_ref().map(|within| self.draw(within));
        if let Some(op) = op {
            let patience = within.unwrap_or(self.ctx.plan().request_timeout);
            self.ctx.begin_within(op, patience);
        }
        let begun = self.write(act);
        match begun {
            Begun::Waits(key) => {
                self.bot.set_moment(step.slot, Time::from_nanos(key.0));
                Next::Waits(at)
            }
            Begun::Over(ok) => {
                if let Some(op) = op {
                    _ = if ok { self.ctx.end(op) } else { self.ctx.fail(op) };
                }
                Next::Ended(at, ok)
            }
        }
    }

    fn write(&mut self, act: &Act) -> Begun {
        let mut text = SCRATCH.take();
        text.clear();
        let (mut ends, mut numbers) = ([0; ARGUMENTS_MAX], [0.0; ARGUMENTS_MAX]);
        for (nth, argument) in act.arguments.iter().enumerate() {
            let mut scope = scope(self.bot, self.ctx, self.heard);
            match argument {
                Gives::Text(template) => template.render(&mut scope, &mut text),
                Gives::Number(number) => numbers[nth] = number.number(&mut scope),
            }
            ends[nth] = text.len() as u32;
        }
        let does = &V::ACTIONS[usize::from(act.action)];
        let given = Given { text: &text, ends, numbers };
        let (vocabulary, id) = (&self.tree.vocabulary, self.ctx.id);
        let message = match (does.announces)(vocabulary, id, &given) {
            Announced::Nothing => None,
            Announced::Room(room) => Some(self.ctx.ledger().sent(room)),
            Announced::Bot(bot) => Some(self.ctx.ledger().sent_to(bot)),
            Announced::Leaves(room) => {
                self.ctx.ledger().left(room);
                None
            }
        };
        let (stay, mut begun) = (&mut self.bot.stay, Begun::Over(false));
        self.ctx.send(|session, out| {
            begun = (does.begin)(&mut Doing { vocabulary, id, stay, session, out, given, message });
        });
        SCRATCH.set(text);
        begun
    }

    pub(super) fn poke_act(&mut self, at: u16, act: &Act, cause: Cause<'_>) -> Option<Next> {
        let waits = self.bot.moment(self.step(at).slot).nanos();
        let op = act.op.map(|op| self.tree.op(op));
        match cause {
            Cause::Online if waits == FOR_LINK => Some(Next::Enter(at)),
            _ if waits == FOR_LINK => None,
            Cause::Told { answer: Some(answer), .. } if answer.key == Key(waits) => {
                if let Some(op) = op {
                    _ = if answer.ok { self.ctx.end(op) } else { self.ctx.fail(op) };
                }
                Some(Next::Ended(at, answer.ok))
            }
            Cause::Timeout(timed) if op == Some(timed) => Some(Next::Ended(at, false)),
            Cause::Lost => Some(Next::Ended(at, false)),
            _ => None,
        }
    }
}

/// Where the end of a `repeat` stands: behind its rounds, if they are counted.
fn end_of_repeat(slot: u16, counted: bool) -> u16 {
    if counted { slot + 4 } else { slot }
}

/// No pace is shorter: what it drew may be nothing.
const PACE_MIN: Duration = Duration::from_micros(100);
/// Beats counted one by one after a pause: a bot that was away longer has told enough.
const MISSED_MAX: u32 = 100_000;
