//! Pruning: old entries go, and the chain stays whole.
//!
//! A segment whose entries are all too old loses its file, and stays listed with its hash, so that those behind it still
//! follow something. One that has entries of a level which is kept longer gets a smaller file with those alone. What is left
//! is signed; of segments at the beginning that are pruned whole only the last stays listed.

use rusqlite::params;

use super::columns::{Columns, Source};
use super::list::{Left, Segment};
use super::place::Place;
use super::seal::{File, Sealer};
use super::{Names, Reader};
use crate::accesslog::{Error, Level, Stream};
use crate::state::begin_immediate;

/// How long entries are kept, and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// The age at which entries go; without it they stay.
    pub age: Option<std::time::Duration>,
    /// The same for entries of some levels, in place of that.
    pub levels: Vec<(Level, std::time::Duration)>,
    /// Bytes of all segments, of lines and as many of accesses, at which the oldest go, whatever their age.
    pub bytes: Option<u64>,
}

impl Retention {
    /// Whether anything ever goes.
    pub fn is_forever(&self) -> bool {
        *self == Self::default()
    }

    /// The time before which entries of a level go.
    fn before(&self, level: Level, now: i64) -> i64 {
        let own = self.levels.iter().rev().find(|(of, _)| *of == level).map(|(_, age)| *age);
        own.or(self.age).map_or(i64::MIN, |age| now.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// What goes from one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prune {
    /// Its file below the state directory.
    pub segment: String,
    /// Entries that go.
    pub entries: i64,
    /// Entries that stay.
    pub stay: i64,
    /// Bytes that the file had.
    pub bytes: i64,
    id: i64,
    levels: [bool; 3],
}

impl Sealer {
    /// What of the sealed log would go.
    ///
    /// # Errors
    /// The store's variants of [`Error`].
    pub fn prunable(&self, retention: &Retention, now: i64) -> Result<Vec<Prune>, Error> {
        let list = self.store.sql(|| Segment::all(&self.store.connection))?;
        Ok(plan(&list, self.stream, retention, now))
    }

    /// Lets it go; nothing, if somebody else is sealing or pruning.
    ///
    /// # Errors
    /// The store's variants of [`Error`], and those of files. What went before an error is gone, and the log whole.
    pub fn prune(&mut self, retention: &Retention, now: i64) -> Result<Option<Vec<Prune>>, Error> {
        let Some(_lock) = self.lock()? else { return Ok(None) };
        self.remove_leftovers()?;
        let list = self.store.sql(|| Segment::all(&self.store.connection))?;
        let plan = plan(&list, self.stream, retention, now);
        for prune in &plan {
            if let Some(segment) = list.iter().find(|segment| segment.id == prune.id) {
                self.take_out(segment, prune.levels, now)?;
            }
        }
        self.forget_prefix(now)?;
        Ok(Some(plan))
    }

    /// Leaves only entries of some levels in a segment.
    fn take_out(&self, segment: &Segment, levels: [bool; 3], now: i64) -> Result<(), Error> {
        let old = segment.path(&self.segments);
        let mut left = segment.left(now);
        left.levels = [0, 1, 2].map(|level| if levels[level] { segment.levels[level] } else { 0 });
        if left.rows() == 0 {
            (left.bytes, left.digest) = (0, [0; 32]);
        } else {
            let (columns, shapes) = select(segment, &old, levels)?;
            let ends = |values: &[i64]| (values.iter().min().copied(), values.iter().max().copied());
            let (min_time, max_time) = ends(&columns.time);
            (left.min_time, left.max_time) = (min_time.unwrap_or_default(), max_time.unwrap_or_default());
            left.name = segment.next_name();
            let place = Place::of(&Segment {
                levels: left.levels,
                min_time: left.min_time,
                max_time: left.max_time,
                ..segment.clone()
            });
            let file = File { name: &left.name, columns: &columns, shapes: &shapes, place };
            (left.bytes, left.digest) = self.put(&file)?;
        }
        self.leave(segment, left)?;
        std::fs::remove_file(&old).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(Error::file(&old, error)),
        })
    }

