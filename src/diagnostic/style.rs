//! The colours of pictures, messages and tables, in one place so that they agree.

/// Errors.
pub const ERROR: &str = "\u{1b}[1m\u{1b}[91m";
/// Warnings.
pub const WARNING: &str = "\u{1b}[1m\u{1b}[33m";
/// Headings of tables.
pub const HEADING: &str = "\u{1b}[1m";
/// What is said beside.
pub const FAINT: &str = "\u{1b}[2m";
/// Back to what was before.
pub const PLAIN: &str = "\u{1b}[0m";
