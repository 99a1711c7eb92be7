//! The engine on real sockets, all on loopback: what an embedder is promised.
#![forbid(unsafe_code)]

#[path = "engine/commands.rs"]
mod commands;
#[path = "engine/endpoints.rs"]
mod endpoints;
#[path = "engine/ends.rs"]
mod ends;
#[path = "engine/ground.rs"]
mod ground;
#[path = "engine/groups.rs"]
mod groups;
#[path = "engine/lives.rs"]
mod lives;
