//! Whether an element is well-formed, from end to end.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use memchr::{memchr, memmem};

use super::attributes::Attributes;
use super::element::{STREAMS, XML, split, tag_end};
use super::is_space;
use crate::Violation;

/// Prefixes that may be bound at once; stanzas bind one or two.
const BINDINGS_MAX: usize = 128;
/// What only declarations themselves have (Namespaces in XML 1.0 section 3).
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

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

/// Prefixes and what they are bound to, the innermost last.
struct Scope<'a> {
    /// What is bound around the element.
    around: &'static [(&'static str, &'static str)],
    bindings: Vec<(&'a str, &'a str)>,
}

impl<'a> Scope<'a> {
    fn resolve(&self, prefix: &str) -> Option<&'a str> {
        if prefix == "xml" {
            return Some(XML);
        }
        let all = self.bindings.iter().rev().chain(self.around);
        all.copied().find(|(bound, _)| *bound == prefix).map(|(_, namespace)| namespace)
    }

    /// Binds a prefix, if it and the namespace are free (Namespaces in XML 1.0 section 3).
    fn bind(&mut self, prefix: &'a str, namespace: &'a str) -> Result<(), Violation> {
        let reserved = prefix == "xmlns" || namespace == XMLNS || namespace.is_empty();
        if reserved || (prefix == "xml") != (namespace == XML) {
            return Err(BAD_BINDING);
        }
        if self.bindings.len() == BINDINGS_MAX {
            return Err(BAD_BINDING);
        }
        self.bindings.push((prefix, namespace));
        Ok(())
    }
}

/// Verifies one whole element, given from its `<` to its last `>`.
pub(super) fn element(source: &str) -> Result<(), Violation> {
    let mut scope = Scope { around: &[("stream", STREAMS)], bindings: Vec::new() };
    // Elements that are open: their names, and how many prefixes were bound before.
    let mut open = Vec::with_capacity(8);
    let mut rest = source;
    while let Some(less) = memchr(b'<', rest.as_bytes()) {
        let (text, markup) = rest.split_at(less);
        content(text)?;
        let end = if markup.starts_with("</") {
            let end = memchr(b'>', markup.as_bytes()).ok_or(MALFORMED)?;
            let (name, before) = open.pop().ok_or(MALFORMED)?;
            if markup[2..end].trim_end_matches(space) != name {
                return Err(MALFORMED);
            }
            scope.bindings.truncate(before);
            end + 1
        } else if let Some(section) = markup.strip_prefix("<![CDATA[") {
            let end = memmem::find(section.as_bytes(), b"]]>").ok_or(MALFORMED)?;
            characters(&section[..end])?;
            markup.len() - section.len() + end + 3
        } else if markup.starts_with("<!") || markup.starts_with("<?") {
            return Err(FORBIDDEN);
        } else {
            let end = tag_end(markup).ok_or(MALFORMED)?;
            let before = scope.bindings.len();
            let inside = &markup[1..end - 1];
            let name = start_tag(inside.strip_suffix('/').unwrap_or(inside), &mut scope)?;
            match inside.ends_with('/') {
                true => scope.bindings.truncate(before),
                false => open.push((name, before)),
            }
            end
        };
        rest = &markup[end..];
    }
    content(rest)?;
    if open.is_empty() { Ok(()) } else { Err(MALFORMED) }
}

/// Verifies the header of a stream: a start tag whose end comes much later.
pub(super) fn header(tag: &str) -> Result<(), Violation> {
    let mut scope = Scope { around: &[], bindings: Vec::new() };
    start_tag(&tag[1..tag.len() - 1], &mut scope).map(drop)
}

