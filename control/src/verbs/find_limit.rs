//! `densebots find-limit`: raises the load run by run until one does not pass, narrows down where
//! that begins, and shows every run as evidence.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Result;

use super::run::{Played, Staged, play};
use crate::args::{FindLimitFlags, Raise, Step};
use crate::clock;
use crate::ending::{Ending, Usage, usage};
use crate::paint::Paint;
use crate::report_file::Keeper;
use crate::signals::Signals;
use crate::units;
use crate::wire::{LimitFile, LimitPart, ReportFile, SearchPart, StepPart};

mod evidence;
mod search;
use search::{RUNS_MAX, Search};

/// Searches.
pub(crate) fn find_limit(flags: FindLimitFlags) -> Result<Ending> {
    let signals = Signals::watch()?;
    let mut found = Found::begin(&flags)?;
    let (mut run, raise) = (flags.run, flags.raise);
    let report = run.output.report.take();
    let mut keeper = report.as_deref().map(Keeper::check).transpose()?;
    let began = clock::now();
    while let Some(load) = found.search.next() {
        match raise {
            Raise::Bots => run.load.bots = Some(load as u32),
            Raise::Rate => run.load.open = Some(load),
        }
        let staged = match Staged::of(&run) {
            Ok(staged) => staged,
            Err(error) if error.is::<Usage>() && !found.steps.is_empty() => {
                found.stopped = Some(format!("{}: {error}", found.told(load)));
                break;
            }
            Err(error) => return Err(error),
        };
        if !run.output.quiet {
            let nth = found.steps.len() + 1;
            let line = format!("run {nth}: {}", found.told(load));
            let _ = writeln!(io::stderr(), "{}", Paint::on(&io::stderr()).strong(&line));
        }
        found.eased |= staged.meant.eased;
        let played = play(staged, &run, None, signals.clone())?;
        let (interrupted, broken) = (played.interrupted, played.report.panic.is_some());
        found.note(load, played);
        found.part.duration_s = began.elapsed().as_secs_f64();
        if let Some(keeper) = &mut keeper {
            keeper.write(&found.file());
        }
        if interrupted || broken {
            crate::tell(&found.text(Paint::on(&io::stdout())));
            return Ok(if broken { Ending::Unexpected } else { Ending::Interrupted });
        }
    }
    found.part.ended = true;
    let mut unwritten = false;
    if let Some(keeper) = &mut keeper {
        keeper.write(&found.file());
        if let Some(why) = keeper.failed() {
            let _ = writeln!(io::stderr(), "densebots: {why}");
            unwritten = true;
        }
    }
    crate::tell(&found.text(Paint::on(&io::stdout())));
    Ok(found.ending(run.output.strict, unwritten))
}

/// What was found so far.
struct Found {
    raise: Raise,
    search: Search,
    part: SearchPart,
    steps: Vec<(f64, Played)>,
    /// Why no higher load could be tried.
    stopped: Option<String>,
    /// Bots were let pause longer in larger runs, for a target on the same machine.
    eased: bool,
}

