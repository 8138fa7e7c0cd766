//! Pieces of a file that are read one after the other, each of which has several pages.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// What is read at a time, if one page is not more: small pages come several at once. Where one piece after the other is wanted
/// each is twice as large as the one before, up to the second; those of all columns shall fit into a processor's own cache.
const FIRST: usize = 1 << 13;
const LARGEST: usize = 1 << 15;

/// Some bytes of a file, and where they begin there.
#[derive(Debug, Default)]
pub(super) struct Piece {
    start: u64,
    /// How many bytes there are in the room.
    len: usize,
    room: Vec<u8>,
}

/// Most rooms that are kept: as many columns are rarely read.
const KEPT: usize = 32;

thread_local! {
    /// Rooms of pieces that are done with.
    static IDLE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Piece {
    fn drop(&mut self) {
        if (1..=LARGEST).contains(&self.room.len()) {
            let room = std::mem::take(&mut self.room);
            IDLE.with_borrow_mut(|idle| {
                if idle.len() < KEPT {
                    idle.push(room)
                }
            });
        }
    }
}

impl Piece {
    /// Some bytes of the file, and as many of those behind them as are worth it, up to `end`.
    pub(super) fn read(&mut self, file: &File, wanted: Range<u64>, end: u64) -> io::Result<&[u8]> {
        let length = (wanted.end - wanted.start) as usize;
        let behind = self.start + self.len as u64;
        if wanted.start < self.start || wanted.end > behind {
            let goes_on = self.len > 0 && (self.start + 1..=behind).contains(&wanted.start);
            let most = if goes_on { (2 * self.len).min(LARGEST) } else { FIRST };
            let left = usize::try_from(end - wanted.start).unwrap_or(usize::MAX);
            (self.start, self.len) = (wanted.start, 0);
            let count = length.max(most).min(left);
            file.read_exact_at(self.room(count), wanted.start)?;
            self.len = count;
        }
        let start = (wanted.start - self.start) as usize;
        Ok(&self.room[start..start + length])
    }

    /// Room for so many bytes, whatever is in it.
    fn room(&mut self, count: usize) -> &mut [u8] {
        if self.room.is_empty() {
            self.room = IDLE.with_borrow_mut(Vec::pop).unwrap_or_default();
        }
        if self.room.len() < count {
            self.room = vec![0; count.max(LARGEST)];
        }
        &mut self.room[..count]
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn all_pieces_have_what_the_file_has() {
        let mut file = tempfile::tempfile().unwrap();
        let all: Vec<u8> = (0..300_000_u32).map(|byte| (byte.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        file.write_all(&all).unwrap();
        for _ in 0..2 {
            let (mut piece, end) = (Piece::default(), all.len() as u64 - 10);
            for (start, step) in [(0, 100), (5_000, 9_000), (7, 70_000), (250_000, 3)] {
                for start in (start..start + 40 * step).step_by(step).filter(|start| start + step <= all.len() - 10) {
                    let range = start as u64..(start + step) as u64;
                    assert_eq!(piece.read(&file, range, end).unwrap(), &all[start..start + step], "{start} {step}");
                }
            }
            assert!(piece.read(&file, 299_000..300_001, 300_001).is_err());
            assert_eq!(piece.read(&file, 299_000..299_001, end).unwrap(), &all[299_000..299_001]);
        }
    }
}
