//! The ledger as JSON.

use densebots_engine::Report;
use densebots_engine::metrics::{ROOM_SIZES, Spread};

use super::shapes::{DeliveryLatencyPart, DeliveryPart};
use super::{Heading, longest};
use crate::summary::figures::{Figures, carried, no_ledger};

/// Counts over the whole run, because only there do the classes add up; latencies of the window.
pub(super) fn delivery(heading: &Heading, report: &Report, figures: &Figures<'_>) -> DeliveryPart {
    if let Some(reason) = no_ledger(report, heading.scenario) {
        return DeliveryPart { reason: Some(reason), ..DeliveryPart::default() };
    }
    let (total, window) = (&report.total.delivery, &figures.meter.delivery);
    let sizes = ROOM_SIZES.iter().zip(&window.last);
    let last = sizes.map(|(&(name, _), spread)| latency("last", Some(name), spread));
    let latencies = std::iter::once(latency("each", None, &window.each)).chain(last);
    DeliveryPart {
        messages: Some(total.messages),
        expected: Some(total.expected),
        delivered: Some(total.delivered),
        missing: Some(total.missing),
        excused: Some(total.excused),
        bounced: Some(total.bounced),
        // What is still on its way in an interim report is not resolved either.
        unresolved: Some(total.unresolved + total.open()),
        duplicated: Some(total.duplicated),
        reordered: Some(total.reordered),
        late: Some(total.late),
        history: Some(total.history),
        foreign: Some(total.foreign),
        unowed: Some(total.unowed),
        limit_s: Some(report.late.as_secs_f64()),
        latency: latencies.filter(|latency| latency.count > 0).collect(),
        reason: None,
    }
}

fn latency(
    of: &'static str,
    receivers: Option<&'static str>,
    spread: &Spread,
) -> DeliveryLatencyPart {
    DeliveryLatencyPart {
        of,
        receivers,
        count: spread.count(),
        p50_us: carried(spread, 0.5),
        p95_us: carried(spread, 0.95),
        p99_us: carried(spread, 0.99),
        p999_us: carried(spread, 0.999),
        max_us: longest(spread),
    }
}
