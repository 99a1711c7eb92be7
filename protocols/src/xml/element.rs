//! A borrowed look at one whole element: the start tag at first, the rest when asked.

use std::borrow::Cow;

use memchr::{memchr, memchr3, memrchr};
use quick_xml::XmlVersion;
use quick_xml::escape::unescape;
use quick_xml::events::attributes;

use super::pieces::{Piece, Pieces};
use super::{is_space, verify};
use crate::Violation;

// It is handed around by value.
const _: () = assert!(size_of::<Element<'_>>() <= 72);

/// The namespace that the prefix `xml` always has (Namespaces in XML 1.0 section 3).
pub(super) const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace of stream headers, features and stream errors (RFC 6120 section 4.8.1).
pub const STREAMS: &str = "http://etherx.jabber.org/streams";

const NOT_UTF8: Violation = Violation { rule: "bytes that are not UTF-8 (not-well-formed)" };
const MALFORMED: Violation = Violation { rule: "a malformed tag (not-well-formed)" };
const MISMATCH: Violation =
    Violation { rule: "an end tag that does not match its start (not-well-formed)" };
const UNBOUND: Violation =
    Violation { rule: "a prefix without a namespace (bad-namespace-prefix)" };

/// One whole element of a stream, or the header of a stream, in the peer's own bytes.
///
/// Making one reads the start tag and compares the end tag's name with it; what lies between is
/// read by whoever asks for it. Nothing is allocated but values that contain references or line
/// ends, and nothing of the inside is promised to be well-formed: what cannot be read is not
/// there. [`Element::verify`] promises it.
///
/// ```
/// use densebots_protocols::xml::Element;
///
/// let text = "<message from='a@b'><body>1 &lt; 2</body><x xmlns='urn:x'/></message>";
/// let message = Element::parse(text.as_bytes(), "jabber:client")?;
/// assert!(message.is("message", "jabber:client"));
/// assert_eq!(message.attribute("from").as_deref(), Some("a@b"));
/// let body = message.child("body", "jabber:client").expect("a body");
/// assert_eq!(body.text(), "1 < 2");
/// assert!(message.child("x", "urn:x").is_some());
/// # Ok::<(), densebots_protocols::Violation>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    /// The outermost element: it may declare the prefixes that are used within.
    root: &'a str,
    /// This element, from its `<` to its last `>`.
    source: &'a str,
    /// The length of the start tag.
    tag: u32,
    /// The length of the qualified name.
    name: u32,
    namespace: &'a str,
    /// The namespace of what has no prefix within.
    default: &'a str,
}

impl<'a> Element<'a> {
    /// Reads the start tag of a whole element, as [`Framer`](super::Framer) cut it.
    ///
    /// `default_namespace` is what the stream's header declared. The prefix `stream` is bound to
    /// the namespace of streams, as every XMPP stream binds it (RFC 6120 section 4.8.5).
    pub fn parse(bytes: &'a [u8], default_namespace: &'a str) -> Result<Self, Violation> {
        let text = std::str::from_utf8(bytes).map_err(|_| NOT_UTF8)?;
        Self::within(text, text, default_namespace)
    }

    /// Reads the header of a stream, as [`Framer`](super::Framer) cut it: a start tag, perhaps
    /// behind an XML declaration (RFC 6120 section 11.5), which has to say version 1 and UTF-8 if
    /// anything.
    pub fn header(bytes: &'a [u8]) -> Result<Self, Violation> {
        let text = std::str::from_utf8(bytes).map_err(|_| NOT_UTF8)?;
        let tag = verify::behind_declaration(text)?;
        if tag_end(tag) != Some(tag.len()) {
            return Err(MALFORMED);
        }
        let element = Self::cut(tag, tag, length(tag)?);
        let (namespace, default) = verify::header(tag, element.name as usize)?;
        Ok(Self { namespace, default, ..element })
    }

    /// An element within another, whose default namespace it inherits.
    fn within(root: &'a str, source: &'a str, inherited: &'a str) -> Result<Self, Violation> {
        length(source)?;
        let tag = length(&source[..tag_end(source).ok_or(MALFORMED)?])?;
        let element = Self::cut(root, source, tag).bound(inherited)?;
        let ends = match element.source.len() - tag as usize {
            0 => element.is_empty_tag(),
            _ => element.end_tag() == Some(element.qualified()),
        };
        if ends { Ok(element) } else { Err(MISMATCH) }
    }

    /// Finds the name in a start tag of `tag` bytes.
    fn cut(root: &'a str, source: &'a str, tag: u32) -> Self {
        let inside = &source.as_bytes()[1..tag as usize - 1];
        let name = inside.iter().position(|byte| is_space(*byte) || *byte == b'/');
        let name = name.unwrap_or(inside.len()) as u32; // no longer than the tag
        Self { root, source, tag, name, namespace: "", default: "" }
    }

