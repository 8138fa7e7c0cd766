//! Counting entries by their fields: `logs stats` and `logs facets`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parquet::errors::ParquetError;
use smallvec::SmallVec;

use super::condition::{Token, find};
use super::group::{GROUP_BYTES, Group, Groups, Measure, OF_SEGMENT, ROOM, Tally, are_many};
use super::mask::Mask;
use super::plan::Plan;
use super::select::{Selection, columns_of, value};
use super::{Query, Row};
use crate::accesslog::segment::{Block, Dictionary, NONE, Own, Reader, Segment};
use crate::accesslog::{Error, LogStore};
use crate::expr::ValueRef;

/// What is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grouping {
    /// Fields whose values make a group together.
    pub by: Vec<String>,
    /// Fields whose numbers are added up.
    pub measures: Vec<String>,
    /// Microseconds of time that make a group.
    pub interval: Option<i64>,
}

impl LogStore {
    /// Counts the entries that a query asks for by a grouping; groups in no order, and nothing if there are more than 262,144
    /// or they take more than 64 MiB, or half of that in one segment. Limits have no meaning here.
    ///
    /// # Errors
    /// Every variant of [`Error`].
    pub fn tally(&self, query: &Query, grouping: &Grouping) -> Result<Option<Vec<Group>>, Error> {
        let asked = self.asked(query)?;
        let upto = self.newest()?;
        let segments = self.sql(|| Segment::between(&self.connection, 1, upto))?;
        let sealed = segments.last().map_or(0, |segment| segment.last);
        let plan = self.sql(|| Plan::new(&self.connection, &asked, (1, sealed)))?;
        let mut all = Some(Groups::default());
        // Where one segment has too many the others need not be asked.
        let are_many = AtomicBool::new(false);
        let question = |selection: &mut Selection<'_>| match are_many.load(Ordering::Relaxed) {
            true => Ok(None),
            false => of_segment(selection, grouping),
        };
        self.of_segments(&segments, (&plan, ROOM), &question, &mut |_, counted| {
            merge(&mut all, counted);
            are_many.store(all.is_none(), Ordering::Relaxed);
        })?;
        let plan = self.sql(|| Plan::new(&self.connection, &asked, (sealed + 1, upto)))?;
        self.forwards(&plan, &mut |row: &Row<'_>| {
            let Some(groups) = &mut all else { return false };
            add_row(groups, grouping, row);
            if groups.are_many(1) {
                all = None;
            }
            true
        })?;
        Ok(all.map(Groups::all))
    }
}

/// Adds the groups of a segment, or nothing where they are too many.
fn merge(all: &mut Option<Groups>, counted: Option<Groups>) {
    let Some((groups, counted)) = all.as_mut().zip(counted) else {
        *all = None;
        return;
    };
    for (key, tally) in counted.of {
        groups.add(key, tally);
        if groups.are_many(1) {
            *all = None;
            return;
        }
    }
}

/// Adds a row of the hot store.
fn add_row(groups: &mut Groups, grouping: &Grouping, row: &Row<'_>) {
    let names: Vec<&str> = grouping.by.iter().chain(&grouping.measures).map(String::as_str).collect();
    let found = find(row.line, &names);
    let (by, measures) = found.split_at(grouping.by.len());
    let text =
        |(name, token): (&String, &Option<Token<'_>>)| row.value(name, token.as_ref().map(Token::value)).map(text);
    let key = grouping.by.iter().zip(by).map(text).collect();
    let measure = |token: &Option<Token<'_>>| {
        let mut measure = Measure::default();
        if let Some(number) = token.as_ref().and_then(|token| number(token.value())) {
            measure.add(number, 1);
        }
        measure
    };
    let tally = Tally { count: 1, measures: measures.iter().map(measure).collect() };
    groups.add((grouping.interval.map(|interval| start(row.time, interval)), key), tally);
}

fn start(time: i64, interval: i64) -> i64 {
    time - time.rem_euclid(interval.max(1))
}

fn text(value: ValueRef<'_>) -> String {
    let mut text = String::new();
    value.write_text(&mut text);
    text
}

fn number(value: ValueRef<'_>) -> Option<i64> {
    match value {
        ValueRef::Int64(int) => Some(int),
        ValueRef::Double(double) => Some(double as i64),
        _ => None,
    }
}

/// A field of a segment whose values have numbers.
struct Numbered {
    /// Its columns, of which the first with a value has the row's; with the number of their first value.
    columns: Vec<(usize, u32)>,
}

/// Numbers of values, one for each field that makes a group.
type Numbers = SmallVec<[u32; 4]>;

