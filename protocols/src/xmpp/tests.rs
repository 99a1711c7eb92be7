mod faults;
mod known;
mod managed;
mod online;
mod transcripts;

use std::sync::Arc;

use super::*;
use crate::xml::{self, Element, STREAMS};
use crate::{Derive, Hash};

/// A dialogue: what is said in order, one line each.
///
/// ```text
/// S bytes       the server sends them
/// C bytes       what the session appended in reaction, and to open the stream
/// E event       what it told
/// T             it wants TLS; the harness opens the stream again, secured
/// D hash rounds it wants a derivation; the harness derives
/// X rule        it refused what the server sent
/// end           the byte stream ends
/// ```
///
/// Lines behind an S line are what that line leads to. Lines that begin with spaces go on with the
/// one before.
pub(super) struct Dialogue {
    session: Xmpp,
    unread: Vec<u8>,
    secured: Option<[u8; 32]>,
}

/// How the network cuts what the server sends.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Bytes,
    /// Once, behind this many bytes of the line of this number.
    Once(usize, usize),
}

pub(super) fn describe(event: &Event<'_>) -> String {
    let stanza = |what: &str, stanza: &Stanza<'_>| {
        let [from, id] = stanza.element().attributes(["from", "id"]);
        format!(
            "{what} {:?} from={} id={}",
            stanza.kind(),
            from.unwrap_or_default(),
            id.unwrap_or_default()
        )
    };
    match event {
        Event::Message(message) => stanza("message", message),
        Event::Presence(presence) => stanza("presence", presence),
        Event::Iq(iq) => stanza("iq", iq),
        Event::StreamError(error) => {
            let more = [error.text(), error.other_host()].map(Option::unwrap_or_default).concat();
            format!("stream error {} {more}", error.condition().name()).trim_end().to_owned()
        }
        Event::Online { address } => format!("online {}", address.as_deref().unwrap_or("again")),
        other => format!("{other:?}"),
    }
}

impl Dialogue {
    pub(super) fn new(session: Xmpp) -> Self {
        Self { session, unread: Vec::new(), secured: None }
    }

    fn stream(&self) -> Stream {
        let (secured, encrypted) = (self.secured, self.secured.is_some());
        Stream { secured, encrypted, ..Stream::default() }
    }

    /// Gives the session some bytes as a link does, and logs what came of it.
    fn give(
        &mut self,
        bytes: &[u8],
        ended: bool,
        out: &mut Vec<u8>,
        log: &mut Vec<String>,
    ) -> bool {
        self.unread.extend_from_slice(bytes);
        let mut used_up = 0;
        loop {
            let stream = Stream { secured: Some([7; 32]), encrypted: true, ..self.stream() };
            let input = &self.unread[used_up..];
            used_up += match self.session.receive(input, ended, out) {
                Ok(Step::Partial) => break,
                Ok(Step::Quiet(used)) => used,
                Ok(Step::Event(used, event)) => {
                    log.push(format!("E {}", describe(&event)));
                    used
                }
                Ok(Step::StartTls(used)) => {
                    log.push("T".to_owned());
                    self.secured = stream.secured;
                    self.session.open(&stream, out);
                    used
                }
                Ok(Step::Derive(used, derive)) => {
                    log.push(format!("D {:?} {}", derive.hash, derive.rounds));
                    self.session.derived(&key(&derive), out);
                    used
                }
                Err(violation) => {
                    let again = self.session.receive(input, ended, out).map(|_| ());
                    assert_eq!(again, Err(violation), "once broken, always the same");
                    log.push(format!("X {}", violation.rule));
                    return false;
                }
            };
            assert!(used_up <= self.unread.len());
            if used_up == self.unread.len() {
                break;
            }
        }
        self.unread.drain(..used_up);
        true
    }
}

/// What the driver of a session makes of [`Step::Derive`].
pub(super) fn key(derive: &Derive) -> Vec<u8> {
    let Derive { hash, secret, salt, rounds } = derive;
    match hash {
        Hash::Sha1 => pbkdf2::pbkdf2_hmac_array::<sha1::Sha1, 20>(secret, salt, *rounds).to_vec(),
        Hash::Sha256 => {
            pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, 32>(secret, salt, *rounds).to_vec()
        }
        Hash::Sha512 => {
            pbkdf2::pbkdf2_hmac_array::<sha2::Sha512, 64>(secret, salt, *rounds).to_vec()
        }
    }
}

