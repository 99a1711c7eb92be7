//! `densebots accounts`: the accounts of a run as a list, as commands for the server, or made and
//! removed over the network (`online.rs`).

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Result;
use densebots_scenarios::accounts::{Account, Accounts, Pattern, check_password};

use crate::args::{AccountsFlags, AccountsFormat};
use crate::ending::{Ending, usage};
use crate::meant::ids;
use crate::names::check_domain;

mod online;

/// A file with one secret in it is no larger.
const SECRET_BYTES_MAX: usize = 64 << 10;

/// Writes them, or makes or removes them.
pub(crate) fn accounts(flags: &AccountsFlags) -> Result<Ending> {
    match online::wanted(&flags.online)? {
        Some(wanted) => online::settle(&wanted, &Population::of(flags)?, &flags.online),
        None => Ok(crate::tell(&text(flags)?)),
    }
}

/// Whose accounts.
struct Population {
    accounts: Accounts,
    /// The id of the first bot.
    first: u32,
    count: u32,
}

impl Population {
    fn of(flags: &AccountsFlags) -> Result<Population> {
        let accounts = source(flags)?;
        let (first, count) = match (&flags.ids, flags.bots, &accounts) {
            (Some(range), _, _) => {
                let (first, last) = ids(range)?;
                (first, last - first + 1)
            }
            (None, Some(0), _) => return Err(usage("--bots 0: there would be no account")),
            (None, Some(bots), _) => (1, bots),
            (None, None, Accounts::List(rows)) => (1, rows.len() as u32),
            (None, None, Accounts::Formula { .. }) => {
                return Err(usage("--bots or --ids: say how many accounts"));
            }
        };
        accounts
            .suffice(first, count.into())
            .map_err(|error| usage(format!("--accounts: {error}")))?;
        Ok(Population { accounts, first, count })
    }
}

/// What was asked for in writing.
fn text(flags: &AccountsFlags) -> Result<String> {
    let Population { accounts, first, count } = Population::of(flags)?;
    let format = flags.format.unwrap_or(AccountsFormat::Csv);
    let domain = match (format, &flags.domain) {
        (AccountsFormat::Csv, None) => "",
        (AccountsFormat::Csv, Some(_)) => {
            return Err(usage("--domain: a list has no domain; leave it out, or give --format"));
        }
        (_, None) => return Err(usage("--domain: say for which service, such as example.org")),
        (_, Some(domain)) => {
            check_domain(domain)?;
            domain
        }
    };
    let mut text = String::new();
    if format == AccountsFormat::Csv {
        text.push_str("name,password\n");
    }
    for nth in 0..count {
        let Some(id) = first.checked_add(nth) else { break };
        if let Some(account) = accounts.of(id) {
            line(&mut text, format, &account, domain);
        }
    }
    Ok(text)
}

fn source(flags: &AccountsFlags) -> Result<Accounts> {
    if let Some(path) = &flags.accounts {
        let file = path.display().to_string();
        let bytes = fs::read(path).map_err(|error| usage(format!("--accounts {file}: {error}")))?;
        return Accounts::from_csv(&file, &bytes)
            .map_err(|error| usage(format!("--accounts {error}")));
    }
    let Some(name) = &flags.account_name else {
        return Err(usage("--account-name or --accounts: say who, such as bot{id}"));
    };
    let password = match (&flags.password_file, &flags.password_pattern_file) {
        (Some(path), _) => {
            let flag = "--password-file";
            usable(flag, path, Pattern::constant(&secret(flag, path)?))?
        }
        (None, Some(path)) => {
            let flag = "--password-pattern-file";
            // The pattern itself stays unsaid: it is half a password.
            let pattern = Pattern::of(&secret(flag, path)?).map_err(|error| {
                let (path, column) = (path.display(), error.column);
                usage(format!("{flag}: {path}:1:{column}: {}", error.why))
            })?;
            usable(flag, path, pattern)?
        }
        (None, None) => {
            return Err(usage("--password-file or --password-pattern-file: give the passwords"));
        }
    };
    Accounts::by_pattern(name, password).map_err(|error| usage(format!("--account-name {error}")))
}

