//! Texts as Parquet's plain pages have them, by numbers.

use std::cell::OnceCell;
use std::ops::Range;

/// Texts, by numbers. They lie one after the other, each behind four bytes of zero, in the place of its length: all of it is one
/// text then, which is checked once.
#[derive(Debug, Default, Clone)]
pub(crate) struct Texts {
    all: String,
    starts: Vec<u32>,
    escaped: OnceCell<Vec<u32>>,
}

/// Bytes before each text.
const GAP: usize = 4;

impl Texts {
    /// Takes texts as they lie in a page; nothing if they are none.
    pub(super) fn read(page: Vec<u8>) -> Option<Self> {
        let mut texts = Self::default();
        texts.all = texts.index(page)?;
        Some(texts)
    }

    /// Adds texts as they lie in a page.
    pub(super) fn extend(&mut self, page: &[u8]) -> Option<()> {
        let more = self.index(page.to_vec())?;
        self.all.push_str(&more);
        Some(())
    }

    /// Takes all away.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.starts.clear();
        self.escaped.take();
    }

    /// Notes where texts begin that are to stand behind all others, and takes their lengths out.
    fn index(&mut self, mut page: Vec<u8>) -> Option<String> {
        let mut at = 0;
        while at < page.len() {
            let length = page[at..].first_chunk_mut::<GAP>()?;
            let end = (at + GAP).checked_add(u32::from_le_bytes(std::mem::take(length)) as usize)?;
            self.starts.push(u32::try_from(self.all.len() + at + GAP).ok()?);
            at = end;
        }
        if at == page.len() { String::from_utf8(page).ok() } else { None }
    }

    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// All bytes, with those between the texts.
    pub(crate) fn all(&self) -> &[u8] {
        self.all.as_bytes()
    }

    /// The number of the text that has a byte, and where it ends.
    pub(crate) fn at(&self, byte: usize) -> Option<(usize, usize)> {
        let number = self.starts.partition_point(|start| *start as usize <= byte).checked_sub(1)?;
        Some((number, self.range(number).end))
    }

    fn range(&self, number: usize) -> Range<usize> {
        let end = self.starts.get(number + 1).map_or(self.all.len(), |next| *next as usize - GAP);
        self.starts[number] as usize..end
    }

    /// The numbers of the texts that a line has with escapes.
    pub(crate) fn escaped(&self) -> &[u32] {
        self.escaped.get_or_init(|| {
            if escapes(self.all()) == GAP * self.len() {
                return Vec::new();
            }
            (0..self.len() as u32).filter(|number| escapes(self.bytes(*number)) > 0).collect()
        })
    }

    /// The bytes of a text by its number.
    pub(crate) fn bytes(&self, number: u32) -> &[u8] {
        &self.all.as_bytes()[self.range(number as usize)]
    }

    /// A text by its number.
    pub(crate) fn text(&self, number: u32) -> &str {
        &self.all[self.range(number as usize)]
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
