//! Each node and each action of a file, compiled.

use std::time::Duration;

use super::compile::{Around, CURSOR, Compiler};
use super::{Amount, Does};
use crate::file::yaml::{Is, Node};
use crate::file::{Keys, Span, list, quantity, text, truth};
use crate::template::{Expr, Kind};
use crate::units;

/// Bytes of what slots hold.
pub(super) const MOMENT: usize = 8;
pub(super) const NUMBER: usize = 4;
/// Tries of a retry: more is an endless repeat.
const TRIES_MAX: u32 = 1_000_000;

impl<'f> Compiler<'f> {
    /// A node with others below it.
    pub(super) fn node(
        &mut self,
        name: &'static str,
        at: Span,
        given: Option<&'f Node>,
        around: &Around<'f>,
    ) -> Option<u16> {
        let Some(given) = given else {
            self.faults.add(at, format!("`{name}` of what? Its steps stand below it"));
            return None;
        };
        match name {
            "sequence" => self.group(Does::Sequence, list(given), at, around),
            "select" => self.group(Does::Select, list(given), at, around),
            "random" => self.group(Does::Random, list(given), at, around),
            "always_succeed" => self.over(Does::Always(true), 0, given, at, around),
            "always_fail" => self.over(Does::Always(false), 0, given, at, around),
            "negate" => self.over(Does::Negate, 0, given, at, around),
            "once" => {
                let step = self.over(Does::Once, 0, given, at, around)?;
                self.lasting.push(step);
                Some(step)
            }
            "weighted" => self.weighted(given, at, around),
            "parallel" => self.parallel(given, at, around),
            "repeat" => self.repeat(given, at, around),
            "if" => self.choice(given, at, around),
            "every" => self.every(given, at, around),
            "retry" => self.retry(given, at, around),
            "timeout" => {
                let mut keys = Keys::of(given, "timeout", self.faults)?;
                let (after, body) = (keys.need("after", self.faults), keys.need("do", self.faults));
                keys.end(self.faults);
                let after = after.and_then(|node| self.amount(node, "after", around));
                let body = body?;
                let does = Does::Timeout(after.unwrap_or(Amount::Fixed(Duration::ZERO)));
                self.over(does, MOMENT, body, at, around)
            }
            _ => {
                let mut keys = Keys::of(given, "measure", self.faults)?;
                let (op, body) = (keys.need("op", self.faults), keys.need("do", self.faults));
                keys.end(self.faults);
                let op = op.and_then(|node| self.op_name(node, around));
                let body = body?;
                let op = op.unwrap_or(0);
                let inside =
                    Around { timed: [&around.timed[..], &[op]].concat(), ..around.clone() };
                self.over(Does::Measure(op), 0, body, at, &inside)
            }
        }
    }

    /// A step over several.
    pub(super) fn group(
        &mut self,
        does: Does,
        steps: &'f [Node],
        at: Span,
        around: &Around<'f>,
    ) -> Option<u16> {
        if steps.is_empty() {
            self.faults.add(at, "there is no step in it");
            return None;
        }
        let group = self.push(does, around.free, at, around.parent)?;
        let inside = around.below(group, around.free);
        let below: Vec<_> = steps.iter().map(|node| self.step(node, &inside)).collect();
        self.link(group, &below);
        Some(group)
    }

    /// A step over one, with a slot.
    fn over(
        &mut self,
        does: Does,
        slot: usize,
        body: &'f Node,
        at: Span,
        around: &Around<'f>,
    ) -> Option<u16> {
        let step = self.push(does, around.free, at, around.parent)?;
        let free = self.reserve(around.free, slot);
        let below = self.step(body, &around.below(step, free));
        self.link(step, &[below]);
        Some(step)
    }

    fn link(&mut self, parent: u16, below: &[Option<u16>]) {
        let below: Vec<u16> = below.iter().flatten().copied().collect();
        let Some(first) = below.first() else { return };
        self.steps[usize::from(parent)].first = *first;
        for pair in below.windows(2) {
            self.steps[usize::from(pair[0])].next = pair[1];
        }
    }

    fn weighted(&mut self, given: &'f Node, at: Span, around: &Around<'f>) -> Option<u16> {
        let (mut weights, mut bodies) = (Vec::new(), Vec::new());
        for node in list(given) {
            let mut keys = Keys::of(node, "weighted", self.faults)?;
            let weight = keys.need("weight", self.faults);
            let body = keys.need("do", self.faults);
            keys.end(self.faults);
            let count = |text: &str| match units::count(text)? {
                0 => Err("a weight of 0 is never drawn; leave the step out".to_owned()),
                weight => Ok(weight),
            };
            weights.extend(weight.and_then(|node| quantity(node, "weight", count, self.faults)));
            bodies.extend(body);
        }
        if weights.iter().try_fold(0u32, |all, weight| all.checked_add(*weight)).is_none() {
            self.faults.add(at, "the weights are too large together");
            return None;
        }
        let does = Does::Weighted(weights.into());
        let group = self.push(does, around.free, at, around.parent)?;
        let inside = around.below(group, around.free);
        let below: Vec<_> = bodies.iter().map(|node| self.step(node, &inside)).collect();
        self.link(group, &below);
        Some(group)
    }

