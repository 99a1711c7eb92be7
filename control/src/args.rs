//! What was typed: flags and verbs, their words for `--help`. Nothing is decided here; see
//! [`meant`](crate::meant).

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::{names, scenario_file, units};

mod limit;
mod secure;
mod verbs;
pub(crate) use limit::{FindLimitFlags, Raise, Step};
pub(crate) use secure::{SecureFlags, TlsResume, TlsTier, TlsWay};
pub(crate) use verbs::{
    AccountsFlags, AccountsFormat, MeddlingFlags, NewFlags, OnlineFlags, ServeFlags, TryFlags,
};

/// Runs very many stateful bots against a real-time server and says truthfully what they saw.
#[derive(Parser, Debug)]
#[command(name = "densebots", version, arg_required_else_help = false, after_help = AFTER)]
pub(crate) struct Typed {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const AFTER: &str = "\
Without a verb, flags are those of `run`: `densebots --conns 100k` is `densebots run jumper \
--conns 100k` against a target that it starts itself; see `densebots run --help`.
Every flag can also be set in the environment: DENSEBOTS_CONNS=100k; parameters of scenarios as \
DENSEBOTS_VAR_PACE=1s.
Exit codes: 0 passed, 1 unexpected, 2 usage or file fault, 3 nobody got online, 4 verdict failed, \
5 passed but not trustworthy (--strict), 130 interrupted.";

/// The verbs.
#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    /// Run a scenario against a target
    Run(Box<RunFlags>),
    /// Raise the load run by run until one does not pass, and narrow down where that begins
    FindLimit(Box<FindLimitFlags>),
    /// Run a target: a server for bots to try themselves on
    Serve(Box<ServeFlags>),
    /// Write a list of accounts, or the commands with which a server makes them; or make and remove
    /// them over the network
    Accounts(Box<AccountsFlags>),
    /// List the scenarios and their parameters
    List,
    /// List what thresholds can be about
    Thresholds,
    /// Say what is wrong with scenario files
    Check {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
    /// Write a scenario file to begin with, NAME.yaml
    New(NewFlags),
    /// Print a scenario as a file, to begin with
    Show {
        /// Its name
        name: String,
    },
    /// List what trees of scenario files are made of: steps, actions, events, functions
    Actions {
        /// Of this protocol alone
        protocol: Option<String>,
    },
    /// Say what this machine can hold, and what stands in the way
    Doctor(Box<RunFlags>),
    /// Run one bot and show every byte of both sides
    Try(Box<TryFlags>),
    /// Print a JSON schema
    Schema {
        /// Of what
        #[arg(value_enum)]
        what: Schema,
    },
}

/// What there is a schema of.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Schema {
    /// The file that --report writes
    Report,
    /// The file that --report of `find-limit` writes
    FindLimit,
    /// A scenario file
    Scenario,
}

/// Flags of `run` and `doctor`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunFlags {
    /// The scenario, by name (see `densebots list`) or as a file; unless given, `jumper`, or `echo`
    /// at a target that does not speak XMPP
    pub scenario: Option<String>,
    /// How many bots, when, how long.
    #[command(flatten)]
    pub load: LoadFlags,
    /// Against what.
    #[command(flatten)]
    pub target: TargetFlags,
    /// How connections are encrypted.
    #[command(flatten)]
    pub secure: SecureFlags,
    /// Parameters.
    #[command(flatten)]
    pub set: SetFlags,
    /// Connections.
    #[command(flatten)]
    pub link: LinkFlags,
    /// What has to hold.
    #[command(flatten)]
    pub verdict: VerdictFlags,
    /// What is told.
    #[command(flatten)]
    pub output: OutputFlags,
}

