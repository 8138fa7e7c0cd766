//! Numbers eight at a time, on processors with vectors of eight (AVX2); elsewhere, and at the ends, one by one.

use super::hybrid;

/// The most bits of a number that lies within four bytes wherever it begins.
const WIDEST: usize = 25;

/// Unpacks numbers of `width` bits, in eights. Behind them eight more bytes have to follow.
pub(super) fn unpack(packed: &[u8], width: u32, out: &mut [u32]) {
    let done = by_vectors::unpack(packed, width as usize, out);
    hybrid::unpack_eights(packed.get(done / 8 * width as usize..).unwrap_or_default(), width, &mut out[done..]);
}

/// The sum of so many packed numbers, if it can be told without looking at each. Behind them eight more bytes have to follow.
pub(super) fn sum(packed: &[u8], width: usize, count: usize) -> Option<u64> {
    const MOST: usize = 64;
    let fits = count <= MOST && count.is_multiple_of(8) && packed.len() >= count * width / 8 + 8;
    if !fits || !(1..=32).contains(&width) {
        return None;
    }
    let (sum, done) = by_vectors::sum(packed, width, count);
    let mut numbers = [0; MOST];
    let rest = &mut numbers[..count - done];
    hybrid::unpack_eights(&packed[done / 8 * width..], width as u32, rest);
    Some(sum + rest.iter().map(|number| u64::from(*number)).sum::<u64>())
}

/// For each number whether the bit of its value is set in `wanted`, in words of 64, the first number's bit the lowest. Values
/// from 32 on have none.
pub(crate) fn select(numbers: &[u32], wanted: u32, words: &mut Vec<u64>) {
    words.clear();
    words.reserve(numbers.len().div_ceil(64));
    let done = by_vectors::select(numbers, wanted, words);
    for numbers in numbers[done..].chunks(64) {
        let is_wanted = |number: u32| u64::from(wanted.checked_shr(number).unwrap_or(0) & 1);
        words.push(numbers.iter().rev().fold(0, |word, number| word << 1 | is_wanted(*number)));
    }
}

