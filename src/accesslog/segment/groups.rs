//! How many entries each group of a segment has, so that the chain can be gone along again.
//!
//! The lengths lie between the columns and the footer of the file like the [`counts`](super::counts), as varints, and the file's
//! metadata say where. A segment without them has entries that were each a step of the chain.

use super::hybrid::{push_varint, varint};

/// The key of the file's metadata that says where they lie: offset and length.
pub(super) const KEY: &str = "egressctl.groups";

/// Most bytes that the length of a group takes.
const MOST_BYTES: usize = 5;

/// What is written.
pub(super) fn to_bytes(groups: &[u32]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(groups.len());
    groups.iter().for_each(|length| push_varint(u64::from(*length), &mut bytes));
    zstd::bulk::compress(&bytes, 3)
}

/// What was written, of a segment with so many rows; nothing if it was something else.
pub(super) fn read(packed: &[u8], rows: usize) -> Option<Vec<u32>> {
    let bytes = zstd::bulk::decompress(packed, rows.saturating_mul(MOST_BYTES)).ok()?;
    let (mut at, mut groups) = (0, Vec::new());
    while at < bytes.len() {
        groups.push(u32::try_from(varint(&bytes, &mut at)?).ok().filter(|length| *length > 0)?);
    }
    let all: u64 = groups.iter().map(|length| u64::from(*length)).sum();
    (all == rows as u64).then_some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_groups_are_read_as_they_were_written_and_must_be_those_of_all_rows() {
        let groups = [1, 4096, 1, 1, 300, 1 << 20];
        let rows = groups.iter().sum::<u32>() as usize;
        let bytes = to_bytes(&groups).unwrap();
        assert_eq!(read(&bytes, rows).unwrap(), groups);
        assert_eq!((read(&bytes, rows - 1), read(&bytes[..bytes.len() - 2], rows)), (None, None));
        assert_eq!(read(&to_bytes(&[3, 0, 1]).unwrap(), 4), None);
    }
}
