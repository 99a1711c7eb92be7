//! Files up to 400 lines, functions up to 70, lines up to 100; exceptions with their reasons.

use crate::none;
use crate::sources::{Source, everything};

const FILE_MAX: usize = 400;
const FUNCTION_MAX: usize = 70;
const LINE_MAX: usize = 100;

/// Files that may be longer: path, lines, and why. To go as soon as the reason does.
const LONG_FILES: &[(&str, usize, &str)] = &[];

/// Functions that may be longer: path, name, lines, and why.
const LONG_FUNCTIONS: &[(&str, &str, usize, &str)] =
    &[("engine/src/shard.rs", "new", 85, "one line a field")];

#[test]
fn files_functions_and_lines_are_small() {
    let mut faults = Vec::new();
    for source in everything() {
        let lines = source.text.lines().count();
        let longer = LONG_FILES.iter().find(|(path, ..)| *path == source.path);
        let most = longer.map_or(FILE_MAX, |&(_, most, _)| most);
        if lines > most {
            faults.push(format!("{}: {lines} lines of {most}: split it", source.path));
        }
        if longer.is_some() && lines <= FILE_MAX {
            faults.push(format!("{}: short again: remove its exception", source.path));
        }
        for (at, line) in source.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > LINE_MAX {
                faults.push(format!("{}:{}: {columns} columns: break it", source.path, at + 1));
            }
        }
        for (name, line, lines) in functions(&source) {
            let longer =
                LONG_FUNCTIONS.iter().find(|&&(path, own, ..)| path == source.path && own == name);
            let most = longer.map_or(FUNCTION_MAX, |&(_, _, most, _)| most);
            if lines > most {
                let path = &source.path;
                faults.push(format!("{path}:{line}: fn {name}: {lines} lines of {most}: split it"));
            }
        }
    }
    none(&faults);
}

/// Name, first line and number of lines of every function, in code as rustfmt leaves it: a
/// function ends with the first brace that stands as far in as it does.
fn functions(source: &Source) -> Vec<(&str, usize, usize)> {
    let lines: Vec<&str> = source.code.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let ends = |line: &&str| {
            let end = line.trim_start();
            line.len() - end.len() == indent && (end.starts_with('}') || end.ends_with(';'))
        };
        let one_line = line.ends_with('}') || line.ends_with(';');
        let length =
            if one_line { 0 } else { lines[at + 1..].iter().take_while(|l| !ends(l)).count() + 1 };
        found.push((name, at + 1, length + 1));
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let modifier = |word: &str| {
        matches!(word, "pub" | "const" | "async" | "unsafe" | "extern") || word.starts_with("pub(")
    };
    if !before.split_whitespace().all(modifier) {
        return None;
    }
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0).then(|| &after[..end])
}

#[test]
fn functions_are_found_with_their_lengths() {
    let text = "pub(crate) fn a() {\n    fn b() {}\n    c()\n}\n\ntrait T {\n    fn d(\n        \
                &self,\n    ) -> u8;\n    const fn e() -> u8 {\n        1\n    }\n}\n";
    let source = Source { path: String::new(), text: String::new(), code: text.to_owned() };
    assert_eq!(functions(&source), [("a", 1, 4), ("b", 2, 1), ("d", 7, 3), ("e", 10, 3)]);
}

/// The examples of the README: how many lines count, without blank ones, comments and `use`.
const EXAMPLES: [(&str, usize); 2] =
    [("scenarios/examples/line_bot.rs", 30), ("scenarios/examples/own_protocol.rs", 60)];

#[test]
fn the_examples_are_as_short_as_the_readme_says() {
    let sources = everything();
    for (path, most) in EXAMPLES {
        let source =
            sources.iter().find(|source| source.path == path).expect("the example is there");
        let mut in_use = false;
        let counted = source.code.lines().filter(|line| {
            let line = line.trim();
            let used = in_use || line.starts_with("use ");
            in_use = used && !line.ends_with(';');
            !used && !line.is_empty()
        });
        let counted = counted.count();
        assert!(counted <= most, "{path}: {counted} lines count, of {most}: shorten it");
    }
}
