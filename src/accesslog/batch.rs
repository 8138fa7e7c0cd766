//! Entries whose lines lie in one text, one after the other, so that an entry costs no allocation of its own.

use std::sync::Arc;

use super::{Entry, Level, Shape};

/// How far back a shape is looked for among those of a batch. One that is not found is listed again, which harms nothing.
const LOOK_BACK: usize = 16;

/// Entries in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    heads: Vec<Head>,
    text: String,
    shapes: Vec<Arc<Shape>>,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    time: i64,
    level: Level,
    /// Place among the shapes.
    shape: u32,
    /// Where its line begins and ends in the text.
    start: usize,
    end: usize,
}

/// An [`Entry`] of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'b> {
    /// As [`Entry::time`].
    pub time: i64,
    /// As [`Entry::level`].
    pub level: Level,
    /// As [`Entry::shape`].
    pub shape: &'b Arc<Shape>,
    /// As [`Entry::line`].
    pub line: &'b str,
    /// The place of the shape in [`Batch::shapes`].
    pub(super) number: usize,
}

impl Recorded<'_> {
    /// It, by itself.
    pub(super) fn to_entry(self) -> Entry {
        Entry { time: self.time, level: self.level, shape: Arc::clone(self.shape), line: self.line.to_owned() }
    }
}

impl Batch {
    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Bytes of all lines.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Adds an entry whose line is written at the end of a text that holds others.
    ///
    /// # Errors
    /// What the writing says; then nothing was added.
    pub fn write<E>(
        &mut self,
        (time, level, shape): (i64, Level, &Arc<Shape>),
        write: impl FnOnce(&mut String) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.text.len();
        write(&mut self.text).inspect_err(|_| self.text.truncate(start))?;
        let shape = self.number(shape);
        self.heads.push(Head { time, level, shape, start, end: self.text.len() });
        Ok(())
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: &Entry) {
        let start = self.text.len();
        self.text.push_str(&entry.line);
        let shape = self.number(&entry.shape);
        self.heads.push(Head { time: entry.time, level: entry.level, shape, start, end: self.text.len() });
    }

    /// Moves all entries of another batch behind its own; what the other one has allocated it keeps.
    pub fn append(&mut self, other: &mut Batch) {
        let numbers: smallvec::SmallVec<[u32; LOOK_BACK]> =
            other.shapes.iter().map(|shape| self.number(shape)).collect();
        let before = self.text.len();
        self.text.push_str(&other.text);
        self.heads.extend(other.heads.iter().map(|head| Head {
            shape: numbers[head.shape as usize],
            start: before + head.start,
            end: before + head.end,
            ..*head
        }));
        other.clear();
    }

    /// Puts the entries in the order of their times; those of the same time stay as they are.
    pub(super) fn sort(&mut self) {
        self.heads.sort_by_key(|head| head.time);
    }

    /// Takes everything out, and keeps what is allocated.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.text.clear();
        self.shapes.clear();
    }

    /// Gives back what is allocated above so many bytes.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        self.text.shrink_to(bytes);
        self.heads.shrink_to(bytes / size_of::<Head>());
    }

    /// Its entries.
    pub fn iter(&self) -> impl Iterator<Item = Recorded<'_>> {
        self.heads.iter().map(|head| {
            let line = &self.text[head.start..head.end];
            let number = head.shape as usize;
            Recorded { time: head.time, level: head.level, shape: &self.shapes[number], line, number }
        })
    }

    /// The shapes of its entries.
    pub(super) fn shapes(&self) -> &[Arc<Shape>] {
        &self.shapes
    }

    fn number(&mut self, shape: &Arc<Shape>) -> u32 {
        let from = self.shapes.len().saturating_sub(LOOK_BACK);
        let known = self.shapes[from..].iter().rposition(|known| Arc::ptr_eq(known, shape));
        let number = known.map_or(self.shapes.len(), |at| from + at);
        if known.is_none() {
            self.shapes.push(Arc::clone(shape));
        }
        u32::try_from(number).expect("a batch has fewer than 2^32 entries")
    }
}

