//! What `find-limit` found, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::ReportFile;

/// What a search for a limit came to.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LimitFile {
    /// What was searched for, and how.
    pub search: SearchPart,
    /// What was found.
    pub limit: LimitPart,
    /// Every run, in the order in which they went.
    pub steps: Vec<StepPart>,
}

/// What was searched for, and how.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct SearchPart {
    /// `bots` or `rate`.
    pub raise: &'static str,
    /// The first load.
    pub from: f64,
    /// The highest that may be tried.
    pub to: f64,
    /// `x2`, say, or how much more.
    pub step: String,
    /// How near both sides of the limit had to come, as a share.
    pub within: f64,
    /// When it began, RFC 3339.
    pub started: String,
    /// How long it has taken.
    pub duration_s: f64,
    /// It has ended; one that was killed leaves what it had.
    pub ended: bool,
}

/// What was found.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct LimitPart {
    /// The highest load that passed; null if none did.
    pub holds: Option<f64>,
    /// The lowest load that did not pass; null if all did.
    pub breaks: Option<f64>,
    /// Why that one did not.
    pub reasons: Vec<String>,
    /// Both runs were; otherwise the limit may be the generator's.
    pub trustworthy: bool,
    /// In words.
    pub told: String,
}

/// One run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StepPart {
    /// What it carried.
    pub load: f64,
    /// Its report, without its seconds.
    pub report: ReportFile,
}
