//! Lines that fit a terminal.

/// Cuts a line into such as have no more than `columns` characters, all but the first behind an
/// indent, which is as wide as the label of the first. What belongs together stays together: it is
/// cut where two spaces stand, or else at one; a word that is too long alone is left whole.
pub(crate) fn fold(line: &str, columns: usize, indent: usize) -> Vec<String> {
    let (mut lines, mut rest) = (Vec::new(), line.to_owned());
    while let Some(at) = cut(&rest, columns, indent) {
        let behind = " ".repeat(indent) + rest[at..].trim_start();
        rest.truncate(at);
        lines.push(rest);
        rest = behind;
    }
    lines.push(rest);
    lines
}

/// Where to cut: not before the first word behind the indent has ended, and by `columns` if that is
/// possible.
fn cut(line: &str, columns: usize, indent: usize) -> Option<usize> {
    let (end, _) = line.char_indices().nth(columns)?;
    let (label, _) = line.char_indices().nth(indent)?;
    let word = label + line[label..].find(|letter| letter != ' ')?;
    let gap = |width| {
        let gaps = line.match_indices(width).map(|(at, _)| at);
        gaps.filter(|at| (word..=end).contains(at)).last()
    };
    let beyond = end.max(word);
    gap("  ").or_else(|| gap(" ")).or_else(|| line[beyond..].find(' ').map(|at| beyond + at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_between_what_belongs_together() {
        let check = |line, columns, expected: &[&str]| assert_eq!(fold(line, columns, 3), expected);
        check("ab online 5", 11, &["ab online 5"]);
        check("ab online 5   lost 6", 16, &["ab online 5", "   lost 6"]);
        check("ab online 5   lost 6   done 7", 11, &["ab online 5", "   lost 6", "   done 7"]);
        check("ab online 5", 10, &["ab online", "   5"]);
        check("a  online 5", 10, &["a  online", "   5"]);
        check("  of µs and µs", 7, &["  of µs", "   and", "   µs"]);
        check("unbreakable", 4, &["unbreakable"]);
        check("unbreakable word", 4, &["unbreakable", "   word"]);
        check("unbreakable word", 2, &["unbreakable", "   word"]);
        check("", 4, &[""]);
    }
}
