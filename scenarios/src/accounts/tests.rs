//! Patterns, lists and their faults.

use super::*;

fn filled(pattern: &str, id: u32) -> Result<String, (usize, &'static str)> {
    Pattern::of(pattern).map(|read| read.fill(id)).map_err(|error| (error.column, error.why))
}

#[test]
fn a_pattern_has_places_for_the_id() {
    for (pattern, expected) in [
        ("bot{id}", "bot42"),
        ("user-%{id:06}", "user-000042"),
        ("user-{id:06}-{id}", "user-000042-42"),
        ("{id:01}", "42"),
        ("100%", "100%"),
        ("{{{id}}}", "{42}"),
        ("%{{x}}", "%{x}"),
        ("é{id}", "é42"),
        ("", ""),
    ] {
        assert_eq!(filled(pattern, 42).as_deref(), Ok(expected), "{pattern}");
    }
}

#[test]
fn a_fault_of_a_pattern_has_its_column() {
    for (pattern, expected) in
        [("bot{", 4), ("é{idx}", 2), ("a}b", 2), ("{id:6}", 1), ("{id:00}", 1), ("{id:021}", 1)]
    {
        assert_eq!(filled(pattern, 1).map_err(|(column, _)| column), Err(expected), "{pattern}");
    }
}

#[test]
fn names_by_pattern_differ_and_can_be_names() {
    let secret = || Pattern::constant("secret {id}");
    let accounts = Accounts::by_pattern("bot{id:04}", secret()).expect("a name");
    let account = accounts.of(7).expect("there is one for every bot");
    assert_eq!((account.name.as_str(), account.password.as_str()), ("bot0007", "secret {id}"));
    assert_eq!(accounts.suffice(1, u64::MAX), Ok(()));
    for wrong in ["bot", "bot{id}@x", "bot {id}", "ﬁ{id}", "a\u{7}{id}", "{id", "a/{id}"] {
        assert!(Accounts::by_pattern(wrong, secret()).is_err(), "{wrong}");
    }
    let noel = Accounts::by_pattern("nöel{id}", secret()).expect("SASLprep leaves it alone");
    assert_eq!(noel.of(3).map(|account| account.name), Some("nöel3".to_owned()));
}

fn list(text: &str) -> Result<Accounts, RowError> {
    Accounts::from_csv("a.csv", text.as_bytes())
}

#[test]
fn each_account_of_a_list_is_used_once() {
    let accounts =
        list("\u{feff}name,password\r\nanna,a\r\n\"berta\",\"b,\"\"c\"\n").expect("valid");
    assert_eq!(accounts.of(1).map(|a| a.name), Some("anna".to_owned()));
    let second = accounts.of(2).map(|a| (a.name, a.password));
    assert_eq!(second, Some(("berta".to_owned(), "b,\"c".to_owned())));
    let beyond = list("name,password\njosé,größer\n").expect("SASLprep leaves it alone");
    let first = beyond.of(1).map(|a| (a.name, a.password));
    assert_eq!(first, Some(("josé".to_owned(), "größer".to_owned())));
    assert_eq!((accounts.of(3), accounts.of(0)), (None, None));
    for (first, bots) in [(1, 2), (2, 1), (3, 0)] {
        assert_eq!(accounts.suffice(first, bots), Ok(()), "{bots} from {first}");
    }
    for (first, bots, last, none) in [(1, 5, 5, 3), (2, 2, 3, 3), (50, 10, 59, 50)] {
        let few = accounts.suffice(first, bots).expect_err("there are two").to_string();
        let wanted = format!("2 accounts for the bots {first} to {last}: bot {none} has none");
        assert!(few.starts_with(&wanted), "{few}");
    }
    let one = list("name,password\njosé,größer\n").expect("a good list").suffice(1, 2);
    let few = one.expect_err("there is one").to_string();
    assert!(few.starts_with("1 account for the bots 1 to 2: bot 2 has none"), "{few}");
}

#[test]
fn a_fault_of_a_list_has_file_line_and_column() {
    for (text, expected) in [
        ("", "a.csv:1:1: the file is empty"),
        ("user,pass\n", "a.csv:1:1: the first line"),
        ("name,password\nanna\n", "a.csv:2:2: the password is missing"),
        ("name,password\n\nanna,\n", "a.csv:3:2: the password is empty"),
        ("name,password\nanna,a,b\n", "a.csv:2:3: there are two columns"),
        ("name,password\na b,x\n", "a.csv:2:1: a name has no space"),
        ("name,password\n\"a\na\",x\n", "a.csv:2:1: the name has characters that SASLprep"),
        ("name,password\na,x\nb@c,x\n", "a.csv:3:1: a name has no space"),
        ("name,password\na,x\nb,x\nA,y\n", "a.csv:4:1: `A` stands in line 2 already"),
        ("name,password\nﬁ,x\n", "a.csv:2:1: the name is not written as SASLprep"),
        ("name,password\nü,x\nÜ,x\n", "a.csv:3:1: `Ü` stands in line 2 already"),
        ("name,password\na,a\u{1}b\n", "a.csv:2:2: the password has characters"),
        ("name,password\na,\u{a0}\n", "a.csv:2:2: the password is not written as"),
    ] {
        let said = list(text).expect_err(text).to_string();
        assert!(said.starts_with(expected), "{text:?} said: {said}");
    }
    let said = Accounts::from_csv("a.csv", b"name,password\n\xff,x\n").expect_err("not UTF-8");
    assert_eq!(said.to_string(), "a.csv:2:1: this is not UTF-8");
}

#[test]
fn a_password_is_one_that_everybody_reads_alike() {
    let long = "x".repeat(1024);
    for (password, good) in [
        ("it's {id} \"$HOME\"", true),
        ("größer", true),
        ("", false),
        (&long, false),
        ("a\tb", false),
        ("\u{7}", false),
        ("ﬀ", false),
    ] {
        assert_eq!(check_password(password).is_ok(), good, "{password:?}");
    }
}

#[test]
fn what_is_shown_has_no_password() {
    let accounts = list("name,password\nanna,hush\n").expect("valid");
    assert!(!format!("{accounts:?}").contains("hush"));
    let accounts = Accounts::by_pattern("a{id}", Pattern::constant("hush")).expect("valid");
    assert!(!format!("{accounts:?}").contains("hush"));
}
