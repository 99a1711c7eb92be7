//! What templates can call.

use densebots_engine::Rng;

use super::{Expr, Kind, Scope, TEXT_MAX};

/// A function of templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Random,
    Fraction,
    Exponential,
    Chance,
    Pick,
    RandomText,
    If,
    Minimum,
    Maximum,
    Floor,
    Round,
    Absolute,
    Length,
    Contains,
    StartsWith,
    EndsWith,
    NumberOf,
    Milliseconds,
    Microseconds,
}

/// A function: its name, what it takes, and what it gives in words.
pub(crate) struct Described {
    pub function: Function,
    pub name: &'static str,
    pub takes: &'static [Kind],
    pub about: &'static str,
}

const fn described(
    function: Function,
    name: &'static str,
    takes: &'static [Kind],
    about: &'static str,
) -> Described {
    Described { function, name, takes, about }
}

const NUMBER: &[Kind] = &[Kind::Number];
const NUMBERS: &[Kind] = &[Kind::Number, Kind::Number];
const TEXTS: &[Kind] = &[Kind::Text, Kind::Text];

/// Every function. `pick` takes any number of one kind, `if` a truth and two of one kind.
pub(crate) const FUNCTIONS: &[Described] = &[
    described(Function::Random, "random", NUMBERS, "a whole number, both ends included"),
    described(Function::Fraction, "fraction", &[], "a number from 0 up to but without 1"),
    described(Function::Exponential, "exponential", NUMBER, "a number with this mean"),
    described(Function::Chance, "chance", NUMBER, "true with this probability, 0 to 1"),
    described(Function::Pick, "pick", &[], "one of its arguments, each as likely"),
    described(Function::RandomText, "random_text", NUMBER, "letters and digits, so many"),
    described(Function::If, "if", &[], "the second argument if the first is true, or the third"),
    described(Function::Minimum, "min", NUMBERS, "the smaller"),
    described(Function::Maximum, "max", NUMBERS, "the greater"),
    described(Function::Floor, "floor", NUMBER, "the next whole number below"),
    described(Function::Round, "round", NUMBER, "the nearest whole number"),
    described(Function::Absolute, "abs", NUMBER, "without its sign"),
    described(Function::Length, "length", &[Kind::Text], "bytes of a text"),
    described(Function::Contains, "contains", TEXTS, "the second stands in the first"),
    described(Function::StartsWith, "starts_with", TEXTS, "the first begins with the second"),
    described(Function::EndsWith, "ends_with", TEXTS, "the first ends with the second"),
    described(Function::NumberOf, "number", &[Kind::Text], "the number that a text is, or 0"),
    described(Function::Milliseconds, "run_ms", &[], "milliseconds since the run began"),
    described(Function::Microseconds, "run_us", &[], "microseconds since the run began"),
];

impl Described {
    /// How it is called: `random(a, b)`.
    pub(crate) fn call(&self) -> String {
        let taken = match self.function {
            Function::Pick => "a, b, ...",
            Function::If => "truth, a, b",
            _ => match self.takes.len() {
                0 => "",
                1 => "a",
                _ => "a, b",
            },
        };
        format!("{}({taken})", self.name)
    }

    /// Whether the function can take these, or what it takes.
    pub(super) fn fits(&self, given: &[Expr]) -> Result<(), String> {
        let kinds: Vec<Kind> = given.iter().map(Expr::kind).collect();
        if given.iter().any(|given| given.kind() == Kind::Text && !given.is_at_hand()) {
            return Err("takes no text that is made anew each time".to_owned());
        }
        match self.function {
            Function::Pick if kinds.is_empty() => Err("needs something to pick from".to_owned()),
            Function::Pick if kinds.iter().all(|kind| *kind == kinds[0]) => Ok(()),
            Function::Pick => Err("takes things of one kind".to_owned()),
            Function::If => match kinds[..] {
                [Kind::Truth, then, other] if then == other => Ok(()),
                _ => Err("takes a truth and two things of one kind".to_owned()),
            },
            _ if kinds == self.takes => Ok(()),
            _ if self.takes.is_empty() => Err("takes nothing".to_owned()),
            _ => {
                let wanted: Vec<&str> = self.takes.iter().map(|kind| kind.name()).collect();
                Err(format!("takes {}", wanted.join(" and ")))
            }
        }
    }
}

