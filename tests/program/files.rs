//! Scenario files: written, checked, shown, run.

use std::path::Path;

use crate::stage::{Ended, Running, program, report, run};

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("writable");
    }
    folder
}

fn within(folder: &Path, words: &str) -> Ended {
    let mut command = program(words);
    command.current_dir(folder);
    Running::of(command).end()
}

const ASKS: &str = "\
parameters: {pace: 100ms}
bots:
  tree: {every: {pace: '{{ pace }}', do: {line.ask: 'hello {{ bot.id }}'}}}
load: {bots: 20, for: 2s}
";

#[test]
fn what_new_writes_is_fine_and_runs() {
    for protocol in ["line", "xmpp"] {
        let folder = folder(&[]);
        let at = folder.path();
        let words = format!("new mine --protocol {protocol}");
        assert_eq!(within(at, &words).with(0).out, "mine.yaml\n");
        assert!(within(at, &words).with(2).err.contains("mine.yaml: File exists"));
        let ended = within(at, "check mine.yaml").with(0);
        assert!(ended.out.starts_with("mine.yaml: fine: "), "{}", ended.out);
        let ended = within(at, "run mine.yaml --bots 20 --for 2s --set pace=200ms").with(0);
        assert!(ended.out.starts_with("passed"), "{}", ended.out);
    }
}

#[test]
fn a_file_runs_as_it_says_and_flags_say_otherwise() {
    let folder = folder(&[("asks.yaml", ASKS)]);
    let path = folder.path().join("asks.yaml").display().to_string();
    let (ended, report) = report(&format!("run {path}"));
    ended.with(0);
    assert_eq!(report["bots"]["peak_online"], 20);
    let op =
        report["ops"].as_array().and_then(|ops| ops.iter().find(|op| op["name"] == "line.ask"));
    let ok = op.expect("an op")["ok"].as_u64().expect("a number");
    assert!((200..=600).contains(&ok), "20 bots, ten a second, for 2 s: {ok}");
    assert_eq!(report["run"]["scenario"], path.as_str());
    let ended = run(&format!("doctor {path} --bots 7")).with(0);
    assert!(ended.out.contains("7 bots"), "{}", ended.out);
}

#[test]
fn every_built_in_scenario_that_has_a_file_runs_as_one() {
    for name in ["echo", "idle", "jumper"] {
        let shown = run(&format!("show {name}")).with(0).out;
        let folder = folder(&[("shown.yaml", &shown)]);
        let ended = within(folder.path(), "run ./shown.yaml --bots 20 --for 1s");
        let ended = ended.with(0);
        assert!(ended.out.starts_with("passed"), "{name}: {}", ended.out);
    }
    let ended = run("show ecoh").with(2);
    assert!(ended.err.contains("did you mean `echo`?"), "{}", ended.err);
}

#[test]
fn faults_are_all_told_and_nothing_starts() {
    let faulty = "bots: {tree: {line.sned: hello}}\nload: {for: 10}\n";
    let folder = folder(&[("good.yaml", ASKS), ("bad.yml", faulty), ("bad.json", "{\"bots\": 5}")]);
    let at = folder.path();
    let ended = within(at, "check good.yaml bad.yml bad.json none.yaml").with(2);
    assert!(ended.out.starts_with("good.yaml: fine: line, 1 kind of bots, 2 steps"));
    for part in [
        "bad.yml:1:15: ",
        "did you mean `line.send`?",
        "bad.yml:2:13: for: `10` has no unit",
        "bad.yml: 2 faults",
        "bad.json:1:10: ",
        "none.yaml: No such file",
    ] {
        assert!(ended.err.contains(part), "no `{part}` in {}", ended.err);
    }
    let ended = within(at, "run ./bad.yml").with(2);
    assert!(ended.err.contains("bad.yml: 2 faults") && ended.out.is_empty(), "{}", ended.err);
}

#[test]
fn thresholds_of_a_file_judge_the_run() {
    let with = |lines: &str| format!("{ASKS}thresholds: [{lines}]\n");
    let good = with("op(line.ask).p99 < 5s, bots.online >= 99%");
    let broken = with("op(line.ask).count > 1M");
    let faulty = with("op(line.ask).p99 < 5s, 'errors.rate < 1%', op(line.aks).p99 < 5s");
    let folder = folder(&[("good.yaml", &good), ("broken.yaml", &broken), ("bad.yaml", &faulty)]);
    let at = folder.path();
    let ended = within(at, "run good.yaml --threshold connect.count==20").with(0);
    for line in ["op(line.ask).p99 < 5s", "bots.online >= 99%", "connect.count==20"] {
        assert!(ended.out.contains(&format!("passed  {line}")), "{}", ended.out);
    }
    let ended = within(at, "run broken.yaml").with(4);
    assert!(ended.out.contains("failed  op(line.ask).count > 1M"), "{}", ended.out);
    for words in ["check bad.yaml", "run bad.yaml", "doctor bad.yaml"] {
        let ended = within(at, words).with(2);
        assert!(ended.err.contains("bad.yaml:5:60: ") && ended.out.is_empty(), "{}", ended.err);
        assert!(ended.err.contains("did you mean `line.ask`?"), "{}", ended.err);
    }
}

#[test]
fn parameters_of_a_file_are_verified_before_the_start() {
    let text = "parameters: {pace: {default: 1s, range: 1s..5s}, rooms: 3}\n\
                bots: {tree: {wait: '{{ pace }}'}}\n";
    let folder = folder(&[("f.yaml", text)]);
    let refused = |words: &str, said: &[&str]| {
        let ended = within(folder.path(), &format!("run f.yaml --bots 1 {words}")).with(2);
        for part in said {
            assert!(ended.err.contains(part), "`{words}` said {}", ended.err);
        }
    };
    refused("--set pase=2s", &["pase", "`pace`"]);
    refused(
        "--set pace=9s --set rooms=many",
        &["`9s` is not from 1s to 5s", "`many` is not a number"],
    );
    refused("--open 5/s --arrive 5/s", &["--open"]);
}

#[test]
fn a_flag_that_contradicts_the_load_of_a_file_is_refused() {
    let text = "bots: {tree: {wait: 1s}}\nload: {bots: 5, ramp: 1s}\n";
    let folder = folder(&[("f.yaml", text)]);
    let ended = within(folder.path(), "run f.yaml --arrive 5/s").with(2);
    assert!(ended.err.contains("--arrive: f.yaml plans its load with `ramp`"), "{}", ended.err);
}

#[test]
fn actions_and_the_schema_name_the_same_things() {
    let actions = run("actions").with(0).out;
    let schema = run("schema scenario").with(0).out;
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    let steps = schema["$defs"]["step"]["anyOf"][2]["properties"].as_object().expect("steps");
    for name in ["sequence", "wait_for", "line.ask", "xmpp.join"] {
        assert!(steps.contains_key(name), "{name} in the schema");
    }
    for name in steps.keys() {
        assert!(actions.contains(&format!("\n  {name} ")), "{name} in {actions}");
    }
    assert!(!run("actions line").with(0).out.contains("xmpp."));
    assert!(run("actions lime").with(2).err.contains("`line`"));
}
