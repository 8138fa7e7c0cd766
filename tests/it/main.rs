//! Tests that drive the real binary.

mod failures;
mod frames;
mod gateways;
mod harness;
mod raw;
mod stage;

mod actions;
mod analyze;
<<<<<<< HEAD
mod attack;
=======
mod authorization;
>>>>>>> main
mod balance;
mod cli;
mod credentials;
mod eval;
mod grpc;
mod identity;
mod layering;
mod logs;
mod logs_sealed;
mod multiplexed;
mod name_servers;
mod names;
mod outbound;
mod origins;
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
mod rfc9113;
mod routing;
mod scenario;
mod trace;
mod trace_routing;
mod tunnels;
mod upgrades;
mod validate;
