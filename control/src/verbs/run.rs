//! `densebots run`: a scenario against a target, from the plan in words to the summary.

use std::io::{self, Write};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use densebots_engine::limits::Level;
use densebots_engine::plan::{Resume, Trust};
use densebots_engine::{Command, Load, Report, Run, Snapshot};
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
use crate::trace::{self, trace};
use crate::view::terminal::Keys;
use crate::view::{Frame, View};
use crate::wire::{Heading, ReportFile, Series};
use crate::words;

/// How often signals and keys are looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// How often the report is rewritten, so that a killed run keeps its figures.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Runs.
pub(crate) fn run(flags: &RunFlags) -> Result<Ending> {
    let signals = Signals::watch()?;
    let mut meant = Meant::of(flags)?;
    let paint = Paint::on(&io::stderr());
    refuse(&meant)?;
    let ready = meant.ready()?;
    let keeper = flags.output.report.as_deref().map(Keeper::check).transpose()?;
    if !flags.output.quiet {
        let mut out = io::stderr().lock();
        let _ = out.write_all(words::plan(&meant, paint).as_bytes());
        for name in meant::stray_variables() {
            let _ = writeln!(out, "{}", paint.doubt(&format!("{name} is no flag of densebots")));
        }
        if let Some(why) = meant.file.and_then(scenario_file::unjudged) {
            let _ = writeln!(out, "{}", paint.doubt(&why));
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
    lead.traced = traced;
    lead.follow(&run, target.as_mut());
    let report = run.finish();
    drop(target);
    lead.notes.extend(meant.file.and_then(scenario_file::unreached));
    lead.notes.extend(key_log.and_then(KeyLog::close));
    Ok(lead.close(&report, &meant, flags.output.strict))
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

/// Leads a run through its time: shows it, keeps it, passes on what people say.
struct Lead {
    heading: Heading,
    keeper: Option<Keeper>,
    series: Series,
    signals: Signals,
    keys: Option<Keys>,
    view: View,
    written: Instant,
    /// How often somebody asked for the end.
    asked: u32,
    paused: bool,
    /// What traced bots go through.
    traced: Option<Receiver<String>>,
    /// What the embedded target has cost: its CPU time, and the most memory.
    cost: Cost,
    notes: Vec<String>,
}

impl Lead {
    fn new(
        meant: &Meant,
        heading: Heading,
        keeper: Option<Keeper>,
        signals: Signals,
        quiet: bool,
    ) -> Lead {
        let keys = if quiet { None } else { Keys::listen() };
        let (length, hold) = (meant::expected_length(&meant.plan), hold(&meant.plan.load));
        let frame = Frame {
            scenario: meant.scenario.name,
            phases: (length.saturating_sub(hold), hold),
            preflight: meant.preflight.clone(),
            embedded: meant.embedded,
            keys: keys.is_some(),
        };
        Lead {
            heading,
            keeper,
            series: Series::new(),
            signals,
            keys,
            view: View::fitting(quiet, frame),
            written: clock::now(),
            asked: 0,
            paused: false,
            traced: None,
            cost: Cost::default(),
            notes: Vec::new(),
        }
    }

    /// Until the run has ended and its last second was seen.
    fn follow(&mut self, run: &Run, mut target: Option<&mut Embedded>) {
        let mut gone = false;
        loop {
            let ended = run.ended();
            match run.snapshot(GLANCE) {
                Some(snapshot) => {
                    self.see(&snapshot);
                    // Zero once it has ended; its memory is at its most while bots are held.
                    let cost = target.as_ref().map(|target| target.cost()).unwrap_or_default();
                    self.cost.cpu = self.cost.cpu.max(cost.cpu);
                    self.cost.rss_bytes = self.cost.rss_bytes.max(cost.rss_bytes);
                }
                None if ended => return,
                None => {}
            }
            self.listen(run);
            self.tell_traced();
            let status = if gone { None } else { target.as_mut().and_then(|t| t.ended_early()) };
            if let Some(status) = status {
                gone = true;
                let note = format!("the embedded target ended before the run did ({status})");
                self.view.say(&note);
                self.notes.push(note);
            }
        }
    }

    fn tell_traced(&mut self) {
        let Some(traced) = &self.traced else { return };
        // No more at once than may wait, so that a flood does not keep the run from being seen.
        for line in traced.try_iter().take(trace::LINES_MAX) {
            self.view.trace(&line);
        }
    }

    fn see(&mut self, snapshot: &Snapshot) {
        self.series.push(snapshot);
        self.view.show(snapshot);
        let Some(keeper) = &mut self.keeper else { return };
        if self.written.elapsed() >= REPORT_EVERY {
            self.written = clock::now();
            let series = self.series.entries().to_vec();
            let had_failed = keeper.failed().is_some();
            keeper.write(&ReportFile::of(&self.heading, &snapshot.report, snapshot.phase, series));
            if let Some(why) = keeper.failed().filter(|_| !had_failed) {
                self.view.say(&format!("{why}; the run goes on"));
            }
        }
    }

    /// Passes on signals and keys.
    fn listen(&mut self, run: &Run) {
        if self.signals.asked() {
            self.end(run, false);
        }
        while let Some(key) = self.keys.as_ref().and_then(Keys::pressed) {
            let one_per_cent = || (online_wanted(self) / 100).max(1);
            let command = match key {
                '+' | '=' => Command::Add(one_per_cent()),
                '-' | '_' => Command::Remove { bots: one_per_cent(), force: false },
                'p' if self.paused => Command::Resume,
                'p' => Command::Pause,
                'd' => return self.end(run, false),
                'q' => return self.end(run, true),
                _ => continue,
            };
            let pausing = matches!(command, Command::Pause | Command::Resume);
            match run.command(command) {
                Ok(_) => self.paused ^= pausing,
                Err(error) => self.view.say(&error.to_string()),
            }
        }
    }

    /// Somebody asked for the end: gently the first time, at once the second.
    fn end(&mut self, run: &Run, now: bool) {
        self.asked += 1;
        let stop = now || self.asked > 1;
        self.view.say(if stop { "stopping" } else { "draining; ask again to stop at once" });
        let _ = run.command(if stop { Command::Stop } else { Command::Drain });
    }

    /// The last report, the summary, the exit code.
    fn close(mut self, report: &Report, meant: &Meant, strict: bool) -> Ending {
        self.tell_traced();
        self.view.close();
        self.keys = None; // the terminal is whole again before anybody reads the summary
        let phase = densebots_engine::Phase::Ended;
        let mut unwritten = false;
        if let Some(keeper) = &mut self.keeper {
            let series = self.series.entries().to_vec();
            keeper.write(&ReportFile::of(&self.heading, report, phase, series));
            if let Some(why) = keeper.failed() {
                let _ = writeln!(io::stderr(), "densebots: {why}");
                self.notes.push(format!("the report could not be written: {why}"));
                unwritten = true;
            }
        }
        let summary = Summary {
            heading: &self.heading,
            report,
            timeout: meant.plan.request_timeout,
            notes: &self.notes,
            target: self.cost,
            paint: Paint::on(&io::stdout()),
        };
        let mut out = io::stdout().lock();
        // Whoever closed standard output has heard enough.
        let _ = out.write_all(summary.text().as_bytes()).and_then(|()| out.flush());
        ending(report, self.asked > 0, unwritten, strict)
    }
}

/// The exit code: what went wrong most decides.
fn ending(report: &Report, interrupted: bool, unwritten: bool, strict: bool) -> Ending {
    if report.panic.is_some() {
        Ending::Unexpected
    } else if interrupted {
        Ending::Interrupted
    } else if report.bots.peak_online == 0 {
        Ending::NobodyOnline
    } else if !report.passed() {
        Ending::Failed
    } else if unwritten {
        Ending::Unexpected
    } else if strict && !report.trustworthy() {
        Ending::Untrustworthy
    } else {
        Ending::Passed
    }
}

/// The population that is wanted now.
fn online_wanted(lead: &Lead) -> u32 {
    lead.series.entries().last().map_or(0, |second| {
        u32::try_from(second.online + second.connecting + second.waiting).unwrap_or(u32::MAX)
    })
}

fn hold(load: &Load) -> Duration {
    match *load {
        Load::Closed { hold, .. } => hold,
        Load::Open { ramp, lasting, .. } => lasting.saturating_sub(ramp),
    }
}
