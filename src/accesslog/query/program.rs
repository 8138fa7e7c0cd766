//! A pattern over the lines of one layout, as table look-ups by the numbers of values.
//!
//! A line is fixed text and values in turn. From the states that can be before a value, each value of the column's
//! dictionary leads to a state; where all lead to the same one the column need not be read. So for most patterns one or two
//! columns are left, and a row costs a look into a table for each.

use parquet::errors::ParquetError;

use super::automaton::{Run, State, UNKNOWN, is_final};
use super::leads::{Spelling, leads, values};
use super::mask::Mask;
use crate::accesslog::segment::{Block, NONE, OWN_COLUMNS, Own, Reader, Type};
use crate::accesslog::{Format, line};
use crate::expr::write_json_string;

/// More states than this before one value are too many to be tried with each value of a dictionary.
const STATES: usize = 32;

/// What a line consists of.
enum Piece {
    Fixed(String),
    /// The value of a column.
    Column(usize, Spelling),
    Time,
}

/// A compiled pattern over one layout.
#[derive(Debug)]
pub(super) struct Program {
    steps: Vec<Step>,
    /// For each state at the end whether the pattern was found; nothing where it takes the line.
    ends: Vec<Option<bool>>,
}

/// States are numbered from step to step, from 0.
#[derive(Debug)]
struct Step {
    read: Read,
    /// For each state before the step: what comes of it in any case.
    decided: Vec<Option<bool>>,
}

#[derive(Debug)]
enum Read {
    /// To another state, whatever the row has.
    Map(Vec<u8>),
    /// By the number of the value in a column's dictionary; of each state as many as the dictionary has values.
    Table { column: usize, width: usize, to: Vec<u8> },
    /// By the time as it is spelled; the states before it and behind.
    Time { from: Vec<State>, to: Vec<State> },
}

impl Program {
    /// Compiles a pattern for lines of a layout; nothing if only whole lines can tell.
    pub(super) fn compile(
        run: &Run<'_>,
        reader: &Reader,
        layout: &[usize],
        format: Format,
    ) -> Result<Option<Self>, ParquetError> {
        let Some(pieces) = pieces(reader, layout, format)? else { return Ok(None) };
        let mut states = vec![run.start()];
        let mut reads = Vec::new();
        for piece in &pieces {
            let Some((read, behind)) = step(run, reader, piece, &states)? else { return Ok(None) };
            match (reads.last_mut(), read) {
                (Some(Read::Map(before)), Read::Map(map)) => {
                    before.iter_mut().for_each(|state| *state = map[usize::from(*state)]);
                }
                (_, read) => reads.push(read),
            }
            states = behind;
            if states.contains(&UNKNOWN) {
                return Ok(None);
            }
        }
        let ends: Vec<Option<bool>> = states.iter().map(|state| run.finds(*state)).collect();
        Ok((!ends.contains(&None)).then(|| Self::trimmed(reads, ends)))
    }

    /// Finds what is decided before each step, and drops the steps at the end that decide nothing.
    fn trimmed(reads: Vec<Read>, ends: Vec<Option<bool>>) -> Self {
        let (mut steps, mut after) = (Vec::new(), ends.clone());
        for read in reads.into_iter().rev() {
            let decided = read.decided(&after);
            after.clone_from(&decided);
            steps.push(Step { read, decided });
        }
        steps.reverse();
        // From where on all states are decided nothing needs to be read.
        if let Some(end) = steps.iter().position(|step| step.decided.iter().all(Option::is_some)) {
            let ends = steps[end].decided.clone();
            steps.truncate(end);
            return Self { steps, ends };
        }
        Self { steps, ends }
    }

    /// What it says of all lines alike.
    pub(super) fn constant(&self) -> Option<bool> {
        if self.steps.is_empty() { self.ends.first().copied().flatten() } else { None }
    }

