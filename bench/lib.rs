//! The numbers of densebots: density, throughput, mail, timers, each beside a bare program.
//!
//! | file | purpose |
//! |---|---|
//! | `limit.rs` | the limit program: the same traffic, and nothing else |
//! | `bare_server.rs` | the echo server that it and the engine both drive |
//! | `traffic.rs` | what traffic to make, and what it cost: lines of `key=value` |
//! | `roles.rs` | processes of their own for both, from one executable |
//! | `replay.rs` | the limit program of logins, and what the bare server says to them |
//! | `reflector.rs` | the bare server with rooms |
//! | `talkers.rs`, `bare_talkers.rs` | who talks there: the engine, and its limit program |
//! | `ours.rs` | the engine as the client of that server |
//! | `handshakes.rs` | the limit program of TLS: handshakes in memory |
//! | `crowd.rs` | bots and the embedded target, and what they weigh |
//! | `pairs.rs` | alternating pairs and `ratio NAME median min max` |
//! | `namespace.rs` | a network namespace of one's own |
//! | `xmpp.rs` | bots that log in and stay, and TLS for both sides |
//! | `pinger.rs` | users that log in, ping and leave, on the engine |
//! | `watch.rs` | a load generator seen from outside: processor time and memory |
//! | `machine.rs` | descriptor tables, processor time, and other system calls |
#![deny(unsafe_code)]
#![allow(clippy::disallowed_methods)] // a bench reads the real clock

pub mod bare_server;
pub mod bare_talkers;
pub mod crowd;
pub mod handshakes;
pub mod limit;
pub mod machine;
pub mod namespace;
pub mod ours;
pub mod pairs;
pub mod pinger;
pub mod reflector;
pub mod replay;
pub mod roles;
pub mod talkers;
pub mod traffic;
pub mod watch;
pub mod xmpp;

#[cfg(test)]
mod tests;
