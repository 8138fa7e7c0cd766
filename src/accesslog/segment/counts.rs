//! How often each value of a column occurs in a segment, so that many questions are answered without reading rows.
//!
//! The counts lie between the columns and the footer of the file, where other readers pass them over; the file's metadata
//! say where. For each column there is the number of its counts, then the counts in the dictionary's order, all as varints.

use super::hybrid::{push_varint, varint};

/// The key of the file's metadata that says where counts lie: offset and length.
pub(super) const KEY: &str = "egressctl.counts";

/// Columns with more different values are not counted: there the counts would take more than a hundredth of the file.
const MOST: usize = 1 << 14;

/// Counts all columns may take in all, in bytes, when they are read.
const MOST_BYTES: usize = 1 << 24;

/// Counts of all columns, while a segment is written.
#[derive(Debug, Default)]
pub(super) struct Counts {
    bytes: Vec<u8>,
}

impl Counts {
    /// Adds a column by the numbers of its values, of which there are so many.
    pub(super) fn add(&mut self, numbers: &[u32], most: usize) {
        if most > MOST {
            return self.skip();
        }
        let mut counts = vec![0_u64; most];
        numbers.iter().for_each(|number| counts[*number as usize] += 1);
        push_varint(most as u64, &mut self.bytes);
        counts.into_iter().for_each(|count| push_varint(count, &mut self.bytes));
    }

    /// Adds a column that is not counted.
    pub(super) fn skip(&mut self) {
        push_varint(0, &mut self.bytes);
    }

    /// What is written.
    pub(super) fn finish(self) -> std::io::Result<Vec<u8>> {
        zstd::bulk::compress(&self.bytes, 3)
    }
}

/// The counts of all columns; nothing for one that was not counted.
pub(super) fn read(packed: &[u8], columns: usize) -> Option<Vec<Option<Vec<u32>>>> {
    let bytes = zstd::bulk::decompress(packed, MOST_BYTES).ok()?;
    let mut at = 0;
    let mut column = || {
        let length = usize::try_from(varint(&bytes, &mut at)?).ok().filter(|length| *length <= MOST)?;
        let counts = (0..length).map(|_| u32::try_from(varint(&bytes, &mut at)?).ok()).collect::<Option<Vec<u32>>>()?;
        Some(Some(counts).filter(|counts| !counts.is_empty()))
    };
    (0..columns).map(|_| column()).collect()
}
