//! The program as people run it: real processes on loopback, asked for what they print, write and
//! end with.

#[path = "program/accounts.rs"]
mod accounts;
#[path = "program/ends.rs"]
mod ends;
#[path = "program/hostile.rs"]
mod hostile;
#[path = "program/meddled.rs"]
mod meddled;
#[path = "program/peers.rs"]
mod peers;
#[path = "program/runs.rs"]
mod runs;
#[path = "program/secure.rs"]
mod secure;
#[path = "program/stage.rs"]
mod stage;
#[path = "program/usage.rs"]
mod usage;
