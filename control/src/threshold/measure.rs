//! What a subject comes to, in a part of a run.

use std::borrow::Cow;
use std::time::Duration;

use densebots_engine::metrics::{self, Delivery, Meter, OpMeter};
use densebots_engine::{Report, Snapshot};

use super::subject::{Count, Level, Rate, Reading, Share, Spread, Subject, Time, What};
use crate::summary::figures::{carried, is_timeout};
use crate::units::grouped;

/// A part of a run, to read figures off.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    report: &'a Report,
    meter: &'a Meter,
    span: Duration,
    part: Part,
    /// How long an op may take: of one that took so long, only the least is known.
    timeout: Duration,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Window,
    Run,
    /// One second, alone.
    Second,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Figure {
    /// A number, in the unit of the limit; `at_least` if it is known to be no less.
    Value { value: f64, at_least: bool },
    /// Nothing was there to be measured: why.
    Empty(String),
    /// Nobody can say: why.
    Unknown(String),
}

impl Figure {
    fn value(value: f64) -> Figure {
        Figure::Value { value, at_least: false }
    }
}

impl<'a> Scope<'a> {
    /// The measure window.
    pub(super) fn window(report: &'a Report, timeout: Duration) -> Scope<'a> {
        let (meter, span) = (&report.measured, report.window);
        Scope { report, meter, span, part: Part::Window, timeout }
    }

    /// The whole run.
    pub(super) fn run(report: &'a Report, timeout: Duration) -> Scope<'a> {
        let (meter, span) = (&report.total, report.duration);
        Scope { report, meter, span, part: Part::Run, timeout }
    }

    /// One second.
    pub(super) fn second(snapshot: &'a Snapshot, timeout: Duration) -> Scope<'a> {
        let (report, meter, span) = (&snapshot.report, &snapshot.second, snapshot.span);
        Scope { report, meter, span, part: Part::Second, timeout }
    }

    /// What a subject comes to; as a share of its whole if that is what it is compared with.
    pub(super) fn figure(&self, subject: &Subject, share: bool) -> Figure {
        if self.span.is_zero() {
            return Figure::Empty(match self.part {
                Part::Window => "there was no measure window".to_owned(),
                Part::Run | Part::Second => "nothing has happened yet".to_owned(),
            });
        }
        let (what, at) = (subject.row.what, subject.at());
        match what {
            What::Spread(of, reading) => self.spread(of, reading, at, subject.quantile),
            What::Share(of) => self.share(of, at),
            What::Rate(of) => Figure::value(self.rate(of, at)),
            What::Time(Time::BelowTarget) => {
                Figure::value(self.report.bots.seconds_below_target * 1e6)
            }
            What::Time(Time::Cpu) => Figure::value(self.report.generator.cpu.as_micros() as f64),
            What::Level(of) => match self.level(of, at) {
                Some(value) => self.of_whole(what, value, at, share),
                None => Figure::Empty("nobody was online".to_owned()),
            },
            What::Count(of) => match self.no_count(of) {
                Some(reason) => Figure::Unknown(reason),
                None => self.of_whole(what, self.count(of, at) as f64, at, share),
            },
        }
    }

    /// A number as it is, or as a share. What is counted among nothing has no samples.
    fn of_whole(&self, what: What, value: f64, at: usize, share: bool) -> Figure {
        let Some(whole) = Whole::of(what) else { return Figure::value(value) };
        let among = self.among(whole, at);
        match among {
            0 if share && whole == Whole::Wanted => {
                Figure::Unknown("an open run wants no number of bots online".to_owned())
            }
            0 if whole != Whole::Wanted => {
                self.nothing(Scope::run(self.report, self.timeout).among(whole, at))
            }
            _ if share => Figure::value(value / among as f64),
            _ => Figure::value(value),
        }
    }

    /// Nothing of what was looked for; it may have been elsewhere in the run.
    fn nothing(&self, in_run: u64) -> Figure {
        Figure::Empty(match self.part {
            Part::Window if in_run > 0 => format!(
                "0 samples in the measure window, {} outside: add `over run`",
                grouped(in_run)
            ),
            _ => "0 samples".to_owned(),
        })
    }

    fn op(&self, at: usize) -> &OpMeter {
        &self.meter.ops[at]
    }

    fn spread(&self, of: Spread, reading: Reading, at: usize, quantile: f64) -> Figure {
        let of_ledger = matches!(of, Spread::Delivery | Spread::LastDelivery);
        if let Some(reason) = self.report.no_ledger().filter(|_| of_ledger) {
            return Figure::Unknown(reason);
        }
        let spread = many(self.meter, of, at);
        if spread.count() == 0 {
            return self.nothing(many(&self.report.total, of, at).count());
        }
        let quantile = if reading == Reading::Percentile { quantile } else { 1.0 };
        let at_least = of == Spread::Op
            && match reading {
                Reading::Mean => self.op(at).timed_out > 0,
                _ => is_timeout(self.op(at), quantile, self.timeout),
            };
        let value = match reading {
            Reading::Max => spread.max() as f64,
            Reading::Mean => spread.mean(),
            // A percentile that its samples cannot carry counts as the longest of them.
            Reading::Percentile => carried(&spread, quantile).unwrap_or(spread.max()) as f64,
        };
        Figure::Value { value, at_least }
    }

    /// Whether a percentile has the samples that it needs; other figures need none.
    pub(super) fn carries(&self, subject: &Subject) -> bool {
        let What::Spread(of, Reading::Percentile) = subject.row.what else { return true };
        carried(&many(self.meter, of, subject.at()), subject.quantile).is_some()
    }

    fn share(&self, of: Share, at: usize) -> Figure {
        let ops = shared(self.meter, of, at);
        let all: u64 = ops.iter().map(ended).sum();
        let errors: u64 = ops.iter().map(|op| op.failed + op.timed_out).sum();
        match all {
            0 => self.nothing(shared(&self.report.total, of, at).iter().map(ended).sum()),
            _ => Figure::value(errors as f64 / all as f64),
        }
    }

    fn rate(&self, of: Rate, at: usize) -> f64 {
        let (count, span) = match of {
            Rate::OpOk => (self.op(at).ok, self.span),
            Rate::OpOffered => (self.op(at).begun + self.op(at).dropped, self.span),
            // As the report has it: while bots arrived.
            Rate::Connects if self.part == Part::Run && !self.report.ramp.is_zero() => {
                (self.meter.connect.count(), self.report.ramp)
            }
            Rate::Connects => (self.meter.connect.count(), self.span),
        };
        count as f64 / span.as_secs_f64()
    }

    fn level(&self, of: Level, at: usize) -> Option<f64> {
        let (report, bots) = (self.report, &self.report.bots);
        let own = &report.generator;
        Some(match of {
            Level::Online | Level::MeanOnline if self.part == Part::Second => {
                self.meter.population.online as f64
            }
            Level::Online if bots.min_online == u64::MAX => return None,
            Level::Online => bots.min_online as f64,
            Level::MeanOnline if report.window.is_zero() => return None,
            Level::MeanOnline => bots.mean_online,
            Level::PeakOnline => bots.peak_online as f64,
            Level::OnlineAtEnd => bots.online_at_end as f64,
            Level::OpInFlight => report.total.ops[at].in_flight() as f64,
            Level::Unrecovered => {
                let sum = |count: Count| self.count(count, at) as f64;
                (sum(Count::Lost) - sum(Count::Recovered)).max(0.0)
            }
            Level::Gauge => report.total.gauges[at] as f64,
            Level::Memory => own.rss_bytes as f64,
            Level::BytesPerBot => own.user_bytes_per_bot? as f64,
            Level::KernelBytesPerBot => own.kernel_bytes_per_bot? as f64,
        })
    }

    /// Why something cannot be counted at all.
    fn no_count(&self, of: Count) -> Option<String> {
        delivered(of, &self.meter.delivery).and_then(|_| self.report.no_ledger())
    }

    fn count(&self, of: Count, at: usize) -> u64 {
        let (meter, bots) = (self.meter, &self.report.bots);
        let losses = |online| meter.losses.iter().filter(move |loss| loss.lost.online == online);
        match of {
            Count::OpEnded => ended(self.op(at)),
            Count::OpOk => self.op(at).ok,
            Count::OpFailed => self.op(at).failed,
            Count::OpTimedOut => self.op(at).timed_out,
            Count::OpDropped => self.op(at).dropped,
            Count::OpCut => self.op(at).cut,
            Count::OpLate => self.op(at).late,
            Count::Errors => meter.ops.iter().map(|op| op.failed + op.timed_out).sum(),
            Count::Connects => meter.connect.count(),
            Count::ConnectsFailed => losses(false).map(|loss| loss.count).sum(),
            Count::Launched => bots.population.launched,
            Count::Done => bots.population.done,
            Count::Failed => bots.population.failed,
            Count::Reconnects => self.report.total.losses.iter().map(|loss| loss.recovered).sum(),
            Count::Respawned => bots.respawned,
            Count::Lost => losses(true).map(|loss| loss.count).sum(),
            Count::Recovered => losses(true).map(|loss| loss.recovered).sum(),
            Count::Sent => meter.sent,
            Count::Received => meter.received,
            Count::MailWritten => meter.mail.written,
            Count::MailHeard => meter.mail.heard,
            Count::MailDropped => meter.mail.dropped,
            Count::Handshakes => meter.tls.handshakes,
            Count::Values => meter.values[at].count(),
            Count::Counter => meter.counters[at],
            Count::Dropped => meter.dropped,
            Count::Limited => self.report.limited.seconds,
            of => delivered(of, &meter.delivery).unwrap_or_default(),
        }
    }

    /// How much a whole is.
    fn among(&self, whole: Whole, at: usize) -> u64 {
        match whole {
            Whole::Ops => self.op(at).begun + self.op(at).dropped,
            Whole::Ended => self.meter.ops.iter().map(ended).sum(),
            Whole::Attempts => self.meter.connect.count() + self.count(Count::ConnectsFailed, at),
            Whole::Launched => self.report.bots.population.launched,
            Whole::Wanted => self.report.bots.target,
            Whole::Seconds => self.report.limited.window,
            Whole::Owed => self.meter.delivery.expected,
        }
    }
}

/// What a number is a share of.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Whole {
    /// Times an op was begun, or meant to be.
    Ops,
    /// Ops of any name that ended.
    Ended,
    /// Attempts to get online.
    Attempts,
    /// Bots launched.
    Launched,
    /// Bots wanted online at once.
    Wanted,
    /// Seconds of the measure window.
    Seconds,
    /// Deliveries owed.
    Owed,
}

impl Whole {
    /// The whole of which this is a part, if there is one.
    pub(super) fn of(what: What) -> Option<Whole> {
        Some(match what {
            What::Count(count) => match count {
                Count::OpOk
                | Count::OpFailed
                | Count::OpTimedOut
                | Count::OpCut
                | Count::OpDropped
                | Count::OpLate => Whole::Ops,
                Count::Errors => Whole::Ended,
                Count::ConnectsFailed => Whole::Attempts,
                Count::Done | Count::Failed => Whole::Launched,
                Count::Lost | Count::Reconnects => Whole::Wanted,
                Count::Limited => Whole::Seconds,
                Count::Delivered
                | Count::Missing
                | Count::Excused
                | Count::Bounced
                | Count::Unresolved
                | Count::Duplicated
                | Count::Reordered
                | Count::Late => Whole::Owed,
                _ => return None,
            },
            What::Level(
                Level::Online
                | Level::MeanOnline
                | Level::PeakOnline
                | Level::OnlineAtEnd
                | Level::Unrecovered,
            ) => Whole::Wanted,
            _ => return None,
        })
    }
}

fn ended(op: &OpMeter) -> u64 {
    op.ok + op.failed + op.timed_out
}

fn shared(meter: &Meter, of: Share, at: usize) -> &[OpMeter] {
    match of {
        Share::OpErrors => &meter.ops[at..=at],
        Share::Errors => &meter.ops,
    }
}

/// What there are many of. Last receipts of messages are kept by the size of their room.
fn many(meter: &Meter, of: Spread, at: usize) -> Cow<'_, metrics::Spread> {
    Cow::Borrowed(match of {
        Spread::Op => &meter.ops[at].latency,
        Spread::Service => &meter.ops[at].service,
        Spread::Connect => &meter.connect,
        Spread::Handshake => &meter.tls.took,
        Spread::Delivery => &meter.delivery.each,
        Spread::Lag => &meter.lag,
        Spread::Turn => &meter.turn,
        Spread::Value => &meter.values[at],
        Spread::LastDelivery => {
            let mut all = metrics::Spread::of_latencies();
            meter.delivery.last.iter().for_each(|size| all.add(size));
            return Cow::Owned(all);
        }
    })
}

/// What the ledger counts of this, if it counts it.
fn delivered(of: Count, own: &Delivery) -> Option<u64> {
    Some(match of {
        Count::Messages => own.messages,
        Count::Expected => own.expected,
        Count::Delivered => own.delivered,
        Count::Missing => own.missing,
        Count::Excused => own.excused,
        Count::Bounced => own.bounced,
        Count::Unresolved => own.unresolved + own.open(),
        Count::Duplicated => own.duplicated,
        Count::Reordered => own.reordered,
        Count::Late => own.late,
        Count::History => own.history,
        Count::Foreign => own.foreign,
        Count::Unowed => own.unowed,
        _ => return None,
    })
}
