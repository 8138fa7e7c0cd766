//! One running proxy process: assembled, kept up to date, asked, stopped.

mod admin;
pub mod api;
mod compiled;
mod control;
mod counted;
mod feeds;
mod grants;
mod messages;
mod sandboxes;
mod start;
mod unfinished;

pub use start::{GatewayListenerConfig, ListenerConfig, NodeConfig, Role, Running, StartError, start};
