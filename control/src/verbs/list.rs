//! `densebots list`: the scenarios.

use std::fmt::Write;

use densebots_scenarios::BUILTIN;

/// The scenarios and their parameters.
pub(crate) fn text() -> String {
    let mut text = String::new();
    for builtin in BUILTIN {
        let _ = writeln!(text, "{:<8} {}", builtin.name, builtin.about);
        for parameter in builtin.parameters {
            let set = format!("{}={}", parameter.name, parameter.default);
            let _ = writeln!(text, "         --set {set:<12} {}", parameter.about);
        }
    }
    text.push_str("\nA file does as well: `densebots new NAME` writes one to begin with.\n");
    text
}
