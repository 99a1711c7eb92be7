//! The verdict on a run: by its thresholds, or by the usual rule where there are none.

use densebots_engine::Report;

use crate::threshold::{Judged, Watch};

/// What is to be said of a run.
pub(crate) struct Verdict {
    /// Why it did not pass; empty if it did.
    pub failures: Vec<String>,
    /// Why its figures are not to be trusted; empty if they are.
    pub doubts: Vec<String>,
    /// What became of each threshold, in the order in which they were given.
    pub thresholds: Vec<Judged>,
}

impl Verdict {
    /// Of a report. Who gives thresholds has said what matters: how many bots have to be online is
    /// then for them to say. What broke the run itself fails it all the same.
    pub(crate) fn of(report: &Report, watch: &Watch) -> Verdict {
        let thresholds = watch.judge(report);
        let mut failures = match watch.is_empty() {
            true => report.failures(),
            false => report.failures_below(0.0),
        };
        let broken = thresholds.iter().filter(|own| !own.passed);
        failures.extend(broken.map(|own| format!("{}: {}", own.expression, own.told)));
        let mut doubts = report.doubts();
        let limited = thresholds.iter().filter(|own| own.limited > 0);
        doubts.extend(limited.map(|own| {
            let seconds = match own.limited {
                1 => "1 limited second".to_owned(),
                many => format!("{many} limited seconds"),
            };
            format!("{seconds} broke {}", own.expression)
        }));
        Verdict { failures, doubts, thresholds }
    }

    /// Whether the run passed.
    pub(crate) fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// Whether its figures speak of the target.
    pub(crate) fn trustworthy(&self) -> bool {
        self.doubts.is_empty()
    }
}
