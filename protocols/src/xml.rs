//! XML streams cut into stanzas (RFC 6120 sections 4 and 11), in four bytes of state.
//!
//! A [`Framer`] looks at every byte once, when it comes, and says where the units of a stream end.
//! It reads no names and no values: that is the business of [`Element`], over a whole unit, when
//! somebody wants to know.
//!
//! ```text
//! <?xml version='1.0'?><stream:stream ...>   opened   the declaration, if any, and the header
//! <message ...>...</message>                 stanza   one element right below the stream
//! whitespace between two of them             keep-alive
//! </stream:stream>                           closed
//! ```
//!
//! Refused, because XMPP forbids it (RFC 6120 section 11.1) or because nobody needs it: comments,
//! document types, processing instructions, text between stanzas, more than [`DEPTH_MAX`] levels.
//! What the framer lets pass and only [`Element::verify`] finds: end tags of another name, bad
//! characters, unknown entities, doubled attributes, unbound prefixes. The borders that the framer
//! finds in a well-formed stream are the right ones; in a malformed one they are the same ones
//! however the network splits it.

use memchr::{memchr, memchr3};

use crate::Violation;

mod element;
mod escape;
mod pieces;
mod verify;

pub use element::{Children, Element, STREAMS};
pub use escape::{push_attribute, push_text, push_value};

#[cfg(any(test, feature = "oracle"))]
pub mod oracle;
#[cfg(test)]
mod tests;

// One lies in every session, a million times.
const _: () = assert!(size_of::<Framer>() <= 4);

/// The deepest element, the stream itself being the first. Stanzas of the extensions that a bot
/// speaks stay below ten; a limit keeps a hostile peer from running any reader deep.
pub const DEPTH_MAX: u8 = 64;

const COMMENT: Violation = Violation { rule: "a comment (restricted-xml)" };
const DOCUMENT_TYPE: Violation = Violation { rule: "a document type (restricted-xml)" };
const INSTRUCTION: Violation = Violation { rule: "a processing instruction (restricted-xml)" };
const DECLARATION: Violation =
    Violation { rule: "an XML declaration that is none (not-well-formed)" };
const TEXT_BETWEEN: Violation = Violation { rule: "text between stanzas (bad-format)" };
const TEXT_BEFORE: Violation =
    Violation { rule: "something that is no XML stream (not-well-formed)" };
const NO_NAME: Violation = Violation { rule: "a tag without a name (not-well-formed)" };
const BAD_SECTION: Violation = Violation { rule: "a section that is not CDATA (not-well-formed)" };
const CLOSED_UNOPENED: Violation =
    Violation { rule: "the end of a stream that was not opened (not-well-formed)" };
const UNBALANCED: Violation =
    Violation { rule: "an end tag that does not match the stream's header (not-well-formed)" };
const EMPTY_STREAM: Violation = Violation { rule: "a stream that ends in its header (bad-format)" };
const AFTER_END: Violation = Violation { rule: "more after the end of the stream (bad-format)" };
const TOO_DEEP: Violation = Violation { rule: "elements nested too deep (policy-violation)" };

/// What the bytes of one [`Framer::scan`] came to. A number is where the unit ends in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// All bytes were looked at, and the unit that they belong to is not whole.
    Partial,
    /// Whitespace between units (RFC 6120 section 4.6.1). A longer run may come as several.
    KeepAlive(usize),
    /// The stream header, with the XML declaration before it if there is one.
    Opened(usize),
    /// One whole element right below the stream. It begins with its `<`.
    Stanza(usize),
    /// The end tag of the stream.
    Closed(usize),
}

impl Frame {
    /// Where the unit ends; 0 if it does not.
    pub const fn end(self) -> usize {
        match self {
            Self::Partial => 0,
            Self::KeepAlive(end) | Self::Opened(end) | Self::Stanza(end) | Self::Closed(end) => end,
        }
    }
}

/// Finds the ends of units in a byte stream that comes in pieces.
///
/// After STARTTLS and after SASL a stream begins anew, and so does the framer: `Framer::new()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framer {
    state: State,
    /// How many elements are open.
    depth: u8,
    /// How much of a fixed sequence has been seen.
    matched: u8,
}