#[cfg(target_arch = "x86_64")]
mod by_vectors {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_loadu_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_castsi256_ps, _mm256_loadu_si256,
        _mm256_movemask_ps, _mm256_set_m128i, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_shuffle_epi8,
        _mm256_slli_epi32, _mm256_srlv_epi32, _mm256_storeu_si256,
    };

    use super::WIDEST;

    /// As many of the numbers as can be; how many were.
    pub(super) fn unpack(packed: &[u8], width: usize, out: &mut [u32]) -> usize {
        if !(1..=WIDEST).contains(&width) || !is_x86_feature_detected!("avx2") {
            return 0;
        }
        // SAFETY: the processor has what the function is compiled for.
        #[allow(unsafe_code)]
        unsafe {
            unpack_all(packed, width, out)
        }
    }

    /// The sum of as many of at most 64 numbers as can be, and how many those are.
    pub(super) fn sum(packed: &[u8], width: usize, count: usize) -> (u64, usize) {
        if !(1..=WIDEST).contains(&width) || !is_x86_feature_detected!("avx2") {
            return (0, 0);
        }
        // SAFETY: the processor has what the function is compiled for.
        #[allow(unsafe_code)]
        unsafe {
            sum_all(packed, width, count)
        }
    }

    /// As many of the numbers as can be, of whole words; how many were.
    pub(super) fn select(numbers: &[u32], wanted: u32, words: &mut Vec<u64>) -> usize {
        if !is_x86_feature_detected!("avx2") {
            return 0;
        }
        // SAFETY: the processor has what the function is compiled for.
        #[allow(unsafe_code)]
        unsafe {
            select_all(numbers, wanted, words)
        }
    }

    /// Which bytes go where, for each width: four numbers each from two places, the second [`half`] behind the first.
    static PLACES: [[u8; 32]; WIDEST + 1] = {
        let mut all = [[0; 32]; WIDEST + 1];
        let mut width = 1;
        while width <= WIDEST {
            let mut byte = 0;
            while byte < 32 {
                let bit = begins(byte / 4, width);
                all[width][byte] = (bit / 8 + byte % 4) as u8;
                byte += 1;
            }
            width += 1;
        }
        all
    };

    /// By how many bits each number is to be shifted then.
    static SHIFTS: [[u32; 8]; WIDEST + 1] = {
        let mut all = [[0; 8]; WIDEST + 1];
        let mut width = 1;
        while width <= WIDEST {
            let mut number = 0;
            while number < 8 {
                all[width][number] = (begins(number, width) % 8) as u32;
                number += 1;
            }
            width += 1;
        }
        all
    };

    /// The bit with which one of eight numbers begins, behind the bytes that are read for it and those beside it.
    const fn begins(number: usize, width: usize) -> usize {
        if number < 4 { number * width } else { (number - 4) * width + 4 * width % 8 }
    }

    /// Whole bytes of four numbers.
    const fn half(width: usize) -> usize {
        4 * width / 8
    }

    /// How eight numbers of a width are taken out of their bytes.
    struct Eights {
        width: usize,
        places: __m256i,
        shifts: __m256i,
        mask: __m256i,
    }

    impl Eights {
        #[target_feature(enable = "avx2")]
        fn of(width: usize) -> Self {
            let mask = _mm256_set1_epi32(((1_u32 << width) - 1).cast_signed());
            Self { width, places: load(&PLACES[width]), shifts: load(&SHIFTS[width]), mask }
        }

        /// The eight in some place; nothing if too few bytes follow them.
        #[target_feature(enable = "avx2")]
        fn at(&self, packed: &[u8], place: usize) -> Option<__m256i> {
            let start = place * self.width;
            let (low, high) = (sixteen(packed, start)?, sixteen(packed, start + half(self.width))?);
            let bytes = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), self.places);
            Some(_mm256_and_si256(_mm256_srlv_epi32(bytes, self.shifts), self.mask))
        }
    }

    #[target_feature(enable = "avx2")]
    fn unpack_all(packed: &[u8], width: usize, out: &mut [u32]) -> usize {
        let of = Eights::of(width);
        let (eights, _) = out.as_chunks_mut::<8>();
        for (place, eight) in eights.iter_mut().enumerate() {
            let Some(numbers) = of.at(packed, place) else { return place * 8 };
            store(numbers, eight);
        }
        eights.len() * 8
    }

    #[target_feature(enable = "avx2")]
    fn sum_all(packed: &[u8], width: usize, count: usize) -> (u64, usize) {
        let (of, mut sums, mut done) = (Eights::of(width), _mm256_setzero_si256(), 0);
        // Each lane gets eight numbers of 25 bits at most.
        while done < count {
            let Some(numbers) = of.at(packed, done / 8) else { break };
            sums = _mm256_add_epi32(sums, numbers);
            done += 8;
        }
        let mut lanes = [0; 8];
        store(sums, &mut lanes);
        (lanes.iter().map(|lane| u64::from(*lane)).sum(), done)
    }

    #[target_feature(enable = "avx2")]
    fn select_all(numbers: &[u32], wanted: u32, words: &mut Vec<u64>) -> usize {
        let wanted = _mm256_set1_epi32(wanted.cast_signed());
        let (whole, _) = numbers.as_chunks::<64>();
        for numbers in whole {
            let (eights, _) = numbers.as_chunks::<8>();
            let mut word = 0;
            for eight in eights.iter().rev() {
                // What is shifted by 32 and more becomes zero.
                let shifted = _mm256_srlv_epi32(wanted, load(eight));
                let bits = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_slli_epi32::<31>(shifted)));
                word = word << 8 | u64::from(bits.cast_unsigned());
            }
            words.push(word);
        }
        whole.len() * 64
    }

    #[target_feature(enable = "avx2")]
    fn sixteen(packed: &[u8], start: usize) -> Option<__m128i> {
        let bytes: &[u8; 16] = packed.get(start..)?.first_chunk()?;
        // SAFETY: there are 16 bytes, and they need not be aligned.
        #[allow(unsafe_code)]
        unsafe {
            Some(_mm_loadu_si128(bytes.as_ptr().cast()))
        }
    }

    #[target_feature(enable = "avx2")]
    fn load<T: Number, const COUNT: usize>(numbers: &[T; COUNT]) -> __m256i {
        const { assert!(size_of::<[T; COUNT]>() == 32) };
        // SAFETY: there are 32 bytes of numbers, and they need not be aligned.
        #[allow(unsafe_code)]
        unsafe {
            _mm256_loadu_si256(numbers.as_ptr().cast())
        }
    }

    /// What has no bytes but those of its value.
    trait Number {}
    impl Number for u8 {}
    impl Number for u32 {}

    #[target_feature(enable = "avx2")]
    fn store(numbers: __m256i, out: &mut [u32; 8]) {
        // SAFETY: there is room for 32 bytes, and they need not be aligned.
        #[allow(unsafe_code)]
        unsafe {
            _mm256_storeu_si256(out.as_mut_ptr().cast(), numbers);
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod by_vectors {
    pub(super) fn unpack(_packed: &[u8], _width: usize, _out: &mut [u32]) -> usize {
        0
    }

    pub(super) fn sum(_packed: &[u8], _width: usize, _count: usize) -> (u64, usize) {
        (0, 0)
    }

    pub(super) fn select(_numbers: &[u32], _wanted: u32, _words: &mut Vec<u64>) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_by_vectors_and_one_by_one() {
        let packed: Vec<u8> = (0..4096_u32).map(|byte| (byte.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for width in 1..=32 {
            for eights in [0, 1, 2, 3, 8, 9, 100] {
                let packed = &packed[..eights * width as usize + 8];
                let (mut all, mut one_by_one) = (vec![0; eights * 8], vec![0; eights * 8]);
                unpack(packed, width, &mut all);
                hybrid::unpack_eights(packed, width, &mut one_by_one);
                assert_eq!(all, one_by_one, "{width} bits, {eights} eights");
                let whole = one_by_one.iter().map(|number| u64::from(*number)).sum();
                let summed = sum(packed, width as usize, all.len());
                assert_eq!(summed, (eights <= 8).then_some(whole), "{width} bits, {eights} eights");
            }
        }
    }

    #[test]
    fn bits_of_wanted_values_are_set() {
        let numbers: Vec<u32> = (0..333_u32).map(|row| (row * 7919 + row / 5) % 35).chain([31, u32::MAX]).collect();
        for wanted in [0, 1, 0b1010, 1 << 31, u32::MAX] {
            for len in [0, 1, 63, 64, 65, 128, 200, numbers.len()] {
                let mut words = Vec::new();
                select(&numbers[..len], wanted, &mut words);
                assert_eq!(words.len(), len.div_ceil(64));
                for (row, number) in numbers[..len].iter().enumerate() {
                    let is_set = words[row / 64] >> (row % 64) & 1 == 1;
                    assert_eq!(is_set, *number < 32 && wanted >> number & 1 == 1, "{row}: {number} of {wanted:b}");
                }
                let beyond = words.last().is_some_and(|last| len % 64 > 0 && last >> (len % 64) != 0);
                assert!(!beyond, "{len}");
            }
        }
    }
}
