//! Reading templates. Every fault says at which byte, and names what is known.

use super::functions::FUNCTIONS;
use super::lexer::{Token, tokens};
use super::{Expr, Infix, Kind, Place, Template};
use crate::spelling::{hint, nearest};

/// Parentheses and calls in each other. Reading them takes stack.
const DEPTH_MAX: usize = 50;
/// Bytes of one expression: nobody writes more.
const BYTES_MAX: usize = 10_000;

/// What is wrong with a template, and at which byte of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub at: usize,
    pub why: String,
}

impl Trouble {
    fn new(at: usize, why: impl Into<String>) -> Trouble {
        Trouble { at, why: why.into() }
    }
}

/// The names that a template can say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names<'a> {
    /// Parameters and arguments: what they stand for. Later ones hide earlier ones.
    pub values: Vec<(&'a str, Expr)>,
    pub variables: Vec<(&'a str, Place)>,
    /// The fields of the event that is heard, where one is.
    pub fields: &'static [&'static str],
}

impl Names<'_> {
    /// `_` in a template is `-` in a name, for `-` is minus.
    fn find(&self, name: &str) -> Option<Expr> {
        let same = |known: &str| crate::settings::same(known, name);
        let value = self.values.iter().rev().find(|(known, _)| same(known));
        let variable = || self.variables.iter().find(|(known, _)| same(known));
        value.map(|(_, value)| value.clone()).or_else(|| Some(Expr::Variable(variable()?.1)))
    }

    fn known(&self) -> Vec<String> {
        let values = self.values.iter().map(|(name, _)| *name);
        let variables = self.variables.iter().map(|(name, _)| *name);
        values.chain(variables).map(|name| name.replace('-', "_")).collect()
    }
}

/// A text in which `{{ ... }}` are expressions.
pub(crate) fn template(text: &str, names: &Names<'_>) -> Result<Template, Trouble> {
    let (mut found, mut at) = (Template::default(), 0);
    while let Some(open) = text[at..].find("{{").map(|offset| at + offset) {
        found.push_literal(&text[at..open]);
        let inner = open + 2;
        let end = end_of(&text[inner..]).map(|end| inner + end);
        let end = end.ok_or_else(|| Trouble::new(open, "`{{` without its `}}`"))?;
        found.push(
            within(&text[inner..end], names)
                .map_err(|trouble| Trouble { at: trouble.at + inner, ..trouble })?,
        );
        at = end + 2;
    }
    if let Some(close) = text[at..].find("}}") {
        return Err(Trouble::new(at + close, "`}}` without its `{{`"));
    }
    found.push_literal(&text[at..]);
    Ok(found)
}

/// A text that is one expression: `{{ ... }}` and nothing else, of this kind.
pub(crate) fn expression(text: &str, kind: Kind, names: &Names<'_>) -> Result<Expr, Trouble> {
    let trimmed = text.trim();
    let start = text.len() - text.trim_start().len();
    let inner = trimmed.strip_prefix("{{").and_then(|inner| inner.strip_suffix("}}"));
    let Some(inner) = inner.filter(|inner| end_of(inner).is_none()) else {
        // A number needs no braces.
        if let (Kind::Number, Ok(number)) = (kind, crate::file::number(trimmed)) {
            return Ok(Expr::Number(number));
        }
        let why = format!("{} belongs here: write it as \"{{{{ ... }}}}\"", kind.name());
        return Err(Trouble::new(start, why));
    };
    let inside = |trouble: Trouble| Trouble { at: trouble.at + start + 2, ..trouble };
    let found = within(inner, names).map_err(inside)?;
    if found.kind() == kind {
        return Ok(found);
    }
    let why = format!("{} belongs here, and this is {}", kind.name(), found.kind().name());
    Err(Trouble::new(start, why))
}

