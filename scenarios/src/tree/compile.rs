//! From a file to steps: names found, templates read, memory laid out. Every fault is told.

use std::rc::Rc;

use super::described::{DescribedNode, LEAVES, NODES};
use super::{Does, KindOfBot, NONE, STEPS_MAX, Step, Steps};
use crate::file::yaml::{Is, Node};
use crate::file::{BotKind, Faults, File, Span, SubTree, Unit, Value};
use crate::settings::same;
use crate::template::{self, Expr, Kind, Names, Place, Template, Trouble};
use crate::vocabulary::Lexicon;

/// Bytes of one bot's memory: variables and slots.
pub(super) const MEMORY_MAX: usize = super::play::LARGE;
/// Sub-trees in each other, and steps in each other: following them takes stack.
const CALLS_MAX: usize = 16;
const DEPTH_MAX: usize = 150;
/// Bytes of a cursor.
pub(super) const CURSOR: usize = 2;

/// What a step is compiled in.
#[derive(Clone)]
pub(super) struct Around<'f> {
    pub names: Rc<Names<'f>>,
    /// The names outside of all sub-trees.
    pub outside: Rc<Names<'f>>,
    pub parent: u16,
    /// The first byte of memory that is free.
    pub free: usize,
    /// The sub-trees it is in.
    pub calls: Rc<Vec<&'f str>>,
    /// Ops that are under way.
    pub timed: Vec<u16>,
    pub depth: usize,
}

impl<'f> Around<'f> {
    /// For what is below a step.
    pub(super) fn below(&self, parent: u16, free: usize) -> Around<'f> {
        Around { parent, free, depth: self.depth + 1, ..self.clone() }
    }
}

pub(super) struct Compiler<'f> {
    pub lexicon: &'static Lexicon,
    pub trees: &'f [SubTree],
    pub faults: &'f mut Faults,
    pub steps: Vec<Step>,
    pub ops: Vec<String>,
    pub counters: Vec<String>,
    pub reasons: Vec<String>,
    pub wanted: Vec<Option<u8>>,
    /// The most memory that a bot of this kind needs.
    high: usize,
    /// Steps whose slot outlives all others.
    pub lasting: Vec<u16>,
    used: Vec<&'f str>,
    /// There is no room for more steps, which was told.
    full: bool,
}

/// Compiles a file with these values of its parameters, which fit. Whatever is wrong is told;
/// `None` then.
pub(crate) fn compile(file: &File, set: &[(String, String)], faults: &mut Faults) -> Option<Steps> {
    let before = faults.count();
    let values = values(file, set);
    let mut compiler = Compiler {
        lexicon: file.lexicon,
        trees: &file.trees,
        faults,
        steps: Vec::new(),
        ops: Vec::new(),
        counters: Vec::new(),
        reasons: Vec::new(),
        wanted: vec![None; file.lexicon.events.len()],
        high: 0,
        lasting: Vec::new(),
        used: Vec::new(),
        full: false,
    };
    compiler.check_trees();
    let kinds: Vec<_> = file.bots.iter().filter_map(|kind| compiler.kind(kind, &values)).collect();
    compiler.check_used();
    let Compiler { steps, ops, counters, reasons, wanted, .. } = compiler;
    if faults.count() > before || kinds.is_empty() {
        return None;
    }
    let bytes = kinds.iter().map(|kind| kind.memory.len()).max().unwrap_or(0);
    let (steps, kinds, wanted) = (steps.into(), kinds.into(), wanted.into());
    Some(Steps { steps, kinds, ops, counters, reasons, wanted, bytes })
}

/// What the names of parameters stand for.
fn values<'f>(file: &'f File, set: &[(String, String)]) -> Vec<(&'f str, Expr)> {
    let set = |name: &str| set.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value);
    let mut values: Vec<(&str, Expr)> = Vec::new();
    for own in file.lexicon.parameters {
        let declared = file.parameters.iter().find(|declared| same(&declared.name, own.name));
        let default = declared.map_or(own.default, |declared| &declared.default);
        let value = set(own.name).map_or(default, String::as_str);
        values.push((own.name, Expr::Text(value.into())));
    }
    for declared in &file.parameters {
        let value = set(&declared.name).unwrap_or(&declared.default);
        if file.lexicon.parameters.iter().any(|own| same(own.name, &declared.name)) {
            continue;
        }
        let number = match declared.unit {
            Unit::Text => None,
            unit => unit.number(value).ok().flatten(),
        };
        let value = match number {
            Some(number) => Expr::Given(number, value.as_str().into()),
            None => Expr::Text(value.as_str().into()),
        };
        values.push((&declared.name, value));
    }
    values
}

