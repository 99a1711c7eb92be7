//! Whether an element is well-formed, from end to end.

use std::ops::RangeInclusive;

use memchr::memmem;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesRef, Event};
use quick_xml::reader::Reader;

use super::element::{STREAMS, XML, borrowed, split};
use super::is_space;
use crate::Violation;

const MALFORMED: Violation = Violation { rule: "malformed XML (not-well-formed)" };
const MALFORMED_TAG: Violation = Violation { rule: "a malformed tag (not-well-formed)" };
const DOUBLED: Violation = Violation { rule: "an attribute twice (not-well-formed)" };
const BAD_NAME: Violation = Violation { rule: "a name that is none (not-well-formed)" };
const BAD_CHARACTER: Violation =
    Violation { rule: "a character that XML does not have (not-well-formed)" };
const BAD_REFERENCE: Violation = Violation { rule: "an unknown entity (restricted-xml)" };
const UNBOUND: Violation =
    Violation { rule: "a prefix without a namespace (bad-namespace-prefix)" };
const BAD_BINDING: Violation =
    Violation { rule: "a prefix bound as none may be (bad-namespace-prefix)" };
const FORBIDDEN: Violation = Violation { rule: "XML that XMPP forbids (restricted-xml)" };
const BAD_DECLARATION: Violation =
    Violation { rule: "an XML declaration that is none (not-well-formed)" };
const BAD_VERSION: Violation = Violation { rule: "XML that is not version 1.0 (not-well-formed)" };
const BAD_ENCODING: Violation =
    Violation { rule: "an encoding that is not UTF-8 (unsupported-encoding)" };

/// The namespace of the declarations themselves (Namespaces in XML 1.0 section 3).
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
/// Prefixes that may be declared at once: looking one up takes as many steps.
const BINDINGS_MAX: usize = 128;

/// Verifies one whole element, given from its `<` to its last `>`.
pub(super) fn element(source: &str) -> Result<(), Violation> {
    let mut reader = Reader::from_str(source);
    let mut scope = Scope::default();
    loop {
        let behind = reader.buffer_position() as usize + 1; // behind the `<`, if it is one
        match reader.read_event().map_err(|_| MALFORMED)? {
            Event::Start(tag) => {
                scope.enter(&source[behind..behind + tag.len()], tag.name().0.len())?;
            }
            Event::Empty(tag) => {
                scope.enter(&source[behind..behind + tag.len()], tag.name().0.len())?;
                scope.leave();
            }
            Event::End(_) => scope.leave(),
            Event::Text(text) => {
                characters(&text)?;
                if memmem::find(text.as_bytes(), b"]]>").is_some() {
                    return Err(MALFORMED);
                }
            }
            Event::CData(text) => characters(&text)?,
            Event::GeneralRef(reference) => resolvable(&reference)?,
            Event::Comment(_) | Event::PI(_) | Event::DocType(_) | Event::Decl(_) => {
                return Err(FORBIDDEN);
            }
            Event::Eof => return Ok(()),
        }
    }
}

/// Verifies the header of a stream: a start tag whose end comes much later. The namespaces of it
/// and of what has no prefix within.
pub(super) fn header(tag: &str, name: usize) -> Result<(&str, &str), Violation> {
    // Here nothing is bound yet: the header itself declares `stream`.
    let mut scope = Scope { stream: None, ..Scope::default() };
    scope.enter(&tag[1..tag.len() - 1], name)?;
    let own = split(&tag[1..=name]).0;
    let namespace = own.map_or(Some(scope.default), |prefix| scope.namespace(prefix));
    Ok((namespace.ok_or(UNBOUND)?, scope.default))
}

/// What prefixes mean where the reader stands.
struct Scope<'a> {
    /// How many elements are open.
    level: u16,
    /// What the stream's header binds `stream` to.
    stream: Option<&'static str>,
    /// What the last tag that declared one declared as the namespace of what has no prefix. Only
    /// the header of a stream, a single tag, asks for it.
    default: &'a str,
    /// Prefixes that open elements declare; most stanzas have none.
    bindings: Vec<Binding<'a>>,
    /// The attributes of the tag that is being read.
    keys: Vec<&'a str>,
}

struct Binding<'a> {
    level: u16,
    prefix: &'a str,
    namespace: &'a str,
}

