//! What a bot wants: methods that append stanzas.

use super::{State, Xmpp, namespace};
use crate::xml::{push_attribute, push_text, push_value};

/// How much of what was said before a room tells to who joins it (XEP-0045 section 7.2.13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum History {
    /// Nothing: what comes is new.
    #[default]
    None,
    /// At most so many messages.
    Last(u32),
    /// As much as the room likes.
    Usual,
}

/// A wish about somebody's presence, or the answer to one (RFC 6121 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// To hear it.
    Subscribe,
    /// Granted.
    Subscribed,
    /// No longer to hear it.
    Unsubscribe,
    /// Refused, or no longer granted.
    Unsubscribed,
}

/// Stanzas. Each call appends one, whether the session is online or not: what a server makes of
/// stanzas before the login is over is up to the server, so wait for
/// [`Event::Online`](super::Event::Online).
///
/// Addresses and texts are escaped here, and given as they are.
impl Xmpp {
    /// Says that the bot is there (RFC 6121 section 4.2), which makes messages come.
    pub fn presence(&mut self, out: &mut Vec<u8>) {
        self.write(out, |out| out.extend_from_slice(b"<presence/>"));
    }

    /// Says that the bot is there, and how: `show` is `away`, `chat`, `dnd` or `xa` (RFC 6121
    /// section 4.7.2), `status` any text.
    pub fn status(&mut self, show: Option<&str>, status: &str, out: &mut Vec<u8>) {
        self.write(out, |out| {
            out.extend_from_slice(b"<presence>");
            if let Some(show) = show {
                element("show", show, out);
            }
            element("status", status, out);
            out.extend_from_slice(b"</presence>");
        });
    }

    /// Says that the bot is gone (RFC 6121 section 4.5), and stays connected.
    pub fn unavailable(&mut self, out: &mut Vec<u8>) {
        self.write(out, |out| out.extend_from_slice(b"<presence type='unavailable'/>"));
    }

    /// Asks for, grants or ends a subscription to presence (RFC 6121 section 3).
    pub fn subscription(&mut self, to: &str, wish: Subscription, out: &mut Vec<u8>) {
        let kind = match wish {
            Subscription::Subscribe => "subscribe",
            Subscription::Subscribed => "subscribed",
            Subscription::Unsubscribe => "unsubscribe",
            Subscription::Unsubscribed => "unsubscribed",
        };
        self.write(out, |out| {
            open("presence", &[("to", to), ("type", kind)], out);
            out.extend_from_slice(b"/>");
        });
    }

    /// Asks for the roster (RFC 6121 section 2.1.3).
    pub fn roster(&mut self, id: &str, out: &mut Vec<u8>) {
        self.iq("get", "", id, out, |out| empty("query", namespace::ROSTER, out));
    }

    /// Puts somebody on the roster (RFC 6121 section 2.3).
    pub fn roster_add(&mut self, id: &str, contact: &str, out: &mut Vec<u8>) {
        self.iq("set", "", id, out, |out| {
            open("query", &[("xmlns", namespace::ROSTER)], out);
            out.push(b'>');
            open("item", &[("jid", contact)], out);
            out.extend_from_slice(b"/></query>");
        });
    }

    /// Says something to one other (RFC 6121 section 5).
    pub fn message(&mut self, to: &str, id: &str, body: &str, out: &mut Vec<u8>) {
        self.say(to, b"' type='chat' id='", id, body, out);
    }

    /// Says something in a room (XEP-0045 section 7.4).
    pub fn groupchat(&mut self, room: &str, id: &str, body: &str, out: &mut Vec<u8>) {
        self.say(room, b"' type='groupchat' id='", id, body, out);
    }

    /// Gives a room its subject (XEP-0045 section 8.1).
    pub fn subject(&mut self, room: &str, id: &str, subject: &str, out: &mut Vec<u8>) {
        self.write(out, |out| {
            open("message", &[("to", room), ("type", "groupchat"), ("id", id)], out);
            out.push(b'>');
            element("subject", subject, out);
            out.extend_from_slice(b"</message>");
        });
    }

    /// Joins a room (XEP-0045 section 7.2). It has succeeded when the own presence comes back
    /// with [`STATUS_SELF`](super::STATUS_SELF), and failed with a presence of type error.
    pub fn join(
        &mut self,
        room: &str,
        nick: &str,
        password: Option<&str>,
        history: History,
        out: &mut Vec<u8>,
    ) {
        self.write(out, |out| {
            occupant(room, nick, None, out);
            out.push(b'>');
            open("x", &[("xmlns", namespace::MUC)], out);
            let limit = match history {
                History::None => Some(0),
                History::Last(messages) => Some(messages),
                History::Usual => None,
            };
            if limit.is_none() && password.is_none() {
                out.extend_from_slice(b"/></presence>");
                return;
            }
            out.push(b'>');
            if let Some(limit) = limit {
                open("history", &[("maxstanzas", &limit.to_string())], out);
                out.extend_from_slice(b"/>");
            }
            if let Some(password) = password {
                element("password", password, out);
            }
            out.extend_from_slice(b"</x></presence>");
        });
    }

    /// Takes another nick in a room (XEP-0045 section 7.6).
    pub fn nick(&mut self, room: &str, nick: &str, out: &mut Vec<u8>) {
        self.write(out, |out| {
            occupant(room, nick, None, out);
            out.extend_from_slice(b"/>");
        });
    }

