//! What a groupchat stanza costs beyond its read and its write, in this process and warm: the
//! session, and what a jumper asks of the stanza. What the ledger takes on top is `ledger`'s.
//!
//! `cargo bench --bench stanzas` prints nanoseconds; any other run is a small one.
#![allow(clippy::disallowed_methods)] // a bench reads the real clock

use std::hint::black_box;
use std::io;
use std::time::Instant;

use densebots_bench::pairs::{PAIRS_MIN, Spread};
use densebots_bench::replay::online;
use densebots_engine::{GroupId, MessageId};
use densebots_protocols::xmpp::Event;
use densebots_protocols::{Session, Step};

const STANZA: &str = "<message from='bot_room_12345@conference.localhost/bot61234' \
    to='bot61235@localhost/run1a2b3c4d-61235' type='groupchat' id='1a2b3c4d.ef32.1f'>\
    <body>The lift is out of order again, so I know every step of this building by name now.\
    </body></message>";
const ROOM: &str = "bot_room_12345@conference.localhost";
const BODY: &str = "I brought tea. The biscuits did not survive the stairs.";

fn main() -> io::Result<()> {
    let count = if std::env::args().any(|arg| arg == "--bench") { 300_000 } else { 1_000 };
    let (mut session, _) = online()?;
    let mut out = Vec::new();
    let received = each(count, || {
        let step = session.receive(black_box(STANZA.as_bytes()), false, &mut out);
        let Ok(Step::Event(_, Event::Message(message))) = step else {
            panic!("the stanza is a message");
        };
        let [id, kind, from] = message.element().attributes(["id", "type", "from"]);
        assert!(kind.as_deref() != Some("error"));
        let from = from.unwrap_or_default();
        let room = from.split_once('/').map_or(&*from, |(room, _)| room);
        let id = MessageId::read(id.unwrap_or_default().as_bytes());
        black_box((GroupId::named(room), id));
    });
    let sent = each(count, || {
        out.clear();
        let id =
            MessageId { run: 0x1a2b_3c4d, sender: densebots_engine::BotId(61235), sequence: 9 };
        session.groupchat(black_box(ROOM), id.text().as_str(), black_box(BODY), &mut out);
        black_box(&out);
    });
    println!("stanzas: {received} ns a stanza received and understood, {sent} ns one written");
    Ok(())
}

/// The nanoseconds that one of `count` calls takes.
fn each(count: u32, mut call: impl FnMut()) -> Spread {
    let round = |_| {
        let begun = Instant::now();
        (0..count).for_each(|_| call());
        begun.elapsed().as_nanos() as f64 / f64::from(count)
    };
    Spread::of((0..PAIRS_MIN).map(round).collect())
}
