//! A histogram of whole numbers: what percentiles are read from.

use std::time::Duration;

use hdrhistogram::Histogram;

/// A histogram of whole numbers, made when first needed.
#[derive(Debug)]
pub struct Spread {
    histogram: Option<Box<Histogram<u32>>>,
    high: u64,
    digits: u8,
}

/// Latencies up to here are told apart to three digits; longer ones count as this one.
pub const LATENCY_MAX: Duration = Duration::from_secs(120);
/// Values of a scenario's own up to here.
const VALUE_MAX: u64 = 1 << 40;

impl Clone for Spread {
    /// An empty histogram is not copied: snapshots of a run with a dozen ops would be megabytes of
    /// zeros.
    fn clone(&self) -> Spread {
        let histogram = self.histogram.as_ref().filter(|own| !own.is_empty()).cloned();
        Spread { histogram, high: self.high, digits: self.digits }
    }
}

impl Spread {
    /// For latencies, in microseconds, three digits.
    pub fn of_latencies() -> Spread {
        Spread { histogram: None, high: LATENCY_MAX.as_micros() as u64, digits: 3 }
    }

    /// For times inside the generator, in microseconds, two digits.
    pub fn of_turns() -> Spread {
        Spread { histogram: None, high: LATENCY_MAX.as_micros() as u64, digits: 2 }
    }

    /// For values of a scenario's own, three digits.
    pub fn of_values() -> Spread {
        Spread { histogram: None, high: VALUE_MAX, digits: 3 }
    }

    /// Makes the histogram now, so that it belongs to the fixed base and not to the bots.
    pub fn made(mut self) -> Spread {
        self.histogram();
        self
    }

    fn histogram(&mut self) -> &mut Histogram<u32> {
        let (high, digits) = (self.high, self.digits);
        self.histogram.get_or_insert_with(|| {
            Box::new(Histogram::new_with_max(high, digits).expect("2 or 3 digits, high > 2"))
        })
    }

    /// Records a number.
    pub fn record(&mut self, number: u64) {
        self.histogram().saturating_record(number);
    }

    /// Records a time in microseconds, rounded up: nothing takes no time.
    pub fn record_time(&mut self, time: Duration) {
        let micros = time.as_nanos().div_ceil(1000);
        self.record(u64::try_from(micros).unwrap_or(u64::MAX).max(1));
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, |histogram| histogram.len())
    }

    /// The sum of all that was recorded, as exact as the rest.
    pub fn sum(&self) -> f64 {
        self.histogram.as_ref().map_or(0.0, |own| own.mean() * own.len() as f64)
    }

    /// The number that this share of the recorded ones does not exceed; 0 if there are none.
    pub fn at(&self, quantile: f64) -> u64 {
        match &self.histogram {
            Some(histogram) if !histogram.is_empty() => {
                histogram.value_at_quantile(quantile).min(histogram.max())
            }
            _ => 0,
        }
    }

    /// The largest; 0 if there are none.
    pub fn max(&self) -> u64 {
        self.histogram.as_ref().map_or(0, |histogram| histogram.max())
    }

    /// The mean; 0 if there are none.
    pub fn mean(&self) -> f64 {
        self.histogram.as_ref().map_or(0.0, |histogram| histogram.mean())
    }

    /// Adds everything the other one recorded.
    pub fn add(&mut self, other: &Spread) {
        if let Some(theirs) = other.histogram.as_ref().filter(|theirs| !theirs.is_empty()) {
            self.histogram().add(theirs.as_ref()).expect("histograms of one kind have one range");
        }
    }

    /// Forgets everything recorded, keeps the memory.
    pub fn clear(&mut self) {
        if let Some(histogram) = self.histogram.as_mut().filter(|own| !own.is_empty()) {
            histogram.reset();
        }
    }

    /// The histogram itself, if anything was ever recorded.
    pub fn inner(&self) -> Option<&Histogram<u32>> {
        self.histogram.as_deref()
    }
}
