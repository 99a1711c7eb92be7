//! The run second by second, bounded: a long run is told in coarser steps.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use densebots_engine::metrics::{OpMeter, Spread};
use densebots_engine::{Report, Snapshot};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use schemars::JsonSchema;
use serde::Serialize;

/// Entries that are kept. With more, neighbours are merged, and each entry is twice as long.
const ENTRIES_MAX: usize = 3_600;

/// One second of a run, or several that were merged.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Second {
    /// When it ended, in seconds of the run.
    pub at_s: f64,
    /// How long it was.
    pub span_s: f64,
    /// The phase of the run at its end.
    pub phase: &'static str,
    /// Bots not connected, at its end.
    pub waiting: u64,
    /// Bots connecting.
    pub connecting: u64,
    /// Bots online.
    pub online: u64,
    /// Bots done, so far.
    pub done: u64,
    /// Bots failed, so far.
    pub failed: u64,
    /// Connections opened in it.
    pub connected: u64,
    /// Open connections lost in it.
    pub lost: u64,
    /// Attempts to connect that failed in it.
    pub refused: u64,
    /// Bytes written in it.
    pub sent: u64,
    /// Bytes read in it.
    pub received: u64,
    /// Bytes that sockets had refused, at its end; the most, where seconds are merged.
    pub unsent: u64,
    /// Time connections spent write-blocked in it, summed.
    pub blocked_s: f64,
    /// Messages heard in it.
    pub heard: u64,
    /// Load dropped in it.
    pub dropped: u64,
    /// How late turns ran.
    pub lag_p99_us: u64,
    /// Time of the busiest shard outside its wait, from 0 to 1.
    pub busiest: f64,
    /// Why it is limited; empty if it is not.
    pub limited: Vec<&'static str>,
    /// Ops in it.
    pub ops: Vec<OpSecond>,
}

/// One op in one second.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct OpSecond {
    /// Its name.
    pub name: String,
    /// Begun.
    pub begun: u64,
    /// Succeeded.
    pub ok: u64,
    /// Failed.
    pub failed: u64,
    /// Ran out of time.
    pub timed_out: u64,
    /// Meant to be done and not begun.
    pub dropped: u64,
    /// Latencies of this second, in microseconds: an HdrHistogram in its V2 encoding, in base64;
    /// null if there were none. Histograms of several seconds may be added.
    pub latency: Option<String>,
}

/// The seconds of a run so far.
#[derive(Debug)]
pub(crate) struct Series {
    entries: Vec<Second>,
    /// Snapshots in the last entry, and in each full one.
    held: u32,
    step: u32,
}

impl Series {
    /// Of a run that has not begun.
    pub(crate) fn new() -> Series {
        Series { entries: Vec::new(), held: 0, step: 1 }
    }

    /// Takes in one second.
    pub(crate) fn push(&mut self, snapshot: &Snapshot) {
        self.append(Second::of(snapshot));
    }

    fn append(&mut self, second: Second) {
        match self.entries.last_mut() {
            Some(last) if self.held < self.step => {
                last.merge(second);
                self.held += 1;
            }
            _ => {
                self.entries.push(second);
                self.held = 1;
            }
        }
        if self.entries.len() > ENTRIES_MAX && self.held == self.step {
            self.coarsen();
        }
    }

    /// The seconds.
    pub(crate) fn entries(&self) -> &[Second] {
        &self.entries
    }

    fn coarsen(&mut self) {
        let mut entries = std::mem::take(&mut self.entries).into_iter();
        while let Some(mut first) = entries.next() {
            self.held = self.step;
            if let Some(next) = entries.next() {
                first.merge(next);
                self.held += self.step;
            }
            self.entries.push(first);
        }
        self.step *= 2;
    }
}

impl Second {
    fn of(snapshot: &Snapshot) -> Second {
        let meter = &snapshot.second;
        let losses = |online| -> u64 {
            meter.losses.iter().filter(|l| l.lost.online == online).map(|l| l.count).sum()
        };
        let population = meter.population;
        Second {
            at_s: snapshot.at.seconds(),
            span_s: snapshot.span.as_secs_f64(),
            phase: snapshot.phase.name(),
            waiting: population.waiting,
            connecting: population.connecting,
            online: population.online,
            done: population.done,
            failed: population.failed,
            connected: meter.connect.count(),
            lost: losses(true),
            refused: losses(false),
            sent: meter.sent,
            received: meter.received,
            unsent: meter.unsent,
            blocked_s: meter.blocked_us as f64 / 1e6,
            heard: meter.events,
            dropped: meter.dropped,
            lag_p99_us: meter.lag.at(0.99),
            busiest: snapshot.busiest,
            limited: snapshot.limited.clone(),
            ops: ops(&snapshot.report, &meter.ops),
        }
    }

