//! Which rows of a segment a query wants: decided for each value of a column before any row, and by columns before any line.

use std::ops::Range;

use parquet::errors::ParquetError;

use super::automaton::Run;
use super::condition::Condition;
use super::mask::Mask;
use super::named::{self, Named, named};
use super::pattern::Matcher;
use super::plan::{Plan, is_called};
use super::program::{Program, Room};
use super::{LevelFilter, passes};
use crate::accesslog::segment::{
    Block, Dictionary, Lines, NONE, OWN_COLUMNS, Own, Reader, Segment, Type, Variable, format_of, level_of,
};
use crate::accesslog::{Format, Level, line};
use crate::expr::{Scratch, Timestamp, ValueRef};

/// What rows must meet.
enum Filter<'p> {
    /// Sequence numbers, both ends included.
    Seq(Range<i64>),
    /// Microseconds since 1970.
    Time(Range<i64>),
    Values(Values),
    /// A condition that takes several columns: those.
    Condition(&'p Condition<'p>, Vec<usize>),
    Pattern(Box<Patterns<'p>>),
}

/// A condition by the numbers of values.
struct Values {
    /// Columns with what each value of their dictionaries comes to; a row meets it by any one of them, by what a shape says
    /// only where it has no value in those before.
    columns: Vec<(usize, Vec<bool>)>,
    /// What a row without a value in any of them comes to.
    absent: bool,
    inverted: bool,
    /// The number of the only value that meets it, where it is of one column.
    only: Option<u32>,
    /// The bits of the values of wanted rows, where there is one column with no more than there are bits, and no row without a
    /// value is wanted.
    bits: Option<u32>,
    /// Whether a row is wanted, by the last byte of its value's number, where there is one column with fewer values than that has;
    /// the last place is that of none.
    table: Option<Box<[bool; 256]>>,
}

/// A pattern, compiled for each form and layout of lines.
struct Patterns<'p> {
    matcher: &'p Matcher,
    run: Option<Run<'p>>,
    programs: Vec<Vec<Option<Program>>>,
    /// Whether all lines have the same form and layout, and none is kept whole.
    uniform: bool,
}

/// The rows of a segment that a plan wants, block by block.
pub(super) struct Selection<'p> {
    reader: &'p Reader,
    filters: Vec<Filter<'p>>,
    /// Nothing is wanted, whatever the rows.
    nothing: bool,
    block: usize,
    pub(super) lines: Lines<'p>,
    room: Room,
    scratch: Scratch,
}

impl<'p> Selection<'p> {
    /// Decides what can be decided without rows.
    pub(super) fn new(reader: &'p Reader, segment: &Segment, plan: &'p Plan<'p>) -> Result<Self, ParquetError> {
        let mut selection = Self {
            reader,
            filters: Vec::new(),
            nothing: false,
            block: reader.block()?,
            lines: reader.lines()?,
            room: Room::default(),
            scratch: Scratch::new(),
        };
        let query = plan.asked.query;
        selection.add_shape(plan)?;
        for condition in &plan.asked.conditions {
            selection.add_condition(condition)?;
        }
        if segment.first < plan.first || segment.last > plan.last {
            selection.filters.push(Filter::Seq(plan.first..plan.last.saturating_add(1)));
        }
        let (since, until) = (query.since.unwrap_or(i64::MIN), query.until.unwrap_or(i64::MAX));
        if segment.min_time < since || segment.max_time >= until && query.until.is_some() {
            selection.filters.push(Filter::Time(since..until));
        }
        for matcher in &plan.asked.matchers {
            if !selection.nothing {
                selection.add_pattern(matcher)?;
            }
        }
        // What leaves fewest rows comes first, and what takes several columns last.
        selection.filters.sort_by_cached_key(|filter| match filter {
            Filter::Values(values) => (0, counted(reader, values).unwrap_or(u64::MAX)),
            Filter::Seq(_) | Filter::Time(_) => (1, 0),
            Filter::Pattern(_) => (2, 0),
            Filter::Condition(..) => (3, 0),
        });
        Ok(selection)
    }