    /// Where it depends on one column alone: the column, and what each value of its dictionary comes to.
    pub(super) fn of_one_column(&self) -> Option<(usize, Vec<bool>)> {
        let mut reads = self.steps.iter().filter(|step| !matches!(step.read, Read::Map(_)));
        let (Some(Step { read: Read::Table { column, width, .. }, .. }), None) = (reads.next(), reads.next()) else {
            return None;
        };
        let mut answers = Vec::with_capacity(*width);
        for number in 0..*width {
            let mut state = 0_usize;
            for step in &self.steps {
                state = usize::from(match &step.read {
                    Read::Map(map) => map[state],
                    Read::Table { width, to, .. } => to[state * width + number],
                    Read::Time { .. } => return None,
                });
            }
            answers.push(self.ends[state] == Some(true));
        }
        Some((*column, answers))
    }

    /// Of each column whose values were counted, those that a line with the pattern may have; nothing for one that leaves
    /// more than half of the rows.
    pub(super) fn possible(&self, reader: &Reader) -> Vec<(usize, Vec<bool>)> {
        let mut all = Vec::new();
        for (place, step) in self.steps.iter().enumerate() {
            let after = self.steps.get(place + 1).map_or(&self.ends, |next| &next.decided);
            let Read::Table { column, width, to } = &step.read else { continue };
            let Some(counts) = reader.counts(*column).filter(|counts| counts.len() == *width) else { continue };
            let may_be = |value: usize| {
                let mut behind = to.iter().skip(value).step_by(*width);
                behind.any(|state| after[usize::from(*state)] != Some(false))
            };
            let possible: Vec<bool> = (0..*width).map(may_be).collect();
            let of_possible = counts.iter().zip(&possible).filter(|(_, may_be)| **may_be);
            let rows: u64 = of_possible.map(|(count, _)| u64::from(*count)).sum();
            if rows * 2 <= reader.rows() as u64 {
                all.push((*column, possible));
            }
        }
        all
    }

    /// Leaves those rows of a mask whose lines the pattern is found in, or, inverted, is not.
    pub(super) fn filter(
        &self,
        run: &Run<'_>,
        room: &mut Room,
        inverted: bool,
        mask: &mut Mask,
        reader: &Reader,
    ) -> Result<(), ParquetError> {
        let Room { states, block, text } = room;
        states.clear();
        states.resize(mask.rows().len(), 0);
        let mut ends = &self.ends;
        for step in &self.steps {
            let is_open = |place: usize| step.decided[usize::from(states[place])].is_none();
            if !matches!(step.read, Read::Map(_)) && !mask.places().any(is_open) {
                ends = &step.decided;
                break;
            }
            match &step.read {
                Read::Map(map) => each(mask, states, |_, state| map[usize::from(state)]),
                Read::Table { column, width, to } => {
                    reader.read(*column, mask.rows(), mask.few(), block)?;
                    let numbers = &block.numbers[..states.len()];
                    each(mask, states, |place, state| match numbers[place] {
                        NONE => state,
                        number => to.get(usize::from(state) * width + number as usize).copied().unwrap_or_default(),
                    });
                }
                Read::Time { from, to } => {
                    reader.read(Own::Time as usize, mask.rows(), None, block)?;
                    times(run, from, to, &block.ints, states, text);
                }
            }
        }
        mask.retain(|place| (ends[usize::from(states[place])] == Some(true)) != inverted);
        Ok(())
    }
}

/// Leads the states of wanted rows on; where many are wanted, those of all.
fn each(mask: &Mask, states: &mut [u8], lead: impl Fn(usize, u8) -> u8) {
    match mask.few() {
        Some(few) => {
            few.iter().for_each(|place| states[*place as usize] = lead(*place as usize, states[*place as usize]))
        }
        None => states.iter_mut().enumerate().for_each(|(place, state)| *state = lead(place, *state)),
    }
}

impl Read {
    /// What comes of each state before, given what comes of those behind.
    fn decided(&self, after: &[Option<bool>]) -> Vec<Option<bool>> {
        match self {
            Read::Map(map) => map.iter().map(|state| after[usize::from(*state)]).collect(),
            Read::Table { width, to, .. } => {
                to.chunks((*width).max(1)).map(|to| common(after, to.iter().copied())).collect()
            }
            Read::Time { from, to } => {
                // What a time leads to is not followed; but nothing leads away from a final state.
                let stays = |state: &State| to.iter().position(|other| other == state).and_then(|at| after[at]);
                from.iter()
                    .map(|state| if is_final(*state) { stays(state) } else { common(after, 0..to.len() as u8) })
                    .collect()
            }
        }
    }
}

