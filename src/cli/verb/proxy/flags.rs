//! The flags of `proxy start`, and the configuration that they are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::accesslog;
use crate::call::PathNormalization;
use crate::cli::bounds::Bounds;
use crate::cli::failure::Failure;
use crate::cli::recording::Recording;
use crate::cli::retention::Retention;
use crate::cli::time::duration;
use crate::cli::verb::identity::certificate_ttl;
use crate::cli::verb::listen::{GatewayListen, Listen};
use crate::identity::TrustDomain;
use crate::node::{ListenerConfig, NodeConfig, Role};
use crate::policy::Enforcement;
use crate::routing::OutboundPolicy;
use crate::upstream::Override;

use super::{DEFAULT_NODE, node_name};

/// Name of a node that plays sidecars only, and is given none.
const SIDECAR_NODE: &str = "sidecar";

/// Where a sidecar listens if nobody says (Istio's port).
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15001);

/// Where a gateway takes the calls of sidecars of other processes if nobody says (Istio's port for mutual TLS).
const DEFAULT_MESH_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15443);

/// The flags of `proxy start`.
#[derive(Debug, Args)]
pub(super) struct Start {
    /// What to play: sidecars and the egress gateway, or one of them, with the other in another process
    #[arg(long, value_name = "all|sidecar|gateway", default_value = "all", value_parser = role())]
    role: Role,
    /// Sidecar listener, and the workload (Deployment or Pod) whose calls it takes; without one its callers may show tokens
    /// (see create token); repeatable [default: 127.0.0.1:15001, unless --gateway-listen is given]
    #[arg(long, value_name = "ADDR[=WORKLOAD[.NAMESPACE]]")]
    listen: Vec<Listen>,
    /// Where the egress gateway takes the calls of sidecars of other processes, by mutual TLS alone [default of role gateway:
    /// 127.0.0.1:15443]
    #[arg(long, value_name = "ADDR:PORT")]
    mesh_listen: Option<SocketAddr>,
    /// Where the egress gateway of another process is [default: where it says itself in the state directory]
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    gateway: Option<(String, u16)>,
    /// Trust domain of all identities; chosen when the authority is made [default: cluster.local]
    #[arg(long, value_name = "NAME")]
    trust_domain: Option<TrustDomain>,
    /// Prove and believe by what `identity issue --out DIR` has written, instead of by the state directory's authority, whose
    /// key is then not needed; read anew when it is replaced
    #[arg(long, value_name = "DIR")]
    identity: Option<PathBuf>,
    /// How long certificates of workloads are valid; they are renewed at half their life
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = certificate_ttl)]
    certificate_ttl: Duration,
    /// Listener for callers without sidecar, who come to the egress gateway's servers on PORT; repeatable
    #[arg(long, value_name = "ADDR=PORT")]
    gateway_listen: Vec<GatewayListen>,
    /// Refuse calls to sidecar listeners that prove no caller, by the listener or by a token
    #[arg(long)]
    require_identity: bool,
    /// At listeners without workload, know callers of this machine who show no token by the user that owns their socket: they
    /// are the workload whose Pods run as that user (securityContext.runAsUser)
    #[arg(long)]
    identify_users: bool,
    /// Connect to ADDR when HOST and PORT are called, as curl does; repeatable
    #[arg(long, value_name = "HOST:PORT:ADDR[:PORT]")]
    resolve: Vec<Override>,
    /// Ask this name server instead of the system's; repeatable
    #[arg(long = "dns-server", value_name = "ADDR[:PORT]", value_parser = name_server)]
    name_servers: Vec<SocketAddr>,
    /// Trust the authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Serve metrics to Prometheus at http://ADDR/metrics, to whoever reaches the address
    #[arg(long, value_name = "ADDR:PORT")]
    metrics_listen: Option<SocketAddr>,
    /// Tell an OpenTelemetry collector of each call that is recorded (see --access): a span and a log record, by OTLP over HTTP
    /// in JSON, to URL/v1/traces and URL/v1/logs; origins are then told the span in traceparent
    #[arg(long, value_name = "URL", value_parser = otlp_endpoint)]
    otlp_endpoint: Option<String>,
    /// Worker threads [default: one for each core]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    /// Which hosts may be called where no Sidecar says so: registered ones, or any
    #[arg(long, value_name = "REGISTRY_ONLY|ALLOW_ANY", default_value = "REGISTRY_ONLY", value_parser = outbound_policy())]
    outbound_traffic_policy: OutboundPolicy,
    /// How paths are normalized before they are judged: strictly, or as Istio's modes do [default: as the ConfigMap istio says
    /// in pathNormalization.normalization, or STRICT]
    #[arg(long, value_name = "MODE", value_parser = path_normalization())]
    path_normalization: Option<PathNormalization>,
    /// Record what rules would refuse, and let every call go
    #[arg(long)]
    report_only: bool,
    /// What to do with a call when a check that applies to it cannot be carried out
    #[arg(long, value_name = "deny|allow", default_value = "deny", value_parser = ["deny", "allow"])]
    on_check_failure: String,
    /// How long running calls have when the proxy is stopped
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    drain_timeout: Duration,
    #[command(flatten)]
    bounds: Bounds,
    /// Take the caller's address from the PROXY protocol (version 1 or 2), with which every connection then must begin
    #[arg(long)]
    proxy_protocol: bool,
    /// Go on instead of the proxy of this name, if one runs: its listening sockets are taken over when everything is ready, so
    /// that no connection is lost, and it ends when its calls are done. SIGUSR2 makes a proxy start its program anew so
    #[arg(long)]
    replace: bool,
    /// Stop when standard input ends, for a proxy that another program starts
    #[arg(long)]
    pub(super) until_eof: bool,
    #[command(flatten)]
    recording: Recording,
    /// Seal log entries into a Parquet file when so many have gathered
    #[arg(long, value_name = "N", default_value_t = accesslog::Limits::default().rows, value_parser = seal_rows)]
    seal_rows: usize,
    /// Seal log entries when the oldest is so old
    #[arg(long, value_name = "DURATION", default_value = "6h", value_parser = duration)]
    seal_age: Duration,
    /// How long sealed entries are kept [default: forever]
    #[command(flatten)]
    retention: Retention,
    /// Sample where the process spends its time, and write a flame graph to FILE (SVG) when it ends, and at SIGUSR1; costs about
    /// a hundredth of its speed
    #[arg(long, value_name = "FILE.svg")]
    profile: Option<PathBuf>,
    /// Name of this proxy, one of each in a state directory [default: egressgateway; of role sidecar: sidecar]
    #[arg(long, value_name = "NAME", value_parser = node_name)]
    node: Option<String>,
}

