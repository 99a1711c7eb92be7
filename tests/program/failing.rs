//! What bots that failed said and heard last: in the report and, if asked for, on the screen.

use serde_json::Value;

use crate::peers::{peer, wrong_lines};
use crate::stage::{report, run, served};

/// Texts of what a bot said, or of what it heard.
fn texts(transcript: &Value, said: bool) -> Vec<&str> {
    let lines = transcript["lines"].as_array().expect("a list").iter();
    lines.filter(|line| line["said"] == said).filter_map(|line| line["text"].as_str()).collect()
}

#[test]
fn a_login_that_is_refused_leaves_its_last_words_without_secrets() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let accounts = folder.path().join("accounts.csv");
    std::fs::write(&accounts, "name,password\nbot1,other\nbot2,other\n").expect("writable");
    let target = served(&format!("xmpp --accounts {}", accounts.display()));
    let words = format!(
        "run jumper --target xmpp://localhost:{} --conns 2 --for 1s --give-up 1 --drain 1s \
         --trace failing:1",
        target.address.port()
    );
    let (ended, report) = report(&words);
    let ended = ended.with(3);
    let transcripts = report["transcripts"].as_array().expect("a list");
    assert_eq!(transcripts.len(), 1, "one was asked for: {transcripts:?}");
    let (bot, cause) = (&transcripts[0]["bot"], transcripts[0]["cause"].as_str());
    assert_eq!(cause, Some("did not get online: violation (a login failure: not-authorized)"));
    let (said, heard) = (texts(&transcripts[0], true), texts(&transcripts[0], false));
    assert!(said.iter().any(|text| text.contains("[hidden]</auth>")), "{said:?}");
    assert!(heard.iter().any(|text| text.contains("<not-authorized/>")), "{heard:?}");
    for part in ["[hidden]</auth>", "did not get online: violation"] {
        let line = ended.err.lines().find(|line| line.contains(part));
        assert!(line.is_some_and(|line| line.starts_with(&format!("bot {bot} "))), "{part}");
    }
    // "\0bot1\0bot1" and "\0bot2\0bot2" in base64.
    for secret in ["AGJvdDEAYm90MQ", "AGJvdDIAYm90Mg"] {
        assert!(!ended.err.contains(secret) && !report.to_string().contains(secret), "{secret}");
    }
}

#[test]
fn an_op_that_fails_leaves_what_was_said_and_heard_and_nobody_is_told_twice() {
    let words =
        format!("--target line://{} --conns 20 --for 1s --set pace=100ms", peer(wrong_lines));
    let (ended, told) = report(&words);
    assert!(!ended.err.contains("echo.ping failed"), "nobody has asked for that: {}", ended.err);
    assert!(ended.out.contains("last words of bot "), "{}", ended.out);
    let transcripts = told["transcripts"].as_array().expect("a list");
    assert_eq!(transcripts.len(), 5, "{transcripts:?}");
    let mut bots: Vec<_> = transcripts.iter().filter_map(|own| own["bot"].as_u64()).collect();
    bots.sort_unstable();
    bots.dedup();
    assert_eq!(bots.len(), 5, "each once");
    for own in transcripts {
        assert_eq!(own["cause"], "echo.ping failed");
        assert!(texts(own, true).iter().all(|text| text.starts_with('=')), "{own}");
        assert!(!texts(own, false).is_empty(), "{own}");
        assert!(own["lines"].as_array().is_some_and(|lines| lines.len() <= 8), "{own}");
    }
    let (_, silent) = report(&format!("{words} --trace failing:0"));
    assert_eq!(silent["transcripts"], Value::Array(vec![]));
}

#[test]
fn a_run_that_goes_well_has_no_last_words() {
    let ended = run("run echo --conns 20 --for 1s --trace failing:3").with(0);
    assert!(!ended.err.contains("bot "), "{}", ended.err);
    assert!(!ended.out.contains("last words"), "{}", ended.out);
}
