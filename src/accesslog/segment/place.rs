//! What a segment's file itself says of its place in the chain, for whoever has nothing but the files.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::list::{Left, Segment};
use super::read::Reader;
use crate::accesslog::chain::{self, Hash, ORIGIN, from_hex, hex};

/// The key under which it stands in the file's metadata.
pub(super) const KEY: &str = "egressctl.segment";

/// The place of a file, as JSON; [`Segment`] says what the fields are.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) id: i64,
    pub(crate) previous: String,
    first: i64,
    last: i64,
    min_time: i64,
    max_time: i64,
    levels: [i64; 3],
    sealed: i64,
    before: String,
    link: String,
    /// The hash of the file that was sealed, where this one was made by pruning it.
    sealed_digest: Option<String>,
    doubt: String,
}

impl Place {
    /// That of a segment whose file is about to be written.
    pub(super) fn of(segment: &Segment) -> Self {
        Self {
            id: segment.id,
            previous: hex(&segment.previous),
            first: segment.first,
            last: segment.last,
            min_time: segment.min_time,
            max_time: segment.max_time,
            levels: segment.levels,
            sealed: segment.sealed,
            before: hex(&segment.before),
            link: hex(&segment.link),
            sealed_digest: (segment.sealed_digest != ORIGIN).then(|| hex(&segment.sealed_digest)),
            doubt: segment.doubt.clone(),
        }
    }

    /// What a file says; nothing if it cannot be read.
    pub(crate) fn of_file(file: &Path) -> Option<Self> {
        serde_json::from_str(&Reader::open(file).ok()?.metadata(KEY).ok()?).ok()
    }

    /// Whether it is that of a segment as it is listed. The file's hash is signed, and what the list says beside it is not.
    pub(crate) fn is_of(&self, segment: &Segment) -> bool {
        let listed = Self { sealed_digest: self.sealed_digest.clone(), ..Self::of(segment) };
        *self == listed
    }

    /// The segment that a file is, given its name, hash and length; without signatures.
    pub(crate) fn segment(&self, name: &str, digest: Hash, bytes: i64) -> Option<Segment> {
        let sealed_digest = self.sealed_digest.as_deref().map_or(Some(digest), from_hex)?;
        let previous = from_hex(&self.previous)?;
        let mut segment = Segment {
            id: self.id,
            name: name.to_owned(),
            first: self.first,
            last: self.last,
            min_time: self.min_time,
            max_time: self.max_time,
            levels: self.levels,
            bytes,
            digest,
            sealed: self.sealed,
            before: from_hex(&self.before)?,
            link: from_hex(&self.link)?,
            sealed_digest,
            previous,
            hash: chain::segment(&previous, &sealed_digest),
            signature: Vec::new(),
            doubt: self.doubt.clone(),
            left: None,
        };
        if sealed_digest != digest {
            segment.left = Some(Left { prefix: false, ..segment.left(self.sealed) });
        }
        Some(segment)
    }
}
