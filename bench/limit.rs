//! The limit program: a load generator that does the traffic and nothing else.
//!
//! What it reaches is what the kernel leaves to any program, so the engine is measured as a share
//! of it: one wait for a batch, one read and one write a message, nothing kept per message.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use std::{io, mem, thread};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

use crate::machine::{bind_address_no_port, make_room, processor_time, timer};
use crate::traffic::{Figures, Load, Mode, Phase};

/// Attempts in flight per thread: keeps both sides busy, and 16 threads stay below somaxconn.
pub const IN_FLIGHT_MAX: usize = 256;
/// Most events a wait may bring, as many as the engine takes.
const READY_MAX: usize = 1024;
/// The longest that connecting all may take; a million took 41 s at worst.
const CONNECT_MAX: Duration = Duration::from_secs(180);
/// The token of the timer that ends a phase; a connection's token is its place in the list.
const TIMER: u64 = u64::MAX;

/// Makes the traffic of `load`, all threads in step; in the end every connection is reset.
pub fn run(load: &Load) -> io::Result<Figures> {
    let (report, reports) = channel();
    thread::scope(|scope| {
        let mut starts = Vec::new();
        for number in 0..load.threads {
            let (start, started) = channel::<fn(&mut Share) -> io::Result<u64>>();
            let report = report.clone();
            starts.push(start);
            scope.spawn(move || {
                let mut share = Share::open(load, number);
                for phase in started {
                    let share = share.as_mut().map_err(|why| io::Error::other(why.to_string()));
                    _ = report.send(share.and_then(phase));
                }
            });
        }
        let phase = |step: fn(&mut Share) -> io::Result<u64>| -> io::Result<Phase> {
            let (begun, before) = (Instant::now(), processor_time());
            starts.iter().for_each(|start| _ = start.send(step));
            let count = reports.iter().take(load.threads).sum::<io::Result<u64>>()?;
            Ok(Phase { count, wall: begun.elapsed(), processor: processor_time() - before })
        };
        let connect = phase(Share::connect)?;
        let holds = load.mode != Mode::ConnectOnly;
        Ok(Figures { connect, hold: if holds { phase(Share::hold)? } else { Phase::default() } })
    })
}

/// What one thread owns.
struct Share {
    load: Load,
    number: usize,
    epoll: OwnedFd,
    conns: Vec<OwnedFd>,
}

impl Share {
    fn open(load: &Load, number: usize) -> io::Result<Share> {
        make_room(load.connections, load.threads)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Share { load: load.clone(), number, epoll, conns: Vec::new() })
    }

    /// Opens every `threads`th connection, a bounded number at a time; answers how many.
    fn connect(&mut self) -> io::Result<u64> {
        let mut places = (self.number..self.load.connections).step_by(self.load.threads);
        let mut online = vec![false; places.len()];
        let (mut waiting, mut ready) = (0, Vec::with_capacity(READY_MAX));
        let timer = timer(CONNECT_MAX)?;
        epoll::add(&self.epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)?;
        loop {
            for place in places.by_ref().take(IN_FLIGHT_MAX - waiting) {
                let conn = dial(&self.load, place)?;
                let token = EventData::new_u64(self.conns.len() as u64);
                let interest = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
                epoll::add(&self.epoll, &conn, token, interest)?;
                self.conns.push(conn);
                waiting += 1;
            }
            if waiting == 0 {
                return Ok(self.conns.len() as u64);
            }
            retry_on_intr(|| epoll::wait(&self.epoll, spare_capacity(&mut ready), None))?;
            for event in ready.drain(..) {
                let (flags, token) = (event.flags, event.data.u64());
                if token == TIMER {
                    return Err(io::ErrorKind::TimedOut.into());
                } else if !mem::replace(&mut online[token as usize], true) {
                    if flags.contains(EventFlags::ERR) {
                        sockopt::socket_error(&self.conns[token as usize])??;
                    }
                    waiting -= 1; // later events of the same opening count for nothing
                }
            }
        }
    }

    /// Keeps a message in flight on every connection, or none; answers how many came back.
    fn hold(&mut self) -> io::Result<u64> {
        let talking = if self.load.mode == Mode::PingPong { &self.conns[..] } else { &[] };
        let (mut bytes, mut ready) = (0, Vec::with_capacity(READY_MAX));
        let mut buffer = vec![b'.'; self.load.size.max(64 * 1024)];
        let timer = timer(self.load.hold)?;
        epoll::add(&self.epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)?;
        for conn in talking {
            write(conn, &buffer[..self.load.size])?;
        }
        loop {
            retry_on_intr(|| epoll::wait(&self.epoll, spare_capacity(&mut ready), None))?;
            for event in ready.drain(..) {
                if event.data.u64() == TIMER {
                    return Ok(bytes / self.load.size as u64);
                }
                let conn = &self.conns[event.data.u64() as usize];
                match read(conn, &mut buffer) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(length) => bytes += write(conn, &buffer[..length])? as u64,
                    Err(Errno::AGAIN) => {} // a late event of the opening
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

/// Starts to open a connection; closing it will be a reset, so that no TIME_WAIT remains.
pub(crate) fn dial(load: &Load, place: usize) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let conn = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_linger(&conn, Some(Duration::ZERO))?;
    if load.sources > 1 {
        let last = 1 + (place / load.ports.len()) % usize::from(load.sources);
        bind_address_no_port(&conn)?;
        net::bind(&conn, &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last as u8), 0))?;
    }
    let port = load.ports[place % load.ports.len()];
    match net::connect(&conn, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(conn),
        Err(error) => Err(error.into()),
    }
}