    fn add_shape(&mut self, plan: &Plan<'_>) -> Result<(), ParquetError> {
        let query = plan.asked.query;
        if !matches!(query.level, None | Some(LevelFilter::AtLeast(Level::Info))) {
            self.add_texts(Own::Level, |name| passes(query.level, level_of(name)))?;
        }
        if let Some(name) = &query.instance {
            self.add_texts(Own::Instance, |full| is_called(full, name))?;
        }
        Ok(())
    }

    fn add_texts(&mut self, column: Own, is_wanted: impl Fn(&str) -> bool) -> Result<(), ParquetError> {
        let texts = self.reader.texts(column)?;
        let answers = (0..texts.len()).map(|number| is_wanted(texts.text(number as u32))).collect();
        self.add_values(Values::new(vec![(column as usize, answers)], false, false));
        Ok(())
    }

    /// Adds a condition, unless it holds of all rows.
    fn add_values(&mut self, values: Values) {
        let mut answers = values.columns.iter().flat_map(|(_, answers)| answers.iter().copied());
        let first = answers.next().unwrap_or(values.absent);
        if answers.all(|answer| answer == first) && (values.absent == first || self.is_present(&values)) {
            self.nothing |= first == values.inverted;
        } else {
            self.filters.push(Filter::Values(values));
        }
    }

    /// Whether each row has a value in a condition's only column.
    fn is_present(&self, values: &Values) -> bool {
        let [(column, _)] = values.columns[..] else { return false };
        self.reader.column(column).is_ok_and(|column| column.is_whole())
    }

    fn add_condition(&mut self, condition: &'p Condition<'p>) -> Result<(), ParquetError> {
        // Of one name the shape's value stands behind the line's; beside other names only rows tell which it is.
        let mixed =
            condition.names().count() > 1 && condition.names().any(|name| matches!(named(name), Named::Line(Some(_))));
        if condition.is_of_one_field() && !mixed && !condition.names().any(|name| name == "time") {
            let mut columns = Vec::new();
            for column in condition.names().flat_map(|name| columns_of(self.reader, name)) {
                match self.answers(condition, column)? {
                    Some(answers) => columns.push((column, answers)),
                    None => {
                        self.add_by_rows(condition);
                        return Ok(());
                    }
                }
            }
            let absent = condition.holds_of(None, &mut self.scratch);
            self.add_values(Values::new(columns, absent, condition.inverted()));
            return Ok(());
        }
        self.add_by_rows(condition);
        Ok(())
    }

    fn add_by_rows(&mut self, condition: &'p Condition<'p>) {
        let columns = condition.names().flat_map(|name| columns_of(self.reader, name)).collect();
        self.filters.push(Filter::Condition(condition, columns));
    }

    /// What each value of a column's dictionary comes to; nothing if it has none.
    fn answers(&mut self, condition: &Condition<'_>, column: usize) -> Result<Option<Vec<bool>>, ParquetError> {
        let kind = column.checked_sub(OWN_COLUMNS).map(|variable| self.reader.variables()[variable].kind);
        let scratch = &mut self.scratch;
        let mut holds = |value| condition.holds_of(Some(value), scratch);
        Ok(match self.reader.dictionary(column)? {
            _ if kind == Some(Type::Bool) => Some([false, true].map(|value| holds(ValueRef::Bool(value))).to_vec()),
            Some(Dictionary::Texts(texts)) => {
                Some((0..texts.len() as u32).map(|number| holds(ValueRef::String(texts.text(number)))).collect())
            }
            Some(Dictionary::Ints(ints)) => Some(ints.iter().map(|int| holds(ValueRef::Int64(*int))).collect()),
            None => None,
        })
    }

