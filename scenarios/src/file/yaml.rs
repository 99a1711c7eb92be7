//! YAML, and JSON with it, read into a tree in which everything knows its place.
//!
//! The parser's events are taken as they come instead of through serde, which stops at the first
//! fault: here all of them are collected. What a hostile file could do is bounded: bytes, nodes
//! (those that aliases stand for counted each time), depth.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle};

use super::fault::{Faults, Span};

/// Bytes of a file. A megabyte of tree is more than anybody writes by hand.
pub const BYTES_MAX: usize = 4 << 20;
/// Values in a file, where an alias counts as all that it stands for.
pub const NODES_MAX: usize = 200_000;
/// How deep values lie in each other. Reading them takes stack.
pub const DEPTH_MAX: usize = 100;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub span: Span,
    pub is: Is,
}

/// What a value is. Words and texts are told apart, because `5` and `"5"` read the same here, and
/// `no` and `"no"` do not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Is {
    /// Left out, `~` or `null`.
    Nothing,
    /// A scalar without quotes.
    Word(String),
    /// A scalar in quotes, or a block of text.
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub key: String,
    pub at: Span,
    pub value: Node,
}

impl Node {
    fn new(span: Span, is: Is) -> Node {
        Node { span, is }
    }

    /// The text of a scalar.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.is {
            Is::Word(text) | Is::Text(text) => Some(text),
            Is::Nothing | Is::List(_) | Is::Map(_) => None,
        }
    }

    /// What it is, in a word, for faults.
    pub(crate) fn kind(&self) -> &'static str {
        match self.is {
            Is::Nothing => "nothing",
            Is::Word(_) | Is::Text(_) => "a text",
            Is::List(_) => "a list",
            Is::Map(_) => "keys with values",
        }
    }
}

/// Reads a file's text. `None` if there is nothing to go on with; the faults say why.
pub(crate) fn read(text: &str, faults: &mut Faults) -> Option<Node> {
    if text.len() > BYTES_MAX {
        let what = format!("{} bytes; a scenario has {BYTES_MAX} at most", text.len());
        faults.add(Span::of(0, 0), what);
        return None;
    }
    // A byte order mark means nothing in UTF-8, and is no fault of whoever's editor puts it there.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (open, anchored) = (Vec::new(), BTreeMap::new());
    let mut builder = Builder { text, faults, open, anchored, root: None, nodes: 0, ended: 0 };
    let options = granit_parser::options! {
        disallow_directives: true,
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    for next in Parser::new_from_str_with_options(text, options) {
        match next {
            Ok((event, span)) => {
                let byte = |marker: granit_parser::Marker| marker.byte_offset().unwrap_or(0);
                let span = Span::of(byte(span.start), byte(span.end));
                builder.take(event, span)?;
            }
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(text.len());
                builder.broken(at, &error.info());
                return None;
            }
        }
    }
    builder.root
}

/// A list or map that is not finished.
struct Open {
    span: Span,
    anchor: usize,
    is: Is,
    /// The key whose value comes next.
    key: Option<(String, Span)>,
    /// Keys so far, with their places.
    keys: BTreeMap<String, Span>,
    /// Values in it, itself too.
    nodes: usize,
    /// How deep they lie below it.
    depth: usize,
}

/// What an alias stands for.
struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

struct Builder<'a> {
    text: &'a str,
    faults: &'a mut Faults,
    open: Vec<Open>,
    anchored: BTreeMap<usize, Anchored>,
    root: Option<Node>,
    nodes: usize,
    /// Documents that have ended.
    ended: usize,
}

