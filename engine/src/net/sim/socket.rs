//! One shard's door into the simulated world.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::pair::Place;
use super::world::World;
use crate::net::{Dial, Net, Ready, Token, Tuning, Wake};
use crate::time::Time;

/// What every derivation of a key takes in virtual time: 4,096 rounds of SHA-1 on a usual core.
const DERIVATION: Duration = Duration::from_micros(500);

/// The world behind its lock. One thread drives a simulation, so nobody ever waits for it; it is
/// there because what a `Net` gives out has to be `Send`.
pub(super) type Shared = Arc<Mutex<World>>;

pub(super) fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A [`Net`] of a [`SimWorld`](super::SimWorld). Never waits: its driver moves the clock.
pub struct SimNet {
    pub(super) world: Shared,
    pub(super) number: usize,
}

impl SimNet {
    /// Which net of its world this is, counted from 0 in the order they were made.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Sockets it holds: connections, also those still connecting, and listeners.
    pub fn open(&self) -> usize {
        lock(&self.world).nodes[self.number].open
    }
}

/// A connection in a simulated world.
#[derive(Debug)]
pub struct SimConn {
    place: Place,
}

/// A listening socket in a simulated world.
#[derive(Debug)]
pub struct SimListener {
    id: u64,
}

/// Makes a simulated net count as due now.
#[derive(Clone)]
pub struct SimWaker {
    world: Shared,
    number: usize,
}

impl Wake for SimWaker {
    fn wake(&self) {
        lock(&self.world).wake(self.number);
    }
}

impl Net for SimNet {
    type Conn = SimConn;
    type Listener = SimListener;
    type Waker = SimWaker;

    fn now(&mut self) -> Time {
        lock(&self.world).now
    }

    fn derivation_time(&self) -> Option<Duration> {
        Some(DERIVATION)
    }

    fn connect(&mut self, dial: &Dial, token: Token) -> io::Result<SimConn> {
        let place = lock(&self.world).connect(self.number, dial, token)?;
        Ok(SimConn { place })
    }

    fn connected(&mut self, conn: &mut SimConn) -> io::Result<bool> {
        lock(&self.world).connected(conn.place)
    }

    fn listen(&mut self, at: SocketAddr, token: Token) -> io::Result<(SimListener, SocketAddr)> {
        let (id, at) = lock(&self.world).listen(self.number, at, token)?;
        Ok((SimListener { id }, at))
    }

    fn accept(&mut self, on: &mut SimListener) -> io::Result<Option<SimConn>> {
        let place = lock(&self.world).accept(self.number, on.id)?;
        Ok(place.map(|place| SimConn { place }))
    }

    fn adopt(&mut self, conn: &mut SimConn, tuning: &Tuning, token: Token) -> io::Result<()> {
        lock(&self.world).adopt(conn.place, tuning, token)
    }

    fn read(&mut self, conn: &mut SimConn, into: &mut [u8]) -> io::Result<usize> {
        lock(&self.world).read(conn.place, into)
    }

    fn write(&mut self, conn: &mut SimConn, from: &[u8]) -> io::Result<usize> {
        lock(&self.world).write(conn.place, from)
    }

    fn finish(&mut self, conn: &mut SimConn) -> io::Result<()> {
        lock(&self.world).finish(conn.place)
    }

    fn close(&mut self, conn: SimConn, reset: bool) {
        lock(&self.world).close(conn.place, reset);
    }

    fn unlisten(&mut self, listener: SimListener) {
        lock(&self.world).unlisten(listener.id);
    }

    /// Never waits: tells what is ready at this moment, and remembers `until` for
    /// [`SimWorld::next_moment`](super::SimWorld::next_moment).
    fn poll(&mut self, until: Option<Time>, ready: &mut Vec<Ready>) -> io::Result<Time> {
        let mut world = lock(&self.world);
        world.poll(self.number, until, ready);
        Ok(world.now)
    }

    fn waker(&self) -> SimWaker {
        SimWaker { world: Arc::clone(&self.world), number: self.number }
    }
}
