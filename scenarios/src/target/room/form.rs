//! The form with which an owner configures a room (XEP-0045 section 10.2): of what there is to be
//! configured, the password.

use densebots_protocols::xml::{Element, push_attribute, push_text};
use densebots_protocols::xmpp::{Stanza, namespace};

/// Forms (XEP-0004).
const FORM: &str = "jabber:x:data";
const PROTECTED: &str = "muc#roomconfig_passwordprotectedroom";
const SECRET: &str = "muc#roomconfig_roomsecret";

/// The password that a presence to a room gives (XEP-0045 section 7.2.5).
pub(crate) fn given(presence: &Stanza<'_>) -> Option<Box<str>> {
    let x = presence.element().child("x", namespace::MUC)?;
    Some(x.child("password", namespace::MUC)?.text().into())
}

/// What a form that was sent in makes of the password: `None` leaves it as it is.
pub(super) fn password(query: &Element<'_>) -> Option<Option<Box<str>>> {
    let form = query.child("x", FORM).filter(|form| form.attribute_is("type", "submit"))?;
    let value = |name| {
        let mut fields = form.children().filter(|field| field.is("field", FORM));
        let field = fields.find(|field| field.attribute_is("var", name))?;
        Some(field.child("value", FORM).map_or(String::new(), |value| value.text().into_owned()))
    };
    match (value(PROTECTED).as_deref(), value(SECRET)) {
        (None, None) => None,
        (Some("0" | "false" | ""), _) => Some(None),
        (_, secret) => Some(secret.filter(|secret| !secret.is_empty()).map(String::into)),
    }
}

/// Appends the form, filled in as it is.
pub(super) fn write(password: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<query");
    push_attribute("xmlns", namespace::MUC_OWNER, out);
    out.extend_from_slice(b"><x xmlns='jabber:x:data' type='form'>");
    let protected = if password.is_some() { "1" } else { "0" };
    field("FORM_TYPE", "hidden", "http://jabber.org/protocol/muc#roomconfig", out);
    field(PROTECTED, "boolean", protected, out);
    field(SECRET, "text-private", password.unwrap_or_default(), out);
    out.extend_from_slice(b"</x></query>");
}

fn field(name: &str, kind: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<field");
    push_attribute("var", name, out);
    push_attribute("type", kind, out);
    out.extend_from_slice(b"><value>");
    push_text(value, out);
    out.extend_from_slice(b"</value></field>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Option<Option<Box<str>>> {
        let mut bytes = b"<query xmlns='http://jabber.org/protocol/muc#owner'>".to_vec();
        bytes.extend_from_slice(b"<x xmlns='jabber:x:data' type='submit'>");
        for (name, value) in fields {
            field(name, "hidden", value, &mut bytes);
        }
        bytes.extend_from_slice(b"</x></query>");
        password(&Element::parse(&bytes, namespace::STANZAS).expect("well-formed"))
    }

    #[test]
    fn a_password_is_set_changed_and_taken_away() {
        let set = |secret: &str| Some(Some(Box::from(secret)));
        assert_eq!(read(&[]), None, "an instant room");
        assert_eq!(read(&[(PROTECTED, "1"), (SECRET, "a < b")]), set("a < b"));
        assert_eq!(read(&[(SECRET, "open")]), set("open"), "as Prosody takes it");
        assert_eq!(read(&[(PROTECTED, "0"), (SECRET, "open")]), Some(None));
        assert_eq!(read(&[(SECRET, "")]), Some(None));
        assert_eq!(read(&[(PROTECTED, "1")]), Some(None), "there is none");
        assert_eq!(read(&[("muc#roomconfig_persistentroom", "1")]), None);
    }

    #[test]
    fn the_form_that_is_sent_out_can_be_sent_in() {
        let mut form = Vec::new();
        write(Some("open"), &mut form);
        let form = String::from_utf8(form).expect("text").replace("'form'", "'submit'");
        let form = Element::parse(form.as_bytes(), namespace::STANZAS).expect("well-formed");
        assert_eq!(password(&form), Some(Some("open".into())));
    }
}
