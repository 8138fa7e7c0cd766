//! Entries of a pack as columns.
//!
//! Lines are taken apart once, when they are stored: what is alike in them lies together then, takes an eighth of the room,
//! and sealing has only to put columns behind columns.
//!
//! How many entries there are, and how many bytes their lines have together; the shapes, by their ids and the names of their
//! instances; the first time, and the steps to the others; levels; places of shapes; rows of the lines that are kept as a
//! whole, and these; how many variables there are, and of each its type, its name, the runs of rows that have it, and its
//! values, of texts the different ones before; how many layouts there are, and of each the variables; which each line has.
//! Counts, rows and variables are varints, the others [`numbers`]. Part of the schema: never changes.

mod input;
mod lines;
mod merge;
mod numbers;

use std::collections::HashSet;
use std::ops::Range;

use super::columns::Columns;
use super::hybrid::push_varint;
use super::variable::{self, Type, Values};
use input::{Input, push_texts};
use numbers::Numbers;

/// Most entries of a pack of columns. Few enough that reading one does not read many that are not wanted, and many enough that
/// what a row costs is nothing beside them. What claims to have more was tampered with, and does not fill the memory.
pub(in crate::accesslog) const MOST_ENTRIES: usize = 4096;

/// Most bytes of its lines, likewise.
pub(in crate::accesslog) const MOST_BYTES: usize = 1 << 20;

/// Fewest bytes that a line has of a value, with its name: so lines cannot have more values.
const FEWEST_OF_VALUE: usize = 4;

/// The columns of a pack, in the bytes that were stored.
#[derive(Debug)]
pub(in crate::accesslog) struct Packed<'b> {
    rows: usize,
    /// Of all lines.
    bytes: usize,
    /// The ids of the shapes.
    pub(in crate::accesslog) shapes: Vec<i64>,
    /// The names of their instances.
    instances: Vec<&'b str>,
    first_time: i64,
    steps: Numbers<'b>,
    levels: Numbers<'b>,
    shape: Numbers<'b>,
    layouts: Vec<Vec<usize>>,
    layout: Numbers<'b>,
    /// Lines that are kept as a whole, with their rows.
    verbatim: Vec<(usize, &'b str)>,
    variables: Vec<Variable<'b>>,
}

#[derive(Debug)]
struct Variable<'b> {
    name: &'b str,
    kind: Type,
    /// Rows that have a value.
    runs: Vec<Range<usize>>,
    /// The different texts; none of numbers.
    texts: Vec<&'b str>,
    /// Of each row that has one the value, or the number of the text.
    values: Numbers<'b>,
}

impl<'b> Packed<'b> {
    /// What was written, if it has so many entries; nothing if it is something else.
    pub(in crate::accesslog) fn read(bytes: &'b [u8], rows: usize) -> Option<Self> {
        let input = &mut Input::new(bytes);
        if input.count(MOST_ENTRIES)? != rows || rows == 0 {
            return None;
        }
        let bytes = input.count(MOST_BYTES)?;
        let count = input.count(rows)?;
        let (ids, mut shapes) = (Numbers::take(input, count)?, Vec::new());
        ids.extend(&mut shapes, |id| id);
        let instances = input.texts(count).filter(|instances| instances.len() == count)?;
        let first_time = i64::from_le_bytes(*input.chunk()?);
        let steps = Numbers::take(input, rows - 1)?;
        let levels = Numbers::take_below(input, rows, 3)?;
        let shape = Numbers::take_below(input, rows, count)?;
        let verbatim = verbatim(input, rows)?;
        let mut left = bytes / FEWEST_OF_VALUE;
        let count = input.count(left)?;
        let mut known = HashSet::new();
        let variables = (0..count).map(|_| {
            let variable = Variable::take(input, rows, &mut left)?;
            known.insert((variable.name, variable.kind)).then_some(variable)
        });
        let variables: Vec<Variable<'_>> = variables.collect::<Option<_>>()?;
        let layouts = (0..input.count(rows)?).map(|_| take_layout(input, variables.len()));
        let layouts: Vec<Vec<usize>> = layouts.collect::<Option<_>>()?;
        let layout = Numbers::take_below(input, rows, layouts.len())?;
        let packed = Self {
            rows,
            bytes,
            shapes,
            instances,
            first_time,
            steps,
            levels,
            shape,
            layouts,
            layout,
            verbatim,
            variables,
        };
        input.is_empty().then_some(packed)
    }

    /// How many entries it has.
    pub(in crate::accesslog) fn len(&self) -> usize {
        self.rows
    }

    /// The time of the first entry.
    pub(in crate::accesslog) fn first_time(&self) -> i64 {
        self.first_time
    }

    /// Times of all entries, behind others.
    fn extend_times(&self, times: &mut Vec<i64>) {
        let mut time = self.first_time;
        times.push(time);
        self.steps.extend(times, |step| {
            time = time.wrapping_add(step);
            time
        });
    }
}

/// Lines that are kept as a whole, with their rows, which ascend.
fn verbatim<'b>(input: &mut Input<'b>, rows: usize) -> Option<Vec<(usize, &'b str)>> {
    let count = input.count(rows)?;
    let at: Vec<usize> = (0..count).map(|_| input.count(rows - 1)).collect::<Option<_>>()?;
    let lines = input.texts(count)?;
    (lines.len() == count && at.is_sorted_by(|one, next| one < next)).then(|| at.into_iter().zip(lines).collect())
}

