//! A run while it goes on.

use std::io::{self, Write};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use densebots_engine::{Command, Report, Run, Snapshot};

use super::Played;
use crate::clock;
use crate::meant::{self, Meant};
use crate::paint::Paint;
use crate::report_file::Keeper;
use crate::signals::Signals;
use crate::target::{Cost, Embedded};
use crate::threshold::Watch;
use crate::trace;
use crate::verdict::Verdict;
use crate::view::terminal::Keys;
use crate::view::{Frame, View};
use crate::wire::{Heading, ReportFile, Series};

/// How often signals and keys are looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// How often the report is rewritten, so that a killed run keeps its figures.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Leads a run through its time: shows it, keeps it, passes on what people say.
pub(super) struct Lead {
    heading: Heading,
    keeper: Option<Keeper>,
    series: Series,
    signals: Signals,
    /// What has to hold.
    pub(super) watch: Watch,
    keys: Option<Keys>,
    view: View,
    written: Instant,
    /// How often somebody asked for the end.
    asked: u32,
    paused: bool,
    /// What traced bots go through.
    pub(super) traced: Option<Receiver<String>>,
    /// How many transcripts of failing bots were shown, if they are to be.
    pub(super) failing: Option<usize>,
    /// What the embedded target has cost: its CPU time, and the most memory.
    cost: Cost,
    pub(super) notes: Vec<String>,
}

impl Lead {
    pub(super) fn new(
        meant: &Meant,
        heading: Heading,
        keeper: Option<Keeper>,
        signals: Signals,
        quiet: bool,
    ) -> Lead {
        let keys = if quiet { None } else { Keys::listen() };
        let (plan, hold) = (&meant.plan, meant.plan.window());
        let before = meant::expected_length(plan).saturating_sub(hold + plan.cool_down);
        let frame = Frame {
            scenario: meant.scenario.name,
            phases: (before, hold),
            preflight: meant.preflight.clone(),
            embedded: meant.embedded,
            keys: keys.is_some(),
        };
        Lead {
            heading,
            keeper,
            series: Series::new(),
            signals,
            watch: Watch::default(),
            keys,
            view: View::fitting(quiet, frame),
            written: clock::now(),
            asked: 0,
            paused: false,
            traced: None,
            failing: None,
            cost: Cost::default(),
            notes: Vec::new(),
        }
    }

    /// Until the run has ended and its last second was seen.
    pub(super) fn follow(&mut self, run: &Run, mut target: Option<&mut Embedded>) {
        let mut gone = false;
        loop {
            let ended = run.ended();
            match run.snapshot(GLANCE) {
                Some(snapshot) => {
                    self.see(&snapshot);
                    self.judge(&snapshot, run);
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

    fn tell_failing(&mut self, report: &Report) {
        let Some(shown) = &mut self.failing else { return };
        let paint = Paint::on(&io::stderr());
        for transcript in &report.transcripts[*shown..] {
            for line in trace::failing::lines(transcript, &report.names, paint) {
                self.view.trace(&line);
            }
        }
        *shown = report.transcripts.len();
    }

    fn see(&mut self, snapshot: &Snapshot) {
        self.series.push(snapshot);
        self.view.show(snapshot);
        self.tell_failing(&snapshot.report);
        let Some(keeper) = &mut self.keeper else { return };
        if self.written.elapsed() >= REPORT_EVERY {
            self.written = clock::now();
            let series = self.series.entries().to_vec();
            let had_failed = keeper.failed().is_some();
            let (report, phase) = (&snapshot.report, snapshot.phase);
            let verdict = Verdict::of(report, &self.watch);
            keeper.write(&ReportFile::of(&self.heading, report, &verdict, phase, series));
            if let Some(why) = keeper.failed().filter(|_| !had_failed) {
                self.view.say(&format!("{why}; the run goes on"));
            }
        }
    }

    /// Looks at the thresholds, and ends the run if one of them says so.
    fn judge(&mut self, snapshot: &Snapshot, run: &Run) {
        for line in self.watch.see(snapshot) {
            self.view.say(&line);
        }
        if let Some(why) = self.watch.abort(snapshot.at) {
            self.view.say(&format!("{why}; draining"));
            let _ = run.command(Command::Abort(why));
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

    /// The last report, and what the run came to.
    pub(super) fn close(mut self, report: Report, meant: &Meant) -> Played {
        self.tell_traced();
        self.tell_failing(&report);
        self.view.close();
        self.keys = None; // the terminal is whole again before anybody reads the summary
        let phase = densebots_engine::Phase::Ended;
        let mut unwritten = false;
        let verdict = Verdict::of(&report, &self.watch);
        if let Some(keeper) = &mut self.keeper {
            let series = self.series.entries().to_vec();
            keeper.write(&ReportFile::of(&self.heading, &report, &verdict, phase, series));
            if let Some(why) = keeper.failed() {
                let _ = writeln!(io::stderr(), "densebots: {why}");
                self.notes.push(format!("the report could not be written: {why}"));
                unwritten = true;
            }
        }
        Played {
            heading: self.heading,
            report,
            verdict,
            interrupted: self.asked > 0,
            unwritten,
            notes: self.notes,
            cost: self.cost,
            timeout: meant.plan.request_timeout,
        }
    }
}

/// The population that is wanted now.
fn online_wanted(lead: &Lead) -> u32 {
    lead.series.entries().last().map_or(0, |second| {
        u32::try_from(second.online + second.connecting + second.waiting).unwrap_or(u32::MAX)
    })
}
