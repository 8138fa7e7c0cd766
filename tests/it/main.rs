//! Tests that drive the real binary.

mod harness;
mod stage;

mod cli;
mod layering;
mod logs;
mod policy_lists;
mod proxied;
mod proxy;
mod recovery;
mod scenario;
