//! The bare server: the peer that the limit programs and the engine are both measured against. It
//! sends back what comes, or answers each read with the next of some answers, or does what else
//! [`Speech`] says.
//!
//! A thread owns a port, an epoll and the connections that come to its port: one wait for a batch,
//! one read and one write a message. It ends when its standard input does, so it never outlives
//! the bench that started it, however that one ended.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::mpsc::{Sender, channel};
use std::{process, thread};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

use crate::machine::make_room;

/// The longest queue of connections to accept; the default of somaxconn.
const BACKLOG: i32 = 4096;
/// Most connections accepted between two waits, so that those that talk are not starved.
const ACCEPTS_MAX: usize = 256;
/// Most events a wait may bring.
const READY_MAX: usize = 1024;
/// Bytes that one read may take; a fuller socket is read again.
const BUFFER: usize = 64 * 1024;
/// What ends a connection. A peer that writes and closes gives all of it in one event.
const ENDS: EventFlags = EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR);

/// What a server says when something has come.
pub trait Speech: Clone + Send + 'static {
    /// These bytes have come from the connection at `place`, whose `nth` read (from 0) that was.
    /// An error cuts that connection off.
    fn say(&mut self, conns: &Conns, place: usize, nth: usize, heard: &[u8]) -> io::Result<()>;
}

/// What the server says to each connection: one of these for each read, then nothing. None at all:
/// what has come.
#[derive(Clone, Copy, Debug)]
pub struct Answers(pub &'static [&'static [u8]]);

impl Speech for Answers {
    fn say(&mut self, conns: &Conns, place: usize, nth: usize, heard: &[u8]) -> io::Result<()> {
        match self.0 {
            [] => conns.write(place, heard),
            answers => conns.write(place, answers.get(nth).copied().unwrap_or_default()),
        }
    }
}

/// The connections of a port by descriptor, which is the token as well; with each, how many reads
/// it has brought.
#[derive(Debug, Default)]
pub struct Conns(Vec<Option<(OwnedFd, usize)>>);

impl Conns {
    /// Writes to a connection, if it is still there. A peer that does not read until its socket
    /// is full is an error.
    pub fn write(&self, place: usize, said: &[u8]) -> io::Result<()> {
        match &self.0[place] {
            Some((conn, _)) if !said.is_empty() && write(conn, said)? != said.len() => {
                Err(io::ErrorKind::WriteZero.into())
            }
            _ => Ok(()),
        }
    }
}

/// Serves until standard input ends. Prints first where, as `ports=1,2,3`.
pub fn run(threads: usize, connections: usize, speech: &impl Speech) -> io::Result<()> {
    let ports = start(threads, connections, speech).iter().map(u16::to_string).collect::<Vec<_>>();
    let mut out = io::stdout();
    writeln!(out, "ports={}", ports.join(","))?;
    out.flush()?;
    io::copy(&mut io::stdin(), &mut io::sink()).map(drop)
}

/// Starts `threads` threads that serve for as long as the process lives, and answers with their
/// ports on 127.0.0.1. There is room for `connections` in all; the first fault ends the process.
pub fn start(threads: usize, connections: usize, speech: &impl Speech) -> Vec<u16> {
    let (listening, ports) = channel();
    for _ in 0..threads {
        let (listening, speech) = (listening.clone(), speech.clone());
        thread::spawn(move || {
            let port = Port::open(threads, connections, &listening);
            let Err(error) = port.and_then(|port| port.serve(speech));
            eprintln!("bare server: {error}");
            process::exit(1);
        });
    }
    ports.iter().take(threads).collect()
}

/// What one thread owns.
struct Port {
    epoll: OwnedFd,
    listener: OwnedFd,
    conns: Conns,
    buffer: Vec<u8>,
}

impl Port {
    fn open(threads: usize, connections: usize, listening: &Sender<u16>) -> io::Result<Port> {
        make_room(connections, threads)?;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let listener = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        net::bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        net::listen(&listener, BACKLOG)?;
        _ = listening.send(SocketAddr::try_from(net::getsockname(&listener)?)?.port());
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, token(&listener), EventFlags::IN)?;
        Ok(Port { epoll, listener, conns: Conns::default(), buffer: vec![0; BUFFER] })
    }

    fn serve(mut self, mut speech: impl Speech) -> io::Result<std::convert::Infallible> {
        let mut ready = Vec::with_capacity(READY_MAX);
        loop {
            retry_on_intr(|| epoll::wait(&self.epoll, spare_capacity(&mut ready), None))?;
            for event in ready.drain(..) {
                let (flags, place) = (event.flags, event.data.u64() as usize);
                if place == self.listener.as_raw_fd() as usize {
                    self.accept()?;
                } else if self.conns.0[place].is_some()
                    && (self.answer(place, &mut speech).is_err() || flags.intersects(ENDS))
                {
                    self.conns.0[place] = None;
                }
            }
        }
    }

    /// Hears all that has come, and says what there is to say.
    fn answer(&mut self, place: usize, speech: &mut impl Speech) -> io::Result<()> {
        while let Some((conn, reads)) = &mut self.conns.0[place] {
            let length = match read(conn, &mut self.buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => length,
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            };
            let nth = *reads;
            *reads += 1;
            speech.say(&self.conns, place, nth, &self.buffer[..length])?;
            if length < self.buffer.len() {
                break; // a short read has drained the socket
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        for _ in 0..ACCEPTS_MAX {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let conn = match net::accept_with(&self.listener, flags) {
                Ok(conn) => conn,
                Err(Errno::AGAIN) => break,
                Err(Errno::CONNABORTED) => continue,
                Err(error) => return Err(error.into()),
            };
            let interest = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
            epoll::add(&self.epoll, &conn, token(&conn), interest)?;
            let place = conn.as_raw_fd() as usize;
            if place >= self.conns.0.len() {
                self.conns.0.resize_with(place + 1, || None);
            }
            self.conns.0[place] = Some((conn, 0));
        }
        Ok(())
    }
}

fn token(of: &OwnedFd) -> EventData {
    EventData::new_u64(of.as_raw_fd() as u64)
}
