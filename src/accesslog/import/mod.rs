//! Entries out of files: our own lines, Mixer's, Envoy's and Istio's access logs.
//!
//! Input is read in chunks. A large chunk becomes segments at once, if nobody else writes to the log meanwhile, those of a file
//! together with the chunks behind it; anything else goes the way of all entries. Either way what is taken of a chunk is in the
//! log as a whole or not at all.

mod envoy;
mod ours;
mod redacted;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use super::segment::Direct;
use super::{Entry, Error, Format, Level, Limits, LogStore, Outlet, Redact, Sealer, Shape, Stream};
use crate::state::StateDir;

/// Bytes of input that are taken up at a time: a third of what importing may take of memory, the rest being columns.
const CHUNK: usize = if cfg!(test) { 2 << 20 } else { 80 << 20 };

/// Input that is not worth segments of its own.
const LEAST_DIRECT: usize = CHUNK / 5;

/// Entries that are stored as rows at a time.
const GROUP: usize = 4096;

/// Full name of the handler of imported entries.
const HANDLER: &str = "imported.egressctl.istio-system";

/// An entry as a line of a file tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found<'l> {
    pub(super) time: i64,
    pub(super) level: Level,
    pub(super) instance: Cow<'l, str>,
    /// The JSON object.
    pub(super) line: Cow<'l, str>,
    pub(super) format: Format,
}

/// What was imported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Lines that were read, without empty ones.
    pub lines: u64,
    /// Entries that went in.
    pub entries: u64,
    /// Records of calls among them.
    pub accesses: u64,
    /// Lines that were passed over: what a proxy says of itself, such as when it is ready.
    pub notices: u64,
}

/// Where entries come from.
pub struct Input<'i> {
    /// What to call it.
    pub name: &'i str,
    /// Its lines.
    pub lines: &'i mut dyn Read,
    /// Whether none of them is waited for: as nobody else writes while a segment is begun, one must not last long.
    pub is_there: bool,
}

/// Takes entries into the logs of a state directory.
#[derive(Debug)]
pub struct Importer {
    sealers: [Sealer; 2],
    stores: [LogStore; 2],
    /// Full name of the instance whose entries are records of calls.
    accesses: &'static str,
    redact: Redact,
    imported: Imported,
}

impl Importer {
    /// Opens the logs. Entries of the instance `accesses` are records of calls. What `redact` says is left out of entries that
    /// have it.
    ///
    /// # Errors
    /// As [`Sealer::open`].
    pub fn open(state: &StateDir, accesses: &'static str, redact: Redact) -> Result<Self, Error> {
        let [lines, calls] = Stream::ALL.map(|stream| Sealer::open(state, stream, Limits::default()));
        let sealers = [lines?, calls?];
        let [lines, calls] = Stream::ALL.map(|stream| LogStore::open(stream.hot_db(state)));
        Ok(Self { sealers, stores: [lines?, calls?], accesses, redact, imported: Imported::default() })
    }

    /// Imports all lines of a text. `fault` is told of each that is no entry: its number, and why; the others go in.
    ///
    /// # Errors
    /// Those of reading, as [`Error::File`] of its name, and of the store. What was imported before is in the log.
    pub fn import(&mut self, input: Input<'_>, now: i64, fault: &mut dyn FnMut(u64, &str)) -> Result<Imported, Error> {
        let Input { name, lines, is_there } = input;
        let mut chunks = Chunks { input: lines, rest: Vec::new(), ended: false };
        let ([of_lines, of_calls], [lines, calls]) = (&self.sealers, &mut self.stores);
        let mut targets = [Target::new(of_lines, lines, now), Target::new(of_calls, calls, now)];
        let mut taker = Taker { accesses: self.accesses, redact: self.redact, imported: &mut self.imported, number: 0 };
        loop {
            let chunk = chunks.next();
            if let Ok(Some(chunk)) = &chunk {
                taker.take(chunk, &mut targets, fault)?;
            }
            let goes_on = is_there && matches!(chunk, Ok(Some(_)));
            targets.iter_mut().try_for_each(|target| target.end_chunk(goes_on))?;
            if chunk.map_err(|source| Error::file(name.as_ref(), source))?.is_none() {
                return Ok(self.imported);
            }
        }
    }
}

/// Takes chunks of lines apart.
struct Taker<'i> {
    accesses: &'static str,
    redact: Redact,
    imported: &'i mut Imported,
    /// How many lines came before.
    number: u64,
}

