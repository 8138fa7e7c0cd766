//! Between which texts the parts of a dictionary lie whose texts are in order, and which bytes these have: often that tells what
//! a pattern comes to for all texts of a part, without reading it.
//!
//! They lie between the columns and the footer of the file like the [`counts`](super::counts), and the file's metadata say where.
//! For each column that has them: its number, 32 bytes with a bit for each byte that occurs, how many fences there are, and of
//! each its length and bytes. Numbers are varints.

use super::dictionary::PART;
use super::hybrid::{push_varint, varint};
use crate::expr::may_need_escape;

/// The key of the file's metadata that says where they lie: offset and length.
pub(super) const KEY: &str = "egressctl.fences";

/// Bytes of a text that are kept.
const LONGEST: usize = 64;

/// Bytes that all of them may take, when they are read.
const MOST_BYTES: usize = 1 << 22;

/// The fences of a dictionary.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fences {
    /// What the first text of each part begins with, and the last text of all.
    texts: Vec<Vec<u8>>,
    /// Whether a byte occurs.
    bytes: [bool; 256],
}

/// What is known of the texts of a part: none is less than `low` or greater than a text that begins with `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Between<'f> {
    pub(crate) low: &'f [u8],
    pub(crate) high: &'f [u8],
}

impl Fences {
    /// Those of texts in order; nothing where lines have them with escapes, and so not as they are.
    pub(crate) fn of<'t>(texts: impl ExactSizeIterator<Item = &'t str>) -> Option<Self> {
        let (mut fences, mut bytes, last) = (Vec::new(), [false; 256], texts.len().checked_sub(1)?);
        for (number, text) in texts.enumerate() {
            text.bytes().for_each(|byte| bytes[usize::from(byte)] = true);
            if number % PART == 0 || number == last {
                fences.push(text.as_bytes()[..text.len().min(LONGEST)].to_vec());
            }
        }
        if last % PART == 0 {
            // It is the first of its part too.
            fences.extend(fences.last().cloned());
        }
        let is_escaped = (0..=u8::MAX).any(|byte| bytes[usize::from(byte)] && may_need_escape(byte));
        (!is_escaped).then_some(Self { texts: fences, bytes })
    }

    /// How many parts there are.
    pub(crate) fn parts(&self) -> usize {
        self.texts.len() - 1
    }

    /// Between what the texts of a part lie.
    pub(crate) fn part(&self, part: usize) -> Between<'_> {
        Between { low: &self.texts[part], high: &self.texts[part + 1] }
    }

    /// How many texts each part has, if there are so many in all.
    pub(crate) fn parts_of(&self, texts: usize) -> impl Iterator<Item = usize> {
        (0..self.parts()).map(move |part| texts.saturating_sub(part * PART).min(PART))
    }

    /// The bytes that occur, of those between two, both included.
    pub(crate) fn bytes(&self, least: u8, most: u8) -> impl Iterator<Item = u8> + '_ {
        (least..=most).filter(|byte| self.bytes[usize::from(*byte)])
    }

    fn push(&self, out: &mut Vec<u8>) {
        out.extend(
            self.bytes
                .chunks(8)
                .map(|eight| eight.iter().zip(0..).fold(0, |bits, (occurs, bit)| bits | u8::from(*occurs) << bit)),
        );
        push_varint(self.texts.len() as u64, out);
        for text in &self.texts {
            push_varint(text.len() as u64, out);
            out.extend_from_slice(text);
        }
    }

    fn take(bytes: &[u8], at: &mut usize) -> Option<Self> {
        let number = |at: &mut usize| usize::try_from(varint(bytes, at)?).ok();
        let bits = bytes.get(*at..*at + 32)?;
        *at += 32;
        let occurs = std::array::from_fn(|byte| bits[byte / 8] >> (byte % 8) & 1 == 1);
        // Each takes a byte at least.
        let count = number(at).filter(|count| (2..=bytes.len()).contains(count))?;
        let texts = (0..count).map(|_| {
            let length = number(at).filter(|length| *length <= LONGEST)?;
            let end = at.checked_add(length)?;
            let text = bytes.get(*at..end)?.to_vec();
            *at = end;
            Some(text)
        });
        Some(Self { texts: texts.collect::<Option<_>>()?, bytes: occurs })
    }
}

/// What is written of some columns.
pub(super) fn to_bytes(columns: &[(usize, Fences)]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (column, fences) in columns {
        push_varint(*column as u64, &mut bytes);
        fences.push(&mut bytes);
    }
    zstd::bulk::compress(&bytes, 3)
}

/// What was written; nothing if it was something else.
pub(super) fn read(packed: &[u8]) -> Option<Vec<(usize, Fences)>> {
    let bytes = zstd::bulk::decompress(packed, MOST_BYTES).ok()?;
    let (mut at, mut columns) = (0, Vec::new());
    while at < bytes.len() {
        let column = usize::try_from(varint(&bytes, &mut at)?).ok()?;
        columns.push((column, Fences::take(&bytes, &mut at)?));
    }
    Some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fences(texts: &[String]) -> Option<Fences> {
        Fences::of(texts.iter().map(String::as_str))
    }

    #[test]
    fn all_texts_of_a_part_lie_between_its_fences() {
        for count in [1, 2, PART, PART + 1, 3 * PART, 3 * PART + 7] {
            let long = "x".repeat(LONGEST);
            let texts: Vec<String> =
                (0..count).map(|n| format!("{}{n:06}", if n % 2000 > 1500 { &long } else { "/" })).collect();
            let mut texts = texts;
            texts.sort();
            let fences = fences(&texts).unwrap();
            assert_eq!(fences.parts(), count.div_ceil(PART));
            for (part, texts) in texts.chunks(PART).enumerate() {
                let Between { low, high } = fences.part(part);
                for text in texts.iter().map(String::as_bytes) {
                    assert!(text >= low && (text <= high || text.starts_with(high)), "{count} {part}");
                }
                assert!(texts[0].as_bytes().starts_with(low));
            }
            assert_eq!(
                fences.bytes(b'.', b'1').collect::<Vec<_>>(),
                if count == 1 { vec![b'/', b'0'] } else { vec![b'/', b'0', b'1'] }
            );
            let written = to_bytes(&[(7, fences)]).unwrap();
            let read = read(&written).unwrap();
            assert_eq!(read, [(7, self::fences(&texts).unwrap())]);
        }
    }

    #[test]
    fn texts_with_escapes_have_none_and_nonsense_is_none() {
        assert_eq!(fences(&["a\"b".to_owned()]), None);
        assert_eq!(fences(&[]), None);
        let written =
            zstd::bulk::decompress(&to_bytes(&[(3, fences(&["a".to_owned()]).unwrap())]).unwrap(), 1000).unwrap();
        for end in 1..written.len() {
            assert_eq!(read(&zstd::bulk::compress(&written[..end], 3).unwrap()), None, "{end}");
        }
        assert_eq!(read(b"nonsense"), None);
    }
}