impl Default for Scope<'_> {
    fn default() -> Self {
        let (bindings, keys) = (Vec::new(), Vec::new());
        Scope { level: 0, stream: Some(STREAMS), default: "", bindings, keys }
    }
}

impl<'a> Scope<'a> {
    /// Verifies a start tag, given without its brackets and slash, and binds what it declares until
    /// the element is left. Its name has `name` bytes.
    fn enter(&mut self, tag: &'a str, name: usize) -> Result<(), Violation> {
        self.level = self.level.checked_add(1).ok_or(MALFORMED)?;
        self.keys.clear();
        for attribute in Attributes::new(tag, name).with_checks(false) {
            let attribute = attribute.map_err(|_| MALFORMED_TAG)?;
            let (key, value) = (attribute.key.0, borrowed(&attribute.value));
            if !is_apart(tag, value) {
                return Err(MALFORMED_TAG);
            }
            self::value(value)?;
            match prefix(key)? {
                Some("xmlns") => self.bind(split(key).1, value)?,
                None if key == "xmlns" => self.default = value,
                _ => {}
            }
            self.keys.push(key);
        }
        match prefix(&tag[..name])? {
            Some(prefix) if self.namespace(prefix).is_none() => Err(UNBOUND),
            _ => self.attributes(),
        }
    }

    fn leave(&mut self) {
        self.level = self.level.saturating_sub(1);
        let left = |binding: &mut Binding<'_>| binding.level > self.level;
        while self.bindings.pop_if(left).is_some() {}
    }

    /// Two prefixes mean what they always mean, and no other may mean the same (Namespaces in XML
    /// 1.0 section 3).
    fn bind(&mut self, prefix: &'a str, namespace: &'a str) -> Result<(), Violation> {
        let fine = match prefix {
            "xmlns" => false,
            "xml" => namespace == XML,
            _ => namespace != XML && namespace != XMLNS && !namespace.is_empty(),
        };
        if !fine || self.bindings.len() == BINDINGS_MAX {
            return Err(BAD_BINDING);
        }
        self.bindings.push(Binding { level: self.level, prefix, namespace });
        Ok(())
    }

    fn namespace(&self, prefix: &str) -> Option<&'a str> {
        let bound = self.bindings.iter().rfind(|binding| binding.prefix == prefix);
        match (bound, prefix) {
            (Some(binding), _) => Some(binding.namespace),
            (None, "xml") => Some(XML),
            (None, "stream") => self.stream,
            (None, _) => None,
        }
    }

    /// Whether all attributes have a namespace or need none, and no two are the same: neither as
    /// they are written nor in their namespaces (Namespaces in XML 1.0 section 6.3).
    fn attributes(&mut self) -> Result<(), Violation> {
        distinct(&mut self.keys)?;
        let mut names = Vec::new();
        for key in &self.keys {
            // No other prefix may mean what these two mean.
            if let (Some(prefix), local) = split(key)
                && !matches!(prefix, "xmlns" | "xml")
            {
                names.push((self.namespace(prefix).ok_or(UNBOUND)?, local));
            }
        }
        distinct(&mut names)
    }
}

/// Whether no two names are the same; sorts them.
fn distinct<T: Ord>(names: &mut [T]) -> Result<(), Violation> {
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) { Err(DOUBLED) } else { Ok(()) }
}

/// The start tag behind the XML declaration, if there is one and it is one.
pub(super) fn behind_declaration(text: &str) -> Result<&str, Violation> {
    let Some(rest) = text.strip_prefix("<?xml") else { return Ok(text) };
    let (declaration, tag) = rest.split_once("?>").ok_or(BAD_DECLARATION)?;
    let mut rank = 0;
    for attribute in Attributes::new(declaration, 0) {
        let attribute = attribute.map_err(|_| BAD_DECLARATION)?;
        let value: &str = &attribute.value;
        if !is_apart(declaration, value) {
            return Err(BAD_DECLARATION);
        }
        let now = match (attribute.key.0, value) {
            ("version", "1.0") => 1,
            ("version", _) => return Err(BAD_VERSION),
            ("encoding", value) if value.eq_ignore_ascii_case("utf-8") => 2,
            ("encoding", _) => return Err(BAD_ENCODING),
            ("standalone", "yes" | "no") => 3,
            _ => return Err(BAD_DECLARATION),
        };
        // In this order, and the version has to be there (XML 1.0 section 2.8).
        if now <= rank || (rank == 0 && now != 1) {
            return Err(BAD_DECLARATION);
        }
        rank = now;
    }
    if rank == 0 { Err(BAD_DECLARATION) } else { Ok(tag.trim_start_matches(space)) }
}

