//! Whether an element is well-formed, from end to end.

use std::ops::RangeInclusive;

use memchr::memmem;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{
    Namespace, NamespaceResolver, Prefix, PrefixDeclaration, QName, ResolveResult,
};
use quick_xml::reader::Reader;

use super::element::{STREAMS, XML};
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

/// Verifies one whole element, given from its `<` to its last `>`.
pub(super) fn element(source: &str) -> Result<(), Violation> {
    let mut reader = Reader::from_str(source);
    let mut scope = Scope::default();
    loop {
        match reader.read_event().map_err(|_| MALFORMED)? {
            Event::Start(tag) => scope.enter(&tag)?,
            Event::Empty(tag) => {
                scope.enter(&tag)?;
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

/// Verifies the header of a stream: a start tag whose end comes much later.
pub(super) fn header(tag: &str, name: usize) -> Result<(), Violation> {
    // Here nothing is bound yet: the header itself declares `stream`.
    let mut scope = Scope { level: 0, resolver: Some(NamespaceResolver::default()) };
    scope.enter(&BytesStart::from_content(&tag[1..tag.len() - 1], name))
}

/// What prefixes mean where the reader stands.
#[derive(Default)]
struct Scope {
    /// How many elements are open.
    level: u16,
    /// Without one, `stream` and `xml` are bound and nothing else: most stanzas declare no prefix.
    resolver: Option<NamespaceResolver>,
}

impl Scope {
    /// Verifies a start tag, and binds what it declares until the element is left.
    fn enter(&mut self, tag: &BytesStart<'_>) -> Result<(), Violation> {
        self.go_to(self.level.checked_add(1).ok_or(MALFORMED)?);
        let whole: &str = tag;
        let mut prefixed = Vec::new();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|_| DOUBLED)?;
            let (key, value): (_, &str) = (attribute.key, &attribute.value);
            name(key)?;
            if !is_apart(whole, value) {
                return Err(MALFORMED_TAG);
            }
            characters(value)?;
            references(value)?;
            match key.as_namespace_binding() {
                Some(PrefixDeclaration::Default) => {}
                Some(_) if value.is_empty() => return Err(BAD_BINDING),
                Some(prefix) => self.bind(prefix, value)?,
                None if key.prefix().is_some() => prefixed.push(key),
                None => {}
            }
        }
        name(tag.name())?;
        match tag.name().prefix() {
            Some(prefix) if self.namespace(prefix).is_none() => Err(UNBOUND),
            _ if prefixed.is_empty() => Ok(()),
            _ => self.distinct(&prefixed),
        }
    }

    fn leave(&mut self) {
        self.go_to(self.level.saturating_sub(1));
    }

    fn go_to(&mut self, level: u16) {
        self.level = level;
        if let Some(resolver) = &mut self.resolver {
            resolver.set_level(level);
        }
    }

    fn bind(&mut self, prefix: PrefixDeclaration<'_>, namespace: &str) -> Result<(), Violation> {
        let resolver = self.resolver.get_or_insert_with(|| {
            let mut resolver = NamespaceResolver::default();
            let stream = PrefixDeclaration::Named("stream");
            resolver.add(stream, Namespace(STREAMS)).expect("not a reserved prefix");
            resolver.set_level(self.level);
            resolver
        });
        resolver.add(prefix, Namespace(namespace)).map_err(|_| BAD_BINDING)
    }

    fn namespace(&self, prefix: Prefix<'_>) -> Option<&str> {
        let Some(resolver) = &self.resolver else {
            return match prefix.into_inner() {
                "xml" => Some(XML),
                "stream" => Some(STREAMS),
                _ => None,
            };
        };
        match resolver.resolve_prefix(Some(prefix), false) {
            ResolveResult::Bound(namespace) => Some(namespace.0),
            _ => None,
        }
    }

    /// Whether all these names have a namespace and no two are the same name of the same one
    /// (Namespaces in XML 1.0 section 6.3).
    fn distinct(&self, prefixed: &[QName<'_>]) -> Result<(), Violation> {
        let mut names = Vec::with_capacity(prefixed.len());
        for key in prefixed {
            let namespace = key.prefix().and_then(|prefix| self.namespace(prefix));
            names.push((namespace.ok_or(UNBOUND)?, key.local_name().into_inner()));
        }
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) { Err(DOUBLED) } else { Ok(()) }
    }
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

/// Every reference in an attribute's value, which may contain no `<` (XML 1.0 section 3.1).
fn references(value: &str) -> Result<(), Violation> {
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
    let plain = text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    if plain || text.chars().all(is_character) { Ok(()) } else { Err(BAD_CHARACTER) }
}

/// Characters of XML 1.0 (production 2).
fn is_character(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// A name with at most one prefix (Namespaces in XML 1.0 section 4).
fn name(name: QName<'_>) -> Result<(), Violation> {
    let mut parts = name.0.splitn(3, ':');
    let fine = parts.by_ref().take(2).all(is_name) && parts.next().is_none();
    let reserved = name.prefix().is_some_and(|prefix| prefix.into_inner() == "xmlns")
        && name.as_namespace_binding().is_none();
    if fine && !reserved { Ok(()) } else { Err(BAD_NAME) }
}

/// A name without colons (Namespaces in XML 1.0, production 4).
fn is_name(part: &str) -> bool {
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
