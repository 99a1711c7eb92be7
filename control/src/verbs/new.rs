//! `densebots new` and `densebots show`: scenario files to begin with.

use std::fs::OpenOptions;
use std::io::Write;

use anyhow::{Context, Result};
use densebots_scenarios::file::{EXAMPLES, Example, STARTERS};

use crate::args::NewFlags;
use crate::ending::{Ending, usage};
use crate::names;

/// Writes a commented file that runs as it is.
pub(crate) fn new(flags: &NewFlags) -> Result<Ending> {
    let starter = named(STARTERS, &flags.protocol, "--protocol", "protocol")?;
    let path = match crate::scenario_file::is_file(&flags.name) {
        true => flags.name.clone(),
        false => format!("{}.yaml", flags.name),
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(|error| usage(format!("{path}: {error}")))?;
    file.write_all(starter.text.as_bytes()).with_context(|| format!("writing {path}"))?;
    Ok(crate::tell(&format!("{path}\n")))
}

/// A built-in scenario as a file.
pub(crate) fn shown(name: &str) -> Result<&'static str> {
    Ok(named(EXAMPLES, name, "show", "scenario with a file")?.text)
}

fn named(
    among: &'static [Example],
    name: &str,
    flag: &str,
    what: &str,
) -> Result<&'static Example> {
    among.iter().find(|example| example.name == name).ok_or_else(|| {
        let known: Vec<&str> = among.iter().map(|example| example.name).collect();
        let hint = names::hint(names::nearest(name, known.iter().copied()));
        let known = known.join(", ");
        usage(format!("{flag} {name}: no {what} is called so (there is {known}){hint}"))
    })
}
