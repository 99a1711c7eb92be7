//! The report as JSON: the only place where what the engine tells becomes a format.
//!
//! Names are fixed: add to them, do not rename. Percentiles that the number of samples cannot carry
//! are null, as is everything that does not apply.

use std::collections::BTreeMap;

use densebots_engine::metrics::Spread;
use densebots_engine::{Phase, Report};
use schemars::JsonSchema;
use serde::Serialize;

use crate::summary::figures::{Figures, carried};

mod series;

pub(crate) use series::{Second, Series};

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

/// Losses of one kind.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LostPart {
    /// The class.
    pub cause: &'static str,
    /// In its own words.
    pub condition: &'static str,
    /// Who did it.
    pub blame: &'static str,
    /// An open connection was lost; otherwise an attempt failed.
    pub opened: bool,
    /// How often.
    pub count: u64,
    /// How often the bot came back.
    pub recovered: u64,
    /// A bot it happened to.
    pub example_bot: u32,
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
}

/// Who should have heard what, and did. Null where nobody keeps the ledger.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct DeliveryPart {
    /// Messages sent.
    pub messages: Option<u64>,
    /// Deliveries expected: the sum of the next five.
    pub expected: Option<u64>,
    /// Heard.
    pub delivered: Option<u64>,
    /// Not heard.
    pub missing: Option<u64>,
    /// Not heard, for a reason of the receiver's.
    pub excused: Option<u64>,
    /// Sent back.
    pub bounced: Option<u64>,
    /// Not decided at the end.
    pub unresolved: Option<u64>,
    /// Heard twice.
    pub duplicated: Option<u64>,
    /// Heard in another order.
    pub reordered: Option<u64>,
    /// Heard after the limit.
    pub late: Option<u64>,
    /// Heard as history.
    pub history: Option<u64>,
    /// Heard from others than our bots.
    pub foreign: Option<u64>,
    /// Why the values are null.
    pub reason: Option<String>,
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
}

/// One threshold.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ThresholdPart {
    /// As it was given.
    pub expression: String,
    /// What was measured; null for nothing.
    pub value: Option<f64>,
    /// It held.
    pub passed: bool,
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
    /// Anonymous memory at the end.
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

/// What is known of a run before it begins.
#[derive(Clone, Debug)]
pub(crate) struct Heading {
    /// The scenario.
    pub scenario: &'static str,
    /// The target.
    pub target: String,
    /// When it began.
    pub started: String,
    /// Open or closed.
    pub model: &'static str,
    /// The target is ours.
    pub embedded: bool,
}

impl ReportFile {
    /// The report in its written form.
    pub(crate) fn of(
        heading: &Heading,
        report: &Report,
        phase: Phase,
        series: Vec<Second>,
    ) -> ReportFile {
        let figures = Figures::of(report);
        let total = &report.total;
        let losses = total.losses.iter().map(|loss| LostPart {
            cause: loss.lost.cause.name(),
            condition: loss.lost.condition,
            blame: loss.lost.cause.blame(),
            opened: loss.lost.opened,
            count: loss.count,
            recovered: loss.recovered,
            example_bot: loss.example.0,
        });
        let names = &report.names;
        ReportFile {
            run: run(heading, report, phase, &figures),
            verdict: VerdictPart {
                passed: report.passed(),
                trustworthy: report.trustworthy(),
                reasons: [report.failures(), report.doubts()].concat(),
            },
            bots: bots(report, &figures),
            connect: connect(report),
            ops: (0..names.ops.len()).map(|at| op(report, &figures, at)).collect(),
            counters: names.counters.iter().cloned().zip(total.counters.iter().copied()).collect(),
            gauges: names.gauges.iter().cloned().zip(total.gauges.iter().copied()).collect(),
            bytes: BytesPart { sent: total.sent, received: total.received },
            mail: MailPart {
                written: total.mail.written,
                heard: total.mail.heard,
                gone: total.mail.gone,
                left: total.mail.left,
                dropped: total.mail.dropped,
            },
            lost: losses.collect(),
            endpoints: endpoints(report),
            delivery: DeliveryPart {
                reason: Some("the ledger belongs to chat scenarios".to_owned()),
                ..DeliveryPart::default()
            },
            tls: TlsPart::default(),
            thresholds: Vec::new(),
            generator: generator(heading, report, &figures),
            series,
        }
    }
}