/// Whether a space or the end of the tag follows a value and its quote. Values are cut out of the
/// tag, so pointers tell where they are.
fn is_apart(tag: &str, value: &str) -> bool {
    let behind = value.as_ptr() as usize - tag.as_ptr() as usize + value.len() + 1;
    tag.as_bytes().get(behind).is_none_or(|byte| is_space(*byte))
}

fn space(char: char) -> bool {
    u8::try_from(char).is_ok_and(is_space)
}

/// The value of an attribute, which may contain no `<` (XML 1.0 section 3.1).
fn value(value: &str) -> Result<(), Violation> {
    if only(value, |byte| !matches!(byte, b'<' | b'&')) {
        return Ok(());
    }
    characters(value)?;
    if value.contains('<') {
        return Err(MALFORMED_TAG);
    }
    for behind in value.split('&').skip(1) {
        let (reference, _) = behind.split_once(';').ok_or(BAD_REFERENCE)?;
        resolvable(&BytesRef::new(reference))?;
    }
    Ok(())
}

/// The five predefined entities and references to characters are all there is (RFC 6120 section
/// 11.1).
fn resolvable(reference: &BytesRef<'_>) -> Result<(), Violation> {
    let reference: &str = reference;
    let Some(number) = reference.strip_prefix('#') else {
        let known = matches!(reference, "amp" | "lt" | "gt" | "apos" | "quot");
        return if known { Ok(()) } else { Err(BAD_REFERENCE) };
    };
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if digits.starts_with('+') {
        return Err(BAD_REFERENCE); // a sign that Rust reads and XML does not
    }
    let code = u32::from_str_radix(digits, radix).map_err(|_| BAD_REFERENCE)?;
    if char::from_u32(code).is_some_and(is_character) { Ok(()) } else { Err(BAD_CHARACTER) }
}

fn characters(text: &str) -> Result<(), Violation> {
    let fine = only(text, |_| true) || text.chars().all(is_character);
    if fine { Ok(()) } else { Err(BAD_CHARACTER) }
}

/// Whether a text has only printable ASCII, and of that only what is `fine`. It looks at all of
/// it, for without a way out in the middle that goes many bytes at a time.
fn only(text: &str, fine: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |so_far, byte| so_far & matches!(byte, b' '..=b'~') & fine(byte))
}

/// Characters of XML 1.0 (production 2).
fn is_character(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// A name with at most one prefix (Namespaces in XML 1.0 section 4); says which.
fn prefix(name: &str) -> Result<Option<&str>, Violation> {
    let (prefix, local) = split(name);
    if prefix.is_none_or(is_name) && is_name(local) { Ok(prefix) } else { Err(BAD_NAME) }
}

/// A name without colons (Namespaces in XML 1.0, production 4).
fn is_name(part: &str) -> bool {
    let mut bytes = part.bytes();
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let begins = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if begins && bytes.all(in_name) { true } else { is_rare_name(part) }
}

/// The same for names beyond ASCII.
#[cold]
fn is_rare_name(part: &str) -> bool {
    let mut chars = part.chars();
    let in_name = |char: char| {
        starts_name(char)
            || matches!(char, '-' | '.' | '0'..='9' | '\u{b7}')
            || matches!(char, '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
    };
    chars.next().is_some_and(starts_name) && chars.all(in_name)
}

/// XML 1.0 production 4, without the colon.
fn starts_name(char: char) -> bool {
    const BEYOND_ASCII: [RangeInclusive<char>; 12] = [
        '\u{c0}'..='\u{d6}',
        '\u{d8}'..='\u{f6}',
        '\u{f8}'..='\u{2ff}',
        '\u{370}'..='\u{37d}',
        '\u{37f}'..='\u{1fff}',
        '\u{200c}'..='\u{200d}',
        '\u{2070}'..='\u{218f}',
        '\u{2c00}'..='\u{2fef}',
        '\u{3001}'..='\u{d7ff}',
        '\u{f900}'..='\u{fdcf}',
        '\u{fdf0}'..='\u{fffd}',
        '\u{10000}'..='\u{effff}',
    ];
    char.is_ascii_alphabetic()
        || char == '_'
        || BEYOND_ASCII.iter().any(|range| range.contains(&char))
}