/// Verifies what stands between the brackets of a start tag, and binds the prefixes that it
/// declares. Answers with the name.
fn start_tag<'a>(inside: &'a str, scope: &mut Scope<'a>) -> Result<&'a str, Violation> {
    let end = inside.bytes().position(|byte| is_space(byte) || byte == b'/');
    let (tag, rest) = inside.split_at(end.unwrap_or(inside.len()));
    name(tag)?;
    let (mut names, mut attributes) = (Names::default(), Attributes { rest });
    let mut prefixed = Vec::new();
    while let Some(attribute) = attributes.next() {
        let (own, value) = attribute.map_err(|_| MALFORMED_TAG)?;
        if attributes.rest.bytes().next().is_some_and(|byte| !is_space(byte)) {
            return Err(MALFORMED_TAG); // nothing apart from the next one
        }
        name(own)?;
        names.add(own)?;
        characters(value)?;
        references(value)?;
        match split(own) {
            (Some("xmlns"), prefix) => scope.bind(prefix, value)?,
            (Some(prefix), local) => prefixed.push((prefix, local)),
            (None, _) => {}
        }
    }
    if let (Some(prefix), _) = split(tag) {
        scope.resolve(prefix).ok_or(UNBOUND)?;
    }
    for (prefix, _) in &mut prefixed {
        *prefix = scope.resolve(prefix).ok_or(UNBOUND)?;
    }
    // The same name under two prefixes of one namespace (Namespaces in XML 1.0 section 6.3).
    prefixed.sort_unstable();
    if prefixed.windows(2).any(|pair| pair[0] == pair[1]) { Err(DOUBLED) } else { Ok(tag) }
}

/// The names of a tag's attributes: a few inline, more of them in order.
#[derive(Default)]
struct Names<'a> {
    few: [&'a str; 8],
    many: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn add(&mut self, name: &'a str) -> Result<(), Violation> {
        for place in &mut self.few {
            if place.is_empty() {
                *place = name;
                return Ok(());
            }
            if *place == name {
                return Err(DOUBLED);
            }
        }
        if self.many.insert(name) { Ok(()) } else { Err(DOUBLED) }
    }
}

/// The start tag behind the XML declaration, if there is one and it is one.
pub(super) fn behind_declaration(text: &str) -> Result<&str, Violation> {
    let Some(rest) = text.strip_prefix("<?xml") else { return Ok(text) };
    let (declaration, tag) = rest.split_once("?>").ok_or(BAD_DECLARATION)?;
    let mut rank = 0;
    let mut attributes = Attributes { rest: declaration };
    while let Some(attribute) = attributes.next() {
        let attribute = attribute.map_err(|_| BAD_DECLARATION)?;
        if attributes.rest.bytes().next().is_some_and(|byte| !is_space(byte)) {
            return Err(BAD_DECLARATION);
        }
        let now = match attribute {
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

fn space(char: char) -> bool {
    u8::try_from(char).is_ok_and(is_space)
}

/// Text between tags.
fn content(text: &str) -> Result<(), Violation> {
    let suspect = |byte: u8| (byte < b' ') | (byte == b'&') | (byte == b']') | (byte == 0xef);
    if !text.bytes().fold(false, |found, byte| found | suspect(byte)) {
        return Ok(());
    }
    characters(text)?;
    if text.contains("]]>") {
        return Err(MALFORMED);
    }
    references(text)
}

/// Every reference in a text or an attribute's value, which may contain no `<` (XML 1.0 section
/// 3.1): the five predefined entities and references to characters are all there is (RFC 6120
/// section 11.1).
fn references(text: &str) -> Result<(), Violation> {
    if !text.bytes().fold(false, |found, byte| found | (byte == b'<') | (byte == b'&')) {
        return Ok(());
    }
    if text.contains('<') {
        return Err(MALFORMED_TAG);
    }
    for behind in text.split('&').skip(1) {
        let (reference, _) = behind.split_once(';').ok_or(BAD_REFERENCE)?;
        resolvable(reference)?;
    }
    Ok(())
}

fn resolvable(reference: &str) -> Result<(), Violation> {
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
    // All that XML does not have begins with one of these bytes; a pass without branches tells.
    let clean = !text.bytes().fold(false, |found, byte| found | (byte < b' ') | (byte == 0xef));
    if clean || text.chars().all(is_character) { Ok(()) } else { Err(BAD_CHARACTER) }
}

/// Characters of XML 1.0 (production 2).
fn is_character(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// A name with at most one prefix (Namespaces in XML 1.0 section 4).
fn name(name: &str) -> Result<(), Violation> {
    let (prefix, local) = split(name);
    if prefix.is_none_or(is_name) && is_name(local) { Ok(()) } else { Err(BAD_NAME) }
}

/// A name without colons (Namespaces in XML 1.0, production 4).
fn is_name(part: &str) -> bool {
    let bytes = part.as_bytes();
    let simple = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if bytes.first().is_some_and(|byte| byte.is_ascii_alphabetic()) && bytes.iter().all(simple) {
        return true;
    }
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
