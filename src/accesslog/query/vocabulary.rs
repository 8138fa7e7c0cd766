//! Which fields entries have, and of which types: what expressions of queries may name.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::ControlFlow;

use super::Query;
use super::condition::{Condition, Token, fields, token};
use super::plan::Asked;
use crate::accesslog::hot::pack::each_back;
use crate::accesslog::segment::{Reader, Segment, Type};
use crate::accesslog::{Error, LogStore};
use crate::expr::{ValueType, Vocabulary};

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

/// Names that were found, in that order.
struct Names {
    all: Vec<(Cow<'static, str>, ValueType)>,
    known: HashSet<String>,
}

impl Names {
    fn own() -> Self {
        Self {
            all: OWN.iter().map(|(name, of)| (Cow::Borrowed(*name), *of)).collect(),
            known: OWN.iter().map(|(name, _)| (*name).to_owned()).collect(),
        }
    }

    /// Adds a name, unless it is known: of several types the newest entry's counts.
    fn add(&mut self, name: &str, of: ValueType) {
        if !self.known.contains(name) {
            self.known.insert(name.to_owned());
            self.all.push((Cow::Owned(name.to_owned()), of));
        }
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
        self.add_rows(&mut names)?;
        let mut segments = self.sql(|| Segment::all(&self.connection))?;
        segments.retain(|segment| segment.rows() > 0);
        let older = segments.split_off(segments.len().min(segments.len().saturating_sub(SEGMENTS)));
        let (newest, older) = (older, segments);
        self.add_segments(&newest, &mut names);
        let compiled = Condition::all(query, &names.all.iter().cloned().collect());
        let compiled = compiled.or_else(|problem| {
            if older.is_empty() {
                return Err(problem);
            }
            // An older entry may have had the name.
            self.add_segments(&older, &mut names);
            Condition::all(query, &names.all.iter().cloned().collect())
        });
        let conditions = compiled.map_err(|mut problem| {
            let known: Vec<&str> = names.all.iter().map(|(name, _)| name.as_ref()).collect();
            let known = format!("entries have {}", known.join(", "));
            problem.help = Some(problem.help.take().map_or_else(|| known.clone(), |help| format!("{help}; {known}")));
            Error::Filter { text: text.to_owned(), problem: Box::new(problem) }
        })?;
        Ok(Asked { query, matchers, conditions })
    }

    /// The fields that entries have, as far as the newest rows and segments tell, with their types.
    ///
    /// # Errors
    /// The store's variants of [`Error`].
    pub fn names(&self) -> Result<Vec<(String, ValueType)>, Error> {
        let mut names = Names::own();
        self.add_rows(&mut names)?;
        let segments = self.sql(|| Segment::all(&self.connection))?;
        self.add_segments(&segments[segments.len().saturating_sub(SEGMENTS)..], &mut names);
        Ok(names.all.into_iter().map(|(name, of)| (name.into_owned(), of)).collect())
    }

    /// Takes those of some names away that entries have as fields, all if there are no entries. Old entries are looked at only
    /// while new ones leave a name open.
    pub(in crate::accesslog) fn find_names(&self, missed: &mut Vec<&str>) -> Result<(), Error> {
        if missed.is_empty() {
            return Ok(());
        }
        let mut names = Names::own();
        self.add_rows(&mut names)?;
        let segments = self.sql(|| Segment::all(&self.connection))?;
        if names.all.len() == OWN.len() && segments.is_empty() {
            missed.clear();
        }
        missed.retain(|name| !names.known.contains(*name));
        for segment in segments.iter().rev() {
            if missed.is_empty() {
                break;
            }
            self.add_segments(std::slice::from_ref(segment), &mut names);
            missed.retain(|name| !names.known.contains(*name));
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

    fn add_rows(&self, names: &mut Names) -> Result<(), Error> {
        self.sql(|| {
            let mut left = ROWS;
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
