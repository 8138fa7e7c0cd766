//! Which rows of a column have a value.

use std::ops::Range;

/// Told row by row, in their order; most columns have a value in every row, or in long runs of them.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// The number of the row behind the last that has one.
    rows: usize,
    /// Rows before that have none, in their order.
    gaps: Vec<Range<u32>>,
}

impl Presence {
    /// Notes that a row has a value.
    pub(super) fn set(&mut self, row: usize) {
        self.set_all(row..row + 1);
    }

    /// Notes that each of some rows has a value.
    pub(super) fn set_all(&mut self, rows: Range<usize>) {
        if rows.start > self.rows {
            self.gaps.push(number(self.rows)..number(rows.start));
        }
        self.rows = rows.end;
    }

    /// The rows that have one, in runs.
    pub(super) fn runs(&self) -> impl Iterator<Item = Range<usize>> {
        let gaps = self.gaps.iter().map(|gap| gap.start as usize..gap.end as usize);
        let mut start = 0;
        gaps.chain(std::iter::once(self.rows..self.rows)).filter_map(move |gap| {
            let run = start..gap.start;
            start = gap.end;
            (!run.is_empty()).then_some(run)
        })
    }

    /// Whether no row has one.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.rows = 0;
        self.gaps.clear();
    }

    /// Whether the newest row has one.
    pub(super) fn has_newest(&self, row: usize) -> bool {
        self.rows > row
    }

    /// Whether each of so many rows has one.
    pub(super) fn is_full(&self, rows: usize) -> bool {
        self.rows == rows && self.gaps.is_empty()
    }

    /// For each of so many rows whether it has one (1); nothing if all have.
    pub(super) fn levels(&self, rows: usize) -> Option<Vec<i16>> {
        if self.is_full(rows) {
            return None;
        }
        let mut levels = vec![1; rows];
        let gaps = self.gaps.iter().map(|gap| gap.start as usize..gap.end as usize);
        gaps.chain(std::iter::once(self.rows..rows)).for_each(|gap| levels[gap].fill(0));
        Some(levels)
    }
}

fn number(row: usize) -> u32 {
    u32::try_from(row).expect("a segment has fewer than 2^32 rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_value_are_those_that_were_not_told_of() {
        for (told, expected) in [
            (vec![], Some(vec![0, 0, 0, 0])),
            (vec![0, 1, 2, 3], None),
            (vec![0, 1, 2], Some(vec![1, 1, 1, 0])),
            (vec![1, 3], Some(vec![0, 1, 0, 1])),
            (vec![3], Some(vec![0, 0, 0, 1])),
        ] {
            let mut presence = Presence::default();
            for row in 0..4 {
                if told.contains(&row) {
                    presence.set(row);
                }
                assert_eq!(presence.has_newest(row), told.contains(&row), "{told:?}");
            }
            let runs: Vec<usize> = presence.runs().flatten().collect();
            assert_eq!((runs, presence.is_empty()), (told.clone(), told.is_empty()));
            assert_eq!((presence.levels(4), presence.is_full(4)), (expected.clone(), expected.is_none()), "{told:?}");
        }
    }
}
