//! Who calls: workloads, as Deployments and Pods declare them.
//!
//! A [`Workload`] is what a caller is known by in attributes and policies; a [`Caller`] is one with the [`Proof`] of it, and
//! a [`SpiffeId`] who it is in certificates, which an [`authority`] issues and a [`Mesh`] keeps fresh and verifies; [`Claims`]
//! say it in tokens. Nothing schedules Pods here, so those of a Deployment are derived from it
//! ([`pods_of`]) and never stored; [`Cluster`] is a view that shows them all the same.

pub mod authority;
mod caller;
mod cluster;
mod holders;
mod mesh;
mod pods;
mod spiffe;
mod token;
mod workload;
pub mod x509;

pub use caller::{Caller, Proof};
pub use cluster::Cluster;
pub use holders::Holders;
pub use mesh::{Held, Mesh, Source};
pub use pods::pods_of;
pub use spiffe::{NoIdentity, SpiffeId, TrustDomain};
pub use token::{AUDIENCE, Claims, TokenKey, Unproven, Verifier, subject};
pub use workload::Workload;
