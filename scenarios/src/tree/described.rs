//! What people are told of the nodes of trees; the JSON Schema is made of the same table.

/// What a key of a node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A tree: one step, or a list of them as a sequence.
    Tree,
    /// A list of trees.
    Trees,
    /// A list of trees, each with its weight.
    Weighted,
    /// A time: `5s`, or `{{ ... }}s`.
    Time,
    /// A pause: a time, `5s..15s`, `exponential(5s)`, `lognormal(5s, 0.5)`.
    Pause,
    /// A number, or `{{ ... }}`.
    Number,
    /// `{{ ... }}` that is true or false.
    Truth,
    /// A text.
    Text,
    /// `true` or `false`.
    Switch,
    /// Variables and what they become.
    Variables,
}

/// A node, or an action that every protocol has.
#[derive(Clone, Copy, Debug)]
pub struct DescribedNode {
    /// Its name in a tree.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What can stand behind the name alone.
    pub alone: Option<Form>,
    /// The keys it can have: name, what it holds, what it means.
    pub keys: &'static [(&'static str, Form, &'static str)],
}

const fn node(
    name: &'static str,
    alone: Option<Form>,
    keys: &'static [(&'static str, Form, &'static str)],
    about: &'static str,
) -> DescribedNode {
    DescribedNode { name, about, alone, keys }
}

const DO: (&str, Form, &str) = ("do", Form::Tree, "what it is about");

/// Nodes: they have others below them.
pub const NODES: &[DescribedNode] = &[
    node("sequence", Some(Form::Trees), &[], "one after another; fails with the first that fails"),
    node("select", Some(Form::Trees), &[], "one after another until one succeeds"),
    node(
        "repeat",
        Some(Form::Tree),
        &[
            ("times", Form::Number, "so many rounds"),
            ("until", Form::Text, "success or failure of a round"),
            ("for", Form::Time, "no round begins after so long"),
            DO,
        ],
        "round after round, whatever comes of each; succeeds when it is over",
    ),
    node("random", Some(Form::Trees), &[], "one of them, drawn anew each time"),
    node("weighted", Some(Form::Weighted), &[], "one of them, drawn by weight"),
    node("always_succeed", Some(Form::Tree), &[], "succeeds whatever comes of it"),
    node("always_fail", Some(Form::Tree), &[], "fails whatever comes of it"),
    node("negate", Some(Form::Tree), &[], "succeeds if it fails"),
    node(
        "parallel",
        None,
        &[
            ("all", Form::Trees, "until all have succeeded or one has failed"),
            ("any", Form::Trees, "until one has succeeded or all have failed"),
        ],
        "several at once, in one bot",
    ),
    node(
        "timeout",
        None,
        &[("after", Form::Time, "how long it may take"), DO],
        "fails what takes longer",
    ),
    node(
        "retry",
        None,
        &[
            ("times", Form::Number, "tries in all"),
            ("first", Form::Time, "the first pause; it doubles (1s)"),
            ("cap", Form::Time, "no pause is longer (30s)"),
            DO,
        ],
        "again after a pause if it fails",
    ),
    node(
        "if",
        None,
        &[
            ("when", Form::Truth, "the question"),
            ("then", Form::Tree, "if it is so"),
            ("else", Form::Tree, "if not; without it, nothing, which succeeds"),
        ],
        "one or the other",
    ),
    node(
        "every",
        None,
        &[
            ("pace", Form::Time, "from one beat to the next, however long each takes"),
            ("times", Form::Number, "so many beats; without it, no end"),
            ("spread", Form::Switch, "the first beat comes at random within one pace (true)"),
            DO,
        ],
        "at a pace that does not drift; beats that come while the last one lasts are dropped",
    ),
    node("once", Some(Form::Tree), &[], "the first time alone; then it succeeds at once"),
    node(
        "measure",
        None,
        &[("op", Form::Text, "the name of the op in the report"), DO],
        "times it from when it was due, as an op; its timeout fails it",
    ),
];

/// Steps with nothing below them, in every protocol.
pub const LEAVES: &[DescribedNode] = &[
    node("wait", Some(Form::Pause), &[], "waits"),
    node(
        "wait_for",
        Some(Form::Text),
        &[
            ("event", Form::Text, "its name"),
            ("where", Form::Truth, "whether this is the one, by its fields: event.text"),
            ("set", Form::Variables, "variables that take its fields"),
            ("within", Form::Time, "fails after so long"),
        ],
        "waits for an event",
    ),
    node("set", Some(Form::Variables), &[], "sets variables"),
    node(
        "count",
        Some(Form::Text),
        &[("counter", Form::Text, "its name in the report"), ("by", Form::Number, "how many (1)")],
        "adds to a counter",
    ),
    node("succeed", None, &[], "succeeds"),
    node("fail", None, &[], "fails"),
    node("succeed_rate", Some(Form::Number), &[], "succeeds with this probability, 0 to 1"),
    node("done", None, &[], "the bot has done what it was to do, and leaves"),
    node("error", Some(Form::Text), &[], "the bot cannot go on, for this reason, and leaves"),
    node("stop_run", Some(Form::Text), &[], "ends the whole run, for this reason"),
];
