//! The shapes of the report. What is documented here is what `densebots schema report` says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::Second;

mod delivery;
mod lost;

pub(crate) use delivery::{DeliveryLatencyPart, DeliveryPart};
pub(crate) use lost::{LostPart, TranscriptLine, TranscriptPart};

/// What a run came to.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReportFile {
    /// What was run.
    pub run: RunPart,
    /// Whether it passed, and whether its figures are to be trusted.
    pub verdict: VerdictPart,
    /// The population.
    pub bots: BotsPart,
    /// Connections opened, ramp included.
    pub connect: ConnectPart,
    /// Timed things, in the measure window.
    pub ops: Vec<OpPart>,
    /// The scenario's own counters, over the whole run.
    pub counters: BTreeMap<String, u64>,
    /// The scenario's own gauges at the end.
    pub gauges: BTreeMap<String, i64>,
    /// Bytes over the whole run.
    pub bytes: BytesPart,
    /// Mail between bots, over the whole run.
    pub mail: MailPart,
    /// Losses by cause.
    pub lost: Vec<LostPart>,
    /// What bots that failed said and heard last: the first of those whose last words are kept.
    pub transcripts: Vec<TranscriptPart>,
    /// By address.
    pub endpoints: Vec<EndpointPart>,
    /// Who should have heard what, and did.
    pub delivery: DeliveryPart,
    /// Encryption.
    pub tls: TlsPart,
    /// Thresholds, as they were given.
    pub thresholds: Vec<ThresholdPart>,
    /// The generator's own health.
    pub generator: GeneratorPart,
    /// The run, second by second; coarser once it is longer than an hour.
    pub series: Vec<Second>,
}

/// What was run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct RunPart {
    /// The scenario.
    pub scenario: String,
    /// The target.
    pub target: String,
    /// The seed.
    pub seed: u64,
    /// When it began, RFC 3339.
    pub started: String,
    /// How long it has taken.
    pub duration_s: f64,
    /// `closed` or `open`.
    pub model: &'static str,
    /// Whether this is the final report; a run that was killed leaves its last interim one.
    pub ended: bool,
    /// What ended it before its plan was fulfilled.
    pub ended_by: Option<String>,
    /// How long it took until the population was full.
    pub ramp_s: f64,
    /// The length of the measure window.
    pub window_s: f64,
    /// What `ops` are of: `hold`, or `run` if there was no measure window.
    pub measured: &'static str,
}

/// Whether the run passed, and whether its figures are to be trusted.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct VerdictPart {
    /// It passed.
    pub passed: bool,
    /// The generator did not shape its figures.
    pub trustworthy: bool,
    /// Why not, for both.
    pub reasons: Vec<String>,
}

/// The population.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BotsPart {
    /// Wanted online at once.
    pub target: u64,
    /// Launched.
    pub launched: u64,
    /// The most that were online.
    pub peak_online: u64,
    /// The fewest in the measure window.
    pub min_online: u64,
    /// The mean over the measure window.
    pub mean_online: f64,
    /// After the sweep, before the drain.
    pub online_at_end: u64,
    /// Seconds of the window with fewer than the target.
    pub seconds_below_target: f64,
    /// Ended as they were meant to.
    pub done: u64,
    /// Ended otherwise.
    pub failed: u64,
    /// Came back online after a loss.
    pub reconnects: u64,
    /// Launched in place of others.
    pub respawned: u64,
}

/// Connections opened.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ConnectPart {
    /// How many.
    pub count: u64,
    /// A second, while bots arrived.
    pub rate_per_s: f64,
    /// Median.
    pub p50_us: Option<u64>,
    /// 99th percentile.
    pub p99_us: Option<u64>,
    /// Longest.
    pub max_us: Option<u64>,
}

/// One op.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OpPart {
    /// Its name.
    pub name: String,
    /// Meant to be done, a second: begun and dropped.
    pub offered_per_s: f64,
    /// Ended: ok, failed and timed out.
    pub count: u64,
    /// Succeeded.
    pub ok: u64,
    /// Failed.
    pub failed: u64,
    /// Ran out of time.
    pub timed_out: u64,
    /// Meant to be done and not begun.
    pub dropped: u64,
    /// Cut off by the loss or the end of their bot.
    pub cut: u64,
    /// Begun and not ended, at the end of the run.
    pub in_flight: i64,
    /// Answers that came after their op had ended.
    pub late: u64,
    /// Succeeded, a second.
    pub rate_per_s: f64,
    /// Median, from due; timed-out ops rank at their timeout.
    pub p50_us: Option<u64>,
    /// 95th percentile.
    pub p95_us: Option<u64>,
    /// 99th percentile; null below 100 samples.
    pub p99_us: Option<u64>,
    /// 99.9th percentile; null below 10,000 samples.
    pub p999_us: Option<u64>,
    /// Longest.
    pub max_us: Option<u64>,
    /// 99th percentile from the flush of the bytes; null below 100 samples.
    pub service_p99_us: Option<u64>,
    /// Median of those that failed, from due; they are not among the others.
    pub failed_p50_us: Option<u64>,
    /// 99th percentile of those that failed; null below 100 samples.
    pub failed_p99_us: Option<u64>,
    /// The longest of those that failed.
    pub failed_max_us: Option<u64>,
    /// Begun outside the measure window, while bots arrived or left.
    pub outside_window: u64,
}

