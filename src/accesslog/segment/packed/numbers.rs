//! Whole numbers, each in as few bytes as the widest of them takes.
//!
//! First the least (8 bytes), then in how many bytes each is (1), then how far each is above the least. All are little-endian.

use super::input::Input;

/// Numbers as they lie in a pack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers<'b> {
    least: i64,
    above: Above<'b>,
}

/// How far numbers are above the least.
#[derive(Debug, Clone, Copy)]
enum Above<'b> {
    /// Not at all, as many as there are.
    None(usize),
    One(&'b [u8]),
    Two(&'b [[u8; 2]]),
    Four(&'b [[u8; 4]]),
    Eight(&'b [[u8; 8]]),
}

/// Writes numbers.
pub(super) fn push(numbers: impl Iterator<Item = i64> + Clone, out: &mut Vec<u8>) {
    let ends = numbers.clone().fold(None, |ends, number| {
        let (least, most) = ends.unwrap_or((number, number));
        Some((number.min(least), number.max(most)))
    });
    let (least, most): (i64, i64) = ends.unwrap_or_default();
    let above = numbers.map(|number| number.wrapping_sub(least) as u64);
    out.extend_from_slice(&least.to_le_bytes());
    match most.wrapping_sub(least) as u64 {
        0 => out.push(0),
        1..0x100 => push_bytes::<1>(above, out),
        0x100..0x1_0000 => push_bytes::<2>(above, out),
        0x1_0000..0x1_0000_0000 => push_bytes::<4>(above, out),
        _ => push_bytes::<8>(above, out),
    }
}

fn push_bytes<const WIDTH: usize>(above: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
    out.push(WIDTH as u8);
    above.for_each(|above| out.extend_from_slice(&above.to_le_bytes()[..WIDTH]));
}

impl<'b> Numbers<'b> {
    /// Takes so many.
    pub(super) fn take(input: &mut Input<'b>, count: usize) -> Option<Self> {
        let least = i64::from_le_bytes(*input.chunk()?);
        let [width] = *input.chunk()?;
        let bytes = input.bytes(count.checked_mul(usize::from(width))?)?;
        let above = match width {
            0 => Above::None(count),
            1 => Above::One(bytes),
            2 => Above::Two(bytes.as_chunks().0),
            4 => Above::Four(bytes.as_chunks().0),
            8 => Above::Eight(bytes.as_chunks().0),
            _ => return None,
        };
        Some(Self { least, above })
    }

    /// Takes so many, each of which is below a number and none below zero.
    pub(super) fn take_below(input: &mut Input<'b>, count: usize, most: usize) -> Option<Self> {
        let numbers = Self::take(input, count)?;
        let mut all_are = true;
        // Not left at the first that is not: so it is done many at once.
        numbers.each(|number| all_are &= (number as u64) < most as u64);
        all_are.then_some(numbers)
    }

    /// Adds what becomes of each to others.
    pub(super) fn extend<T>(&self, out: &mut Vec<T>, mut of: impl FnMut(i64) -> T) {
        out.reserve(self.len());
        self.each(|number| out.push(of(number)));
    }

    /// How many there are.
    fn len(&self) -> usize {
        match self.above {
            Above::None(count) => count,
            Above::One(above) => above.len(),
            Above::Two(above) => above.len(),
            Above::Four(above) => above.len(),
            Above::Eight(above) => above.len(),
        }
    }

    fn each(&self, mut see: impl FnMut(i64)) {
        let mut see = |above: u64| see(self.least.wrapping_add(above as i64));
        match self.above {
            Above::None(count) => (0..count).for_each(|_| see(0)),
            Above::One(above) => above.iter().for_each(|above| see(u64::from(*above))),
            Above::Two(above) => above.iter().for_each(|above| see(u64::from(u16::from_le_bytes(*above)))),
            Above::Four(above) => above.iter().for_each(|above| see(u64::from(u32::from_le_bytes(*above)))),
            Above::Eight(above) => above.iter().for_each(|above| see(u64::from_le_bytes(*above))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_in_as_few_bytes_as_the_widest_takes() {
        for (numbers, width) in [
            (vec![], 0),
            (vec![-7, -7, -7], 0),
            (vec![i64::MAX], 0),
            (vec![3, 258, 4], 1),
            (vec![-1, 255], 2),
            (vec![1 << 40, (1 << 40) + 0xffff], 2),
            (vec![0, 0x1_0000], 4),
            (vec![-1, 0xffff_fffe], 4),
            (vec![0, 0x1_0000_0000], 8),
            (vec![i64::MIN, i64::MAX, 0], 8),
        ] {
            let mut bytes = Vec::new();
            push(numbers.iter().copied(), &mut bytes);
            assert_eq!(bytes.len(), 9 + width * numbers.len(), "{numbers:?}");
            let mut read = Vec::new();
            Numbers::take(&mut Input::new(&bytes), numbers.len()).unwrap().extend(&mut read, |number| number);
            assert_eq!(read, numbers);
            if width > 0 {
                assert!(Numbers::take(&mut Input::new(&bytes[..bytes.len() - 1]), numbers.len()).is_none());
            }
        }
    }

    #[test]
    fn numbers_that_must_be_below_another_are_not_taken_where_one_is_not() {
        for (numbers, most, is_taken) in
            [(vec![0, 5, 2], 6, true), (vec![0, 6, 2], 6, false), (vec![-1, 0], 6, false), (vec![6, 6], 6, false)]
        {
            let mut bytes = Vec::new();
            push(numbers.iter().copied(), &mut bytes);
            let taken = Numbers::take_below(&mut Input::new(&bytes), numbers.len(), most);
            assert_eq!(taken.is_some(), is_taken, "{numbers:?}");
        }
        assert!(Numbers::take(&mut Input::new(&[0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 1, 1]), 1).is_none(), "three bytes each");
    }
}