    fn add_pattern(&mut self, matcher: &'p Matcher) -> Result<(), ParquetError> {
        let formats = self.reader.texts(Own::Format)?;
        let formats: Vec<Format> = (0..formats.len()).map(|number| format_of(formats.text(number as u32))).collect();
        let layouts = self.reader.layouts()?;
        let run = matcher.automaton().map(|automaton| automaton.open());
        let uniform = formats.len() == 1 && layouts.len() == 1 && self.reader.column(Own::Line as usize)?.is_empty();
        let mut programs = Vec::new();
        for &format in &formats {
            let compile = |layout: &Vec<usize>| match &run {
                Some(run) => Program::compile(run, self.reader, layout, format),
                None => Ok(None),
            };
            programs.push(layouts.iter().map(compile).collect::<Result<Vec<_>, _>>()?);
        }
        if let (true, Some(program)) = (uniform, programs[0][0].as_ref()) {
            if let Some(found) = program.constant() {
                self.nothing |= found == matcher.inverted;
                return Ok(());
            }
            if let Some((column, answers)) = program.of_one_column() {
                self.add_values(Values::new(vec![(column, answers)], false, matcher.inverted));
                return Ok(());
            }
            if !matcher.inverted {
                for (column, possible) in program.possible(self.reader) {
                    self.add_values(Values::new(vec![(column, possible)], false, false));
                }
            }
        }
        self.filters.push(Filter::Pattern(Box::new(Patterns { matcher, run, programs, uniform })));
        Ok(())
    }

    /// The segment.
    pub(super) fn reader(&self) -> &'p Reader {
        self.reader
    }

    /// Whether all rows are wanted.
    pub(super) fn is_everything(&self) -> bool {
        !self.nothing && self.filters.is_empty()
    }

    /// How many rows are wanted.
    pub(super) fn count(&mut self) -> Result<u64, ParquetError> {
        match &self.filters[..] {
            _ if self.nothing => return Ok(0),
            [] => return Ok(self.reader.rows() as u64),
            [Filter::Values(values)] => {
                if let Some(count) = counted(self.reader, values) {
                    return Ok(count);
                }
            }
            _ => {}
        }
        let (mut count, mut mask) = (0, Mask::default());
        for rows in self.blocks() {
            self.mask(rows, &mut mask)?;
            count += mask.count() as u64;
        }
        Ok(count)
    }

    /// Rows that are read at a time.
    pub(super) fn blocks(&self) -> impl DoubleEndedIterator<Item = Range<usize>> + use<> {
        let (rows, block) = (if self.nothing { 0 } else { self.reader.rows() }, self.block);
        (0..rows.div_ceil(block)).map(move |number| number * block..((number + 1) * block).min(rows))
    }

    /// Which of some rows are wanted. Of those alone lines are made ready then.
    pub(super) fn mask(&mut self, rows: Range<usize>, mask: &mut Mask) -> Result<(), ParquetError> {
        let first = rows.start;
        mask.begin(rows);
        let Self { reader, filters, lines, room, scratch, .. } = self;
        for filter in filters {
            match filter {
                Filter::Seq(wanted) => within(reader, Own::Seq, wanted, &mut room.block, mask)?,
                Filter::Time(wanted) => within(reader, Own::Time, wanted, &mut room.block, mask)?,
                Filter::Values(values) => values.filter(reader, &mut room.block, mask)?,
                Filter::Pattern(patterns) => patterns.filter(reader, room, lines, mask)?,
                Filter::Condition(condition, columns) => {
                    lines.narrow(first, mask.few());
                    mask.retain_each(|place| {
                        lines.go_to(first + place);
                        columns.iter().try_for_each(|column| lines.load_column(*column))?;
                        Ok::<_, ParquetError>(
                            condition.holds(&mut |name| value(reader, lines, first + place, name), scratch),
                        )
                    })?;
                }
            }
            if mask.is_empty() {
                break;
            }
        }
        lines.narrow(first, mask.few());
        Ok(())
    }
}