/// As a list, so that completions know it.
pub(crate) fn outbound_policy() -> impl TypedValueParser<Value = OutboundPolicy> {
    PossibleValuesParser::new(OutboundPolicy::NAMES).try_map(|name| name.parse())
}

fn path_normalization() -> impl TypedValueParser<Value = PathNormalization> {
    PossibleValuesParser::new(PathNormalization::NAMES).try_map(|name| name.parse())
}

fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(["all", "sidecar", "gateway"]).map(|name| match name.as_str() {
        "sidecar" => Role::Sidecar,
        "gateway" => Role::Gateway,
        _ => Role::All,
    })
}

fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match parts {
        Some((host, port)) if !host.is_empty() && port != 0 => Ok((host.to_owned(), port)),
        _ => Err("expected HOST:PORT, as in gateway.example:15443".into()),
    }
}

fn otlp_endpoint(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).ok();
    let plain = |url: &reqwest::Url| {
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
    };
    let fits = url.is_some_and(|url| plain(&url) && url.query().is_none() && url.fragment().is_none());
    let expected = || "expected a URL without credentials and query, as in http://127.0.0.1:4318".to_owned();
    fits.then(|| text.to_owned()).ok_or_else(expected)
}

/// More than a segment's reader takes would never be read again.
fn seal_rows(text: &str) -> Result<usize, String> {
    let most = accesslog::Limits::MOST_ROWS;
    let rows = text.parse().ok().filter(|rows| (1..=most).contains(rows));
    rows.ok_or_else(|| format!("expected a number from 1 to {most}"))
}

