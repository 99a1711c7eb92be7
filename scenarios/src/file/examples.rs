//! Scenario files to begin with, compiled in.

/// A file to begin with.
pub struct Example {
    /// The name it is asked for by.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Built-in scenarios written as files: what they do, though not every parameter they have.
pub const EXAMPLES: &[Example] = &[
    Example { name: "echo", text: include_str!("../../files/echo.yaml") },
    Example { name: "idle", text: include_str!("../../files/idle.yaml") },
    Example { name: "jumper", text: include_str!("../../files/jumper.yaml") },
];

/// A commented file for each protocol, in which there is one of everything.
pub const STARTERS: &[Example] = &[
    Example { name: "line", text: include_str!("../../files/line.yaml") },
    Example { name: "xmpp", text: include_str!("../../files/xmpp.yaml") },
];
