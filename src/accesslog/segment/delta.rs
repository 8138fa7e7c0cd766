//! Parquet's DELTA_BINARY_PACKED numbers, decoded.

use super::{hybrid, lanes};

/// Most numbers of a block; writers use 128 or 256.
const BLOCK: usize = 1 << 16;

/// Numbers to be decoded, of which the first was read.
struct Blocks<'b> {
    bytes: &'b [u8],
    at: usize,
    /// How many numbers share a width, and how many widths stand together.
    part: usize,
    parts: usize,
    /// The number before the next one.
    value: i64,
    left: usize,
}

/// The differences of some numbers that share a width.
struct Part<'b> {
    least: i64,
    width: usize,
    packed: &'b [u8],
    len: usize,
}

impl<'b> Blocks<'b> {
    /// Reads the first of `count` numbers, if there are so many.
    fn open(bytes: &'b [u8], count: usize) -> Option<Self> {
        let mut at = 0;
        let block = usize::try_from(hybrid::varint(bytes, &mut at)?).ok()?;
        let parts = usize::try_from(hybrid::varint(bytes, &mut at)?).ok()?;
        let total = usize::try_from(hybrid::varint(bytes, &mut at)?).ok()?;
        let value = zigzag(bytes, &mut at)?;
        if total != count || block == 0 || block > BLOCK || parts == 0 || block % parts != 0 {
            return None;
        }
        Some(Self { bytes, at, part: block / parts, parts, value, left: count.saturating_sub(1) })
    }

    /// Shows the parts of the numbers behind the first; nothing if the bytes end before, or say nonsense.
    fn each(&mut self, mut see: impl FnMut(&mut i64, &Part<'b>) -> Option<()>) -> Option<()> {
        while self.left > 0 {
            let least = zigzag(self.bytes, &mut self.at)?;
            let widths = self.bytes.get(self.at..self.at.checked_add(self.parts)?)?;
            self.at += self.parts;
            for &width in widths {
                if self.left == 0 {
                    break;
                }
                let (width, len) = (usize::from(width), self.part.min(self.left));
                let packed = self.bytes.get(self.at..)?;
                if width > 64 || packed.len() < (len * width).div_ceil(8) {
                    return None;
                }
                see(&mut self.value, &Part { least, width, packed, len })?;
                self.left -= len;
                self.at = self.at.checked_add(self.part * width / 8)?;
            }
        }
        Some(())
    }
}

impl Part<'_> {
    /// Shows its numbers, given the one before them.
    fn numbers(&self, value: &mut i64, mut see: impl FnMut(i64)) {
        let Self { least, width, packed, len } = *self;
        let mut add = |delta: u64| {
            *value = value.wrapping_add(least).wrapping_add(delta.cast_signed());
            see(*value);
        };
        // Where eight bytes follow the beginning of each, each needs one look.
        match packed.get(..(len * width).div_ceil(8) + 8).filter(|_| (1..=57).contains(&width)) {
            Some(packed) => {
                let mask = (1 << width) - 1;
                for position in 0..len {
                    let bit = position * width;
                    let window = packed[bit / 8..].first_chunk().copied().unwrap_or_default();
                    add((u64::from_le_bytes(window) >> (bit % 8)) & mask);
                }
            }
            None => (0..len).for_each(|position| add(bits(packed, position * width, width))),
        }
    }

    /// Passes over its numbers, given the one before them. What lies between them does not depend on each other.
    fn pass(&self, value: &mut i64) {
        let Self { least, width, packed, len } = *self;
        match lanes::sum(packed, width, len) {
            Some(sum) => {
                *value = value.wrapping_add(least.wrapping_mul(len as i64)).wrapping_add(sum.cast_signed());
            }
            None => self.numbers(value, |_| ()),
        }
    }
}

