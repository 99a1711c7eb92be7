//! The words of an expression.

/// A word of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(String),
    /// Letters, digits and `_`, a letter or `_` first.
    Name(String),
    /// Anything else: `(`, `==`, `+`.
    Sign(&'static str),
}

/// Signs, longer ones first.
const SIGNS: [&str; 15] =
    ["==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "(", ")", ",", "."];

/// The words of `text`, each with the byte it begins at; or where there is none, and why.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, (usize, String)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, length) = if first.is_ascii_digit() {
            number(rest).map_err(|why| (at, why))?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let end = end.unwrap_or(rest.len());
            (Token::Name(rest[..end].to_owned()), end)
        } else if first == '\'' || first == '"' {
            quoted(rest, first).ok_or((at, format!("this {first} has no end")))?
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            let why = match first {
                '=' => "two things are compared with `==`".to_owned(),
                '!' => "`not` is the word for that".to_owned(),
                '&' => "`and` is the word for that".to_owned(),
                '|' => "`or` is the word for that".to_owned(),
                other => format!("`{other}` means nothing in a template"),
            };
            return Err((at, why));
        };
        found.push((at, token));
        at += length;
    }
    Ok(found)
}

fn number(rest: &str) -> Result<(Token, usize), String> {
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'));
    let end = end.unwrap_or(rest.len());
    let digits = rest[..end].replace('_', "");
    let unit = rest[end..].chars().next().filter(char::is_ascii_alphabetic);
    match digits.parse() {
        Ok(number) if unit.is_none() => Ok((Token::Number(number), end)),
        _ => Err(format!("`{}` is not a number", &rest[..end + unit.map_or(0, char::len_utf8)])),
    }
}

/// A text in quotes; a backslash takes the next character as it is, `\n` is a new line.
fn quoted(rest: &str, quote: char) -> Option<(Token, usize)> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            c if c == quote => return Some((Token::Text(text), at + 1)),
            '\\' => match characters.next()?.1 {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    None
}
