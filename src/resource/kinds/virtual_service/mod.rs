//! VirtualService: where requests to a host go, and what happens to them on the way.

mod actions;
mod format;
mod http_rules;
mod match_rules;
mod order;
mod re2;
mod routes;
mod rules;

use serde::Deserialize;

use super::{cells, check};
use crate::resource::{Column, Kind, Typed};

pub use actions::{
    CorsPolicy, Delegate, DerivePort, Fault, FaultAbort, FaultDelay, HeaderOperations, Headers, HttpDirectResponse,
    HttpRedirect, HttpRetry, HttpRewrite, Mirror, Percent, RegexRewrite, ResponseBody, UnmatchedPreflights,
};
pub use format::{FormatPart, Variable, format_parts};
pub use http_rules::{GRPC_STATUS, frames_message, is_authority};
pub use order::asks_no_more;
pub use routes::{
    Destination, HttpMatch, HttpRoute, HttpRouteDestination, L4Match, PortSelector, RouteDestination, StringMatch,
    TcpRoute, TlsMatch, TlsRoute,
};
pub(super) use rules::destination_fields;

/// The kind `VirtualService` (networking.istio.io).
pub static VIRTUAL_SERVICE: Kind = Kind {
    group: "networking.istio.io",
    versions: cells::NETWORKING_VERSIONS,
    short: &["vs"],
    categories: cells::NETWORKING,
    columns: &[
        Column { name: "GATEWAYS", wide: false, cell: |r| cells::custom(r, &["spec", "gateways"]) },
        Column { name: "HOSTS", wide: false, cell: |r| cells::custom(r, &["spec", "hosts"]) },
    ],
    check: |resource, problems| {
        check::spec::<VirtualService>(resource, problems, |at, service| {
            rules::virtual_service(at, service, resource.namespace());
        });
    },
    ..cells::kind("VirtualService", "virtualservices", "virtualservice")
};

/// The gateway name that stands for all sidecars.
pub const MESH: &str = "mesh";

/// `spec` of a VirtualService.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VirtualService {
    /// Names that requests are sent to; none makes it a delegate.
    pub hosts: Vec<String>,
    /// Gateways at which it holds; [`MESH`] when empty.
    pub gateways: Vec<String>,
    /// Routes of HTTP, in order.
    pub http: Vec<HttpRoute>,
    /// Routes of TLS by SNI.
    pub tls: Vec<TlsRoute>,
    /// Routes of TCP.
    pub tcp: Vec<TcpRoute>,
    /// Namespaces that see it; all when empty.
    pub export_to: Vec<String>,
}

impl Typed for VirtualService {
    const ROOT: Option<&'static str> = Some("spec");
}

#[cfg(test)]
mod tests;
