//! The other end: rustls's buffered server behind a blocking socket, one thread a connection.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::{
    CipherSuite, ServerConfig, ServerConnection, SupportedCipherSuite, SupportedProtocolVersion,
};

use crate::bots::{ASK, LEAVE};
use crate::certificates::{Authority, parsed};
use densebots_engine::Identity;

/// Nothing here takes so long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Echoes until the bot leaves.
    Echo,
    /// Echoes a word under new keys after each piece.
    KeyUpdate,
    /// Says that nothing follows, and closes.
    CloseNotify,
    /// Closes without a word.
    Truncate,
    /// Sends a record that nobody sealed.
    BadRecord,
    /// Says nothing at all.
    Stall,
    /// Answers the first words of TLS in plain text.
    Plain,
    /// Closes when the first words of TLS have come.
    Hangup,
    /// Says more behind its leave to begin TLS.
    Inject,
}

/// What a peer saw of one connection.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Saw {
    /// The exporter value of channel binding.
    pub(crate) exporter: Option<[u8; 32]>,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) resumed: bool,
    /// Which connection this was, and the one whose session it went on with.
    pub(crate) nth: u64,
    pub(crate) from: Option<u64>,
    /// The first words of the bot.
    pub(crate) said: Vec<u8>,
    pub(crate) name: Option<String>,
    pub(crate) certificates: usize,
    /// The bot said that nothing follows.
    pub(crate) parted: bool,
    /// What went wrong, in the library's words.
    pub(crate) error: Option<String>,
}

/// What a peer is made of.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) identity: Identity,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) suites: Option<CipherSuite>,
    /// Demands certificates of this authority.
    pub(crate) demands: Option<Arc<Authority>>,
    pub(crate) alpn: Vec<Vec<u8>>,
}

impl Made {
    pub(crate) fn with(identity: Identity) -> Made {
        Made {
            identity,
            versions: vec![&rustls::version::TLS12, &rustls::version::TLS13],
            suites: None,
            demands: None,
            alpn: Vec::new(),
        }
    }

    fn config(&self) -> ServerConfig {
        let mut provider = default_provider();
        if let Some(wanted) = self.suites {
            provider.cipher_suites.retain(|suite: &SupportedCipherSuite| suite.suite() == wanted);
        }
        let provider = Arc::new(provider);
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&self.versions)
            .expect("versions");
        let builder = match &self.demands {
            Some(authority) => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(authority.roots(), provider)
                    .build()
                    .expect("roots"),
            ),
            None => builder.with_no_client_auth(),
        };
        let (chain, key) = parsed(&self.identity);
        let mut config = builder.with_single_cert(chain, key).expect("a certificate");
        config.alpn_protocols.clone_from(&self.alpn);
        config
    }
}

/// A peer for as many connections as come; what it saw of each comes by the channel.
pub(crate) fn peer(made: &Made, manner: Manner, asks: bool) -> (SocketAddr, Receiver<Saw>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound");
    let config = Arc::new(made.config());
    let (told, saw) = channel();
    thread::spawn(move || {
        for (nth, stream) in listener.incoming().enumerate() {
            let (config, told) = (config.clone(), told.clone());
            let stream = stream.expect("a connection");
            thread::spawn(move || serve(stream, &config, manner, asks, nth as u64, &told));
        }
    });
    (at, saw)
}

fn serve(
    mut stream: TcpStream,
    config: &Arc<ServerConfig>,
    manner: Manner,
    asks: bool,
    seed: u64,
    told: &Sender<Saw>,
) {
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.set_nodelay(true).expect("a socket");
    if asks {
        let mut word = vec![0; ASK.len()];
        stream.read_exact(&mut word).expect("the wish for TLS");
        assert_eq!(word, ASK);
        let more: &[u8] = if manner == Manner::Inject { b"and a word" } else { b"" };
        stream.write_all(&[LEAVE, more].concat()).expect("room");
    }
    match manner {
        Manner::Stall => drop(stream.read(&mut [0; 1]).map(|_| thread::park_timeout(PATIENCE))),
        Manner::Plain => {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            let _ = stream.read(&mut [0; 4096]);
        }
        Manner::Hangup => drop(stream.read(&mut [0; 4096])),
        _ => {
            let mut connection = ServerConnection::new(config.clone()).expect("a configuration");
            connection.set_resumption_data(&seed.to_be_bytes());
            let mut talk = Talk {
                connection,
                stream,
                dice: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
                saw: Saw { nth: seed, ..Saw::default() },
            };
            if let Err(error) = talk.go(manner) {
                talk.saw.error = Some(error);
            }
            let _ = told.send(talk.saw);
        }
    }
}

