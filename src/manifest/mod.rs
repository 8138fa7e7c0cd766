//! Text to resources and back: YAML and JSON as kubectl reads and prints them.
//!
//! [`parse`] reads every document of a [`Source`](crate::diagnostic::Source) and finds every fault, each as a
//! [`Finding`]; a [`Locator`] finds the places of faults in the text when they are shown. [`encode`] prints resources.

mod document;
pub mod encode;
mod flow;
mod json;
mod locate;
mod offsets;
mod read;
mod scalar;
mod yaml;

pub use locate::Locator;
pub use read::{Finding, Parsed, Place, Subject, parse};

#[cfg(test)]
mod tests;
