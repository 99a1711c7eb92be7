//! Who may depend on whom, on which crates of others, under which licences and Rust versions.

use std::process::Command;

use serde_json::Value;

use crate::{none, read, root};

/// A member, what it may use of ours, and what of others in what ships.
struct Arrows {
    package: &'static str,
    ours: &'static [&'static str],
    others: &'static [&'static str],
}

const PROTOCOLS: &str = "densebots-protocols";
const ENGINE: &str = "densebots-engine";
const SCENARIOS: &str = "densebots-scenarios";
const CONTROL: &str = "densebots";
/// They may use everything, and nobody may use them.
const ABOVE_ALL: [&str; 2] = ["densebots-tests", "densebots-bench"];

/// A new line here is a decision: say in the commit what the crate is for.
const ARROWS: [Arrows; 4] = [
    Arrows {
        package: PROTOCOLS,
        ours: &[],
        others: &[
            "base64",
            "ctutils",
            "hmac",
            "memchr",
            "quick-xml",
            "rxml", // the oracle of fuzz targets, behind a feature
            "sha1",
            "sha2",
            "stringprep",
            "thiserror",
        ],
    },
    Arrows {
        package: ENGINE,
        ours: &[PROTOCOLS],
        others: &[
            "aws-lc-rs",
            "crossbeam-channel",
            "hdrhistogram",
            "libc",
            "mio",
            "rand",
            "rand_distr",
            "rustix",
            "rustls",
            "slab",
            "socket2",
            "thiserror",
        ],
    },
    Arrows {
        package: SCENARIOS,
        ours: &[ENGINE, PROTOCOLS],
        others: &["csv", "granit-parser", "humantime", "strsim", "thiserror"],
    },
    Arrows {
        package: CONTROL,
        ours: &[ENGINE, SCENARIOS],
        others: &[
            "anstyle",
            "anyhow",
            "base64",
            "clap",
            "hdrhistogram",
            "hickory-resolver",
            "humantime",
            "rcgen",
            "rustix",
            "rustls-native-certs",
            "schemars",
            "serde",
            "serde_json",
            "sha2",
            "signal-hook",
            "tokio",
        ],
    },
];

/// What cargo knows of the workspace and everything it is built from on Linux.
fn metadata() -> Value {
    let told = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--filter-platform"])
        .arg("x86_64-unknown-linux-gnu")
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    serde_json::from_slice(&told.stdout).expect("cargo speaks JSON")
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

fn list(of: &Value) -> &[Value] {
    of.as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn arrows_go_down() {
    let metadata = metadata();
    let members = list(&metadata["workspace_members"]);
    let ours = |package: &Value| members.contains(&package["id"]);
    let mut faults = Vec::new();
    for package in list(&metadata["packages"]).iter().filter(|package| ours(package)) {
        let name = text(package, "name");
        if ABOVE_ALL.contains(&name) {
            continue;
        }
        let Some(arrows) = ARROWS.iter().find(|arrows| arrows.package == name) else {
            faults
                .push(format!("{name}: a member without a line in ARROWS (tests/tidy/arrows.rs)"));
            continue;
        };
        for dependency in list(&package["dependencies"]) {
            let (on, kind) = (text(dependency, "name"), text(dependency, "kind"));
            if ABOVE_ALL.contains(&on) {
                faults.push(format!("{name} -> {on}: nobody may depend on tests or bench"));
            } else if on.starts_with("densebots") && !arrows.ours.contains(&on) {
                faults.push(format!(
                    "{name} -> {on}: an arrow upward or across; {name} may use {:?}: move what is \
                     needed down, or hand it in",
                    arrows.ours
                ));
            } else if kind.is_empty() && !on.starts_with("densebots") {
                let known = arrows.others.contains(&on);
                let fault = format!(
                    "{name} -> {on}: not among its crates; if it has to be, add it to ARROWS in \
                     tests/tidy/arrows.rs and say why in the commit"
                );
                faults.extend((!known).then_some(fault));
            }
        }
    }
    none(&faults);
}

#[test]
fn the_rust_version_is_enough_for_every_dependency() {
    let metadata = metadata();
    let manifest = read("Cargo.toml");
    let stated = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let stated = version(stated.expect("rust-version is stated").trim_matches('"'));
    let mut faults = Vec::new();
    for package in list(&metadata["packages"]) {
        let needed = version(text(package, "rust_version"));
        if needed > stated {
            let name = text(package, "name");
            faults.push(format!("{name} needs Rust {needed:?}: raise rust-version in Cargo.toml"));
        }
    }
    none(&faults);
}

/// Major, minor and patch; what is left out is zero.
fn version(text: &str) -> [u32; 3] {
    let mut parts = text.split('.').map_while(|part| part.parse().ok());
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

#[test]
fn every_licence_is_allowed() {
    let deny = read("deny.toml");
    let allowed = deny.lines().find_map(|line| line.strip_prefix("allow = "));
    let allowed: Vec<String> =
        serde_json::from_str(allowed.expect("deny.toml has `allow = [...]` on one line"))
            .expect("a list of names");
    let mut faults = Vec::new();
    for package in list(&metadata()["packages"]) {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        if !may(licence, &allowed) {
            faults.push(format!("{name}: `{licence}` is not allowed by deny.toml"));
        }
    }
    none(&faults);
}

/// Whether an SPDX expression can be satisfied: AND binds closer than OR.
fn may(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ");
    any(&mut expression.replace('(', " ( ").replace(')', " ) ").split_whitespace(), allowed)
}

fn any<'a>(words: &mut impl Iterator<Item = &'a str>, allowed: &[String]) -> bool {
    let (mut one, mut all, mut seen) = (false, true, false);
    while let Some(word) = words.next() {
        match word {
            "OR" => (one, all, seen) = (one || (all && seen), true, false),
            "AND" => {}
            // With an exception it is a licence of its own, and none of those is on the list.
            "WITH" => all = words.next().is_none(),
            ")" => break,
            "(" => (all, seen) = (any(words, allowed) && all, true),
            name => (all, seen) = (all && allowed.iter().any(|known| known == name), true),
        }
    }
    one || (all && seen)
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = ["MIT".to_owned(), "Apache-2.0".to_owned()];
    let cases = [
        ("MIT", true),
        ("Unlicense/MIT", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", false),
        ("(MIT OR GPL-3.0) AND Apache-2.0", true),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("Apache-2.0 WITH LLVM-exception OR MIT", true),
        ("", false),
    ];
    for (expression, expected) in cases {
        assert_eq!(may(expression, &allowed), expected, "{expression}");
    }
}
