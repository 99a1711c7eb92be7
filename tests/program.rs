//! The program as people run it: real processes on loopback, asked for what they print, write and
//! end with.

#[path = "program/accounts.rs"]
mod accounts;
#[path = "program/ends.rs"]
mod ends;
#[path = "program/failing.rs"]
mod failing;
#[path = "program/files.rs"]
mod files;
#[path = "program/hostile.rs"]
mod hostile;
#[path = "program/independent.rs"]
mod independent;
#[path = "program/limits.rs"]
mod limits;
#[path = "program/meddled.rs"]
mod meddled;
#[path = "program/peers.rs"]
mod peers;
#[path = "program/ports.rs"]
mod ports;
#[path = "program/runs.rs"]
mod runs;
#[path = "program/secure.rs"]
mod secure;
#[allow(dead_code, unreachable_pub, missing_docs)] // of these tests, one needs one part of it
#[allow(clippy::disallowed_methods)] // real servers live by the real clock
#[path = "servers/mod.rs"]
mod servers;
#[path = "program/stage.rs"]
mod stage;
#[path = "program/terminal.rs"]
mod terminal;
#[path = "program/thresholds.rs"]
mod thresholds;
#[path = "program/usage.rs"]
mod usage;
#[path = "program/view.rs"]
mod view;
