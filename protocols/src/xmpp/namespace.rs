//! The namespaces of the extensions that are spoken here.

/// Stanzas (RFC 6120 section 4.8.2).
pub const STANZAS: &str = "jabber:client";
/// STARTTLS (RFC 6120 section 5).
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// SASL (RFC 6120 section 6).
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Channel bindings of SASL (XEP-0440).
pub const SASL_BINDING: &str = "urn:xmpp:sasl-cb:0";
/// Resource binding (RFC 6120 section 7).
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// Sessions (RFC 3921 section 3), which few servers still require.
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// Conditions of stream errors (RFC 6120 section 4.9).
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Conditions of stanza errors (RFC 6120 section 8.3).
pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// The roster (RFC 6121 section 2).
pub const ROSTER: &str = "jabber:iq:roster";
/// Rooms (XEP-0045): a join.
pub const MUC: &str = "http://jabber.org/protocol/muc";
/// Rooms (XEP-0045): what they say about occupants.
pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
/// Rooms (XEP-0045): what owners do.
pub const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
/// In-band registration (XEP-0077).
pub const REGISTER: &str = "jabber:iq:register";
/// Stream management (XEP-0198).
pub const MANAGEMENT: &str = "urn:xmpp:sm:3";
/// Pings (XEP-0199).
pub const PING: &str = "urn:xmpp:ping";
/// Delayed delivery (XEP-0203).
pub const DELAY: &str = "urn:xmpp:delay";
