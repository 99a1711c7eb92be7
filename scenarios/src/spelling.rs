//! Names nearly right: what somebody probably meant who wrote one that is none.

/// The one of `known` that was probably meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LIKENESS_MIN: f64 = 0.6;
    let score = |name: &'a str| (strsim::normalized_damerau_levenshtein(typed, name), name);
    let best = known.into_iter().map(score).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= LIKENESS_MIN).map(|(_, name)| name)
}

/// What an error adds when it knows better.
pub fn hint(meant: Option<&str>) -> String {
    meant.map_or(String::new(), |meant| format!("; did you mean `{meant}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_nearly_right_is_recognised() {
        assert_eq!(nearest("ehco", ["echo", "idle", "talk"]), Some("echo"));
        assert_eq!(nearest("idel", ["echo", "idle", "talk"]), Some("idle"));
        assert_eq!(nearest("zzz", ["echo", "idle", "talk"]), None);
    }
}