    /// Finds the namespace. All attributes are looked at on the way.
    fn bound(mut self, inherited: &'a str) -> Result<Self, Violation> {
        let qualified = self.qualified();
        let (prefix, local) = split(qualified);
        if local.is_empty() || prefix == Some("") || local.bytes().any(|byte| byte == b':') {
            return Err(MALFORMED);
        }
        let mut default = inherited;
        let mut own = None;
        for attribute in self.raw_attributes() {
            let attribute = attribute.map_err(|_| MALFORMED)?;
            match (attribute.key.0.strip_prefix("xmlns"), borrowed(&attribute.value)) {
                (Some(""), value) => default = value,
                (Some(rest), value) if prefix.is_some() && rest.strip_prefix(':') == prefix => {
                    own = Some(value);
                }
                _ => {}
            }
        }
        self.default = default;
        self.namespace = match prefix {
            None => default,
            Some("xml") => XML,
            Some(prefix) => own.or_else(|| self.declared(prefix)).ok_or(UNBOUND)?,
        };
        Ok(self)
    }

    /// What an element around this one binds a prefix to; the innermost counts.
    #[cold]
    fn declared(&self, prefix: &str) -> Option<&'a str> {
        let target = self.source.as_ptr() as usize;
        let mut found = (prefix == "stream").then_some(STREAMS);
        let mut around = self.root;
        while around.as_ptr() as usize != target {
            let tag = length(&around[..tag_end(around)?]).ok()?;
            let outer = Self::cut(around, around, tag);
            found = outer.declares(prefix).or(found);
            around = Pieces { rest: outer.content() }.find_map(|piece| match piece {
                Piece::Element(child) => {
                    let from = child.as_ptr() as usize;
                    (from..from + child.len()).contains(&target).then_some(child)
                }
                _ => None,
            })?;
        }
        found
    }

    /// What this element itself binds a prefix to.
    fn declares(&self, prefix: &str) -> Option<&'a str> {
        self.raw_attributes().flatten().find_map(|attribute| {
            let rest = attribute.key.0.strip_prefix("xmlns:")?;
            (rest == prefix).then(|| borrowed(&attribute.value))
        })
    }

    /// The local name.
    pub fn name(&self) -> &'a str {
        split(self.qualified()).1
    }

    /// The prefix in front of the name, if there is one.
    pub fn prefix(&self) -> Option<&'a str> {
        split(self.qualified()).0
    }

    /// The name as it is written, with its prefix.
    pub fn qualified(&self) -> &'a str {
        &self.source[1..1 + self.name as usize]
    }

    /// The namespace, as it is written where it is declared; empty if there is none.
    pub fn namespace(&self) -> &'a str {
        self.namespace
    }

    /// The namespace of the names within that have no prefix.
    pub fn default_namespace(&self) -> &'a str {
        self.default
    }

    /// Whether the element has this local name and this namespace.
    pub fn is(&self, name: &str, namespace: &str) -> bool {
        self.name() == name && self.namespace == namespace
    }

    /// The whole element as it is written.
    pub fn source(&self) -> &'a str {
        self.source
    }

    /// The value of an attribute, its references resolved. The name is compared as it is written,
    /// with its prefix: `xml:lang` is the only prefixed one that XMPP uses.
    pub fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        let found = self.raw_attributes().flatten().find(|attribute| attribute.key.0 == name)?;
        found.normalized_value(XmlVersion::Explicit1_0).ok()
    }

    /// The values of several attributes in one pass, in the order of the names.
    pub fn attributes<const N: usize>(&self, names: [&str; N]) -> [Option<Cow<'a, str>>; N] {
        let (mut values, mut seen) = ([const { None }; N], [false; N]);
        for found in self.raw_attributes().flatten() {
            let Some(place) = names.iter().position(|name| *name == found.key.0) else { continue };
            // Of doubled ones the first counts, as in `attribute`.
            if !std::mem::replace(&mut seen[place], true) {
                values[place] = found.normalized_value(XmlVersion::Explicit1_0).ok();
            }
        }
        values
    }

    /// Whether an attribute is there and has this value.
    pub fn attribute_is(&self, name: &str, value: &str) -> bool {
        self.attribute(name).is_some_and(|found| found == value)
    }

    /// The elements right below this one, in order. Ends at what cannot be read.
    pub fn children(&self) -> Children<'a> {
        let pieces = Pieces { rest: self.content() };
        Children { root: self.root, pieces, inherited: self.default }
    }

    /// The first child with this local name and this namespace.
    pub fn child(&self, name: &str, namespace: &str) -> Option<Element<'a>> {
        self.children().find(|child| child.is(name, namespace))
    }

    /// The characters right in this element, references resolved, without those of children.
    ///
    /// Empty if they cannot be read.
    pub fn text(&self) -> Cow<'a, str> {
        let content = self.content();
        if memchr3(b'<', b'&', b'\r', content.as_bytes()).is_none() {
            return Cow::Borrowed(content);
        }
        let mut text = Cow::Borrowed("");
        for piece in (Pieces { rest: content }) {
            let part = match piece {
                Piece::Element(_) => continue,
                Piece::Characters(part) => line_ends(part),
                Piece::Text(part) => match line_ends(part) {
                    Cow::Borrowed(part) => unescape(part).unwrap_or_default(),
                    Cow::Owned(part) => unescape(&part).unwrap_or_default().into_owned().into(),
                },
            };
            if text.is_empty() {
                text = part;
            } else {
                text.to_mut().push_str(&part);
            }
        }
        text
    }

    /// Whether everything in the element is well-formed, with its namespaces (XML 1.0,
    /// Namespaces in XML 1.0), and free of what XMPP forbids (RFC 6120 section 11.1).
    ///
    /// This reads the element from end to end and costs accordingly. It is to be asked of what
    /// [`Element::parse`] made: a prefix that an outer element declares would not be known here.
    pub fn verify(&self) -> Result<(), Violation> {
        verify::element(self.source)
    }

    fn raw_attributes(&self) -> attributes::Attributes<'a> {
        let close = if self.is_empty_tag() { 2 } else { 1 };
        let inside = &self.source[1..self.tag as usize - close];
        let mut attributes = attributes::Attributes::new(inside, self.name as usize);
        attributes.with_checks(false); // doubled ones are for `verify`: looking allocates
        attributes
    }

    fn is_empty_tag(&self) -> bool {
        self.source.as_bytes()[..self.tag as usize].ends_with(b"/>")
    }

    /// What lies between the start tag and the end tag.
    fn content(&self) -> &'a str {
        let behind = &self.source[self.tag as usize..];
        memrchr(b'<', behind.as_bytes()).map_or("", |end| &behind[..end])
    }

    /// The name in the end tag.
    fn end_tag(&self) -> Option<&'a str> {
        let behind = &self.source[self.tag as usize..];
        let end = &behind[memrchr(b'<', behind.as_bytes())?..];
        let name = end.strip_prefix("</")?.strip_suffix('>')?;
        Some(name.trim_end_matches(|char: char| char.is_ascii() && is_space(char as u8)))
    }
}

