//! Scenario files: what bots do, written by people who know no Rust.
//!
//! ```text
//! text --yaml--> nodes with places --take--> File --tree::compile--> shared by all bots
//!                any fault on the way: where, what, what to write instead
//! ```

mod bots;
mod examples;
mod fault;
mod load;
mod parameter;
mod run;
mod take;
#[cfg(test)]
mod tests;
pub(crate) mod yaml;

pub use bots::KINDS_MAX;
pub(crate) use bots::{BotKind, Share, SubTree, Value};
pub use examples::{EXAMPLES, Example, STARTERS};
pub use fault::{FAULTS_MAX, Fault, Faults, Source, Span};
pub use load::LoadPlan;
pub use parameter::{Declared, Unit};
pub(crate) use parameter::{number, percent};
pub(crate) use take::{Keys, list, name_fault, quantity, text, truth};
pub use yaml::{BYTES_MAX, DEPTH_MAX, NODES_MAX};

use crate::target::Speaks;
use crate::tree::Coverage;
use crate::vocabulary::{self, LEXICONS, Lexicon};
use yaml::{Is, Node};

/// The functions of templates: how each is called, and what it gives.
pub fn functions() -> impl Iterator<Item = (String, &'static str)> {
    crate::template::FUNCTIONS.iter().map(|own| (own.call(), own.about))
}

/// Thresholds of one file.
const THRESHOLDS_MAX: usize = 100;

/// A scenario file, read and without faults as far as that can be seen before it is set.
#[derive(Debug)]
pub struct File {
    /// Where it came from.
    pub source: Source,
    /// What it is about.
    pub about: String,
    /// The target unless another is given, as `--target` takes it.
    pub target: Option<String>,
    /// What the embedded target speaks.
    pub speaks: Speaks,
    /// What can be set, the protocol's own parameters not among them.
    pub parameters: Vec<Declared>,
    /// How many bots, when, how long.
    pub load: LoadPlan,
    /// What the run is judged by, in words, with their places.
    pub thresholds: Vec<(String, Span)>,
    pub(crate) lexicon: &'static Lexicon,
    pub(crate) bots: Vec<BotKind>,
    pub(crate) trees: Vec<SubTree>,
    pub(crate) coverage: Coverage,
    bytes: usize,
}

impl File {
    /// Reads a file and compiles its trees with the defaults of its parameters. The faults are
    /// all that are wrong; without any there is a file.
    pub fn read(source: Source) -> Result<File, (Source, Faults)> {
        let mut faults = Faults::default();
        let node = yaml::read(&source.text, &mut faults);
        let Some(node) = node else {
            if faults.is_empty() {
                faults.add(Span::default(), "there is nothing in it; see `densebots new`");
            }
            return Err((source, faults));
        };
        let file = content(&node, source.clone(), &mut faults);
        let steps = file.as_ref().and_then(|file| crate::tree::compile(file, &[], &mut faults));
        match (file, steps) {
            (Some(file), Some(steps)) if faults.is_empty() => {
                Ok(File { coverage: Coverage::of(&steps), bytes: steps.bytes, ..file })
            }
            _ => Err((source, faults)),
        }
    }

    /// How many kinds of bots there are.
    pub fn kinds(&self) -> usize {
        self.bots.len()
    }

    /// How many steps all trees have, sub-trees counted at each use.
    pub fn steps(&self) -> usize {
        self.coverage.steps()
    }

    /// The places of steps that no bot has come to so far, as line and name; of those that lie in
    /// each other the outermost.
    pub fn unreached(&self) -> Vec<(usize, &str)> {
        let named = |span: Span| {
            let line = self.source.text.get(span.from as usize..).unwrap_or_default();
            let line = line.lines().next().unwrap_or_default();
            // A list that is no line of its own ends nowhere.
            let length = (span.to - span.from) as usize;
            let name = line.get(..length).filter(|name| !name.is_empty()).unwrap_or(line);
            (self.source.place(span.from).0, name)
        };
        self.coverage.unreached().into_iter().map(named).collect()
    }

    /// Bytes that a bot remembers: its place in the tree, variables, what steps wait for.
    pub fn bytes_per_bot(&self) -> usize {
        self.bytes
    }

