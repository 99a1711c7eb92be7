//! A list of accounts, read from CSV (RFC 4180).

use std::collections::HashMap;

use super::{Account, ROWS_MAX, RowError, check_name, check_password};

/// The first line of a list.
const HEADER: [&str; 2] = ["name", "password"];

/// Reads all rows, or tells the first fault.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Vec<Account>, RowError> {
    let fault = |line: u64, column: u64, why: String| {
        Err(RowError { file: file.to_owned(), line, column, why })
    };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut row = csv::ByteRecord::new();
    let mut accounts: Vec<Account> = Vec::new();
    let mut lines: HashMap<String, u64> = HashMap::new();
    let mut first = true;
    while reader.read_byte_record(&mut row).map_err(|error| unread(file, &error))? {
        let line = row.position().map_or(1, |position| line_of(bytes, position));
        let mut fields = [""; HEADER.len()];
        for (nth, field) in fields.iter_mut().enumerate() {
            let column = nth as u64 + 1;
            let Some(bytes) = row.get(nth) else {
                return fault(line, column, format!("the {} is missing", HEADER[nth]));
            };
            match std::str::from_utf8(bytes) {
                Ok(text) => *field = text,
                Err(_) => return fault(line, column, "this is not UTF-8".into()),
            }
        }
        if row.len() > HEADER.len() {
            let why = "there are two columns, name and password; quote a comma: \"a,b\"";
            return fault(line, 3, why.into());
        }
        if std::mem::take(&mut first) {
            fields[0] = fields[0].trim_start_matches('\u{feff}'); // spreadsheets write one
            if fields != HEADER {
                return fault(line, 1, "the first line has to be: name,password".into());
            }
            continue;
        }
        let [name, password] = fields;
        if let Err(why) = check_name(name) {
            return fault(line, 1, why.into());
        }
        if let Err(why) = check_password(password) {
            return fault(line, 2, why.into());
        }
        // Servers compare names without regard to case.
        if let Some(other) = lines.insert(name.to_lowercase(), line) {
            return fault(line, 1, format!("`{name}` stands in line {other} already"));
        }
        if accounts.len() == ROWS_MAX {
            return fault(line, 1, format!("a list has at most {ROWS_MAX} accounts"));
        }
        accounts.push(Account { name: name.to_owned(), password: password.to_owned() });
    }
    if first {
        return fault(1, 1, "the file is empty; its first line has to be: name,password".into());
    }
    Ok(accounts)
}

/// The line in which a row stands. A position is where its reading began: empty lines that were
/// skipped lie behind it.
fn line_of(bytes: &[u8], position: &csv::Position) -> u64 {
    let rest = bytes.get(position.byte() as usize..).unwrap_or_default();
    let skipped = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    position.line() + skipped.filter(|byte| **byte == b'\n').count() as u64
}

fn unread(file: &str, error: &csv::Error) -> RowError {
    let line = error.position().map_or(1, csv::Position::line);
    RowError { file: file.to_owned(), line, column: 1, why: error.to_string() }
}
