//! What is typed wrong is refused with exit code 2, a flag's name and, where there is one, the
//! name that was meant.

use crate::peers::{echoes, peer};
use crate::stage::{Running, program, run};

/// Refused, and says all of this.
fn refused(words: &str, said: &[&str]) -> String {
    let ended = run(words).with(2);
    for part in said {
        assert!(ended.err.contains(part), "`{words}` said: {}", ended.err);
    }
    assert_eq!(ended.out, "", "`{words}`");
    ended.err
}

#[test]
fn mistyped_names_get_a_suggestion() {
    refused("--cons 5", &["--cons", "--conns"]);
    refused("doctro", &["doctor"]);
    refused("ecoh", &["run echo"]);
    refused("run ehco", &["ehco", "`echo`", "idle"]);
    refused("serve ecko", &["`echo`"]);
    refused("run echo --set pcae=1s", &["pcae", "`pace`"]);
    refused("--target lime://127.0.0.1:1", &["`line`"]);
}

#[test]
fn wrong_values_and_clashes_name_their_flag() {
    refused("--conns many", &["--bots", "100k"]);
    refused("--conns 0", &["--bots"]);
    refused("serve xmpp --drop-one-in 0", &["--drop-one-in", "leave it out"]);
    refused("serve line --reorder-one-in 5", &["--reorder-one-in", "`serve xmpp`"]);
    refused("serve xmpp --delay-by 1s", &["--delay-one-in"]);
    refused("serve line --drop-ids", &["--drop-ids", "`serve xmpp`"]);
    refused("--for 10", &["--for", "10s"]);
    refused("--arrive 0/s", &["--arrive", "5k/s"]);
    refused("--recv-buffer big", &["--recv-buffer", "64KiB"]);
    refused("--target 127.0.0.1", &["--target", "HOST:PORT"]);
    refused("--source 127.0.0.1/99", &["--source", "/99"]);
    refused("--source 192.0.2.1", &["--source 192.0.2.1", "no address of this machine"]);
    refused("--conns -5", &["--bots", "-5"]);
    refused("--conns 10 --trace-bot 99", &["--trace-bot 99", "1 to 10"]);
    refused("--trace 5", &["--trace", "failing:5"]);
    refused("--trace failing:101", &["--trace", "at most 100"]);
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    refused("--arrive 5/s --ramp 3s", &["--arrive", "--ramp"]);
    refused("--open 5/s --arrive 5/s", &["--open", "--arrive"]);
    refused("--ids 1..5 --conns 5", &["--ids", "--bots"]);
    refused("--via 127.0.0.1:1", &["--via", "--target"]);
    refused("run echo --set pace=never", &["pace", "never"]);
}

/// A folder with these files, and the words with `@` in place of it.
fn refused_with(files: &[(&str, &str)], cases: &[(&str, &[&str])]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path().display().to_string();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("writable");
    }
    for (words, said) in cases {
        let told = refused(&words.replace('@', &at), said);
        assert_eq!(told.lines().count(), 1, "`{words}` told more: {told}");
        assert!(!told.contains("hush"), "`{words}` told a password: {told}");
    }
}

#[test]
fn parameters_and_their_files_are_read_before_anything_starts() {
    refused("serve xmpp --listen 127.0.0.1:0 --domain a<b", &["--domain a<b", "example.org"]);
    refused_with(
        &[
            ("one-column.csv", "name\nanna\n"),
            ("one.csv", "name,password\nanna,a\n"),
            ("empty", "\n"),
            ("bell", "a\u{7}b\n"),
            ("lines", "hush\nhush\n"),
            ("brace", "hush{\n"),
            ("long", &format!("hello\n\n{}\n", "x".repeat(8_001))),
        ],
        &[
            ("run xmpp-idle --set accounts=@/one-column.csv", &["`accounts`", "one-column.csv:1:"]),
            ("run xmpp-idle --set accounts=@/one.csv --conns 3", &["`accounts`", "bot 2 has none"]),
            ("run xmpp-idle --set accounts=@/none", &["--set", "`accounts`", "none"]),
            ("run xmpp-idle --set password-file=@/none", &["`password-file`", "No such file"]),
            ("--set password-file=@/empty", &["`password-file`", "empty:1: the password is empty"]),
            ("--set password-file=@/bell", &["`password-file`", "bell:1:", "SASLprep"]),
            ("--set password-file=@/lines", &["`password-file`", "lines:2:", "one line"]),
            ("--set password-file=@/brace", &["`password-file`", "brace:1:5:"]),
            ("--set phrases=@/empty", &["`phrases`", "at least one"]),
            ("run rooms --set phrases=@/long", &["`phrases`", "long:3:"]),
            ("--set says=9..3", &["`says`", "9..3"]),
            ("--set listeners=101", &["`listeners`", "101"]),
            ("--set history=many", &["`history`", "many"]),
            ("--set room-names=one", &["`room-names`", "{id}"]),
            ("--set names=bot", &["`names`", "{id}"]),
            ("--set domain=a/b", &["`domain`", "a/b"]),
            ("--set room-names=a/b{id}", &["`room-names`", "a/b{id}", "a name has"]),
            ("--set resource=a\u{7}b", &["`resource`", "resource can begin with"]),
            ("--set muc=a<b", &["`muc`", "a<b"]),
            ("--set muc=a/b", &["`muc`", "a/b"]),
            ("--set mechanism=GUESS", &["`mechanism`", "PLAIN"]),
            ("--set management=some", &["`management`", "resume"]),
            ("run rooms --set senders=few", &["`senders`", "one"]),
            ("run one-to-one --set size=0", &["`size`", "80..120"]),
            ("run login-storm --set hold=soon", &["`hold`", "soon"]),
            ("doctor --set says=9..3", &["`says`"]),
            ("try xmpp://localhost:1 jumper --set says=9..3", &["`says`"]),
        ],
    );
}

