//! Ratios from alternating pairs: the machine's speed drifts, and a ratio within a pair does not.
//! And whether they are what is wanted.

use std::fmt::{self, Display};

/// Fewest pairs a ratio may rest on.
pub const PAIRS_MIN: usize = 9;

/// The middle and the ends of some measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// The spread of `measures`; all NaN if there are none.
    pub fn of(mut measures: Vec<f64>) -> Spread {
        measures.sort_by(f64::total_cmp);
        let at = |place: usize| measures.get(place).copied().unwrap_or(f64::NAN);
        let (last, half) = (measures.len().saturating_sub(1), measures.len() / 2);
        let median = f64::midpoint(at(last / 2), at(half));
        Spread { median, min: at(0), max: at(last) }
    }

    /// Prints whether the median is at least what is wanted. A miss is no failure: figures of
    /// processor time are as noisy as the machine, and it is for people to look twice.
    pub fn wanted(self, name: &str, least: f64) {
        println!("  {name}: {}", self.beside(least, "more"));
    }

    /// As above, where less is better.
    pub fn wanted_at_most(self, name: &str, most: f64) {
        println!("  {name}: {}", self.beside(most, "less"));
    }

    /// `met (wanted 0.8 or more)`, `missed: 0.793 (wanted 0.8 or more)`; or `less`.
    fn beside(self, wanted: f64, or: &str) -> String {
        // A median of nothing is no number, and misses.
        let met = if or == "less" { self.median <= wanted } else { self.median >= wanted };
        let found = if met { "met".to_owned() } else { format!("missed: {}", told(self.median)) };
        format!("{found} (wanted {wanted} or {or})")
    }
}

/// A number with as many digits as four tell.
fn told(number: f64) -> String {
    let digits = if number.abs() >= 1000.0 { 0 } else { 3 };
    format!("{number:.digits$}")
}

impl Display for Spread {
    /// With as many digits as four tell: `123456 (120000 to 130000)`, `0.931 (0.9 to 1.0)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median.abs() >= 1000.0 { 0 } else { 3 };
        let Spread { median, min, max } = self;
        write!(f, "{median:.digits$} ({min:.digits$} to {max:.digits$})")
    }
}

/// Measures `a` and `b` in turn, `n` times each (at least [`PAIRS_MIN`]), and prints how many
/// times `b` the measure of `a` is: `ratio NAME median min max`, and a line for people.
pub fn pairs(
    name: &str,
    n: usize,
    mut a: impl FnMut() -> f64,
    mut b: impl FnMut() -> f64,
) -> Spread {
    ratio(name, (0..n.max(PAIRS_MIN)).map(|_| (a(), b())).collect())
}

/// Prints of pairs of measures how many times the second the first one is, in lines as above.
pub fn ratio(name: &str, pairs: Vec<(f64, f64)>) -> Spread {
    let ratio = Spread::of(pairs.iter().map(|(a, b)| a / b).collect());
    println!("ratio {name} {:.3} {:.3} {:.3}", ratio.median, ratio.min, ratio.max);
    let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    let (count, ours, theirs) = (ours.len(), Spread::of(ours), Spread::of(theirs));
    println!("  {name}: {ours} beside {theirs}, {count} pairs");
    ratio
}

/// Prints of differences within pairs what they are, and of what: `ratio NAME median min max`, and
/// a line for people.
pub fn beyond(name: &str, of: &str, differences: Vec<f64>) -> Spread {
    let count = differences.len();
    let beyond = Spread::of(differences);
    println!("ratio {name} {:.3} {:.3} {:.3}", beyond.median, beyond.min, beyond.max);
    println!("  {name}: {beyond} {of}, {count} pairs");
    beyond
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_of_odd_even_and_none() {
        let spread = |median, min, max| Spread { median, min, max };
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), spread(2.0, 1.0, 3.0));
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]), spread(2.5, 1.0, 4.0));
        assert_eq!(Spread::of(vec![7.0]), spread(7.0, 7.0, 7.0));
        assert!(Spread::of(vec![]).median.is_nan());
    }

    #[test]
    fn a_median_meets_what_is_wanted_or_misses_it() {
        let check = |measures: &[f64], wanted, or, expected: &str| {
            assert_eq!(Spread::of(measures.to_vec()).beside(wanted, or), expected);
        };
        check(&[0.7, 0.8, 0.9], 0.8, "more", "met (wanted 0.8 or more)");
        check(&[0.7, 0.7934, 0.9], 0.8, "more", "missed: 0.793 (wanted 0.8 or more)");
        check(&[4_999_999.6], 5e6, "more", "missed: 5000000 (wanted 5000000 or more)");
        check(&[], 0.8, "more", "missed: NaN (wanted 0.8 or more)");
        check(&[1.4, 1.5, 9.0], 1.5, "less", "met (wanted 1.5 or less)");
        check(&[1.4, 1.51, 9.0], 1.5, "less", "missed: 1.510 (wanted 1.5 or less)");
        check(&[], 1.5, "less", "missed: NaN (wanted 1.5 or less)");
    }

    #[test]
    fn pairs_alternate_and_divide_within_the_pair() {
        let order = std::cell::RefCell::new(String::new());
        let round = std::cell::Cell::new(0.0);
        let a = || {
            order.borrow_mut().push('a');
            round.set(round.get() + 1.0); // the machine drifts
            round.get() * 0.5
        };
        let b = || {
            order.borrow_mut().push('b');
            round.get()
        };
        let ratio = pairs("drift", 2, a, b);
        assert_eq!(order.take(), "ab".repeat(PAIRS_MIN));
        assert_eq!(ratio, Spread { median: 0.5, min: 0.5, max: 0.5 });
    }
}