    /// Branches have cursors and slots of their own: they are all under way at once.
    fn parallel(&mut self, given: &'f Node, at: Span, around: &Around<'f>) -> Option<u16> {
        let mut keys = Keys::of(given, "parallel", self.faults)?;
        let (all, any) = (keys.get("all"), keys.get("any"));
        keys.end(self.faults);
        let (Some(branches), true) = (all.or(any), all.is_some() != any.is_some()) else {
            self.faults.add(at, "`parallel` has `all` or `any`: which of the two?");
            return None;
        };
        let branches = list(branches);
        let does = Does::Parallel { all: all.is_some(), branches: branches.len() as u16 };
        let step = self.push(does, around.free, at, around.parent)?;
        let mut free = self.reserve(around.free, branches.len() * CURSOR);
        let mut below = Vec::new();
        let mut ops: Vec<u16> = Vec::new();
        for node in branches {
            let first = self.steps.len();
            let before = self.high();
            below.push(self.step(node, &around.below(step, free)));
            free = self.high().max(before);
            let own = self.steps[first..].iter().filter_map(|step| match &step.does {
                Does::Act(act) => act.op,
                Does::Measure(op) => Some(*op),
                _ => None,
            });
            let mut own: Vec<u16> = own.collect();
            if let Some(op) = own.iter().find(|op| ops.contains(op)) {
                let name = &self.ops[usize::from(*op)];
                let what = format!("two branches are timed as `{name}`, and an answer is for one");
                self.faults.add(node.span, what);
            }
            ops.append(&mut own);
        }
        self.link(step, &below);
        Some(step)
    }

    fn repeat(&mut self, given: &'f Node, at: Span, around: &Around<'f>) -> Option<u16> {
        let own = matches!(&given.is, Is::Map(entries) if entries.iter().any(|e| e.key == "do"));
        if !own {
            let does = Does::Repeat { times: None, until: None, hold: None };
            return self.over(does, 0, given, at, around);
        }
        let mut keys = Keys::of(given, "repeat", self.faults)?;
        let (times, until) = (keys.get("times"), keys.get("until"));
        let (hold, body) = (keys.get("for"), keys.need("do", self.faults));
        keys.end(self.faults);
        let until = until.and_then(|node| match text(node, "until", self.faults)? {
            "success" => Some(true),
            "failure" => Some(false),
            other => {
                let what = format!("until: `{other}` is neither success nor failure");
                self.faults.unknown(node.span, what, other, ["success", "failure"]);
                None
            }
        });
        let times = times.and_then(|node| self.number(node, "times", around));
        let hold = hold.and_then(|node| self.amount(node, "for", around));
        let counted = if times.is_some() { NUMBER } else { 0 };
        let timed = if hold.is_some() { MOMENT } else { 0 };
        self.over(Does::Repeat { times, until, hold }, counted + timed, body?, at, around)
    }

    fn choice(&mut self, given: &'f Node, at: Span, around: &Around<'f>) -> Option<u16> {
        let mut keys = Keys::of(given, "if", self.faults)?;
        let when = keys.need("when", self.faults);
        let then = keys.need("then", self.faults);
        let other = keys.get("else");
        keys.end(self.faults);
        let names = around.names.clone();
        let when = when.and_then(|node| self.expression(node, Kind::Truth, "when", &names));
        let does = Does::If(when.unwrap_or(Expr::Truth(true)));
        let step = self.push(does, around.free, at, around.parent)?;
        let inside = around.below(step, around.free);
        let below: Vec<_> =
            [then, other].into_iter().flatten().map(|node| self.step(node, &inside)).collect();
        self.link(step, &below);
        Some(step)
    }

    fn every(&mut self, given: &'f Node, at: Span, around: &Around<'f>) -> Option<u16> {
        let mut keys = Keys::of(given, "every", self.faults)?;
        let pace = keys.need("pace", self.faults);
        let (times, spread) = (keys.get("times"), keys.get("spread"));
        let body = keys.need("do", self.faults);
        keys.end(self.faults);
        let place = pace.map_or(at, |node| node.span);
        let pace = pace.and_then(|node| self.amount(node, "pace", around));
        if pace == Some(Amount::Fixed(Duration::ZERO)) {
            self.faults.add(place, "pace: a time above zero belongs here");
        }
        let times = times.and_then(|node| self.number(node, "times", around));
        let spread = spread.and_then(|node| truth(node, "spread", self.faults)).unwrap_or(true);
        let pace = pace.unwrap_or(Amount::Fixed(Duration::from_secs(1)));
        let first = self.steps.len();
        let counted = if times.is_some() { NUMBER } else { 0 };
        let does = Does::Every { pace, times, spread, op: None };
        let step = self.over(does, MOMENT + counted, body?, at, around)?;
        // A beat that could not be counts as one of the first op that it would have been.
        let timed = self.steps[first..].iter().find_map(|step| match &step.does {
            Does::Act(act) => act.op,
            Does::Measure(op) => Some(*op),
            _ => None,
        });
        if let Does::Every { op, .. } = &mut self.steps[usize::from(step)].does {
            *op = timed;
        }
        Some(step)
    }

    fn retry(&mut self, given: &'f Node, at: Span, around: &Around<'f>) -> Option<u16> {
        let mut keys = Keys::of(given, "retry", self.faults)?;
        let times = keys.need("times", self.faults);
        let (first, cap) = (keys.get("first"), keys.get("cap"));
        let body = keys.need("do", self.faults);
        keys.end(self.faults);
        let tries = |text: &str| match units::count(text)? {
            tries @ 1..=TRIES_MAX => Ok(tries),
            _ => Err(format!("from 1 to {TRIES_MAX} tries; `repeat` has no end")),
        };
        let times = times.and_then(|node| quantity(node, "times", tries, self.faults));
        let mut pause = |node: Option<&Node>, what, usual| {
            let read = |node| quantity(node, what, units::duration, self.faults);
            node.and_then(read).unwrap_or(usual)
        };
        let first = pause(first, "first", Duration::from_secs(1));
        let cap = pause(cap, "cap", Duration::from_secs(30));
        let does = Does::Retry { times: times.unwrap_or(1), first, cap };
        self.over(does, NUMBER + MOMENT, body?, at, around)
    }
}
