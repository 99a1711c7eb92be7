//! Real sockets and the real clock: epoll through mio, a timerfd for the waits, an eventfd to wake.
//!
//! What a system call costs decides the shape: a connection is registered once for both directions
//! and never again, closing leaves the poll by itself, the timer is set only when the moment
//! changes, and neither waker nor timer is ever read.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, SocketFlags, accept_with};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{Dial, Load, Net, READY_MAX, Ready, Token, Tuning, Wake};
use crate::sys::{self, SchedStat};
use crate::time::Time;

/// Connections that wait to be accepted. More than the system's default cap would be cut anyway.
const BACKLOG_MAX: i32 = 4096;

/// The two tokens that are not the owner's.
const WAKER: mio::Token = mio::Token(usize::MAX);
const TIMER: mio::Token = mio::Token(usize::MAX - 1);
const _: () = assert!(size_of::<usize>() == size_of::<u64>(), "a token is to fit mio's");

/// The outside as it is: sockets of the system under one poll, and the monotonic clock.
///
/// Tokens `u64::MAX` and `u64::MAX - 1` are taken; registering under one of them panics.
///
/// A shard that wants a descriptor table of its own makes this before the split, keeps
/// [`MioNet::descriptors`] through it, and calls [`MioNet::settle`] after it. From then on the net
/// belongs to that thread: it is used and dropped there, and the thread it came from closes its
/// copy of [`MioNet::poll_descriptor`].
#[derive(Debug)]
pub struct MioNet {
    epoch: Instant,
    poll: Poll,
    events: Events,
    waker: Waker,
    timer: Option<OwnedFd>,
    /// The moment for which the timer is set; `None` after it went off.
    armed: Option<Time>,
    /// Run delay of the thread that settled this net.
    stat: Option<SchedStat>,
}

/// A connection: the number of a socket, and nothing else.
#[derive(Debug)]
pub struct Conn(OwnedFd);

/// A listening socket.
#[derive(Debug)]
pub struct Listener(OwnedFd);

// A link holds its connection inline and is without one at times.
const _: () = assert!(size_of::<Conn>() == 4 && size_of::<Option<Conn>>() == 4);

/// Ends the wait of the [`MioNet`] it came from, from any thread whose descriptor table holds
/// [`Waker::descriptor`].
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// The number that a split descriptor table keeps as long as a clone of this lives beside it:
    /// the last clone closes the number in the table of the thread that drops it.
    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Wake for Waker {
    fn wake(&self) {
        // Every write is a new edge for the poll, so nobody needs to read. The counter refuses
        // only when full, after 2^64 wakes; other errors a live eventfd does not have.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

impl MioNet {
    /// Makes the poll and the waker: two descriptors. `epoch` is the moment called
    /// [`Time::ZERO`]; all nets of a run share it.
    pub fn new(epoch: Instant) -> io::Result<MioNet> {
        let poll = Poll::new()?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        poll.registry().register(&mut SourceFd(&wake.as_raw_fd()), WAKER, Interest::READABLE)?;
        Ok(MioNet {
            epoch,
            poll,
            events: Events::with_capacity(READY_MAX),
            waker: Waker(Arc::new(wake)),
            timer: None,
            armed: None,
            stat: None,
        })
    }

    /// Makes the timer: one descriptor, in the table of the calling thread. Without this the first
    /// wait that needs it does it; a shard calls it early to learn of a failure at its start.
    pub fn settle(&mut self) -> io::Result<()> {
        if self.timer.is_none() {
            let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            self.register(&timer, TIMER, Interest::READABLE)?;
            self.timer = Some(timer);
            self.stat = SchedStat::open().ok();
        }
        Ok(())
    }

    /// Moves [`Time::ZERO`] to `epoch`, before anything happens.
    pub fn begin(&mut self, epoch: Instant) {
        self.epoch = epoch;
        self.armed = None;
    }

    /// The descriptors this net needs, to be kept by a split of the table.
    pub fn descriptors(&self) -> Vec<RawFd> {
        let timer = self.timer.iter().map(AsRawFd::as_raw_fd);
        [self.poll_descriptor(), self.waker.descriptor()].into_iter().chain(timer).collect()
    }

    /// The one descriptor that no other table has a use for: once this net's thread has split its
    /// own, the thread that made the net closes its copy.
    pub fn poll_descriptor(&self) -> RawFd {
        self.poll.as_raw_fd()
    }

    fn register(&self, fd: &OwnedFd, token: mio::Token, interest: Interest) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&fd.as_raw_fd()), token, interest)
    }

    /// Sets the timer to a moment that is still to come.
    ///
    /// As a distance from now, since an [`Instant`] does not tell the number behind it; the kernel
    /// reads its clock later than we did ours, so the timer is never early. Setting it takes back
    /// an expiry that no poll has reported yet.
    fn arm(&mut self, until: Time, now: Time) -> io::Result<()> {
        if self.armed == Some(until) {
            return Ok(());
        }
        self.settle()?;
        let wait = Timespec::try_from(until.since(now)).map_err(|_| Errno::INVAL)?;
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let once = Itimerspec { it_interval: never, it_value: wait };
        if let Some(timer) = &self.timer {
            timerfd_settime(timer, TimerfdTimerFlags::empty(), &once)?;
            self.armed = Some(until);
        }
        Ok(())
    }
}

