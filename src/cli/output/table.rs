//! Columns of text, laid out as kubectl does.

use std::io::{self, Write};

use comfy_table::{ColumnConstraint, Width};

use super::cell::{cell, fitted, width};
use crate::cli::style;

/// Blanks between two columns.
const GAP: usize = 3;
/// Rows that are best laid out together, or fewer that have so many bytes.
const PAGE: usize = 500;
const PAGE_BYTES: usize = 4 << 20;
/// Least width of a column that is cut, its gap included.
const NARROWEST: usize = 8;
/// Least width of a column, its gap included.
const LEAST: usize = 6;

/// The line above a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Headings {
    /// There is none.
    None,
    /// As it is.
    Plain,
    /// In colour.
    Coloured,
}

impl Headings {
    /// The line, if it is wanted, as the output allows it.
    pub(crate) fn new(wanted: bool, color: bool) -> Self {
        match (wanted, color) {
            (false, _) => Self::None,
            (true, false) => Self::Plain,
            (true, true) => Self::Coloured,
        }
    }
}

/// A table that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
    widths: Vec<usize>,
    /// What the rows take.
    bytes: usize,
    /// Terminal cells that a line may take.
    most: Option<usize>,
    /// Columns that are never cut.
    whole: &'static [&'static str],
}

impl Table {
    /// An empty table under these headings, which are printed in upper case.
    pub(crate) fn new<T: AsRef<str>>(headings: impl IntoIterator<Item = T>) -> Self {
        Self {
            headings: headings.into_iter().map(|heading| cell(&heading.as_ref().to_uppercase()).into_owned()).collect(),
            ..Self::default()
        }
    }

    /// Cuts the cells of the widest columns so that no line takes more terminal cells, as far as columns that are narrow
    /// already, or must stay `whole`, let it. Those are named by their headings.
    pub(crate) fn fit(&mut self, most: Option<usize>, whole: &'static [&'static str]) {
        (self.most, self.whole) = (most, whole);
    }

    /// Adds columns before the one at a place. They are empty in the rows so far.
    pub(crate) fn add_columns<T: AsRef<str>>(&mut self, place: usize, headings: impl IntoIterator<Item = T>) {
        let new = Self::new(headings).headings;
        let (count, end) = (new.len(), place.min(self.widths.len()));
        self.headings.splice(place..place, new);
        self.widths.splice(end..end, std::iter::repeat_n(LEAST, count));
        for row in &mut self.rows {
            row.splice(place..place, std::iter::repeat_n(String::new(), count));
        }
    }

    /// Adds a row; it has as many cells as there are headings.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = String>) {
        let row: Vec<String> = row.into_iter().map(|text| cell(&text).into_owned()).collect();
        self.bytes += row.iter().map(String::len).sum::<usize>();
        self.rows.push(row);
    }

    /// Whether there are so many rows, or such long ones, that they should be written before others are added.
    pub(crate) fn is_page(&self) -> bool {
        self.rows.len() >= PAGE || self.bytes >= PAGE_BYTES
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes the headings, unless told not to, and all rows.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn write(mut self, out: &mut dyn Write, headings: Headings) -> io::Result<()> {
        self.write_page(out, headings)
    }

    /// Writes the rows so far and forgets them; column widths are remembered and never shrink, so that the pages of a
    /// long table stand below each other.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn write_page(&mut self, out: &mut dyn Write, headings: Headings) -> io::Result<()> {
        if headings != Headings::None {
            self.rows.insert(0, self.headings.clone());
        }
        self.write_rows(out, headings == Headings::Coloured)
    }

    /// The last cell is not padded, the others are, also before an empty last one: as kubectl has it.
    fn write_rows(&mut self, out: &mut dyn Write, mut colours_first: bool) -> io::Result<()> {
        self.widen();
        self.bytes = 0;
        let mut layout = comfy_table::Table::new();
        layout.load_style(comfy_table::presets::NOTHING);
        let mut last_cells = Vec::with_capacity(self.rows.len());
        for mut row in self.rows.drain(..) {
            last_cells.push(row.pop().unwrap_or_default());
            layout.add_row(row);
        }
        for (column, columns) in layout.column_iter_mut().zip(&self.widths) {
            let columns = u16::try_from(*columns).unwrap_or(u16::MAX);
            column.set_padding((0, 0)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(columns)));
        }
        let mut lines = layout.lines();
        for last in last_cells {
            let line = lines.next().unwrap_or_default();
            match std::mem::take(&mut colours_first) {
                true => writeln!(out, "{}{line}{last}{}", style::HEADING, style::PLAIN)?,
                false => writeln!(out, "{line}{last}")?,
            }
        }
        Ok(())
    }

    fn widen(&mut self) {
        for row in &self.rows {
            self.widths.resize(self.widths.len().max(row.len()), LEAST);
            for (text, column) in row.iter().zip(&mut self.widths) {
                *column = (*column).max(width(text) + GAP);
            }
        }
        let Some(most) = self.most else { return };
        let whole = |heading: &String| self.whole.iter().any(|whole| heading.eq_ignore_ascii_case(whole));
        let (kept, mut cut): (Vec<_>, Vec<_>) =
            self.headings.iter().zip(&mut self.widths).partition(|(heading, _)| whole(heading));
        let kept: usize = kept.into_iter().map(|(_, width)| *width).sum();
        // The last column has no gap behind it.
        narrow(cut.iter_mut().map(|(_, width)| &mut **width).collect(), (most + GAP).saturating_sub(kept));
        for row in &mut self.rows {
            for (text, column) in row.iter_mut().zip(&self.widths) {
                *text = fitted(text, column.saturating_sub(GAP)).into_owned();
            }
        }
    }
}