/// Where `}}` stands that is in no quotes.
fn end_of(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match (quote, c) {
            (Some(_), '\\') => _ = characters.next(),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '}') if text[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}

/// What stands between the braces.
fn within(text: &str, names: &Names<'_>) -> Result<Expr, Trouble> {
    if text.len() > BYTES_MAX {
        return Err(Trouble::new(0, format!("an expression of more than {BYTES_MAX} bytes")));
    }
    let tokens = tokens(text).map_err(|(at, why)| Trouble { at, why })?;
    let mut reader = Reader { tokens: &tokens, at: 0, end: text.len(), names, depth: 0 };
    let found = reader.either()?;
    match reader.peek() {
        None => Ok(found),
        Some(token) => {
            let why = format!("{} is not expected here", spelled(token));
            Err(Trouble::new(reader.place(), why))
        }
    }
}

fn spelled(token: &Token) -> String {
    match token {
        Token::Number(number) => format!("`{number}`"),
        Token::Text(text) => format!("'{text}'"),
        Token::Name(name) => format!("`{name}`"),
        Token::Sign(sign) => format!("`{sign}`"),
    }
}

struct Reader<'a, 'n> {
    tokens: &'a [(usize, Token)],
    at: usize,
    end: usize,
    names: &'a Names<'n>,
    depth: usize,
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    /// The byte that the next word begins at.
    fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(at, _)| *at)
    }

    fn sign(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(sign)) if *sign == wanted);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(name)) if name == wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), Trouble> {
        let at = self.place();
        if self.sign(sign) { Ok(()) } else { Err(Trouble::new(at, format!("`{sign}` is missing"))) }
    }

    fn either(&mut self) -> Result<Expr, Trouble> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Trouble::new(self.place(), "too deep in parentheses"));
        }
        let mut left = self.all()?;
        while let (at, true) = (self.place(), self.word("or")) {
            left = both(Infix::Or, Kind::Truth, [left, self.all()?], at)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn all(&mut self) -> Result<Expr, Trouble> {
        let mut left = self.compared()?;
        while let (at, true) = (self.place(), self.word("and")) {
            left = both(Infix::And, Kind::Truth, [left, self.compared()?], at)?;
        }
        Ok(left)
    }

    fn compared(&mut self) -> Result<Expr, Trouble> {
        if let (at, true) = (self.place(), self.word("not")) {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(Trouble::new(at, "too deep in parentheses"));
            }
            let of = self.compared()?;
            self.depth -= 1;
            return match of.kind() {
                Kind::Truth => Ok(Expr::Not(Box::new(of))),
                kind => Err(Trouble::new(at, format!("`not` of {} is nothing", kind.name()))),
            };
        }
        let left = self.sum()?;
        const COMPARISONS: [(&str, Infix); 6] = [
            ("==", Infix::Equal),
            ("!=", Infix::Unequal),
            ("<=", Infix::LessOrEqual),
            (">=", Infix::GreaterOrEqual),
            ("<", Infix::Less),
            (">", Infix::Greater),
        ];
        let at = self.place();
        let Some((_, infix)) = COMPARISONS.into_iter().find(|(sign, _)| self.sign(sign)) else {
            return Ok(left);
        };
        let right = self.sum()?;
        if [&left, &right].iter().any(|side| side.kind() == Kind::Text && !side.is_at_hand()) {
            return Err(Trouble::new(at, "a text that is made anew each time cannot be compared"));
        }
        let kind = left.kind();
        if right.kind() != kind {
            let (left, right) = (kind.name(), right.kind().name());
            return Err(Trouble::new(at, format!("{left} and {right} cannot be compared")));
        }
        both(infix, kind, [left, right], at)
    }

    fn sum(&mut self) -> Result<Expr, Trouble> {
        let mut left = self.product()?;
        loop {
            let at = self.place();
            let infix = match () {
                () if self.sign("+") => Infix::Plus,
                () if self.sign("-") => Infix::Minus,
                () => return Ok(left),
            };
            left = both(infix, Kind::Number, [left, self.product()?], at)?;
        }
    }

    fn product(&mut self) -> Result<Expr, Trouble> {
        let mut left = self.factor()?;
        loop {
            let at = self.place();
            let infix = match () {
                () if self.sign("*") => Infix::Times,
                () if self.sign("/") => Infix::Over,
                () if self.sign("%") => Infix::Remainder,
                () => return Ok(left),
            };
            left = both(infix, Kind::Number, [left, self.factor()?], at)?;
        }
    }

    fn factor(&mut self) -> Result<Expr, Trouble> {
        let at = self.place();
        if self.sign("-") {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(Trouble::new(at, "too deep in signs"));
            }
            let of = self.factor()?;
            self.depth -= 1;
            return match of.kind() {
                Kind::Number => Ok(Expr::Negative(Box::new(of))),
                kind => Err(Trouble::new(at, format!("minus {} is nothing", kind.name()))),
            };
        }
        if self.sign("(") {
            let found = self.either()?;
            self.expect(")")?;
            return Ok(found);
        }
        let Some(token) = self.peek().cloned() else {
            return Err(Trouble::new(at, "something is missing here"));
        };
        self.at += 1;
        match token {
            Token::Number(number) => Ok(Expr::Number(number)),
            Token::Text(text) => Ok(Expr::Text(text.into())),
            Token::Name(name) => self.name(&name, at),
            Token::Sign(sign) => Err(Trouble::new(at, format!("`{sign}` is not expected here"))),
        }
    }

    fn name(&mut self, name: &str, at: usize) -> Result<Expr, Trouble> {
        match name {
            "true" => return Ok(Expr::Truth(true)),
            "false" => return Ok(Expr::Truth(false)),
            _ => {}
        }
        if self.sign("(") {
            return self.call(name, at);
        }
        if self.sign(".") {
            return self.field(name, at);
        }
        self.names.find(name).ok_or_else(|| {
            let known = self.names.known();
            if FUNCTIONS.iter().any(|own| own.name == name) {
                return Trouble::new(at, format!("`{name}` is a function: write `{name}(...)`"));
            }
            if name == "event" || name == "bot" {
                return Trouble::new(at, format!("`{name}` of itself says nothing: name a field"));
            }
            let meant = nearest(name, known.iter().map(String::as_str));
            let why = format!("no parameter, variable or argument is called `{name}`");
            Trouble::new(at, why + &hint(meant))
        })
    }

    /// `bot.id`, `event.text`.
    fn field(&mut self, of: &str, at: usize) -> Result<Expr, Trouble> {
        let Some(Token::Name(field)) = self.peek().cloned() else {
            return Err(Trouble::new(self.place(), "a name belongs behind the dot"));
        };
        self.at += 1;
        match of {
            "bot" if field == "id" => Ok(Expr::BotId),
            "bot" => Err(Trouble::new(at, format!("a bot has no `{field}`; it has `bot.id`"))),
            "event" if self.names.fields.is_empty() => {
                Err(Trouble::new(at, "no event is heard here: `wait_for` can look at one"))
            }
            "event" => match self.names.fields.iter().position(|known| *known == field) {
                Some(nth) => Ok(Expr::Field(nth as u8)),
                None => {
                    let known = self.names.fields.join(", ");
                    let why = format!("this event has no `{field}`; it has {known}");
                    Err(Trouble::new(at, why))
                }
            },
            _ => Err(Trouble::new(at, format!("`{of}` has no fields; `bot` and `event` have"))),
        }
    }

    fn call(&mut self, name: &str, at: usize) -> Result<Expr, Trouble> {
        let Some(described) = FUNCTIONS.iter().find(|own| own.name == name) else {
            let meant = nearest(name, FUNCTIONS.iter().map(|own| own.name));
            return Err(Trouble::new(at, format!("no function is called `{name}`{}", hint(meant))));
        };
        let mut given = Vec::new();
        while !self.sign(")") {
            if !given.is_empty() {
                self.expect(",")?;
            }
            given.push(self.either()?);
        }
        match described.fits(&given) {
            Ok(()) => Ok(Expr::Call(described.function, given.into())),
            Err(why) => Err(Trouble::new(at, format!("`{name}` {why}"))),
        }
    }
}

/// Both sides have to be of this kind.
fn both(infix: Infix, kind: Kind, [left, right]: [Expr; 2], at: usize) -> Result<Expr, Trouble> {
    for side in [&left, &right] {
        if side.kind() != kind {
            let why = format!("{} belongs here, not {}", kind.name(), side.kind().name());
            return Err(Trouble::new(at, why));
        }
    }
    Ok(Expr::Both(infix, Box::new([left, right])))
}
