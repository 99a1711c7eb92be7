//! Scenario files, with the trees, templates and quantities in them.

use densebots_scenarios::file::{File, Source};
use densebots_scenarios::tree::STEPS_MAX;

/// Any text is a scenario within its limits, or refused with something to show. No choices: all
/// bytes are the file.
pub fn scenario(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let source = Source { name: "fuzzed".to_owned(), text: text.to_owned() };
    match File::read(source) {
        Ok(file) => {
            assert!(file.steps() > 0 && file.steps() <= STEPS_MAX);
            assert!(file.kinds() > 0 && file.bytes_per_bot() >= 2);
        }
        Err((source, faults)) => {
            let shown = source.show(&faults);
            assert!(!faults.is_empty() && shown.starts_with("fuzzed:"), "{shown}");
        }
    }
}
