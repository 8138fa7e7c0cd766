//! Texts as Parquet's plain pages have them, by numbers.

use std::cell::OnceCell;
use std::ops::Range;

/// Texts, by numbers. They lie one after the other, each behind its length in four bytes.
#[derive(Debug, Default, Clone)]
pub(crate) struct Texts {
    all: Vec<u8>,
    starts: Vec<u32>,
    escaped: OnceCell<Vec<u32>>,
}

impl Texts {
    pub(super) fn read(all: Vec<u8>) -> Option<Self> {
        let mut texts = Self { all, ..Self::default() };
        texts.index(0, texts.all.is_ascii())?;
        Some(texts)
    }

    /// Adds texts as they lie in a page.
    pub(super) fn extend(&mut self, bytes: &[u8]) -> Option<()> {
        let from = self.all.len();
        self.all.extend_from_slice(bytes);
        self.index(from, bytes.is_ascii())
    }

    /// Takes all away.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.starts.clear();
        self.escaped.take();
    }

    /// Notes where texts begin, from a byte on.
    fn index(&mut self, from: usize, is_ascii: bool) -> Option<()> {
        let mut at = from;
        while at < self.all.len() {
            let length = u32::from_le_bytes(self.all.get(at..at + 4)?.try_into().ok()?) as usize;
            let text = self.all.get(at + 4..(at + 4).checked_add(length)?)?;
            if !is_ascii {
                std::str::from_utf8(text).ok()?;
            }
            self.starts.push(u32::try_from(at + 4).ok()?);
            at += 4 + length;
        }
        Some(())
    }

    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// All bytes, with those of lengths between the texts.
    pub(crate) fn all(&self) -> &[u8] {
        &self.all
    }

    /// The number of the text that has a byte, and where it ends.
    pub(crate) fn at(&self, byte: usize) -> Option<(usize, usize)> {
        let number = self.starts.partition_point(|start| *start as usize <= byte).checked_sub(1)?;
        Some((number, self.range(number).end))
    }

    fn range(&self, number: usize) -> Range<usize> {
        let end = self.starts.get(number + 1).map_or(self.all.len(), |next| *next as usize - 4);
        self.starts[number] as usize..end
    }

    /// The numbers of the texts that a line has with escapes.
    pub(crate) fn escaped(&self) -> &[u32] {
        self.escaped.get_or_init(|| {
            let lengths = |start: &u32| escapes(&self.all[*start as usize - 4..*start as usize]);
            if escapes(&self.all) == self.starts.iter().map(lengths).sum::<usize>() {
                return Vec::new();
            }
            (0..self.len() as u32).filter(|number| escapes(self.bytes(*number)) > 0).collect()
        })
    }

    /// The bytes of a text by its number.
    pub(crate) fn bytes(&self, number: u32) -> &[u8] {
        &self.all[self.range(number as usize)]
    }

    /// A text by its number.
    pub(crate) fn text(&self, number: u32) -> &str {
        // They were checked when they were read.
        std::str::from_utf8(self.bytes(number)).unwrap_or_default()
    }
}

/// How many bytes may begin what is escaped in a line: those of [`may_need_escape`], told without branches.
fn escapes(bytes: &[u8]) -> usize {
    let may_need_escape = |byte: u8| {
        (byte < 0x20)
            | (byte == b'"')
            | (byte == b'\\')
            | (byte == 0x7f)
            | (byte == 0xc2)
            | (byte == 0xd8)
            | (byte == 0xe2)
    };
    // Few enough for their count to fit in a byte, which processors add up many at a time.
    let count = |bytes: &[u8]| bytes.iter().map(|byte| u8::from(may_need_escape(*byte))).sum::<u8>();
    bytes.chunks(255).map(|bytes| usize::from(count(bytes))).sum()
}
