//! Running a program of this machine as a workload, in namespaces out of which only its sidecar leads.
//!
//! Three processes: the *supervisor* (the command that the user typed) makes the namespaces and the network, hands the
//! network's sockets to the proxy ([`Lease`]) and waits; the first process inside ([`as_init`]) arranges the mounts and gives
//! all privileges up; the program. The sockets are of the sandbox's network wherever they are held, so no byte is copied
//! on its way to the proxy, and none has another way.

mod attend;
pub(crate) mod channel;
mod confine;
mod datagrams;
mod init;
mod lease;
mod mounts;
mod namespaces;
mod netlink;
mod network;
mod supervise;
mod terminal;

pub use init::as_init;
pub use lease::{Asked, Followed, Lease, Served, Tenant};
pub use namespaces::Refused;
pub use network::Sockets;
pub use supervise::{Error, Plan, run, with_proxy_variables};
