//! Which of many beginnings, or ends, a text has.

use std::cmp::Ordering;

use smallvec::SmallVec;

/// Numbers of what may match. Few, for most calls; many only cost memory for a moment.
pub(crate) type Candidates = SmallVec<[u32; 32]>;

/// Beginnings (or, read backwards, ends) of texts. Sorted; each knows the longest other that it begins with, so those
/// that a text begins with are a chain that starts at the place where the text would stand.
#[derive(Debug, Default)]
pub(crate) struct Affixes {
    backwards: bool,
    sorted: Vec<Affix>,
}

#[derive(Debug)]
struct Affix {
    text: Box<str>,
    numbers: Vec<u32>,
    shorter: Option<usize>,
}

impl Affixes {
    /// Ends of texts.
    pub(crate) fn backwards() -> Self {
        Self { backwards: true, sorted: Vec::new() }
    }

    /// Takes in an affix with a number, which must not be less than any before.
    pub(crate) fn push(&mut self, text: Box<str>, number: u32) {
        self.sorted.push(Affix { text, numbers: vec![number], shorter: None });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    fn order(&self, a: &str, b: &str) -> Ordering {
        if self.backwards { a.bytes().rev().cmp(b.bytes().rev()) } else { a.cmp(b) }
    }

    fn begins(&self, text: &str, with: &str) -> bool {
        if self.backwards { text.ends_with(with) } else { text.starts_with(with) }
    }

    /// Makes it ready to be asked, after the last affix.
    pub(crate) fn seal(&mut self) {
        let mut sorted = std::mem::take(&mut self.sorted);
        sorted.sort_by(|a, b| self.order(&a.text, &b.text));
        for affix in sorted {
            match self.sorted.last_mut() {
                Some(last) if last.text == affix.text => last.numbers.extend(affix.numbers),
                _ => self.sorted.push(affix),
            }
        }
        for place in 1..self.sorted.len() {
            let shorter = self.longest_from(Some(place - 1), &self.sorted[place].text);
            self.sorted[place].shorter = shorter;
        }
    }

    /// The longest affix of a text, from a place on down the chain.
    fn longest_from(&self, mut place: Option<usize>, text: &str) -> Option<usize> {
        while let Some(at) = place {
            if self.begins(text, &self.sorted[at].text) {
                return place;
            }
            place = self.sorted[at].shorter;
        }
        None
    }

    /// The numbers of all that a text begins (or ends) with.
    pub(crate) fn find(&self, text: &str, found: &mut Candidates) {
        let above = self.sorted.partition_point(|affix| self.order(&affix.text, text) != Ordering::Greater);
        let mut place = self.longest_from(above.checked_sub(1), text);
        while let Some(at) = place {
            found.extend_from_slice(&self.sorted[at].numbers);
            place = self.sorted[at].shorter;
        }
    }
}
