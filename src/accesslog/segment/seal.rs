//! Sealing: the oldest rows of the hot store become a segment.
//!
//! The file is written and synced first; then one transaction lists it and removes the rows. So each entry is in exactly
//! one place after a crash at any point; a file that was written and not listed holds what the rows still hold, and goes
//! when somebody seals again.

use std::fs::{self, DirBuilder, OpenOptions, TryLockError};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::file::metadata::KeyValue;
use rusqlite::Connection;

use super::columns::Columns;
use super::gather::{self, Gathered, Oldest, oldest};
use super::list::Segment;
use super::place::{self, Place};
use super::{Names, write};
use crate::accesslog::chain::{self, Hash, ORIGIN, hex};
use crate::accesslog::head::SigningKey;
use crate::accesslog::hot;
use crate::accesslog::hot::packing;
use crate::accesslog::{Error, LogStore, Progress, Stream, line};
use crate::state::{StateDir, begin_immediate};

/// When rows are sealed, and how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows at which they are sealed, and the most that a segment gets, unless more were committed together.
    pub rows: usize,
    /// Bytes of lines, likewise.
    pub bytes: usize,
    /// Age of the oldest row at which all are sealed.
    pub age: std::time::Duration,
}

impl Limits {
    /// Most rows that a segment may have: what asking it takes of memory grows with them.
    pub const MOST_ROWS: usize = 1 << 22;
}

impl Default for Limits {
    /// 524,288 rows, 256 MiB, six hours. Larger segments are smaller on disk (a text is stored once in each) and quicker to
    /// ask; what is not sealed yet takes several times the room, and sealing takes a fifth of a segment's lines in memory.
    fn default() -> Self {
        Self { rows: 1 << 19, bytes: 256 << 20, age: std::time::Duration::from_secs(6 * 3600) }
    }
}

/// Seals rows of one log. Several may try; one at a time does.
pub struct Sealer {
    pub(super) store: LogStore,
    pub(super) segments: PathBuf,
    pub(super) key: SigningKey,
    pub(super) stream: Stream,
    limits: Limits,
}

