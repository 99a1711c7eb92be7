//! The attributes of a start tag, as they are written.

use std::borrow::Cow;

use memchr::memchr;
use quick_xml::XmlVersion;
use quick_xml::events::attributes::Attribute;
use quick_xml::name::QName;

use super::is_space;

/// Attributes, from behind the name of the tag to before its end. Whether names and values are
/// good ones is for [`verify`](super::verify).
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a> {
    pub(super) rest: &'a str,
}

/// What is no attribute. Nothing behind it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoAttribute;

impl<'a> Iterator for Attributes<'a> {
    /// The name and what stands between the quotes.
    type Item = Result<(&'a str, &'a str), NoAttribute>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = skip_space(std::mem::take(&mut self.rest));
        if rest.is_empty() {
            return None;
        }
        let cut = cut(rest);
        if let Some((_, _, behind)) = cut {
            self.rest = behind;
        }
        Some(cut.map(|(name, value, _)| (name, value)).ok_or(NoAttribute))
    }
}

/// A name, the value behind it, and what follows the second quote.
#[inline]
fn cut(rest: &str) -> Option<(&str, &str, &str)> {
    let name = rest.bytes().position(|byte| byte == b'=' || is_space(byte)).filter(|&n| n > 0)?;
    let (name, behind) = rest.split_at(name);
    let behind = skip_space(skip_space(behind).strip_prefix('=')?);
    let quote = *behind.as_bytes().first().filter(|byte| matches!(byte, b'\'' | b'"'))?;
    let end = 1 + memchr(quote, &behind.as_bytes()[1..])?;
    Some((name, &behind[1..end], &behind[end + 1..]))
}

#[inline]
fn skip_space(text: &str) -> &str {
    let spaces = text.bytes().position(|byte| !is_space(byte)).unwrap_or(text.len());
    &text[spaces..]
}

/// A value with its references resolved and its white space made spaces (XML 1.0 section 3.3.3);
/// `None` if a reference cannot be resolved.
pub(super) fn value(written: &str) -> Option<Cow<'_, str>> {
    // Nearly all values stand for themselves; a pass without branches says so.
    if !written.bytes().fold(false, |found, byte| found | (byte < b' ') | (byte == b'&')) {
        return Some(Cow::Borrowed(written));
    }
    let attribute = Attribute { key: QName(""), value: Cow::Borrowed(written) };
    attribute.normalized_value(XmlVersion::Explicit1_0).ok()
}
