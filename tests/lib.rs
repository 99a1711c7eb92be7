//! The doubt of densebots: whatever is promised elsewhere is tried here.
//!
//! | target | what it doubts |
//! |---|---|
//! | `simulation` | whole engines in one virtual world, a thousand seeds, nine oracles |
//! | `planted` | the oracles: bugs planted on purpose have to be found |
//! | `faults` | simulated targets that misbehave: each named, each with a bounded cost |
//! | `engine` | the engine on real sockets: lives, commands, ends, groups |
//! | `descriptors`, `allocations` | that nothing is left behind, and nothing is made while warm |
//! | `fuzz` | framing, logins, records and quantities: any bytes, any split |
//! | `program` | the program, from its command line to its exit code (a test of `control`) |
//! | `real` | against Prosody and ejabberd, started by [`servers`] |
//! | `tidy` | the house: arrows, the "Never:" lines of the README, sizes, names, licences |
#![forbid(unsafe_code)]

#[cfg(feature = "fuzzed")]
pub mod fuzzed;
pub mod servers;
