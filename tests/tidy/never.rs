//! The lines of the README that begin with "Never:", each with its check.
//!
//! A line ends in the key of its check: `Never: ... (tidy: nobody-needs-doubt)`.

use crate::sources::{Source, everything, places, sources};
use crate::{none, read};

/// By the key at the end of its line, what tells how it is broken.
const NEVER: [(&str, fn() -> Vec<String>); 7] = [
    ("protocols-are-pure", protocols_are_pure),
    ("engine-is-bare", engine_is_bare),
    ("scenarios-have-no-sockets", scenarios_have_no_sockets),
    ("control-stays-above", control_stays_above),
    ("nobody-needs-doubt", nobody_needs_doubt),
    ("no-dyn-in-the-turn", no_dyn_in_the_turn),
    ("unsafe-has-its-places", unsafe_has_its_places),
];

#[test]
fn every_never_line_has_a_check_and_every_check_a_line() {
    let readme = read("README.md");
    let lines = readme.lines().filter(|line| line.starts_with("Never:"));
    let keys: Vec<Option<&str>> = lines
        .map(|line| line.split_once("(tidy: ").and_then(|(_, key)| key.strip_suffix(").")))
        .collect();
    let mut faults = Vec::new();
    for key in &keys {
        match key {
            None => faults.push("README.md: a Never line without `(tidy: KEY).` at its end".into()),
            Some(key) if NEVER.iter().any(|(known, _)| known == key) => {}
            Some(key) => faults.push(format!("README.md: `{key}` has no check in tidy/never.rs")),
        }
    }
    for (key, _) in NEVER {
        if keys.iter().filter(|named| **named == Some(key)).count() != 1 {
            faults.push(format!(
                "tidy/never.rs: `{key}` should stand in one Never line of README.md"
            ));
        }
    }
    none(&faults);
}

#[test]
fn nothing_happens_that_never_should() {
    none(&NEVER.iter().flat_map(|(_, broken)| broken()).collect::<Vec<_>>());
}

/// Tells every place in what ships where one of these names stands, and what to do instead.
fn refuse(folders: &[&str], names: &[&str], instead: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources(folders) {
        for name in names {
            for at in places(source.shipped(), name) {
                let line = source.line(at);
                faults.push(format!("{}:{line}: `{name}`: {instead}", source.path));
            }
        }
    }
    faults
}

fn protocols_are_pure() -> Vec<String> {
    let names = [
        "densebots_engine",
        "densebots_scenarios",
        "net",
        "thread",
        "Instant",
        "SystemTime",
        "UNIX_EPOCH",
        "rand",
        "getrandom",
        "fs",
        "env",
    ];
    refuse(
        &["protocols/src"],
        &names,
        "a protocol is pure; what it needs of the world is handed in",
    )
}

fn engine_is_bare() -> Vec<String> {
    let prints = ["println", "print", "eprintln", "eprint", "dbg"];
    let mut faults =
        refuse(&["engine/src"], &prints, "the engine prints nothing: count it, and report it");
    let names = ["serde", "serde_json", "clap", "http", "hyper", "tokio", "async", "await"];
    faults.extend(refuse(&["engine/src"], &names, "belongs above the engine, in control"));
    for source in sources(&["engine/src"]) {
        let code = source.shipped();
        for at in places(code, "densebots_protocols") {
            let path = code[at..].split([';', '=', '(']).next().unwrap_or_default();
            // Modules of the crate have lower-case names; what it defines itself has not.
            let inner = path.trim_start_matches("densebots_protocols").split(['{', ',', '}']);
            let module = |part: &str| {
                let part = part.trim().trim_start_matches("::");
                part.starts_with(|c: char| c.is_lowercase()) && !part.starts_with("self")
            };
            if inner.take(8).any(module) {
                let line = source.line(at);
                faults.push(format!(
                    "{}:{line}: a concrete protocol: the engine knows the trait alone",
                    source.path
                ));
            }
        }
    }
    faults
}

fn scenarios_have_no_sockets() -> Vec<String> {
    let names = [
        "mio",
        "socket2",
        "rustix",
        "crossbeam_channel",
        "rustls",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "UnixStream",
        "ToSocketAddrs",
        "Instant",
        "SystemTime",
    ];
    // Addresses are fine: a scenario may say where to dial, and the engine dials.
    let instead = "a scenario wishes (`ctx.dial`, `ctx.send`, `ctx.wake_in`); the engine does";
    refuse(&["scenarios/src"], &names, instead)
}

fn control_stays_above() -> Vec<String> {
    let names = ["mio", "Shard", "densebots_protocols"];
    refuse(&["control/src"], &names, "control sees Run, Command, Snapshot, Report, no deeper")
}

fn nobody_needs_doubt() -> Vec<String> {
    let below = ["protocols/src", "engine/src", "scenarios/src", "control/src"];
    let names = ["densebots_tests", "densebots_bench"];
    refuse(&below, &names, "nobody may use tests or bench: move it to where both may reach it")
}

fn no_dyn_in_the_turn() -> Vec<String> {
    let instead = "scenarios lose their types in the table of `scenarios/src/lib.rs` alone";
    let outside = [
        "engine/src/rehearse",
        "engine/src/limits",
        "engine/src/run",
        "engine/src/transport/ciphers.rs", // rustls wants its ciphers boxed so, ours like any other
    ];
    let mut faults = refuse(&["engine/src"], &["dyn"], instead);
    faults.retain(|fault| !outside.iter().any(|path| fault.starts_with(path)));
    faults
}

/// Where `unsafe` may stand, and what it is for.
const UNSAFE: [(&str, &str); 4] = [
    ("engine/src/sys.rs", "system calls without a safe crate"),
    ("bench/machine.rs", "processor affinity and descriptor tables"),
    ("bench/namespace.rs", "a network namespace and its loopback"),
    ("tests/allocations.rs", "a counting allocator"),
];

/// Crates and test programs that only deny it, because one file below has a place in `UNSAFE`.
const DENIES: [&str; 3] = ["engine/src/lib.rs", "bench/lib.rs", "tests/allocations.rs"];

/// The root file of every crate of the members; targets of benches follow their library.
const ROOTS: [&str; 6] = [
    "protocols/src/lib.rs",
    "engine/src/lib.rs",
    "scenarios/src/lib.rs",
    "control/src/main.rs",
    "tests/lib.rs",
    "bench/lib.rs",
];

fn unsafe_has_its_places() -> Vec<String> {
    let sources = everything();
    let mut faults = Vec::new();
    for source in &sources {
        let placed = UNSAFE.iter().any(|(path, _)| *path == source.path);
        if let Some(at) = places(&source.code, "unsafe").find(|_| !placed) {
            let line = source.line(at);
            faults.push(format!("{}:{line}: `unsafe` has no place here (UNSAFE)", source.path));
        }
    }
    for root in ROOTS {
        let found = sources.iter().find(|source| source.path == root);
        let Some(Source { code, .. }) = found else {
            faults.push(format!("{root}: is gone: bring ROOTS up to date"));
            continue;
        };
        let word = if DENIES.contains(&root) { "deny" } else { "forbid" };
        if !code.contains(&format!("#![{word}(unsafe_code)]")) {
            faults.push(format!("{root}: needs `#![{word}(unsafe_code)]`"));
        }
    }
    faults
}
