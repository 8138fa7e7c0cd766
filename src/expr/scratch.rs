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

    /// An empty text to be appended to.
    pub(super) fn text(&self) -> ScratchString<'_> {
        ScratchString::new_in(&self.0)
    }
}
