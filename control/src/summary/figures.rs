//! Which figures are the headline, and which of them the samples can carry.

use std::time::Duration;

use densebots_engine::Report;
use densebots_engine::metrics::{Meter, OpMeter, Spread};
use densebots_scenarios::{Builtin, find};

/// The figures a summary leads with: of the measure window, or of the whole run if there was none.
pub(crate) struct Figures<'a> {
    /// What was counted.
    pub meter: &'a Meter,
    /// Over what time.
    pub span: Duration,
    /// There was a measure window.
    pub windowed: bool,
    /// The fewest bots online in it.
    pub min_online: u64,
    /// Losses of open connections, and how many of the bots came back.
    pub lost: u64,
    /// See `lost`.
    pub recovered: u64,
    /// Attempts to connect that failed.
    pub attempts_failed: u64,
}

impl Figures<'_> {
    /// Of a report.
    pub(crate) fn of(report: &Report) -> Figures<'_> {
        let windowed = !report.window.is_zero();
        let losses = || report.total.losses.iter();
        Figures {
            meter: if windowed { &report.measured } else { &report.total },
            span: if windowed { report.window } else { report.duration },
            windowed,
            // Before the window begins the least is not known yet.
            min_online: match report.bots.min_online {
                u64::MAX => report.bots.population.online,
                least => least,
            },
            lost: losses().filter(|loss| loss.lost.online).map(|loss| loss.count).sum(),
            recovered: losses().map(|loss| loss.recovered).sum(),
            attempts_failed: losses().filter(|l| !l.lost.online).map(|l| l.count).sum(),
        }
    }

    /// So many, as a rate.
    pub(crate) fn a_second(&self, count: u64) -> f64 {
        let seconds = self.span.as_secs_f64();
        if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
    }
}

/// A quantile in microseconds, if there are enough samples for it: ten beyond it, or one beyond it
/// for the 99th, where ten would ask for a thousand.
pub(crate) fn carried(spread: &Spread, quantile: f64) -> Option<u64> {
    let needed = match quantile {
        q if q > 0.99 => 10_000,
        q if q > 0.95 => 100,
        q if q > 0.5 => 20,
        _ => 1,
    };
    (spread.count() >= needed).then(|| spread.at(quantile))
}

/// Why nobody can say who heard what, and what may help; `None` if the ledger can.
pub(crate) fn no_ledger(report: &Report, scenario: &str) -> Option<String> {
    let mut reason = report.no_ledger()?;
    let tagged = |builtin: &Builtin| builtin.parameters.iter().any(|own| own.name == "tag");
    if report.total.delivery.ids_lost > 0 && find(scenario).is_some_and(tagged) {
        reason.push_str("; where it keeps their bodies, --set tag=body lets them be known");
    }
    Some(reason)
}

/// Of the time that logins took, the share in which they waited for a key that was derived; `None`
/// if none did.
pub(crate) fn derivation_share(report: &Report) -> Option<f64> {
    let of = |name: &str| {
        let at = report.names.ops.iter().position(|own| own == name)?;
        Some(report.total.ops[at].latency.sum()).filter(|&sum| sum > 0.0)
    };
    Some((of("xmpp.pbkdf2")? / of("xmpp.login")?).min(1.0))
}

/// Whether the op's value at this quantile is a timeout: then it says "at least".
pub(crate) fn is_timeout(op: &OpMeter, quantile: f64, timeout: Duration) -> bool {
    // The histogram's three digits may round the timeout down by a thousandth.
    let timeout = timeout.as_micros() as u64;
    op.timed_out > 0 && op.latency.at(quantile) >= timeout - timeout / 500
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_needs_its_samples() {
        let mut spread = Spread::of_latencies();
        assert_eq!(carried(&spread, 0.5), None);
        (0..99).for_each(|_| spread.record(7));
        assert_eq!((carried(&spread, 0.5), carried(&spread, 0.99)), (Some(7), None));
        spread.record(7);
        assert_eq!((carried(&spread, 0.99), carried(&spread, 0.999)), (Some(7), None));
        (0..9_900).for_each(|_| spread.record(7));
        assert_eq!(carried(&spread, 0.999), Some(7));
    }
}