/// Narrows the widest of some columns until they take no more together, but none below a least width.
fn narrow(mut widths: Vec<&mut usize>, most: usize) {
    let taken = |widths: &[&mut usize], limit: usize| widths.iter().map(|width| limit.min(**width)).sum::<usize>();
    let (mut limit, mut above) =
        (NARROWEST, widths.iter().map(|width| **width).max().unwrap_or_default().max(NARROWEST));
    if taken(&widths, above) <= most {
        return;
    }
    while limit + 1 < above {
        let middle = limit.midpoint(above);
        if taken(&widths, middle) <= most { limit = middle } else { above = middle }
    }
    let mut left = most.saturating_sub(taken(&widths, limit));
    for width in widths.iter_mut().filter(|width| ***width > limit) {
        let more = left.min(1);
        **width = limit + more;
        left -= more;
    }
}

/// How wide the terminal is that standard output is; nothing if it is none.
pub(crate) fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(table: Table, headings: Headings) -> String {
        let mut out = Vec::new();
        table.write(&mut out, headings).expect("a vector takes everything");
        String::from_utf8(out).expect("cells are text")
    }

    fn sample() -> Table {
        let mut table = Table::new(["name", "hosts", "age"]);
        table.push(["cnn".into(), "[\"edition.cnn.com\"]".into(), "5m10s".into()]);
        table.push(["a-much-longer-name".into(), "[]".into(), "2d".into()]);
        table
    }

    #[test]
    fn columns_stand_three_blanks_apart_under_upper_case_headings() {
        insta::assert_snapshot!(printed(sample(), Headings::Plain), @r#"
        NAME                 HOSTS                 AGE
        cnn                  ["edition.cnn.com"]   5m10s
        a-much-longer-name   []                    2d
        "#);
    }

    #[test]
    fn without_headings_only_the_cells_set_the_widths() {
        let mut table = Table::new(["a-very-long-heading", "b"]);
        table.push(["x".into(), "y".into()]);
        assert_eq!(printed(table, Headings::None), "x     y\n");
    }

    #[test]
    fn an_empty_last_cell_leaves_the_padding_before_it() {
        let mut table = Table::new(["name", "hosts"]);
        table.push(["cnn".into(), String::new()]);
        assert_eq!(printed(table, Headings::Plain), "NAME   HOSTS\ncnn    \n");
    }

    #[test]
    fn the_widest_columns_are_cut_to_fit() {
        let mut table = Table::new(["time", "path", "user"]);
        table.fit(Some(40), &[]);
        table.push(["2018-06-18T13:22".into(), "/politics/2018/06/18/a-long-story".into(), "unknown".into()]);
        insta::assert_snapshot!(printed(table, Headings::Plain), @"
        TIME             PATH            USER
        2018-06-18T13…   /politics/20…   unknown
        ");
    }

    #[test]
    fn columns_that_must_stay_whole_are_not_cut() {
        let mut table = Table::new(["time", "path", "user"]);
        table.fit(Some(38), &["time"]);
        table.push(["2018-06-18T13:22".into(), "/politics/2018/06/18/a-long-story".into(), "unknown".into()]);
        insta::assert_snapshot!(printed(table, Headings::Plain), @"
        TIME               PATH        USER
        2018-06-18T13:22   /politic…   unknown
        ");
    }

    #[test]
    fn columns_are_added_to_the_rows_that_wait() {
        let mut table = sample();
        table.add_columns(1, ["code"]);
        table.push(["d".into(), "403".into(), "[]".into(), "1s".into()]);
        insta::assert_snapshot!(printed(table, Headings::Plain), @r#"
        NAME                 CODE   HOSTS                 AGE
        cnn                         ["edition.cnn.com"]   5m10s
        a-much-longer-name          []                    2d
        d                    403    []                    1s
        "#);
    }

    #[test]
    fn wide_characters_keep_the_columns_straight() {
        let mut table = Table::new(["name", "age"]);
        table.push(["漢字漢字".into(), "1s".into()]);
        assert_eq!(printed(table, Headings::Plain), "NAME       AGE\n漢字漢字   1s\n");
    }

    #[test]
    fn later_pages_keep_the_widths_of_earlier_ones() {
        let mut table = sample();
        let mut out = Vec::new();
        table.write_page(&mut out, Headings::Plain).expect("a vector takes everything");
        table.push(["b".into(), "[]".into(), "1s".into()]);
        table.write_page(&mut out, Headings::None).expect("a vector takes everything");
        let text = String::from_utf8(out).expect("cells are text");
        assert_eq!(text.lines().last(), Some("b                    []                    1s"));
    }
}