/// What comes of all of some states alike.
fn common(after: &[Option<bool>], mut states: impl Iterator<Item = u8>) -> Option<bool> {
    let first = after[usize::from(states.next()?)]?;
    states.all(|state| after[usize::from(state)] == Some(first)).then_some(first)
}

/// Room for the states of a block of rows.
#[derive(Default)]
pub(super) struct Room {
    states: Vec<u8>,
    pub(super) block: Block,
    text: String,
}

/// What a piece leads to from each of some states, and the states behind it; nothing if those are too many.
fn step(
    run: &Run<'_>,
    reader: &Reader,
    piece: &Piece,
    states: &[State],
) -> Result<Option<(Read, Vec<State>)>, ParquetError> {
    let mut behind = Behind::default();
    let bytes: &[u8] = match piece {
        Piece::Fixed(text) => {
            let map = states.iter().map(|state| behind.number(run.run(*state, text.as_bytes()))).collect();
            return Ok(Some((Read::Map(map), behind.states)));
        }
        Piece::Time => b"0123456789-:.TZ+",
        Piece::Column(_, Spelling::Int) => b"0123456789-",
        Piece::Column(_, Spelling::Double) => b"0123456789-.einfaN",
        Piece::Column(..) => b"",
    };
    // Where all values of such bytes lead to the same state none needs to be looked at. None of them is empty.
    if !bytes.is_empty()
        && let Some(all) = states.iter().map(|state| run.only(*state, bytes)).collect::<Option<Vec<_>>>()
    {
        let map = all.into_iter().map(|state| behind.number(state)).collect();
        return Ok(Some((Read::Map(map), behind.states)));
    }
    match piece {
        Piece::Time => {
            Ok(run.closure(states, bytes, STATES).map(|to| (Read::Time { from: states.to_vec(), to: to.clone() }, to)))
        }
        Piece::Column(column, spelling) => table(run, reader, (*column, *spelling), states),
        Piece::Fixed(_) => Ok(None),
    }
}

/// The same for a column with a dictionary.
fn table(
    run: &Run<'_>,
    reader: &Reader,
    (column, spelling): (usize, Spelling),
    states: &[State],
) -> Result<Option<(Read, Vec<State>)>, ParquetError> {
    let mut behind = Behind::default();
    let cannot_be = || run.inside().is_some_and(|text| !reader.may_have(column, text));
    if states.iter().all(|state| is_final(*state)) || cannot_be() {
        let map = states.iter().map(|state| behind.number(*state)).collect();
        return Ok(Some((Read::Map(map), behind.states)));
    }
    let Some(width) = values(reader, (column, spelling))?.filter(|width| *width > 0) else { return Ok(None) };
    let mut to = Vec::with_capacity(width * states.len());
    for &state in states {
        to.extend(leads(run, reader, (column, spelling), state)?);
    }
    let mut numbers = Vec::with_capacity(to.len());
    // Values beside each other mostly lead to the same state.
    for same in to.chunk_by(|one, other| one == other) {
        numbers.resize(numbers.len() + same.len(), behind.number(same[0]));
        if behind.states.len() > STATES {
            return Ok(None);
        }
    }
    if numbers.chunks(width.max(1)).all(|of_one| of_one.windows(2).all(|two| two[0] == two[1])) {
        let map = numbers.iter().step_by(width.max(1)).copied().collect();
        return Ok(Some((Read::Map(map), behind.states)));
    }
    Ok(Some((Read::Table { column, width, to: numbers }, behind.states)))
}

/// The states behind a step, numbered.
#[derive(Default)]
struct Behind {
    states: Vec<State>,
}

