//! Parameters of scenarios: declared with a default, set by name, checked before the start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::accounts::Pattern;
use crate::file::File;

/// A parameter a scenario declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name for `--set name=value`.
    pub name: &'static str,
    /// What it is without being set.
    pub default: &'static str,
    /// What it means, with its unit.
    pub about: &'static str,
}

/// The parameters of one run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, String>,
    /// What was set, be it to the default.
    set: BTreeSet<&'static str>,
    file: Option<&'static File>,
}

/// A parameter is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No parameter has this name.
    #[error("no parameter is called `{name}`; there is {}", list(.known))]
    Unknown {
        /// As it was set.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// The value does not fit.
    #[error("parameter `{name}`: `{value}` is not {wanted}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// As it was set.
        value: String,
        /// What would fit.
        wanted: &'static str,
    },
    /// The value leads to something that is wrong: a file, a pattern.
    #[error("parameter `{name}`, `{value}`: {why}")]
    Wrong {
        /// The parameter.
        name: &'static str,
        /// As it was set.
        value: String,
        /// What is wrong, and where.
        why: String,
    },
    /// With these values a scenario file does not make sense: all that is wrong.
    #[error("{0}")]
    File(String),
}

/// Whether two names mean one parameter: shells take no hyphens in names, templates neither.
pub(crate) fn same(one: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte };
    one.bytes().map(plain).eq(other.bytes().map(plain))
}

