//! Tests that drive the real binary.

mod cli;
mod harness;
mod logs;
