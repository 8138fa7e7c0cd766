//! A group: entries that were committed together, which are one step of the chain.
//!
//! A step for each entry would cost more than all else that storing does: what SHA-256 takes of a line, and again of its end.
//! BLAKE3 over a group looks at many kilobytes at once.
//!
//! Where a group is stored as columns the step covers two hashes ([`Bound`]): that of its lines, and that of these columns.
//! Who has the columns checks them by the one, who has the lines checks them by the other, and neither can be changed alone.

use super::chain::{Hash, Item};

/// Bytes of what a group has of each entry beside its line.
pub(super) const HEAD: usize = 17;

/// A group as the chain sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'a> {
    /// The number of its first entry; the others follow without gaps.
    pub(super) first: i64,
    /// What the chain has for the shapes of its entries, in the order in which they first come.
    pub(super) shapes: &'a [Hash],
    /// The [`head`] of each entry.
    pub(super) heads: &'a [u8],
    /// Their lines, one after the other.
    pub(super) lines: &'a [u8],
}

/// What there is of an entry beside its line: the time (8 bytes), where its line ends among those of the group (4), the place
/// of its shape among those of the group (4) and its level (1), little-endian.
pub(super) fn head(time: i64, end: usize, shape: u32, level: u8) -> [u8; HEAD] {
    let end = u32::try_from(end).expect("the lines of a group are shorter than four gigabytes");
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&time.to_le_bytes());
    head[8..12].copy_from_slice(&end.to_le_bytes());
    head[12..16].copy_from_slice(&shape.to_le_bytes());
    head[16] = level;
    head
}

impl Group<'_> {
    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        self.heads.len() / HEAD
    }

    /// The value of the chain after it where it is stored as lines.
    pub(super) fn after(&self, previous: &Hash) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"egressctl group\0").update(previous).update(&self.first.to_le_bytes());
        for count in [self.shapes.len(), self.len()] {
            hasher.update(&(count as u64).to_le_bytes());
        }
        hasher.update(self.shapes.as_flattened()).update(self.heads).update(self.lines);
        hasher.finalize().into()
    }

    /// The hash of what its entries are, but for their shapes.
    pub(super) fn contents(&self) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"egressctl contents\0").update(self.heads).update(self.lines);
        hasher.finalize().into()
    }

    /// The value of the chain after it where the columns that it is stored as, if it is, have this hash.
    pub(super) fn after_stored(&self, previous: &Hash, columns: Option<&Hash>) -> Hash {
        let Some(columns) = columns else { return self.after(previous) };
        let Self { first, shapes, .. } = *self;
        Bound { first, entries: self.len(), shapes, contents: &self.contents(), columns }.after(previous)
    }
}

/// A group that is stored as columns, as the chain sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound<'a> {
    /// The number of its first entry.
    pub(super) first: i64,
    /// How many entries it has.
    pub(super) entries: usize,
    /// As [`Group::shapes`].
    pub(super) shapes: &'a [Hash],
    /// [`Group::contents`].
    pub(super) contents: &'a Hash,
    /// The hash of what is stored.
    pub(super) columns: &'a Hash,
}

impl Bound<'_> {
    /// The value of the chain after it.
    pub(super) fn after(&self, previous: &Hash) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"egressctl columns\0").update(previous).update(&self.first.to_le_bytes());
        for count in [self.shapes.len(), self.entries] {
            hasher.update(&(count as u64).to_le_bytes());
        }
        hasher.update(self.shapes.as_flattened()).update(self.contents).update(self.columns);
        hasher.finalize().into()
    }
}

/// How far a group goes among entries that lie one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// How many entries it has.
    pub(super) entries: u32,
    /// [`Bound::columns`], where it was stored so.
    pub(super) columns: Option<Hash>,
}

/// The chain along entries whose groups are known by their extents; without groups each entry is a step.
#[derive(Debug)]
pub(super) struct Along {
    value: Hash,
    groups: Option<std::vec::IntoIter<Extent>>,
    /// Entries of the group that are to come.
    left: u32,
    columns: Option<Hash>,
    first: i64,
    shapes: Vec<Hash>,
    heads: Vec<u8>,
    lines: Vec<u8>,
}

impl Along {
    pub(super) fn new(before: Hash, groups: Option<Vec<Extent>>) -> Self {
        let (groups, (shapes, heads, lines)) = (groups.map(Vec::into_iter), Default::default());
        Self { value: before, groups, left: 0, columns: None, first: 0, shapes, heads, lines }
    }

    /// Passes an entry.
    pub(super) fn pass(&mut self, item: &Item<'_>) {
        let Some(groups) = &mut self.groups else {
            self.value = super::chain::entry(&self.value, item);
            return;
        };
        if self.heads.is_empty() {
            // One that no length tells of ends the last group.
            let Extent { entries, columns } = groups.next().unwrap_or(Extent { entries: u32::MAX, columns: None });
            (self.first, self.left, self.columns) = (item.seq, entries, columns);
        }
        let known = self.shapes.iter().position(|shape| shape == item.shape);
        let place = known.unwrap_or_else(|| {
            self.shapes.push(*item.shape);
            self.shapes.len() - 1
        });
        self.lines.extend_from_slice(item.line);
        self.heads.extend_from_slice(&head(item.time, self.lines.len(), place as u32, item.level as u8));
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.end_group();
        }
    }

    fn end_group(&mut self) {
        let Self { value, first, columns, shapes, heads, lines, .. } = self;
        *value = Group { first: *first, shapes, heads, lines }.after_stored(value, columns.as_ref());
        shapes.clear();
        heads.clear();
        lines.clear();
    }

    /// The value behind the last entry: one that no head has, where that is not the last of its group.
    pub(super) fn finish(mut self) -> Hash {
        if !self.heads.is_empty() {
            self.end_group();
        }
        self.value
    }
}
