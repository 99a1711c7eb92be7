//! Hides what bots prove themselves with, in whatever pieces it comes.

/// Elements whose text is a secret, or would lead to one: of SASL (RFC 6120, section 6.4), of
/// registration (XEP-0077) and of rooms (XEP-0045).
const SECRET: [&[u8]; 5] = [b"auth", b"response", b"challenge", b"success", b"password"];
/// The field of a form whose value is one: a room's password.
const SECRET_FIELD: &[u8] = b"muc#roomconfig_roomsecret";
/// What stands in its place.
const HIDDEN: &[u8] = b"[hidden]";
/// Names longer than this are none of those.
const NAME_MAX: usize = 10;

/// One direction of one stream.
///
/// ```text
///   text --<--> name --any other--> tag --> (of a secret) --> secret --<--> leaving --/--> name
///    ^                               |                          ^             |
///    +------------- > ---------------+                          +-- any other-+
/// ```
#[derive(Clone, Debug, Default)]
pub(super) struct Mask {
    state: State,
    name: Vec<u8>,
    /// The quote an attribute's value is in.
    quote: Option<u8>,
    /// The byte before, to know `/>`.
    before: u8,
    /// The value of the attribute that is read, as far as it can be the name of a field.
    value: Vec<u8>,
    /// The field that is open is a secret.
    secret_field: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between tags.
    #[default]
    Text,
    /// In the name of a tag.
    Name,
    /// Behind the name, up to its `>`.
    Tag,
    /// In the text of a secret.
    Secret,
    /// Behind a `<` in it.
    Leaving,
}

impl Mask {
    /// The piece as it may be shown.
    pub(super) fn shown(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(piece.len());
        let mut told = false;
        for &byte in piece {
            match self.state {
                State::Text | State::Name | State::Tag => shown.push(byte),
                State::Secret if byte == b'<' => {}
                State::Leaving if byte == b'/' => shown.extend(b"</"),
                State::Secret | State::Leaving => {
                    if !told {
                        shown.extend(HIDDEN);
                    }
                    told = true;
                }
            }
            self.step(byte);
            told &= matches!(self.state, State::Secret | State::Leaving);
            self.before = byte;
        }
        shown
    }

    fn step(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::Text, b'<') => {
                (self.quote, self.before) = (None, 0);
                self.name.clear();
                State::Name
            }
            (State::Name, b':') => {
                self.name.clear(); // that was a prefix
                State::Name
            }
            (State::Name | State::Tag, b'>') if self.quote.is_none() => self.opened(),
            (State::Name, b' ' | b'\t' | b'\r' | b'\n') => State::Tag,
            (State::Name, _) => {
                if self.name.len() <= NAME_MAX {
                    self.name.push(byte);
                }
                State::Name
            }
            (State::Tag, b'\'' | b'"') if self.quote.is_none_or(|open| open == byte) => {
                if self.quote.take().is_none() {
                    self.quote = Some(byte);
                    self.value.clear();
                } else if self.name == b"field" && self.value == SECRET_FIELD {
                    self.secret_field = true;
                }
                State::Tag
            }
            (State::Tag, _) if self.quote.is_some() => {
                if self.value.len() <= SECRET_FIELD.len() {
                    self.value.push(byte);
                }
                State::Tag
            }
            (State::Secret, b'<') => State::Leaving,
            (State::Leaving, b'/') => {
                (self.quote, self.before) = (None, 0);
                self.name.clear();
                self.name.push(b'/');
                State::Name
            }
            (State::Leaving, b'<') => State::Leaving,
            (State::Leaving, _) => State::Secret,
            (same, _) => same,
        };
    }

    /// What a tag that ends here leads to.
    fn opened(&mut self) -> State {
        let empty = self.before == b'/';
        if self.name == b"/field" || (self.name == b"field" && empty) {
            self.secret_field = false;
        }
        let value = self.secret_field && self.name == b"value";
        let secret = (value || SECRET.contains(&self.name.as_slice())) && !empty;
        if secret { State::Secret } else { State::Text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[&str]) -> String {
        let mut mask = Mask::default();
        let all = pieces.iter().flat_map(|piece| mask.shown(piece.as_bytes()));
        String::from_utf8(all.collect()).expect("is text")
    }

    #[test]
    fn secrets_are_hidden_and_nothing_else() {
        let cases = [
            (
                "<auth xmlns='urn:x' mechanism='PLAIN'>AGJvdDEAYm90MQ==</auth><r/>",
                "<auth xmlns='urn:x' mechanism='PLAIN'>[hidden]</auth><r/>",
            ),
            ("<challenge xmlns='x'>cj0=</challenge>", "<challenge xmlns='x'>[hidden]</challenge>"),
            ("<success xmlns='x'/><a>b</a>", "<success xmlns='x'/><a>b</a>"),
            ("<password/><a>b</a>", "<password/><a>b</a>"),
            ("<s:password a='>'>x</s:password>", "<s:password a='>'>[hidden]</s:password>"),
            ("<password><![CDATA[x]]></password>", "<password>[hidden]</password>"),
            ("<auth></auth>text", "<auth></auth>text"),
            (
                "<field var='muc#roomconfig_roomsecret'><value>x</value></field><value>y</value>",
                "<field var='muc#roomconfig_roomsecret'><value>[hidden]</value></field>\
                 <value>y</value>",
            ),
            (
                "<field type='text-private' var=\"muc#roomconfig_roomsecret\"><value>x</value>",
                "<field type='text-private' var=\"muc#roomconfig_roomsecret\"><value>[hidden]\
                 </value>",
            ),
            (
                "<field var='muc#roomconfig_roomsecret'/><field var='a'><value>x</value>",
                "<field var='muc#roomconfig_roomsecret'/><field var='a'><value>x</value>",
            ),
            ("<authentication>a</authentication>", "<authentication>a</authentication>"),
            ("<body>auth password</body>", "<body>auth password</body>"),
        ];
        for (piece, expected) in cases {
            assert_eq!(shown(&[piece]), expected);
        }
    }

    #[test]
    fn pieces_hide_as_much_as_the_whole() {
        let whole = "<a/><auth m='P'>c2VjcmV0</auth><message><body>hi</body></message>";
        for at in 0..whole.len() {
            let said = shown(&[&whole[..at], &whole[at..]]);
            assert!(said.ends_with("</auth><message><body>hi</body></message>"), "{at}: {said}");
            assert!(said.starts_with("<a/><auth m='P'>[hidden]"), "{at}: {said}");
            assert!(!["c2", "Vj", "cm", "V0"].iter().any(|part| said.contains(part)), "{said}");
        }
    }
}
