//! Who calls: workloads, as Deployments and Pods declare them.
//!
//! A [`Workload`] is what a caller is known by in attributes and policies; a [`Caller`] is one with the [`Proof`] of it, and
//! a [`SpiffeId`] who it is in certificates. Nothing schedules Pods here, so those of a Deployment are derived from it
//! ([`pods_of`]) and never stored; [`Cluster`] is a view that shows them all the same.

mod caller;
mod cluster;
mod pods;
mod spiffe;
mod workload;

pub use caller::{Caller, Proof};
pub use cluster::Cluster;
pub use pods::pods_of;
pub use spiffe::{NoIdentity, SpiffeId, TrustDomain};
pub use workload::Workload;
