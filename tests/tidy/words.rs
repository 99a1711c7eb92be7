//! Names: words that say nothing are not used, for files and for what others can see.

use crate::none;
use crate::sources::{Source, everything};

/// Each of them could stand in the name of everything. Say what the thing does.
const NOT_USED: [&str; 9] =
    ["client", "handler", "manager", "helper", "util", "common", "data", "info", "process"];

#[test]
fn names_say_something() {
    let mut faults = Vec::new();
    for source in everything() {
        for name in source.path.split('/').chain(items(&source)) {
            for word in words(name.trim_end_matches(".rs")) {
                let one = [Some(&word[..]), word.strip_suffix('s'), word.strip_suffix("es")];
                if one.into_iter().flatten().any(|one| NOT_USED.contains(&one)) {
                    faults.push(format!(
                        "{}: `{name}`: `{word}` says nothing: name what it is or does",
                        source.path
                    ));
                }
            }
        }
    }
    none(&faults);
}

/// Names of items that are `pub` or `pub(crate)`, of modules, and of public fields.
fn items(source: &Source) -> impl Iterator<Item = &str> {
    source.code.lines().filter_map(|line| {
        let line = line.trim_start();
        let (seen, rest) = match line.split_once(' ')? {
            (public, rest) if public.starts_with("pub") => (true, rest),
            _ => (false, line),
        };
        let kinds = ["fn ", "struct ", "enum ", "trait ", "const ", "static ", "type ", "mod "];
        let mut rest = rest.strip_prefix("unsafe ").unwrap_or(rest);
        rest = rest.strip_prefix("const fn ").unwrap_or(rest);
        let module = rest.starts_with("mod ");
        let rest = kinds.iter().find_map(|kind| rest.strip_prefix(kind)).unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        (seen || module).then(|| &rest[..end])
    })
}

/// The words of a name in snake case or camel case, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for c in name.chars() {
        if c == '_' || c == '-' || (c.is_uppercase() && !before.is_uppercase()) {
            words.push(String::new());
        }
        if c != '_' && c != '-' {
            words.last_mut().expect("never empty").extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn names_fall_into_words() {
    assert_eq!(words("one_TWO_three"), ["one", "two", "three"]);
    assert_eq!(words("BotIdList"), ["bot", "id", "list"]);
}
