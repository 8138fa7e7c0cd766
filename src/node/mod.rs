//! One running proxy process: assembled, kept up to date, asked, stopped.

mod admin;
pub mod api;
mod code;
mod compiled;
mod control;
mod counted;
mod ending;
mod ends;
mod feeds;
mod grants;
mod handover;
mod memory;
mod messages;
mod observed;
mod otlp;
mod presence;
mod profile;
mod sandboxes;
mod socket;
mod start;
mod systemd;
mod unfinished;

pub use start::{GatewayListenerConfig, ListenerConfig, NodeConfig, Role, Running, StartError, start};
