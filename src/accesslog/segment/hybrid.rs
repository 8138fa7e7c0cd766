//! Parquet's run-length and bit-packed numbers (the format's "RLE / Bit-Packing Hybrid").

use std::ops::{Range, RangeInclusive};

use super::lanes;

/// The shortest run that is written as one, a multiple of eight. Shorter ones are read sooner among packed numbers.
const RUN: usize = 32;

/// The same of numbers of few bits, of which many lie in the bytes that a run takes, and which compress better without runs
/// between them. What has a bit of its own mostly has long runs.
const NARROW_RUN: usize = 512;
const FEW_BITS: RangeInclusive<u32> = 2..=4;

/// How many bits it takes to tell so many numbers apart.
pub(super) fn width(numbers: usize) -> u32 {
    usize::BITS - numbers.saturating_sub(1).leading_zeros()
}

/// Appends numbers of `width` bits.
pub(super) fn encode(numbers: &[u32], width: u32, out: &mut Vec<u8>) {
    // What lies between is packed. A run begins behind a whole number of eights, as only those can be packed.
    let (mut packed, mut at) = (0, 0);
    let shortest = if FEW_BITS.contains(&width) { NARROW_RUN } else { RUN };
    while at < numbers.len() {
        let value = numbers[at];
        let run = numbers[at..].iter().take_while(|number| **number == value).count();
        if run < shortest {
            at += (run / 8 * 8).max(8).min(numbers.len() - at);
            continue;
        }
        pack(&numbers[packed..at], width, out);
        push_varint((run as u64) << 1, out);
        out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8) as usize]);
        at += run;
        packed = at;
    }
    pack(&numbers[packed..], width, out);
}

/// Appends one stretch of packed numbers, filled up with zeros to a multiple of eight.
fn pack(numbers: &[u32], width: u32, out: &mut Vec<u8>) {
    if numbers.is_empty() {
        return;
    }
    let eights = numbers.len().div_ceil(8);
    push_varint((eights as u64) << 1 | 1, out);
    let end = out.len() + eights * width as usize;
    let (mut bits, mut held) = (0_u64, 0);
    for number in numbers {
        bits |= u64::from(*number) << held;
        held += width;
        while held >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            held -= 8;
        }
    }
    if held > 0 {
        out.push(bits as u8);
    }
    out.resize(end, 0);
}

pub(super) fn push_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends the numbers in some places of those of `width` bits; nothing if the bytes end before, or say nonsense.
pub(super) fn decode(bytes: &[u8], width: u32, places: Range<usize>, out: &mut Vec<u32>) -> Option<()> {
    if width > 32 {
        return None;
    }
    let (mut at, mut before) = (0, 0_usize);
    while before < places.end {
        let header = varint(bytes, &mut at)?;
        let run = usize::try_from(header >> 1).ok()?;
        if header & 1 == 1 {
            let values = run.checked_mul(8)?;
            let length = run.checked_mul(width as usize)?;
            let packed = bytes.get(at..at.checked_add(length)?.min(bytes.len()))?;
            let behind = before.checked_add(values)?;
            let here = places.start.max(before)..places.end.min(behind);
            if here.start < here.end {
                unpack(packed, width, here.start - before..here.end - before, out)?;
            }
            at += length;
            before = behind;
        } else {
            let bytes_wide = width.div_ceil(8) as usize;
            let mut value = [0; 4];
            value[..bytes_wide].copy_from_slice(bytes.get(at..at + bytes_wide)?);
            at += bytes_wide;
            let behind = before.checked_add(run).filter(|behind| *behind > before)?;
            let here = places.end.min(behind).saturating_sub(places.start.max(before));
            out.resize(out.len() + here, u32::from_le_bytes(value));
            before = behind;
        }
    }
    Some(())
}

