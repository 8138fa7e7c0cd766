//! The different texts of a column in the order of their bytes.
//!
//! Texts that begin alike lie together then: they take less room, and what a pattern says of a beginning holds of all of them.

use super::interned::Interned;

/// Texts that begin with so many equal bytes are compared as wholes: they are few.
const DEEPEST: usize = 512;

/// A text's next bytes, as a number that is greater where they are; how many of them it has; and its number.
type Key = (u64, u8, u32);

/// The numbers of all texts, ascending by their bytes.
pub(super) fn ascending(texts: &Interned) -> Vec<u32> {
    let mut keys: Vec<Key> = (0..texts.len() as u32).map(|number| (0, 0, number)).collect();
    sort(texts, &mut keys, 0);
    keys.into_iter().map(|(.., number)| number).collect()
}

/// For each number its place among some that are in order.
pub(super) fn places(ascending: impl ExactSizeIterator<Item = u32>) -> Vec<u32> {
    let mut places = vec![0; ascending.len()];
    for (place, number) in (0..).zip(ascending) {
        places[number as usize] = place;
    }
    places
}

/// Puts different values in order, and changes the numbers of such accordingly.
pub(super) fn sort_ints(distinct: &mut [i64], numbers: &mut [u32]) {
    let mut numbered: Vec<(i64, u32)> = distinct.iter().copied().zip(0..).collect();
    numbered.sort_unstable();
    distinct.iter_mut().zip(&numbered).for_each(|(value, (ordered, _))| *value = *ordered);
    let places = places(numbered.iter().map(|(_, number)| *number));
    numbers.iter_mut().for_each(|number| *number = places[*number as usize]);
}

/// Sorts keys of texts that are equal before a byte. Comparing eight bytes at a time as a number costs less than comparing
/// texts, which lie anywhere.
fn sort(texts: &Interned, keys: &mut [Key], from: usize) {
    if from >= DEEPEST {
        keys.sort_unstable_by_key(|(.., number)| texts.text(*number));
        return;
    }
    for key in &mut *keys {
        let rest = &texts.text(key.2).as_bytes()[from..];
        let mut next = [0; 8];
        let here = rest.len().min(8);
        next[..here].copy_from_slice(&rest[..here]);
        (key.0, key.1) = (u64::from_be_bytes(next), here as u8);
    }
    keys.sort_unstable();
    for same in keys.chunk_by_mut(|one, other| (one.0, one.1) == (other.0, other.1)) {
        if same.len() > 1 {
            sort(texts, same, from + 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_in_the_order_of_their_bytes() {
        let mut random = 1_u64;
        let mut texts: Vec<String> = (0..5_000)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let section = ["/static/js/", "/s", "/politics/", "\u{fc}", "\0\0"][(random >> 60) as usize % 5];
                section.repeat(1 + (random >> 50) as usize % 3) + &format!("{:x}", random >> 48)
            })
            .collect();
        let long = "x".repeat(2 * DEEPEST);
        texts.extend(["", "\0", "\0\0\0\0\0\0\0\0", "12345678", "123456789", &long].map(str::to_owned));
        texts.extend((0..40).map(|n| format!("{long}{}", n * 7 % 40)));
        let mut interned = Interned::default();
        for text in &texts {
            interned.number(text);
        }
        let ascending = ascending(&interned);
        texts.sort();
        texts.dedup();
        assert!(ascending.iter().map(|number| interned.text(*number)).eq(texts.iter().map(String::as_str)));
        let places = places(ascending.iter().copied());
        assert!((0..).zip(&ascending).all(|(place, number)| places[*number as usize] == place));
    }

    #[test]
    fn numbers_follow_values_that_are_put_in_order() {
        let (mut distinct, mut numbers) = (vec![5, -3, 900, 0], vec![0, 0, 2, 3, 1]);
        sort_ints(&mut distinct, &mut numbers);
        assert_eq!((distinct, numbers), (vec![-3, 0, 5, 900], vec![2, 2, 3, 1, 0]));
    }
}
