//! A machine that runs out of ports during a run, in a network of its own.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::stage::{PROGRAM, Running, unheard};

/// A network with loopback and twenty ports for connections. Once it is told to, all but two of
/// them are gone: something else may change a machine while a run goes on.
const NETWORK: &str = r#"
    range=/proc/sys/net/ipv4/ip_local_port_range
    exec 3<&0
    ip link set lo up && echo 30000 30019 >$range || exit
    (read -r gone <&3 && echo 30000 30001 >$range) &
    exec "$@" </dev/null 3<&-
"#;

/// Runs this in a network of its own, if the machine allows one.
fn alone(words: &[&str]) -> Option<Command> {
    let network = |flags: &[&str], words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(flags).args(["sh", "-c", NETWORK, "sh"]).args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        unheard(&mut command);
        command
    };
    // As root, or else as one who is root in there alone.
    let ways: [&[&str]; 2] = [&["--net"], &["--net", "--map-root-user"]];
    let tried = ways.map(|flags| network(flags, &["true"]).output());
    let works = |tried: &std::io::Result<std::process::Output>| {
        tried.as_ref().is_ok_and(|tried| tried.status.success())
    };
    if let Some(at) = tried.iter().position(works) {
        return Some(network(ways[at], words));
    }
    // Past the test runner, which swallows what a test that passes has said.
    let _ = writeln!(std::io::stderr(), "SKIPPED: no network namespace of its own: {tried:?}");
    None
}

#[test]
fn ports_that_run_out_during_a_run_are_the_generators_limit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.json");
    let words = "run idle --conns 8 --arrive 2/s --source 127.0.0.1 --for 1s --drain 1s \
                 --retry-first 100ms --give-up 2 --report";
    let mut words: Vec<&str> = words.split_whitespace().collect();
    words.insert(0, PROGRAM);
    words.push(path.to_str().expect("letters"));
    let Some(command) = alone(&words) else { return };
    let mut running = Running::of(command);
    running.until(|line| line.contains(" ramp ") && !line.contains("online 0 "));
    running.tell("gone");
    let ended = running.end().with(4);
    assert!(ended.err.contains("limited: source ports"), "{}", ended.err);
    let told = "local limit (source ports), by the generator, such as bot ";
    let line = ended.out.lines().find(|line| line.contains(told));
    let line = line.unwrap_or_else(|| panic!("it is not told: {}", ended.out));
    assert!(line.contains("net.ipv4.ip_local_port_range"), "what helps: {line}");
    let report: Value =
        serde_json::from_slice(&std::fs::read(path).expect("written")).expect("JSON");
    let [lost] = &report["lost"].as_array().expect("a list")[..] else {
        panic!("no other cause: {}", report["lost"]);
    };
    assert_eq!((&lost["cause"], &lost["blame"]), (&"local limit".into(), &"generator".into()));
    assert!(lost["remedy"].as_str().is_some_and(|remedy| remedy.contains("--source")), "{lost}");
    assert_eq!(report["generator"]["limits"]["source ports"], lost["count"]);
}
