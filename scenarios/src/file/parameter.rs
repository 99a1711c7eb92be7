//! Parameters that a file declares: defaults, units, what is allowed.

use super::fault::Faults;
use super::take::{Keys, list, name_fault, quantity, text, truth};
use super::yaml::{Is, Node};
use crate::settings::same;
use crate::spelling::{hint, nearest};
use crate::units;

/// What the value of a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A time: `250ms`, `10s`. In arithmetic it is a number of seconds.
    Time,
    /// A rate: `5/s`. In arithmetic a number a second.
    Rate,
    /// A whole number: `100k`.
    Count,
    /// A number of bytes: `64KiB`.
    Bytes,
    /// A share: `5%`. In arithmetic a fraction of 1.
    Percent,
    /// Any number.
    Number,
    /// A text.
    Text,
}

impl Unit {
    /// Every unit with its name.
    pub const ALL: [(&'static str, Unit); 7] = [
        ("time", Unit::Time),
        ("rate", Unit::Rate),
        ("count", Unit::Count),
        ("bytes", Unit::Bytes),
        ("percent", Unit::Percent),
        ("number", Unit::Number),
        ("text", Unit::Text),
    ];

    /// The number that a value stands for; `None` for texts.
    pub fn number(self, value: &str) -> Result<Option<f64>, String> {
        match self {
            Unit::Time => units::duration(value).map(|time| Some(time.as_secs_f64())),
            Unit::Rate => units::rate(value).map(Some),
            Unit::Count => units::count(value).map(|count| Some(count.into())),
            Unit::Bytes => units::bytes(value).map(|bytes| Some(bytes.into())),
            Unit::Percent => percent(value).map(Some),
            Unit::Number => number(value).map(Some),
            Unit::Text => Ok(None),
        }
    }

    /// What a default without a unit seems to be.
    fn of(value: &str) -> Unit {
        match value {
            _ if number(value).is_ok() => Unit::Number,
            _ if units::duration(value).is_ok() => Unit::Time,
            _ => Unit::Text,
        }
    }
}

/// A number, as programs write it.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    let plain = |c: char| c.is_ascii_digit() || "+-.eE_".contains(c);
    let value = text.replace('_', "").parse().ok().filter(|_| text.chars().all(plain));
    value.filter(|value: &f64| value.is_finite()).ok_or(format!("`{text}` is not a number"))
}

/// `5%`, as a fraction of 1.
pub(crate) fn percent(text: &str) -> Result<f64, String> {
    let value = text.strip_suffix('%').and_then(|number_| number(number_.trim()).ok());
    value
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent| percent / 100.0)
        .ok_or(format!("`{text}` is not a share from 0% to 100%"))
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// Its name for `--set name=value` and templates.
    pub name: String,
    /// What it is without being set.
    pub default: String,
    /// What it means.
    pub about: String,
    /// What its value is.
    pub unit: Unit,
    /// The only values it can have; empty: any.
    pub allowed: Vec<String>,
    /// The least and the most, as written and as numbers.
    pub range: Option<[(String, f64); 2]>,
    /// It may be changed while the run goes on.
    pub changeable: bool,
}

impl Declared {
    /// The number that a value stands for, if the value fits and is one.
    pub fn check(&self, value: &str) -> Result<Option<f64>, String> {
        let number = self.unit.number(value)?;
        if !self.allowed.is_empty() && !self.allowed.iter().any(|allowed| allowed == value) {
            let meant = nearest(value, self.allowed.iter().map(String::as_str));
            let known = self.allowed.join(", ");
            return Err(format!("`{value}` is none of {known}{}", hint(meant)));
        }
        if let (Some([(least, low), (most, high)]), Some(number)) = (&self.range, number)
            && !(*low..=*high).contains(&number)
        {
            return Err(format!("`{value}` is not from {least} to {most}"));
        }
        Ok(number)
    }
}

/// Reads the parameters of a file.
pub(super) fn read(node: &Node, faults: &mut Faults) -> Vec<Declared> {
    let Is::Map(entries) = &node.is else {
        faults.add(
            node.span,
            format!("parameters: names with defaults belong here, not {}", node.kind()),
        );
        return Vec::new();
    };
    let mut declared: Vec<Declared> = Vec::new();
    for entry in entries {
        if let Some(other) = declared.iter().find(|own| same(&own.name, &entry.key)) {
            let what = format!("`{}` and `{}` are the same name", entry.key, other.name);
            faults.add_with(entry.at, what, "`-` and `_` are not told apart");
        }
        if let Some(why) = name_fault(&entry.key) {
            faults.add(entry.at, format!("parameter `{}`: {why}", entry.key));
            continue;
        }
        declared.extend(one(&entry.key, &entry.value, faults));
    }
    declared
}

fn one(name: &str, node: &Node, faults: &mut Faults) -> Option<Declared> {
    let plain = |default: &str| Declared {
        name: name.to_owned(),
        default: default.to_owned(),
        about: String::new(),
        unit: Unit::of(default),
        allowed: Vec::new(),
        range: None,
        changeable: false,
    };
    if let Some(default) = node.scalar() {
        return Some(plain(default));
    }
    if node.is == Is::Nothing {
        return Some(plain(""));
    }
    let mut keys = Keys::of(node, "a parameter", faults)?;
    let default = keys.need("default", faults);
    let about = keys.get("about").and_then(|node| text(node, "about", faults));
    let unit = keys.get("unit").and_then(|node| unit(node, faults));
    let allowed = keys.get("allowed").map(list).unwrap_or_default();
    let allowed = allowed.iter().filter_map(|node| text(node, "allowed", faults));
    let allowed: Vec<String> = allowed.map(str::to_owned).collect();
    let changeable = keys.get("changeable").and_then(|node| truth(node, "changeable", faults));
    let range = keys.get("range");
    keys.end(faults);
    let default = default.and_then(|node| Some((node, text(node, "default", faults)?)));
    let mut own = plain(default.map_or("", |(_, text)| text));
    own.unit = unit.unwrap_or(own.unit);
    own.about = about.unwrap_or_default().to_owned();
    own.allowed = allowed;
    own.changeable = changeable.unwrap_or(false);
    own.range = range.and_then(|node| limits(node, own.unit, faults));
    let (node, value) = default?;
    if let Err(why) = own.check(value) {
        faults.add(node.span, format!("parameter `{name}`: {why}"));
    }
    Some(own)
}

fn unit(node: &Node, faults: &mut Faults) -> Option<Unit> {
    let name = text(node, "unit", faults)?;
    let found = Unit::ALL.iter().find(|(known, _)| *known == name);
    if found.is_none() {
        let known = Unit::ALL.iter().map(|(known, _)| *known);
        faults.unknown(node.span, format!("`{name}` is no unit of a parameter"), name, known);
    }
    found.map(|(_, unit)| *unit)
}

/// `1..100`, in the unit of the parameter.
fn limits(node: &Node, unit: Unit, faults: &mut Faults) -> Option<[(String, f64); 2]> {
    let wanted = "a range is two quantities in the parameter's unit, such as 1..100";
    let read = |text: &str| {
        let (least, most) = text.split_once("..").ok_or(wanted)?;
        let side = |text: &str| match unit.number(text.trim())? {
            Some(number) => Ok((text.trim().to_owned(), number)),
            None => Err("a text has no range; give `allowed`".to_owned()),
        };
        let (least, most) = (side(least)?, side(most)?);
        if least.1 <= most.1 { Ok([least, most]) } else { Err(wanted.to_owned()) }
    };
    quantity(node, "range", read, faults)
}