/// Counts the entries of a segment; nothing if there are too many groups.
fn of_segment(selection: &mut Selection<'_>, grouping: &Grouping) -> Result<Option<Groups>, ParquetError> {
    let reader = selection.reader();
    let numbered: Option<Vec<Numbered>> = grouping
        .by
        .iter()
        .map(|name| numbered(reader, name).transpose())
        .collect::<Option<Result<_, _>>>()
        .transpose()?;
    let Some(numbered) = numbered else { return by_rows(selection, grouping) };
    if !grouping.measures.is_empty() || grouping.interval.is_some() {
        return by_numbers(selection, &numbered, grouping);
    }
    match &numbered[..] {
        [Numbered { columns }] => {
            if let (true, [(column, _)]) = (selection.is_everything(), &columns[..])
                && let Some(counts) = reader.counts(*column)
            {
                return Ok(counted(reader, *column, counts));
            }
            by_number(selection, &numbered[0])
        }
        _ => by_numbers(selection, &numbered, grouping),
    }
}

/// Nothing if a column of the field has no dictionary.
fn numbered(reader: &Reader, name: &str) -> Result<Option<Numbered>, ParquetError> {
    let (mut columns, mut first) = (Vec::new(), 0);
    for column in columns_of(reader, name) {
        let Some(dictionary) = reader.dictionary(column)? else { return Ok(None) };
        columns.push((column, first));
        first += dictionary.len() as u32;
    }
    Ok(Some(Numbered { columns }))
}

/// The text of a value by its number.
fn text_of(reader: &Reader, numbered: &Numbered, number: u32) -> Option<String> {
    if number == NONE {
        return None;
    }
    let (column, first) = numbered.columns.iter().rev().find(|(_, first)| *first <= number)?;
    match reader.dictionary(*column).ok()?? {
        Dictionary::Texts(texts) => Some(texts.text(number - first).to_owned()),
        Dictionary::Ints(ints) => ints.get((number - first) as usize).map(ToString::to_string),
    }
}

/// All entries by the values of one column, from the segment's counts.
fn counted(reader: &Reader, column: usize, counts: &[u32]) -> Option<Groups> {
    let numbered = Numbered { columns: vec![(column, 0)] };
    let all = counts.iter().map(|count| u64::from(*count)).sum();
    let left = (reader.rows() as u64).saturating_sub(all);
    let group = |text, count| ((None, vec![text]), Tally { count, measures: Vec::new() });
    let of_value = |(number, count): (usize, &u32)| group(text_of(reader, &numbered, number as u32), u64::from(*count));
    let without = (left > 0).then(|| group(None, left));
    Groups::of_segment(counts.iter().enumerate().map(of_value).chain(without))
}

/// Of one field numbers are places.
fn by_number(selection: &mut Selection<'_>, field: &Numbered) -> Result<Option<Groups>, ParquetError> {
    let reader = selection.reader();
    let (mut mask, mut block, mut numbers) = (Mask::default(), Block::default(), Vec::new());
    let mut counts: Vec<u64> = Vec::new();
    for rows in selection.blocks() {
        selection.mask(rows, &mut mask)?;
        if mask.is_empty() {
            continue;
        }
        field.read(reader, &mask, &mut block, &mut numbers)?;
        for place in mask.places() {
            // Nothing at all has the first place.
            let place = numbers[place].wrapping_add(1) as usize;
            if place >= counts.len() {
                counts.resize(place + 1, 0);
            }
            counts[place] += 1;
        }
    }
    let found = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let group = |(place, count): (usize, &u64)| {
        let key = vec![text_of(reader, field, (place as u32).wrapping_sub(1))];
        ((None, key), Tally { count: *count, measures: Vec::new() })
    };
    Ok(Groups::of_segment(found.map(group)))
}