/// Bytes.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BytesPart {
    /// Written.
    pub sent: u64,
    /// Read.
    pub received: u64,
    /// Refused by sockets so far: they wait until the target reads.
    pub unsent: u64,
    /// The most that waited at the end of a second.
    pub unsent_max: u64,
}

/// Mail between bots.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MailPart {
    /// Letters written.
    pub written: u64,
    /// Letters heard.
    pub heard: u64,
    /// Letters whose bot was gone.
    pub gone: u64,
    /// Letters whose bot had left the group.
    pub left: u64,
    /// Letters that could not be written.
    pub dropped: u64,
}

/// One address.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EndpointPart {
    /// Its name.
    pub name: String,
    /// Connections opened.
    pub connected: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Open connections lost.
    pub lost: u64,
    /// Open when this was written.
    pub open: i64,
    /// Of these, such of bots that were online.
    pub online: i64,
    /// The most of those, at the end of a second.
    pub peak_online: u64,
    /// After the sweep, before the drain.
    pub online_at_end: u64,
}

/// Encryption.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct TlsPart {
    /// Links with a whole TLS connection.
    pub kept: u64,
    /// Links with only their keys.
    pub dense: u64,
    /// Handshakes.
    pub handshakes: u64,
    /// Of these, such that went on with an earlier session.
    pub resumed: u64,
    /// Whether the target's certificate was checked; null without TLS.
    pub verified: Option<bool>,
    /// Median of their time.
    pub p50_us: Option<u64>,
    /// 99th percentile; null below 100 samples.
    pub p99_us: Option<u64>,
    /// Keys derived for logins (PBKDF2).
    pub derivations: u64,
    /// Keys that were known from an earlier login.
    pub derivations_remembered: u64,
    /// CPU time spent on deriving keys.
    pub derivation_s: f64,
    /// Of the time that logins took, the share in which they waited for a key; null if none did.
    pub derivation_share: Option<f64>,
}

/// One threshold.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ThresholdPart {
    /// As it was given.
    pub expression: String,
    /// What was measured, in its unit; null for nothing.
    pub value: Option<f64>,
    /// What it was compared with, in the same unit.
    pub limit: f64,
    /// `us`, `share` (of 1), `count`, `bytes` or `per_s`.
    pub unit: &'static str,
    /// It held.
    pub passed: bool,
    /// The value in words, or why there is none.
    pub reason: String,
    /// Seconds of the window that the generator's machine shaped and that broke it.
    pub limited_seconds: u64,
}

/// The generator's own health.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GeneratorPart {
    /// Threads of bots.
    pub shards: usize,
    /// Each with a descriptor table of its own.
    pub split_tables: bool,
    /// CPU time, user and system.
    pub cpu_s: f64,
    /// Anonymous memory at its most.
    pub rss_bytes: u64,
    /// Anonymous memory before the first bot.
    pub base_bytes: u64,
    /// Growth of anonymous memory over bots online.
    pub user_bytes_per_bot: Option<u64>,
    /// Growth of the machine's kernel memory over bots online, all ends that live here.
    pub kernel_bytes_per_bot: Option<u64>,
    /// How late turns ran, in the measure window.
    pub lag_p99_us: u64,
    /// The latest.
    pub lag_max_us: u64,
    /// How long turns took: the resolution of all latencies.
    pub turn_p99_us: u64,
    /// Seconds of the window in which the generator's machine shaped the result.
    pub limited_seconds: u64,
    /// Seconds of the window.
    pub window_seconds: u64,
    /// Why they were limited, and how many each.
    pub limited_by: BTreeMap<&'static str, u64>,
    /// Limited seconds outside the window: a note.
    pub limited_seconds_outside: u64,
    /// Times the generator's own limits were met, by name.
    pub limits: BTreeMap<&'static str, u64>,
    /// Time connections spent write-blocked, summed.
    pub blocked_s: f64,
    /// The target runs on this machine too, and latencies describe both.
    pub target_on_this_machine: bool,
}