impl Net for MioNet {
    type Conn = Conn;
    type Listener = Listener;
    type Waker = Waker;

    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    fn now(&mut self) -> Time {
        let elapsed = Instant::now().saturating_duration_since(self.epoch);
        Time::ZERO + elapsed
    }

    /// Errors that are this machine's and not the peer's: `EMFILE` and `ENFILE` (descriptors),
    /// `EADDRNOTAVAIL` (no port left for this pair of addresses).
    fn connect(&mut self, dial: &Dial, token: Token) -> io::Result<Conn> {
        let socket = stream_socket(dial.to)?;
        tune(&socket, &dial.tuning)?; // before the handshake, which fixes the window scale
        if let Some(from) = dial.from {
            sys::bind_without_port(socket.as_fd())?;
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        if let Err(error) = socket.connect(&dial.to.into())
            && Errno::from_io_error(&error) != Some(Errno::INPROGRESS)
        {
            return Err(error);
        }
        let conn = Conn(socket.into());
        self.register(&conn.0, key(token), Interest::READABLE | Interest::WRITABLE)?;
        Ok(conn)
    }

    /// A socket that has a peer needs no second question; one without tells its error if the
    /// attempt is over.
    fn connected(&mut self, conn: &mut Conn) -> io::Result<bool> {
        match rustix::net::getpeername(&conn.0) {
            Ok(_) => Ok(true),
            Err(Errno::NOTCONN) => {
                rustix::net::sockopt::socket_error(&conn.0)??;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn listen(&mut self, at: SocketAddr, token: Token) -> io::Result<(Listener, SocketAddr)> {
        let socket = stream_socket(at)?;
        if at.is_ipv6() {
            socket.set_only_v6(true)?; // so that one port can be had for each family
        }
        socket.set_reuse_address(true)?;
        socket.bind(&at.into())?;
        socket.listen(BACKLOG_MAX)?;
        let at = socket.local_addr()?.as_socket().ok_or(Errno::AFNOSUPPORT)?;
        let listener = Listener(socket.into());
        self.register(&listener.0, key(token), Interest::READABLE)?;
        Ok((listener, at))
    }

    /// After an error (`EMFILE`, say) connections may still be waiting, and no event will tell of
    /// them: the owner asks again by itself.
    fn accept(&mut self, on: &mut Listener) -> io::Result<Option<Conn>> {
        loop {
            match accept_with(&on.0, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => return Ok(Some(Conn(socket))),
                Err(Errno::AGAIN) => return Ok(None),
                // The peer gave up while it waited: one less in a queue of at most `BACKLOG_MAX`.
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn adopt(&mut self, conn: &mut Conn, tuning: &Tuning, token: Token) -> io::Result<()> {
        tune(&SockRef::from(&conn.0), tuning)?;
        self.register(&conn.0, key(token), Interest::READABLE | Interest::WRITABLE)
    }

    fn read(&mut self, conn: &mut Conn, into: &mut [u8]) -> io::Result<usize> {
        let (length, _) = rustix::net::recv(&conn.0, into, RecvFlags::empty())?;
        Ok(length)
    }

    fn write(&mut self, conn: &mut Conn, from: &[u8]) -> io::Result<usize> {
        // A peer that is gone is an error of this link and no signal to the whole program.
        Ok(rustix::net::send(&conn.0, from, SendFlags::NOSIGNAL)?)
    }

    fn finish(&mut self, conn: &mut Conn) -> io::Result<()> {
        Ok(rustix::net::shutdown(&conn.0, Shutdown::Write)?)
    }

    /// No `epoll_ctl`: a socket leaves the poll when its last descriptor is closed, and this is
    /// the last one, because a split closes all copies in the other tables.
    fn close(&mut self, conn: Conn, reset: bool) {
        if reset {
            // Refused only for what is no socket; then closing is all there is to do.
            let _ = sys::reset_on_close(conn.0.as_fd());
        }
        drop(conn);
    }

    fn unlisten(&mut self, listener: Listener) {
        drop(listener);
    }

    fn poll(&mut self, until: Option<Time>, ready: &mut Vec<Ready>) -> io::Result<Time> {
        ready.clear();
        let mut timeout = None;
        if let Some(until) = until {
            let now = self.now();
            if until <= now {
                timeout = Some(Duration::ZERO);
            } else {
                self.arm(until, now)?; // mio's own timeouts round up to a millisecond
            }
        }
        while let Err(error) = self.poll.poll(&mut self.events, timeout) {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        for event in &self.events {
            // Both are edge-triggered and a new edge needs no reading of the old one.
            match event.token() {
                WAKER => {}
                TIMER => self.armed = None,
                mio::Token(token) => ready.push(Ready {
                    token: Token(token as u64),
                    readable: event.is_readable() || event.is_read_closed() || event.is_error(),
                    writable: event.is_writable() || event.is_write_closed() || event.is_error(),
                    ended: event.is_read_closed() || event.is_error(),
                    // A socket on its way is not writable, and one that failed has an error too.
                    established: event.is_writable()
                        && !event.is_read_closed()
                        && !event.is_write_closed()
                        && !event.is_error(),
                }),
            }
        }
        Ok(self.now())
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn load(&mut self) -> Load {
        let run_delay = match &self.stat {
            Some(stat) => stat.read().map(|delay| delay.waited).unwrap_or_default(),
            None => Duration::ZERO,
        };
        Load { cpu: sys::thread_cpu(), run_delay }
    }
}

/// The owner's token as mio's.
fn key(token: Token) -> mio::Token {
    let key = mio::Token(token.0 as usize);
    assert!(key != WAKER && key != TIMER, "{token:?} is taken by the net itself");
    key
}

/// A socket that does not block, of the family of `address`.
fn stream_socket(address: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    Socket::new_raw(Domain::for_address(address), kind, Some(Protocol::TCP))
}

fn tune(socket: &Socket, tuning: &Tuning) -> io::Result<()> {
    if tuning.nodelay {
        socket.set_tcp_nodelay(true)?;
    }
    if let Some(bytes) = tuning.receive_buffer {
        socket.set_recv_buffer_size(bytes as usize)?;
    }
    if let Some(bytes) = tuning.send_buffer {
        socket.set_send_buffer_size(bytes as usize)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
