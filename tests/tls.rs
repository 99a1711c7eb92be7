//! TLS of the engine over loopback: against rustls's buffered server, which shares no code with the
//! engine's record layer, and with both ends ours.
#![forbid(unsafe_code)]

#[path = "tls/agreed.rs"]
mod agreed;
#[path = "tls/bots.rs"]
mod bots;
#[path = "tls/certificates.rs"]
mod certificates;
#[path = "tls/external.rs"]
mod external;
#[path = "tls/keys.rs"]
mod keys;
#[path = "tls/ours.rs"]
mod ours;
#[path = "tls/peer.rs"]
mod peer;
#[path = "tls/refused.rs"]
mod refused;
#[path = "tls/tickets.rs"]
mod tickets;
