//! Encryption as a plan wants it: plain values. Nothing is read from files here.

use std::fmt;
use std::sync::mpsc::SyncSender;

/// How links are encrypted (RFC 8446, RFC 5246).
///
/// Certificates and keys are PEM (several certificates one behind the other) or a single DER.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// The handshake begins with the connection; otherwise when the session asks for it
    /// ([`Step::StartTls`](densebots_protocols::Step::StartTls)).
    pub direct: bool,
    /// Which versions are spoken.
    pub versions: Versions,
    /// What a link keeps of its TLS.
    pub tier: Tier,
    /// Whether handshakes are shortened by tickets of earlier ones.
    pub resume: Resume,
    /// Protocols offered, or accepted, best first (ALPN, RFC 7301).
    pub alpn: Vec<Vec<u8>>,
    /// Offers X25519MLKEM768 first: about 35 µs and 1.1 kB more for each handshake.
    pub post_quantum: bool,
    /// For links that bots dial; without it their sessions may not ask for TLS.
    pub dial: Option<DialTls>,
    /// For links that bots accept.
    pub accept: Option<AcceptTls>,
    /// Where the secrets of all connections go, one line each in the format of NSS key logs. A
    /// line that finds no room is lost and counted.
    pub key_log: Option<SyncSender<String>>,
}

/// TLS of links that bots dial.
#[derive(Clone, Debug)]
pub struct DialTls {
    /// The name of the service: told to the peer (SNI), and what its certificate is checked
    /// against. A host name or an address, whatever address is dialled.
    pub name: String,
    /// Which certificates are believed.
    pub trust: Trust,
    /// The certificate shown if the peer asks for one.
    pub identity: Option<Identity>,
}

/// Which certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those that lead to one of these roots and carry the name.
    Roots(Vec<Vec<u8>>),
    /// Those whose DER has one of these SHA-256 hashes, whatever name or date they carry; that the
    /// peer has the key is checked.
    Pinned(Vec<[u8; 32]>),
    /// All of them, unchecked: no protection against anybody. Say so where people see it.
    Anybody,
}

/// TLS of links that bots accept.
#[derive(Clone, Debug)]
pub struct AcceptTls {
    /// The certificate shown.
    pub identity: Identity,
    /// Roots of the certificates of those that dial: one is asked for, not demanded, and one that
    /// is shown has to be good. Empty: none is asked for.
    pub peer_roots: Vec<Vec<u8>>,
}

/// A certificate with its chain and key.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate first, then those that lead to a root.
    pub chain: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} bytes of certificates, the key is not shown)", self.chain.len())
    }
}

/// Which versions of TLS are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// 1.3 if the peer knows it, 1.2 otherwise.
    #[default]
    Both,
    /// 1.2 alone.
    Only12,
    /// 1.3 alone.
    Only13,
}

/// What a link keeps of its TLS after the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// Both traffic keys and nothing else, about a hundred bytes, after a handshake of TLS 1.3;
    /// a peer that asks for new keys loses the link. After one of TLS 1.2 as `Kept`.
    #[default]
    Dense,
    /// The whole connection, about four kilobytes.
    Kept,
}

/// Whether handshakes are shortened by tickets of earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resume {
    /// Every handshake is a whole one.
    #[default]
    Never,
    /// Tickets belong to all bots of a shard; each is used once (TLS 1.3). A dense link keeps its
    /// whole connection until the first bytes have come, because the tickets come before them.
    Shared,
    /// Each bot keeps a ticket of its own, the last it was given, and comes back with that one, as
    /// devices of people do. About 0.9 kB a bot, until it ends; dense links as with `Shared`.
    PerBot,
}
