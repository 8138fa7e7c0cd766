//! What is looked up, in the form of a list's entries.

use std::fmt::{self, Write};
use std::net::IpAddr;

use smallvec::SmallVec;

use crate::expr::ValueRef;
use crate::resource::kinds::listchecker::EntryType;

/// Longest text in bytes that is folded without the allocator; most paths and hosts are far shorter.
const USUAL_LENGTH: usize = 128;

/// A value in the form of a list's entries.
#[derive(Debug)]
pub enum Sought<'v> {
    /// A text as it came.
    Text(&'v str),
    /// A text that was made of the value.
    Made(Made),
    /// An address.
    Address(IpAddr),
}

impl<'v> Sought<'v> {
    /// The form that a value has for lists of a type; none where the list has addresses and the value is none.
    #[inline]
    pub fn new(entry_type: EntryType, value: &ValueRef<'v>) -> Option<Self> {
        match (entry_type, value) {
            (EntryType::IpAddresses, ValueRef::IpAddress(address)) => Some(Sought::Address(*address)),
            (EntryType::IpAddresses, ValueRef::String(text)) => Some(Sought::Address(text.parse().ok()?)),
            (EntryType::IpAddresses, _) => None,
            (EntryType::CaseInsensitiveStrings, ValueRef::String(text)) => Some(Sought::Made(Made::folded(text))),
            (EntryType::CaseInsensitiveStrings, ValueRef::IpAddress(address)) => {
                Some(Sought::Made(Made::folded(Made::spelled(*address).text())))
            }
            (_, ValueRef::IpAddress(address)) => Some(Sought::Made(Made::spelled(*address))),
            (_, ValueRef::String(text)) => Some(Sought::Text(text)),
            // The template takes no other types.
            _ => Some(Sought::Text("")),
        }
    }

    /// The text, if it is one.
    #[inline]
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Sought::Text(text) => Some(text),
            Sought::Made(made) => Some(made.text()),
            Sought::Address(_) => None,
        }
    }
}

/// A text on the stack, or if it is long on the heap.
#[derive(Debug, Default)]
pub struct Made(SmallVec<[u8; USUAL_LENGTH]>);

impl Made {
    fn folded(text: &str) -> Self {
        if text.is_ascii() {
            let mut bytes = SmallVec::from_slice(text.as_bytes());
            bytes.make_ascii_uppercase();
            return Self(bytes);
        }
        let mut made = Self::default();
        for c in text.chars() {
            made.0.extend_from_slice(fold(c).encode_utf8(&mut [0; 4]).as_bytes());
        }
        made
    }

    fn spelled(address: IpAddr) -> Self {
        Self::written(format_args!("{}", address.to_canonical()))
    }

    /// The text that something is written as.
    pub fn written(arguments: fmt::Arguments<'_>) -> Self {
        let mut made = Self::default();
        made.write_fmt(arguments).expect("writing to memory does not fail");
        made
    }

    /// The text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only whole characters are written to it")
    }
}

impl Write for Made {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// A character in upper case, as Go's `strings.ToUpper` has it: one that becomes several stays as it is.
pub(super) fn fold(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => c,
    }
}
