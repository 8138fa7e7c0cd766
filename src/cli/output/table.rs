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
/// Least width of a column that is cut, its gap included; with less, the last columns are left out.
const NARROWEST: usize = 10 + GAP;
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
    /// How many of the last columns are left out.
    left_out: usize,
}

impl Table {
    /// An empty table under these headings, which are printed in upper case.
    pub(crate) fn new<T: AsRef<str>>(headings: impl IntoIterator<Item = T>) -> Self {
        Self {
            headings: headings.into_iter().map(|heading| cell(&heading.as_ref().to_uppercase()).into_owned()).collect(),
            ..Self::default()
        }
    }

    /// Has no line take more terminal cells: cells are cut, first those of columns in which all are the same, of the others the
    /// widest, and of columns that must stay `whole`, which are named by their headings, none. Where they would become too
    /// narrow the last columns are left out.
    pub(crate) fn fit(&mut self, most: Option<usize>, whole: &'static [&'static str]) {
        (self.most, self.whole) = (most, whole);
    }

    /// How many columns there was no room for.
    pub(crate) fn left_out(&self) -> usize {
        self.left_out
    }

    /// The terminal cells before a column of the rows that were written last; nothing if it was left out.
    pub(crate) fn place_of(&self, column: usize) -> Option<usize> {
        (column + self.left_out < self.widths.len()).then(|| self.widths[..column].iter().sum())
    }

    /// Adds columns before the one at a place. They are empty in the rows so far.
    pub(crate) fn add_columns<T: AsRef<str>>(&mut self, place: usize, headings: impl IntoIterator<Item = T>) {
        let new = Self::new(headings).headings;
        let (count, end) = (new.len(), place.min(self.widths.len()));
        self.left_out += if self.left_out > 0 { count } else { 0 };
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

    /// Adds a row with a text in its first cell alone.
    pub(crate) fn push_part(&mut self, text: &str) {
        let others = std::iter::repeat_n(String::new(), self.headings.len().saturating_sub(1));
        self.push(std::iter::once(text.to_owned()).chain(others));
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
        self.write_rows(out, headings)
    }

    /// The last cell is not padded, the others are, also before an empty last one: as kubectl has it.
    fn write_rows(&mut self, out: &mut dyn Write, headings: Headings) -> io::Result<()> {
        self.widen(headings != Headings::None);
        let mut colours_first = headings == Headings::Coloured;
        self.bytes = 0;
        let mut layout = comfy_table::Table::new();
        layout.load_style(comfy_table::presets::NOTHING);
        let mut last_cells = Vec::with_capacity(self.rows.len());
        for mut row in self.rows.drain(..) {
            row.truncate(row.len().saturating_sub(self.left_out));
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

    fn widen(&mut self, headed: bool) {
        for row in &self.rows {
            self.widths.resize(self.widths.len().max(row.len()), LEAST);
            for (text, column) in row.iter().zip(&mut self.widths) {
                *column = (*column).max(width(text) + GAP);
            }
        }
        let Some(most) = self.most else { return };
        // The last column has no gap behind it.
        self.narrow(most + GAP, headed);
        for row in &mut self.rows {
            for (text, column) in row.iter_mut().zip(&self.widths) {
                *text = fitted(text, column.saturating_sub(GAP)).into_owned();
            }
        }
    }

    /// Narrows columns until they take no more together, or leaves out the last, which only a table does whose headings are
    /// about to be written: rows below must agree with them.
    fn narrow(&mut self, most: usize, headed: bool) {
        let columns = self.widths.len();
        let is_whole = |column: usize| self.whole.iter().any(|whole| self.headings[column].eq_ignore_ascii_case(whole));
        let is_shared = |column: usize| {
            let mut cells = self.rows.iter().skip(usize::from(headed)).map(|row| &row[column]);
            cells.next().is_some_and(|first| cells.all(|cell| cell == first))
        };
        let least = |column: usize, limit: usize| {
            if is_whole(column) { self.widths[column] } else { limit.min(self.widths[column]) }
        };
        let above = |column: usize| least(column, NARROWEST.max(width(&self.headings[column]) + GAP));
        let of_shared = |column: usize| if is_shared(column) { above(column) } else { self.widths[column] };
        let of_narrowest = |column: usize| least(column, if headed { NARROWEST } else { LEAST });
        let floors: [&dyn Fn(usize) -> usize; 3] = [&of_shared, &above, &of_narrowest];
        let floors = floors.map(|floor| (0..columns).map(floor).collect::<Vec<usize>>());
        let counts = if headed { 1..=columns } else { columns - self.left_out..=columns - self.left_out };
        let fitting = counts.rev().find_map(|shown| {
            let floor = floors.iter().find(|floor| floor[..shown].iter().sum::<usize>() <= most)?;
            Some((shown, floor))
        });
        if let Some((shown, floor)) = fitting {
            lower(&mut self.widths[..shown], &floor[..shown], most);
            self.left_out = columns - shown;
        } else if headed {
            self.left_out = columns - 1;
        }
    }
}

/// Narrows the widest of some columns until they take no more together, but none below its floor.
fn lower(widths: &mut [usize], floors: &[usize], most: usize) {
    let at = |limit: usize| widths.iter().zip(floors).map(move |(width, floor)| limit.min(*width).max(*floor));
    let widest = widths.iter().max().copied().unwrap_or_default();
    let limits: Vec<usize> = (0..=widest).collect();
    let limit = limits.partition_point(|limit| at(*limit).sum::<usize>() <= most).saturating_sub(1);
    let mut left = most.saturating_sub(at(limit).sum());
    let lowered: Vec<usize> = at(limit).collect();
    for (width, lowered) in widths.iter_mut().zip(lowered) {
        let more = left.min(usize::from(lowered == limit && *width > limit));
        *width = lowered + more;
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
        table.fit(Some(39), &["time"]);
        table.push(["2018-06-18T13:22".into(), "/politics/2018/06/18/a-long-story".into(), "unknown".into()]);
        insta::assert_snapshot!(printed(table, Headings::Plain), @"
        TIME               PATH         USER
        2018-06-18T13:22   /politics…   unknown
        ");
    }

    #[test]
    fn columns_that_tell_no_rows_apart_are_cut_first_and_none_below_its_heading() {
        let mut table = Table::new(["host", "measurements", "path"]);
        table.fit(Some(52), &[]);
        for path in ["/politics/2018/06", "/sport/2018/06/18"] {
            table.push(["edition.cnn.com".into(), "a, b, c and d, and e".into(), path.into()]);
        }
        insta::assert_snapshot!(printed(table, Headings::Plain), @"
        HOST              MEASUREMENTS     PATH
        edition.cnn.com   a, b, c and d…   /politics/2018/06
        edition.cnn.com   a, b, c and d…   /sport/2018/06/18
        ");
    }

    #[test]
    fn where_columns_would_become_too_narrow_the_last_are_left_out() {
        let mut table = Table::new(["time", "path", "user", "code"]);
        table.fit(Some(33), &["time"]);
        let row = ["2018-06-18T13:22", "/politics/2018/06/18/a-long-story", "nobody-in-particular", "200"];
        table.push(row.map(str::to_owned));
        let mut out = Vec::new();
        table.write_page(&mut out, Headings::Plain).expect("a vector takes everything");
        assert_eq!((table.left_out(), table.place_of(1), table.place_of(2)), (2, Some(19), None));
        // Rows below agree with the headings, whatever comes.
        table.add_columns(4, ["more"]);
        table.push(["2018-06-18T13:22:58", "/", "", "", "x"].map(str::to_owned));
        table.write_page(&mut out, Headings::None).expect("a vector takes everything");
        insta::assert_snapshot!(String::from_utf8(out).expect("cells are text"), @"
        TIME               PATH
        2018-06-18T13:22   /politics/201…
        2018-06-18T13:22:58   /
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
