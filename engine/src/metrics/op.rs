//! What is counted of one op.

use std::time::Duration;

use super::Spread;

/// One op's counts.
#[derive(Clone, Debug)]
pub struct OpMeter {
    /// Begun; each ends in one of the next three or is still in flight.
    pub begun: u64,
    /// Succeeded.
    pub ok: u64,
    /// Failed.
    pub failed: u64,
    /// Ran out of time.
    pub timed_out: u64,
    /// Cut off because the bot lost its link or ended.
    pub cut: u64,
    /// Meant to be given and could not be.
    pub dropped: u64,
    /// Answers that came after their op had ended.
    pub late: u64,
    /// From due to the end, of those that succeeded and, at their timeout, that timed out.
    pub latency: Spread,
    /// From the flush of its bytes to the end, of those that succeeded.
    pub service: Spread,
    /// From due to the end, of those that failed.
    pub failed_latency: Spread,
}

impl OpMeter {
    pub(super) fn new() -> OpMeter {
        OpMeter {
            begun: 0,
            ok: 0,
            failed: 0,
            timed_out: 0,
            cut: 0,
            dropped: 0,
            late: 0,
            latency: Spread::of_latencies().made(),
            service: Spread::of_latencies().made(),
            failed_latency: Spread::of_latencies(),
        }
    }

    pub(crate) fn ended(&mut self, ok: bool, latency: Duration, service: Option<Duration>) {
        if ok {
            self.ok += 1;
            self.latency.record_time(latency);
            if let Some(service) = service {
                self.service.record_time(service);
            }
        } else {
            self.failed += 1;
            self.failed_latency.record_time(latency);
        }
    }

    pub(crate) fn timed_out(&mut self, timeout: Duration) {
        self.timed_out += 1;
        self.latency.record_time(timeout);
    }

    /// Begun and not ended.
    pub fn in_flight(&self) -> i64 {
        self.begun as i64 - (self.ok + self.failed + self.timed_out + self.cut) as i64
    }

    pub(super) fn add(&mut self, other: &OpMeter) {
        self.begun += other.begun;
        self.ok += other.ok;
        self.failed += other.failed;
        self.timed_out += other.timed_out;
        self.cut += other.cut;
        self.dropped += other.dropped;
        self.late += other.late;
        self.latency.add(&other.latency);
        self.service.add(&other.service);
        self.failed_latency.add(&other.failed_latency);
    }

    pub(super) fn clear(&mut self) {
        (self.begun, self.ok, self.failed, self.timed_out) = (0, 0, 0, 0);
        (self.cut, self.dropped, self.late) = (0, 0, 0);
        self.latency.clear();
        self.service.clear();
        self.failed_latency.clear();
    }
}
