//! Handlers: what is done with an instance, one file an adapter.

pub mod stdio;