/// Puts the numbers at some places, which ascend, of `count` into `out`, which begins with the one at the place `first`; nothing
/// if the bytes end before, or say nonsense.
pub(super) fn pick(
    bytes: &[u8],
    width: u32,
    count: usize,
    (first, mut places): (usize, impl Iterator<Item = usize>),
    out: &mut [u32],
) -> Option<()> {
    if width > 32 {
        return None;
    }
    let (mut at, mut before, mut next) = (0, 0_usize, places.next());
    while let Some(place) = next {
        if place >= count {
            return None;
        }
        let header = varint(bytes, &mut at)?;
        let run = usize::try_from(header >> 1).ok()?.checked_mul(if header & 1 == 1 { 8 } else { 1 })?;
        let behind = before.checked_add(run).filter(|behind| *behind > before)?;
        if header & 1 == 1 {
            let length = (run / 8).checked_mul(width as usize)?;
            let packed = bytes.get(at..at.checked_add(length)?.min(bytes.len()))?;
            while let Some(place) = next.filter(|place| *place < behind) {
                *out.get_mut(place.checked_sub(first)?)? =
                    packed_number(packed, width as usize, place.checked_sub(before)?)?;
                next = places.next();
            }
            at += length;
        } else {
            let bytes_wide = width.div_ceil(8) as usize;
            let mut value = [0; 4];
            value[..bytes_wide].copy_from_slice(bytes.get(at..at + bytes_wide)?);
            at += bytes_wide;
            while let Some(place) = next.filter(|place| *place < behind) {
                *out.get_mut(place.checked_sub(first)?)? = u32::from_le_bytes(value);
                next = places.next();
            }
        }
        before = behind;
    }
    Some(())
}

/// The number at a place among packed ones.
fn packed_number(packed: &[u8], width: usize, place: usize) -> Option<u32> {
    let bit = place * width;
    if packed.len() < (bit + width).div_ceil(8) {
        return None;
    }
    let rest = &packed[bit / 8..];
    let window = rest.first_chunk().copied().unwrap_or_else(|| {
        let mut window = [0; 8];
        window[..rest.len()].copy_from_slice(rest);
        window
    });
    // At most 39 bits lie between the byte's start and the number's end.
    Some(((u64::from_le_bytes(window) >> (bit % 8)) & ((1_u64 << width) - 1)) as u32)
}

pub(super) fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn unpack(packed: &[u8], width: u32, places: Range<usize>, out: &mut Vec<u32>) -> Option<()> {
    if width == 0 {
        out.resize(out.len() + places.len(), 0);
        return Some(());
    }
    if packed.len() < places.end.checked_mul(width as usize)?.div_ceil(8) {
        return None;
    }
    let aligned = places.start.next_multiple_of(8).min(places.end);
    for place in places.start..aligned {
        out.push(packed_number(packed, width as usize, place)?);
    }
    let (packed, count, start) = (&packed[aligned / 8 * width as usize..], places.end - aligned, out.len());
    out.resize(start + count, 0);
    // Eight numbers lie in as many bytes as one has bits; while eight more bytes follow, each needs one look.
    let whole = packed.len().saturating_sub(8) / width as usize * 8;
    let (fast, slow) = out[start..].split_at_mut(whole.min(count) / 8 * 8);
    lanes::unpack(packed, width, fast);
    let done = count - slow.len();
    for (position, number) in slow.iter_mut().enumerate() {
        *number = packed_number(packed, width as usize, done + position)?;
    }
    Some(())
}

/// Unpacks numbers, in eights, with code for each width. Behind them eight more bytes have to follow.
pub(super) fn unpack_eights(packed: &[u8], width: u32, out: &mut [u32]) {
    macro_rules! by_width {
        ($($width:literal)*) => {
            match width {
                $($width => eights::<$width>(packed, out),)*
                _ => {}
            }
        };
    }
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
}