    /// Signs and lists what is left of a segment.
    fn leave(&self, segment: &Segment, left: Left) -> Result<(), Error> {
        let signature = self.key.sign(&left.text(segment));
        let transaction = begin_immediate(&self.store.connection, self.store.path())?;
        self.store.sql(|| {
            left.insert(&transaction, segment.id, &signature)?;
            if left.prefix {
                transaction.execute("DELETE FROM segment WHERE id < ?1", [segment.id])?;
                transaction.execute("DELETE FROM pruned WHERE id < ?1", params![segment.id])?;
            }
            transaction.commit()
        })
    }

    /// Of segments at the beginning that are pruned whole, lists only the last.
    fn forget_prefix(&self, now: i64) -> Result<(), Error> {
        let list = self.store.sql(|| Segment::all(&self.store.connection))?;
        let gone = list.iter().take_while(|segment| segment.rows() == 0).last();
        match gone {
            Some(last) if last.left.as_ref().is_some_and(|left| !left.prefix) => {
                let left = Left { prefix: true, ..last.left(now) };
                self.leave(last, left)
            }
            _ => Ok(()),
        }
    }
}

fn plan(list: &[Segment], stream: Stream, retention: &Retention, now: i64) -> Vec<Prune> {
    let stays = |segment: &Segment| {
        Level::ALL.map(|level| segment.levels[level as usize] > 0 && segment.max_time >= retention.before(level, now))
    };
    let mut kept: Vec<(&Segment, [bool; 3])> = list.iter().map(|segment| (segment, stays(segment))).collect();
    if let Some(most) = retention.bytes {
        let stay = |levels: &[bool; 3]| levels.contains(&true);
        let mut bytes: i64 = kept.iter().filter(|(_, levels)| stay(levels)).map(|(segment, _)| segment.bytes).sum();
        for (segment, levels) in kept.iter_mut().filter(|(_, levels)| stay(levels)) {
            if u64::try_from(bytes).unwrap_or_default() <= most {
                break;
            }
            bytes -= segment.bytes;
            *levels = [false; 3];
        }
    }
    let prune = |(segment, levels): (&Segment, [bool; 3])| {
        let stay: i64 = segment.levels.iter().zip(levels).filter(|(_, stays)| *stays).map(|(count, _)| count).sum();
        let (entries, bytes) = (segment.rows() - stay, segment.bytes);
        let shown = || format!("{}/segments/{}", stream.folder(), segment.name);
        (entries > 0).then(|| Prune { segment: shown(), entries, stay, bytes, id: segment.id, levels })
    };
    kept.into_iter().filter_map(prune).collect()
}

/// The entries of some levels, taken apart anew.
fn select(segment: &Segment, path: &std::path::Path, levels: [bool; 3]) -> Result<(Columns, Vec<Names>), Error> {
    let unreadable =
        |error: parquet::errors::ParquetError| Error::Segment { path: path.to_owned(), detail: error.to_string() };
    let reader = Reader::open(path).map_err(unreadable)?;
    let mut lines = reader.lines().map_err(unreadable)?;
    let (mut columns, mut shapes, mut text) = (Columns::default(), Vec::<Names>::new(), String::new());
    for row in 0..reader.rows() {
        lines.load(row).map_err(unreadable)?;
        let level = lines.level(row);
        if !levels[level as usize] {
            continue;
        }
        let names = Names {
            instance: lines.instance(row).to_owned(),
            handler: lines.handler(row).to_owned(),
            rule: lines.rule(row).to_owned(),
            format: lines.format(row),
        };
        let shape = shapes.iter().position(|known| *known == names).unwrap_or_else(|| {
            shapes.push(names);
            shapes.len() - 1
        });
        text.clear();
        lines.write(row, &mut text);
        let instance = shapes[shape].instance.as_str();
        let (seq, time) = (lines.seq(row), lines.time(row));
        columns.add(&Source { seq, time, level, shape: shape as u32, instance, line: &text });
    }
    if columns.rows() == 0 {
        return Err(Error::Segment {
            path: segment.name.clone().into(),
            detail: "its levels are not those listed".into(),
        });
    }
    Ok((columns, shapes))
}