/// The first line of a file.
fn secret(flag: &str, path: &Path) -> Result<String> {
    let fault = |why: String| usage(format!("{flag} {}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    if text.len() > SECRET_BYTES_MAX {
        return Err(fault("this is too large for a secret".into()));
    }
    match text.lines().next().unwrap_or_default() {
        "" => Err(fault("its first line is empty".into())),
        first => Ok(first.to_owned()),
    }
}

/// The pattern, if passwords by it can be sent.
fn usable(flag: &str, path: &Path, pattern: Pattern) -> Result<Pattern> {
    match check_password(&pattern.fill(u32::MAX)) {
        Ok(()) => Ok(pattern),
        Err(why) => Err(usage(format!("{flag}: {}:1: {why}", path.display()))),
    }
}

fn line(text: &mut String, format: AccountsFormat, account: &Account, domain: &str) {
    let Account { name, password } = account;
    let _ = match format {
        AccountsFormat::Csv => writeln!(text, "{},{}", field(name), field(password)),
        AccountsFormat::Prosodyctl | AccountsFormat::Ejabberdctl => {
            let program = match format {
                AccountsFormat::Ejabberdctl => "ejabberdctl",
                _ => "prosodyctl",
            };
            let [name, domain, password] = [name, domain, password].map(quoted);
            writeln!(text, "{program} register {name} {domain} {password}")
        }
    };
}

/// A field of CSV (RFC 4180).
fn field(text: &str) -> String {
    if text.contains([',', '"', ' ']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// A word of the shell that means itself.
fn quoted(word: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    if !word.is_empty() && word.chars().all(harmless) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Typed, Verb};

    fn said(words: &str) -> Result<String, String> {
        let words = ["densebots", "accounts"].into_iter().chain(words.split_whitespace());
        let typed = Typed::read(words.map(Into::into).collect()).map_err(|e| e.to_string())?;
        let Verb::Accounts(flags) = typed.verb else { panic!("not accounts") };
        text(&flags).map_err(|error| error.to_string())
    }

    fn file(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        fs::write(&path, text).expect("writable");
        (folder, path.display().to_string())
    }

    #[test]
    fn a_pattern_becomes_a_list_and_the_list_is_read_again() {
        let (_folder, secret) = file("a,\"b{id}\nignored");
        let words = format!("--account-name bot{{id:03}} --password-pattern-file {secret}");
        let list = said(&format!("{words} --ids 9..10")).expect("valid");
        assert_eq!(list, "name,password\nbot009,\"a,\"\"b9\"\nbot010,\"a,\"\"b10\"\n");
        let (_folder, path) = file(&list);
        assert_eq!(said(&format!("--accounts {path}")), Ok(list));
    }

    #[test]
    fn parts_of_a_list_share_no_row() {
        let (_folder, list) = file("name,password\na,x\nb,y\nc,z\n");
        let part = |ids: &str| said(&format!("--accounts {list} --ids {ids}"));
        assert_eq!(part("1..1").as_deref(), Ok("name,password\na,x\n"));
        assert_eq!(part("2..3").as_deref(), Ok("name,password\nb,y\nc,z\n"));
        let fault = part("3..4").expect_err("there is no fourth");
        assert!(fault.contains("bot 4 has none"), "{fault}");
    }

    #[test]
    fn commands_are_safe_for_the_shell() {
        let (_folder, secret) = file("it's {id} $HOME");
        let words = format!("--account-name bot{{id}} --password-file {secret} --bots 1");
        let commands =
            |format: &str| said(&format!("{words} --domain a.example --format {format}"));
        let expected = r"register bot1 a.example 'it'\''s {id} $HOME'";
        assert_eq!(commands("prosodyctl"), Ok(format!("prosodyctl {expected}\n")));
        assert_eq!(commands("ejabberdctl"), Ok(format!("ejabberdctl {expected}\n")));
    }

    #[test]
    fn faults_name_the_flag_and_never_the_secret() {
        let (_folder, secret) = file("hush{");
        let (_other, list) = file("name,password\na,x\n");
        let (_third, column) = file("name\na\n");
        let (_bell, bell) = file("hush\u{7}");
        for (words, expected) in [
            ("--bots 1".to_owned(), "--account-name"),
            ("--account-name bot{id} --bots 1".to_owned(), "--password-file"),
            (format!("--account-name bot --password-file {secret} --bots 1"), "--account-name"),
            (format!("--account-name b{{id}} --password-file {secret}"), "--bots or --ids"),
            (format!("--account-name b{{id}} --password-pattern-file {secret}"), ":1:5:"),
            ("--account-name b{id} --password-file /nowhere".to_owned(), "--password-file"),
            (format!("--account-name b{{id}} --password-file {bell} --bots 1"), ":1: the password"),
            (format!("--account-name b{{id}} --password-pattern-file {bell} --bots 1"), "SASLprep"),
            (format!("--accounts {column}"), "--accounts /"),
            (format!("--accounts {list} --bots 3"), "bot 2 has none"),
            (format!("--accounts {list} --format prosodyctl"), "--domain"),
            (format!("--accounts {list} --domain a.example"), "--domain"),
            (format!("--accounts {list} --format prosodyctl --domain a@b"), "--domain a@b"),
            (format!("--accounts {list} --account-name b"), "--accounts"),
        ] {
            let fault = said(&words).expect_err(&words);
            assert!(fault.contains(expected), "`{words}` said: {fault}");
            assert!(!fault.contains("hush"), "{fault}");
        }
    }
}
