//! The house is as the README says: arrows, "Never:" lines, sizes, names, licences, versions.
//!
//! A failure says which file broke what, and what to do about it.
#![forbid(unsafe_code)]

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/never.rs"]
mod never;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/sources.rs"]
mod sources;
#[path = "tidy/words.rs"]
mod words;

use std::path::{Path, PathBuf};

/// The root of the workspace.
fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root");
    root.to_path_buf()
}

fn read(path: &str) -> String {
    let text = std::fs::read_to_string(root().join(path));
    text.unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
}

/// Fails with every fault, one a line.
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{} faults:\n  {}\n", faults.len(), faults.join("\n  "));
}