impl<'e> FromIterator<&'e Entry> for Batch {
    fn from_iter<I: IntoIterator<Item = &'e Entry>>(entries: I) -> Self {
        let mut batch = Self::default();
        entries.into_iter().for_each(|entry| batch.push(entry));
        batch
    }
}

/// What is to be recorded of a call, or of several: the lines that rules ask for, and those of calls that were refused, and
/// the records of the calls.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// For the log of lines, and the outlets.
    pub lines: Batch,
    /// For the log of accesses.
    pub accesses: Batch,
}

impl Report {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.accesses.is_empty()
    }

    /// Bytes of all lines.
    pub fn bytes(&self) -> usize {
        self.lines.bytes() + self.accesses.bytes()
    }

    /// Moves everything out of another one behind its own.
    pub fn append(&mut self, other: &mut Report) {
        self.lines.append(&mut other.lines);
        self.accesses.append(&mut other.accesses);
    }

    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.accesses.clear();
    }

    /// Puts all in the order of time.
    pub(super) fn sort(&mut self) {
        self.lines.sort();
        self.accesses.sort();
    }

    pub(super) fn shrink_to(&mut self, bytes: usize) {
        self.lines.shrink_to(bytes);
        self.accesses.shrink_to(bytes);
    }
}

impl FromIterator<Entry> for Report {
    /// A report of lines.
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut report = Self::default();
        entries.into_iter().for_each(|entry| report.lines.push(&entry));
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accesslog::testing::{entry, numbered, shape};
    use crate::accesslog::{Format, Outlet};

    fn lines(batch: &Batch) -> Vec<(&str, &str)> {
        batch.iter().map(|one| (one.line, one.shape.instance.as_str())).collect()
    }

    #[test]
    fn what_is_moved_keeps_its_lines_and_shapes() {
        let shapes: Vec<_> = (0..40).map(|n| shape(&n.to_string(), Format::Json, Outlet::Stdout)).collect();
        let entries: Vec<_> = (0..200).map(|n| entry(&shapes[n * 7 % 40], n as i64, Level::Info, "/")).collect();
        let all: Batch = entries.iter().collect();
        let mut joined = Batch::default();
        for some in entries.chunks(33) {
            let mut some: Batch = some.iter().collect();
            joined.append(&mut some);
            assert!(some.is_empty());
        }
        assert_eq!(lines(&joined), lines(&all));
        assert_eq!((joined.len(), joined.bytes()), (200, all.bytes()));
    }

    #[test]
    fn entries_of_several_threads_are_put_in_the_order_of_time() {
        let shape = shape("a", Format::Json, Outlet::Stdout);
        let entries: Vec<_> = [3, 5, 1, 5, 4].into_iter().zip(["a", "b", "c", "d", "e"]).collect();
        let mut batch: Batch = Batch::default();
        entries.iter().for_each(|(time, path)| batch.push(&entry(&shape, *time, Level::Info, path)));
        batch.sort();
        let order: Vec<i64> = batch.iter().map(|one| one.time).collect();
        assert_eq!(order, [1, 3, 4, 5, 5]);
        let last: Vec<_> =
            lines(&batch).into_iter().map(|(line, _)| line.contains("\"b\"") || line.contains("\"d\"")).collect();
        assert_eq!(last, [false, false, false, true, true]);
        assert!(lines(&batch)[3].0.contains("\"b\""));
    }

    #[test]
    fn a_line_whose_writing_fails_is_not_there() {
        let mut batch: Batch = numbered(0..1).iter().collect();
        let shape = shape("a", Format::Json, Outlet::Stdout);
        let failed = batch.write((0, Level::Info, &shape), |text| {
            text.push_str("half");
            Err("no value")
        });
        assert_eq!(failed, Err("no value"));
        batch.push(&entry(&shape, 0, Level::Info, "/"));
        assert_eq!(batch.len(), 2);
        assert!(!lines(&batch)[1].0.contains("half"));
    }
}