/// How many bots, when, how long.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Load")]
pub(crate) struct LoadFlags {
    /// Bots (1,000 unless given); with --open, the most that may be live at once
    #[arg(long, visible_alias = "conns", alias = "users", value_name = "N")]
    #[arg(value_parser = units::count, allow_negative_numbers = true)]
    pub bots: Option<u32>,
    /// The ids to run, first and last: a part of a larger population
    #[arg(long, value_name = "A..B", conflicts_with = "bots")]
    pub ids: Option<String>,
    /// Bots arrive at this rate (unless given, 10k/s or what brings all in within 35 s, 3k/s if
    /// they log in, 600/s if over TLS; 100/s at a target that is not loopback)
    #[arg(long, alias = "rate", value_name = "R/s", value_parser = units::rate)]
    pub arrive: Option<f64>,
    /// Bots arrive evenly over this time; with --open, the rate climbs for so long
    #[arg(long, value_name = "TIME", value_parser = units::duration, conflicts_with = "arrive")]
    pub ramp: Option<Duration>,
    /// Open model: bots go on arriving at this rate and leave when they are done
    #[arg(long, value_name = "R/s", value_parser = units::rate)]
    #[arg(conflicts_with_all = ["arrive", "ids"])]
    pub open: Option<f64>,
    /// How long to hold the full population; with --open, how long arrivals go on (30s unless
    /// given)
    #[arg(long = "for", aliases = ["hold", "duration"], value_name = "TIME")]
    #[arg(value_parser = units::duration)]
    pub hold: Option<Duration>,
    /// How long everybody is in before the measure window begins
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = units::duration)]
    pub warm_up: Duration,
    /// How long everybody stays behind the measure window, before the run drains
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = units::duration)]
    pub cool_down: Duration,
    /// How often a bot that is done starts again; 0 is for ever
    #[arg(long, value_name = "N", default_value = "1", value_parser = units::count)]
    pub repeat: u32,
    /// The pause between two runs of a bot
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = units::duration)]
    pub repeat_interval: Duration,
    /// Replace bots that ended or gave up by new ones, at most so many a second
    #[arg(long, value_name = "R/s", value_parser = units::rate)]
    pub respawn: Option<f64>,
    /// How long bots may take at the end to finish what they began
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    pub drain: Duration,
    /// Room for bots added while the run goes on (a tenth of the bots unless given)
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub capacity: Option<u32>,
    /// Threads of bots (as many as cores and descriptors ask for unless given)
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub shards: Option<u32>,
    /// Seeds every bot's dice: the same seed, the same dice
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Against what.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetFlags {
    /// The service: xmpp://DOMAIN, line://HOST:PORT (also tcp://, echo://), xmpps:// and lines://
    /// over TLS from the first byte, with =WEIGHT behind it if there are several; without it an
    /// embedded target is started
    #[arg(long, value_name = "URL[=WEIGHT]", value_delimiter = ',')]
    pub target: Vec<String>,
    /// Dial these addresses instead of the target's own
    #[arg(long, value_name = "HOST:PORT[=WEIGHT]", value_delimiter = ',')]
    pub via: Vec<String>,
    /// Addresses that may be loaded although they are not loopback; never a wildcard
    #[arg(long, value_name = "HOST|CIDR", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Source addresses to spread connections over
    #[arg(long, value_name = "ADDR|CIDR", value_delimiter = ',')]
    pub source: Vec<String>,
    /// Whether to stop when over a fifth of the attempts fail within 10 s (on unless loopback)
    #[arg(long, value_name = "on|off")]
    pub breaker: Option<Switch>,
}

/// Parameters of scenarios.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Scenario")]
pub(crate) struct SetFlags {
    /// Set a parameter of the scenario
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

/// Connections.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connections")]
pub(crate) struct LinkFlags {
    /// How a bot that leaves ends its connection
    #[arg(long, value_enum, default_value = "fin")]
    pub close: CloseWay,
    /// TCP_NODELAY
    #[arg(long, value_name = "on|off", default_value = "on")]
    pub nodelay: Switch,
    /// SO_RCVBUF (the system's unless given)
    #[arg(long, value_name = "BYTES", value_parser = units::bytes)]
    pub recv_buffer: Option<u32>,
    /// SO_SNDBUF (the system's unless given)
    #[arg(long, value_name = "BYTES", value_parser = units::bytes)]
    pub send_buffer: Option<u32>,
    /// How long an attempt to get online may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    pub connect_timeout: Duration,
    /// How long an op may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    pub request_timeout: Duration,
    /// A message that was not heard so long after it was sent is missing; heard later, it is late
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::duration)]
    pub late: Duration,
    /// Attempts that may be under way at once
    #[arg(long, value_name = "N", default_value = "1024", value_parser = units::count)]
    pub connecting: u32,
    /// The first pause before a bot connects again; it doubles from attempt to attempt
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = units::duration)]
    pub retry_first: Duration,
    /// No pause before an attempt is longer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::duration)]
    pub retry_cap: Duration,
    /// Retries in a row after which a bot gives up; 0 never does
    #[arg(long, value_name = "N", default_value = "5", value_parser = units::count)]
    pub give_up: u32,
    /// A bot that heard nothing for so long is asked to ping
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = units::duration)]
    pub liveness: Duration,
}