/// What sealing did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Segments that were written.
    pub segments: usize,
    /// Their entries.
    pub entries: i64,
    /// Bytes of their files.
    pub bytes: i64,
    /// Somebody else was sealing, so nothing was done.
    pub busy: bool,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("segments", &self.segments).field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Sealer {
    /// Opens a log of a state directory for sealing. Makes the key that signs where there is none.
    ///
    /// # Errors
    /// The store's variants of [`Error`], and [`Error::Key`] or [`Error::File`] if there can be no key.
    pub fn open(state: &StateDir, stream: Stream, limits: Limits) -> Result<Self, Error> {
        let (store, segments) = (LogStore::open(stream.hot_db(state))?, stream.segments(state));
        Ok(Self { store, segments, key: SigningKey::open(&state.log_key())?, stream, limits })
    }

    /// Seals all rows as they are now.
    ///
    /// # Errors
    /// The store's variants of [`Error`], and [`Error::File`] if a file cannot be written; then what was not sealed is as
    /// it was.
    pub fn seal_all(&self, now: i64) -> Result<Sealed, Error> {
        let upto = self.store.newest()?;
        self.seal(now, |oldest| oldest.seq <= upto)
    }

    /// Seals rows where enough have gathered, or where the oldest is old enough.
    ///
    /// # Errors
    /// As [`seal_all`](Self::seal_all).
    pub fn seal_due(&self, now: i64) -> Result<Sealed, Error> {
        let limits = self.limits;
        let age = i64::try_from(limits.age.as_micros()).unwrap_or(i64::MAX);
        self.seal(now, |oldest| {
            oldest.rows >= limits.rows as i64
                || oldest.bytes >= limits.bytes as i64
                || now.saturating_sub(oldest.time) >= age
        })
    }

    fn seal(&self, now: i64, is_due: impl Fn(&Oldest) -> bool) -> Result<Sealed, Error> {
        let mut sealed = Sealed::default();
        let Some(oldest) = self.oldest()?.filter(&is_due) else { return Ok(sealed) };
        let Some(_lock) = self.lock()? else { return Ok(Sealed { busy: true, ..sealed }) };
        self.remove_leftovers()?;
        self.progress().expect(u64::try_from(oldest.rows).unwrap_or_default());
        while self.oldest()?.as_ref().is_some_and(&is_due) {
            let Some(gathered) = self.gather()? else { break };
            let segment = self.write(&gathered, now)?;
            self.list(&segment)?;
            sealed.segments += 1;
            sealed.entries += segment.rows();
            sealed.bytes += segment.bytes;
            self.progress().advance(u64::try_from(segment.rows()).unwrap_or_default());
        }
        Ok(sealed)
    }

    /// How far sealing has come, in entries.
    pub fn progress(&self) -> &Arc<Progress> {
        self.store.progress()
    }

    pub(super) fn lock(&self) -> Result<Option<fs::File>, Error> {
        let file = lock_file(&self.segments)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::file(&self.segments, source)),
        }
    }

    /// The oldest row, and what there is in all.
    fn oldest(&self) -> Result<Option<Oldest>, Error> {
        self.store.sql(|| oldest(&self.store.connection))
    }

    /// Removes files that hold what is in rows or in another file: somebody was killed before it could be listed, or after
    /// another one had been listed in its place.
    pub(super) fn remove_leftovers(&self) -> Result<(), Error> {
        for (path, first) in files(&self.segments) {
            if is_left_over(&self.store, &self.segments, &path, first)? {
                fs::remove_file(&path).map_err(|source| Error::file(&path, source))?;
            }
        }
        Ok(())
    }

    /// Takes the oldest rows apart: as many as a segment gets, all of one day but for late ones.
    pub(super) fn gather(&self) -> Result<Option<Gathered>, Error> {
        let transaction = self.store.sql(|| self.store.connection.unchecked_transaction())?;
        self.store.sql(|| gather::gather(&transaction, &self.limits))
    }

    /// Writes the file of the next segment, which is to be [listed](Self::list) then.
    pub(super) fn write(&self, gathered: &Gathered, now: i64) -> Result<Segment, Error> {
        let newest = self.store.sql(|| Segment::newest(&self.store.connection))?;
        let (id, previous) = newest.map_or((1, ORIGIN), |newest| (newest.id + 1, newest.hash));
        let mut segment = gathered.segment(id, previous, now);
        let place = Place::of(&segment);
        let file = File { name: &segment.name, columns: &gathered.columns, shapes: &gathered.shapes, place };
        (segment.bytes, segment.digest) = self.put(&file)?;
        segment.sealed_digest = segment.digest;
        segment.hash = chain::segment(&segment.previous, &segment.digest);
        segment.signature = self.key.sign(&segment.head().text());
        Ok(segment)
    }

    /// Writes and syncs a file and the folder that it is in; its length and hash.
    pub(super) fn put(&self, file: &File<'_>) -> Result<(i64, Hash), Error> {
        let path = self.segments.join(file.name);
        let unwritable = |source| Error::file(&path, source);
        let folder = path.parent().unwrap_or(&self.segments);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unwritable)?;
        let beside = path.with_extension("tmp");
        let written = file.write(&beside)?;
        fs::rename(&beside, &path).map_err(unwritable)?;
        for folder in [folder, &self.segments] {
            fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
        }
        Ok(written)
    }

    /// Lists a segment and removes the rows that it holds.
    fn list(&self, segment: &Segment) -> Result<(), Error> {
        let transaction = begin_immediate(&self.store.connection, self.store.path())?;
        self.store.sql(|| {
            segment.insert(&transaction)?;
            remove_rows(&transaction, segment)?;
            transaction.commit()
        })
    }
}

/// The file that whoever writes segments locks.
pub(in crate::accesslog) fn lock_file(segments: &Path) -> Result<fs::File, Error> {
    let path = segments.join(".lock");
    let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).to_owned();
    options.open(&path).map_err(|source| Error::file(&path, source))
}

impl Gathered {
    /// The segment's record, but for what only the finished file tells.
    fn segment(&self, id: i64, previous: Hash, now: i64) -> Segment {
        let columns = &self.columns;
        let ends = |values: &[i64]| (values.iter().min().copied(), values.iter().max().copied());
        let (min_time, max_time) = ends(&columns.time);
        let (first, last) = ends(&columns.seq);
        let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
        let mut day = String::new();
        line::timestamp(&mut day, columns.time.first().copied().unwrap_or_default());
        let day = day.split('T').next().unwrap_or_default();
        Segment {
            id,
            name: format!("{day}/{first:012}-{last:012}.parquet"),
            first,
            last,
            min_time: min_time.unwrap_or_default(),
            max_time: max_time.unwrap_or_default(),
            levels: self.levels,
            bytes: 0,
            sealed: now,
            before: self.before,
            link: self.link,
            digest: ORIGIN,
            sealed_digest: ORIGIN,
            previous,
            hash: ORIGIN,
            signature: Vec::new(),
            doubt: self.doubt.clone(),
            left: None,
        }
    }
}

