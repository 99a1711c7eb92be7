//! Protocol state machines: bytes in, events and bytes out, and nothing else.
//!
//! In scope: framing, parsing, negotiation, the state of one connection.
//! Out of scope: sockets, clocks, threads, randomness, timers, retries. What a protocol needs of
//! them is handed in ([`Stream`]) or asked for ([`Step::Derive`]).
//!
//! A [`Session`] is driven by a loop that owns the bytes:
//!
//! ```
//! use densebots_protocols::line::{Framing, Line};
//! use densebots_protocols::{Session, Step, Stream};
//!
//! let mut line = Line::new(Framing::lines(1024));
//! let mut out = Vec::new();
//! line.open(&Stream::default(), &mut out);
//!
//! let (mut input, mut heard) = (&b"hello\nwor"[..], Vec::new());
//! loop {
//!     match line.receive(input, false, &mut out)? {
//!         Step::Event(used, text) => {
//!             heard.push(text.to_vec());
//!             input = &input[used..];
//!         }
//!         Step::Quiet(used) => input = &input[used..],
//!         _ => break, // Partial: `input` waits in front of what the next read brings
//!     }
//! }
//! assert_eq!((heard, input), (vec![b"hello".to_vec()], &b"wor"[..]));
//! # Ok::<(), densebots_protocols::Violation>(())
//! ```
#![forbid(unsafe_code)]

pub mod line;
pub mod xml;
pub mod xmpp;

/// One connection's protocol state. Pure: the same input gives the same events and bytes.
pub trait Session: Send {
    /// What the peer said. Borrows the input, so nothing is copied.
    type Event<'a>;

    /// The byte stream is up: after the connect, and again after a change to TLS.
    fn open(&mut self, stream: &Stream, out: &mut Vec<u8>) {
        let _ = (stream, out);
    }

    /// Looks at the unread bytes and takes one step. `input` begins with whatever earlier calls
    /// left unconsumed; `ended` says that nothing will follow it.
    ///
    /// The caller calls again with the rest until the answer is [`Step::Partial`] or the input is
    /// used up. Errors are the peer's fault and end the link.
    fn receive<'a>(
        &mut self,
        input: &'a [u8],
        ended: bool,
        out: &mut Vec<u8>,
    ) -> Result<Step<Self::Event<'a>>, Violation>;

    /// The answer to [`Step::Derive`].
    fn derived(&mut self, key: &[u8], out: &mut Vec<u8>) {
        let _ = (key, out);
    }

    /// The link is about to be closed on purpose: a last word, if the protocol has one.
    fn close(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }
}

/// What a session is told of the byte stream it runs over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stream {
    /// The TLS exporter value (`tls-exporter`, RFC 9266): there is one over TLS 1.3 alone.
    pub secured: Option<[u8; 32]>,
    /// The stream runs over TLS, of any version.
    pub encrypted: bool,
    /// The peer that dialled us showed a certificate, and it was verified (RFC 4422, EXTERNAL).
    pub verified: bool,
    /// Nonce material, different for every stream.
    pub seed: [u8; 18],
    /// The peer dialled us.
    pub accepted: bool,
}

/// One step of a session. The number is how many bytes of the input it used up.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<E> {
    /// The input holds no whole unit yet.
    Partial,
    /// Bytes were used and nothing happened that a bot would care about.
    Quiet(usize),
    /// The peer said something.
    Event(usize, E),
    /// The bytes after these are TLS.
    StartTls(usize),
    /// A key has to be derived; the answer comes by [`Session::derived`].
    Derive(usize, Derive),
}

/// A PBKDF2 derivation (RFC 8018) that a session asks its driver for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derive {
    /// The hash under the HMAC.
    pub hash: Hash,
    /// The secret.
    pub secret: Box<[u8]>,
    /// The salt.
    pub salt: Box<[u8]>,
    /// The iteration count.
    pub rounds: u32,
}

/// A hash function of a derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// The peer broke the protocol. The text names the rule, for the causes of loss in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}")]
pub struct Violation {
    /// What the peer did, in words that finish "the peer sent ...".
    pub rule: &'static str,
}