/// How many rows meet a condition, where the counts of values tell.
fn counted(reader: &Reader, values: &Values) -> Option<u64> {
    let [(column, answers)] = &values.columns[..] else { return None };
    let counts = reader.counts(*column).filter(|counts| counts.len() == answers.len())?;
    let sum = |wanted: bool| -> u64 {
        let of = counts.iter().zip(answers).filter(|(_, answer)| **answer == wanted);
        of.map(|(count, _)| u64::from(*count)).sum()
    };
    let (met, unmet) = (sum(true), sum(false));
    let absent = (reader.rows() as u64).checked_sub(met + unmet)?;
    let met = if values.absent { met + absent } else { met };
    Some(if values.inverted { reader.rows() as u64 - met } else { met })
}

fn within(
    reader: &Reader,
    column: Own,
    wanted: &Range<i64>,
    block: &mut Block,
    mask: &mut Mask,
) -> Result<(), ParquetError> {
    reader.read(column as usize, mask.rows(), mask.few(), block)?;
    mask.retain(|place| wanted.contains(&block.ints[place]));
    Ok(())
}

impl Values {
    fn new(columns: Vec<(usize, Vec<bool>)>, absent: bool, inverted: bool) -> Self {
        let only = match &columns[..] {
            [(_, answers)] if !absent && !inverted => {
                let mut met = answers.iter().zip(0..).filter_map(|(answer, number)| answer.then_some(number));
                met.next().filter(|_| met.next().is_none())
            }
            _ => None,
        };
        let mut values = Self { columns, absent, inverted, only, bits: None, table: None };
        if let [(_, answers)] = &values.columns[..]
            && answers.len() <= 32
            && absent == inverted
        {
            let bit = |number: u32| u32::from(values.wants(answers, number)) << number;
            values.bits = Some((0..answers.len() as u32).map(bit).sum());
        } else if let [(_, answers)] = &values.columns[..]
            && answers.len() < 256
        {
            let table = std::array::from_fn(|number| values.wants(answers, number as u32));
            values.table = Some(Box::new(table));
        }
        values
    }

    /// Whether a row of its only column is wanted, by the number of its value.
    fn wants(&self, answers: &[bool], number: u32) -> bool {
        answers.get(number as usize).copied().unwrap_or(self.absent) != self.inverted
    }

    fn filter(&self, reader: &Reader, block: &mut Block, mask: &mut Mask) -> Result<(), ParquetError> {
        if let [(column, answers)] = &self.columns[..] {
            reader.read(*column, mask.rows(), mask.few(), block)?;
            let numbers = &block.numbers[..mask.rows().len()];
            if let Some(bits) = self.bits {
                mask.retain_values(numbers, bits);
                return Ok(());
            }
            if let Some(only) = self.only {
                mask.retain(|place| numbers[place] == only);
                return Ok(());
            }
            if let Some(table) = &self.table {
                mask.retain(|place| table[usize::from(numbers[place] as u8)]);
            } else {
                mask.retain(|place| self.wants(answers, numbers[place]));
            }
            return Ok(());
        }
        let (mut present, mut met) = (vec![false; mask.rows().len()], vec![false; mask.rows().len()]);
        for (column, answers) in &self.columns {
            reader.read(*column, mask.rows(), mask.few(), block)?;
            let is_behind = *column == Own::Handler as usize || *column == Own::Rule as usize;
            for (row, number) in block.numbers.iter().enumerate().filter(|(_, number)| **number != NONE) {
                if is_behind && present[row] {
                    continue;
                }
                present[row] = true;
                met[row] |= answers.get(*number as usize).copied().unwrap_or_default();
            }
        }
        mask.retain(|place| (if present[place] { met[place] } else { self.absent }) != self.inverted);
        Ok(())
    }
}

