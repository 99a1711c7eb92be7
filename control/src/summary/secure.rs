//! Encryption and logins in words: what they came to, and what of the machine they took.

use super::Summary;
use super::figures::{carried, derivation_share};
use crate::units::{grouped, micros, span};
use std::time::Duration;

/// A line for encryption and one for keys derived, each if there is anything to tell.
pub(super) fn lines(summary: &Summary<'_>) -> Vec<String> {
    let (report, mut lines) = (summary.report, Vec::new());
    let tls = &report.total.tls;
    if summary.heading.verified.is_some() || tls.handshakes > 0 {
        let at = |quantile| carried(&tls.took, quantile).map_or("-".to_owned(), micros);
        lines.push(format!(
            "{}{} handshakes{}, dense {}, kept {}   p50 {}   p99 {}{}",
            summary.label("TLS"),
            grouped(tls.handshakes),
            match tls.resumed {
                0 => String::new(),
                resumed => format!(" ({} resumed)", grouped(resumed)),
            },
            grouped(tls.dense),
            grouped(tls.kept),
            at(0.5),
            at(0.99),
            match summary.heading.verified {
                Some(false) => summary.paint.doubt("   not verified"),
                _ => String::new(),
            },
        ));
    }
    let derive = &report.total.derive;
    if derive.count + derive.remembered > 0 {
        let (spent, cpu) = (Duration::from_micros(derive.spent_us), report.generator.cpu);
        let share = 100.0 * spent.as_secs_f64() / cpu.as_secs_f64().max(1e-6);
        lines.push(format!(
            "{}{} derived (PBKDF2), {} remembered, {} or {:.0} % of the generator's CPU{}",
            summary.label("keys"),
            grouped(derive.count),
            grouped(derive.remembered),
            span(spent),
            share.min(100.0),
            derivation_share(report).map_or(String::new(), |share| {
                format!("; {:.0} % of the time of logins", 100.0 * share)
            }),
        ));
    }
    lines
}