/// The lines of a dialogue, those that go on joined.
pub(super) fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match line.strip_prefix("    ") {
            Some(more) => {
                lines.last_mut().expect("a line to go on with").push_str(more.trim_start());
            }
            None => lines.push(line.to_owned()),
        }
    }
    lines
}

/// Plays the server's part of a dialogue and writes all of it down as it went.
fn play(session: Xmpp, dialogue: &[String], cut: Cut) -> Vec<String> {
    let mut peer = Dialogue::new(session);
    let (mut log, mut out) = (Vec::new(), Vec::new());
    peer.session.open(&peer.stream(), &mut out);
    for (number, line) in dialogue.iter().enumerate() {
        if !(line.starts_with("S ") || line == "end") {
            continue;
        }
        flush(&mut out, &mut log);
        log.push(line.clone());
        let bytes = line.strip_prefix("S ").unwrap_or_default().as_bytes();
        let pieces: Vec<&[u8]> = match cut {
            Cut::Bytes if !bytes.is_empty() => bytes.chunks(1).collect(),
            Cut::Once(at, behind) if at == number => {
                let (front, back) = bytes.split_at(behind);
                vec![front, back]
            }
            _ => vec![bytes],
        };
        for piece in pieces {
            if !peer.give(piece, line == "end", &mut out, &mut log) {
                flush(&mut out, &mut log);
                return log;
            }
        }
    }
    flush(&mut out, &mut log);
    log
}

fn flush(out: &mut Vec<u8>, log: &mut Vec<String>) {
    if !out.is_empty() {
        let text = String::from_utf8(std::mem::take(out)).expect("we send UTF-8");
        log.push(format!("C {}", text.replace('\n', "")));
    }
}

/// Plays the dialogue whole, byte by byte, and cut once at every byte.
#[track_caller]
pub(super) fn check(session: impl Fn() -> Xmpp, text: &str) {
    let expected = lines(text);
    assert_eq!(play(session(), &expected, Cut::Whole), expected);
    assert_eq!(play(session(), &expected, Cut::Bytes), expected, "byte by byte");
    for (number, line) in expected.iter().enumerate().filter(|(_, line)| line.starts_with("S ")) {
        for behind in 0..line.len() - 2 {
            let cut = Cut::Once(number, behind);
            assert_eq!(play(session(), &expected, cut), expected, "{cut:?}");
        }
    }
}

/// Plays the dialogue in one piece a line only, where the pieces make the difference.
#[track_caller]
pub(super) fn check_whole(session: Xmpp, text: &str) {
    let expected = lines(text);
    assert_eq!(play(session, &expected, Cut::Whole), expected);
}

pub(super) fn service(tls: Tls) -> Service {
    Service { tls, ..Service::new("example.org") }
}

pub(super) fn juliet(service: Service) -> Account {
    let identity = Identity::password("juliet", "r0m30").expect("plain ASCII");
    Account { service: Arc::new(service), identity, resource: "balcony".into() }
}

/// The harness replaces these in dialogues.
pub(super) const SERVER_HEADER: &str = "S <?xml version='1.0'?><stream:stream \
     xmlns='jabber:client' id='1' \
     version='1.0' \
     xmlns:stream='http://etherx.jabber.org/streams' from='example.org' xml:lang='en'>";
pub(super) const OUR_HEADER: &str = "C <?xml version='1.0'?><stream:stream xmlns='jabber:client' \
     xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0' xml:lang='en'>";

/// A dialogue with `HEADER` for the server's and ours for `OURS`.
pub(super) fn script(text: &str) -> String {
    let secured =
        OUR_HEADER.replace("to='example.org'", "to='example.org' from='juliet@example.org'");
    let text = text.replace("C OURS-SECURED", &secured).replace("C OURS", OUR_HEADER);
    text.replace("S HEADER", SERVER_HEADER)
}
