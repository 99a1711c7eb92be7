//! Texts with `{{ ... }}` in them: read once, rendered often, without allocating.
//!
//! Every expression has one of three kinds, known when it is read: a number, a truth, a text. What
//! does not depend on the bot is worked out then, too.
//!
//! ```text
//! "say {{ pick('hi', 'ho') }} to {{ bot.id + 1 }}"  ->  [literal, pick, literal, sum]
//! ```

use std::fmt::Write;

use densebots_engine::{Rng, Time};

mod functions;
mod lexer;
mod parse;
#[cfg(test)]
mod tests;

pub(crate) use functions::FUNCTIONS;
pub(crate) use parse::{Names, Trouble, expression, template};

use functions::Function;

/// Bytes of a random text.
const TEXT_MAX: f64 = 65_536.0;
/// Fields of an event that templates can name.
pub(crate) const FIELDS_MAX: usize = 6;

/// What the value of an expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Truth,
    Text,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Number => "a number",
            Kind::Truth => "true or false",
            Kind::Text => "a text",
        }
    }
}

/// Where a bot keeps a variable, in bytes of its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub at: u16,
    pub kind: Kind,
    /// The most bytes of a text.
    pub most: u8,
}

impl Place {
    /// Bytes that it takes: a text has its length in front.
    pub(crate) fn bytes(self) -> usize {
        match self.kind {
            Kind::Number => 8,
            Kind::Truth => 1,
            Kind::Text => 1 + usize::from(self.most),
        }
    }

    fn number(self, memory: &[u8]) -> f64 {
        let from = usize::from(self.at);
        let bytes = memory.get(from..from + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0.0, f64::from_le_bytes)
    }

    fn truth(self, memory: &[u8]) -> bool {
        memory[usize::from(self.at)] != 0
    }

    fn text(self, memory: &[u8]) -> &str {
        let from = usize::from(self.at) + 1;
        let length = usize::from(memory[from - 1].min(self.most));
        std::str::from_utf8(&memory[from..from + length]).unwrap_or_default()
    }

    pub(crate) fn set_number(self, memory: &mut [u8], number: f64) {
        let from = usize::from(self.at);
        memory[from..from + 8].copy_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn set_truth(self, memory: &mut [u8], truth: bool) {
        memory[usize::from(self.at)] = u8::from(truth);
    }

    /// What is longer than the variable is cut off at a character.
    pub(crate) fn set_text(self, memory: &mut [u8], text: &str) {
        let most = text.len().min(usize::from(self.most));
        let length = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let from = usize::from(self.at) + 1;
        memory[from - 1] = length as u8;
        memory[from..from + length].copy_from_slice(&text.as_bytes()[..length]);
    }
}

/// What a bot has heard, as far as templates can name it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard<'a> {
    /// Its number among the events of the vocabulary.
    pub event: u16,
    pub fields: [std::borrow::Cow<'a, str>; FIELDS_MAX],
}

/// What an expression can see.
pub(crate) struct Scope<'a> {
    pub memory: &'a [u8],
    pub id: u32,
    pub now: Time,
    pub rng: &'a mut Rng,
    pub heard: Option<&'a Heard<'a>>,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Number(f64),
    Truth(bool),
    Text(Box<str>),
    /// The value of a parameter that is a number, and how it was written.
    Given(f64, Box<str>),
    Variable(Place),
    /// A field of the event that is heard.
    Field(u8),
    BotId,
    /// A text with expressions in it, as the argument of a sub-tree.
    Joined(Box<Template>),
    Negative(Box<Expr>),
    Not(Box<Expr>),
    Both(Infix, Box<[Expr; 2]>),
    Call(Function, Box<[Expr]>),
}

/// What stands between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Infix {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    Over,
    Remainder,
}