impl Taker<'_> {
    /// Takes up whole lines.
    fn take(
        &mut self,
        chunk: &[u8],
        [lines, calls]: &mut [Target<'_>; 2],
        fault: &mut dyn FnMut(u64, &str),
    ) -> Result<(), Error> {
        let is_large = chunk.len() >= LEAST_DIRECT;
        lines.begin_chunk(is_large)?;
        calls.begin_chunk(is_large)?;
        let mut in_notice = false;
        for line in chunk.split(|byte| *byte == b'\n') {
            self.number += 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.iter().all(u8::is_ascii_whitespace) {
                // The text behind the last newline is no line either.
                self.number -= u64::from(line.as_ptr_range().end == chunk.as_ptr_range().end && line.is_empty());
                continue;
            }
            self.imported.lines += 1;
            let said = std::str::from_utf8(line).map_err(|error| error.to_string()).and_then(read);
            // What has no form at all goes on with the notice before it.
            let goes_on = in_notice && !line.starts_with(b"{") && !line.starts_with(b"[");
            let found = said.transpose().filter(|found| found.is_ok() || !goes_on);
            in_notice = found.is_none();
            let Some(found) = found else {
                self.imported.notices += 1;
                continue;
            };
            match found.and_then(|found| redacted::redacted(found, self.redact)) {
                Err(why) => fault(self.number, &why),
                Ok(found) if found.instance == self.accesses => {
                    self.imported.accesses += 1;
                    calls.push(&found)?;
                }
                Ok(found) => {
                    self.imported.entries += 1;
                    lines.push(&found)?;
                }
            }
        }
        Ok(())
    }
}

/// A door for fuzz targets: the level and the line of the entry that a line is imported as.
///
/// # Errors
/// Why it is none.
#[cfg(feature = "fuzzing")]
pub fn imported_line(line: &str) -> Result<(Level, String), String> {
    let found = read(line)?.ok_or("a notice")?;
    Ok((found.level, found.line.into_owned()))
}

/// The entry of a line; nothing for what a proxy says of itself beside its access log.
fn read(line: &str) -> Result<Option<Found<'_>>, String> {
    match line.trim_start().as_bytes().first() {
        Some(b'{') => ours::json(line.trim()),
        Some(b'[') if envoy::is_notice(line.trim()) => Ok(None),
        Some(b'[') => envoy::text(line.trim()).map(Some),
        _ => ours::text(line),
    }
}

/// Input in chunks of whole lines.
struct Chunks<'r> {
    input: &'r mut dyn Read,
    /// The beginning of a line whose end is still to come.
    rest: Vec<u8>,
    ended: bool,
}

impl Chunks<'_> {
    /// The next; a line that is longer than a chunk is cut, and its parts are no entries.
    fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        if self.ended {
            return Ok(None);
        }
        let mut chunk = std::mem::take(&mut self.rest);
        let room = CHUNK.saturating_sub(chunk.len());
        // All at once: what grows by doubling would take up to twice as much in the end.
        chunk.reserve_exact(room);
        self.ended = (&mut *self.input).take(room as u64).read_to_end(&mut chunk)? == 0 && room > 0;
        if !self.ended
            && let Some(end) = memchr::memrchr(b'\n', &chunk)
        {
            self.rest = chunk.split_off(end + 1);
        }
        Ok(Some(chunk).filter(|chunk| !chunk.is_empty() || !self.ended))
    }
}

/// Where entries go.
struct Target<'s> {
    sealer: &'s Sealer,
    store: &'s mut LogStore,
    now: i64,
    /// Whether segments are written at once, as far as nobody else writes.
    direct: bool,
    segment: Option<Direct<'s>>,
    rows: Vec<Entry>,
    shapes: HashMap<(String, Format), Arc<Shape>>,
}

impl<'s> Target<'s> {
    fn new(sealer: &'s Sealer, store: &'s mut LogStore, now: i64) -> Self {
        Self { sealer, store, now, direct: false, segment: None, rows: Vec::new(), shapes: HashMap::new() }
    }

    fn begin_chunk(&mut self, is_large: bool) -> Result<(), Error> {
        self.direct = is_large || self.segment.is_some();
        if is_large && self.segment.is_none() {
            // What comes later must stand behind what is there.
            self.sealer.seal_all(self.now)?;
        }
        Ok(())
    }

    /// Ends what was begun, unless the next chunk follows at once.
    fn end_chunk(&mut self, goes_on: bool) -> Result<(), Error> {
        if !goes_on {
            self.end_segment()?;
        }
        self.store_rows()
    }

    fn push(&mut self, found: &Found<'_>) -> Result<(), Error> {
        if self.direct {
            if self.segment.as_mut().is_some_and(|segment| segment.push(found)) {
                return Ok(());
            }
            // It is full, or of another day.
            self.end_segment()?;
            self.segment = self.sealer.direct(HANDLER)?;
            self.direct = self.segment.as_mut().is_some_and(|segment| segment.push(found));
            if self.direct {
                return Ok(());
            }
        }
        let shape = self.shape(found);
        self.rows.push(Entry { time: found.time, level: found.level, shape, line: found.line.clone().into_owned() });
        if self.rows.len() >= GROUP { self.store_rows() } else { Ok(()) }
    }

    fn shape(&mut self, found: &Found<'_>) -> Arc<Shape> {
        let shape = self.shapes.entry((found.instance.clone().into_owned(), found.format)).or_insert_with_key(|key| {
            let (instance, format) = key.clone();
            Arc::new(Shape {
                instance,
                handler: HANDLER.to_owned(),
                rule: String::new(),
                format,
                outlet: Outlet::Stdout,
            })
        });
        Arc::clone(shape)
    }

    fn end_segment(&mut self) -> Result<(), Error> {
        self.segment.take().map_or(Ok(()), |segment| segment.finish(self.now))
    }

    fn store_rows(&mut self) -> Result<(), Error> {
        self.store.append(&std::mem::take(&mut self.rows))
    }
}

#[cfg(test)]
mod tests;
