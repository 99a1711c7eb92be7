//! Accounts: who logs in as whom. By a pattern over the bot's id, or from a list, each used once.
//!
//! Pure: a list is bytes with the name of its file, and every fault says file, line and column.

use std::fmt::Write;

use densebots_protocols::xmpp::sasl::{Unprepared, prepared};

/// Accounts in one list. A row costs about 60 bytes; beyond this a pattern is the better way.
pub const ROWS_MAX: usize = 10_000_000;
/// Digits a pattern may pad an id to: an id has ten at most.
const DIGITS_MAX: usize = 20;
/// Bytes of a name or password: more no server takes (RFC 7622, section 3.3.1).
const FIELD_BYTES_MAX: usize = 1023;

/// One account.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The local part: what stands before the `@`.
    pub name: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Account {
    /// Without the password: what is shown may be written down.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}`, column {column}: {why}")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
    /// Where, counted in characters from 1.
    pub column: usize,
    /// What.
    pub why: &'static str,
}

/// What is wrong with a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {why}")]
pub struct RowError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The column of the list, from 1: the name is in the first, the password in the second.
    pub column: u64,
    /// What.
    pub why: String,
}

/// A list is too short for the bots of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{have} account{} for the bots {first} to {last}: bot {} has none, each row belongs to one id",
    if *have == 1 { "" } else { "s" },
    first.max(&(have + 1))
)]
pub struct TooFew {
    /// Accounts there are.
    pub have: u64,
    /// The id of the first bot that needs one.
    pub first: u64,
    /// The id of the last.
    pub last: u64,
}

/// A text with places for the id: `bot{id}`, or padded with zeros as in `user-{id:06}`. `{{` and
/// `}}` are braces; a `%` directly before a place, as other programs write it, is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Id { digits: usize },
}

impl Pattern {
    /// Reads a pattern.
    pub fn of(pattern: &str) -> Result<Pattern, PatternError> {
        let fault = |at: usize, why| {
            let column = pattern[..at].chars().count() + 1;
            Err(PatternError { pattern: pattern.to_owned(), column, why })
        };
        let (mut pieces, mut text, mut at) = (Vec::new(), String::new(), 0);
        while let Some(first) = pattern[at..].chars().next() {
            let rest = &pattern[at..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                text.push(first);
                at += 2;
            } else if first == '}' {
                return fault(at, "this brace closes nothing; a brace itself is written `}}`");
            } else if first == '{' {
                let Some(end) = rest.find('}') else {
                    return fault(at, "this brace is not closed; a brace itself is written `{{`");
                };
                let Some(digits) = digits(&rest[1..end]) else {
                    return fault(at, "only {id} and {id:06}, the id with zeros, can stand here");
                };
                pieces.push(Piece::Text(std::mem::take(&mut text)));
                pieces.push(Piece::Id { digits });
                at += end + 1;
            } else {
                let mark = rest.starts_with("%{") && !rest.starts_with("%{{");
                text.extend((!mark).then_some(first));
                at += first.len_utf8();
            }
        }
        pieces.push(Piece::Text(text));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        Ok(Pattern(pieces))
    }

    /// The same text for every id.
    pub fn constant(text: &str) -> Pattern {
        Pattern(vec![Piece::Text(text.to_owned())])
    }

    /// Whether different ids give different texts.
    pub fn has_id(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Id { .. }))
    }

    /// The text for this id.
    pub fn fill(&self, id: u32) -> String {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Id { digits } => _ = write!(filled, "{id:0digits$}"),
            }
        }
        filled
    }
}

impl std::fmt::Debug for Pattern {
    /// Without its text: it may be a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pattern").finish_non_exhaustive()
    }
}

/// The digits of a place, from what stands between its braces.
fn digits(place: &str) -> Option<usize> {
    let format = place.strip_prefix("id")?;
    if format.is_empty() {
        return Some(0);
    }
    let digits = format.strip_prefix(":0")?.parse().ok()?;
    (1..=DIGITS_MAX).contains(&digits).then_some(digits)
}

/// Where accounts come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accounts {
    /// From the bot's id, without end.
    Formula {
        /// Its name; has a place for the id.
        name: Pattern,
        /// Its password.
        password: Pattern,
    },
    /// From a list: the bot with the id 1 has the first, wherever a run begins.
    List(Vec<Account>),
}

impl Accounts {
    /// By patterns over the id.
    pub fn by_pattern(name: &str, password: Pattern) -> Result<Accounts, PatternError> {
        let pattern = Pattern::of(name)?;
        if !pattern.has_id() {
            let why = "without {id} all bots would be the same user";
            return Err(PatternError { pattern: name.to_owned(), column: 1, why });
        }
        let fault = |why| PatternError { pattern: name.to_owned(), column: 1, why };
        check_name(&pattern.fill(u32::MAX)).map_err(fault)?;
        Ok(Accounts::Formula { name: pattern, password })
    }

    /// From a list in CSV (RFC 4180) whose first line is `name,password`. The file is only named.
    pub fn from_csv(file: &str, bytes: &[u8]) -> Result<Accounts, RowError> {
        rows::read(file, bytes).map(Accounts::List)
    }

    /// The account of a bot, whichever part of the bots a run has. `None` past the end of a list.
    pub fn of(&self, id: u32) -> Option<Account> {
        match self {
            Accounts::Formula { name, password } => {
                Some(Account { name: name.fill(id), password: password.fill(id) })
            }
            Accounts::List(rows) => rows.get(id.checked_sub(1)? as usize).cloned(),
        }
    }

    /// Whether there is one for each of so many bots, from the first of their ids on.
    pub fn suffice(&self, first_id: u32, bots: u64) -> Result<(), TooFew> {
        let Accounts::List(rows) = self else { return Ok(()) };
        let (have, first) = (rows.len() as u64, u64::from(first_id));
        let last = first.saturating_add(bots).saturating_sub(1);
        if bots > 0 && have < last { Err(TooFew { have, first, last }) } else { Ok(()) }
    }
}

/// Whether a name can be the local part of an address as it is (RFC 7622, section 3.3.1): what a
/// server would change (SASLprep, RFC 4013) or refuse is a fault here, before the start.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.len() > FIELD_BYTES_MAX {
        return Err("the name is longer than 1,023 bytes");
    }
    prepared(name).map_err(|why| match why {
        Unprepared::Empty => "the name is empty",
        Unprepared::Forbidden => "the name has characters that SASLprep (RFC 4013) forbids",
        Unprepared::Changed => "the name is not written as SASLprep (RFC 4013) leaves it",
    })?;
    if name.contains(|c: char| " \"&'/:<>@".contains(c)) {
        return Err("a name has no space and none of \" & ' / : < > @");
    }
    Ok(())
}

/// Whether a password can be sent as it is: a server that would have to change it first (SASLprep,
/// RFC 4013) may do so otherwise than another one.
pub fn check_password(password: &str) -> Result<(), &'static str> {
    if password.len() > FIELD_BYTES_MAX {
        return Err("the password is longer than 1,023 bytes");
    }
    prepared(password).map_err(|why| match why {
        Unprepared::Empty => "the password is empty",
        Unprepared::Forbidden => "the password has characters that SASLprep (RFC 4013) forbids",
        Unprepared::Changed => "the password is not written as SASLprep (RFC 4013) leaves it",
    })
}

mod rows;

#[cfg(test)]
mod tests;