fn run(heading: &Heading, report: &Report, phase: Phase, figures: &Figures<'_>) -> RunPart {
    RunPart {
        scenario: heading.scenario.to_owned(),
        target: heading.target.clone(),
        seed: report.seed,
        started: heading.started.clone(),
        duration_s: report.duration.as_secs_f64(),
        model: heading.model,
        ended: phase == Phase::Ended,
        ended_by: report.ended_by.clone(),
        ramp_s: report.ramp.as_secs_f64(),
        window_s: report.window.as_secs_f64(),
        measured: if figures.windowed { "hold" } else { "run" },
    }
}

fn bots(report: &Report, figures: &Figures<'_>) -> BotsPart {
    let bots = &report.bots;
    BotsPart {
        target: bots.target,
        launched: bots.population.launched,
        peak_online: bots.peak_online,
        min_online: figures.min_online,
        mean_online: bots.mean_online,
        online_at_end: bots.online_at_end,
        seconds_below_target: bots.seconds_below_target,
        done: bots.population.done,
        failed: bots.population.failed,
        reconnects: figures.recovered,
        respawned: bots.respawned,
    }
}

fn connect(report: &Report) -> ConnectPart {
    let spread = &report.total.connect;
    let seconds = if report.ramp.is_zero() { report.duration } else { report.ramp }.as_secs_f64();
    ConnectPart {
        count: spread.count(),
        rate_per_s: if seconds > 0.0 { spread.count() as f64 / seconds } else { 0.0 },
        p50_us: carried(spread, 0.5),
        p99_us: carried(spread, 0.99),
        max_us: longest(spread),
    }
}

fn op(report: &Report, figures: &Figures<'_>, at: usize) -> OpPart {
    let (op, total) = (&figures.meter.ops[at], &report.total.ops[at]);
    OpPart {
        name: report.names.ops[at].clone(),
        offered_per_s: figures.a_second(op.begun + op.dropped),
        count: op.ok + op.failed + op.timed_out,
        ok: op.ok,
        failed: op.failed,
        timed_out: op.timed_out,
        dropped: op.dropped,
        cut: op.cut,
        in_flight: total.in_flight(),
        late: op.late,
        rate_per_s: figures.a_second(op.ok),
        p50_us: carried(&op.latency, 0.5),
        p95_us: carried(&op.latency, 0.95),
        p99_us: carried(&op.latency, 0.99),
        p999_us: carried(&op.latency, 0.999),
        max_us: longest(&op.latency),
        service_p99_us: carried(&op.service, 0.99),
        outside_window: total.begun.saturating_sub(op.begun),
    }
}

fn endpoints(report: &Report) -> Vec<EndpointPart> {
    let named = report.endpoints.iter().zip(&report.total.endpoints);
    let part = |(name, count): (&String, &densebots_engine::metrics::EndpointCount)| EndpointPart {
        name: name.clone(),
        connected: count.connected,
        failed: count.failed,
        lost: count.lost,
        open: count.open,
    };
    named.map(part).collect()
}

fn generator(heading: &Heading, report: &Report, figures: &Figures<'_>) -> GeneratorPart {
    let (own, meter) = (&report.generator, figures.meter);
    GeneratorPart {
        shards: own.shards,
        split_tables: own.split_tables,
        cpu_s: own.cpu.as_secs_f64(),
        rss_bytes: own.rss_bytes,
        base_bytes: own.base_bytes,
        user_bytes_per_bot: own.user_bytes_per_bot,
        kernel_bytes_per_bot: own.kernel_bytes_per_bot,
        lag_p99_us: meter.lag.at(0.99),
        lag_max_us: meter.lag.max(),
        turn_p99_us: meter.turn.at(0.99),
        limited_seconds: report.limited.seconds,
        window_seconds: report.limited.window,
        limited_by: report.limited.reasons.iter().copied().collect(),
        limited_seconds_outside: report.limited.outside,
        limits: report.total.limits.iter().copied().collect(),
        blocked_s: report.total.blocked_us as f64 / 1e6,
        target_on_this_machine: heading.embedded,
    }
}

fn longest(spread: &Spread) -> Option<u64> {
    (spread.count() > 0).then(|| spread.max())
}