    /// Adds the second that follows: sums for what is counted, the later for what stands, the worse
    /// for lag.
    fn merge(&mut self, next: Second) {
        self.span_s += next.span_s;
        self.connected += next.connected;
        self.lost += next.lost;
        self.refused += next.refused;
        self.sent += next.sent;
        self.received += next.received;
        self.unsent = self.unsent.max(next.unsent);
        self.blocked_s += next.blocked_s;
        self.heard += next.heard;
        self.dropped += next.dropped;
        self.lag_p99_us = self.lag_p99_us.max(next.lag_p99_us);
        self.busiest = self.busiest.max(next.busiest);
        for why in next.limited {
            if !self.limited.contains(&why) {
                self.limited.push(why);
            }
        }
        (self.at_s, self.phase) = (next.at_s, next.phase);
        (self.waiting, self.connecting, self.online) = (next.waiting, next.connecting, next.online);
        (self.done, self.failed) = (next.done, next.failed);
        for (own, next) in self.ops.iter_mut().zip(next.ops) {
            own.merge(next);
        }
    }
}

fn ops(report: &Report, meters: &[OpMeter]) -> Vec<OpSecond> {
    let named = report.names.ops.iter().zip(meters);
    let second = |(name, op): (&String, &OpMeter)| OpSecond {
        name: name.clone(),
        begun: op.begun,
        ok: op.ok,
        failed: op.failed,
        timed_out: op.timed_out,
        dropped: op.dropped,
        latency: encode(&op.latency),
    };
    named.map(second).collect()
}

impl OpSecond {
    fn merge(&mut self, next: OpSecond) {
        self.begun += next.begun;
        self.ok += next.ok;
        self.failed += next.failed;
        self.timed_out += next.timed_out;
        self.dropped += next.dropped;
        self.latency = match (self.latency.take(), next.latency) {
            (Some(own), Some(next)) => Some(sum(&own, &next).unwrap_or(own)),
            (own, next) => own.or(next),
        };
    }
}

/// V2: a histogram of one second takes some hundred bytes.
fn encode(spread: &Spread) -> Option<String> {
    spread.inner().filter(|histogram| !histogram.is_empty()).and_then(written)
}

fn written(histogram: &Histogram<u32>) -> Option<String> {
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(histogram, &mut bytes).ok()?;
    Some(STANDARD.encode(bytes))
}

fn read(text: &str) -> Option<Histogram<u32>> {
    let bytes = STANDARD.decode(text).ok()?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
}

fn sum(one: &str, other: &str) -> Option<String> {
    let mut histogram = read(one)?;
    histogram.add(read(other)?).ok()?;
    written(&histogram)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: u32) -> Second {
        let mut spread = Spread::of_latencies();
        spread.record(u64::from(at) + 1);
        let op = OpSecond { ok: 1, latency: encode(&spread), ..OpSecond::default() };
        Second { at_s: f64::from(at), span_s: 1.0, lost: 1, ops: vec![op], ..Second::default() }
    }

    #[test]
    fn merged_seconds_keep_every_latency() {
        let mut first = second(0);
        (1..100).for_each(|at| first.merge(second(at)));
        let histogram = read(first.ops[0].latency.as_deref().expect("some")).expect("readable");
        assert_eq!((histogram.len(), histogram.min(), histogram.max()), (100, 1, 100));
        assert_eq!(
            (first.lost, first.ops[0].ok, first.at_s, first.span_s),
            (100, 100, 99.0, 100.0)
        );
    }

    #[test]
    fn a_long_run_is_told_in_coarser_steps() {
        let mut series = Series::new();
        for at in 0..2 * ENTRIES_MAX as u32 + 77 {
            series.append(second(at));
            assert!(series.entries.len() <= ENTRIES_MAX + 1);
        }
        let lost: u64 = series.entries.iter().map(|entry| entry.lost).sum();
        assert_eq!(lost, 2 * ENTRIES_MAX as u64 + 77);
        assert!(series.step >= 2 && series.entries.len() >= ENTRIES_MAX / 2);
    }
}
