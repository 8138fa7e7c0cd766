//! What our hops do with calls whose bytes are passed on unread.

use std::sync::Arc;

use crate::call::{Call, Failure};
use crate::routing::Cluster;
use crate::snapshot::{Hop, Snapshot};

/// Where one hop sends a tunnel.
pub(super) fn decide<'s>(snapshot: &'s Snapshot, hop: Hop, call: &Call) -> Result<&'s Arc<Cluster>, Failure> {
    match hop {
        Hop::Sidecar(listener) => snapshot.routes.tunnel_from_sidecar(snapshot.scope(listener), call),
        Hop::Gateway(port) => snapshot.routes.tunnel_through_gateway(port, call),
    }
}