impl Expr {
    /// What its value is.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Expr::Number(_) | Expr::Given(..) | Expr::BotId | Expr::Negative(_) => Kind::Number,
            Expr::Truth(_) | Expr::Not(_) => Kind::Truth,
            Expr::Text(_) | Expr::Field(_) | Expr::Joined(_) => Kind::Text,
            Expr::Variable(place) => place.kind,
            Expr::Both(infix, _) => infix.gives(),
            Expr::Call(function, given) => function.kind(given),
        }
    }

    /// It is the same for every bot at every time.
    pub(crate) fn is_constant(&self) -> bool {
        match self {
            Expr::Number(_) | Expr::Given(..) | Expr::Truth(_) | Expr::Text(_) => true,
            Expr::Variable(_) | Expr::Field(_) | Expr::BotId => false,
            Expr::Joined(text) => text.constant().is_some(),
            Expr::Negative(of) | Expr::Not(of) => of.is_constant(),
            Expr::Both(_, sides) => sides.iter().all(Expr::is_constant),
            Expr::Call(function, given) => !function.draws() && given.iter().all(Expr::is_constant),
        }
    }

    /// Whether its text can be looked at in place, without being written first.
    fn is_at_hand(&self) -> bool {
        match self {
            Expr::Text(_) | Expr::Variable(_) | Expr::Field(_) => true,
            Expr::Call(Function::Pick | Function::If, given) => {
                given.iter().all(|given| given.kind() != Kind::Text || given.is_at_hand())
            }
            _ => false,
        }
    }

    /// The fields of the event that it looks at, a bit each.
    pub(crate) fn fields(&self) -> u8 {
        match self {
            Expr::Field(field) => 1 << field,
            Expr::Joined(text) => text.fields(),
            Expr::Negative(of) | Expr::Not(of) => of.fields(),
            Expr::Both(_, sides) => sides[0].fields() | sides[1].fields(),
            Expr::Call(_, given) => given.iter().fold(0, |all, given| all | given.fields()),
            _ => 0,
        }
    }

    pub(crate) fn number<'a>(&'a self, scope: &mut Scope<'a>) -> f64 {
        match self {
            Expr::Number(number) | Expr::Given(number, _) => *number,
            Expr::Variable(place) => place.number(scope.memory),
            Expr::BotId => scope.id.into(),
            Expr::Negative(of) => -of.number(scope),
            Expr::Both(infix, sides) => {
                let (left, right) = (sides[0].number(scope), sides[1].number(scope));
                infix.number(left, right)
            }
            Expr::Call(function, given) => function.number(given, scope),
            _ => 0.0,
        }
    }

    pub(crate) fn truth<'a>(&'a self, scope: &mut Scope<'a>) -> bool {
        match self {
            Expr::Truth(truth) => *truth,
            Expr::Variable(place) => place.truth(scope.memory),
            Expr::Not(of) => !of.truth(scope),
            Expr::Both(Infix::Or, sides) => sides[0].truth(scope) || sides[1].truth(scope),
            Expr::Both(Infix::And, sides) => sides[0].truth(scope) && sides[1].truth(scope),
            Expr::Both(infix, sides) => {
                let [left, right] = &**sides;
                let order = match left.kind() {
                    Kind::Number => left.number(scope).partial_cmp(&right.number(scope)),
                    Kind::Truth => Some(left.truth(scope).cmp(&right.truth(scope))),
                    Kind::Text => Some(left.text(scope).cmp(right.text(scope))),
                };
                infix.truth(order)
            }
            Expr::Call(function, given) => function.truth(given, scope),
            _ => false,
        }
    }

    /// A text that is at hand.
    pub(crate) fn text<'a>(&'a self, scope: &mut Scope<'a>) -> &'a str {
        match self {
            Expr::Text(text) => text,
            Expr::Variable(place) => place.text(scope.memory),
            Expr::Field(field) => {
                scope.heard.map_or("", |heard| &heard.fields[usize::from(*field)])
            }
            Expr::Call(function, given) => function.text(given, scope),
            _ => "",
        }
    }

    /// Appends what it is.
    pub(crate) fn write<'a>(&'a self, scope: &mut Scope<'a>, out: &mut String) {
        match (self, self.kind()) {
            (Expr::Given(_, written), _) => out.push_str(written),
            (Expr::Joined(text), _) => text.render(scope, out),
            (Expr::Call(Function::RandomText, given), _) => {
                functions::random_text(given[0].number(scope), scope.rng, out);
            }
            (_, Kind::Text) => out.push_str(self.text(scope)),
            (_, Kind::Truth) => out.push_str(if self.truth(scope) { "true" } else { "false" }),
            (_, Kind::Number) => _ = write!(out, "{}", self.number(scope)),
        }
    }
}

impl Infix {
    fn gives(self) -> Kind {
        match self {
            Infix::Plus | Infix::Minus | Infix::Times | Infix::Over | Infix::Remainder => {
                Kind::Number
            }
            _ => Kind::Truth,
        }
    }

    fn number(self, left: f64, right: f64) -> f64 {
        match self {
            Infix::Plus => left + right,
            Infix::Minus => left - right,
            Infix::Times => left * right,
            Infix::Over => left / right,
            Infix::Remainder => left.rem_euclid(right),
            _ => 0.0,
        }
    }

    /// The answer to a comparison; what cannot be compared is only unequal.
    fn truth(self, order: Option<std::cmp::Ordering>) -> bool {
        let Some(order) = order else { return self == Infix::Unequal };
        match self {
            Infix::Equal => order.is_eq(),
            Infix::Unequal => order.is_ne(),
            Infix::Less => order.is_lt(),
            Infix::LessOrEqual => order.is_le(),
            Infix::Greater => order.is_gt(),
            Infix::GreaterOrEqual => order.is_ge(),
            _ => false,
        }
    }
}

/// A text with expressions in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Literal(Box<str>),
    Value(Expr),
}

impl Template {
    /// Text alone.
    pub(crate) fn literal(text: &str) -> Template {
        let piece = Piece::Literal(text.into());
        Template(if text.is_empty() { Vec::new() } else { vec![piece] })
    }

    /// Its text, if it is always the same.
    pub(crate) fn constant(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The one expression that it is, with what stands behind it.
    pub(crate) fn single(&self) -> Option<(&Expr, &str)> {
        match &self.0[..] {
            [Piece::Value(value)] => Some((value, "")),
            [Piece::Value(value), Piece::Literal(behind)] => Some((value, behind)),
            _ => None,
        }
    }

    /// The fields of the event that it looks at, a bit each.
    pub(crate) fn fields(&self) -> u8 {
        self.0.iter().fold(0, |all, piece| match piece {
            Piece::Literal(_) => all,
            Piece::Value(value) => all | value.fields(),
        })
    }

    /// Appends its text.
    pub(crate) fn render<'a>(&'a self, scope: &mut Scope<'a>, out: &mut String) {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Value(value) => value.write(scope, out),
            }
        }
    }

    fn push_literal(&mut self, more: &str) {
        match self.0.last_mut() {
            _ if more.is_empty() => {}
            Some(Piece::Literal(text)) => *text = format!("{text}{more}").into(),
            _ => self.0.push(Piece::Literal(more.into())),
        }
    }

    fn push(&mut self, value: Expr) {
        if !value.is_constant() {
            return self.0.push(Piece::Value(value));
        }
        let mut text = String::new();
        let mut rng = Rng::of(0, densebots_engine::BotId(0));
        let now = Time::ZERO;
        value.write(&mut Scope { memory: &[], id: 0, now, rng: &mut rng, heard: None }, &mut text);
        self.push_literal(&text);
    }
}