fn by_numbers(
    selection: &mut Selection<'_>,
    numbered: &[Numbered],
    grouping: &Grouping,
) -> Result<Option<Groups>, ParquetError> {
    let reader = selection.reader();
    let (mut mask, mut block, mut times) = (Mask::default(), Block::default(), Block::default());
    let mut groups: HashMap<(Option<i64>, Numbers), Tally, foldhash::fast::RandomState> = HashMap::default();
    let mut bytes = 0;
    let mut keys: Vec<Vec<u32>> = vec![Vec::new(); numbered.len()];
    let mut measured: Vec<Vec<Option<i64>>> = vec![Vec::new(); grouping.measures.len()];
    for rows in selection.blocks() {
        selection.mask(rows, &mut mask)?;
        if mask.is_empty() {
            continue;
        }
        for (field, numbers) in numbered.iter().zip(&mut keys) {
            field.read(reader, &mask, &mut block, numbers)?;
        }
        for (name, numbers) in grouping.measures.iter().zip(&mut measured) {
            read_measure(reader, name, &mask, &mut block, numbers)?;
        }
        if grouping.interval.is_some() {
            reader.read(Own::Time as usize, mask.rows(), mask.few(), &mut times)?;
        }
        for row in mask.places() {
            let start = grouping.interval.map(|interval| start(times.ints[row], interval));
            let tally = groups.entry((start, keys.iter().map(|numbers| numbers[row]).collect())).or_default();
            tally.count += 1;
            tally.measures.resize_with(measured.len(), Measure::default);
            for (measure, numbers) in tally.measures.iter_mut().zip(&measured) {
                if let Some(number) = numbers[row] {
                    let before = measure.bytes();
                    measure.add(number, 1);
                    bytes = bytes + measure.bytes() - before;
                }
            }
        }
        if are_many(groups.len(), bytes + groups.len() * GROUP_BYTES, OF_SEGMENT) {
            return Ok(None);
        }
    }
    let key = |numbers: Numbers| numbered.iter().zip(numbers).map(|(of, number)| text_of(reader, of, number)).collect();
    Ok(Groups::of_segment(groups.into_iter().map(|((start, numbers), tally)| ((start, key(numbers)), tally))))
}

/// Reads the numbers of a field of some rows.
fn read_measure(
    reader: &Reader,
    name: &str,
    mask: &Mask,
    block: &mut Block,
    numbers: &mut Vec<Option<i64>>,
) -> Result<(), ParquetError> {
    numbers.clear();
    numbers.resize(mask.rows().len(), None);
    for column in columns_of(reader, name) {
        reader.read(column, mask.rows(), mask.few(), block)?;
        match reader.dictionary(column)? {
            Some(Dictionary::Ints(ints)) => {
                for (into, number) in numbers.iter_mut().zip(&block.numbers) {
                    *into = ints.get(*number as usize).copied().or(*into);
                }
            }
            Some(Dictionary::Texts(_)) => {}
            None => {
                let is_there = |row: usize| block.numbers.get(row) != Some(&NONE);
                let doubles = block.doubles.iter().map(|double| *double as i64);
                for (row, number) in
                    block.ints.iter().copied().chain(doubles).enumerate().filter(|(row, _)| is_there(*row))
                {
                    numbers[row] = Some(number);
                }
            }
        }
    }
    Ok(())
}

impl Numbered {
    /// Reads the numbers of the field's values.
    fn read(
        &self,
        reader: &Reader,
        mask: &Mask,
        block: &mut Block,
        numbers: &mut Vec<u32>,
    ) -> Result<(), ParquetError> {
        if let [(column, _)] = self.columns[..] {
            reader.read(column, mask.rows(), mask.few(), block)?;
            std::mem::swap(numbers, &mut block.numbers);
            return Ok(());
        }
        numbers.clear();
        numbers.resize(mask.rows().len(), NONE);
        for (column, first) in &self.columns {
            reader.read(*column, mask.rows(), mask.few(), block)?;
            let found =
                numbers.iter_mut().zip(&block.numbers).filter(|(into, number)| **into == NONE && **number != NONE);
            found.for_each(|(into, number)| *into = first + number);
        }
        Ok(())
    }
}

/// The same where numbers do not do, row by row.
fn by_rows(selection: &mut Selection<'_>, grouping: &Grouping) -> Result<Option<Groups>, ParquetError> {
    let reader = selection.reader();
    let (mut groups, mut mask) = (Groups::default(), Mask::default());
    let columns: Vec<usize> =
        grouping.by.iter().chain(&grouping.measures).flat_map(|name| columns_of(reader, name)).collect();
    for rows in selection.blocks() {
        selection.mask(rows, &mut mask)?;
        for row in mask.wanted() {
            let lines = &mut selection.lines;
            lines.go_to(row);
            lines.load_column(Own::Time as usize)?;
            columns.iter().try_for_each(|column| lines.load_column(*column))?;
            let value = |name: &String| value(reader, lines, row, name);
            let key = grouping.by.iter().map(|name| value(name).map(text)).collect();
            let measure = |name: &String| {
                let mut measure = Measure::default();
                if let Some(number) = value(name).and_then(number) {
                    measure.add(number, 1);
                }
                measure
            };
            let tally = Tally { count: 1, measures: grouping.measures.iter().map(measure).collect() };
            groups.add((grouping.interval.map(|interval| start(lines.time(row), interval)), key), tally);
            if groups.are_many(OF_SEGMENT) {
                return Ok(None);
            }
        }
    }
    Ok(Some(groups))
}
