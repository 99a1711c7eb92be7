//! A whole connection of rustls, either side of it, driven over buffers of the shard.

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use rustls::{Error, HandshakeKind, SupportedCipherSuite};

use super::record::{self, Dense};
use super::secrets::Exporter;
use super::words::{self, Fault};

/// Answers of rustls to one piece of input; a handshake needs about ten.
const STEPS_MAX: usize = 10_000;
/// Bytes of a record beside its plaintext: header, nonce (TLS 1.2), kind and tag.
const OVERHEAD: usize = 5 + 8 + 1 + 16;

/// A connection from its first handshake byte on, and what is kept beside it.
pub(super) struct Whole {
    side: Side,
    /// Its handshake was over before now.
    pub(super) shaken: bool,
    /// It is settled whether the link goes dense.
    pub(super) settled: bool,
    /// Our close_notify is sent.
    parted: bool,
}

/// Boxed apart, because a connection that was accepted is larger than one that was dialled.
pub(super) enum Side {
    Dialled(Box<UnbufferedClientConnection>),
    Accepted(Box<UnbufferedServerConnection>),
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Shaking,
    Up,
    /// The peer said that nothing follows.
    Closed,
}

/// What came of a piece of input.
pub(super) struct Driven {
    /// Bytes that are done with.
    pub(super) used: usize,
    pub(super) standing: Result<Standing, Error>,
}

/// Both sides have this method, each its own.
trait Unbuffered {
    type Held;
    fn records<'c, 'i>(&'c mut self, cipher: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Held>;
}

impl Unbuffered for UnbufferedClientConnection {
    type Held = ClientConnectionData;
    fn records<'c, 'i>(&'c mut self, cipher: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Held> {
        self.process_tls_records(cipher)
    }
}

impl Unbuffered for UnbufferedServerConnection {
    type Held = ServerConnectionData;
    fn records<'c, 'i>(&'c mut self, cipher: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Held> {
        self.process_tls_records(cipher)
    }
}

impl Whole {
    pub(super) fn new(side: Side) -> Whole {
        Whole { side, shaken: false, settled: false, parted: false }
    }

    /// Reads records; what they say is appended to `plain`, what is to be sent to `wire`.
    pub(super) fn drive(
        &mut self,
        cipher: &mut [u8],
        plain: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> Driven {
        match &mut self.side {
            Side::Dialled(connection) => drive(&mut **connection, cipher, plain, wire),
            Side::Accepted(connection) => drive(&mut **connection, cipher, plain, wire),
        }
    }

    /// Appends records that say `bytes`. `rest` is the unfinished input: rustls may have bytes of
    /// a message in it that spans records.
    pub(super) fn seal(
        &mut self,
        bytes: &[u8],
        rest: &mut [u8],
        wire: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if self.parted {
            return Ok(());
        }
        self.write(What::Said(bytes), rest, wire)
    }

    /// Appends a close_notify; after it nothing more is sealed.
    pub(super) fn part(&mut self, rest: &mut [u8], wire: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.parted, true) {
            // A connection that cannot say so just ends.
            let _ = self.write(What::Farewell, rest, wire);
        }
    }

    fn write(&mut self, what: What<'_>, rest: &mut [u8], wire: &mut Vec<u8>) -> Result<(), Fault> {
        match &mut self.side {
            Side::Dialled(connection) => write(&mut **connection, what, rest, wire),
            Side::Accepted(connection) => write(&mut **connection, what, rest, wire),
        }
    }

    fn suite(&self) -> Option<SupportedCipherSuite> {
        match &self.side {
            Side::Dialled(connection) => connection.negotiated_cipher_suite(),
            Side::Accepted(connection) => connection.negotiated_cipher_suite(),
        }
    }

    /// The value of `tls-exporter`; there is none over TLS 1.2.
    pub(super) fn binding(&self, exporter: &Exporter) -> Option<[u8; 32]> {
        exporter.binding(self.suite()?.tls13()?)
    }

    pub(super) fn accepted(&self) -> bool {
        matches!(self.side, Side::Accepted(_))
    }

    /// A peer that dialled us has shown a good certificate.
    pub(super) fn verified(&self) -> bool {
        match &self.side {
            Side::Dialled(_) => false,
            Side::Accepted(connection) => connection.peer_certificates().is_some(),
        }
    }

    /// Its handshake went on with an earlier session.
    pub(super) fn resumed(&self) -> bool {
        let kind = match &self.side {
            Side::Dialled(connection) => connection.handshake_kind(),
            Side::Accepted(connection) => connection.handshake_kind(),
        };
        kind == Some(HandshakeKind::Resumed)
    }

