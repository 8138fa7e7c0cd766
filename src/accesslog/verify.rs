//! Whether the log is whole: nothing cut off, changed, taken out or put in another order.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use rusqlite::Connection;
use serde::Serialize;

use super::chain::{self, Hash, Item, ORIGIN};
use super::group::Along;
use super::head::{Exported, Head, SigningKey, is_signed};
use super::hot::pack::{self, each_pack};
use super::segment::gather::begin_walk;
use super::segment::seal::{files, is_left_over};
use super::segment::{Place, Reader, Segment};
use super::{Error, LogStore, Stream, hot};
use crate::state::StateDir;

/// Something that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where: a segment's file below the state directory, `rows`, or `head`.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
}

/// What was looked at, and what was found.
#[derive(Debug, Default, Serialize)]
pub struct Verified {
    /// How many segments are listed.
    pub segments: usize,
    /// How many entries they hold.
    pub sealed: i64,
    /// How many entries are rows.
    pub rows: i64,
    /// The number of the newest entry.
    pub newest: i64,
    /// What is wrong, in the order of the log.
    pub findings: Vec<Finding>,
    /// What is strange, and no sign of tampering.
    pub notes: Vec<String>,
}

/// A log that is looked at as it was at one moment.
pub struct Verifier {
    stream: Stream,
    store: LogStore,
    key: SigningKey,
    segments: PathBuf,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("segments", &self.segments).finish_non_exhaustive()
    }
}

impl Verifier {
    /// Opens a log of a state directory.
    ///
    /// # Errors
    /// The store's variants of [`Error`], and [`Error::Key`].
    pub fn open(state: &StateDir, stream: Stream) -> Result<Self, Error> {
        let store = LogStore::open(stream.hot_db(state))?;
        Ok(Self { stream, store, key: SigningKey::open(&state.log_key())?, segments: stream.segments(state) })
    }

    /// Looks at every segment and row, and whether the log still has what a head says that it had.
    ///
    /// # Errors
    /// Those of the store. What is wrong with the log is in the answer.
    pub fn verify(&self, head: Option<&Exported>) -> Result<Verified, Error> {
        let wanted = head.map(Exported::sequence);
        // Rows and the list of one moment. Files of that moment may be pruned meanwhile, so the list is asked again.
        let transaction = self.store.sql(|| self.store.connection.unchecked_transaction())?;
        let list = self.store.sql(|| Segment::all(&transaction))?;
        let newest = self.store.newest()?;
        let rows = self.store.sql(|| rows(&transaction, newest, wanted))?;
        let aside = self.store.sql(|| quarantined(&transaction))?;
        drop(transaction);
        let mut verified = Verified { segments: list.len(), rows: rows.count, newest, ..Verified::default() };
        verified.sealed = list.iter().map(Segment::rows).sum();
        if let Some(first) = list.first().filter(|first| first.left.as_ref().is_some_and(|left| left.prefix)) {
            verified.notes.push(format!("entries up to {} were pruned", first.last));
        }
        self.verify_list(&list, &mut verified);
        self.verify_files(&list, &mut verified);
        self.tell_quarantine(&aside, &mut verified);
        self.verify_rows(&list, &rows, &mut verified);
        self.verify_folder(&list, &mut verified)?;
        if let Some(head) = head {
            self.verify_head(head, &list, &rows, &mut verified)?;
        }
        Ok(verified)
    }

    /// The head of the log as it is now, signed, for whoever keeps it elsewhere.
    ///
    /// # Errors
    /// The store's variants of [`Error`].
    pub fn head(&self, now: i64) -> Result<Exported, Error> {
        let transaction = self.store.sql(|| self.store.connection.unchecked_transaction())?;
        let newest = self.store.sql(|| Segment::newest(&transaction))?;
        let (segments, hash) = newest.map_or((0, ORIGIN), |segment| (segment.id, segment.hash));
        let link = self.store.sql(|| hot::link(&transaction))?;
        Ok(self.key.export(&Head { segments, hash, sequence: self.store.newest()?, link, time: now }))
    }

    fn place(&self, segment: &Segment) -> String {
        format!("{}/segments/{}", self.stream.folder(), segment.name)
    }

    /// What the list says of itself.
    fn verify_list(&self, list: &[Segment], verified: &mut Verified) {
        let (mut id, mut hash, mut link) = (0, ORIGIN, None);
        for segment in list {
            let mut wrong = |problem: String| verified.wrong(self.place(segment), problem);
            if let Some(left) = &segment.left
                && !is_signed(&left.text(segment), &self.key.public(), &left.signature)
            {
                wrong("what was pruned of it is not signed by this node: the list was changed".to_owned());
            } else if id == 0 && segment.left.as_ref().is_some_and(|left| left.prefix) {
                (id, hash) = (segment.id - 1, segment.previous);
            }
            if segment.id == 1 && segment.before != ORIGIN {
                wrong("it does not begin where the log does: what was before it was cut off".to_owned());
            }
            if segment.id > id + 1 {
                wrong(match segment.id - id {
                    2 => format!("segment {} before it is missing from the list", id + 1),
                    _ => format!("segments {} to {} before it are missing from the list", id + 1, segment.id - 1),
                });
            } else if segment.previous != hash || link.is_some_and(|link| link != segment.before) {
                wrong(format!("it does not follow segment {id}: the list was changed or put in another order"));
            }
            if segment.hash != chain::segment(&segment.previous, &segment.sealed_digest)
                || !is_signed(&segment.head().text(), &self.key.public(), &segment.signature)
            {
                wrong("its place in the list is not signed by this node: the list was changed".to_owned());
            }
            if !segment.doubt.is_empty() {
                wrong(format!("rows had been tampered with before they were sealed: {}", segment.doubt));
            }
            (id, hash, link) = (segment.id, segment.hash, Some(segment.link));
        }
    }

