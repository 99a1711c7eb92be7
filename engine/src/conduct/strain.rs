//! Which seconds the generator's own machine shaped.

use std::time::Duration;

use super::Vitals;
use crate::metrics::Meter;

/// A second is limited when turns ran later than this at p99.
const LAG_P99_MAX: Duration = Duration::from_millis(5);
/// When a shard waited for a core for more than this share of the second.
const RUN_DELAY_MAX: f64 = 0.2;
/// When the hypervisor took more than this share of the CPU time: who keeps a shard from a core
/// makes no difference.
const STEAL_MAX: f64 = RUN_DELAY_MAX;

pub(super) fn delayed(run_delay: Duration, span: Duration) -> bool {
    run_delay.as_secs_f64() > span.as_secs_f64() * RUN_DELAY_MAX
}

/// Why this second is limited.
pub(super) fn reasons(second: &Meter, delayed: bool, vitals: &Vitals) -> Vec<&'static str> {
    let mut why = Vec::new();
    if u128::from(second.lag.at(0.99)) > LAG_P99_MAX.as_micros() {
        why.push("lag over 5 ms");
    }
    if delayed {
        why.push("run delay over 20 %");
    }
    if second.dropped + second.mail.dropped > 0 {
        why.push("load was dropped");
    }
    if second.mail.full_turns > 0 {
        why.push("mail between shards was full");
    }
    if vitals.steal > STEAL_MAX {
        why.push("CPU stolen by the hypervisor");
    }
    if vitals.overflows > 0 {
        why.push("listen queues on this machine overflowed");
    }
    why.extend(second.limits.iter().map(|(name, _)| *name));
    why
}
