//! Where the values of a column lead a pattern from a state: found for all values of its dictionary, and without reading those
//! parts of it whose texts all lead to the same state.

use parquet::errors::ParquetError;

use super::automaton::{Run, State};
use crate::accesslog::segment::{Dictionary, Fences, Reader, push_int};

/// How a line spells a column's value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// A text with escapes.
    Text,
    /// As it is in the column.
    Verbatim,
    Int,
    Double,
    Bool,
}

/// How many values a column has; nothing if that is not known, as it has no dictionary.
pub(super) fn values(reader: &Reader, (column, spelling): (usize, Spelling)) -> Result<Option<usize>, ParquetError> {
    if spelling == Spelling::Bool { Ok(Some(2)) } else { Ok(reader.column(column)?.values()) }
}

/// The state to which each value of a column leads from a state.
pub(super) fn leads(
    run: &Run<'_>,
    reader: &Reader,
    (column, spelling): (usize, Spelling),
    from: State,
) -> Result<Vec<State>, ParquetError> {
    if spelling == Spelling::Bool {
        return Ok(["false", "true"].map(|text| run.run(from, text.as_bytes())).to_vec());
    }
    if let Some(fences) = reader.fences(column)? {
        return by_parts(run, reader, (column, spelling), fences, from);
    }
    Ok(reader.dictionary(column)?.map(|values| of_values(run, values, spelling, from)).unwrap_or_default())
}

fn by_parts(
    run: &Run<'_>,
    reader: &Reader,
    (column, spelling): (usize, Spelling),
    fences: &Fences,
    from: State,
) -> Result<Vec<State>, ParquetError> {
    let count = reader.column(column)?.values().unwrap_or_default();
    let mut states = Vec::with_capacity(count);
    // States from which no text of the column leads away.
    let mut kept: Vec<(State, bool)> = Vec::new();
    let mut keeps = |state: State| {
        let known = kept.iter().find(|(of, _)| *of == state).map(|(_, keeps)| *keeps);
        known.unwrap_or_else(|| {
            let keeps = run.keeps(state, fences);
            kept.push((state, keeps));
            keeps
        })
    };
    for (part, values) in fences.parts_of(count).enumerate() {
        if let Some(state) = run.behind(from, fences.part(part), fences).filter(|state| keeps(*state)) {
            states.resize(states.len() + values, state);
        } else if let Some(values) = reader.part(column, part)? {
            states.extend(of_values(run, values, spelling, from));
        }
    }
    Ok(states)
}

fn of_values(run: &Run<'_>, values: &Dictionary, spelling: Spelling, from: State) -> Vec<State> {
    match values {
        Dictionary::Texts(texts) => run.run_texts(from, texts, spelling == Spelling::Verbatim),
        Dictionary::Ints(ints) => {
            let mut spelled = String::new();
            let lead = |int: &i64| {
                spelled.clear();
                push_int(*int, &mut spelled);
                run.run(from, spelled.as_bytes())
            };
            ints.iter().map(lead).collect()
        }
    }
}
