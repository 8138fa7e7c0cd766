//! The chain that makes tampering visible: the hash of every group of entries covers the one before it, and every segment's
//! too. What earlier versions stored, and what was imported, is chained entry by entry.
//!
//! Whoever can write the log can also compute hashes. What they cannot do is bring the chain to a value that somebody
//! else keeps: a [`Head`] that was exported, signed with the node's key.

use std::collections::VecDeque;

use ring::digest::{Context, SHA256};

use super::group::{Bound, Group};
use super::{Error, Format};

/// A value of the chain: BLAKE3 of a group, SHA-256 of an entry or a segment.
pub(super) type Hash = [u8; 32];

/// The value before the first entry, and the first segment.
pub(super) const ORIGIN: Hash = [0; 32];

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = ORIGIN;
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The hash of what entries of a shape have in common.
pub(super) fn shape(instance: &str, handler: &str, rule: &str, format: Format) -> Hash {
    let format = [u8::from(format == Format::Text)];
    let length = |text: &str| (text.len() as u64).to_be_bytes();
    let (first, second, third) = (length(instance), length(handler), length(rule));
    sha256(&[&first, instance.as_bytes(), &second, handler.as_bytes(), &third, rule.as_bytes(), &format])
}

/// An entry as the chain sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) seq: i64,
    pub(super) time: i64,
    /// As the store writes it.
    pub(super) level: i64,
    /// [`shape`] of its shape.
    pub(super) shape: &'a Hash,
    pub(super) line: &'a [u8],
}

/// The value after an entry.
pub(super) fn entry(previous: &Hash, item: &Item<'_>) -> Hash {
    // One part of what is short: each costs a call.
    let mut head = [0; 2 * size_of::<Hash>() + 24];
    let (hashes, numbers) = head.split_at_mut(2 * size_of::<Hash>());
    let (first, second) = hashes.split_at_mut(size_of::<Hash>());
    first.copy_from_slice(previous);
    second.copy_from_slice(item.shape);
    for (place, number) in numbers.chunks_exact_mut(8).zip([item.seq, item.time, item.level]) {
        place.copy_from_slice(&number.to_be_bytes());
    }
    sha256(&[&head, item.line])
}

/// The value after a segment, whose file has this hash.
pub(super) fn segment(previous: &Hash, digest: &Hash) -> Hash {
    sha256(&[b"egressctl segment\0", previous, digest])
}

/// Entries that are not as they were when their group was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breach {
    pub(super) first: i64,
    pub(super) last: i64,
    /// Whether there are fewer than there were.
    pub(super) missing: bool,
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { first, last, missing } = self;
        match (first == last, missing) {
            (true, true) => write!(f, "entry {first} is missing"),
            (true, false) => write!(f, "entry {first} is not as it was recorded"),
            (false, true) => write!(f, "of entries {first} to {last} some are missing"),
            (false, false) => write!(f, "entries {first} to {last} are not as they were recorded"),
        }
    }
}

/// Goes along entries and compares the chain with what was committed.
#[derive(Debug)]
pub(super) struct Walk {
    /// Values that were committed, after the place that was reached.
    links: VecDeque<(i64, Hash)>,
    /// The last value that was compared, and the value here.
    start: Option<i64>,
    at: i64,
    value: Hash,
    count: i64,
    pub(super) breaches: Vec<Breach>,
}

impl Walk {
    /// Begins with the values that were committed, from before the first entry on.
    pub(super) fn new(links: impl IntoIterator<Item = (i64, Hash)>) -> Self {
        let links = links.into_iter().collect();
        Self { links, start: None, at: 0, value: ORIGIN, count: 0, breaches: Vec::new() }
    }

    /// Passes an entry. What was there before the chain began is not looked at.
    pub(super) fn pass(&mut self, item: &Item<'_>) {
        self.step((item.seq, item.seq), |value| entry(value, item));
    }

    /// Passes a group, which is not empty; with the hash of the columns that it is stored as, if it is.
    pub(super) fn pass_group(&mut self, group: &Group<'_>, columns: Option<&Hash>) {
        let last = group.first + (group.len() as i64 - 1);
        self.step((group.first, last), |value| group.after_stored(value, columns));
    }

    /// Passes a group, which is not empty, without its lines.
    pub(super) fn pass_bound(&mut self, bound: &Bound<'_>) {
        self.step((bound.first, bound.first + (bound.entries as i64 - 1)), |value| bound.after(value));
    }

    fn step(&mut self, (first, last): (i64, i64), after: impl FnOnce(&Hash) -> Hash) {
        while let Some(&(seq, hash)) = self.links.front().filter(|(seq, _)| *seq < first) {
            self.links.pop_front();
            self.compare(seq, hash);
        }
        if self.start.is_some() {
            self.value = after(&self.value);
            self.count += last - first + 1;
        }
        self.at = last;
        if let Some(&(seq, hash)) = self.links.front().filter(|(seq, _)| *seq == last) {
            self.links.pop_front();
            self.compare(seq, hash);
        }
    }

    fn compare(&mut self, seq: i64, hash: Hash) {
        if let Some(start) = self.start
            && (hash != self.value || self.count != seq - start)
        {
            self.breaches.push(Breach { first: start + 1, last: seq, missing: self.count < seq - start });
        }
        (self.start, self.value, self.count) = (Some(seq), hash, 0);
    }

    /// The number of the last entry, and the value there.
    pub(super) fn here(&self) -> (i64, Hash) {
        (self.at, self.value)
    }

    /// Ends at the log's end: nothing may be behind the last value, nor before it.
    pub(super) fn finish(mut self, newest: i64) -> Vec<Breach> {
        while let Some((seq, hash)) = self.links.pop_front() {
            self.compare(seq, hash);
        }
        match self.start {
            Some(start) if start != newest || self.count > 0 => {
                let last = newest.max(self.at);
                self.breaches.push(Breach { first: start.min(last - 1) + 1, last, missing: self.count < last - start });
            }
            _ => {}
        }
        self.breaches
    }
}

/// A hash in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hexadecimal digits.
pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// The SHA-256 of a file.
pub(super) fn file(path: &std::path::Path) -> Result<Hash, Error> {
    let unreadable = |source| Error::file(path, source);
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mut digest = Digest::default();
    std::io::copy(&mut file, &mut digest).map_err(unreadable)?;
    Ok(digest.finish())
}

/// Hashes what is written to it.
pub(super) struct Digest(Context);

impl Default for Digest {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Digest {
    pub(super) fn finish(self) -> Hash {
        let mut hash = ORIGIN;
        hash.copy_from_slice(self.0.finish().as_ref());
        hash
    }
}

impl std::io::Write for Digest {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.update(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
