//! The limit program of rooms: as many connections as the engine's talkers, the same bytes said and
//! read, and nothing else. One wait, one read and one write a message, nothing parsed and nothing
//! kept.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use densebots_engine::{BotId, MessageId};
use densebots_protocols::xmpp::History;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::{Errno, read, retry_on_intr, write};

use crate::machine::{ProcessorTime, make_room, processor_time, timer};
use crate::replay;
use crate::talkers::{BODY, RUN, WARM, address};
use crate::traffic::{Figures, Load, Phase};
use crate::xmpp::FIRST_ID;

/// Most events a wait may bring, as many as the engine takes.
const READY_MAX: usize = 1024;
/// The token of the timer; a connection's token is its place in the list.
const TIMER: u64 = u64::MAX;

/// Runs once in this process, with rooms of `size`; counts messages said and heard again.
pub fn run(load: &Load, size: usize) -> io::Result<Figures> {
    make_room(load.connections, 1)?;
    let (mut session, script) = replay::online()?;
    let conns = replay::log_in(load, &script)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut said = Vec::with_capacity(conns.len().div_ceil(size));
    let mut out = Vec::new();
    for (place, conn) in conns.iter().enumerate() {
        let room = address(place / size);
        out.clear();
        session.join(&room, "bot", None, History::None, &mut out);
        write(conn, &out)?;
        if place.is_multiple_of(size) {
            let sender = BotId(FIRST_ID + place as u32);
            let id = MessageId { run: RUN, sender, sequence: 0x1_0000 };
            let mut message = Vec::new();
            session.groupchat(&room, id.text().as_str(), BODY, &mut message);
            said.push(message);
        }
        let token = EventData::new_u64(place as u64);
        epoll::add(&epoll, conn, token, EventFlags::IN | EventFlags::ET)?;
    }
    let (mut joined, mut count, mut mark) = (0, 0, None::<(Instant, ProcessorTime, u64)>);
    let (mut ready, mut buffer) = (Vec::with_capacity(READY_MAX), vec![0; 64 * 1024]);
    let mut alarm = None;
    loop {
        if joined == conns.len() && alarm.is_none() {
            alarm = Some(wake_after(WARM, &epoll)?);
            for (conn, message) in conns.iter().step_by(size).zip(&said) {
                write(conn, message)?;
            }
        }
        retry_on_intr(|| epoll::wait(&epoll, spare_capacity(&mut ready), None))?;
        for event in ready.drain(..) {
            if event.data.u64() == TIMER {
                let Some((since, before, heard)) = mark else {
                    mark = Some((Instant::now(), processor_time(), count));
                    alarm = Some(wake_after(load.hold, &epoll)?);
                    continue;
                };
                let (wall, processor) = (since.elapsed(), processor_time() - before);
                let hold = Phase { count: count - heard, wall, processor };
                let connect = Phase { count: joined as u64, ..Phase::default() };
                return Ok(Figures { connect, hold });
            }
            let place = event.data.u64() as usize;
            match read(&conns[place], &mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) if joined < conns.len() => joined += 1,
                Ok(_) if place.is_multiple_of(size) => {
                    count += 1;
                    write(&conns[place], &said[place / size])?;
                }
                Ok(_) | Err(Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn wake_after(limit: Duration, epoll: &OwnedFd) -> io::Result<OwnedFd> {
    let timer = timer(limit)?;
    epoll::add(epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)?;
    Ok(timer)
}