fn list(names: &[&'static str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

impl Settings {
    /// The defaults of `parameters`, overridden by `set` in order.
    pub fn of<'a>(
        parameters: &[Parameter],
        set: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Settings, SettingError> {
        let mut values: BTreeMap<_, _> =
            parameters.iter().map(|p| (p.name, p.default.to_owned())).collect();
        let mut own = BTreeSet::new();
        for (name, value) in set {
            let Some(parameter) = parameters.iter().find(|own| same(own.name, name)) else {
                let known = parameters.iter().map(|p| p.name).collect();
                return Err(SettingError::Unknown { name: name.to_owned(), known });
            };
            values.insert(parameter.name, value.to_owned());
            own.insert(parameter.name);
        }
        Ok(Settings { values, set: own, file: None })
    }

    /// Makes a span of times so many times as long, unless it was set. Says whether it did.
    pub fn stretch(&mut self, name: &'static str, times: f64) -> Result<bool, SettingError> {
        let (from, to) = self.times(name)?;
        if self.set.contains(name) || times <= 1.0 {
            return Ok(false);
        }
        let longer = |time: Duration| (time.as_secs_f64() * times * 10.0).ceil() / 10.0;
        self.values.insert(name, format!("{}s..{}s", longer(from), longer(to)));
        Ok(true)
    }

    /// The parameters of a scenario file.
    pub fn with_file(mut self, file: &'static File) -> Settings {
        self.file = Some(file);
        self
    }

    /// The scenario file that these are for.
    pub(crate) fn file(&self) -> Option<&'static File> {
        self.file
    }

    /// Every parameter with its value.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        self.values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    /// The value as it was set.
    pub fn text(&self, name: &'static str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// A pause, from `10s`, `250ms`, `2m`.
    pub fn duration(&self, name: &'static str) -> Result<Duration, SettingError> {
        duration_of(self.text(name))
            .ok_or_else(|| self.fault(name, "a time such as 250ms, 10s or 2m"))
    }

    /// A time between two things of a kind: above zero.
    pub fn pace(&self, name: &'static str) -> Result<Duration, SettingError> {
        let pace = self.duration(name)?;
        if pace.is_zero() { Err(self.fault(name, "a time above zero")) } else { Ok(pace) }
    }

    /// A text with places for an id.
    pub fn pattern(&self, name: &'static str) -> Result<Pattern, SettingError> {
        Pattern::of(self.text(name))
            .map_err(|why| self.wrong(name, format!("column {}: {}", why.column, why.why)))
    }

    /// A whole number in a range.
    pub fn number(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<u64>,
        wanted: &'static str,
    ) -> Result<u64, SettingError> {
        let number = self.text(name).parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| self.fault(name, wanted))
    }

    /// Two values of which the first is not greater, from `5..10`; one stands for both.
    pub fn span<T: PartialOrd + Copy>(
        &self,
        name: &'static str,
        read: impl Fn(&str) -> Option<T>,
        wanted: &'static str,
    ) -> Result<(T, T), SettingError> {
        let text = self.text(name);
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        match (read(from.trim()), read(to.trim())) {
            (Some(from), Some(to)) if from <= to => Ok((from, to)),
            _ => Err(self.fault(name, wanted)),
        }
    }

    /// Two times of which the first is not longer.
    pub fn times(&self, name: &'static str) -> Result<(Duration, Duration), SettingError> {
        self.span(name, duration_of, "a span such as 5s..15s")
    }

    /// `true` or `false`.
    pub fn switch(&self, name: &'static str) -> Result<bool, SettingError> {
        self.text(name).parse().map_err(|_| self.fault(name, "true or false"))
    }

    /// The error for a value that fits and leads to something wrong.
    pub fn wrong(&self, name: &'static str, why: String) -> SettingError {
        SettingError::Wrong { name, value: self.text(name).to_owned(), why }
    }

    /// The error for a value that does not fit.
    pub fn fault(&self, name: &'static str, wanted: &'static str) -> SettingError {
        SettingError::Value { name, value: self.text(name).to_owned(), wanted }
    }
}

/// A time with its unit: `us`, `ms`, `s`, `m`, `h`.
pub fn duration_of(text: &str) -> Option<Duration> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let number: f64 = number.trim().parse().ok()?;
    Duration::try_from_secs_f64(number * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Parameter = Parameter { name: "pace", default: "10s", about: "" };

    #[test]
    fn what_is_set_overrides_the_default() {
        let settings = Settings::of(&[PACE], [("pace", "1s"), ("pace", "250ms")]).expect("known");
        assert_eq!(settings.duration("pace"), Ok(Duration::from_millis(250)));
        let settings = Settings::of(&[PACE], []).expect("known");
        assert_eq!(settings.duration("pace"), Ok(Duration::from_secs(10)));
    }

    #[test]
    fn hyphens_and_underscores_are_the_same() {
        const ROOMS: Parameter = Parameter { name: "room-names", default: "", about: "" };
        for name in ["room-names", "room_names"] {
            let settings = Settings::of(&[ROOMS], [(name, "a")]).expect("known");
            assert_eq!(settings.text("room-names"), "a");
        }
        assert!(Settings::of(&[ROOMS], [("room.names", "a")]).is_err());
    }

    #[test]
    fn only_what_was_not_set_is_stretched() {
        const PAUSE: Parameter = Parameter { name: "pause", default: "5s..15s", about: "" };
        let mut settings = Settings::of(&[PAUSE], []).expect("known");
        assert_eq!(settings.stretch("pause", 0.9), Ok(false));
        assert_eq!(settings.stretch("pause", 2.71), Ok(true));
        assert_eq!(settings.text("pause"), "13.6s..40.7s");
        let mut settings = Settings::of(&[PAUSE], [("pause", "5s..15s")]).expect("known");
        assert_eq!(settings.stretch("pause", 2.0), Ok(false));
        assert_eq!(settings.text("pause"), "5s..15s");
    }

    #[test]
    fn faults_name_what_would_be_right() {
        let unknown = Settings::of(&[PACE], [("pase", "1s")]).expect_err("unknown");
        assert_eq!(unknown.to_string(), "no parameter is called `pase`; there is pace");
        let wrong = Settings::of(&[PACE], [("pace", "10")]).expect("known").duration("pace");
        let text = wrong.expect_err("no unit").to_string();
        assert_eq!(text, "parameter `pace`: `10` is not a time such as 250ms, 10s or 2m");
    }

    #[test]
    fn times_carry_units() {
        let cases = [("1us", 1e-6), ("1.5s", 1.5), ("2m", 120.0), ("1h", 3600.0), ("250ms", 0.25)];
        for (text, seconds) in cases {
            assert_eq!(duration_of(text).map(|d| d.as_secs_f64()), Some(seconds), "{text}");
        }
        for text in ["", "s", "1", "-1s", "1e300h", "1 x", "1d", "nans", "é"] {
            assert_eq!(duration_of(text), None, "{text}");
        }
    }
}