/// A segment's file before it is written.
pub(super) struct File<'a> {
    pub(super) name: &'a str,
    pub(super) columns: &'a Columns,
    pub(super) shapes: &'a [Names],
    /// What it says of its place in the chain.
    pub(super) place: Place,
}

impl File<'_> {
    fn write(&self, path: &Path) -> Result<(i64, Hash), Error> {
        let unwritable = |source| Error::file(path, source);
        let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).to_owned();
        let out = BufWriter::with_capacity(1 << 20, options.open(path).map_err(unwritable)?);
        let mut out = Hashing { out, digest: chain::Digest::default(), bytes: 0 };
        let place = serde_json::to_string(&self.place).map_err(|error| unwritable(error.into()))?;
        let metadata = vec![KeyValue::new(place::KEY.to_owned(), Some(place))];
        write::write(&mut out, self.columns, self.shapes, metadata)
            .map_err(|error| unwritable(std::io::Error::other(error)))?;
        let file = out.out.into_inner().map_err(|error| unwritable(error.into_error()))?;
        file.sync_all().map_err(unwritable)?;
        Ok((out.bytes, out.digest.finish()))
    }
}

/// Hashes what it passes on.
struct Hashing<W> {
    out: W,
    digest: chain::Digest,
    bytes: i64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(buf)?;
        self.digest.write_all(&buf[..written])?;
        self.bytes += i64::try_from(written).unwrap_or_default();
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Takes away what a segment holds.
fn remove_rows(connection: &Connection, segment: &Segment) -> rusqlite::Result<()> {
    packing::remove_upto(connection, segment.last)?;
    hot::set_start(connection, segment.last, &segment.link)
}

/// Whether a file that begins with a certain entry is not needed: it was to be the next segment, or is another file's
/// forerunner. What does not say so of itself is left alone: it may be all that there is of its entries.
pub(in crate::accesslog) fn is_left_over(
    store: &LogStore,
    segments: &Path,
    path: &Path,
    first: i64,
) -> Result<bool, Error> {
    let listed = store.sql(|| Segment::from(&store.connection, first))?.filter(|segment| segment.first == first);
    let newest =
        store.sql(|| Segment::newest(&store.connection))?.map_or((0, ORIGIN), |newest| (newest.id, newest.hash));
    let is_packed =
        "SELECT 1 FROM (SELECT last FROM pack WHERE first <= ?1 ORDER BY first DESC LIMIT 1) WHERE last >= ?1";
    let is_row = store.sql(|| store.connection.prepare_cached(is_packed)?.exists([first]))?;
    // Or it was imported, and never came to be in the log: its numbers were given to no entry.
    let is_row = is_row || first > store.newest()?;
    if path.extension().is_some_and(|end| end == "tmp") {
        return Ok(is_row || listed.is_some());
    }
    if listed.as_ref().is_some_and(|segment| segment.rows() > 0 && segment.path(segments) == path) {
        return Ok(false);
    }
    let Some(place) = Place::of_file(path) else { return Ok(false) };
    Ok(match listed {
        Some(segment) => (place.id, place.previous) == (segment.id, hex(&segment.previous)),
        None => is_row && (place.id, place.previous) == (newest.0 + 1, hex(&newest.1)),
    })
}

/// All files in the folders of segments that have the name of one, finished or not, with the number of their first entry.
pub(in crate::accesslog) fn files(segments: &Path) -> Vec<(PathBuf, i64)> {
    let inside = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let first = |path: &Path| {
        let (name, end) = path.file_name()?.to_str()?.split_once('.')?;
        let (first, _) = name.split_once('-')?;
        matches!(end, "parquet" | "tmp").then(|| first.parse().ok())?
    };
    let mut found: Vec<_> =
        inside(segments).flat_map(|day| inside(&day)).filter_map(|path| Some((path.clone(), first(&path)?))).collect();
    found.sort();
    found
}
