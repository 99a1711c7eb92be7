//! The report as JSON: the only place where what the engine tells becomes a format.
//!
//! Names are fixed: add to them, do not rename. Percentiles that the number of samples cannot carry
//! are null, as is everything that does not apply.

use std::sync::Arc;

use densebots_engine::metrics::{EndpointCount, Spread};
use densebots_engine::{EndpointReport, Phase, Piece, Report, Transcript};

use crate::remedy::remedy;
use crate::summary::figures::{Figures, carried, derivation_share};
use crate::threshold::Judged;
use crate::trace::failing;
use crate::verdict::Verdict;

mod delivery;
mod limit;
mod series;
mod shapes;

pub(crate) use limit::{LimitFile, LimitPart, SearchPart, StepPart};
pub(crate) use series::{Second, Series};
pub(crate) use shapes::ReportFile;
use shapes::{
    BotsPart, BytesPart, ConnectPart, EndpointPart, GeneratorPart, LostPart, MailPart, OpPart,
    RunPart, ThresholdPart, TlsPart, TranscriptLine, TranscriptPart, VerdictPart,
};

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
    /// Whether the target's certificate is checked; `None` without TLS.
    pub verified: Option<bool>,
}

impl ReportFile {
    /// The report in its written form.
    pub(crate) fn of(
        heading: &Heading,
        report: &Report,
        judged: &Verdict,
        phase: Phase,
        series: Vec<Second>,
    ) -> ReportFile {
        let figures = Figures::of(report);
        let total = &report.total;
        let losses = total.losses.iter().map(|loss| LostPart {
            cause: loss.lost.cause.name(),
            condition: loss.lost.condition,
            blame: loss.lost.cause.blame(),
            remedy: remedy(loss.lost.condition),
            online: loss.lost.online,
            count: loss.count,
            recovered: loss.recovered,
            example_bot: loss.example.0,
        });
        let names = &report.names;
        ReportFile {
            run: run(heading, report, phase, &figures),
            verdict: verdict(judged, phase),
            bots: bots(report, &figures),
            connect: connect(report),
            ops: (0..names.ops.len()).map(|at| op(report, &figures, at)).collect(),
            counters: names.counters.iter().cloned().zip(total.counters.iter().copied()).collect(),
            gauges: names.gauges.iter().cloned().zip(total.gauges.iter().copied()).collect(),
            bytes: BytesPart {
                sent: total.sent,
                received: total.received,
                unsent: total.unsent,
                unsent_max: report.unsent_max,
            },
            mail: MailPart {
                written: total.mail.written,
                heard: total.mail.heard,
                gone: total.mail.gone,
                left: total.mail.left,
                dropped: total.mail.dropped,
            },
            lost: losses.collect(),
            transcripts: transcripts(report),
            endpoints: endpoints(report),
            delivery: delivery::delivery(heading, report, &figures),
            tls: tls(heading, report),
            thresholds: judged.thresholds.iter().map(threshold).collect(),
            generator: generator(heading, report, &figures),
            series,
        }
    }
}

/// Of a run that goes on there is none yet: what is left of one that was killed has not passed.
fn verdict(judged: &Verdict, phase: Phase) -> VerdictPart {
    let ended = phase == Phase::Ended;
    let going = if ended { &[][..] } else { &["the run had not ended".to_owned()] };
    VerdictPart {
        passed: ended && judged.passed(),
        trustworthy: judged.trustworthy(),
        reasons: [going, &judged.failures, &judged.doubts].concat(),
    }
}

fn threshold(judged: &Judged) -> ThresholdPart {
    ThresholdPart {
        expression: judged.expression.clone(),
        value: judged.value,
        limit: judged.limit,
        unit: judged.unit,
        passed: judged.passed,
        reason: judged.told.clone(),
        limited_seconds: judged.limited,
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

fn tls(heading: &Heading, report: &Report) -> TlsPart {
    let (tls, derive) = (&report.total.tls, &report.total.derive);
    TlsPart {
        kept: tls.kept,
        dense: tls.dense,
        handshakes: tls.handshakes,
        resumed: tls.resumed,
        verified: heading.verified,
        p50_us: carried(&tls.took, 0.5),
        p99_us: carried(&tls.took, 0.99),
        derivations: derive.count,
        derivations_remembered: derive.remembered,
        derivation_s: derive.spent_us as f64 / 1e6,
        derivation_share: derivation_share(report),
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
        failed_p50_us: carried(&op.failed_latency, 0.5),
        failed_p99_us: carried(&op.failed_latency, 0.99),
        failed_max_us: longest(&op.failed_latency),
        outside_window: total.begun.saturating_sub(op.begun),
    }
}

fn transcripts(report: &Report) -> Vec<TranscriptPart> {
    let line = |piece: &Piece| TranscriptLine {
        at_s: piece.at.seconds(),
        said: piece.said,
        text: String::from_utf8_lossy(&failing::masked(piece)).into_owned(),
        bytes: piece.length as u64,
    };
    let part = |own: &Arc<Transcript>| TranscriptPart {
        bot: own.bot.0,
        at_s: own.at.seconds(),
        cause: failing::cause(&own.failure, &report.names),
        lines: own.pieces.iter().map(line).collect(),
    };
    report.transcripts.iter().map(part).collect()
}

fn endpoints(report: &Report) -> Vec<EndpointPart> {
    let counted = report.endpoints.iter().zip(&report.total.endpoints);
    let part = |(endpoint, count): (&EndpointReport, &EndpointCount)| EndpointPart {
        name: endpoint.name.clone(),
        connected: count.connected,
        failed: count.failed,
        lost: count.lost,
        open: count.open,
        online: count.online,
        peak_online: endpoint.peak_online,
        online_at_end: endpoint.online_at_end,
    };
    counted.map(part).collect()
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

pub(crate) fn longest(spread: &Spread) -> Option<u64> {
    (spread.count() > 0).then(|| spread.max())
}
