//! What our hops do with calls whose bytes are passed on unread.

use std::sync::Arc;

use crate::call::{Call, Failure};
use crate::routing::Cluster;
use crate::snapshot::{Hop, Snapshot};

/// Where one hop sends a tunnel; `first` where it came to it from outside.
pub(super) fn decide<'s>(
    snapshot: &'s Snapshot,
    hop: Hop,
    call: &Call,
    first: bool,
) -> Result<&'s Arc<Cluster>, Failure> {
    match hop {
        Hop::Sidecar(listener) => snapshot.routes.tunnel_from_sidecar(snapshot.scope(listener), call),
        Hop::Gateway(port) if first => snapshot.routes.tunnel_into_gateway(port, call),
        Hop::Gateway(port) | Hop::Mesh(port) => snapshot.routes.tunnel_through_gateway(port, call),
    }
}
