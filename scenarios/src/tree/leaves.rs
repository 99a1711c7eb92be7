//! Steps with nothing below them, and actions, compiled.

use super::compile::{Around, Compiler};
use super::nodes::MOMENT;
use super::{Act, Amount, Awaited, Does, Gives, Sets, amounts};
use crate::file::yaml::{Is, Node};
use crate::file::{Keys, Span, SubTree, name_fault, number, percent, text};
use crate::template::{Expr, Kind, Names};
use crate::vocabulary::{ARGUMENTS_MAX, Argument, Takes};

/// Ops, counters and reasons of one file, each: an op has histograms of its own in every shard.
const NAMES_MAX: usize = 100;

impl<'f> Compiler<'f> {
    /// A step with nothing below it, which every protocol has.
    pub(super) fn leaf(
        &mut self,
        name: &'static str,
        at: Span,
        given: Option<&'f Node>,
        around: &Around<'f>,
    ) -> Option<u16> {
        let does = match (name, given) {
            ("succeed", None) => Does::Succeed(true),
            ("fail", None) => Does::Succeed(false),
            ("done", None) => Does::Done,
            ("succeed" | "fail" | "done", Some(given)) => {
                self.faults.add(given.span, format!("`{name}` takes nothing"));
                return None;
            }
            (_, None) => {
                self.faults.add(at, format!("`{name}` of what? It needs a value"));
                return None;
            }
            ("wait", Some(given)) => {
                let template = self.template(given, "wait", around)?;
                match amounts::pause(&template) {
                    Ok(pause) => Does::Wait(pause),
                    Err(why) => {
                        self.faults.add(given.span, format!("wait: {why}"));
                        return None;
                    }
                }
            }
            ("wait_for", Some(given)) => self.awaited(given, around)?,
            ("set", Some(given)) => Does::Set(self.sets(given, &around.names)?),
            ("count", Some(given)) => self.count(given, around)?,
            ("succeed_rate", Some(given)) => Does::SucceedRate(self.rate(given, around)?),
            ("error", Some(given)) => Does::Error(self.reason(given, "error", around)?),
            (_, Some(given)) => Does::StopRun(self.reason(given, "stop_run", around)?),
        };
        self.reserve(around.free, MOMENT);
        self.push(does, around.free, at, around.parent)
    }

    /// Why a bot or a run ends: the same for all bots, because the engine keeps reasons for as long
    /// as the program lives.
    fn reason(&mut self, node: &Node, what: &str, around: &Around<'f>) -> Option<u16> {
        let template = self.template(node, what, around)?;
        let Some(constant) = template.constant() else {
            let help = "count it with `count`, or leave the template out";
            self.faults.add_with(node.span, format!("{what}: a reason is the same for all"), help);
            return None;
        };
        let constant = constant.to_owned();
        let full = self.reasons.len() >= NAMES_MAX;
        let nth = index(&mut self.reasons, &constant, full);
        if nth.is_none() {
            self.faults.add(node.span, format!("more than {NAMES_MAX} reasons"));
        }
        nth
    }

    fn rate(&mut self, node: &Node, around: &Around<'f>) -> Option<Expr> {
        if let Some(share) = node.scalar().and_then(|text| percent(text).ok()) {
            return Some(Expr::Number(share));
        }
        let rate = self.number(node, "succeed_rate", around)?;
        match rate {
            Expr::Number(rate) if !(0.0..=1.0).contains(&rate) => {
                self.faults.add(node.span, "succeed_rate: from 0 to 1, or 0% to 100%");
                None
            }
            rate => Some(rate),
        }
    }

    fn count(&mut self, given: &'f Node, around: &Around<'f>) -> Option<Does> {
        let (name, by) = match &given.is {
            Is::Map(_) => {
                let mut keys = Keys::of(given, "count", self.faults)?;
                let (name, by) = (keys.need("counter", self.faults), keys.get("by"));
                keys.end(self.faults);
                (name?, by)
            }
            _ => (given, None),
        };
        let counter = self.report_name(name, "count")?;
        let by = by.map_or(Some(Expr::Number(1.0)), |node| self.number(node, "by", around))?;
        let full = self.counters.len() >= NAMES_MAX;
        let Some(nth) = index(&mut self.counters, counter, full) else {
            self.faults.add(name.span, format!("more than {NAMES_MAX} counters"));
            return None;
        };
        Some(Does::Count(nth, by))
    }

