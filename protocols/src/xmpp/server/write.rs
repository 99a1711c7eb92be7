//! What a server makes of stanzas.

use crate::xml::{Element, push_attribute};
use crate::xmpp::{Stanza, StanzaCondition, namespace};

/// Appends the result of an iq (RFC 6120 section 8.2.3); `payload` appends what is in it.
pub fn answer(iq: &Stanza<'_>, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    back("iq", "result", &iq.element(), out);
    out.push(b'>');
    payload(out);
    out.extend_from_slice(b"</iq>");
}

/// Appends the refusal of a stanza (RFC 6120 section 8.3).
pub fn refuse(stanza: &Stanza<'_>, condition: StanzaCondition, out: &mut Vec<u8>) {
    use StanzaCondition as C;
    let element = stanza.element();
    let remedy = match condition {
        C::NotAuthorized | C::Forbidden | C::RegistrationRequired => "auth",
        C::ResourceConstraint | C::RecipientUnavailable | C::PolicyViolation => "wait",
        C::BadRequest | C::JidMalformed | C::NotAcceptable => "modify",
        _ => "cancel",
    };
    back(element.name(), "error", &element, out);
    out.extend_from_slice(b"><error type='");
    out.extend_from_slice(remedy.as_bytes());
    out.extend_from_slice(b"'><");
    out.extend_from_slice(condition.name().as_bytes());
    push_attribute("xmlns", namespace::STANZA_ERRORS, out);
    out.extend_from_slice(b"/></error></");
    out.extend_from_slice(element.name().as_bytes());
    out.push(b'>');
}

/// Appends the start tag of what goes back to a sender, up to where it is closed.
fn back(name: &str, kind: &str, element: &Element<'_>, out: &mut Vec<u8>) {
    let [id, to, from] = element.attributes(["id", "to", "from"]);
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    push_attribute("type", kind, out);
    for (name, value) in [("id", id), ("from", to), ("to", from)] {
        if let Some(value) = value {
            push_attribute(name, &value, out);
        }
    }
}

/// Appends a stanza as it is, but from `from` and to nobody yet. Answers where in what was
/// appended a `to` attribute belongs, so that one copy serves many recipients.
pub fn readdress(stanza: &Stanza<'_>, from: &str, out: &mut Vec<u8>) -> usize {
    copy(stanza, from, &["from", "to", "xmlns"], out)
}

/// The same without the id that the sender gave it, as services do that know messages by ids of
/// their own.
pub fn readdress_nameless(stanza: &Stanza<'_>, from: &str, out: &mut Vec<u8>) -> usize {
    copy(stanza, from, &["from", "to", "xmlns", "id"], out)
}

fn copy(stanza: &Stanza<'_>, from: &str, left_out: &[&str], out: &mut Vec<u8>) -> usize {
    let element = stanza.element();
    let source = element.source();
    let start = out.len();
    out.push(b'<');
    out.extend_from_slice(element.qualified().as_bytes());
    push_attribute("from", from, out);
    let place = out.len() - start;
    let mut rest = &source[1 + element.qualified().len()..];
    while let Some((name, value, behind)) = attribute(rest) {
        if !left_out.contains(&name) {
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            out.extend_from_slice(value.as_bytes());
        }
        rest = behind;
    }
    out.extend_from_slice(rest.trim_ascii_start().as_bytes());
    place
}

/// The first attribute of a tag: its name, its value with the quotes, and what lies behind.
fn attribute(tag: &str) -> Option<(&str, &str, &str)> {
    let tag = tag.trim_ascii_start();
    if tag.starts_with(['>', '/']) {
        return None;
    }
    let (name, rest) = tag.split_once('=')?;
    let rest = rest.trim_ascii_start();
    let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let end = rest[1..].find(quote)? + 2;
    Some((name.trim_ascii_end(), &rest[..end], &rest[end..]))
}

/// Appends an element with nothing but its namespace.
pub(super) fn empty(name: &str, namespace: &str, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    push_attribute("xmlns", namespace, out);
    out.extend_from_slice(b"/>");
}

/// Appends what stream management says of a count (XEP-0198 sections 4 and 5).
pub(super) fn counted(name: &str, count: u32, previous: Option<&str>, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    push_attribute("xmlns", namespace::MANAGEMENT, out);
    push_attribute("h", &count.to_string(), out);
    if let Some(previous) = previous {
        push_attribute("previd", previous, out);
    }
    out.extend_from_slice(b"/>");
}

/// Appends that stanzas are counted from here on (XEP-0198 section 3): in a stream that can be
/// resumed under a name, for so many seconds after its link was lost, if there is one.
pub fn enabled(resumable: Option<(&str, u64)>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<enabled");
    push_attribute("xmlns", namespace::MANAGEMENT, out);
    if let Some((name, seconds)) = resumable {
        push_attribute("id", name, out);
        push_attribute("resume", "true", out);
        push_attribute("max", &seconds.to_string(), out);
    }
    out.extend_from_slice(b"/>");
}

/// Appends what stream management says to a wish that is not granted (XEP-0198 sections 3 and 5).
pub fn unmanaged(condition: StanzaCondition, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<failed");
    push_attribute("xmlns", namespace::MANAGEMENT, out);
    out.push(b'>');
    empty(condition.name(), namespace::STANZA_ERRORS, out);
    out.extend_from_slice(b"</failed>");
}

/// The condition of a stream error in the parentheses at the end of a rule.
pub(super) fn named(rule: &'static str) -> &'static str {
    let inside = rule.strip_suffix(')').and_then(|rule| rule.rsplit_once('('));
    inside.map_or("not-well-formed", |(_, condition)| condition)
}