    /// Leaves a room (XEP-0045 section 7.14). Done when the own presence comes back unavailable.
    pub fn leave(&mut self, room: &str, nick: &str, out: &mut Vec<u8>) {
        self.write(out, |out| {
            occupant(room, nick, Some("unavailable"), out);
            out.extend_from_slice(b"/>");
        });
    }

    /// Configures a room that the join created, and unlocks it: as it is (XEP-0045 section
    /// 10.1.2), or so that who comes has to know a password (section 10.1.3).
    pub fn create_room(&mut self, room: &str, id: &str, password: Option<&str>, out: &mut Vec<u8>) {
        self.iq("set", room, id, out, |out| {
            open("query", &[("xmlns", namespace::MUC_OWNER)], out);
            out.extend_from_slice(b"><x xmlns='jabber:x:data' type='submit'");
            let Some(password) = password else {
                return out.extend_from_slice(b"/></query>");
            };
            out.push(b'>');
            for (name, value) in [
                ("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig"),
                ("muc#roomconfig_passwordprotectedroom", "1"),
                ("muc#roomconfig_roomsecret", password),
            ] {
                open("field", &[("var", name)], out);
                out.push(b'>');
                element("value", value, out);
                out.extend_from_slice(b"</field>");
            }
            out.extend_from_slice(b"</x></query>");
        });
    }

    /// Destroys a room (XEP-0045 section 10.9).
    pub fn destroy_room(&mut self, room: &str, id: &str, out: &mut Vec<u8>) {
        self.iq("set", room, id, out, |out| {
            open("query", &[("xmlns", namespace::MUC_OWNER)], out);
            out.extend_from_slice(b"><destroy/></query>");
        });
    }

    /// Asks for a sign of life (XEP-0199): of the own server if `to` is empty. A server without
    /// pings refuses, which is a sign of life too.
    pub fn ping(&mut self, to: &str, id: &str, out: &mut Vec<u8>) {
        self.iq("get", to, id, out, |out| empty("ping", namespace::PING, out));
    }

    /// Removes the account that is logged in (XEP-0077 section 3.2).
    pub fn unregister(&mut self, id: &str, out: &mut Vec<u8>) {
        self.iq("set", "", id, out, |out| {
            open("query", &[("xmlns", namespace::REGISTER)], out);
            out.extend_from_slice(b"><remove/></query>");
        });
    }

    /// Asks whether everything so far has arrived (XEP-0198 section 4), where that was agreed on.
    /// The answer is [`Event::Acknowledged`](super::Event::Acknowledged).
    pub fn ask_acknowledgement(&mut self, out: &mut Vec<u8>) {
        if matches!(self.state, State::Managed(_)) {
            empty("r", namespace::MANAGEMENT, out);
        }
    }

    /// A question or an order (RFC 6120 section 8.2.3): `kind` is `get` or `set`, an empty `to`
    /// means the own account. `payload` appends one element.
    pub fn iq(
        &mut self,
        kind: &str,
        to: &str,
        id: &str,
        out: &mut Vec<u8>,
        payload: impl FnOnce(&mut Vec<u8>),
    ) {
        self.write(out, |out| {
            let to = Some(("to", to)).filter(|(_, to)| !to.is_empty());
            open("iq", &[("type", kind), ("id", id)], out);
            if let Some((name, to)) = to {
                push_attribute(name, to, out);
            }
            out.push(b'>');
            payload(out);
            out.extend_from_slice(b"</iq>");
        });
    }

    /// What bots say most by far: written in few pieces. `kind` is what stands between the values
    /// of `to` and `id`.
    fn say<const N: usize>(
        &mut self,
        to: &str,
        kind: &[u8; N],
        id: &str,
        body: &str,
        out: &mut Vec<u8>,
    ) {
        self.write(out, |out| {
            out.extend_from_slice(b"<message to='");
            push_value(to, out);
            out.extend_from_slice(kind);
            push_value(id, out);
            out.extend_from_slice(b"'><body>");
            push_text(body, out);
            out.extend_from_slice(b"</body></message>");
        });
    }
}

/// Appends a start tag up to where it is closed.
pub(super) fn open(name: &str, attributes: &[(&str, &str)], out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    for (name, value) in attributes {
        push_attribute(name, value, out);
    }
}

/// Appends an element with text in it.
pub(super) fn element(name: &str, text: &str, out: &mut Vec<u8>) {
    open(name, &[], out);
    out.push(b'>');
    push_text(text, out);
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

/// Appends an element with nothing but its namespace.
pub(super) fn empty(name: &str, namespace: &str, out: &mut Vec<u8>) {
    open(name, &[("xmlns", namespace)], out);
    out.extend_from_slice(b"/>");
}

/// Appends the start tag of a presence to an occupant, up to where it is closed.
fn occupant(room: &str, nick: &str, kind: Option<&str>, out: &mut Vec<u8>) {
    // The address of an occupant is the room's with the nick behind it.
    out.extend_from_slice(b"<presence to='");
    push_value(room, out);
    out.push(b'/');
    push_value(nick, out);
    out.push(b'\'');
    if let Some(kind) = kind {
        push_attribute("type", kind, out);
    }
}
