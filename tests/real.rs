//! Against real servers: Prosody and ejabberd on loopback.
#![allow(missing_docs, unreachable_pub)]
// How long a test waits for a server is no time of a run.
#![allow(clippy::disallowed_methods)]

#[path = "real/chats.rs"]
mod chats;
#[path = "real/differential.rs"]
mod differential;
#[path = "real/ground.rs"]
mod ground;
#[path = "real/logins.rs"]
mod logins;
#[path = "real/losses.rs"]
mod losses;
#[path = "real/registration.rs"]
mod registration;
#[path = "real/relay.rs"]
mod relay;
#[path = "real/rooms.rs"]
mod rooms;
#[path = "real/smoke.rs"]
mod smoke;