/// The elements right below another. Made by [`Element::children`].
#[derive(Clone, Debug)]
pub struct Children<'a> {
    root: &'a str,
    pieces: Pieces<'a>,
    inherited: &'a str,
}

impl<'a> Iterator for Children<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let child = self.pieces.find_map(|piece| match piece {
            Piece::Element(source) => Some(source),
            _ => None,
        })?;
        let element = Element::within(self.root, child, self.inherited).ok();
        if element.is_none() {
            self.pieces.rest = "";
        }
        element
    }
}

/// Where the start tag at the beginning of the text ends.
fn tag_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'<') || bytes.len() < 3 {
        return None;
    }
    let mut at = 1;
    loop {
        at += memchr3(b'>', b'"', b'\'', &bytes[at..])?;
        match bytes[at] {
            b'>' => return Some(at + 1),
            quote => at += 2 + memchr(quote, &bytes[at + 1..])?,
        }
    }
}

/// The length of a text that is not as long as to overflow one.
fn length(text: &str) -> Result<u32, Violation> {
    u32::try_from(text.len()).map_err(|_| MALFORMED)
}

/// The prefix of a name, if it has one, and the rest.
pub(super) fn split(qualified: &str) -> (Option<&str>, &str) {
    // Names are too short for a search to pay that is made for long texts.
    match qualified.bytes().position(|byte| byte == b':') {
        Some(colon) => (Some(&qualified[..colon]), &qualified[colon + 1..]),
        None => (None, qualified),
    }
}

/// The value of an attribute as it is written.
pub(super) fn borrowed<'a>(value: &Cow<'a, str>) -> &'a str {
    match *value {
        Cow::Borrowed(value) => value,
        Cow::Owned(_) => "", // an attribute of a slice is always borrowed
    }
}

/// Line ends as every reader has to see them (XML 1.0 section 2.11).
fn line_ends(text: &str) -> Cow<'_, str> {
    if memchr(b'\r', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
}
