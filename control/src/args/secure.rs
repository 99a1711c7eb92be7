//! Flags of encryption, the same for every verb that connects.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How connections are encrypted.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "TLS")]
pub(crate) struct SecureFlags {
    /// Encrypt connections: alone, as fits the protocol (required unless the target is loopback)
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, default_missing_value = "on")]
    pub tls: Option<TlsWay>,
    /// Believe certificates that lead to one of these (PEM), and not the system's own
    #[arg(long, value_name = "FILE.pem", conflicts_with_all = ["insecure", "pin"])]
    pub ca_file: Option<PathBuf>,
    /// Believe every certificate, unchecked
    #[arg(long, conflicts_with = "pin")]
    pub insecure: bool,
    /// Show this certificate if the target asks for one; its private key is in the same file
    #[arg(long = "client-cert", value_name = "FILE.pem")]
    pub own_certificate: Option<PathBuf>,
    /// Believe the one certificate with this hash, whatever its name and date
    #[arg(long, value_name = "sha256:HEX", value_delimiter = ',')]
    pub pin: Vec<String>,
    /// Write the secrets of all connections here (NSS key log), for Wireshark and the like
    #[arg(long, value_name = "FILE")]
    pub tls_key_log: Option<PathBuf>,
    /// What a connection keeps after its handshake (dense unless given)
    #[arg(long, value_enum, value_name = "TIER")]
    pub tls_tier: Option<TlsTier>,
    /// Whether a connection may go on with an earlier session of TLS (none unless given)
    #[arg(long, value_enum, value_name = "WHOSE")]
    pub tls_resume: Option<TlsResume>,
}

/// When a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsWay {
    /// Never
    Off,
    /// As fits the protocol: STARTTLS for XMPP, from the first byte otherwise
    On,
    /// By STARTTLS if the service offers it
    Optional,
    /// By STARTTLS, or not at all
    Starttls,
    /// From the first byte
    Direct,
}

impl TlsWay {
    /// As it is typed.
    pub(crate) fn word(self) -> &'static str {
        match self {
            TlsWay::Off => "off",
            TlsWay::On => "on",
            TlsWay::Optional => "optional",
            TlsWay::Starttls => "starttls",
            TlsWay::Direct => "direct",
        }
    }
}

/// What a connection keeps after its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsTier {
    /// Both keys, about a hundred bytes, where TLS 1.3 was agreed
    Dense,
    /// The whole connection, about three kilobytes
    Kept,
}

/// Whose earlier session a connection may go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsResume {
    /// Nobody's: every handshake is a whole one
    None,
    /// Any bot's of the shard: few tickets, each used once
    Shared,
    /// The bot's own, as people's devices do: about 0.9 kB a bot
    PerBot,
}
