//! Connections.
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
/// The address.
pub const SIDECAR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 18, 0, 2)), 15001);
/// Names.
pub const NAME_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 18, 0, 53)), 53);
/// x
pub struct Captured;