impl<'f> Compiler<'f> {
    /// Trees with names that mean something else already.
    fn check_trees(&mut self) {
        for tree in self.trees {
            if find(NODES, &tree.name).or(find(LEAVES, &tree.name)).is_some() {
                let what = format!("`{}` is the name of a step already", tree.name);
                self.faults.add(tree.at, what);
            }
        }
    }

    fn check_used(&mut self) {
        for tree in self.trees {
            if !self.full && !self.used.contains(&tree.name.as_str()) {
                let what = format!("the tree `{}` is used nowhere", tree.name);
                self.faults.add(tree.at, what);
            }
        }
    }

    fn kind(&mut self, kind: &'f BotKind, values: &[(&'f str, Expr)]) -> Option<KindOfBot> {
        let (mut variables, mut free) = (Vec::new(), CURSOR);
        for variable in &kind.variables {
            if values.iter().any(|(name, _)| same(name, &variable.name)) {
                let what = format!("`{}` is the name of a parameter already", variable.name);
                self.faults.add(variable.at, what);
            }
            let (of, most) = match &variable.begins {
                Value::Number(_) => (Kind::Number, 0),
                Value::Truth(_) => (Kind::Truth, 0),
                Value::Text(_, most) => (Kind::Text, *most),
            };
            let place = Place { at: free as u16, kind: of, most };
            free += place.bytes();
            if free > MEMORY_MAX {
                let what = format!("the variables of a bot take more than {MEMORY_MAX} bytes");
                self.faults.add(variable.at, what);
                return None;
            }
            variables.push((variable.name.as_str(), place));
        }
        let names = Names { values: values.to_vec(), variables: variables.clone(), fields: &[] };
        self.high = free;
        let (calls, timed) = (Rc::default(), Vec::new());
        let names = Rc::new(names);
        let outside = names.clone();
        let around = Around { names, outside, parent: NONE, free, calls, timed, depth: 0 };
        let root = self.step(&kind.tree, &around);
        for lasting in std::mem::take(&mut self.lasting) {
            self.steps[usize::from(lasting)].slot = self.high as u16;
            self.high += 1;
        }
        if self.high > MEMORY_MAX {
            let what = format!("a bot of this tree needs {} bytes of {MEMORY_MAX}", self.high);
            self.faults.add(kind.tree.span, what);
        }
        let mut memory = vec![0; self.high.min(MEMORY_MAX)];
        memory[..CURSOR].copy_from_slice(&NONE.to_le_bytes());
        for (variable, (_, place)) in kind.variables.iter().zip(&variables) {
            match &variable.begins {
                Value::Number(number) => place.set_number(&mut memory, *number),
                Value::Truth(truth) => place.set_truth(&mut memory, *truth),
                Value::Text(text, _) => place.set_text(&mut memory, text),
            }
        }
        let (share, goes_on, memory) = (kind.share, kind.goes_on, memory.into());
        Some(KindOfBot { share, root: root?, goes_on, memory })
    }

    /// One step, whatever it is.
    pub(super) fn step(&mut self, node: &'f Node, around: &Around<'f>) -> Option<u16> {
        if around.depth > DEPTH_MAX {
            self.faults.add(node.span, format!("steps lie more than {DEPTH_MAX} deep"));
            return None;
        }
        match &node.is {
            Is::Nothing => {
                self.faults.add(node.span, "a step is missing here");
                None
            }
            Is::Word(name) | Is::Text(name) => self.named(name, node.span, None, around),
            Is::List(steps) => self.group(Does::Sequence, steps, node.span, around),
            Is::Map(entries) => match &entries[..] {
                [one] => {
                    let given = Some(&one.value).filter(|value| value.is != Is::Nothing);
                    self.named(&one.key, one.at, given, around)
                }
                [] => {
                    self.faults.add(node.span, "a step is missing here");
                    None
                }
                [first, second, ..] => {
                    let what = format!("one step cannot be `{}` and `{}`", first.key, second.key);
                    let help = "each step begins with `- `; the keys of a step stand further in";
                    self.faults.add_with(second.at, what, help);
                    None
                }
            },
        }
    }

    /// The step of this name.
    fn named(
        &mut self,
        name: &'f str,
        at: Span,
        given: Option<&'f Node>,
        around: &Around<'f>,
    ) -> Option<u16> {
        if let Some(described) = find(NODES, name) {
            return self.node(described.name, at, given, around);
        }
        if let Some(described) = find(LEAVES, name) {
            return self.leaf(described.name, at, given, around);
        }
        if let Some(tree) = self.trees.iter().find(|tree| tree.name == name) {
            return self.call(tree, at, given, around);
        }
        let action = self.lexicon.actions.iter().position(|action| action.name == name);
        if let Some(action) = action {
            return self.action(action, at, given, around);
        }
        self.unknown(name, at);
        None
    }

    fn unknown(&mut self, name: &str, at: Span) {
        let protocol = self.lexicon.protocol;
        if let Some((other, _)) = name.split_once('.')
            && other != protocol
            && crate::vocabulary::of_protocol(other).is_some()
        {
            let what = format!("`{name}`: the bots of this scenario speak {protocol}");
            return self.faults.add_with(at, what, "one scenario speaks one protocol");
        }
        let nodes = NODES.iter().chain(LEAVES).map(|node| node.name);
        let actions = self.lexicon.actions.iter().map(|action| action.name);
        let trees = self.trees.iter().map(|tree| tree.name.as_str());
        let meant = crate::spelling::nearest(name, nodes.chain(actions).chain(trees));
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "`densebots actions` lists what there is".to_owned(),
        };
        self.faults.add_with(at, format!("no step, action or tree is called `{name}`"), help);
    }

    /// A sub-tree, as if it stood here, with its arguments in place of their names.
    fn call(
        &mut self,
        tree: &'f SubTree,
        at: Span,
        given: Option<&'f Node>,
        around: &Around<'f>,
    ) -> Option<u16> {
        self.used.push(&tree.name);
        if around.calls.contains(&tree.name.as_str()) {
            let way = around.calls.iter().map(|name| format!("`{name}` -> ")).collect::<String>();
            let what = format!("a tree cannot use itself: {way}`{}`", tree.name);
            self.faults.add(at, what);
            return None;
        }
        if around.calls.len() >= CALLS_MAX {
            self.faults.add(at, format!("trees use each other more than {CALLS_MAX} deep"));
            return None;
        }
        let arguments = self.arguments(tree, at, given, around)?;
        // What the caller was given is none of this tree's.
        let mut names = (*around.outside).clone();
        names.values.extend(arguments);
        let mut calls = (*around.calls).clone();
        calls.push(&tree.name);
        let inside = Around {
            names: Rc::new(names),
            calls: Rc::new(calls),
            depth: around.depth + 1,
            ..around.clone()
        };
        self.step(&tree.body, &inside)
    }

    /// A step of its own.
    pub(super) fn push(&mut self, does: Does, slot: usize, span: Span, parent: u16) -> Option<u16> {
        if self.steps.len() >= STEPS_MAX {
            if !std::mem::replace(&mut self.full, true) {
                let what = format!("more than {STEPS_MAX} steps, sub-trees counted at each use");
                self.faults.add(span, what);
            }
            return None;
        }
        let at = self.steps.len() as u16;
        let slot = slot as u16;
        self.steps.push(Step { does, parent, first: NONE, next: NONE, slot, span });
        Some(at)
    }

    /// Memory for a step: what is free below it.
    pub(super) fn reserve(&mut self, from: usize, bytes: usize) -> usize {
        let free = (from + bytes).min(usize::from(u16::MAX));
        self.high = self.high.max(free);
        free
    }

    /// The most memory that was needed so far.
    pub(super) fn high(&self) -> usize {
        self.high
    }

    /// A text with templates.
    pub(super) fn template(
        &mut self,
        node: &Node,
        what: &str,
        around: &Around<'f>,
    ) -> Option<Template> {
        let text = crate::file::text(node, what, self.faults)?;
        match template::template(text, &around.names) {
            Ok(template) => Some(template),
            Err(trouble) => self.trouble(node, what, &trouble),
        }
    }

    /// An expression of a kind.
    pub(super) fn expression(
        &mut self,
        node: &Node,
        kind: Kind,
        what: &str,
        names: &Names<'_>,
    ) -> Option<Expr> {
        let text = crate::file::text(node, what, self.faults)?;
        match template::expression(text, kind, names) {
            Ok(found) => Some(found),
            Err(trouble) => self.trouble(node, what, &trouble),
        }
    }

    pub(super) fn trouble<T>(&mut self, node: &Node, what: &str, trouble: &Trouble) -> Option<T> {
        let quote = u32::from(matches!(node.is, Is::Text(_)));
        let from = (node.span.from + quote + trouble.at as u32).min(node.span.to.saturating_sub(1));
        let span = Span { from: from.max(node.span.from), to: from + 1 };
        self.faults.add(span, format!("{what}: {}", trouble.why));
        None
    }
}

fn find(table: &'static [DescribedNode], name: &str) -> Option<&'static DescribedNode> {
    table.iter().find(|node| node.name == name)
}