/// Where in the stream the next byte is.
///
/// ```text
///            '<'          '?'            ws           '?'              '>'
///   Start ---------> Less ---> Spelling ----> Declared ---> Questioned ---> Prolog
///                     ^                                                       | '<'
///                     |<------------------------------------------------------+
///                     |
///   Between, Inside --+ '<'       Less: '/' -> EndTag      '>' -> Between, Inside or Over
///                                       '!' -> Section     "[CDATA[" -> Characters <-> Brackets
///                                                                       "]]>" -> Inside
///                                       else -> Tag        '>' -> Between or Inside
///                                               Tag <-> Single, Double  (a quoted value)
///                                               Tag <-> Slash           (a '/' was the last byte)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum State {
    /// Nothing of the stream has been seen.
    Start,
    /// Behind the XML declaration, in the same unit.
    Prolog,
    /// Between two units of an open stream.
    Between,
    /// In the content of a stanza.
    Inside,
    /// Behind a `<`. `matched` is 1 if an XML declaration may follow.
    Less,
    Tag,
    Slash,
    Single,
    Double,
    EndTag,
    /// In the `xml` and the space behind it of a declaration, `matched` of it seen.
    Spelling,
    Declared,
    Questioned,
    /// In the `[CDATA[` of a section, `matched` of it seen.
    Section,
    Characters,
    /// Behind `matched` brackets of a section's end, two at most.
    Brackets,
    /// The stream has ended.
    Over,
}

/// What ends with the last byte of a step.
#[derive(Clone, Copy)]
enum Border {
    None,
    KeepAlive,
    Opened,
    Stanza,
    Closed,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}

impl Framer {
    /// At the beginning of a stream.
    pub const fn new() -> Self {
        Self { state: State::Start, depth: 0, matched: 0 }
    }

    /// Looks at bytes that it has never seen, up to the end of the first unit.
    ///
    /// What lies behind that end counts as not seen. A violation leaves the framer as it was, so
    /// that the same bytes violate the same rule again.
    pub fn scan(&mut self, fresh: &[u8]) -> Result<Frame, Violation> {
        let mut now = *self;
        let mut at = 0;
        while at < fresh.len() {
            let (used, border) = now.step(&fresh[at..])?;
            at += used;
            let frame = match border {
                Border::None => continue,
                Border::KeepAlive => Frame::KeepAlive(at),
                Border::Opened => Frame::Opened(at),
                Border::Stanza => Frame::Stanza(at),
                Border::Closed => Frame::Closed(at),
            };
            *self = now;
            return Ok(frame);
        }
        *self = now;
        Ok(Frame::Partial)
    }

    /// Between two elements, where any number of them may follow.
    const fn between_elements() -> Self {
        Self { state: State::Between, depth: 1, matched: 0 }
    }

    /// Whether no unit has begun: the bytes may end here without cutting one.
    pub const fn is_between(&self) -> bool {
        matches!(self.state, State::Start | State::Between | State::Over)
    }

    /// Uses at least one byte of `rest`, which is not empty.
    #[inline]
    fn step(&mut self, rest: &[u8]) -> Result<(usize, Border), Violation> {
        let first = rest[0];
        match self.state {
            State::Tag => return self.tag(rest, false),
            State::Slash => return self.tag(rest, true),
            State::Inside => {
                self.matched = 0;
                return Ok(self.seek(rest, b'<', State::Less));
            }
            State::Single => return Ok(self.seek(rest, b'\'', State::Tag)),
            State::Double => return Ok(self.seek(rest, b'"', State::Tag)),
            State::EndTag => return Ok(self.end_tag(rest)),
            State::Less => self.less(first)?,
            State::Start | State::Between | State::Over => return self.between(rest),
            State::Prolog if first == b'<' => self.state = State::Less,
            State::Prolog if is_space(first) => {}
            State::Prolog => return Err(TEXT_BEFORE),
            State::Spelling => self.spell(first)?,
            State::Declared => return Ok(self.seek(rest, b'?', State::Questioned)),
            State::Questioned => match first {
                b'>' => self.state = State::Prolog,
                b'?' => {}
                _ => self.state = State::Declared,
            },
            State::Section => self.section(first)?,
            State::Characters => {
                self.matched = 1;
                return Ok(self.seek(rest, b']', State::Brackets));
            }
            State::Brackets => match first {
                b']' => self.matched = 2,
                b'>' if self.matched == 2 => self.state = State::Inside,
                _ => self.state = State::Characters,
            },
        }
        Ok((1, Border::None))
    }

    /// Goes on behind the next `byte`, or to the end of what there is.
    #[inline]
    fn seek(&mut self, rest: &[u8], byte: u8, next: State) -> (usize, Border) {
        match memchr(byte, rest) {
            Some(found) => {
                self.state = next;
                (found + 1, Border::None)
            }
            None => (rest.len(), Border::None),
        }
    }

    /// Between two units: a new one begins, or whitespace keeps the connection alive.
    fn between(&mut self, rest: &[u8]) -> Result<(usize, Border), Violation> {
        if rest[0] == b'<' && self.state != State::Over {
            self.matched = u8::from(self.state == State::Start);
            self.state = State::Less;
            return Ok((1, Border::None));
        }
        match rest.iter().take_while(|byte| is_space(**byte)).count() {
            0 => Err(match self.state {
                State::Start => TEXT_BEFORE,
                State::Over => AFTER_END,
                _ => TEXT_BETWEEN,
            }),
            spaces => Ok((spaces, Border::KeepAlive)),
        }
    }