/// The variables of a layout, of so many. None is there twice.
fn take_layout(input: &mut Input<'_>, variables: usize) -> Option<Vec<usize>> {
    let count = input.count(variables)?;
    let layout: Vec<usize> = (0..count).map(|_| input.count(variables.checked_sub(1)?)).collect::<Option<_>>()?;
    let mut known = HashSet::new();
    layout.iter().all(|variable| known.insert(*variable)).then_some(layout)
}

impl<'b> Variable<'b> {
    /// Takes one, of whose values no more than are `left` can be.
    fn take(input: &mut Input<'b>, rows: usize, left: &mut usize) -> Option<Self> {
        let [kind] = *input.chunk()?;
        let kind = *Type::ALL.get(usize::from(kind))?;
        let length = input.count(usize::MAX)?;
        let name = std::str::from_utf8(input.bytes(length)?).ok()?;
        let (mut runs, mut end) = (Vec::new(), 0);
        for _ in 0..input.count(rows)? {
            let start = end + input.count(rows - end)?;
            end = start + input.count(rows - start).filter(|length| *length > 0)?;
            runs.push(start..end);
        }
        let count = runs.iter().map(Range::len).sum();
        if count == 0 {
            return None;
        }
        *left = left.checked_sub(count)?;
        let (texts, values) = match kind {
            Type::Text | Type::Json => {
                let texts = input.texts(count)?;
                let numbers = Numbers::take_below(input, count, texts.len())?;
                (texts, numbers)
            }
            Type::Bool => (Vec::new(), Numbers::take_below(input, count, 2)?),
            Type::Int | Type::Double => (Vec::new(), Numbers::take(input, count)?),
        };
        Some(Self { name, kind, runs, texts, values })
    }
}

/// Writes columns, with the ids of their shapes and the names of these shapes' instances.
pub(in crate::accesslog) fn write(columns: &Columns, shapes: &[(i64, &str)], out: &mut Vec<u8>) {
    push_varint(columns.rows() as u64, out);
    push_varint(columns.bytes() as u64, out);
    push_varint(shapes.len() as u64, out);
    numbers::push(shapes.iter().map(|(id, _)| *id), out);
    push_texts(shapes.iter().map(|(_, instance)| instance.len()), shapes.iter().map(|(_, instance)| *instance), out);
    out.extend_from_slice(&columns.time.first().copied().unwrap_or_default().to_le_bytes());
    numbers::push(columns.time.windows(2).map(|times| times[1].wrapping_sub(times[0])), out);
    numbers::push(columns.level.iter().map(|level| level.code()), out);
    numbers::push(columns.shape.iter().map(|shape| i64::from(*shape)), out);
    let verbatim = &columns.verbatim;
    push_varint(verbatim.len() as u64, out);
    verbatim.iter().for_each(|(row, _)| push_varint(*row as u64, out));
    push_texts(verbatim.iter().map(|(_, line)| line.len()), verbatim.iter().map(|(_, line)| line.as_str()), out);
    // Columns that were cleared have variables that no line has.
    let used = |variable: &&variable::Variable| !variable.presence.is_empty();
    push_varint(columns.variables.iter().filter(used).count() as u64, out);
    columns.variables.iter().filter(used).for_each(|variable| push_variable(variable, out));
    let mut before = 0;
    let places = columns.variables.iter().map(|variable| {
        before += u64::from(!variable.presence.is_empty());
        before.saturating_sub(1)
    });
    let places: Vec<u64> = places.collect();
    push_varint(columns.layouts.len() as u64, out);
    for number in 0..columns.layouts.len() {
        let layout = layout_of(columns.layouts.text(number as u32));
        push_varint(layout.clone().count() as u64, out);
        layout.for_each(|variable| push_varint(places[variable], out));
    }
    numbers::push(columns.layout.iter().map(|layout| i64::from(*layout)), out);
}

/// The variables of a layout.
fn layout_of(text: &str) -> impl Iterator<Item = usize> + Clone {
    text.split_ascii_whitespace().map(|number| number.parse().expect("a layout is made of numbers"))
}

fn push_variable(variable: &variable::Variable, out: &mut Vec<u8>) {
    let kind = Type::ALL.iter().position(|kind| *kind == variable.kind).expect("all types are among all");
    out.push(kind as u8);
    push_varint(variable.name.len() as u64, out);
    out.extend_from_slice(variable.name.as_bytes());
    push_varint(variable.presence.runs().count() as u64, out);
    let mut end = 0;
    for run in variable.presence.runs() {
        push_varint((run.start - end) as u64, out);
        push_varint(run.len() as u64, out);
        end = run.end;
    }
    match &variable.values {
        Values::Texts(texts, numbers) => {
            push_texts(texts.lengths(), std::iter::once(texts.all()), out);
            numbers::push(numbers.iter().map(|number| i64::from(*number)), out);
        }
        Values::Ints(ints) => numbers::push(ints.iter().copied(), out),
        Values::Doubles(doubles) => numbers::push(doubles.iter().map(|double| double.to_bits() as i64), out),
        Values::Bools(bools) => numbers::push(bools.iter().map(|bool| i64::from(*bool)), out),
    }
}

#[cfg(test)]
mod tests;
