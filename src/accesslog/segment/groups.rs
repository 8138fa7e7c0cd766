//! How far each group of a segment goes, so that the chain can be gone along again.
//!
//! The numbers of their entries lie between the columns and the footer of the file like the [`counts`](super::counts), as
//! varints, and the file's metadata say where. A segment without them has entries that were each a step of the chain. Beside
//! them lie the hashes of the columns that the groups were stored as (32 bytes each, zeros for a group that was stored as
//! lines), if there are any.

use super::hybrid::{push_varint, varint};
use crate::accesslog::chain::{Hash, ORIGIN};
use crate::accesslog::group::Extent;

/// The key of the file's metadata that says where the numbers lie: offset and length.
pub(super) const KEY: &str = "egressctl.groups";

/// The same of the hashes.
pub(super) const COLUMNS_KEY: &str = "egressctl.groups.columns";

/// Most bytes that the number of a group's entries takes.
const MOST_BYTES: usize = 5;

/// What is written of the numbers of entries.
pub(super) fn to_bytes(groups: &[Extent]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(groups.len());
    groups.iter().for_each(|group| push_varint(u64::from(group.entries), &mut bytes));
    zstd::bulk::compress(&bytes, 3)
}

/// What is written of the hashes; nothing if no group has one.
pub(super) fn columns_to_bytes(groups: &[Extent]) -> Option<std::io::Result<Vec<u8>>> {
    let columns = |group: &Extent| group.columns.unwrap_or(ORIGIN);
    let has_any = groups.iter().any(|group| group.columns.is_some());
    has_any.then(|| zstd::bulk::compress(groups.iter().map(columns).collect::<Vec<Hash>>().as_flattened(), 3))
}

/// What was written, of a segment with so many rows; nothing if it was something else.
pub(super) fn read(entries: &[u8], columns: Option<&[u8]>, rows: usize) -> Option<Vec<Extent>> {
    let bytes = zstd::bulk::decompress(entries, rows.saturating_mul(MOST_BYTES)).ok()?;
    let (mut at, mut groups) = (0, Vec::new());
    while at < bytes.len() {
        let entries = u32::try_from(varint(&bytes, &mut at)?).ok().filter(|entries| *entries > 0)?;
        groups.push(Extent { entries, columns: None });
    }
    if let Some(columns) = columns {
        let bytes = zstd::bulk::decompress(columns, size_of::<Hash>() * groups.len()).ok()?;
        let (hashes, _) = bytes.as_chunks();
        if hashes.len() != groups.len() {
            return None;
        }
        groups
            .iter_mut()
            .zip(hashes)
            .for_each(|(group, hash)| group.columns = Some(*hash).filter(|hash| *hash != ORIGIN));
    }
    let all: u64 = groups.iter().map(|group| u64::from(group.entries)).sum();
    (all == rows as u64).then_some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_lines(entries: u32) -> Extent {
        Extent { entries, columns: None }
    }

    #[test]
    fn groups_are_read_as_they_were_written_and_must_be_those_of_all_rows() {
        let groups = [1, 4096, 1, 1, 300, 1 << 20].map(of_lines);
        let rows = groups.iter().map(|group| group.entries as usize).sum();
        let bytes = to_bytes(&groups).unwrap();
        assert!(columns_to_bytes(&groups).is_none());
        assert_eq!(read(&bytes, None, rows).unwrap(), groups);
        assert_eq!((read(&bytes, None, rows - 1), read(&bytes[..bytes.len() - 2], None, rows)), (None, None));
        assert_eq!(read(&to_bytes(&[3, 0, 1].map(of_lines)).unwrap(), None, 4), None);
    }

    #[test]
    fn hashes_of_columns_belong_to_the_groups_that_were_stored_so() {
        let groups = [of_lines(7), Extent { entries: 9, columns: Some([5; 32]) }, of_lines(1)];
        let (bytes, columns) = (to_bytes(&groups).unwrap(), columns_to_bytes(&groups).unwrap().unwrap());
        assert_eq!(read(&bytes, Some(&columns), 17).unwrap(), groups);
        assert_eq!(read(&to_bytes(&[of_lines(17)]).unwrap(), Some(&columns), 17), None, "others than there are groups");
        assert_eq!(read(&bytes, Some(&columns[1..]), 17), None);
    }
}
