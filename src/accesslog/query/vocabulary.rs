//! Which fields entries have, and of which types: what expressions of queries may name.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::ControlFlow;

use smallvec::SmallVec;

use super::Query;
use super::condition::{Condition, Token, fields, token};
use super::plan::Asked;
use crate::accesslog::hot::pack::each_back;
use crate::accesslog::segment::{Reader, Segment, Type};
use crate::accesslog::{Error, LogStore};
use crate::diagnostic::{Problem, nearest};
use crate::expr::{ValueType, Vocabulary, reads};

/// The newest rows that are looked at.
const ROWS: usize = 1000;

/// The newest segments that are looked at before all are.
const SEGMENTS: usize = 4;

/// Fields that every entry has.
const OWN: [(&str, ValueType); 5] = [
    ("time", ValueType::Timestamp),
    ("level", ValueType::String),
    ("instance", ValueType::String),
    ("handler", ValueType::String),
    ("rule", ValueType::String),
];

/// A name, and the types of its values.
type Named = (Cow<'static, str>, SmallVec<[ValueType; 1]>);

/// Names that were found, in that order.
struct Names {
    all: Vec<Named>,
    known: HashMap<String, usize>,
}

/// Which types of a name come first in expressions: those whose values others can stand for.
const ORDER: [ValueType; 4] = [ValueType::Double, ValueType::Int64, ValueType::String, ValueType::Bool];

/// Choices of types that are tried of names with several.
const CHOICES: usize = 64;

impl Names {
    fn own() -> Self {
        let mut names = Self { all: Vec::new(), known: HashMap::new() };
        OWN.iter().for_each(|(name, of)| names.add(name, *of));
        names
    }

    /// Adds a name, or a type of it; what every entry has is known, whatever entries call so.
    fn add(&mut self, name: &str, of: ValueType) {
        let Some(&place) = self.known.get(name) else {
            self.known.insert(name.to_owned(), self.all.len());
            self.all.push((Cow::Owned(name.to_owned()), [of].into_iter().collect()));
            return;
        };
        let (_, types) = &mut self.all[place];
        if place >= OWN.len() && !types.contains(&of) {
            types.push(of);
            types.sort_by_key(|of| ORDER.iter().position(|other| other == of));
        }
    }

    /// Compiles the conditions of a query. Where names have values of several types the expression tells which are meant: the
    /// first choice of types with which it makes sense, so that it does not matter what came last or is sealed.
    fn compile<'q>(&self, query: &'q Query, text: &str) -> Result<Vec<Condition<'q>>, Problem> {
        let read = reads(text).attributes;
        let choices_of = |(name, types): &Named| if read.iter().any(|read| read == name) { types.len() } else { 1 };
        let choices = self.all.iter().map(choices_of).fold(1, usize::saturating_mul).min(CHOICES);
        let choose = |mut choice: usize| {
            let of_name = |named: &Named| {
                let (choices, (name, types)) = (choices_of(named), named);
                let of = types[choice % choices];
                choice /= choices;
                (name.clone(), of)
            };
            Condition::all(query, &self.all.iter().map(of_name).collect())
        };
        let first = choose(0);
        if first.is_ok() { first } else { (1..choices).find_map(|choice| choose(choice).ok()).map_or(first, Ok) }
    }
}