/// An address, with DNS' port if none is given.
fn name_server(text: &str) -> Result<SocketAddr, String> {
    const DNS: u16 = 53;
    let alone = |_| text.trim_matches(['[', ']']).parse().map(|address| SocketAddr::new(address, DNS));
    text.parse().or_else(alone).map_err(|_: std::net::AddrParseError| "expected an address, as in 192.0.2.53:53".into())
}

/// Refuses flags that are for another role.
fn fits(arguments: &Start) -> Result<(), Failure> {
    let of_gateway = [
        (arguments.mesh_listen.is_some(), "--mesh-listen"),
        (!arguments.gateway_listen.is_empty(), "--gateway-listen"),
    ];
    let of_sidecar = [(!arguments.listen.is_empty(), "--listen")];
    let unfit = match arguments.role {
        Role::All => return if arguments.gateway.is_some() { Err(elsewhere()) } else { Ok(()) },
        Role::Sidecar => of_gateway.into_iter().find(|(given, _)| *given),
        Role::Gateway if arguments.gateway.is_some() => return Err(elsewhere()),
        Role::Gateway => of_sidecar.into_iter().find(|(given, _)| *given),
    };
    let name = arguments.role.names().join(", ");
    unfit.map_or(Ok(()), |(_, flag)| Err(Failure::client(format!("{flag} is not for a proxy of role {name}"))))
}

fn elsewhere() -> Failure {
    Failure::client("--gateway is for a proxy of role sidecar: here the egress gateway is in the process itself")
}

impl Start {
    /// What the flags say, for workloads of a namespace.
    ///
    /// # Errors
    /// Flags that do not go together.
    pub(super) fn config(self, namespace: &str) -> Result<NodeConfig, Failure> {
        fits(&self)?;
        Ok(config(self, namespace))
    }
}

fn config(arguments: Start, namespace: &str) -> NodeConfig {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let listener = |listen: Listen| ListenerConfig {
        address: listen.address,
        workload: listen.workload.map(|of| (of.name, of.namespace.unwrap_or_else(|| namespace.to_owned()))),
    };
    let role = arguments.role;
    let default_name = if role == Role::Sidecar { SIDECAR_NODE } else { DEFAULT_NODE };
    let mut listen = arguments.listen;
    if listen.is_empty() && role != Role::Gateway && arguments.gateway_listen.is_empty() {
        listen.push(Listen { address: DEFAULT_LISTEN, workload: None });
    }
    NodeConfig {
        name: arguments.node.unwrap_or_else(|| default_name.to_owned()),
        replaces: arguments.replace,
        role,
        listeners: listen.into_iter().map(listener).collect(),
        mesh_listen: arguments.mesh_listen.or((role == Role::Gateway).then_some(DEFAULT_MESH_LISTEN)),
        gateway: arguments.gateway,
        identity: arguments.identity,
        trust_domain: arguments.trust_domain,
        certificate_ttl: arguments.certificate_ttl,
        gateway_listeners: arguments.gateway_listen.into_iter().map(|one| one.0).collect(),
        metrics_listen: arguments.metrics_listen,
        otlp_endpoint: arguments.otlp_endpoint,
        workers: arguments.workers.map_or(cores, NonZeroUsize::get),
        overrides: arguments.resolve,
        name_servers: arguments.name_servers,
        ca_file: arguments.ca_file,
        outbound: arguments.outbound_traffic_policy,
        enforcement: Enforcement {
            report_only: arguments.report_only,
            refuses_faults: arguments.on_check_failure == "deny",
        },
        paths: arguments.path_normalization,
        proxy_protocol: arguments.proxy_protocol,
        require_identity: arguments.require_identity,
        identify_users: arguments.identify_users,
        drain_timeout: arguments.drain_timeout,
        memory: arguments.bounds.max_memory,
        limits: arguments.bounds.into(),
        profile: arguments.profile,
        log: arguments.recording.log(),
        recording: arguments.recording.into(),
        retention: arguments.retention.into(),
        sealing: accesslog::Limits {
            rows: arguments.seal_rows,
            age: arguments.seal_age,
            ..accesslog::Limits::default()
        },
    }
}
