//! Flags of the verbs beside `run`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{SecureFlags, SetFlags, TlsWay};
use crate::units;

/// Flags of `serve`.
#[derive(Args, Debug)]
pub(crate) struct ServeFlags {
    /// What to speak: echo gives back every byte, line has rooms (/join NAME), xmpp has users and
    /// rooms
    pub speaks: String,
    /// Where to listen, each address with a thread of its own; port 0 picks one
    #[arg(long, value_name = "ADDR", value_delimiter = ',', default_value = "127.0.0.1:7000")]
    pub listen: Vec<SocketAddr>,
    /// Room for so many connections
    #[arg(long, value_name = "N", default_value = "100k", value_parser = units::count)]
    pub capacity: u32,
    /// Encrypt connections: alone, as fits the protocol
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, default_missing_value = "on")]
    pub tls: Option<TlsWay>,
    /// Hand out tickets, with which TLS sessions are resumed
    #[arg(long)]
    pub tickets: bool,
    /// The certificate shown, with its chain (PEM); without it, one is made
    #[arg(long, value_name = "FILE.pem", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE.pem", requires = "cert")]
    pub key: Option<PathBuf>,
    /// The XMPP domain; rooms are at conference. of it (localhost unless given)
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// Who may log in, a list in CSV, its first line name,password (everybody unless given)
    #[arg(long, value_name = "FILE.csv")]
    pub accounts: Option<PathBuf>,
    /// Say nothing but the addresses
    #[arg(long, short)]
    pub quiet: bool,
    /// Live as long as standard input is open; listen on as many ports of 127.0.0.1.
    #[arg(long, hide = true, value_name = "SHARDS")]
    pub embedded: Option<usize>,
    /// A descriptor table a shard.
    #[arg(long, hide = true)]
    pub split_tables: bool,
    /// Faults on purpose.
    #[command(flatten)]
    pub meddling: MeddlingFlags,
}

/// Flags of `serve xmpp` for what it does wrong, so that whoever claims to notice can show it.
#[derive(Args, Debug)]
#[group(skip)]
#[command(next_help_heading = "Faults on purpose, in the delivery of messages (serve xmpp)")]
pub(crate) struct MeddlingFlags {
    /// Leave out one delivery in so many, at random
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub drop_one_in: Option<u32>,
    /// Deliver one in so many twice
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub duplicate_one_in: Option<u32>,
    /// Hold one in so many back for --delay-by
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub delay_one_in: Option<u32>,
    /// How long (15s unless given: longer than bots wait before a message is missing)
    #[arg(long, value_name = "TIME", value_parser = units::duration, requires = "delay_one_in")]
    pub delay_by: Option<Duration>,
    /// Let the next one overtake one in so many
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub reorder_one_in: Option<u32>,
    /// Deliver every message without the id that its sender gave it
    #[arg(long)]
    pub drop_ids: bool,
}

/// Flags of `try`.
#[derive(Args, Debug)]
pub(crate) struct TryFlags {
    /// The target: xmpp://DOMAIN, line://HOST:PORT, or HOST:PORT
    pub target: String,
    /// The scenario, by name or as a file (echo, or jumper at an XMPP service, unless given)
    pub scenario: Option<String>,
    /// Dial this address instead of the target's own
    #[arg(long, value_name = "HOST:PORT")]
    pub via: Option<String>,
    /// How long the bot stays online
    #[arg(long = "for", value_name = "TIME", default_value = "3s", value_parser = units::duration)]
    pub hold: Duration,
    /// Addresses that may be tried although they are not loopback; never a wildcard
    #[arg(long, value_name = "HOST|CIDR", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// How the connection is encrypted.
    #[command(flatten)]
    pub secure: SecureFlags,
    /// Parameters.
    #[command(flatten)]
    pub set: SetFlags,
}

/// Flags of `new`.
#[derive(Args, Debug)]
pub(crate) struct NewFlags {
    /// The name of the file, without .yaml
    pub name: String,
    /// What its bots speak
    #[arg(long, value_name = "line|xmpp", default_value = "line")]
    pub protocol: String,
}

/// Flags of `accounts`.
#[derive(Args, Debug)]
pub(crate) struct AccountsFlags {
    /// How many, from the first bot on (all of a list unless given)
    #[arg(long, visible_alias = "conns", value_name = "N", value_parser = units::count)]
    pub bots: Option<u32>,
    /// The ids to make accounts for, first and last
    #[arg(long, value_name = "A..B", conflicts_with = "bots")]
    pub ids: Option<String>,
    /// Names by id: bot{id}, or user-{id:06} with zeros
    #[arg(long, value_name = "PATTERN", conflicts_with = "accounts")]
    pub account_name: Option<String>,
    /// The one password of all, the first line of a file
    #[arg(long, value_name = "FILE", conflicts_with = "accounts")]
    pub password_file: Option<PathBuf>,
    /// Passwords by id: a pattern, the first line of a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["accounts", "password_file"])]
    pub password_pattern_file: Option<PathBuf>,
    /// A list in CSV, its first line name,password; each is used once
    #[arg(long, value_name = "FILE.csv")]
    pub accounts: Option<PathBuf>,
    /// What to write: a list (unless given), or a script for the shell of the server's machine
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<AccountsFormat>,
    /// The service they are for; prosodyctl and ejabberdctl want it
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// Over the network.
    #[command(flatten)]
    pub online: OnlineFlags,
}

/// Flags of `accounts` that make or remove accounts at a service that runs.
#[derive(Args, Debug)]
#[group(skip)]
#[command(next_help_heading = "Over the network")]
pub(crate) struct OnlineFlags {
    /// Make the accounts at this service (XEP-0077); those that are there already are done
    #[arg(long, value_name = "xmpp://DOMAIN", conflicts_with_all = ["format", "domain"])]
    pub register: Option<String>,
    /// Remove the accounts from this service, each by a login of its own
    #[arg(long, value_name = "xmpp://DOMAIN")]
    #[arg(conflicts_with_all = ["register", "format", "domain"])]
    pub unregister: Option<String>,
    /// So many accounts a second (50/s unless given)
    #[arg(long, value_name = "R/s", value_parser = units::rate)]
    pub rate: Option<f64>,
    /// Dial these addresses instead of the service's own
    #[arg(long, value_name = "HOST:PORT[=WEIGHT]", value_delimiter = ',')]
    pub via: Vec<String>,
    /// Addresses that may be asked although they are not loopback; never a wildcard
    #[arg(long, value_name = "HOST|CIDR", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Say nothing but what came of it
    #[arg(long, short)]
    pub quiet: bool,
    /// How connections are encrypted.
    #[command(flatten)]
    pub secure: SecureFlags,
    /// Parameters of a login.
    #[command(flatten)]
    pub set: SetFlags,
}

/// What `accounts` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccountsFormat {
    /// A list for --accounts
    Csv,
    /// A line of prosodyctl for each
    Prosodyctl,
    /// A line of ejabberdctl for each
    Ejabberdctl,
}
