//! What lines of one shape have in common, so that of each only that is looked at which it has otherwise than the one before.

use crate::accesslog::{Level, line};

/// What lines of a shape mostly have in common.
#[derive(Debug, Default)]
pub(super) struct Usual {
    pub(super) begin: Begin,
    pub(super) last: Line,
    /// The number of the layout; nothing before the first line.
    pub(super) layout: Option<u32>,
}

/// A line that was taken apart.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Its fields as they are spelled; nothing where it is kept as a whole.
    pub(super) text: String,
    pub(super) fields: Vec<Field>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) variable: usize,
    /// Where in the line's text it ends.
    pub(super) end: usize,
    /// The place of its value among those of the variable.
    pub(super) value: usize,
}

impl Usual {
    /// Forgets what lines had, and keeps what is allocated.
    pub(super) fn clear(&mut self) {
        // The instance may be another one.
        self.begin.of = None;
        self.last.clear();
        self.layout = None;
    }
}

impl Line {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.fields.clear();
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = usize> {
        self.fields.iter().map(|field| field.variable)
    }

    /// Where the field in some place begins.
    pub(super) fn start(&self, place: usize) -> usize {
        place.checked_sub(1).and_then(|before| self.fields.get(before)).map_or(0, |before| before.end)
    }
}

/// What [`line::begin`] writes. For lines of one second it differs in a few digits.
#[derive(Debug, Default)]
pub(super) struct Begin {
    of: Option<(Level, i64)>,
    text: Vec<u8>,
    /// Where the digits of the microseconds are.
    micros: std::ops::Range<usize>,
}

impl Begin {
    pub(super) fn set(&mut self, level: Level, time: i64, instance: &str) -> &[u8] {
        let (second, micros) = (time.div_euclid(MICROS), time.rem_euclid(MICROS));
        if self.of != Some((level, second)) {
            let mut text = String::new();
            line::begin(&mut text, level, time, instance);
            // Neither levels nor what stands before a second's decimals have a point.
            let start = text.find('.').map_or(0, |point| point + 1);
            (self.of, self.micros, self.text) = (Some((level, second)), start..start + 6, text.into_bytes());
        }
        let mut rest = micros as u32;
        for digit in self.text[self.micros.clone()].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        &self.text
    }
}

/// Microseconds of a second.
const MICROS: i64 = 1_000_000;

/// How many bytes two texts begin with that are the same.
pub(super) fn common(one: &[u8], other: &[u8]) -> usize {
    let words = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    let mut at = 0;
    for (one, other) in words {
        let difference = u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
        if difference != 0 {
            return at + difference.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + one[at..].iter().zip(&other[at..]).take_while(|(one, other)| one == other).count()
}