struct Talk {
    connection: ServerConnection,
    stream: TcpStream,
    dice: u64,
    saw: Saw,
}

impl Talk {
    /// From 1 to `most`.
    fn roll(&mut self, most: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        1 + (self.dice % most as u64) as usize
    }

    /// Sends what the connection has to say, in pieces of any size.
    fn send(&mut self) -> Result<(), String> {
        let mut wire = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut wire).expect("a vector takes all");
        }
        let mut rest = &wire[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.roll(20_000).min(rest.len()));
            self.stream.write_all(now).map_err(|error| format!("write: {error}"))?;
            rest = later;
        }
        Ok(())
    }

    /// Says bytes in records of any size.
    fn say(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            let most = if self.roll(4) == 1 { 50 } else { 30_000 };
            let size = self.roll(most).min(bytes.len());
            self.connection.writer().write_all(&bytes[..size]).expect("room");
            bytes = &bytes[size..];
            self.send()?;
        }
        Ok(())
    }

    fn go(&mut self, manner: Manner) -> Result<(), String> {
        let mut shaken = false;
        loop {
            self.send()?;
            if !shaken && !self.connection.is_handshaking() {
                shaken = true;
                self.look();
            }
            match self.connection.read_tls(&mut self.stream) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(format!("read: {error}")),
            }
            let state = match self.connection.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    let _ = self.send(); // its alert
                    return Err(error.to_string());
                }
            };
            let mut bytes = vec![0; state.plaintext_bytes_to_read()];
            self.connection.reader().read_exact(&mut bytes).expect("it is there");
            if self.saw.said.is_empty() {
                self.saw.said.clone_from(&bytes);
            }
            if !bytes.is_empty() && self.answer(manner, &bytes)? {
                return Ok(());
            }
            if state.peer_has_closed() {
                self.saw.parted = true;
                return Ok(());
            }
        }
    }

    /// What follows the bot's words; whether that is the end.
    fn answer(&mut self, manner: Manner, bytes: &[u8]) -> Result<bool, String> {
        match manner {
            Manner::CloseNotify => {
                self.connection.send_close_notify();
                self.send()?;
                let _ = self.stream.shutdown(Shutdown::Write);
                return Ok(false); // the bot's answer is heard
            }
            Manner::Truncate => return Ok(true),
            Manner::BadRecord => {
                let record = [&[23, 3, 3, 0, 30][..], &[9; 30]].concat();
                self.stream.write_all(&record).map_err(|error| format!("write: {error}"))?;
                return Ok(false); // the bot's alert is heard
            }
            Manner::KeyUpdate => {
                self.connection.refresh_traffic_keys().map_err(|error| error.to_string())?;
            }
            _ => {}
        }
        self.say(bytes)?;
        Ok(false)
    }

    fn look(&mut self) {
        let connection = &self.connection;
        if connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) {
            let value = [0; 32];
            let label = b"EXPORTER-Channel-Binding";
            self.saw.exporter = connection.export_keying_material(value, label, Some(b"")).ok();
        }
        self.saw.alpn = connection.alpn_protocol().map(<[u8]>::to_vec);
        let kind = connection.handshake_kind();
        self.saw.resumed = kind == Some(rustls::HandshakeKind::Resumed);
        let from = connection.received_resumption_data();
        self.saw.from =
            from.map(|nth| u64::from_be_bytes(nth.try_into().expect("the number of one")));
        self.saw.name = connection.server_name().map(str::to_owned);
        self.saw.certificates = connection.peer_certificates().map_or(0, <[_]>::len);
    }
}