/// What has to hold for a run to pass.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Verdict")]
pub(crate) struct VerdictFlags {
    /// What has to hold, such as `op(xmpp.join).p99 < 500ms`, `errors.rate < 0.1%` or
    /// `bots.online >= 99% abort after 10s`; may be given often, and takes the place of the usual
    /// rule (99 % of the bots reached and held)
    #[arg(long, value_name = "EXPRESSION")]
    pub threshold: Vec<String>,
}

/// What is told.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputFlags {
    /// Write the report here as JSON, every 10 s and at the end
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
    /// Tell only the summary
    #[arg(long, short)]
    pub quiet: bool,
    /// Show what this bot goes through, and every byte of both sides
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub trace_bot: Vec<u32>,
    /// Show what the first N bots that fail said and heard last; of those whose last words are
    /// kept, which are a few at a time. Without it the report has them of five
    #[arg(long, value_name = "failing:N", value_parser = units::failing)]
    pub trace: Option<u32>,
    /// Exit with 5 if the run passed but its figures are not trustworthy
    #[arg(long)]
    pub strict: bool,
}

/// A switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// On
    On,
    /// Off
    Off,
}

/// Who ends a connection, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CloseWay {
    /// Close first; TIME_WAIT stays here
    Fin,
    /// Reset; TIME_WAIT stays nowhere
    Rst,
    /// End our direction and wait for the target to close
    Wait,
}

impl Typed {
    /// Reads a command line, whose first word is the program's name. `Err` holds what clap wants to
    /// say: help, the version, or a fault with a suggestion.
    pub(crate) fn read(mut words: Vec<std::ffi::OsString>) -> Result<Typed, clap::Error> {
        // Flags without a verb are those of `run`.
        let bare = match words.get(1).and_then(|word| word.to_str()) {
            None => true,
            Some("-h" | "--help" | "-V" | "--version") => false,
            Some(word) => word.starts_with('-'),
        };
        if bare {
            words.insert(1.min(words.len()), "run".into());
        }
        let command = Typed::command().mut_subcommands(|verb| verb.mut_args(from_environment));
        let word = words.get(1).map(|word| word.to_string_lossy().into_owned());
        let matches = command.clone().try_get_matches_from(words).map_err(|error| {
            match (error.kind(), word) {
                (ErrorKind::InvalidSubcommand, Some(word)) => no_verb(command, &word),
                _ => error,
            }
        })?;
        Typed::from_arg_matches(&matches)
    }
}

/// The fault of a first word that is no verb: it may be a scenario, or nearly a verb.
fn no_verb(mut command: clap::Command, word: &str) -> clap::Error {
    let scenarios = || densebots_scenarios::BUILTIN.iter().map(|builtin| builtin.name);
    let verbs: Vec<String> =
        command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let verb = names::nearest(word, verbs.iter().map(String::as_str)).map(str::to_owned);
    let file = scenario_file::is_file(word).then_some(word);
    let scenario = || file.or_else(|| names::nearest(word, scenarios()));
    let scenario = || scenario().map(|name| format!("run {name}"));
    let hint = names::hint(verb.filter(|_| file.is_none()).or_else(scenario).as_deref());
    let known = verbs.join(", ");
    command.error(
        ErrorKind::InvalidSubcommand,
        format!("`{word}` is nothing densebots does (there is {known}){hint}"),
    )
}

/// Lets a flag be set by `DENSEBOTS_` and its name.
fn from_environment(flag: clap::Arg) -> clap::Arg {
    match flag.get_long().map(variable) {
        Some(name) if !flag.is_hide_set() => {
            let conns = variable("conns");
            let other = name == variable("bots") && std::env::var_os(&conns).is_some();
            flag.env(if other { conns } else { name }).hide_env(true)
        }
        _ => flag,
    }
}

/// The environment variable of a flag.
pub(crate) fn variable(flag: &str) -> String {
    format!("DENSEBOTS_{}", flag.replace('-', "_").to_uppercase())
}

/// The environment variables that set flags of some verb.
pub(crate) fn variables() -> Vec<String> {
    let mut names = vec![variable("conns")];
    for verb in Typed::command().get_subcommands() {
        names.extend(verb.get_arguments().filter_map(|flag| flag.get_long()).map(variable));
    }
    names
}