    fn verify_files(&self, list: &[Segment], verified: &mut Verified) {
        let owner: HashMap<Hash, &Segment> = list.iter().map(|segment| (segment.digest, segment)).collect();
        for segment in list.iter().filter(|segment| segment.left.is_none() || segment.rows() > 0) {
            let path = segment.path(&self.segments);
            let is_other =
                |digest| digest == segment.digest && Place::of_file(&path).is_some_and(|place| !place.is_of(segment));
            let problem = match (std::fs::metadata(&path), chain::file(&path)) {
                (_, Ok(digest)) if is_other(digest) => {
                    "the list says otherwise of it than the file itself: the list was changed".to_owned()
                }
                (_, Ok(digest)) if digest == segment.digest => continue,
                (_, Ok(digest)) if owner.contains_key(&digest) => {
                    format!("it holds what belongs into {}: files were put in another order", owner[&digest].name)
                }
                (Ok(found), Ok(_)) if (found.len() as i64) < segment.bytes => {
                    format!("it was cut to {} of {} bytes", found.len(), segment.bytes)
                }
                (_, Ok(_)) => "it was changed after it had been sealed".to_owned(),
                (Err(error), _) if error.kind() == std::io::ErrorKind::NotFound => "it is missing".to_owned(),
                (_, Err(error)) => error.to_string(),
            };
            let listed = self.store.sql(|| Segment::from(&self.store.connection, segment.last));
            if listed.is_ok_and(|now| now.as_ref() == Some(segment)) {
                verified.wrong(self.place(segment), problem);
            }
        }
    }

    /// Stores that were put aside. Whoever has taken the entries out of one, or gives them up, removes the file.
    fn tell_quarantine(&self, aside: &[(String, String)], verified: &mut Verified) {
        let folder = self.stream.folder();
        for (name, detail) in aside {
            if self.store.path().with_file_name(name).exists() {
                let problem =
                    format!("the store was damaged and put aside ({detail}): it alone has what was not sealed then");
                verified.wrong(format!("{folder}/{name}"), problem);
            } else {
                verified
                    .notes
                    .push(format!("a damaged store was put aside as {folder}/{name}, and is gone ({detail})"));
            }
        }
    }

    fn verify_rows(&self, list: &[Segment], rows: &Rows, verified: &mut Verified) {
        if let Some(segment) = list.last()
            && rows.start != (segment.last, segment.link)
        {
            let problem = format!("they do not go on where segment {} ends, after entry {}", segment.id, segment.last);
            verified.wrong("rows".to_owned(), problem);
        }
        if list.is_empty() && rows.start != (0, ORIGIN) {
            let problem =
                format!("they do not begin where the log does: what was before entry {} was cut off", rows.start.0 + 1);
            verified.wrong("rows".to_owned(), problem);
        }
        for breach in &rows.breaches {
            verified.wrong("rows".to_owned(), breach.to_string());
        }
        let is_told = |(first, last): &(i64, i64)| {
            rows.breaches.iter().any(|breach| breach.first <= *last && *first <= breach.last)
        };
        for (first, last) in rows.misplaced.iter().filter(|pack| !is_told(pack)) {
            let problem = format!("entries {first} to {last} have other times or levels than the store says of them");
            verified.wrong("rows".to_owned(), problem);
        }
    }

    /// Files that are in the folder and not in the list.
    fn verify_folder(&self, list: &[Segment], verified: &mut Verified) -> Result<(), Error> {
        let listed: Vec<PathBuf> = list.iter().map(|segment| segment.path(&self.segments)).collect();
        for (path, first) in files(&self.segments) {
            if listed.contains(&path) {
                continue;
            }
            let shown = path.strip_prefix(&self.segments).unwrap_or(&path).display().to_string();
            let known = list.iter().any(|segment| segment.first == first);
            if is_left_over(&self.store, &self.segments, &path, first)? {
                verified.notes.push(format!("{shown} is left over, and goes when somebody seals again"));
            } else if !known && path.extension().is_some_and(|end| end == "parquet") {
                let problem = "it has a segment's name and is not listed: was the list cut, or a file put there?";
                verified.wrong(format!("{}/segments/{shown}", self.stream.folder()), problem.to_owned());
            }
        }
        Ok(())
    }