fn eights<const WIDTH: usize>(packed: &[u8], out: &mut [u32]) {
    let mask = (1_u64 << WIDTH) - 1;
    let (eights, _) = out.as_chunks_mut::<8>();
    for (place, eight) in eights.iter_mut().enumerate() {
        let Some(packed) = packed.get(place * WIDTH..place * WIDTH + WIDTH + 8) else { return };
        for (position, number) in eight.iter_mut().enumerate() {
            let bit = position * WIDTH;
            let window = packed[bit / 8..].first_chunk().copied().unwrap_or_default();
            // At most 39 bits lie between the byte's start and the number's end.
            *number = ((u64::from_le_bytes(window) >> (bit % 8)) & mask) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], width: u32, count: usize) -> Option<Vec<u32>> {
        let mut out = Vec::new();
        decode(bytes, width, 0..count, &mut out).map(|()| out)
    }

    #[test]
    fn runs_and_packed_numbers_follow_each_other() {
        // The format's own example: 0 to 7 in three bits each.
        let packed = [0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        assert_eq!(decoded(&packed, 3, 8), Some((0..8).collect()));
        let run = [10 << 1, 5];
        let both: Vec<u8> = run.iter().chain(&packed).copied().collect();
        let expected: Vec<u32> = [5; 10].into_iter().chain(0..8).collect();
        assert_eq!(decoded(&both, 3, 18), Some(expected));
        assert_eq!(decoded(&[9, 0xff], 0, 32), Some(vec![0; 32]));
    }

    #[test]
    fn numbers_of_all_widths_come_back() {
        let runs = |lengths: &[usize], most: u32| -> Vec<u32> {
            let numbers = lengths.iter().zip(0..).flat_map(|(length, number)| vec![number * 7919; *length]);
            numbers.map(|number: u32| number % most.max(1)).collect()
        };
        for most in [1, 2, 3, 8, 255, 256, 257, 70_000, u32::MAX] {
            for lengths in [&[1; 40][..], &[8, 32, 3, 80], &[3, 9, 1, 1, 1, 1, 1, 40], &[4096], &[1; 5], &[]] {
                let (numbers, width) = (runs(lengths, most), width(most as usize));
                let mut bytes = Vec::new();
                encode(&numbers, width, &mut bytes);
                assert_eq!(decoded(&bytes, width, numbers.len()), Some(numbers), "{most} {lengths:?}");
            }
        }
        assert_eq!([0, 1, 2, 3, 4, 5, 256, 257].map(width), [0, 0, 1, 2, 2, 3, 8, 9]);
    }

    #[test]
    fn what_is_cut_short_or_nonsense_is_no_answer() {
        for (bytes, width, count) in
            [(&[][..], 3, 1), (&[0b11, 1][..], 3, 8), (&[4][..], 8, 2), (&[0, 1][..], 8, 1), (&[0xff; 12][..], 33, 1)]
        {
            assert_eq!(decoded(bytes, width, count), None, "{bytes:?}");
            assert_eq!(pick(bytes, width, count, (0, [count - 1].into_iter()), &mut vec![0; count]), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_number_is_found_where_decoding_puts_it() {
        let mut bytes = vec![20 << 1, 9, 1];
        for round in 0..3_u8 {
            bytes.push((5 << 1) | 1);
            bytes.extend((0..55).map(|byte: u8| byte.wrapping_mul(37).wrapping_add(round)));
            bytes.extend([7 << 1, round, 2]);
        }
        let count = 20 + 3 * 47;
        let all = decoded(&bytes, 11, count).unwrap();
        for step in [1, 2, 7, 40, 150] {
            let mut out = vec![u32::MAX; count];
            pick(&bytes, 11, count, (0, (0..count).step_by(step)), &mut out).unwrap();
            for place in (0..count).step_by(step) {
                assert_eq!(out[place], all[place], "{place} of every {step}");
            }
            for (first, end) in [(0, 20), (3, 19), (20, 60), (21, 83), (25, 26), (59, 67), (60, count), (count, count)]
            {
                let (mut some, mut picked) = (vec![7], vec![u32::MAX; end - first]);
                decode(&bytes, 11, first..end, &mut some).unwrap();
                assert_eq!(some[1..], all[first..end]);
                pick(&bytes, 11, count, (first, (first..end).step_by(step)), &mut picked).unwrap();
                for place in (first..end).step_by(step) {
                    assert_eq!(picked[place - first], all[place], "{place} of every {step} from {first} on");
                }
            }
        }
    }
}
