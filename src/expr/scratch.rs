//! Room for the texts that evaluations make.

use bumpalo::Bump;
use bumpalo::collections::String as ScratchString;

/// Where results of `+` and `toLower` live. Kept from call to call and [`reset`](Scratch::reset) between them, it asks
/// the allocator for memory only until it has reached the size of the largest call.
#[derive(Debug, Default)]
pub struct Scratch(Bump);

impl Scratch {
    /// Empty; takes no memory before the first text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all texts and keeps the room.
    pub fn reset(&mut self) {
        self.0.reset();
    }

    /// A copy of a text.
    pub(super) fn keep(&self, text: &str) -> &str {
        self.0.alloc_str(text)
    }

    /// An empty text to be appended to.
    pub(super) fn text(&self) -> ScratchString<'_> {
        ScratchString::new_in(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Bag, Program, Slot, ValueRef, Vocabulary};

    struct Paths;

    impl Bag for Paths {
        fn get(&self, _slot: Slot) -> Option<ValueRef<'_>> {
            Some(ValueRef::String("/politics/index.html"))
        }
    }

    fn room_after(expression: &str, calls: usize) -> usize {
        let program = Program::compile(expression, Vocabulary::standard()).unwrap();
        let mut scratch = Scratch::new();
        for _ in 0..calls {
            program.eval(&Paths, &scratch).unwrap();
            scratch.reset();
        }
        scratch.0.allocated_bytes()
    }

    #[test]
    fn an_evaluation_that_makes_no_text_takes_no_room() {
        let expression = r#""^/pol".matches(request.path) && toLower(request.path | "x").startsWith("/")"#;
        assert_eq!(room_after(expression, 10), 0);
    }

    #[test]
    fn room_does_not_grow_from_call_to_call() {
        let expression = "request.path + toLower(request.host + \"A\")";
        assert!(room_after(expression, 1) > 0);
        assert_eq!(room_after(expression, 1_000), room_after(expression, 2));
    }
}
