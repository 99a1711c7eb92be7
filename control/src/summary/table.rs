//! Columns of text: the first to the left, the others to the right.

/// A table that is written once it is whole.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Begins with a line of headings.
    pub(crate) fn headed(names: &[&str]) -> Table {
        Table { rows: vec![names.iter().map(ToString::to_string).collect()] }
    }

    /// One more line.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// More lines, or none.
    pub(super) fn rows(&mut self, rows: impl IntoIterator<Item = Vec<String>>) {
        self.rows.extend(rows);
    }

    /// Its lines, each behind this indent.
    pub(crate) fn lines(&self, indent: &str) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let mut line = indent.to_owned();
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match at {
                    0 => line.push_str(&format!("{cell:<width$}")),
                    _ => line.push_str(&format!("  {cell:>width$}")),
                }
            }
            line.truncate(line.trim_end().len());
            line
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::headed(&["op", "p50"]);
        table.row(vec!["echo.ping".into(), "1 µs".into()]);
        table.row(vec!["x".into(), "100 ms".into()]);
        assert_eq!(
            table.lines(" "),
            [" op            p50", " echo.ping    1 µs", " x          100 ms"]
        );
    }
}