impl Behind {
    fn number(&mut self, state: State) -> u8 {
        let found = self.states.iter().position(|known| *known == state);
        // Callers stop long before a byte is too small.
        found.unwrap_or_else(|| {
            self.states.push(state);
            self.states.len() - 1
        }) as u8
    }
}

/// What the times of some rows lead to. Times of one block mostly begin alike, and often that decides.
fn times(run: &Run<'_>, from: &[State], to: &[State], times: &[i64], states: &mut [u8], text: &mut String) {
    let number = |state: State| to.iter().position(|known| *known == state).unwrap_or_default() as u8;
    let (Some(least), Some(most)) = (times.iter().min(), times.iter().max()) else { return };
    let spelled = [*least, *most].map(|time| {
        let mut text = String::new();
        line::timestamp(&mut text, time);
        text
    });
    let alike = spelled[0].bytes().zip(spelled[1].bytes()).take_while(|(a, b)| a == b).count();
    let begun: Vec<State> = from.iter().map(|state| run.run(*state, &spelled[0].as_bytes()[..alike])).collect();
    let all: Option<Vec<u8>> = begun
        .iter()
        .map(|state| run.closure(&[*state], b"0123456789-:.TZ+", 1).map(|states| number(states[0])))
        .collect();
    if let Some(map) = all {
        states.iter_mut().for_each(|state| *state = map[usize::from(*state)]);
        return;
    }
    for (state, time) in states.iter_mut().zip(times) {
        text.clear();
        line::timestamp(text, *time);
        *state = number(run.run(begun[usize::from(*state)], &text.as_bytes()[alike.min(text.len())..]));
    }
}

/// The pieces of lines of a layout; nothing if their text is not made of them.
fn pieces(reader: &Reader, layout: &[usize], format: Format) -> Result<Option<Vec<Piece>>, ParquetError> {
    let fixed = |text: &str| Piece::Fixed(text.to_owned());
    let level = || Piece::Column(Own::Level as usize, Spelling::Verbatim);
    let instance = || Piece::Column(Own::Instance as usize, Spelling::Text);
    let mut pieces = match format {
        Format::Json => vec![
            fixed("{\"level\":\""),
            level(),
            fixed("\",\"time\":\""),
            Piece::Time,
            fixed("\",\"instance\":\""),
            instance(),
            fixed("\""),
        ],
        Format::Text => {
            let texts = reader.texts(Own::Instance)?;
            if !texts.escaped().is_empty() {
                return Ok(None);
            }
            vec![Piece::Time, fixed("\t"), level(), fixed("\t"), instance()]
        }
    };
    for (position, &variable) in layout.iter().enumerate() {
        let of = &reader.variables()[variable];
        let mut name = String::new();
        write_json_string(&of.name, &mut name);
        let before = match (format, position) {
            (Format::Json, _) => format!(",{name}:"),
            (Format::Text, 0) => format!("\t{{{name}: "),
            (Format::Text, _) => format!(", {name}: "),
        };
        let column = OWN_COLUMNS + variable;
        match of.kind {
            Type::Text => {
                pieces.extend([Piece::Fixed(before + "\""), Piece::Column(column, Spelling::Text), fixed("\"")])
            }
            // Printed with blanks between its parts.
            Type::Json if format == Format::Text => return Ok(None),
            Type::Json => pieces.extend([Piece::Fixed(before), Piece::Column(column, Spelling::Verbatim)]),
            Type::Int => pieces.extend([Piece::Fixed(before), Piece::Column(column, Spelling::Int)]),
            Type::Double => pieces.extend([Piece::Fixed(before), Piece::Column(column, Spelling::Double)]),
            Type::Bool => pieces.extend([Piece::Fixed(before), Piece::Column(column, Spelling::Bool)]),
        }
    }
    if format == Format::Json || !layout.is_empty() {
        pieces.push(fixed("}"));
    }
    Ok(Some(joined(pieces)))
}

/// Fixed texts that stand beside each other as one: what lies inside a fixed text is found there.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut all: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (all.last_mut(), piece) {
            (Some(Piece::Fixed(before)), Piece::Fixed(text)) => before.push_str(&text),
            (_, piece) => all.push(piece),
        }
    }
    all
}
