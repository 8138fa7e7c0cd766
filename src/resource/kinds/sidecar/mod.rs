//! Sidecar: what the workloads of a namespace see of the mesh, and what becomes of calls to hosts that nobody registered.

mod rules;

use serde::Deserialize;

use super::destination_rule::ConnectionPool;
use super::gateway::ServerTls;
use super::service_entry::WorkloadSelector;
use super::virtual_service::Destination;
use super::{cells, check};
use crate::resource::{Kind, Typed};

/// The kind `Sidecar` (networking.istio.io).
pub static SIDECAR: Kind = Kind {
    group: "networking.istio.io",
    versions: cells::NETWORKING_VERSIONS,
    categories: cells::NETWORKING,
    check: |resource, problems| {
        check::spec::<Sidecar>(resource, problems, |at, sidecar| rules::sidecar(at, sidecar, resource.namespace()));
    },
    ..cells::kind("Sidecar", "sidecars", "sidecar")
};

/// `spec` of a Sidecar.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sidecar {
    /// Workloads that it is for; all of its namespace when absent, all of the mesh in the root namespace.
    pub workload_selector: Option<WorkloadSelector>,
    /// Listeners for calls that come in.
    pub ingress: Vec<IngressListener>,
    /// What may be called; everything when empty.
    pub egress: Vec<EgressListener>,
    /// Limits of connections that come in.
    pub inbound_connection_pool: Option<ConnectionPool>,
    /// What becomes of calls to hosts that nobody registered; as the mesh has it when absent.
    pub outbound_traffic_policy: Option<OutboundTrafficPolicy>,
}

impl Typed for Sidecar {
    const ROOT: Option<&'static str> = Some("spec");
}

/// A listener for calls that come in.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressListener {
    /// The port.
    pub port: Option<SidecarPort>,
    /// Address to listen on.
    pub bind: String,
    /// How calls reach it.
    pub capture_mode: CaptureMode,
    /// Where the workload itself listens: `127.0.0.1:PORT`, `unix://PATH`.
    pub default_endpoint: String,
    /// TLS towards the caller.
    pub tls: Option<ServerTls>,
    /// Limits of connections.
    pub connection_pool: Option<ConnectionPool>,
}

/// A listener for calls that go out.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EgressListener {
    /// The only port that it takes; all others when absent.
    pub port: Option<SidecarPort>,
    /// Address to listen on, or `unix://PATH`.
    pub bind: String,
    /// How calls reach it.
    pub capture_mode: CaptureMode,
    /// Services and VirtualServices that are seen: `namespace/host`, `./host`, `*/host`, `~namespace/host` for not.
    pub hosts: Vec<String>,
}

/// A port of a sidecar.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SidecarPort {
    /// 1 to 65535; 0 with a Unix socket.
    pub number: u32,
    /// One of [`PROTOCOLS`](super::gateway::PROTOCOLS), in any letter case; sniffed when empty.
    pub protocol: String,
    /// Its name.
    pub name: String,
    /// Has no meaning at a sidecar.
    pub target_port: u32,
}

/// How calls reach a listener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CaptureMode {
    /// As the environment has it.
    #[default]
    Default,
    /// Redirected by iptables.
    Iptables,
    /// Dialled.
    None,
}

/// What becomes of calls to hosts that nobody registered.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OutboundTrafficPolicy {
    /// Mode.
    pub mode: OutboundMode,
    /// Where they are sent instead of to their own address.
    pub egress_proxy: Option<Destination>,
}

/// Mode of an [`OutboundTrafficPolicy`]; one that is there without mode is REGISTRY_ONLY.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OutboundMode {
    /// They are refused.
    #[default]
    RegistryOnly,
    /// They go where their callers dialled.
    AllowAny,
}
