//! Template and document to text.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::{Comparison, Error, Filter, Node, Operand, Path, Step};
use crate::cli::output::go;

/// Most values a path may find: `..` repeated multiplies them, and memory should not be what ends the program.
const MAX_VALUES: usize = 1 << 20;
/// Most bytes that are printed, for the same reason with nested ranges.
const MAX_BYTES: usize = 1 << 28;

/// Appends what the nodes print for `current`.
pub(super) fn print(nodes: &[Node], current: &Json, out: &mut String) -> Result<(), Error> {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Path(path) => {
                let found: Vec<String> = walk(path, vec![current])?.into_iter().map(printed).collect();
                out.push_str(&found.join(" "));
            }
            Node::Range(path, body) => {
                for value in walk(path, vec![current])? {
                    print(body, value, out)?;
                }
            }
        }
        if out.len() > MAX_BYTES {
            return Err(Error(format!("prints more than {MAX_BYTES} bytes")));
        }
    }
    Ok(())
}

/// A value as it is printed: text without quotes, maps and lists as compact JSON.
fn printed(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        value => go::json(value),
    }
}

/// Where the steps of `path` lead from all the values of `from`.
pub(super) fn walk<'a>(path: &'a Path, from: Vec<&'a Json>) -> Result<Vec<&'a Json>, Error> {
    path.iter().try_fold(from, |values, step| {
        let found = take(step, values)?;
        if found.len() > MAX_VALUES { Err(too_many()) } else { Ok(found) }
    })
}

fn too_many() -> Error {
    Error(format!("finds more than {MAX_VALUES} values"))
}

fn take<'a>(step: &'a Step, values: Vec<&'a Json>) -> Result<Vec<&'a Json>, Error> {
    let mut found = Vec::new();
    for value in values {
        match step {
            Step::Field(name) => found.extend(value.get(name)),
            Step::Wildcard => found.extend(children(value)),
            Step::Recursive => descend(value, &mut found)?,
            Step::Index(index) => found.push(at(list(value)?, *index)?),
            Step::Slice { start, end, step } => found.extend(slice(list(value)?, *start, *end, *step)?),
            Step::Union(paths) => {
                for path in paths {
                    found.extend(walk(path, vec![value])?);
                }
            }
            Step::Filter(filter) => filtered(filter, value, &mut found)?,
        }
    }
    Ok(found)
}

fn children(value: &Json) -> Vec<&Json> {
    match value {
        Json::Array(items) => items.iter().collect(),
        Json::Object(map) => map.values().collect(),
        _ => Vec::new(),
    }
}

/// The value and all maps and lists below it that have content; a document's depth was bounded when it was read.
fn descend<'a>(value: &'a Json, found: &mut Vec<&'a Json>) -> Result<(), Error> {
    let below = children(value);
    if below.is_empty() {
        return Ok(());
    }
    if found.len() > MAX_VALUES {
        return Err(too_many());
    }
    found.push(value);
    below.into_iter().try_for_each(|child| descend(child, found))
}

fn list(value: &Json) -> Result<&[Json], Error> {
    let kind = match value {
        Json::Array(items) => return Ok(items),
        Json::Object(_) => "map[string]interface {}",
        Json::String(_) => "string",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float64",
        Json::Number(_) => "int64",
        Json::Null => "<nil>",
    };
    Err(Error(format!("{kind} is not array or slice")))
}

fn at(items: &[Json], index: i64) -> Result<&Json, Error> {
    let position = from_end(index, items.len());
    usize::try_from(position)
        .ok()
        .and_then(|position| items.get(position))
        .ok_or_else(|| outside(position, items.len()))
}

/// A negative position counts from the end.
fn from_end(position: i64, length: usize) -> i64 {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    if position < 0 { position.saturating_add(length) } else { position }
}

fn outside(index: i64, length: usize) -> Error {
    Error(format!("array index out of bounds: index {index}, length {length}"))
}

fn slice(items: &[Json], start: Option<i64>, end: Option<i64>, step: Option<i64>) -> Result<Vec<&Json>, Error> {
    let length = items.len();
    let first = from_end(start.unwrap_or(0), length);
    let end = end.map_or(i64::try_from(length).unwrap_or(i64::MAX), |end| from_end(end, length));
    if first == end {
        return Ok(Vec::new());
    }
    let position = |at: i64, most: usize| usize::try_from(at).ok().filter(|&at| at <= most);
    let from =
        position(first, length.saturating_sub(1)).filter(|_| length > 0).ok_or_else(|| outside(first, length))?;
    let to = position(end, length).ok_or_else(|| outside(end.saturating_sub(1), length))?;
    if from > to {
        return Err(Error(format!("starting index {from} is greater than ending index {to}")));
    }
    match step.map(usize::try_from) {
        None => Ok(items[from..to].iter().collect()),
        Some(Ok(step)) if step > 0 => Ok(items[from..to].iter().step_by(step).collect()),
        Some(_) => Err(Error("step must be > 0".into())),
    }
}

fn filtered<'a>(filter: &'a Filter, value: &'a Json, found: &mut Vec<&'a Json>) -> Result<(), Error> {
    let items = list(value).map_err(|Error(why)| Error(format!("{why} and cannot be filtered")))?;
    for item in items {
        if passes(filter, item)? {
            found.push(item);
        }
    }
    Ok(())
}

fn passes<'a>(filter: &'a Filter, item: &'a Json) -> Result<bool, Error> {
    match filter {
        Filter::Exists(operand) => Ok(!operands(operand, item)?.is_empty()),
        Filter::Compare(left, comparison, right) => match (&*operands(left, item)?, &*operands(right, item)?) {
            ([left], [right]) => Ok(compare(left, *comparison, right)),
            ([], _) | (_, []) => Ok(false),
            _ => Err(Error("can only compare one element at a time".into())),
        },
    }
}

fn operands<'a>(operand: &'a Operand, item: &'a Json) -> Result<Vec<&'a Json>, Error> {
    match operand {
        Operand::Path(path) => walk(path, vec![item]),
        Operand::Literal(value) => Ok(vec![value]),
    }
}

fn compare(left: &Json, comparison: Comparison, right: &Json) -> bool {
    comparison.holds(order(left, right))
}

/// How two values of the same type stand to each other; `None` where they cannot be compared.
fn order(left: &Json, right: &Json) -> Option<Ordering> {
    match (left, right) {
        (Json::String(left), Json::String(right)) => Some(left.cmp(right)),
        (Json::Bool(left), Json::Bool(right)) => Some(left.cmp(right)),
        (Json::Number(left), Json::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64().partial_cmp(&right.as_f64()),
        },
        (left, right) => (left == right).then_some(Ordering::Equal),
    }
}