impl Builder<'_> {
    /// Takes one event. `None`: a limit is reached, and reading ends.
    fn take(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                let is = match (style, &*text) {
                    (ScalarStyle::Plain, "" | "~" | "null") => Is::Nothing,
                    (ScalarStyle::Plain, _) => Is::Word(text.into_owned()),
                    _ => Is::Text(text.into_owned()),
                };
                self.fits(1, 1, span)?;
                self.put(Node::new(span, is), anchor, 1, 1);
                Some(())
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                self.begin(Is::List(Vec::new()), anchor, span)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_tag(tag.is_some(), span);
                self.begin(Is::Map(Vec::new()), anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self.open.pop()?;
                let to = if span.to > span.from { span.to } else { open.span.to };
                let span = Span { to: to.max(open.span.to), ..open.span };
                self.put(Node::new(span, open.is), open.anchor, open.nodes, open.depth + 1);
                Some(())
            }
            Event::Alias(id) => {
                let Some(anchored) = self.anchored.get(&id) else {
                    self.faults.add(span, "this alias stands for something it is itself in");
                    return None;
                };
                let (nodes, depth) = (anchored.nodes, anchored.depth);
                // Where it stands is where the anchor is: faults are told once.
                let node = anchored.node.clone();
                self.fits(nodes, depth, span)?;
                self.put(node, 0, nodes, depth);
                Some(())
            }
            Event::DocumentStart(..) if self.ended > 0 => {
                self.faults.add(span, "a second document begins; a file is one scenario");
                None
            }
            Event::DocumentEnd => {
                self.ended += 1;
                Some(())
            }
            _ => Some(()),
        }
    }

    fn refuse_tag(&mut self, tagged: bool, span: Span) {
        if tagged {
            self.faults.add(span, "a tag (`!...`) means nothing in a scenario; leave it out");
        }
    }

    fn begin(&mut self, is: Is, anchor: usize, span: Span) -> Option<()> {
        self.fits(1, 1, span)?;
        let (key, keys) = (None, BTreeMap::new());
        self.open.push(Open { span, anchor, is, key, keys, nodes: 1, depth: 0 });
        Some(())
    }

    /// Counts so many values more, if they and their depth are within the limits.
    fn fits(&mut self, nodes: usize, depth: usize, span: Span) -> Option<()> {
        if self.nodes + nodes > NODES_MAX {
            let what =
                format!("more than {NODES_MAX} values; an alias counts as all it stands for");
            self.faults.add(span, what);
            return None;
        }
        if self.open.len() + depth > DEPTH_MAX {
            self.faults.add(span, format!("values lie more than {DEPTH_MAX} deep in each other"));
            return None;
        }
        self.nodes += nodes;
        Some(())
    }

    /// A value is complete: it goes where it belongs.
    fn put(&mut self, node: Node, anchor: usize, nodes: usize, depth: usize) {
        if anchor > 0 {
            self.anchored.insert(anchor, Anchored { node: node.clone(), nodes, depth });
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        parent.nodes += nodes;
        parent.depth = parent.depth.max(depth);
        match (&mut parent.is, parent.key.take()) {
            (Is::List(list), _) => list.push(node),
            // What came without a name was told when its key was read.
            (Is::Map(_), Some((key, _))) if key.is_empty() => {}
            (Is::Map(entries), Some((key, at))) => entries.push(Entry { key, at, value: node }),
            (Is::Map(_), None) => self.key(&node),
            (Is::Nothing | Is::Word(_) | Is::Text(_), _) => {}
        }
    }

    /// A key of the map that is open.
    fn key(&mut self, node: &Node) {
        let Some(parent) = self.open.last_mut() else { return };
        let key = match node.scalar() {
            Some(key) if !key.is_empty() => key.to_owned(),
            _ => {
                let before = &self.text[..node.span.from as usize];
                match node.is {
                    Is::Map(_) if before.ends_with('{') => self.faults.explain(
                        Span { from: node.span.from.saturating_sub(1), ..node.span },
                        "`{{` begins keys with values here, and no template",
                        TEMPLATE_HELP,
                    ),
                    _ => self.faults.add(node.span, "a key is a word"),
                }
                String::new()
            }
        };
        match parent.keys.get(&key) {
            Some(first) if !key.is_empty() => {
                let line = self.text[..first.from as usize].matches('\n').count() + 1;
                let what = format!("`{key}` stands here a second time");
                self.faults.add_with(node.span, what, format!("the first one is in line {line}"));
            }
            _ => _ = parent.keys.insert(key.clone(), node.span),
        }
        parent.key = Some((key, node.span));
    }

    /// The text is no YAML from here on.
    fn broken(&mut self, at: usize, why: &str) {
        let at = at.min(self.text.len());
        let start = self.text[..at].rfind('\n').map_or(0, |end| end + 1);
        // Where a template breaks the parser, it stands before the place, in the same line.
        let line = self.text[start..].lines().next().unwrap_or_default();
        if let Some(brace) = unquoted_template(line) {
            let span = Span::of(start + brace, start + brace + 2);
            let what = "`{{` begins keys with values here, and no template";
            return self.faults.explain(span, what, TEMPLATE_HELP);
        }
        let what = format!("this is no YAML: {why}");
        match line[..at - start].contains('\t') {
            true => self.faults.add_with(Span::of(at, at), what, "indent with spaces, not tabs"),
            false => self.faults.add(Span::of(at, at), what),
        }
    }
}

