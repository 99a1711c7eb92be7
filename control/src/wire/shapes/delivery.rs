//! What the ledger says.

use schemars::JsonSchema;
use serde::Serialize;

/// Who should have heard what, and did. Null where nobody keeps the ledger.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct DeliveryPart {
    /// Messages sent.
    pub messages: Option<u64>,
    /// Deliveries expected: the sum of the next five.
    pub expected: Option<u64>,
    /// Heard.
    pub delivered: Option<u64>,
    /// Not heard.
    pub missing: Option<u64>,
    /// Not heard, for a reason of the receiver's.
    pub excused: Option<u64>,
    /// Sent back.
    pub bounced: Option<u64>,
    /// Not decided at the end.
    pub unresolved: Option<u64>,
    /// Heard twice.
    pub duplicated: Option<u64>,
    /// Heard behind a later message of the same sender in the same room.
    pub reordered: Option<u64>,
    /// Heard after the limit.
    pub late: Option<u64>,
    /// Heard as history.
    pub history: Option<u64>,
    /// Heard from others than our bots.
    pub foreign: Option<u64>,
    /// Heard by bots that did not owe it: they came in just behind it, or had left.
    pub unowed: Option<u64>,
    /// What a message may take before it is missing, and a receipt late.
    pub limit_s: Option<f64>,
    /// From due to each receipt, and to the last one of a message by how many bots owed it; in the
    /// measure window.
    pub latency: Vec<DeliveryLatencyPart>,
    /// Why the values are null.
    pub reason: Option<String>,
}

/// How long deliveries took.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DeliveryLatencyPart {
    /// `each`, or `last` for the last receipt of a message.
    pub of: &'static str,
    /// How many bots owed it: 1-2, 3-9, 10-49, 50 and more; null for any number.
    pub receivers: Option<&'static str>,
    /// How many.
    pub count: u64,
    /// Median.
    pub p50_us: Option<u64>,
    /// 95th percentile.
    pub p95_us: Option<u64>,
    /// 99th percentile; null below 100 samples.
    pub p99_us: Option<u64>,
    /// 99.9th percentile; null below 10,000 samples.
    pub p999_us: Option<u64>,
    /// Longest; of `last`, what is missing ranks at the limit.
    pub max_us: Option<u64>,
}
