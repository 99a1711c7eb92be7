//! Accounts made and removed at a service that runs.

use std::fs;
use std::time::Instant;

use tempfile::TempDir;

use crate::peers::{nobody, peer, says_nothing};
use crate::stage::{Ended, Running, program, run, served};

/// A folder with the files that these tests name.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name, text: &str| fs::write(folder.path().join(name), text).expect("writable");
    write("pattern", "secret-of-{id}\n");
    write("wrong", "another\n");
    write("one.csv", "name,password\nbot2,secret-of-2\n");
    folder
}

/// `accounts` with the words, in the folder.
fn accounts(folder: &TempDir, words: &str) -> Ended {
    let mut command = program(&format!("accounts {words}"));
    command.current_dir(folder.path());
    Running::of(command).end()
}

/// Whose accounts all of these are about.
const WHO: &str = "--account-name bot{id} --password-pattern-file pattern";

fn told(ended: &Ended, rows: &[&str]) {
    for row in rows {
        let same = |line: &str| line.split_whitespace().eq(row.split_whitespace());
        assert!(ended.out.lines().any(same), "no `{row}` in\n{}\n{}", ended.out, ended.err);
    }
}

#[test]
fn made_once_and_there_the_second_time_until_they_are_removed() {
    let folder = folder();
    // Only listed accounts log in, and one is there before all others.
    let listed = format!("xmpp --accounts {}", folder.path().join("one.csv").display());
    let service = served(&listed);
    let at = format!("xmpp://localhost:{}", service.address.port());
    let make =
        |more: &str| accounts(&folder, &format!("--register {at} --rate 200/s {WHO} {more}"));
    let log_in = |code| {
        let secret = folder.path().join("pattern");
        let set = format!("--set password-file={}", secret.display());
        run(&format!("run xmpp-idle --target {at} --conns 40 --for 1s --give-up 1 {set}"))
            .with(code)
    };
    log_in(4);
    told(&make("--bots 10").with(0), &["passed", "made 9", "there 1 already"]);
    // What an earlier run has made is done.
    told(&make("--bots 40").with(0), &["passed", "made 30", "there 10 already"]);
    log_in(0);
    let remove = |more: &str| accounts(&folder, &format!("--unregister {at} {WHO} {more}"));
    let some = remove("--ids 11..40 --rate 200/s").with(0);
    told(&some, &["passed", "removed 30"]);
    // Who has nobody to log in as is not taken for removed.
    let rest = remove("--bots 12 --rate 200/s").with(4);
    told(&rest, &["failed: 10 of 12 accounts done", "removed 10"]);
    let why = "2 violation: a login failure: not-authorized, by the target";
    assert!(rest.out.contains(why), "{}", rest.out);
    assert!(rest.out.contains("gone already, or its password is another"), "{}", rest.out);
    remove("--bots 2 --rate 200/s").with(3);
    log_in(3);
}

#[test]
fn the_parts_of_a_list_are_different_users() {
    let folder = folder();
    let list = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("name,password\n{text}")).expect("writable");
        path.display().to_string()
    };
    let all = list("all.csv", "anna,a\nberta,b\nclara,c\n");
    // Who has the first row cannot log in.
    let service = served(&format!("xmpp --accounts {}", list("two.csv", "berta,b\nclara,c\n")));
    let at = format!("xmpp://localhost:{}", service.address.port());
    let part = |ids: &str| {
        let more = "--for 1s --give-up 1 --set mechanism=PLAIN";
        run(&format!("run xmpp-idle --target {at} --ids {ids} {more} --set accounts={all}"))
    };
    part("2..3").with(0);
    part("1..1").with(3);
    let ended = part("3..4").with(2);
    assert!(ended.err.contains("bot 4 has none"), "{}", ended.err);
}

#[test]
fn refusals_are_counted_by_condition_and_end_with_4() {
    let folder = folder();
    let service = served("xmpp");
    let at = format!("xmpp://localhost:{}", service.address.port());
    // Everybody may log in, and nobody of them has an account that could go.
    let words = format!("--unregister {at} --rate 200/s {WHO} --bots 5 --set mechanism=PLAIN");
    let ended = accounts(&folder, &words);
    told(&ended, &["refused 5 item-not-found", "failed: 0 of 5 accounts done", "removed 0"]);
    ended.with(4);
    let wrong = accounts(&folder, &words.replace("PLAIN", "SCRAM-SHA-256"));
    let why = "5 violation: a login failure: not-authorized";
    assert!(wrong.out.contains(why), "{}", wrong.out);
    wrong.with(3);
}

