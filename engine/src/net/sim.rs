//! A simulated network and a virtual clock, for tests and for authors of scenarios.
//!
//! One [`SimWorld`] carries any number of nets: the shards of the engine under test, those of its
//! target, and peers written by hand. Everything in it is a pure function of the seed and of the
//! order of the calls: a run that fails fails again.
//!
//! Time stands still until the driver moves it, in a loop of two lines: ask for the next moment at
//! which anything happens, go there, and let those act that are due.
//!
//! ```
//! use densebots_engine::net::sim::{Cause, Faults, SimWorld};
//! use densebots_engine::net::{Dial, Net, Token, Tuning};
//!
//! let world = SimWorld::new(1, Faults::none());
//! let (mut ours, mut theirs) = (world.net("ours"), world.net("theirs"));
//! let (mut listener, at) = theirs.listen(([127, 0, 0, 1], 0).into(), Token(1))?;
//! let dial = Dial { to: at, from: None, tuning: Tuning::default() };
//! let mut ready = Vec::new();
//! let mut conn = ours.connect(&dial, Token(2))?;
//! while !ours.connected(&mut conn)? {
//!     let next = world.next_moment().expect("the connect is under way");
//!     world.advance_to(next);
//!     ours.poll(None, &mut ready)?;
//!     theirs.poll(None, &mut ready)?;
//! }
//! assert_eq!(world.now().nanos(), 200_000); // there and back again
//! let accepted = theirs.accept(&mut listener)?.expect("a connection waits");
//!
//! theirs.close(accepted, true);
//! world.advance_to(world.now() + std::time::Duration::from_secs(1));
//! assert!(ours.read(&mut conn, &mut [0; 9]).is_err());
//! let blame = world.blame_of(ours.number(), Token(2)).expect("it was broken on purpose");
//! assert_eq!(blame.cause, Cause::ResetByPeer);
//! # ours.close(conn, false);
//! # theirs.unlisten(listener);
//! # assert_eq!((ours.open(), theirs.open()), (0, 0));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Where it is harsher or kinder than a kernel:
//!
//! - A reset also drops what had arrived and was not read yet.
//! - An accept that fails for want of descriptors gets no event when there are some again, as in
//!   the kernel: the owner has to try again by its own clock.
//! - Datagrams, urgent data and TIME_WAIT do not exist; source addresses are not looked at.

mod arrivals;
mod calls;
mod dice;
mod faults;
mod pair;
mod socket;
#[cfg(test)]
mod tests;
mod trace;
mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

pub use dice::Dice;
pub use faults::Faults;
use socket::{Shared, lock};
pub use socket::{SimConn, SimListener, SimNet, SimWaker};
pub use trace::{Blame, Cause};
use world::{Node, World};

use super::Token;
use crate::time::Time;

/// A network of nets with one virtual clock. Cloning gives another handle to the same world.
#[derive(Clone)]
pub struct SimWorld {
    shared: Shared,
}

impl SimWorld {
    /// A world at time zero. The seed decides all that `faults` leaves open.
    pub fn new(seed: u64, faults: Faults) -> SimWorld {
        SimWorld { shared: Arc::new(Mutex::new(World::new(seed, faults))) }
    }

    /// A new net, for one shard or one peer written by hand; the name is for people.
    pub fn net(&self, name: &str) -> SimNet {
        let mut world = lock(&self.shared);
        world.nodes.push(Node::new(name));
        SimNet { world: Arc::clone(&self.shared), number: world.nodes.len() - 1 }
    }

    /// The virtual clock.
    pub fn now(&self) -> Time {
        lock(&self.shared).now
    }

    /// Moves the clock to `to`; what is under way until then arrives at its own time. A moment
    /// that is past moves nothing.
    pub fn advance_to(&self, to: Time) {
        lock(&self.shared).advance_to(to);
    }

    /// The next moment at which anything happens: something arrives, or a net's wait ends. It is
    /// now while any net [is due](SimWorld::is_due). `None`: nothing will happen any more.
    pub fn next_moment(&self) -> Option<Time> {
        self.next_moment_without(&[])
    }

    /// The same, as if the nets of these numbers would not poll any more: they may have ended, or
    /// get no turn for a while.
    pub fn next_moment_without(&self, nets: &[usize]) -> Option<Time> {
        lock(&self.shared).next_moment(nets)
    }

    /// Whether the net of this number has a reason to poll: an event, a wake, or the end of its
    /// wait. Also after a poll that reported something, since its owner acted after that poll, and
    /// only another one tells what it waits for now.
    pub fn is_due(&self, net: usize) -> bool {
        let world = lock(&self.shared);
        world.nodes.get(net).is_some_and(|node| node.is_due(world.now))
    }

    /// From `at` on there are no new faults: stalls and slow connects end, descriptors are back,
    /// no connection is reset any more. Silent connects stay silent: to give up on them is the
    /// business of whoever dialled.
    pub fn heal(&self, at: Time) {
        lock(&self.shared).heal(at);
    }

    /// Lets whoever listens at `at` be a bad server: what it says on connections that come in from
    /// now on is repeated, reordered and garbled as the [`Faults`] say.
    pub fn garble(&self, at: SocketAddr) {
        lock(&self.shared).garbled.push(at);
    }

    /// Everything that was broken on purpose, by a fault or by one of the ends, oldest first.
    pub fn blames(&self) -> Vec<Blame> {
        lock(&self.shared).blames.clone()
    }

    /// Why the connection that `net` knows by `token` was broken, if it was. Of several under the
    /// same token the last.
    pub fn blame_of(&self, net: usize, token: Token) -> Option<Blame> {
        let world = lock(&self.shared);
        let ours = |blame: &&Blame| blame.net == net && blame.token == Some(token);
        world.blames.iter().rev().find(ours).copied()
    }

    /// Sockets the net of this number holds: connections, also those connecting, and listeners.
    pub fn open(&self, net: usize) -> usize {
        lock(&self.shared).nodes.get(net).map_or(0, |node| node.open)
    }

    /// A hash over everything that happened so far. The same seed and the same calls give the
    /// same one.
    pub fn trace_hash(&self) -> u64 {
        lock(&self.shared).trace.hash()
    }

    /// The last `count` steps as text, oldest first, for a seed that failed. The world keeps some
    /// thousands.
    pub fn last_steps(&self, count: usize) -> Vec<String> {
        lock(&self.shared).trace.last(count)
    }

    /// The conditions and faults of this world in words, and the names of its nets.
    pub fn words(&self) -> Vec<String> {
        let world = lock(&self.shared);
        let nets = world.nodes.iter().enumerate();
        let nets = nets.map(|(number, node)| format!("net {number} is {}", node.name));
        world.faults.words().into_iter().chain(nets).collect()
    }
}
