//! The sources of the workspace, and a look at them without comments and strings.

use std::fs;
use std::path::Path;

use crate::root;

/// One file of Rust.
pub(crate) struct Source {
    /// From the root of the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and the contents of literals blanked; lines stay where they are.
    pub(crate) code: String,
}

impl Source {
    /// The code that is part of what ships: empty for files of tests, and up to the tests at the
    /// end of a file.
    pub(crate) fn shipped(&self) -> &str {
        let tests = self.path.ends_with("/tests.rs") || self.path.contains("/tests/");
        if tests {
            return "";
        }
        let end = self.code.find("#[cfg(test)]\nmod tests {").unwrap_or(self.code.len());
        &self.code[..end]
    }

    /// The number of the line at a place of the code, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        1 + self.code[..at].matches('\n').count()
    }
}

/// Every file of Rust in these folders of the root, in order of their paths.
pub(crate) fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in folders {
        gather(&root().join(folder), &mut found);
    }
    found.sort_by(|a: &Source, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no sources in {folders:?}");
    found
}

/// All folders with sources of ours.
pub(crate) fn everything() -> Vec<Source> {
    sources(&["protocols", "engine", "scenarios", "control", "tests", "bench"])
}

/// Whether cargo made the folder. Others are called `target` for what stands in them.
fn built(folder: &Path) -> bool {
    folder.join("CACHEDIR.TAG").exists()
}

fn gather(folder: &Path, found: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    for entry in entries {
        let path = entry.expect("a folder can be listed").path();
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        if path.is_dir() && !built(&path) {
            gather(&path, found);
        } else if is_rust {
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            let code = blanked(&text);
            let path = path.strip_prefix(root()).expect("below the root").display().to_string();
            found.push(Source { path: path.replace('\\', "/"), text, code });
        }
    }
}

/// Every place of the code where `name` stands as a whole name.
pub(crate) fn places<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).map(|(at, _)| at).filter(move |&at| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        !before.ends_with(part) && !after.starts_with(part)
    })
}

/// The text with everything between the quotes of literals, and all comments, as spaces.
fn blanked(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (hidden, quotes) = literal(rest);
        let taken = if hidden == 0 { first.len_utf8() } else { hidden };
        for (at, c) in rest[..taken].char_indices() {
            let quote = at < quotes || at + quotes >= taken;
            let shown = c == '\n' || hidden == 0 || (quotes > 0 && quote);
            // As many bytes as before, so that places in code and text are the same.
            if shown { code.push(c) } else { code.extend([' '; 4].iter().take(c.len_utf8())) }
        }
        rest = &rest[taken..];
        // A name that ends in r or b is not the beginning of a literal.
        let name = first.is_alphanumeric() || first == '_';
        if name && hidden == 0 {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            if !matches!((first, end), ('r' | 'b' | 'c', 0)) {
                code.push_str(&rest[..end]);
                rest = &rest[end..];
            }
        }
    }
    code
}

/// How long the comment or literal is with which the text begins, and how long its quotes are.
fn literal(text: &str) -> (usize, usize) {
    if text.starts_with("//") {
        return (text.find('\n').unwrap_or(text.len()), 0);
    }
    if text.starts_with("/*") {
        return (text.find("*/").map_or(text.len(), |at| at + 2), 0);
    }
    let raw = text.strip_prefix("br").or_else(|| text.strip_prefix('r'));
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let begin = text.len() - raw.len() + hashes + 1;
            let end = format!("\"{}", "#".repeat(hashes));
            let length = text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len());
            return (length, 1);
        }
        return (0, 0);
    }
    match text.strip_prefix('"') {
        Some(_) => (closed(text, '"'), 1),
        None if text.starts_with('\'') => {
            let mut after = text[1..].chars();
            match (after.next(), after.next()) {
                (Some('\\'), _) | (Some(_), Some('\'')) => (closed(text, '\''), 1),
                _ => (0, 0), // a lifetime
            }
        }
        None => (0, 0),
    }
}

/// The length of a literal up to its closing quote.
fn closed(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn comments_and_literals_are_blanked_and_nothing_else() {
    let cases = [
        ("let a = \"x // y\"; // z\nlet b", "let a = \"      \";     \nlet b"),
        ("c('d'); e::<'f>(b'\\'', '\\n')", "c(' '); e::<'f>(b'  ', '  ')"),
        ("g(r#\"h \"i\" \"#, j)", "g(r         #, j)"),
        ("for_bar(\"\u{e9}\")", "for_bar(\"  \")"),
    ];
    for (text, code) in cases {
        assert_eq!(blanked(text), code);
    }
    assert_eq!(blanked("/* a\nb */ c"), "    \n     c");
}