    fn verify_head(
        &self,
        exported: &Exported,
        list: &[Segment],
        rows: &Rows,
        verified: &mut Verified,
    ) -> Result<(), Error> {
        let mut wrong = |problem: String| verified.wrong("head".to_owned(), problem);
        let Some((head, key)) = exported.verified() else {
            wrong("it is not signed by the key that it names: it was changed".to_owned());
            return Ok(());
        };
        if key != self.key.public() {
            wrong("it was signed by another key than this state directory's".to_owned());
        }
        let last = list.last().map_or(0, |segment| segment.id);
        let newest = self.store.newest()?;
        if head.segments > last {
            wrong(format!("the log was cut: it had {} segments, and has {last}", head.segments));
        } else if head.sequence > newest {
            wrong(format!("the log was cut: it went to entry {}, and goes to {newest}", head.sequence));
        }
        let first = list.first().map_or(1, |first| first.id);
        let segment = list.iter().find(|segment| segment.id == head.segments);
        if segment.is_some_and(|segment| segment.hash != head.hash) {
            wrong(format!("segment {} is another one than when the head was exported", head.segments));
        }
        let older = head.segments < first - 1;
        if head.sequence <= newest && self.link_at(head.sequence, list, rows)?.is_some_and(|link| link != head.link) {
            wrong(format!("entries up to {} are others than when the head was exported", head.sequence));
        }
        if older {
            verified.notes.push("the head is older than what was pruned: nothing of it could be compared".to_owned());
        }
        Ok(())
    }

    /// The chain of entries after an entry; nothing if what it takes is not there, which is a finding of its own.
    fn link_at(&self, seq: i64, list: &[Segment], rows: &Rows) -> Result<Option<Hash>, Error> {
        let Some(segment) = list.iter().find(|segment| segment.last >= seq) else { return Ok(rows.wanted) };
        if segment.last == seq {
            return Ok(Some(segment.link));
        }
        if segment.first > seq || segment.left.is_some() {
            return Ok(None);
        }
        let path = segment.path(&self.segments);
        let value = Reader::open(&path).and_then(|reader| {
            let mut lines = reader.lines()?;
            let (mut along, mut line) = (Along::new(segment.before, reader.groups()?), String::new());
            for row in 0..reader.rows() {
                lines.load(row)?;
                if lines.seq(row) > seq {
                    break;
                }
                line.clear();
                lines.write(row, &mut line);
                let shape = chain::shape(lines.instance(row), lines.handler(row), lines.rule(row), lines.format(row));
                let (time, level) = (lines.time(row), lines.level(row).code());
                along.pass(&Item { seq: lines.seq(row), time, level, shape: &shape, line: line.as_bytes() });
            }
            Ok(along.finish())
        });
        Ok(value.ok())
    }
}

impl Verified {
    fn wrong(&mut self, place: String, problem: String) {
        self.findings.push(Finding { place, problem });
    }
}

/// Names of stores that were put aside, and what was wrong with them.
fn quarantined(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare("SELECT name, detail FROM quarantine ORDER BY time")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// What the rows of the hot store tell.
struct Rows {
    count: i64,
    /// The value of the chain that they begin with.
    start: (i64, Hash),
    breaches: Vec<chain::Breach>,
    /// First and last numbers of packs that are summed up wrongly: questions pass over packs by these sums.
    misplaced: Vec<(i64, i64)>,
    /// The chain after the entry that a head ends with.
    wanted: Option<Hash>,
}

fn rows(connection: &Connection, newest: i64, wanted: Option<i64>) -> rusqlite::Result<Rows> {
    let shapes: HashMap<i64, Hash> = hot::shapes(connection)?.iter().map(|(id, one)| (*id, one.digest())).collect();
    let start = connection.query_row("SELECT seq, hash FROM link", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (mut walk, _) = begin_walk(connection, i64::MAX)?;
    let mut found = Rows { count: 0, start, breaches: Vec::new(), misplaced: Vec::new(), wanted: None };
    let sums = pack::sums(connection)?;
    if wanted == Some(start.0) {
        found.wanted = Some(start.1);
    }
    each_pack(connection, (0, i64::MAX), |pack| {
        let digest = |id| shapes.get(&id).copied().unwrap_or(ORIGIN);
        pack.pass(&mut walk, digest, |(seq, value)| {
            if wanted == Some(seq) {
                found.wanted = Some(value);
            }
        });
        found.count += pack.len() as i64;
        if let Some(sum) = pack.sum().filter(|sum| sums.get(&pack.first) != Some(sum)) {
            found.misplaced.push((pack.first, pack.first + (sum.levels.iter().sum::<i64>() - 1)));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    // No head ends within a group: what one does end with is not here.
    if found.wanted.is_none() && wanted.is_some_and(|wanted| start.0 < wanted && wanted <= walk.here().0) {
        found.wanted = Some(ORIGIN);
    }
    found.breaches = walk.finish(newest);
    Ok(found)
}
