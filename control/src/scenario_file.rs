//! Scenario files: read, told what is wrong, and what they say of load and target in the place of
//! flags that were not given.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use densebots_engine::{Names, Plan};
use densebots_scenarios::file::{BYTES_MAX, Faults, File, LoadPlan, Source, Span};
use densebots_scenarios::{Builtin, Settings};

use crate::args::{LoadFlags, RunFlags};
use crate::ending::usage;
use crate::threshold::{THRESHOLDS_MAX, Watch};

/// What bots do: built in, or from a file.
#[derive(Clone, Copy)]
pub(crate) struct Chosen {
    /// The scenario, in either case.
    pub scenario: &'static Builtin,
    /// The file that it is from.
    pub file: Option<&'static File>,
}

impl From<&'static Builtin> for Chosen {
    fn from(scenario: &'static Builtin) -> Chosen {
        Chosen { scenario, file: None }
    }
}

/// Whether a name of a scenario means a file.
pub(crate) fn is_file(name: &str) -> bool {
    let file = [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending));
    file || name.contains('/')
}

/// Reads a file whole, unless it is too large to be a scenario.
pub(crate) fn source(path: &str) -> Result<Source> {
    let fault = |why: String| usage(format!("{path}: {why}"));
    let size = Path::new(path).metadata().map_err(|error| fault(error.to_string()))?;
    if size.is_dir() {
        return Err(fault("this is a folder".to_owned()));
    }
    if size.len() > BYTES_MAX as u64 {
        let most = crate::units::size(BYTES_MAX as u64);
        return Err(fault(format!("{} bytes; a scenario has {most} at most", size.len())));
    }
    let bytes = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        fault(format!("byte {at} is no UTF-8: is this a text?"))
    })?;
    Ok(Source { name: path.to_owned(), text })
}

/// All faults, and how many there are.
pub(crate) fn told(source: &Source, faults: &Faults) -> String {
    let many = crate::units::several(faults.count() as u64, "fault");
    format!("{}{}: {many}", source.show(faults), source.name)
}

/// The scenario of a file.
pub(crate) fn chosen(path: &str) -> Result<Chosen> {
    let read = File::read(source(path)?);
    let file = read.map_err(|(source, faults)| usage(format!("\n{}", told(&source, &faults))))?;
    let file = file.keep();
    Ok(Chosen { scenario: file.builtin(), file: Some(file) })
}

/// The flags of a run, with what the file says where nothing was typed.
pub(crate) fn filled(flags: &RunFlags, file: Option<&File>) -> Result<RunFlags> {
    let mut flags = flags.clone();
    let Some(file) = file else { return Ok(flags) };
    contradictions(&flags.load, &file.load, &file.source.name)?;
    let LoadFlags { bots, ids, arrive, ramp, open, hold, .. } = &mut flags.load;
    let LoadPlan { bots: planned, .. } = file.load;
    *bots = bots.or(planned.filter(|_| ids.is_none()));
    *arrive = arrive.or(file.load.arrive);
    *ramp = ramp.or(file.load.ramp);
    *open = open.or(file.load.open);
    *hold = hold.or(file.load.hold);
    if flags.target.target.is_empty() {
        flags.target.target.extend(file.target.clone());
    }
    Ok(flags)
}

/// A flag may say another number than the file does, but not another kind of load.
fn contradictions(typed: &LoadFlags, planned: &LoadPlan, name: &str) -> Result<()> {
    let pairs = [
        ("--arrive", typed.arrive.is_some(), "ramp", planned.ramp.is_some()),
        ("--arrive", typed.arrive.is_some(), "open", planned.open.is_some()),
        ("--ramp", typed.ramp.is_some(), "arrive", planned.arrive.is_some()),
        ("--open", typed.open.is_some(), "arrive", planned.arrive.is_some()),
    ];
    match pairs.into_iter().find(|(_, typed, _, planned)| *typed && *planned) {
        None => Ok(()),
        Some((flag, _, key, _)) => Err(usage(format!(
            "{flag}: {name} plans its load with `{key}`, which contradicts it; leave the flag out, \
             or take `{key}` out of the file"
        ))),
    }
}

/// What has to hold for a run to pass: what the file says, and what was typed.
pub(crate) fn watch(
    file: Option<&File>,
    typed: &[String],
    names: &Names,
    timeout: Duration,
) -> Result<Watch> {
    let written = file.map(|file| &file.thresholds[..]).unwrap_or_default();
    let lines: Vec<String> = written.iter().map(|(line, _)| line).chain(typed).cloned().collect();
    if lines.len() > THRESHOLDS_MAX {
        return Err(usage(format!("--threshold: {} of at most {THRESHOLDS_MAX}", lines.len())));
    }
    Watch::over(&lines, names, timeout).map_err(|(nth, fault)| match file.zip(written.get(nth)) {
        Some((file, (line, span))) => {
            let (bytes, begins) = (fault.bytes(), span.from as usize);
            // A text in quotes need not stand in the file as it is.
            let plain = file.source.text.get(begins..).is_some_and(|rest| rest.starts_with(line));
            let part = || Span::of(begins + bytes.start, begins + bytes.end);
            let mut faults = Faults::default();
            faults.add(if plain { part() } else { *span }, fault.why());
            usage(format!("\n{}", told(&file.source, &faults)))
        }
        None => usage(format!("--threshold: {fault}")),
    })
}

/// Whether a file's thresholds can be judged by what its bots measure.
pub(crate) fn check_thresholds(file: &'static File) -> Result<()> {
    let scenario = file.builtin();
    let settings = Settings::of(scenario.parameters, [])?.with_file(file);
    let plan = Plan::default();
    let ready = (scenario.prepare)(&settings, &plan)?;
    watch(Some(file), &[], ready.names(), plan.request_timeout).map(|_| ())
}

/// The steps that no bot came to in a run: some of them may be meant for another day.
pub(crate) fn unreached(file: &File) -> Option<String> {
    const SHOWN_MAX: usize = 8;
    let all = file.unreached();
    let shown = all.iter().take(SHOWN_MAX);
    let shown: Vec<String> = shown.map(|(line, name)| format!("`{name}` in line {line}")).collect();
    let more = match all.len().saturating_sub(SHOWN_MAX) {
        0 => String::new(),
        more => format!(" and {} more", crate::units::several(more as u64, "place")),
    };
    let shown = shown.join(", ");
    (!all.is_empty()).then(|| format!("no bot came to these steps: {shown}{more}"))
}