    /// The protocol that its bots speak.
    pub fn protocol(&self) -> &'static str {
        self.lexicon.protocol
    }
}

fn content(node: &Node, source: Source, faults: &mut Faults) -> Option<File> {
    let mut keys = Keys::of(node, "a scenario", faults)?;
    let about = keys.get("about").and_then(|node| text(node, "about", faults));
    let target = keys.get("target").and_then(|node| text(node, "target", faults));
    let embedded = keys.get("embedded");
    let parameters = keys.get("parameters");
    let load = keys.get("load").map(|node| load::read(node, faults)).unwrap_or_default();
    let thresholds = keys.get("thresholds").map(list).unwrap_or_default();
    let trees = keys.get("trees").map(|node| bots::trees(node, faults)).unwrap_or_default();
    let kinds = keys.need("bots", faults);
    let kinds = kinds.map(|node| bots::read(node, faults)).unwrap_or_default();
    keys.end(faults);
    let thresholds = self::thresholds(thresholds, faults);
    let speaks = embedded.and_then(|node| speaks(node, faults));
    let lexicon = lexicon(&kinds, &trees, target, speaks);
    let parameters = parameters.map(|node| parameter::read(node, faults)).unwrap_or_default();
    let usual = if lexicon.protocol == "xmpp" { Speaks::Xmpp } else { Speaks::Echo };
    let speaks = speaks.unwrap_or(usual);
    if let Some(node) = embedded
        && (speaks == Speaks::Xmpp) != (usual == Speaks::Xmpp)
    {
        let what = format!("the bots of this scenario speak {}, not this", lexicon.protocol);
        faults.add(node.span, what);
    }
    Some(File {
        source,
        about: about.unwrap_or_default().to_owned(),
        target: target.map(str::to_owned),
        speaks,
        parameters,
        load,
        thresholds,
        lexicon,
        bots: kinds,
        trees,
        coverage: Coverage::default(),
        bytes: 0,
    })
}

fn speaks(node: &Node, faults: &mut Faults) -> Option<Speaks> {
    let name = text(node, "embedded", faults)?;
    let found = Speaks::ALL.iter().find(|(known, _)| *known == name);
    if found.is_none() {
        let what = format!("no embedded target speaks `{name}`");
        faults.unknown(node.span, what, name, Speaks::ALL.map(|(known, _)| known));
    }
    found.map(|(_, speaks)| *speaks)
}

fn thresholds(nodes: &[Node], faults: &mut Faults) -> Vec<(String, Span)> {
    if let Some(node) = nodes.get(THRESHOLDS_MAX) {
        faults.add(node.span, format!("more than {THRESHOLDS_MAX} thresholds"));
    }
    let one = |node: &Node| Some((text(node, "thresholds", faults)?.to_owned(), node.span));
    nodes.iter().take(THRESHOLDS_MAX).filter_map(one).collect()
}

/// The vocabulary: that of the first action in any tree, or what the target speaks.
fn lexicon(
    kinds: &[BotKind],
    trees: &[SubTree],
    target: Option<&str>,
    speaks: Option<Speaks>,
) -> &'static Lexicon {
    let mut nodes = kinds.iter().map(|kind| &kind.tree).chain(trees.iter().map(|tree| &tree.body));
    if let Some(found) = nodes.find_map(protocol_in) {
        return found;
    }
    let scheme = target.and_then(|target| Some(target.split_once("://")?.0));
    let xmpp = speaks == Some(Speaks::Xmpp) || matches!(scheme, Some("xmpp" | "xmpps"));
    vocabulary::of_protocol(if xmpp { "xmpp" } else { "line" }).unwrap_or(LEXICONS[0])
}

/// The vocabulary of the first action below a node.
fn protocol_in(node: &Node) -> Option<&'static Lexicon> {
    let of = |name: &str| vocabulary::of_protocol(name.split_once('.')?.0);
    match &node.is {
        Is::Nothing | Is::Text(_) => None,
        Is::Word(name) => of(name),
        Is::List(list) => list.iter().find_map(protocol_in),
        Is::Map(entries) => {
            entries.iter().find_map(|entry| of(&entry.key).or_else(|| protocol_in(&entry.value)))
        }
    }
}
