//! Taking values out of nodes: each taker says what would have been right.

use std::fmt::Display;

use super::fault::{Faults, Span};
use super::yaml::{Entry, Is, Node};

/// The keys of a map while they are taken. What nobody has asked for in the end is a fault.
pub(crate) struct Keys<'n> {
    /// What the map is, for faults.
    what: &'static str,
    pub(crate) at: Span,
    entries: &'n [Entry],
    /// The keys that were asked for.
    known: Vec<&'static str>,
}

impl<'n> Keys<'n> {
    /// The keys of a node that has to be a map.
    pub(crate) fn of(node: &'n Node, what: &'static str, faults: &mut Faults) -> Option<Keys<'n>> {
        match &node.is {
            Is::Map(entries) => Some(Keys { what, at: node.span, entries, known: Vec::new() }),
            _ => {
                faults.add(
                    node.span,
                    format!("{what}: keys with values belong here, not {}", node.kind()),
                );
                None
            }
        }
    }

    /// The value of a key, if it is there and says something.
    pub(crate) fn get(&mut self, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (entry.value.is != Is::Nothing).then_some(&entry.value)
    }

    /// The value of a key that has to be there.
    pub(crate) fn need(&mut self, key: &'static str, faults: &mut Faults) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            let place = self.entries.iter().find(|entry| entry.key == key);
            // A map's own place is its first key: that one line is shown.
            let first = self.entries.first().map_or(self.at, |entry| entry.at);
            let at = place.map_or(first, |entry| entry.at);
            faults.add(at, format!("{}: `{key}` is missing", self.what));
        }
        found
    }

    /// Whatever was not asked for is unknown.
    pub(crate) fn end(self, faults: &mut Faults) {
        for entry in self.entries {
            if !self.known.contains(&entry.key.as_str()) {
                let what = format!("{} has no key `{}`", self.what, entry.key);
                if entry.key.contains(' ') && entry.value.is == Is::Nothing {
                    let help = "within braces, a text with a comma in it needs quotes";
                    faults.add_with(entry.at, what, help);
                    continue;
                }
                faults.unknown(entry.at, what, &entry.key, self.known.iter().copied());
            }
        }
    }
}

/// A name: letters, digits, `_` and `-`, a letter first, so that templates can say it.
pub(crate) fn name_fault(name: &str) -> Option<&'static str> {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!first || !name.chars().all(fits) || name.len() > 60)
        .then_some("a name has letters, digits, `_` and `-`, a letter first, 60 at most")
}

/// The text of a scalar.
pub(crate) fn text<'n>(node: &'n Node, what: impl Display, faults: &mut Faults) -> Option<&'n str> {
    let text = node.scalar();
    if text.is_none() {
        faults.add(node.span, format!("{what}: a text belongs here, not {}", node.kind()));
    }
    text
}

/// What a reader of quantities makes of a scalar.
pub(crate) fn quantity<T>(
    node: &Node,
    what: impl Display,
    read: impl Fn(&str) -> Result<T, String>,
    faults: &mut Faults,
) -> Option<T> {
    let text = text(node, &what, faults)?;
    match read(text) {
        Ok(value) => Some(value),
        Err(why) => {
            faults.add(node.span, format!("{what}: {why}"));
            None
        }
    }
}

/// A yes or no. Other programs take words that YAML no longer does.
pub(crate) fn truth(node: &Node, what: impl Display, faults: &mut Faults) -> Option<bool> {
    match node.scalar() {
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(word @ ("yes" | "on" | "Yes" | "On" | "True" | "y")) => {
            faults.add_with(node.span, format!("{what}: `{word}` is a text"), "write true");
            None
        }
        Some(word @ ("no" | "off" | "No" | "Off" | "False" | "n")) => {
            faults.add_with(node.span, format!("{what}: `{word}` is a text"), "write false");
            None
        }
        _ => {
            faults.add(node.span, format!("{what}: true or false belongs here"));
            None
        }
    }
}

/// A list; one thing stands for a list of it.
pub(crate) fn list(node: &Node) -> &[Node] {
    match &node.is {
        Is::List(list) => list,
        _ => std::slice::from_ref(node),
    }
}