const TEMPLATE_HELP: &str = "put quotes around the whole value: \"{{ ... }}\"";

/// Where a template begins that is not in quotes.
fn unquoted_template(line: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '{') if line[at..].starts_with("{{") => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Result<Node, String> {
        let mut faults = Faults::default();
        let node = read(text, &mut faults);
        match (node, faults.is_empty()) {
            (Some(node), true) => Ok(node),
            _ => {
                let source = super::super::Source { name: "f".to_owned(), text: text.to_owned() };
                Err(source.show(&faults))
            }
        }
    }

    fn refused(text: &str, said: &str) {
        let faults = reads(text).expect_err("faulty");
        assert!(faults.contains(said), "{text}: {faults}");
    }

    #[test]
    fn json_reads_as_the_yaml_that_it_is() {
        let (yaml, json) = ("a: [1, \"b\"]\nc: {d: ~}\n", r#"{"a": [1, "b"], "c": {"d": null}}"#);
        fn plain(node: &Node) -> String {
            match &node.is {
                Is::List(list) => format!("{:?}", list.iter().map(plain).collect::<Vec<_>>()),
                Is::Map(map) => {
                    let entry = |entry: &Entry| format!("{}={}", entry.key, plain(&entry.value));
                    format!("{:?}", map.iter().map(entry).collect::<Vec<_>>())
                }
                is => format!("{is:?}"),
            }
        }
        let (yaml, json) = (reads(yaml).expect("YAML"), reads(json).expect("JSON"));
        assert_eq!(plain(&yaml), plain(&json));
    }

    #[test]
    fn everything_knows_its_place() {
        let node = reads("a:\n  - bc\n  - 'd'\n").expect("YAML");
        let Is::Map(entries) = node.is else { panic!("a map") };
        assert_eq!((entries[0].at, entries[0].value.kind()), (Span::of(0, 1), "a list"));
        let Is::List(list) = &entries[0].value.is else { panic!("a list") };
        assert_eq!((list[0].span, list[1].span), (Span::of(7, 9), Span::of(14, 17)));
    }

    #[test]
    fn traps_have_messages_of_their_own() {
        refused("a: {{ x }}\n", "1:4: `{{` begins keys");
        refused("a: {{ x }}s\n", "put quotes around");
        refused("a: 1\nb: 2\na: 3\n", "3:1: `a` stands here a second time");
        refused("a: !!int 5\n", "a tag");
        refused("a: 1\n---\nb: 1\n", "a second document");
        refused("a:\n\t- b\n", "tab");
        refused("a: 'b\n", "no YAML");
    }

    #[test]
    fn bombs_are_stopped() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for nth in 1..10 {
            let alias = format!("*a{}", nth - 1);
            bomb += &format!("a{nth}: &a{nth} [{}]\n", vec![alias; 10].join(", "));
        }
        refused(&bomb, "more than 200000 values");
        refused(&"[".repeat(5000), "no YAML");
        let mut deep = "a0: &a0 [x]\n".to_owned();
        for nth in 1..200 {
            deep += &format!("a{nth}: &a{nth} [*a{}]\n", nth - 1);
        }
        refused(&deep, "deep in each other");
        refused("a: &a [*a]\n", "itself");
        refused(&" ".repeat(BYTES_MAX + 1), "bytes");
    }
}