impl Patterns<'_> {
    fn filter(
        &self,
        reader: &Reader,
        room: &mut Room,
        lines: &mut Lines<'_>,
        mask: &mut Mask,
    ) -> Result<(), ParquetError> {
        let inverted = self.matcher.inverted;
        if let (true, Some(run), Some(program)) = (self.uniform, &self.run, &self.programs[0][0]) {
            return program.filter(run, room, inverted, mask, reader);
        }
        let rows = mask.rows();
        lines.narrow(rows.start, mask.few());
        let mut sorts = [Own::Format, Own::Layout, Own::Line].map(|column| (column, Vec::new()));
        for (column, numbers) in &mut sorts {
            reader.read(*column as usize, rows.clone(), mask.few(), &mut room.block)?;
            std::mem::swap(numbers, &mut room.block.numbers);
        }
        let [(_, formats), (_, layouts), (_, whole)] = &sorts;
        let (mut left, mut found): (Vec<usize>, _) = (mask.places().collect(), vec![false; rows.len()]);
        while let Some(&first) = left.first() {
            let sort = |row: usize| (formats[row], layouts[row], whole[row] == NONE);
            let program = self.programs.get(formats[first] as usize).and_then(|of| of.get(layouts[first] as usize));
            let program = program.and_then(Option::as_ref).filter(|_| whole[first] == NONE);
            let (now, later): (Vec<usize>, Vec<usize>) = left.iter().partition(|row| sort(**row) == sort(first));
            left = later;
            let (Some(program), Some(run)) = (program, &self.run) else {
                for row in now {
                    found[row] = self.accepts(lines, rows.start + row)?;
                }
                continue;
            };
            let mut of_sort = Mask::at(rows.clone(), now);
            program.filter(run, room, inverted, &mut of_sort, reader)?;
            of_sort.places().for_each(|place| found[place] = true);
        }
        mask.retain(|place| found[place]);
        Ok(())
    }

    /// Makes a line and searches it.
    fn accepts(&self, lines: &mut Lines<'_>, row: usize) -> Result<bool, ParquetError> {
        lines.load(row)?;
        let mut text = String::new();
        lines.write(row, &mut text);
        Ok(self.matcher.accepts(line::printed(&text, lines.format(row)).as_bytes()))
    }
}

/// The columns of a name: variables of one name may have values of several types. The first with a value has the row's.
pub(super) fn columns_of(reader: &Reader, name: &str) -> Vec<usize> {
    let own = |own| match own {
        named::Own::Time => Own::Time as usize,
        named::Own::Level => Own::Level as usize,
        named::Own::Instance => Own::Instance as usize,
        named::Own::Handler => Own::Handler as usize,
        named::Own::Rule => Own::Rule as usize,
    };
    match named(name) {
        Named::Own(of) => vec![own(of)],
        Named::Line(of) => {
            let is_so = |(place, variable): (usize, &Variable)| (variable.name == name).then_some(OWN_COLUMNS + place);
            let variables = reader.variables().iter().enumerate().filter_map(is_so);
            variables.chain(of.map(own)).collect()
        }
    }
}

/// The value that a row has under a name.
pub(super) fn value<'l>(reader: &Reader, lines: &'l Lines<'_>, row: usize, name: &str) -> Option<ValueRef<'l>> {
    let column = columns_of(reader, name).into_iter().find(|column| lines.has(*column, row))?;
    Some(match column.checked_sub(OWN_COLUMNS).map(|variable| reader.variables()[variable].kind) {
        None if column == Own::Time as usize => ValueRef::Timestamp(Timestamp::from_micros(lines.time(row))),
        None | Some(Type::Text | Type::Json) => ValueRef::String(lines.text(column, row)),
        Some(Type::Int) => ValueRef::Int64(lines.int(column, row)),
        Some(Type::Double) => ValueRef::Double(lines.double(column, row)),
        Some(Type::Bool) => ValueRef::Bool(lines.bool(column, row)),
    })
}