#[test]
fn an_address_that_is_not_loopback_has_to_be_allowed() {
    refused("--target line://192.0.2.1:7000", &["--allow 192.0.2.1"]);
    refused("--target line://192.0.2.1:7000 --allow 192.0.3.0/24", &["--allow 192.0.2.1"]);
    refused("--target line://127.0.0.1:1 --via 192.0.2.1:7000", &["--allow 192.0.2.1"]);
    refused("--target line://192.0.2.1:7000 --allow 0.0.0.0/0", &["wildcard"]);
    refused("--target line://192.0.2.1:7000 --allow *", &["wildcard"]);
    refused("try 192.0.2.1:7000", &["--allow 192.0.2.1"]);
}

#[test]
fn what_the_machine_cannot_hold_is_refused_before_anything_starts() {
    refused("--conns 500M --arrive 1M/s", &["cannot hold", "helps:"]);
    // Bots that leave by themselves leave their ports waiting.
    let storm = "run echo --open 5k/s --bots 20k --set count=1 --target line://192.0.2.1:9";
    refused(&format!("{storm} --allow 192.0.2.1"), &["ports", "--close rst"]);
}

#[test]
fn an_address_in_use_is_refused_before_anything_starts() {
    let taken = peer(echoes);
    refused(&format!("serve echo --listen {taken}"), &[&format!("--listen {taken}: "), "in use"]);
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_anything_starts() {
    refused("--conns 1 --report /nowhere/report.json", &["--report", "/nowhere"]);
    refused("--conns 1 --report /tmp", &["--report", "directory"]);
}

#[test]
fn the_environment_sets_flags_and_parameters() {
    let mut command = program("doctor echo");
    command.env("DENSEBOTS_CONNS", "77").env("DENSEBOTS_VAR_PACE", "1s");
    let ended = Running::of(command).end().with(0);
    assert!(ended.out.contains("77 connections"), "{}", ended.out);
    assert!(ended.out.contains("77/s messages out"), "{}", ended.out);
    let mut command = program("doctor");
    command.env("DENSEBOTS_VAR_NOTHING", "1");
    let ended = Running::of(command).end().with(2);
    assert!(ended.err.contains("`nothing`"), "{}", ended.err);
    let mut command = program("run rooms --conns 1 --for 1s");
    command.env("DENSEBOTS_VAR_ROOM_PASSWORD_FILE", "/nowhere/secret");
    let ended = Running::of(command).end().with(2);
    assert!(ended.err.contains("`room-password-file`, `/nowhere/secret`"), "{}", ended.err);
}

#[test]
fn list_names_every_scenario_with_its_parameters() {
    let ended = run("list").with(0);
    for word in ["echo", "idle", "talk", "--set pace=10s"] {
        assert!(ended.out.contains(word), "{}", ended.out);
    }
}

#[test]
fn doctor_says_what_is_needed_and_what_is_there() {
    let ended = run("doctor echo --conns 1000 --set pace=1s").with(0);
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    let hard: u64 = files.split_whitespace().nth(4).and_then(|n| n.parse().ok()).expect("a number");
    let plain = ended.out.replace(',', "");
    for part in [
        "1000 bots 1000 connections".to_owned(),
        "expects 1000/s messages out 1000/s in".to_owned(),
        format!("{hard} a table at most"),
        "source ports: needs 1000 of".to_owned(),
        "the most this machine holds".to_owned(),
    ] {
        assert!(plain.contains(&part), "no `{part}` in {plain}");
    }
}

#[test]
fn the_schema_of_the_report_names_what_is_in_it() {
    let ended = run("schema report").with(0);
    let schema: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON");
    for part in ["run", "verdict", "bots", "connect", "ops", "lost", "generator", "series"] {
        assert!(schema["properties"][part].is_object(), "{part}");
    }
}
