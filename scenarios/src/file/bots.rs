//! The bots of a file: how many of each kind, what they remember, what they do.

use super::fault::{Faults, Span};
use super::parameter::number;
use super::take::{Keys, list, name_fault, quantity, text};
use super::yaml::{Is, Node};
use crate::units;

/// Kinds of bots in one file.
pub const KINDS_MAX: usize = 100;
/// Bytes of a text variable that says nothing of its size, and the most it can have.
const TEXT_USUAL: u8 = 32;
const TEXT_MAX: u32 = 200;

/// One kind of bot.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BotKind {
    pub name: String,
    pub at: Span,
    pub share: Share,
    /// Its tree goes on when its link is lost, instead of beginning again once it is back.
    pub goes_on: bool,
    pub variables: Vec<Variable>,
    pub tree: Node,
}

/// How many of the bots are of a kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Share {
    /// Of those that are of no kind with a count, so many beside the others' weights.
    Weight(u32),
    /// So many, the first ids of the run.
    Count(u32),
}

/// What a bot remembers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variable {
    pub name: String,
    pub at: Span,
    pub begins: Value,
}

/// What a variable begins with, which says what it can hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Truth(bool),
    Text(String, u8),
}

/// A tree with a name, to be used in others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SubTree {
    pub name: String,
    pub at: Span,
    pub arguments: Vec<(String, Span)>,
    pub body: Node,
}

pub(super) fn read(node: &Node, faults: &mut Faults) -> Vec<BotKind> {
    let kinds = list(node);
    if kinds.len() > KINDS_MAX {
        faults.add(node.span, format!("more than {KINDS_MAX} kinds of bots"));
    }
    let kinds: Vec<BotKind> =
        kinds.iter().take(KINDS_MAX).filter_map(|node| one(node, faults)).collect();
    for (nth, kind) in kinds.iter().enumerate() {
        if kinds[..nth].iter().any(|before| before.name == kind.name) {
            let what = format!("two kinds of bots are called `{}`", kind.name);
            faults.add_with(kind.at, what, "give each a `name` of its own");
        }
    }
    if !kinds.is_empty() && kinds.iter().all(|kind| kind.share == Share::Weight(0)) {
        faults.add(node.span, "every weight is 0: nobody would come");
    }
    kinds
}

fn one(node: &Node, faults: &mut Faults) -> Option<BotKind> {
    let mut keys = Keys::of(node, "a kind of bots", faults)?;
    let at = keys.at;
    let name = keys.get("name").and_then(|node| text(node, "name", faults).map(|t| (t, node)));
    let (weight, count) = (keys.get("weight"), keys.get("count"));
    let after_loss = keys.get("after_loss");
    let variables = keys.get("variables");
    let tree = keys.need("tree", faults);
    keys.end(faults);
    if let (Some(_), Some(count)) = (weight, count) {
        faults.add(count.span, "a kind of bots has a `weight` or a `count`, not both");
    }
    let share = match (weight, count) {
        (_, Some(node)) => quantity(node, "count", units::count, faults).map(Share::Count),
        (Some(node), None) => quantity(node, "weight", units::count, faults).map(Share::Weight),
        (None, None) => Some(Share::Weight(1)),
    };
    let goes_on = after_loss.and_then(|node| match text(node, "after_loss", faults)? {
        "begin_again" => Some(false),
        "go_on" => Some(true),
        other => {
            let what = format!("after_loss: `{other}` is neither begin_again nor go_on");
            faults.unknown(node.span, what, other, ["begin_again", "go_on"]);
            None
        }
    });
    if let Some((name, node)) = name
        && let Some(why) = name_fault(name)
    {
        faults.add(node.span, format!("kind of bots `{name}`: {why}"));
    }
    Some(BotKind {
        name: name.map_or("bot", |(name, _)| name).to_owned(),
        at: name.map_or(at, |(_, node)| node.span),
        share: share.unwrap_or(Share::Weight(1)),
        goes_on: goes_on.unwrap_or(false),
        variables: variables.map(|node| self::variables(node, faults)).unwrap_or_default(),
        tree: tree?.clone(),
    })
}

fn variables(node: &Node, faults: &mut Faults) -> Vec<Variable> {
    let Is::Map(entries) = &node.is else {
        let what = "variables: names with first values belong here";
        faults.add(node.span, format!("{what}, not {}", node.kind()));
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        if let Some(why) = name_fault(&entry.key) {
            faults.add(entry.at, format!("variable `{}`: {why}", entry.key));
        } else if let Some(begins) = first_value(&entry.value, faults) {
            found.push(Variable { name: entry.key.clone(), at: entry.at, begins });
        }
    }
    found
}

/// `0`, `true`, a text, or `{text: 64}` for an empty one with room for so many bytes.
fn first_value(node: &Node, faults: &mut Faults) -> Option<Value> {
    match &node.is {
        Is::Word(word) if word == "true" || word == "false" => Some(Value::Truth(word == "true")),
        Is::Word(word) => match number(word) {
            Ok(number) => Some(Value::Number(number)),
            Err(_) => text_value(word, node, faults),
        },
        Is::Text(text) => text_value(text, node, faults),
        Is::Nothing => Some(Value::Text(String::new(), TEXT_USUAL)),
        Is::List(_) | Is::Map(_) => {
            let mut keys = Keys::of(node, "a variable", faults)?;
            let node = keys.need("text", faults);
            keys.end(faults);
            let room = |text: &str| match units::bytes(text)? {
                room @ 1..=TEXT_MAX => Ok(room as u8),
                _ => Err(format!("a text variable has room for 1 to {TEXT_MAX} bytes")),
            };
            let room = quantity(node?, "text", room, faults)?;
            Some(Value::Text(String::new(), room))
        }
    }
}

fn node_of<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    match &node.is {
        Is::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
        _ => None,
    }
}

fn text_value(text: &str, node: &Node, faults: &mut Faults) -> Option<Value> {
    if text.len() > TEXT_MAX as usize {
        faults.add(node.span, format!("a text variable has at most {TEXT_MAX} bytes"));
        return None;
    }
    Some(Value::Text(text.to_owned(), TEXT_USUAL.max(text.len() as u8)))
}

/// The trees with names.
pub(super) fn trees(node: &Node, faults: &mut Faults) -> Vec<SubTree> {
    let Is::Map(entries) = &node.is else {
        faults.add(node.span, format!("trees: names with trees belong here, not {}", node.kind()));
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        if let Some(why) = name_fault(&entry.key) {
            faults.add(entry.at, format!("tree `{}`: {why}", entry.key));
            continue;
        }
        let (name, at) = (entry.key.clone(), entry.at);
        if node_of(&entry.value, "do").is_none() {
            let body = entry.value.clone();
            found.push(SubTree { name, at, arguments: Vec::new(), body });
            continue;
        }
        let Some(mut keys) = Keys::of(&entry.value, "a tree", faults) else { continue };
        let arguments = keys.get("arguments").map(list).unwrap_or_default();
        let body = keys.need("do", faults).cloned();
        keys.end(faults);
        let mut argument = |node: &Node| {
            let name = text(node, "arguments", faults)?;
            match name_fault(name) {
                Some(why) => faults.add(node.span, format!("argument `{name}`: {why}")),
                None => return Some((name.to_owned(), node.span)),
            }
            None
        };
        let arguments = arguments.iter().filter_map(&mut argument).collect();
        found.extend(body.map(|body| SubTree { name, at, arguments, body }));
    }
    found
}
