//! Bytes that are taken one after the other, and the texts among them.

use super::numbers::{self, Numbers};
use crate::accesslog::segment::hybrid::{push_varint, varint};

/// What is left of them. Taking more than there is takes nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'b> {
    bytes: &'b [u8],
}

impl<'b> Input<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    pub(super) fn chunk<const N: usize>(&mut self) -> Option<&'b [u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(taken)
    }

    /// A number of things, of which there may be so many.
    pub(super) fn count(&mut self, most: usize) -> Option<usize> {
        let mut at = 0;
        let count = varint(self.bytes, &mut at)?;
        self.bytes = &self.bytes[at..];
        usize::try_from(count).ok().filter(|count| *count <= most)
    }

    /// Some texts: how many, how long all are, how long each, and all of them one after the other.
    pub(super) fn texts(&mut self, most: usize) -> Option<Vec<&'b str>> {
        let (count, length) = (self.count(most)?, self.count(self.bytes.len())?);
        let lengths = Numbers::take_below(self, count, length + 1)?;
        let mut rest = std::str::from_utf8(self.bytes(length)?).ok()?;
        let (mut texts, mut are_there) = (Vec::new(), true);
        lengths.extend(&mut texts, |length| {
            let (text, after) = rest.split_at_checked(length as usize).unwrap_or_else(|| {
                are_there = false;
                ("", "")
            });
            rest = after;
            text
        });
        (are_there && rest.is_empty()).then_some(texts)
    }
}

/// Writes texts by their lengths and what they are one after the other.
pub(super) fn push_texts<'t>(
    lengths: impl Iterator<Item = usize> + Clone,
    texts: impl Iterator<Item = &'t str>,
    out: &mut Vec<u8>,
) {
    push_varint(lengths.clone().count() as u64, out);
    push_varint(lengths.clone().sum::<usize>() as u64, out);
    numbers::push(lengths.map(|length| length as i64), out);
    texts.for_each(|text| out.extend_from_slice(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_and_what_is_none_does_not() {
        for texts in [&[][..], &[""], &["a", "", "f\u{fc}r", "a"], &["one that is longer than the others"; 300]] {
            let mut bytes = Vec::new();
            push_texts(texts.iter().map(|text| text.len()), texts.iter().copied(), &mut bytes);
            assert_eq!(Input::new(&bytes).texts(texts.len()).unwrap(), texts);
            assert!(Input::new(&bytes[..bytes.len() - 1]).texts(texts.len()).is_none());
            if let Some(fewer) = texts.len().checked_sub(1) {
                assert!(Input::new(&bytes).texts(fewer).is_none());
            }
        }
        // Lengths that cut a character, that go too far, and that do not go to the end.
        let text = "f\u{fc}";
        for (lengths, are_texts) in [([1, 2], true), ([2, 1], false), ([3, 1], false), ([1, 1], false)] {
            let mut bytes = vec![2, 3];
            numbers::push(lengths.into_iter(), &mut bytes);
            bytes.extend_from_slice(text.as_bytes());
            assert_eq!(Input::new(&bytes).texts(2).is_some(), are_texts, "{lengths:?}");
        }
    }
}