    /// Whether its keys are enough from here on: TLS 1.3, and what is left of the input is the
    /// beginning of a record and nothing that rustls has opened in place already.
    pub(super) fn can_be_dense(&self, rest: &[u8]) -> bool {
        let raw =
            rest.is_empty() || (rest[0] == record::APPLICATION && record::whole(rest) == Ok(None));
        raw && !self.parted && self.suite().is_some_and(|suite| suite.tls13().is_some())
    }

    /// Gives up everything but the keys.
    pub(super) fn into_dense(self) -> Option<Dense> {
        let accepted = self.accepted();
        let secrets = match self.side {
            Side::Dialled(connection) => connection.dangerous_into_kernel_connection().ok()?.0,
            Side::Accepted(connection) => connection.dangerous_into_kernel_connection().ok()?.0,
        };
        Dense::new(secrets, accepted)
    }
}

/// What is to be sealed.
#[derive(Clone, Copy)]
enum What<'a> {
    Said(&'a [u8]),
    Farewell,
}

fn drive<C: Unbuffered>(
    connection: &mut C,
    cipher: &mut [u8],
    plain: &mut Vec<u8>,
    wire: &mut Vec<u8>,
) -> Driven {
    let mut used = 0;
    for _ in 0..STEPS_MAX {
        let UnbufferedStatus { discard, state } = connection.records(&mut cipher[used..]);
        let standing = match state {
            Ok(ConnectionState::EncodeTlsData(mut chunk)) => {
                encode(&mut chunk, wire);
                None
            }
            Ok(ConnectionState::TransmitTlsData(transmit)) => {
                transmit.done();
                None
            }
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(Ok(record)) = traffic.next_record() {
                    plain.extend_from_slice(record.payload);
                    used += record.discard;
                }
                None
            }
            Ok(ConnectionState::WriteTraffic(_)) => Some(Standing::Up),
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Some(Standing::Closed),
            Ok(_) => Some(Standing::Shaking),
            Err(error) => {
                used += discard;
                say_why(connection, &mut cipher[used..], wire);
                return Driven { used, standing: Err(error) };
            }
        };
        used += discard;
        if let Some(standing) = standing {
            return Driven { used, standing: Ok(standing) };
        }
    }
    Driven { used, standing: Err(Error::General("too many messages at once".to_owned())) }
}

/// After an error: the alert that rustls has for the peer. It has one at most, and is asked once:
/// when it has none left it looks at its input again and finds the same error, which it takes for
/// a bug of its own.
fn say_why<C: Unbuffered>(connection: &mut C, cipher: &mut [u8], wire: &mut Vec<u8>) {
    if let Ok(ConnectionState::EncodeTlsData(mut chunk)) = connection.records(cipher).state {
        encode(&mut chunk, wire);
    }
}

fn encode<D>(chunk: &mut EncodeTlsData<'_, D>, wire: &mut Vec<u8>) {
    let Err(EncodeError::InsufficientSize(needed)) = chunk.encode(&mut []) else { return };
    let start = wire.len();
    wire.resize(start + needed.required_size, 0);
    let _ = chunk.encode(&mut wire[start..]);
}

/// Appends records, behind whatever rustls has to say first.
fn write<C: Unbuffered>(
    connection: &mut C,
    what: What<'_>,
    rest: &mut [u8],
    wire: &mut Vec<u8>,
) -> Result<(), Fault> {
    for _ in 0..STEPS_MAX {
        match connection.records(rest).state {
            Ok(ConnectionState::EncodeTlsData(mut chunk)) => encode(&mut chunk, wire),
            Ok(ConnectionState::TransmitTlsData(transmit)) => transmit.done(),
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                return encrypt(&mut traffic, what, wire);
            }
            Ok(_) => return Ok(()), // closed by the peer: nobody hears it
            Err(error) => return Err(Fault { words: words::of(&error, true), alert: None }),
        }
    }
    Ok(())
}

fn encrypt<D>(
    traffic: &mut WriteTraffic<'_, D>,
    what: What<'_>,
    wire: &mut Vec<u8>,
) -> Result<(), Fault> {
    let start = wire.len();
    let mut room = match what {
        What::Said(bytes) => bytes.len() + (bytes.len() / record::PLAIN_MAX + 1) * OVERHEAD,
        What::Farewell => 2 + OVERHEAD,
    };
    loop {
        wire.resize(start + room, 0);
        let written = match what {
            What::Said(bytes) => traffic.encrypt(bytes, &mut wire[start..]),
            What::Farewell => traffic.queue_close_notify(&mut wire[start..]),
        };
        match written {
            Ok(written) => {
                wire.truncate(start + written);
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(needed)) if needed.required_size > room => {
                room = needed.required_size;
            }
            Err(_) => {
                wire.truncate(start);
                return Err(Fault { words: words::WORN_OUT, alert: None });
            }
        }
    }
}