    /// The name of an op or counter of the file's own.
    fn report_name<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let name = text(node, what, self.faults)?;
        let good = name.split('.').all(|part| name_fault(part).is_none());
        if !good {
            let help = "letters, digits, `_` and `-`, with dots between words: room.join";
            self.faults.add_with(node.span, format!("{what}: `{name}` is no name"), help);
            return None;
        }
        Some(name)
    }

    pub(super) fn op_name(&mut self, node: &'f Node, around: &Around<'f>) -> Option<u16> {
        let name = self.report_name(node, "op")?.to_owned();
        if self.lexicon.ops.contains(&name.as_str()) {
            self.faults.add(node.span, format!("`{name}` is an op of the login; give another"));
            return None;
        }
        self.op(&name, node.span, around)
    }

    /// The number of an op, which must not be under way already.
    fn op(&mut self, name: &str, at: Span, around: &Around<'f>) -> Option<u16> {
        let full = self.ops.len() >= NAMES_MAX;
        let Some(op) = index(&mut self.ops, name, full) else {
            self.faults.add(at, format!("more than {NAMES_MAX} ops"));
            return None;
        };
        if around.timed.contains(&op) {
            let what = format!("this is timed as `{name}` within a `measure` of that name");
            self.faults.add_with(at, what, "give the `measure` another `op`");
            return None;
        }
        Some(op)
    }

    fn awaited(&mut self, given: &'f Node, around: &Around<'f>) -> Option<Does> {
        let (mut event, mut condition, mut sets, mut within) = (given, None, None, None);
        if let Is::Map(_) = &given.is {
            let mut keys = Keys::of(given, "wait_for", self.faults)?;
            let named = keys.need("event", self.faults);
            (condition, sets) = (keys.get("where"), keys.get("set"));
            within = keys.get("within");
            keys.end(self.faults);
            event = named?;
        }
        let name = text(event, "wait_for", self.faults)?;
        let events = self.lexicon.events;
        let Some(nth) = events.iter().position(|event| event.name == name) else {
            let known = events.iter().map(|event| event.name);
            self.faults.unknown(event.span, format!("no event is called `{name}`"), name, known);
            return None;
        };
        let names = Names { fields: events[nth].fields, ..(*around.names).clone() };
        let condition = condition.map(|node| self.expression(node, Kind::Truth, "where", &names));
        let sets = sets.map_or(Some(Box::default()), |node| self.sets(node, &names));
        let within = within.map(|node| self.amount(node, "within", around));
        let (condition, within) = (condition.map_or(Some(None), |own| Some(Some(own?))), within);
        let within = within.map_or(Some(None), |own| Some(Some(own?)));
        let (condition, sets, within) = (condition?, sets?, within?);
        let mut fields = condition.as_ref().map_or(0, Expr::fields);
        for (_, to) in &sets {
            fields |= match to {
                Sets::Number(value) | Sets::Truth(value) => value.fields(),
                Sets::Text(text) => text.fields(),
            };
        }
        *self.wanted[nth].get_or_insert_default() |= fields;
        let event = nth as u16;
        Some(Does::WaitFor(Box::new(Awaited { event, condition, sets, within })))
    }

    /// Variables and what they become.
    fn sets(
        &mut self,
        node: &Node,
        names: &Names<'f>,
    ) -> Option<Box<[(crate::template::Place, Sets)]>> {
        let Is::Map(entries) = &node.is else {
            let what = "set: variables with values belong here";
            self.faults.add(node.span, format!("{what}, not {}", node.kind()));
            return None;
        };
        let mut found = Vec::new();
        for entry in entries {
            let variable = names.variables.iter().find(|(name, _)| *name == entry.key);
            let Some((_, place)) = variable else {
                let what = format!("no variable is called `{}`", entry.key);
                let known = names.variables.iter().map(|(name, _)| *name);
                self.faults.unknown(entry.at, what, &entry.key, known);
                continue;
            };
            let value = &entry.value;
            let to = match place.kind {
                Kind::Number => {
                    self.expression(value, Kind::Number, &entry.key, names).map(Sets::Number)
                }
                Kind::Truth => match value.scalar() {
                    Some(word @ ("true" | "false")) => {
                        Some(Sets::Truth(Expr::Truth(word == "true")))
                    }
                    _ => self.expression(value, Kind::Truth, &entry.key, names).map(Sets::Truth),
                },
                Kind::Text => self.text_in(value, &entry.key, names).map(Sets::Text),
            };
            found.extend(to.map(|to| (*place, to)));
        }
        (found.len() == entries.len()).then(|| found.into())
    }

    fn text_in(
        &mut self,
        node: &Node,
        what: &str,
        names: &Names<'f>,
    ) -> Option<crate::template::Template> {
        let written = text(node, what, self.faults)?;
        match crate::template::template(written, names) {
            Ok(template) => Some(template),
            Err(trouble) => self.trouble(node, what, &trouble),
        }
    }

    /// The arguments of a sub-tree, as what their names stand for.
    pub(super) fn arguments(
        &mut self,
        tree: &'f SubTree,
        at: Span,
        given: Option<&'f Node>,
        around: &Around<'f>,
    ) -> Option<Vec<(&'f str, Expr)>> {
        let entries = match given.map(|node| (&node.is, node)) {
            None => &[][..],
            Some((Is::Map(entries), _)) => entries,
            Some((_, node)) => {
                let help = "write its arguments as keys with values";
                let what = format!("the tree `{}` takes no value", tree.name);
                self.faults.add_with(node.span, what, help);
                return None;
            }
        };
        for entry in entries {
            if !tree.arguments.iter().any(|(name, _)| *name == entry.key) {
                let what = format!("the tree `{}` has no argument `{}`", tree.name, entry.key);
                let known = tree.arguments.iter().map(|(name, _)| name.as_str());
                self.faults.unknown(entry.at, what, &entry.key, known);
            }
        }
        let mut found = Vec::new();
        for (name, _) in &tree.arguments {
            let Some(entry) = entries.iter().find(|entry| entry.key == *name) else {
                let what = format!("the argument `{name}` of `{}` is missing", tree.name);
                self.faults.add(at, what);
                continue;
            };
            let template = self.template(&entry.value, name, around);
            // Templates are always in quotes, and say what they are by themselves.
            let quoted = matches!(&entry.value.is, Is::Text(text) if !text.contains("{{"));
            found.extend(template.map(|template| (name.as_str(), meant(template, quoted))));
        }
        (found.len() == tree.arguments.len()).then_some(found)
    }

    /// An action of the vocabulary.
    pub(super) fn action(
        &mut self,
        action: usize,
        at: Span,
        given: Option<&'f Node>,
        around: &Around<'f>,
    ) -> Option<u16> {
        let described = &self.lexicon.actions[action];
        let first = described.arguments.first();
        let mut within = None;
        let values: Vec<Option<&'f Node>> = match given.map(|node| &node.is) {
            Some(Is::Map(_)) => {
                let mut keys = Keys::of(given?, described.name, self.faults)?;
                within = described.op.and_then(|_| keys.get("within"));
                let values = described.arguments.iter().map(|own| keys.get(own.name)).collect();
                keys.end(self.faults);
                values
            }
            None => vec![None; described.arguments.len()],
            Some(_) if first.is_none() => {
                self.faults.add(given?.span, format!("`{}` takes nothing", described.name));
                return None;
            }
            Some(_) => {
                described.arguments.iter().map(|own| given.filter(|_| first == Some(own))).collect()
            }
        };
        debug_assert!(described.arguments.len() <= ARGUMENTS_MAX);
        let mut arguments = Vec::new();
        for (own, value) in described.arguments.iter().zip(&values) {
            arguments.push(self.argument(described.name, own, *value, at, around));
        }
        let within =
            within.map_or(Some(None), |node| Some(Some(self.amount(node, "within", around)?)));
        let op = described.op.map_or(Some(None), |op| Some(Some(self.op(op, at, around)?)));
        let arguments = arguments.into_iter().collect::<Option<Vec<_>>>()?;
        let (arguments, action) = (arguments.into(), action as u16);
        let does = Does::Act(Box::new(Act { action, arguments, op: op?, within: within? }));
        self.reserve(around.free, MOMENT);
        self.push(does, around.free, at, around.parent)
    }

    fn argument(
        &mut self,
        action: &str,
        own: &'static Argument,
        value: Option<&'f Node>,
        at: Span,
        around: &Around<'f>,
    ) -> Option<Gives> {
        match (value, own.default, own.takes) {
            (Some(node), _, Takes::Text) => self.template(node, own.name, around).map(Gives::Text),
            (Some(node), _, Takes::Number) => {
                self.number(node, own.name, around).map(Gives::Number)
            }
            (None, Some(default), Takes::Text) => {
                Some(Gives::Text(crate::template::Template::literal(default)))
            }
            (None, Some(default), Takes::Number) => {
                Some(Gives::Number(Expr::Number(number(default).unwrap_or_default())))
            }
            (None, None, _) => {
                let what = format!("`{action}`: `{}` is missing ({})", own.name, own.about);
                self.faults.add(at, what);
                None
            }
        }
    }

    pub(super) fn number(&mut self, node: &Node, what: &str, around: &Around<'f>) -> Option<Expr> {
        let names = around.names.clone();
        self.expression(node, Kind::Number, what, &names)
    }

    pub(super) fn amount(
        &mut self,
        node: &Node,
        what: &str,
        around: &Around<'f>,
    ) -> Option<Amount> {
        let template = self.template(node, what, around)?;
        match amounts::amount(&template) {
            Ok(amount) => Some(amount),
            Err(why) => {
                self.faults.add(node.span, format!("{what}: {why}"));
                None
            }
        }
    }
}

/// What an argument stands for: the expression that it is, the number or time that it is unless
/// that is in quotes, or its text.
fn meant(template: crate::template::Template, quoted: bool) -> Expr {
    if let Some((value, "")) = template.single() {
        return value.clone();
    }
    match template.constant() {
        Some(constant) if quoted => Expr::Text(constant.into()),
        Some(constant) => match crate::file::Unit::Number.number(constant) {
            Ok(Some(number)) => Expr::Given(number, constant.into()),
            _ => match crate::file::Unit::Time.number(constant) {
                Ok(Some(seconds)) => Expr::Given(seconds, constant.into()),
                _ => Expr::Text(constant.into()),
            },
        },
        None => Expr::Joined(Box::new(template)),
    }
}

/// The place of a name in a list, where it is put unless that is full.
fn index(names: &mut Vec<String>, name: &str, full: bool) -> Option<u16> {
    if let Some(at) = names.iter().position(|known| known == name) {
        return Some(at as u16);
    }
    if full {
        return None;
    }
    names.push(name.to_owned());
    Some(names.len() as u16 - 1)
}
