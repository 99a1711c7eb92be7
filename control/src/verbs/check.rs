//! `densebots check`: what is wrong with scenario files.

use std::io::{self, Write};

use anyhow::Result;
use densebots_scenarios::file::File;

use crate::ending::Ending;
use crate::scenario_file::{check_thresholds, source, told};
use crate::units::several;

/// Tells every fault of every file; ends as the worst of them.
pub(crate) fn check(files: &[String]) -> Result<Ending> {
    let mut ending = Ending::Passed;
    for path in files {
        let read = source(path).map(File::read);
        match read {
            Ok(Ok(file)) => {
                let file = file.keep();
                if let Err(error) = check_thresholds(file) {
                    let _ = writeln!(io::stderr(), "{}", error.to_string().trim_start());
                    ending = Ending::Usage;
                    continue;
                }
                let kinds = several(file.kinds() as u64, "kind");
                let (protocol, steps) = (file.protocol(), several(file.steps() as u64, "step"));
                let bytes = file.bytes_per_bot();
                crate::tell(&format!(
                    "{path}: fine: {protocol}, {kinds} of bots, {steps}, {bytes} bytes of memory \
                     a bot\n"
                ));
            }
            Ok(Err((source, faults))) => {
                let _ = writeln!(io::stderr(), "{}", told(&source, &faults));
                ending = Ending::Usage;
            }
            Err(error) => {
                let _ = writeln!(io::stderr(), "densebots: {error:#}");
                ending = Ending::Usage;
            }
        }
    }
    Ok(ending)
}
