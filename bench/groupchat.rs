//! What a groupchat stanza costs beyond the bare read or write of the same bytes, over sockets: the
//! engine's bots, each stanza parsed and accounted in the ledger, beside a bare epoll program.
//!
//! Both log in to one bare server and join its rooms, which reflect what is said there to all who
//! are in. In each room one speaks, again and again, and everybody hears it in a read of its own. A
//! message in a room of one is one stanza sent and one received, in a room of six it is one sent
//! and six received: with D1 and D6, what the engine used of the processor for a message beyond
//! what the bare program did, a stanza received costs (D6 - D1) / 5 and one sent the rest of D1.
//!
//! Long: started by name, `cargo bench --bench groupchat -- PAIRS [CONNECTIONS]`; it prints
//! microseconds. A machine that does something else too makes them mean nothing.

use std::time::Duration;
use std::{env, io};

use densebots_bench::namespace::in_own_namespace;
use densebots_bench::pairs::{PAIRS_MIN, beyond};
use densebots_bench::roles::{BareServer, Role, role_or};
use densebots_bench::traffic::{Figures, Load, Mode, number};
use densebots_bench::{bare_talkers, talkers};

/// Connections on either side. A multiple of [`ROOM`].
const CONNECTIONS: usize = 3_000;
/// Bots in the larger rooms.
const ROOM: usize = 6;
/// Microseconds that a stanza received and accounted, and one sent, may cost beyond the bare ones.
const RECEIVED_MAX: f64 = 1.5;
const SENT_MAX: f64 = 0.5;

fn main() -> io::Result<()> {
    role_or(|name, words| {
        let (load, size) = (Load::parse(words)?, number(words, "room")?);
        let figures = match name {
            "talkers" => talkers::run(&load, size)?,
            _ => bare_talkers::run(&load, size)?,
        };
        println!("{figures}");
        Ok(())
    });
    let numbers: Vec<usize> = env::args().filter_map(|word| word.parse().ok()).collect();
    let Some(count) = numbers.first().map(|&count| count.max(PAIRS_MIN)) else {
        println!("groupchat: long; start it with `cargo bench --bench groupchat -- 9`");
        return Ok(());
    };
    in_own_namespace();
    let connections = numbers.get(1).copied().unwrap_or(CONNECTIONS).next_multiple_of(ROOM);
    let (mut received, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let [alone, together] = [1, ROOM].map(|room| {
            let measure = |role| cost(role, connections, room).expect("both programs run");
            measure("talkers") - measure("bare-talkers")
        });
        let each = (together - alone) / (ROOM - 1) as f64;
        received.push(each);
        sent.push(alone - each);
    }
    for (name, costs, most) in
        [("groupchat.received", received, RECEIVED_MAX), ("groupchat.sent", sent, SENT_MAX)]
    {
        beyond(name, "µs a stanza beyond the bare program", costs).wanted_at_most(name, most);
    }
    Ok(())
}

/// Microseconds of processor time a message.
fn cost(role: &str, connections: usize, room: usize) -> io::Result<f64> {
    let server = BareServer::of_rooms(connections)?;
    let hold = Duration::from_secs(2);
    let load = Load { mode: Mode::Idle, hold, ..Load::new(connections, 1, &server.ports) };
    let mut role = Role::start(role, &format!("{load} room={room}"), None)?;
    let figures = Figures::parse(&role.line()?)?;
    assert_eq!(figures.connect.count, connections as u64, "connections are missing");
    Ok(1e6 / figures.hold.per_processor_second())
}