impl Function {
    pub(crate) fn kind(self, given: &[Expr]) -> Kind {
        match self {
            Function::Pick | Function::If => given.last().map_or(Kind::Text, Expr::kind),
            Function::RandomText => Kind::Text,
            Function::Chance | Function::Contains | Function::StartsWith | Function::EndsWith => {
                Kind::Truth
            }
            _ => Kind::Number,
        }
    }

    /// Whether it gives something else each time.
    pub(crate) fn draws(self) -> bool {
        matches!(
            self,
            Function::Random
                | Function::Fraction
                | Function::Exponential
                | Function::Chance
                | Function::Pick
                | Function::RandomText
                | Function::Milliseconds
                | Function::Microseconds
        )
    }

    /// The argument that `pick` and `if` come to.
    fn chosen<'a>(self, given: &'a [Expr], scope: &mut Scope<'a>) -> &'a Expr {
        match self {
            Function::If if given[0].truth(scope) => &given[1],
            Function::If => &given[2],
            _ => &given[scope.rng.below(given.len() as u64) as usize],
        }
    }

    pub(crate) fn number<'a>(self, given: &'a [Expr], scope: &mut Scope<'a>) -> f64 {
        let one = |scope: &mut Scope<'a>| given[0].number(scope);
        match self {
            Function::Pick | Function::If => self.chosen(given, scope).number(scope),
            Function::Random => {
                let (from, to) = (one(scope).ceil(), given[1].number(scope).floor());
                let many = (to - from).max(0.0) as u64;
                from + scope.rng.below(many.saturating_add(1)) as f64
            }
            Function::Fraction => scope.rng.fraction(),
            Function::Exponential => -(1.0 - scope.rng.fraction()).ln() * one(scope),
            Function::Minimum => one(scope).min(given[1].number(scope)),
            Function::Maximum => one(scope).max(given[1].number(scope)),
            Function::Floor => one(scope).floor(),
            Function::Round => one(scope).round(),
            Function::Absolute => one(scope).abs(),
            Function::NumberOf => given[0].text(scope).trim().parse().unwrap_or(0.0),
            Function::Length => given[0].text(scope).len() as f64,
            Function::Milliseconds => (scope.now.nanos() / 1_000_000) as f64,
            Function::Microseconds => (scope.now.nanos() / 1_000) as f64,
            _ => 0.0,
        }
    }

    pub(crate) fn truth<'a>(self, given: &'a [Expr], scope: &mut Scope<'a>) -> bool {
        let test: fn(&str, &str) -> bool = match self {
            Function::Pick | Function::If => return self.chosen(given, scope).truth(scope),
            Function::Chance => {
                let limit = given[0].number(scope);
                return scope.rng.fraction() < limit;
            }
            Function::Contains => |text, part| text.contains(part),
            Function::StartsWith => |text, part| text.starts_with(part),
            Function::EndsWith => |text, part| text.ends_with(part),
            _ => return false,
        };
        test(given[0].text(scope), given[1].text(scope))
    }

    pub(crate) fn text<'a>(self, given: &'a [Expr], scope: &mut Scope<'a>) -> &'a str {
        match self {
            Function::Pick | Function::If => self.chosen(given, scope).text(scope),
            _ => "",
        }
    }
}

/// Appends so many letters and digits.
pub(crate) fn random_text(length: f64, rng: &mut Rng, out: &mut String) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    let mut left = length.round().clamp(0.0, TEXT_MAX) as usize;
    out.reserve(left);
    while left > 0 {
        // Ten letters of six bits from each draw.
        let mut bits = rng.next();
        for _ in 0..left.min(10) {
            out.push(char::from(LETTERS[(bits & 63) as usize]));
            bits >>= 6;
        }
        left -= left.min(10);
    }
}