    /// The byte behind a `<` says what it begins.
    fn less(&mut self, first: u8) -> Result<(), Violation> {
        self.state = match first {
            b'/' if self.depth == 0 => return Err(CLOSED_UNOPENED),
            b'/' => State::EndTag,
            b'?' if self.matched == 1 => State::Spelling,
            b'?' => return Err(INSTRUCTION),
            b'!' => State::Section,
            // A name begins with a letter, an underscore or something outside ASCII; which of the
            // latter is for the reader of whole units.
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' | 0x80.. => State::Tag,
            _ => return Err(NO_NAME),
        };
        self.matched = 0;
        Ok(())
    }

    /// In a start tag: on to its end or into a quoted value.
    #[inline]
    fn tag(&mut self, rest: &[u8], slash: bool) -> Result<(usize, Border), Violation> {
        let Some(found) = memchr3(b'>', b'"', b'\'', rest) else {
            self.state = if rest.ends_with(b"/") { State::Slash } else { State::Tag };
            return Ok((rest.len(), Border::None));
        };
        let border = match rest[found] {
            b'"' => {
                self.state = State::Double;
                Border::None
            }
            b'\'' => {
                self.state = State::Single;
                Border::None
            }
            _ => {
                let empty = found.checked_sub(1).map_or(slash, |before| rest[before] == b'/');
                if empty { self.empty_element()? } else { self.open_element()? }
            }
        };
        Ok((found + 1, border))
    }

    fn open_element(&mut self) -> Result<Border, Violation> {
        if self.depth == DEPTH_MAX {
            return Err(TOO_DEEP);
        }
        self.depth += 1;
        let header = self.depth == 1;
        self.state = if header { State::Between } else { State::Inside };
        Ok(if header { Border::Opened } else { Border::None })
    }

    fn empty_element(&mut self) -> Result<Border, Violation> {
        match self.depth {
            0 => Err(EMPTY_STREAM),
            DEPTH_MAX => Err(TOO_DEEP),
            1 => {
                self.state = State::Between;
                Ok(Border::Stanza)
            }
            _ => {
                self.state = State::Inside;
                Ok(Border::None)
            }
        }
    }

    /// In an end tag: on to its end. The depth is at least one here.
    fn end_tag(&mut self, rest: &[u8]) -> (usize, Border) {
        let Some(found) = memchr(b'>', rest) else { return (rest.len(), Border::None) };
        self.depth -= 1;
        let (state, border) = match self.depth {
            0 => (State::Over, Border::Closed),
            1 => (State::Between, Border::Stanza),
            _ => (State::Inside, Border::None),
        };
        self.state = state;
        (found + 1, border)
    }

    /// In the name of the XML declaration.
    fn spell(&mut self, byte: u8) -> Result<(), Violation> {
        match b"xml".get(usize::from(self.matched)) {
            Some(expected) if *expected == byte => self.matched += 1,
            None if is_space(byte) => self.state = State::Declared,
            // `<?xml-stylesheet` and its like are instructions, and so is any other name.
            _ if byte == b'>' || byte == b'?' => return Err(DECLARATION),
            _ => return Err(INSTRUCTION),
        }
        Ok(())
    }

    /// Behind `<!`: a CDATA section within a stanza, or something that XMPP forbids.
    fn section(&mut self, byte: u8) -> Result<(), Violation> {
        const OPENING: &[u8] = b"[CDATA[";
        let expected = OPENING[usize::from(self.matched)];
        if byte != expected {
            return Err(match byte {
                b'-' if self.matched == 0 => COMMENT,
                b'A'..=b'Z' if self.matched == 0 => DOCUMENT_TYPE,
                _ => BAD_SECTION,
            });
        }
        if self.depth < 2 {
            return Err(if self.depth == 0 { BAD_SECTION } else { TEXT_BETWEEN });
        }
        self.matched += 1;
        if usize::from(self.matched) == OPENING.len() {
            self.state = State::Characters;
        }
        Ok(())
    }
}

/// Checks the unit that closed a stream against the name in the header of that stream, as it is
/// written there ([`Element::qualified`]).
pub fn end_of_stream(closed: &[u8], name: &str) -> Result<(), Violation> {
    let written = closed.strip_prefix(b"</").and_then(|rest| rest.strip_suffix(b">"));
    let spaces = written.and_then(|written| written.strip_prefix(name.as_bytes()));
    match spaces {
        Some(spaces) if spaces.iter().all(|byte| is_space(*byte)) => Ok(()),
        _ => Err(UNBALANCED),
    }
}

/// White space of XML 1.0 (production 3).
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
