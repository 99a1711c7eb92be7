//! XMPP (RFC 6120, 6121).

pub mod sasl;