/// Appends `count` numbers; nothing if the bytes end before, or say nonsense.
pub(super) fn decode(bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Option<()> {
    let mut blocks = Blocks::open(bytes, count)?;
    out.reserve(count);
    if count > 0 {
        out.push(blocks.value);
    }
    blocks.each(|value, part| {
        part.numbers(value, |number| out.push(number));
        Some(())
    })
}

/// Puts the numbers at some places, which ascend, of `count` into `out`; nothing if the bytes end before, or say nonsense.
pub(super) fn pick(bytes: &[u8], count: usize, mut places: impl Iterator<Item = usize>, out: &mut [i64]) -> Option<()> {
    let (mut blocks, mut wanted, mut next) = (Blocks::open(bytes, count)?, places.next(), 1);
    if wanted == Some(0) {
        *out.first_mut()? = blocks.value;
        wanted = places.next();
    }
    blocks.each(|value, part| {
        let behind = next + part.len;
        if wanted.is_some_and(|place| place < behind) {
            let (mut place, mut is_right) = (next, true);
            part.numbers(value, |number| {
                if wanted == Some(place) {
                    match out.get_mut(place) {
                        Some(out) => *out = number,
                        None => is_right = false,
                    }
                    wanted = places.next();
                }
                place += 1;
            });
            next = behind;
            return is_right.then_some(());
        }
        part.pass(value);
        next = behind;
        Some(())
    })?;
    wanted.is_none().then_some(())
}

/// The number of at most 64 bits at a bit.
fn bits(packed: &[u8], bit: usize, width: usize) -> u64 {
    if width == 0 {
        return 0;
    }
    let (byte, shift) = (bit / 8, bit % 8);
    if let (0..=57, Some(window)) = (width, packed.get(byte..byte + 8).and_then(|eight| eight.first_chunk())) {
        return (u64::from_le_bytes(*window) >> shift) & ((1 << width) - 1);
    }
    let mut window = [0; 16];
    let end = (byte + 16).min(packed.len());
    window[..end - byte].copy_from_slice(&packed[byte..end]);
    let value = u128::from_le_bytes(window) >> shift;
    (value & ((1_u128 << width) - 1)) as u64
}

fn zigzag(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let value = hybrid::varint(bytes, at)?;
    Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formats_own_examples_are_read() {
        // 1, 2, 3, 4, 5: all deltas are 1, so no bits are needed.
        let same = [128, 1, 4, 5, 2, 2, 0, 0, 0, 0];
        let mut out = Vec::new();
        assert_eq!(decode(&same, 5, &mut out), Some(()));
        assert_eq!(out, [1, 2, 3, 4, 5]);
        // 7, 5, 3, 1, 2, 3, 4, 5: least delta -2, then 0 0 0 3 3 3 3 in two bits each.
        let mut varied = vec![128, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0b1100_0000, 0b0011_1111];
        varied.extend([0; 6]);
        out.clear();
        assert_eq!(decode(&varied, 8, &mut out), Some(()));
        assert_eq!(out, [7, 5, 3, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn what_is_cut_short_or_nonsense_is_no_answer() {
        for bytes in [&[][..], &[128, 1, 4, 5][..], &[128, 1, 0, 5, 2][..], &[128, 1, 4, 5, 2, 2, 65, 0, 0, 0][..]] {
            assert_eq!(decode(bytes, 5, &mut Vec::new()), None, "{bytes:?}");
        }
    }

    /// Numbers as writers have them: blocks of 128 in four parts.
    fn encoded(numbers: &[i64]) -> Vec<u8> {
        let zigzag = |value: i64, out: &mut Vec<u8>| {
            hybrid::push_varint(((value << 1) ^ (value >> 63)).cast_unsigned(), out);
        };
        let mut out = vec![128, 1, 4];
        hybrid::push_varint(numbers.len() as u64, &mut out);
        zigzag(numbers[0], &mut out);
        let deltas: Vec<i64> = numbers.windows(2).map(|two| two[1].wrapping_sub(two[0])).collect();
        for block in deltas.chunks(128) {
            let least = *block.iter().min().unwrap();
            zigzag(least, &mut out);
            let over: Vec<u64> = block.iter().map(|delta| delta.wrapping_sub(least).cast_unsigned()).collect();
            let parts: Vec<&[u64]> = (0..4).map(|part| over.chunks(32).nth(part).unwrap_or_default()).collect();
            let widths: Vec<u32> =
                parts.iter().map(|part| 64 - part.iter().max().map_or(64, |most| most.leading_zeros())).collect();
            out.extend(widths.iter().map(|width| *width as u8));
            for (part, width) in parts.iter().zip(&widths) {
                let mut bits: Vec<bool> =
                    part.iter().flat_map(|delta| (0..*width).map(move |bit| delta >> bit & 1 == 1)).collect();
                bits.resize(32 * *width as usize, false);
                out.extend(
                    bits.chunks(8).map(|eight| eight.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit))),
                );
            }
        }
        out
    }

    #[test]
    fn a_number_is_found_where_decoding_puts_it() {
        let mut random = 1_u64;
        for bits in [0, 1, 7, 18, 31, 32, 33, 60, 64] {
            let mut value = 0_i64;
            let numbers: Vec<i64> = (0..1000)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    value = value.wrapping_add(random.checked_shr(64 - bits).unwrap_or_default().cast_signed());
                    value
                })
                .collect();
            let bytes = encoded(&numbers);
            let mut all = Vec::new();
            assert_eq!((decode(&bytes, 1000, &mut all), &all), (Some(()), &numbers), "{bits}");
            for (from, step) in [(0, 1), (0, 7), (5, 40), (999, 1), (31, 32), (32, 33), (3, 400)] {
                let mut out = vec![0; 1000];
                let places = || (from..1000).step_by(step);
                assert_eq!(pick(&bytes, 1000, places(), &mut out), Some(()), "{bits}");
                assert!(places().all(|place| out[place] == numbers[place]), "{bits}: {from} and every {step}");
            }
            assert_eq!(pick(&bytes, 1000, [1000].into_iter(), &mut vec![0; 1001]), None);
            assert_eq!(pick(&bytes[..bytes.len() / 2], 1000, [1].into_iter(), &mut vec![0; 1000]), None);
        }
    }
}
