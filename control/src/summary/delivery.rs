//! The ledger in words: who should have heard what, and did.

use densebots_engine::metrics::{ROOM_SIZES, Spread};

use super::Summary;
use super::figures::{Figures, carried, no_ledger};
use super::table::Table;
use crate::units::{grouped, micros, span};

/// The lines of the ledger behind their label; none for a scenario that keeps no ledger.
pub(super) fn lines(summary: &Summary<'_>, figures: &Figures<'_>) -> Vec<String> {
    let (report, label) = (summary.report, &summary.label("delivery"));
    let own = &report.total.delivery;
    if let Some(reason) = no_ledger(report, summary.heading.scenario) {
        return match (report.names.ledger, own.kept) {
            (false, false) => Vec::new(),
            (true, false) => vec![format!("{label}{reason}")],
            (_, true) => vec![format!("{label}unknown: {reason}")],
        };
    }
    let unresolved = own.unresolved + own.open();
    let mut lines = vec![format!(
        "{label}{} messages, {} deliveries expected: delivered {}{}",
        grouped(own.messages),
        grouped(own.expected),
        grouped(own.delivered),
        counts(&[
            ("missing", own.missing),
            ("excused", own.excused),
            ("bounced", own.bounced),
            ("unresolved", unresolved),
        ]),
    )];
    let beside = counts(&[
        ("duplicated", own.duplicated),
        ("out of order", own.reordered),
        ("late", own.late),
        ("not owed", own.unowed),
        ("history", own.history),
        ("foreign", own.foreign),
    ]);
    let lost = own.missing + own.excused + own.bounced + unresolved;
    let verdict = if lost == 0 { "complete" } else { "" };
    let beside = format!("{verdict}{beside}");
    let limit = format!("after {} a message is missing or late", span(report.late));
    lines.push(format!("{:11}{}   {limit}", "", beside.trim_start()).replace("   ;", ";"));
    lines.extend(latencies(figures));
    lines
}

/// Those that are not zero, each behind a gap.
fn counts(named: &[(&str, u64)]) -> String {
    let told = named.iter().filter(|(_, count)| *count > 0);
    told.map(|(name, count)| format!("   {name} {}", grouped(*count))).collect()
}

fn latencies(figures: &Figures<'_>) -> Vec<String> {
    let own = &figures.meter.delivery;
    if own.each.count() == 0 {
        return Vec::new();
    }
    let mut table = Table::headed(&["delivered after", "p50", "p95", "p99", "p99.9", "max"]);
    let mut row = |name: String, spread: &Spread| {
        if spread.count() > 0 {
            let at = |quantile| carried(spread, quantile).map_or("-".to_owned(), micros);
            let cells = [0.5, 0.95, 0.99, 0.999].map(at);
            let last = std::iter::once(micros(spread.max()));
            table.row(std::iter::once(name).chain(cells).chain(last).collect());
        }
    };
    row("each receiver".to_owned(), &own.each);
    for ((size, _), spread) in ROOM_SIZES.iter().zip(&own.last) {
        row(format!("the last of {size}"), spread);
    }
    table.lines(&format!("{:11}", ""))
}
