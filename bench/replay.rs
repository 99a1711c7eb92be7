//! The limit program of logins: the bytes that the engine's bots say, and nothing else.
//!
//! What a bot says is recorded once, from a session without a socket; what the server says is
//! fixed, in the words of Prosody. One write and one read a step, nothing parsed.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use densebots_protocols::xmpp::sasl::Choice;
use densebots_protocols::xmpp::{Account, Event, Identity, Service, Tls, Xmpp};
use densebots_protocols::{Session, Step, Stream};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::net::sockopt;

use crate::limit::dial;
use crate::machine::{make_room, processor_time, timer};
use crate::traffic::{Figures, Load, Phase};
use crate::xmpp::{DOMAIN, FIRST_ID};

/// What the server answers to each thing that a bot says; nothing to its presence.
pub const ANSWERS: [&[u8]; 4] = [
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' from='localhost' \
      id='6f1d0e52-5f0b-4f5e-9c43-7d7a3d7e7f00' version='1.0' xml:lang='en' \
      xmlns:stream='http://etherx.jabber.org/streams'><stream:features>\
      <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1</mechanism>\
      <mechanism>PLAIN</mechanism></mechanisms></stream:features>",
    b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' from='localhost' \
      id='0b5d3f0c-8a66-41c3-8c1c-2f8f5ce3f7b1' version='1.0' xml:lang='en' \
      xmlns:stream='http://etherx.jabber.org/streams'><stream:features>\
      <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><required/></bind>\
      <session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>\
      <sm xmlns='urn:xmpp:sm:3'><optional/></sm></stream:features>",
    b"<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
      <jid>bot100001@localhost/run0-100001</jid></bind></iq>",
];

/// Attempts in flight, as many as the engine has.
const IN_FLIGHT_MAX: usize = 1024;
/// Most events a wait may bring, as many as the engine takes.
const READY_MAX: usize = 1024;
/// The longest that all logins may take.
const LOGINS_MAX: Duration = Duration::from_secs(120);
/// The token of the timer; a connection's token is its place in the list.
const TIMER: u64 = u64::MAX;

/// A session that has logged in as the first bot, and what it said: one piece for each answer, and
/// the presence behind the last.
pub fn online() -> io::Result<(Xmpp, Vec<Vec<u8>>)> {
    let mechanism = Choice::Exactly("PLAIN".parse().map_err(|_| io::Error::other("PLAIN"))?);
    let name = format!("bot{FIRST_ID}");
    let account = Account {
        service: Arc::new(Service { tls: Tls::Off, mechanism, ..Service::new(DOMAIN) }),
        identity: Identity::password(&name, &name).map_err(io::Error::other)?,
        resource: format!("run0-{FIRST_ID}").into(),
    };
    let mut session = Xmpp::new(account);
    let mut said = vec![Vec::new()];
    session.open(&Stream::default(), &mut said[0]);
    for answer in ANSWERS {
        let (mut rest, mut out, mut online) = (answer, Vec::new(), false);
        while !rest.is_empty() {
            let used = match session.receive(rest, false, &mut out).map_err(io::Error::other)? {
                Step::Quiet(used) => used,
                Step::Event(used, event) => {
                    online |= matches!(event, Event::Online { .. });
                    used
                }
                _ => return Err(io::Error::other("the answers are no login")),
            };
            rest = &rest[used..];
        }
        if online {
            session.presence(&mut out);
        }
        said.push(out);
    }
    Ok((session, said))
}

/// Opens the connections of `load` and logs in on each; its threads have to be one.
pub fn run(load: &Load) -> io::Result<Figures> {
    make_room(load.connections, 1)?;
    let (_, script) = online()?;
    let (begun, before) = (Instant::now(), processor_time());
    let conns = log_in(load, &script)?;
    let (wall, processor) = (begun.elapsed(), processor_time() - before);
    let connect = Phase { count: conns.len() as u64, wall, processor };
    Ok(Figures { connect, hold: Phase::default() })
}

/// Logs in on every connection, a bounded number at a time; all stay open.
pub(crate) fn log_in(load: &Load, script: &[Vec<u8>]) -> io::Result<Vec<OwnedFd>> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let timer = timer(LOGINS_MAX)?;
    epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)?;
    let mut conns: Vec<OwnedFd> = Vec::with_capacity(load.connections);
    let mut steps = vec![0; load.connections];
    let (mut waiting, mut ready) = (0, Vec::with_capacity(READY_MAX));
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while waiting < IN_FLIGHT_MAX && conns.len() < load.connections {
            let conn = dial(load, conns.len())?;
            let token = EventData::new_u64(conns.len() as u64);
            epoll::add(&epoll, &conn, token, EventFlags::IN | EventFlags::OUT | EventFlags::ET)?;
            conns.push(conn);
            waiting += 1;
        }
        if waiting == 0 {
            return Ok(conns);
        }
        retry_on_intr(|| epoll::wait(&epoll, spare_capacity(&mut ready), None))?;
        for event in ready.drain(..) {
            let (flags, token) = (event.flags, event.data.u64());
            if token == TIMER {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let (conn, step) = (&conns[token as usize], &mut steps[token as usize]);
            if flags.contains(EventFlags::ERR) {
                sockopt::socket_error(conn)??;
            }
            if *step > 0 {
                match read(conn, &mut buffer) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(_) => {}
                    Err(Errno::AGAIN) => continue, // a late event of the opening
                    Err(error) => return Err(error.into()),
                }
            }
            write(conn, &script[*step])?;
            *step += 1;
            waiting -= usize::from(*step == script.len());
        }
    }
}