impl LogStore {
    /// Compiles the patterns and conditions of a query.
    pub(super) fn asked<'q>(&self, query: &'q Query) -> Result<Asked<'q>, Error> {
        let matchers = query.patterns.iter().map(|pattern| pattern.compile()).collect::<Result<_, _>>()?;
        let Some(text) = query.filter.as_deref() else {
            let conditions = Condition::all(query, Vocabulary::standard()).unwrap_or_default();
            return Ok(Asked { query, matchers, conditions });
        };
        let mut names = Names::own();
        self.add_rows(&mut names, ROWS)?;
        query.beside.iter().for_each(|(name, of)| names.add(name, *of));
        let mut segments = self.sql(|| Segment::all(&self.connection))?;
        segments.retain(|segment| segment.rows() > 0);
        let newest = segments.split_off(segments.len().saturating_sub(SEGMENTS));
        self.add_segments(&newest, &mut names);
        let mut compiled = names.compile(query, text);
        if compiled.is_err() {
            // An older entry may have had the name, or with another type.
            self.add_rows(&mut names, usize::MAX)?;
            self.add_segments(&segments, &mut names);
            compiled = names.compile(query, text);
        }
        let conditions = compiled.map_err(|mut problem| {
            let known: Vec<&str> = names.all.iter().map(|(name, _)| name.as_ref()).collect();
            // Who missed a name by a letter is told which; who knows none, all.
            let is_far =
                |name: &String| !known.contains(&name.as_str()) && nearest(name, known.iter().copied()).is_none();
            if reads(text).attributes.iter().any(is_far) {
                let known = format!("entries have {}", known.join(", "));
                problem.help = Some(problem.help.map_or_else(|| known.clone(), |help| format!("{help}; {known}")));
            }
            Error::Filter { text: text.to_owned(), problem: Box::new(problem) }
        })?;
        Ok(Asked { query, matchers, conditions })
    }

    /// The fields that entries have, as far as the newest rows and segments tell, with their types.
    ///
    /// # Errors
    /// The store's variants of [`Error`].
    pub fn names(&self) -> Result<Vec<(String, ValueType)>, Error> {
        let names = self.names_of(ROWS, SEGMENTS)?;
        Ok(names.all.into_iter().map(|(name, types)| (name.into_owned(), types[0])).collect())
    }

    /// The same of all entries or of the newest; a name with values of several types is there with each.
    pub(in crate::accesslog) fn names_and_types(&self, all: bool) -> Result<Vec<(String, ValueType)>, Error> {
        let names = if all { self.names_of(usize::MAX, usize::MAX) } else { self.names_of(ROWS, SEGMENTS) };
        let each = |(name, types): Named| types.into_iter().map(move |of| (name.clone().into_owned(), of));
        Ok(names?.all.into_iter().flat_map(each).collect())
    }

    /// What so many of the newest rows and segments have.
    fn names_of(&self, rows: usize, newest: usize) -> Result<Names, Error> {
        let mut names = Names::own();
        self.add_rows(&mut names, rows)?;
        let segments = self.sql(|| Segment::all(&self.connection))?;
        self.add_segments(&segments[segments.len().saturating_sub(newest)..], &mut names);
        Ok(names)
    }

    /// Whether a query's patterns and conditions can be compiled.
    pub(in crate::accesslog) fn understands(&self, query: &Query) -> bool {
        self.asked(query).is_ok()
    }

    /// Takes those of some names away that entries have as fields, all if there are no entries. Old entries are looked at only
    /// while new ones leave a name open.
    pub(in crate::accesslog) fn find_names(&self, missed: &mut Vec<&str>) -> Result<(), Error> {
        if missed.is_empty() {
            return Ok(());
        }
        let mut names = Names::own();
        self.add_rows(&mut names, ROWS)?;
        let segments = self.sql(|| Segment::all(&self.connection))?;
        if names.all.len() == OWN.len() && segments.is_empty() {
            missed.clear();
        }
        missed.retain(|name| !names.known.contains_key(*name));
        for segment in segments.iter().rev() {
            if missed.is_empty() {
                break;
            }
            self.add_segments(std::slice::from_ref(segment), &mut names);
            missed.retain(|name| !names.known.contains_key(*name));
        }
        Ok(())
    }

    /// The times of the earliest and the latest entry in a query's window, or of what lies beside them.
    ///
    /// # Errors
    /// The store's variants of [`Error`].
    pub fn ends(&self, query: &Query) -> Result<Option<(i64, i64)>, Error> {
        let segments = self.sql(|| Segment::all(&self.connection))?;
        let mut spans: Vec<(i64, i64)> =
            segments.iter().filter(|one| one.rows() > 0).map(|one| (one.min_time, one.max_time)).collect();
        self.sql(|| {
            let mut statement = self.connection.prepare_cached("SELECT min_time, max_time FROM pack")?;
            let packs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            spans.extend(packs.collect::<rusqlite::Result<Vec<_>>>()?);
            Ok(())
        })?;
        let first = spans.iter().map(|(first, _)| *first).min().map(|first| first.max(query.since.unwrap_or(first)));
        let last = spans.iter().map(|(_, last)| *last).max().map(|last| last.min(query.until.unwrap_or(last)));
        Ok(first.zip(last))
    }

    /// Adds what so many of the newest rows have.
    fn add_rows(&self, names: &mut Names, rows: usize) -> Result<(), Error> {
        self.sql(|| {
            let mut left = rows;
            each_back(&self.connection, (0, i64::MAX), |stored| {
                fields(&String::from_utf8_lossy(stored.line), |name, value| {
                    let of = match token(value) {
                        Some(Token::Int(_)) => ValueType::Int64,
                        Some(Token::Double(_)) => ValueType::Double,
                        Some(Token::Bool(_)) => ValueType::Bool,
                        Some(Token::Text(_)) => ValueType::String,
                        None => return,
                    };
                    names.add(name, of);
                });
                left -= 1;
                if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
        })
    }

    /// Adds the variables of segments, the newest first. What cannot be read is told when it is asked.
    fn add_segments(&self, segments: &[Segment], names: &mut Names) {
        for segment in segments.iter().rev() {
            let Ok(reader) = Reader::open(&segment.path(&self.segments)) else { continue };
            for variable in reader.variables() {
                let of = match variable.kind {
                    Type::Text | Type::Json => ValueType::String,
                    Type::Int => ValueType::Int64,
                    Type::Double => ValueType::Double,
                    Type::Bool => ValueType::Bool,
                };
                names.add(&variable.name, of);
            }
        }
    }
}
