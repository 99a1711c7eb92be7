//! The only door to the outside: sockets and time.
//!
//! Two implementations: [`mio`] for real sockets, [`sim`] for a virtual clock and a network with
//! seeded faults. A shard owns one `Net` and never looks at the world but through it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::time::Time;

pub mod mio;
pub mod sim;

/// Sockets and time, as one shard sees them. Nothing here ever blocks but [`Net::poll`].
///
/// Readiness is edge-triggered: after an event, read until a short read or `WouldBlock`; no new
/// event comes for bytes that were left. Events may be spurious, and may be for a connection that
/// is closed already: the owner packs a generation into the token and ignores what is stale.
pub trait Net {
    /// A connection. Dropping it without [`Net::close`] is a bug of the owner.
    type Conn: Send;
    /// A listening socket.
    type Listener: Send;
    /// Ends another thread's wait.
    type Waker: Wake + Clone + Send + Sync + 'static;

    /// The clock.
    fn now(&mut self) -> Time;

    /// Starts to connect and registers for both directions under `token`. The first writable event
    /// says that the attempt ended; [`Net::connected`] says how.
    fn connect(&mut self, dial: &Dial, token: Token) -> io::Result<Self::Conn>;

    /// How the attempt stands: `Ok(false)` is "not yet" (the event was spurious).
    fn connected(&mut self, conn: &mut Self::Conn) -> io::Result<bool>;

    /// Listens and registers under `token`. Port 0 picks one; the answer says which.
    fn listen(&mut self, at: SocketAddr, token: Token) -> io::Result<(Self::Listener, SocketAddr)>;

    /// The next waiting connection, not yet registered; `None` if there is none.
    fn accept(&mut self, on: &mut Self::Listener) -> io::Result<Option<Self::Conn>>;

    /// Registers an accepted connection for both directions under `token`.
    fn adopt(&mut self, conn: &mut Self::Conn, tuning: &Tuning, token: Token) -> io::Result<()>;

    /// Reads into `into`; `Ok(0)` is the peer's end of stream.
    fn read(&mut self, conn: &mut Self::Conn, into: &mut [u8]) -> io::Result<usize>;

    /// Writes as much of `from` as fits.
    fn write(&mut self, conn: &mut Self::Conn, from: &[u8]) -> io::Result<usize>;

    /// Ends our direction and keeps reading (shutdown of the write side).
    fn finish(&mut self, conn: &mut Self::Conn) -> io::Result<()>;

    /// Closes: gracefully, or with a reset.
    fn close(&mut self, conn: Self::Conn, reset: bool);

    /// Stops listening.
    fn unlisten(&mut self, listener: Self::Listener);

    /// Waits until something is ready, a waker was used or `until` has come (`None`: no limit; a
    /// past moment: do not wait), fills `ready` (cleared first, at most [`READY_MAX`] entries) and
    /// answers with the clock.
    fn poll(&mut self, until: Option<Time>, ready: &mut Vec<Ready>) -> io::Result<Time>;

    /// A handle that ends this net's wait from any thread.
    fn waker(&self) -> Self::Waker;

    /// What a derivation of a key is said to take where time is virtual; where it is real, it is
    /// measured.
    fn derivation_time(&self) -> Option<Duration> {
        None
    }

    /// What the calling thread has cost so far; nothing where time is virtual.
    fn load(&mut self) -> Load {
        Load::default()
    }
}

/// What a thread has cost since it began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// CPU time, user and system.
    pub cpu: Duration,
    /// Time in which it was ready to run and did not.
    pub run_delay: Duration,
}

/// Most events one [`Net::poll`] reports. A turn reads all of them before it writes to any, so
/// their sockets should still lie in the processor's cache then: at 100,000 links in full
/// ping-pong, 1,024 made a message some 15 % dearer, and the waits that 64 cost are not to be seen.
pub const READY_MAX: usize = 64;

/// Ends the wait of the net it came from.
pub trait Wake {
    /// Wakes. Waking twice before the other side looks is the same as once.
    fn wake(&self);
}

/// An opaque number that comes back with every event; the owner packs what it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(pub u64);

/// One readiness event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Whose event this is.
    pub token: Token,
    /// Reading may give bytes, an end or an error.
    pub readable: bool,
    /// Writing may be accepted; for an attempt to connect: it ended.
    pub writable: bool,
    /// The peer has ended its side, or an error waits. No other event tells of it: whoever stops
    /// at a short read has to read once more.
    pub ended: bool,
    /// An attempt to connect had succeeded when the event came, so that nobody needs to ask
    /// [`Net::connected`]. `false` says nothing.
    pub established: bool,
}

/// Where to connect to, from where, and how.
#[derive(Clone, Debug)]
pub struct Dial {
    /// The peer.
    pub to: SocketAddr,
    /// The source address, of the same family; `None` lets the system choose.
    pub from: Option<IpAddr>,
    /// Socket options.
    pub tuning: Tuning,
}

/// Socket options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// TCP_NODELAY. On by default: a bot's message is not to wait for an acknowledgement.
    pub nodelay: bool,
    /// SO_RCVBUF in bytes; `None` leaves the system's.
    pub receive_buffer: Option<u32>,
    /// SO_SNDBUF in bytes; `None` leaves the system's.
    pub send_buffer: Option<u32>,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning { nodelay: true, receive_buffer: None, send_buffer: None }
    }
}
