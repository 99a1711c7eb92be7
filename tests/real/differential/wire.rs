//! One plain connection, and what comes over it in words that are the same for every server.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use densebots_protocols::xml::{Element, Frame, Framer, STREAMS};
use densebots_protocols::xmpp::{Stanza, namespace};

/// How long one look for more waits.
const GLANCE: Duration = Duration::from_millis(20);

/// What a server calls its parts, and whom it talks to.
#[derive(Clone)]
pub(super) struct Names {
    /// Its domain.
    pub(super) home: String,
    /// Its service of rooms.
    pub(super) muc: String,
}

impl Names {
    /// A text with `{home}` and `{muc}` in the server's own words.
    pub(super) fn fill(&self, text: &str) -> String {
        text.replace("{home}", &self.home).replace("{muc}", &self.muc)
    }

    /// An address in words that are the same for every server.
    fn common(&self, address: &str) -> String {
        address.replace(&self.muc, "muc").replace(&self.home, "home")
    }
}

/// A connection.
pub(super) struct Wire {
    link: TcpStream,
    framer: Framer,
    bytes: Vec<u8>,
    /// How many of them the framer has seen.
    scanned: usize,
    names: Names,
    /// The account that is logged in on it.
    account: String,
}

impl Wire {
    pub(super) fn to(address: SocketAddr, names: &Names, account: &str) -> Wire {
        let link = TcpStream::connect(address).expect("it listens");
        link.set_read_timeout(Some(GLANCE)).expect("no zero");
        link.set_nodelay(true).expect("a socket");
        let (names, account) = (names.clone(), format!("{account}@home"));
        Wire { link, framer: Framer::new(), bytes: Vec::new(), scanned: 0, names, account }
    }

    /// Says something. With a header everything begins anew.
    pub(super) fn say(&mut self, text: &str) {
        if text.starts_with("<?xml") {
            self.framer = Framer::new();
        }
        let text = self.names.fill(text);
        self.link.write_all(text.as_bytes()).expect("it reads");
    }

    /// What has come meanwhile.
    pub(super) fn hear(&mut self, heard: &mut Vec<String>) {
        let mut chunk = [0; 16 * 1024];
        match self.link.read(&mut chunk) {
            Ok(read) => self.bytes.extend_from_slice(&chunk[..read]),
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(why) => heard.push(format!("lost: {why}")),
        }
        loop {
            let frame = self.framer.scan(&self.bytes[self.scanned..]).expect("well-formed");
            let unit: Vec<u8> = match frame {
                Frame::Partial => {
                    self.scanned = self.bytes.len();
                    return;
                }
                whole => self.bytes.drain(..self.scanned + whole.end()).collect(),
            };
            self.scanned = 0;
            heard.extend(match frame {
                Frame::Opened(_) => Some("stream".to_owned()),
                Frame::Closed(_) => Some("end of stream".to_owned()),
                Frame::Stanza(_) => self.described(&unit),
                _ => None,
            });
        }
    }

    fn described(&self, unit: &[u8]) -> Option<String> {
        let element = Element::parse(unit, namespace::STANZAS).expect("well-formed");
        let first = || element.children().next().map_or("nothing", |child| child.name());
        Some(match (element.namespace(), element.name()) {
            (STREAMS, "features") => features(element),
            (namespace::MANAGEMENT, "r") => return None, // a server asks when it likes
            (namespace::MANAGEMENT, "enabled") => {
                let resumable = element.attribute("id").and(element.attribute("resume"));
                format!("enabled, resume {}", resumable.as_deref().unwrap_or("never"))
            }
            (namespace::MANAGEMENT, "a") => {
                format!("acknowledged {}", element.attribute("h").unwrap_or_default())
            }
            (namespace::STANZAS, _) => self.stanza(Stanza::parse(unit).expect("well-formed")),
            (_, name) => match first() {
                "nothing" => name.to_owned(),
                condition => format!("{name} {condition}"),
            },
        })
    }

    fn stanza(&self, stanza: Stanza<'_>) -> String {
        let element = stanza.element();
        let kind = element.attribute("type").unwrap_or_else(|| "-".into());
        let from = self.names.common(&stanza.from().unwrap_or_default());
        // What the own account says, the server may say without a name.
        let from = match from.strip_prefix(&self.account) {
            Some(rest) => format!("own{rest}"),
            None if from.is_empty() => "own".to_owned(),
            None => from,
        };
        let mut said = format!("{} {kind} from {from}", element.name());
        if let Some(id) = stanza.id().filter(|id| id.starts_with("d-")) {
            said += &format!(" {id}");
        }
        if let Some(error) = stanza.error() {
            let remedy = element.child("error", namespace::STANZAS);
            let remedy = remedy.and_then(|error| error.attribute("type")).unwrap_or_default();
            return format!("{said}: {remedy} {}", error.condition().name());
        }
        if let Some(muc) = stanza.muc() {
            let mut statuses: Vec<u16> = muc.statuses().collect();
            statuses.sort_unstable();
            said += &format!(" {statuses:?}");
            for part in ["affiliation", "role"] {
                if let Some(part) = muc.occupant(part) {
                    said += &format!(" {part}");
                }
            }
        }
        if let Some(subject) = stanza.subject() {
            said += &format!(" subject '{subject}'");
        }
        if let Some(body) = stanza.body() {
            said += &format!(" body '{body}'");
        }
        if stanza.delay().is_some() {
            said += " delayed";
        }
        if let Some(payload) = stanza.payload().filter(|_| element.name() == "iq") {
            said += &format!(" {} {}", payload.name(), payload.namespace());
            if let Some(jid) = payload.child("jid", namespace::BIND) {
                said += &format!(" {}", self.names.common(&jid.text()));
            }
        }
        said
    }
}

/// Of what a stream offers, what bots use.
fn features(element: Element<'_>) -> String {
    let mut offered: Vec<&str> = Vec::new();
    for feature in element.children() {
        match (feature.namespace(), feature.name()) {
            (namespace::SASL, "mechanisms") => {
                let mechanisms = feature.children();
                let mut names = mechanisms.filter(|one| one.namespace() == namespace::SASL);
                offered.extend(names.any(|one| one.text() == "PLAIN").then_some("PLAIN"));
            }
            (namespace::BIND, _) => offered.push("bind"),
            (namespace::MANAGEMENT, _) => offered.push("management"),
            ("http://jabber.org/features/iq-register", _) => offered.push("register"),
            _ => {}
        }
    }
    offered.sort_unstable();
    format!("features {}", offered.join(" "))
}
