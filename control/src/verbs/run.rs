//! `densebots run`: a scenario against a target, from the plan in words to the summary.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use densebots_engine::Report;
use densebots_engine::limits::Level;
use densebots_engine::plan::{Resume, Trust};
use densebots_scenarios::Ready;
use densebots_scenarios::target::Speaks;

use crate::args::RunFlags;
use crate::clock;
use crate::ending::{Ending, usage};
use crate::meant::{self, Meant};
use crate::paint::Paint;
use crate::report_file::Keeper;
use crate::scenario_file;
use crate::secure::{self, KeyLog};
use crate::signals::Signals;
use crate::summary::Summary;
use crate::target::{Cost, Embedded, Wanted};
use crate::threshold::Watch;
use crate::trace::trace;
use crate::verdict::Verdict;
use crate::view::terminal::columns;
use crate::wire::Heading;
use crate::words;

mod lead;

use lead::Lead;

/// Runs.
pub(crate) fn run(flags: &RunFlags) -> Result<Ending> {
    let signals = Signals::watch()?;
    let staged = Staged::of(flags)?;
    let keeper = flags.output.report.as_deref().map(Keeper::check).transpose()?;
    let played = play(staged, flags, keeper, signals)?;
    crate::tell(&played.summary());
    Ok(played.ending(flags.output.strict))
}

/// A run of which everything is known, and nothing has started.
pub(crate) struct Staged {
    pub(crate) meant: Meant,
    ready: Ready,
    watch: Watch,
}

impl Staged {
    /// From the flags, or a fault.
    pub(crate) fn of(flags: &RunFlags) -> Result<Staged> {
        let meant = Meant::of(flags)?;
        refuse(&meant)?;
        let ready = meant.ready()?;
        let watch = watch_of(&meant, flags, &ready)?;
        Ok(Staged { meant, ready, watch })
    }
}

/// Runs from the first bot to the last.
pub(crate) fn play(
    Staged { mut meant, ready, watch }: Staged,
    flags: &RunFlags,
    keeper: Option<Keeper>,
    signals: Signals,
) -> Result<Played> {
    let paint = Paint::on(&io::stderr());
    if !flags.output.quiet {
        let mut out = io::stderr().lock();
        let _ = out.write_all(words::plan(&meant, paint, columns()).as_bytes());
        for name in meant::stray_variables() {
            let _ = writeln!(out, "{}", paint.doubt(&format!("{name} is no flag of densebots")));
        }
        if let Some(why) = keeper.as_ref().and_then(Keeper::failed) {
            let _ = writeln!(out, "{}", paint.bad(&format!("{why}; the run goes on")));
        }
    }
    let mut target = embed(&mut meant)?;
    let heading = Heading {
        scenario: meant.scenario.name,
        target: meant.target.clone(),
        started: clock::date(),
        model: meant.model(),
        embedded: meant.embedded,
        verified: secure::verified(meant.plan.tls.as_ref()),
    };
    let mut plan = meant.plan.clone();
    let key_log = KeyLog::of(&flags.secure, plan.tls.as_mut())?;
    let (observer, traced) = if plan.trace.is_empty() {
        (None, None)
    } else {
        let (observer, traced) = trace(plan.trace.clone(), meant.scenario.target, paint);
        (Some(observer), Some(traced))
    };
    let run = ready.start(plan, observer).context("starting the run")?;
    let mut lead = Lead::new(&meant, heading, keeper, signals, flags.output.quiet);
    lead.watch = watch;
    lead.traced = traced;
    lead.failing = flags.output.trace.map(|_| 0);
    lead.follow(&run, target.as_mut());
    let report = run.finish();
    drop(target);
    lead.notes.extend(meant.file.and_then(scenario_file::unreached));
    lead.notes.extend(key_log.and_then(KeyLog::close));
    Ok(lead.close(report, &meant))
}

/// A run that has ended.
pub(crate) struct Played {
    pub(crate) heading: Heading,
    pub(crate) report: Report,
    pub(crate) verdict: Verdict,
    /// Somebody ended it.
    pub(crate) interrupted: bool,
    /// The report is not where it should be.
    unwritten: bool,
    notes: Vec<String>,
    cost: Cost,
    timeout: Duration,
}

impl Played {
    fn summary(&self) -> String {
        let summary = Summary {
            heading: &self.heading,
            report: &self.report,
            verdict: &self.verdict,
            timeout: self.timeout,
            notes: &self.notes,
            target: self.cost,
            paint: Paint::on(&io::stdout()),
        };
        summary.text()
    }

    /// The exit code: what went wrong most decides.
    pub(crate) fn ending(&self, strict: bool) -> Ending {
        if self.report.panic.is_some() {
            Ending::Unexpected
        } else if self.interrupted {
            Ending::Interrupted
        } else if self.report.bots.peak_online == 0 {
            Ending::NobodyOnline
        } else if !self.verdict.passed() {
            Ending::Failed
        } else if self.unwritten {
            Ending::Unexpected
        } else if strict && !self.verdict.trustworthy() {
            Ending::Untrustworthy
        } else {
            Ending::Passed
        }
    }
}

/// What has to hold, about what the scenario measures.
pub(crate) fn watch_of(meant: &Meant, flags: &RunFlags, ready: &Ready) -> Result<Watch> {
    let (typed, timeout) = (&flags.verdict.threshold, meant.plan.request_timeout);
    scenario_file::watch(meant.file, typed, ready.names(), timeout)
}

/// Says what this machine cannot hold, before anything starts.
fn refuse(meant: &Meant) -> Result<()> {
    let findings = meant.preflight.findings.iter();
    let refusals: Vec<String> =
        findings.filter(|f| f.level == Level::Refusal).map(words::told).collect();
    match refusals.is_empty() {
        true => Ok(()),
        false => Err(usage(format!("this machine cannot hold that: {}", refusals.join("; ")))),
    }
}

/// Starts the embedded target, if it is to be.
fn embed(meant: &mut Meant) -> Result<Option<Embedded>> {
    if !meant.embedded {
        return Ok(None);
    }
    let connections = meant.plan.load.live_max().saturating_add(meant.plan.capacity);
    let (shards, split) = (meant.preflight.target_shards.max(1), meant.preflight.split);
    let xmpp = meant.scenario.target == Speaks::Xmpp;
    let target = Embedded::start(&Wanted {
        speaks: meant.scenario.target,
        shards,
        split_tables: split,
        connections,
        tls: meant.way.flag(),
        tickets: meant.plan.tls.as_ref().is_some_and(|tls| tls.resume != Resume::Never),
        domain: xmpp.then(|| meant.settings.text("domain")),
    })?;
    meant.plan.endpoints = target.endpoints();
    if let Some(dial) = meant.plan.tls.as_mut().and_then(|tls| tls.dial.as_mut()) {
        dial.trust = Trust::Pinned(target.certificate.into_iter().collect());
    }
    Ok(Some(target))
}