impl Found {
    /// Nothing yet. What contradicts the search is refused.
    fn begin(flags: &FindLimitFlags) -> Result<Found> {
        let (raise, load) = (flags.raise, &flags.run.load);
        let given = match raise {
            Raise::Bots => [("--bots", load.bots.is_some()), ("--open", load.open.is_some())],
            Raise::Rate => [("--open", load.open.is_some()), ("--arrive", load.arrive.is_some())],
        };
        let given = given.into_iter().chain([("--ids", load.ids.is_some())]);
        if let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) {
            let what = match raise {
                Raise::Bots => "bots are",
                Raise::Rate => "the rate is",
            };
            return Err(usage(format!("{flag}: {what} raised from --from to --to: leave it out")));
        }
        let of = |flag: &str, given: &Option<String>, usual: f64| {
            let Some(text) = given else { return Ok(usual) };
            let read = match raise {
                Raise::Bots => units::count(text).map(f64::from),
                Raise::Rate => units::rate(text),
            };
            let load = read.map_err(|why| usage(format!("{flag}: {why}")))?;
            if load > 0.0 { Ok(load) } else { Err(usage(format!("{flag} {text}: more than 0"))) }
        };
        let usual: (f64, f64) = match raise {
            Raise::Bots => (1e3, 1e6),
            Raise::Rate => (100.0, 1e5),
        };
        let from = of("--from", &flags.from, usual.0)?;
        let to = of("--to", &flags.to, usual.1.max(from))?;
        if from > to {
            return Err(usage("--from is above --to, the highest load"));
        }
        // A rate has no smallest part; a thousandth of the first is fine enough.
        let grain = if raise == Raise::Bots { 1.0 } else { from / 1000.0 };
        if let Step::More(more) = flags.step
            && more < grain
        {
            return Err(usage(format!("--step {}: there are only whole bots", flags.step)));
        }
        let part = SearchPart {
            raise: if raise == Raise::Bots { "bots" } else { "rate" },
            from,
            to,
            step: flags.step.to_string(),
            within: flags.within,
            started: clock::date(),
            duration_s: 0.0,
            ended: false,
        };
        let search = Search {
            from,
            to,
            step: flags.step,
            within: flags.within,
            grain,
            holds: None,
            breaks: None,
            runs: 0,
        };
        Ok(Found { raise, search, part, steps: Vec::new(), stopped: None, eased: false })
    }

    /// A run has ended. One that was ended by somebody says nothing of its load.
    fn note(&mut self, load: f64, played: Played) {
        if !played.interrupted {
            self.search.note(load, played.verdict.passed());
        }
        self.steps.push((load, played));
    }

    /// A load in words.
    fn told(&self, load: f64) -> String {
        match self.raise {
            Raise::Bots => units::several(load as u64, "bot"),
            Raise::Rate => format!("{} arriving", units::per_second(load)),
        }
    }

    /// The run of this load.
    fn step(&self, load: Option<f64>) -> Option<&Played> {
        self.steps.iter().find(|(own, _)| Some(*own) == load).map(|(_, played)| played)
    }

    /// Whether the runs on both sides of the limit speak of the target.
    fn trustworthy(&self) -> bool {
        let sides = [self.step(self.search.holds), self.step(self.search.breaks)];
        sides.into_iter().flatten().all(|played| played.verdict.trustworthy())
    }

    /// What it came to, in one line.
    fn conclusion(&self) -> String {
        let more = match (&self.stopped, self.search.runs) {
            (Some(why), _) => format!("; more could not be tried: {why}"),
            (None, RUNS_MAX..) => format!("; the search ended after {RUNS_MAX} runs"),
            (None, _) => String::new(),
        };
        let text = match (self.search.holds, self.search.breaks) {
            (None, None) => "nothing was found".to_owned(),
            (None, Some(breaks)) => {
                format!("{} are too many already: begin lower, with --from", self.told(breaks))
            }
            (Some(holds), None) => format!("no limit up to {}", self.told(holds)),
            (Some(holds), Some(breaks)) => {
                format!("{} hold, {} do not", self.told(holds), self.told(breaks))
            }
        };
        format!("{text}{more}")
    }

    fn file(&self) -> LimitFile {
        let step = |(load, played): &(f64, Played)| {
            let (heading, phase) = (&played.heading, densebots_engine::Phase::Ended);
            let report =
                ReportFile::of(heading, &played.report, &played.verdict, phase, Vec::new());
            StepPart { load: *load, report }
        };
        let breaking = self.step(self.search.breaks);
        LimitFile {
            search: self.part.clone(),
            limit: LimitPart {
                holds: self.search.holds,
                breaks: self.search.breaks,
                reasons: breaking.map_or(Vec::new(), |step| step.verdict.failures.clone()),
                trustworthy: self.trustworthy(),
                told: self.conclusion(),
            },
            steps: self.steps.iter().map(step).collect(),
        }
    }

    fn took(&self) -> Duration {
        Duration::from_secs_f64(self.part.duration_s)
    }

    /// A limit that was found is what was asked for; that the first load is too much is a failure.
    fn ending(&self, strict: bool, unwritten: bool) -> Ending {
        if self.search.holds.is_none() {
            Ending::Failed
        } else if unwritten {
            Ending::Unexpected
        } else if strict && !self.trustworthy() {
            Ending::Untrustworthy
        } else {
            Ending::Passed
        }
    }
}
