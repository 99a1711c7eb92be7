//! Against real servers: Prosody and ejabberd on loopback.

#[path = "real/smoke.rs"]
mod smoke;
