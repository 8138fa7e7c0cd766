//! Who calls: workloads, as Deployments and Pods declare them.
//!
//! A [`Workload`] is what a caller is known by in attributes and policies. Nothing schedules Pods here, so those of a
//! Deployment are derived from it ([`pods_of`]) and never stored; [`Cluster`] is a view that shows them all the same.

mod cluster;
mod pods;
mod token;
mod workload;

pub use cluster::Cluster;
pub use pods::pods_of;
pub use token::{AUDIENCE, Claims, TokenKey, Unproven, Verifier, subject};
pub use workload::Workload;
