//! Parquet's DELTA_BINARY_PACKED numbers, decoded.

use super::hybrid;

/// Most numbers of a block; writers use 128 or 256.
const BLOCK: usize = 1 << 16;

/// Appends `count` numbers; nothing if the bytes end before, or say nonsense.
pub(super) fn decode(bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Option<()> {
    let mut at = 0;
    let block = usize::try_from(hybrid::varint(bytes, &mut at)?).ok()?;
    let parts = usize::try_from(hybrid::varint(bytes, &mut at)?).ok()?;
    let total = usize::try_from(hybrid::varint(bytes, &mut at)?).ok()?;
    let mut value = zigzag(bytes, &mut at)?;
    if total != count || block == 0 || block > BLOCK || parts == 0 || block % parts != 0 {
        return None;
    }
    let part = block / parts;
    let mut left = count;
    out.reserve(count);
    if left > 0 {
        out.push(value);
        left -= 1;
    }
    while left > 0 {
        let least = zigzag(bytes, &mut at)?;
        let widths = bytes.get(at..at.checked_add(parts)?)?;
        at += parts;
        for &width in widths {
            if left == 0 {
                break;
            }
            let width = usize::from(width);
            let packed = bytes.get(at..)?;
            let here = part.min(left);
            if width > 64 || packed.len() < (here * width).div_ceil(8) {
                return None;
            }
            let add = |value: &mut i64, delta: u64| {
                *value = value.wrapping_add(least).wrapping_add(delta.cast_signed());
                *value
            };
            // Where eight bytes follow the beginning of each, each needs one look.
            match packed.get(..(here * width).div_ceil(8) + 8).filter(|_| (1..=57).contains(&width)) {
                Some(packed) => {
                    let mask = (1 << width) - 1;
                    out.extend((0..here).map(|position| {
                        let bit = position * width;
                        let window = packed[bit / 8..].first_chunk().copied().unwrap_or_default();
                        add(&mut value, (u64::from_le_bytes(window) >> (bit % 8)) & mask)
                    }));
                }
                None => out.extend((0..here).map(|position| add(&mut value, bits(packed, position * width, width)))),
            }
            left -= here;
            at = at.checked_add(part * width / 8)?;
        }
    }
    Some(())
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
}
