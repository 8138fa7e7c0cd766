//! Tests that drive the real binary.

mod failures;
mod gateways;
mod harness;
mod raw;
mod stage;

mod actions;
mod analyze;
mod balance;
mod cli;
mod eval;
mod layering;
mod logs;
mod multiplexed;
mod names;
mod outbound;
mod policy;
mod policy_lists;
mod policy_trace;
mod policy_metrics;
mod proxied;
mod proxy;
mod proxy_config;
mod proxy_secrets;
mod recovery;
mod rfc9112;
mod routing;
mod scenario;
mod trace;
mod trace_routing;
mod tunnels;
mod upgrades;
mod validate;