#[test]
#[allow(clippy::disallowed_methods)] // the program lives by the real clock
fn the_rate_is_kept_and_fifty_a_second_unless_told() {
    let folder = folder();
    let service = served("xmpp");
    let at = format!("xmpp://localhost:{}", service.address.port());
    for (rate, least, most) in [("", 1.9, 4.0), ("--rate 20/s", 4.9, 9.0)] {
        let began = Instant::now();
        let name = format!("--account-name at{}{{id}} --password-file wrong", rate.len());
        let ended = accounts(&folder, &format!("--register {at} --bots 100 {name} {rate}"));
        let took = began.elapsed().as_secs_f64();
        assert!((least..most).contains(&took), "{rate}: {took} s");
        told(&ended.with(0), &["made 100"]);
    }
}

#[test]
fn nobody_answers_and_nobody_is_asked_without_leave() {
    let folder = folder();
    let ended = accounts(&folder, &format!("--register xmpp://{} {WHO} --bots 2", nobody()));
    assert!(ended.out.contains("refused"), "{}", ended.out);
    ended.with(3);
    let silent = format!("--register xmpp://{} {WHO} --bots 1", peer(says_nothing));
    let mut command = program(&format!("accounts {silent}"));
    command.current_dir(folder.path());
    let mut running = Running::of(command);
    running.until(|line| line.contains("making 1 account"));
    running.until(|line| line.contains("0 of 1 done"));
    running.signal(rustix::process::Signal::INT);
    running.end().with(130);
    for (words, said) in [
        ("--register xmpp://192.0.2.1", "--allow 192.0.2.1"),
        ("--unregister xmpp://192.0.2.1", "--allow 192.0.2.1"),
        ("--register xmpp://localhost --via 192.0.2.1:5222", "--allow 192.0.2.1"),
        ("--register line://127.0.0.1:1", "XMPP"),
        ("--register xmpp://localhost --unregister xmpp://localhost", "--unregister"),
        ("--register xmpp://localhost --format csv", "--format"),
        ("--register xmpp://localhost --set names=x{id}", "--account-name"),
        ("--register xmpp://localhost --set mechanism=ANONYMOUS", "mechanism"),
        ("--register xmpp://localhost --rate 0/s", "--rate"),
        ("--rate 5/s", "--register"),
        ("--tls", "--register"),
    ] {
        let ended = accounts(&folder, &format!("{words} {WHO} --bots 1")).with(2);
        assert!(ended.err.contains(said), "`{words}` said: {}", ended.err);
        assert_eq!(ended.out, "", "`{words}`");
    }
}

#[test]
fn over_tls_to_a_certificate_that_is_believed() {
    let folder = folder();
    let service = served("xmpp --tls");
    let at = format!("--register xmpp://localhost:{}", service.address.port());
    let words = format!("{at} {WHO} --bots 10 --tls --pin {}", service.pin);
    told(&accounts(&folder, &words).with(0), &["made 10"]);
    let other = format!("{at} {WHO} --bots 2 --tls --pin sha256:{}", "0".repeat(64));
    let ended = accounts(&folder, &other);
    assert!(ended.out.contains("tls:"), "{}", ended.out);
    ended.with(3);
}

#[test]
fn names_and_passwords_outside_ascii_log_in() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = folder.path().join("list.csv");
    fs::write(&list, "name,password\njosé,größer\nзима,пароль\n").expect("writable");
    let service = served(&format!("xmpp --accounts {}", list.display()));
    let at = format!("--target xmpp://localhost:{}", service.address.port());
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        let set = format!("--set accounts={} --set mechanism={mechanism}", list.display());
        run(&format!("run xmpp-idle {at} --conns 2 --for 500ms {set}")).with(0);
        let set = format!("--set names=nöel{{id}} --set mechanism={mechanism}");
        run(&format!("run xmpp-idle --conns 2 --for 500ms {set}")).with(0);
    }
}
