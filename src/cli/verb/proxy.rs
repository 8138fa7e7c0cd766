//! `proxy`: start, ask and stop a proxy.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use crate::accesslog;
use crate::call::PathNormalization;
use crate::cli::admin_client;
use crate::cli::bounds::Bounds;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::age::in_words;
use crate::cli::recording::Recording;
use crate::cli::retention::Retention;
use crate::cli::time::duration;
use crate::cli::verb::listen::{GatewayListen, Listen};
use crate::identity::authority::MAX_TTL;
use crate::identity::{TrustDomain, Workload};
use crate::node::api::{FeedStatus, LimitStatus, Status};
use crate::node::{ListenerConfig, NodeConfig, Role, Running, StartError, start};
use crate::policy::Enforcement;
use crate::registry::View;
use crate::routing::OutboundPolicy;
use crate::upstream::Override;

/// Pause between two looks whether a proxy has stopped.
const STOP_PAUSE: Duration = Duration::from_millis(10);

/// Name of a node that is given none, and plays the gateway.
const DEFAULT_NODE: &str = "egressgateway";

/// And of one that plays sidecars only.
const SIDECAR_NODE: &str = "sidecar";

/// Where a sidecar listens if nobody says (Istio's port).
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15001);

/// Where a gateway takes the calls of sidecars of other processes if nobody says (Istio's port for mutual TLS).
const DEFAULT_MESH_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15443);

/// Start, ask and stop the forward proxy.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

impl Arguments {
    /// Starts, asks or stops.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        match self.action {
            Action::Start(arguments) => run_proxy(arguments, context),
            Action::Status(arguments) => status(&arguments, context),
            Action::Metrics(arguments) => metrics(&arguments, context),
            Action::Stop(arguments) => stop(&arguments, context),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  # Take the calls of the workload sleep in namespace default, and play the egress gateway
  egressctl proxy start --listen 127.0.0.1:15001=sleep

  # One listener for all who show a token of their service account
  egressctl proxy start --listen 127.0.0.1:15001 --require-identity

  # One listener for each of two workloads
  egressctl proxy start --listen 127.0.0.1:15001=sleep --listen 127.0.0.1:15002=billing.finance

  # The gateway and a sidecar in processes of their own, which speak mutual TLS
  egressctl proxy start --role gateway --mesh-listen 127.0.0.1:15443
  egressctl proxy start --role sidecar --listen 127.0.0.1:15001=sleep --gateway 127.0.0.1:15443

  # Call through it
  http_proxy=http://127.0.0.1:15001 curl http://edition.cnn.com/sport

  # The same with HTTPS, which is passed through by its server name, and through SOCKS 5
  https_proxy=http://127.0.0.1:15001 curl https://edition.cnn.com/sport
  curl --proxy socks5h://127.0.0.1:15001 https://edition.cnn.com/sport

  # Upgrade: the new program goes on where the running one was, and no call is lost
  egressctl proxy start --listen 127.0.0.1:15001=sleep --replace

  # See how it does, and stop it when its calls are done
  egressctl proxy status
  egressctl proxy metrics
  egressctl proxy stop";

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "made once, and clap takes no boxed one")]
enum Action {
    /// Run a proxy in the foreground: a sidecar for each --listen, and the egress gateway, in one process or two
    Start(Start),
    /// Show the proxies that run on this state directory
    Status(StatusArgs),
    /// Print a proxy's counters, and the metrics of its prometheus handlers, in Prometheus' text form
    Metrics(Node),
    /// Let a proxy finish its calls and end
    Stop(StopArgs),
}

#[derive(Debug, Args)]
struct Start {
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
    until_eof: bool,
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
    /// Name of this proxy, one of each in a state directory [default: egressgateway; of role sidecar: sidecar]
    #[arg(long, value_name = "NAME", value_parser = node_name)]
    node: Option<String>,
}

#[derive(Debug, Args)]
struct StatusArgs {
    /// json or yaml for the whole status
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json", "yaml"])]
    output: Option<String>,
}

#[derive(Debug, Args)]
struct Node {
    /// Name of the proxy
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NODE, value_parser = node_name)]
    node: String,
}

#[derive(Debug, Args)]
struct StopArgs {
    #[command(flatten)]
    node: Node,
    /// Return at once, while running calls are finished
    #[arg(long)]
    no_wait: bool,
}

/// As a list, so that completions know it.
pub(super) fn outbound_policy() -> impl TypedValueParser<Value = OutboundPolicy> {
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

/// At least a second: certificates know no less.
fn certificate_ttl(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        ttl if ttl < Duration::from_secs(1) => Err("a certificate is valid for a second at least".into()),
        ttl if ttl > MAX_TTL => Err("a certificate is valid for 90 days at most".into()),
        ttl => Ok(ttl),
    }
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

/// A node's name is part of a file's.
fn node_name(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if plain { Ok(text.to_owned()) } else { Err("a node's name is made of letters, digits, - and _".into()) }
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

fn run_proxy(arguments: Start, context: &mut Context) -> Outcome {
    fits(&arguments)?;
    let state = context.state_dir()?;
    let shown = state.path().display().to_string();
    let until_eof = arguments.until_eof;
    let config = config(arguments, context.namespace());
    if until_eof {
        stop_at_eof();
    }
    let registry = context.registry()?;
    for (name, namespace) in config.listeners.iter().filter_map(|listener| listener.workload.as_ref()) {
        not_mistyped(&registry, name, namespace)?;
    }
    crate::cli::http::runtime()?.block_on(async {
        let running = start(state, config.clone()).await.map_err(worded)?;
        announce(&config, &running, &shown, context)?;
        running.serve().await;
        Ok(())
    })
}

/// Stops this process as SIGTERM does, when nobody holds the other end of its standard input any more.
fn stop_at_eof() {
    std::thread::spawn(|| {
        // However it ends, nobody is there any more.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
    });
}

/// Refuses a workload that is not declared where it looks like a slip for one that is: all its calls would be refused.
/// Any other may be declared later.
fn not_mistyped(view: &dyn View, name: &str, namespace: &str) -> Result<(), Failure> {
    if Workload::find(view, name, namespace)?.is_some() {
        return Ok(());
    }
    let Some((near, of)) = Workload::nearest(view, name, namespace)? else { return Ok(()) };
    let message = format!(
        "no workload \"{name}\" in namespace \"{namespace}\"\nhint: did you mean {near}.{of}? If not, declare {name} first"
    );
    Err(Failure::Server { reason: "NotFound", message })
}

/// Stores say what to do about a fault.
fn worded(error: StartError) -> Failure {
    match error {
        StartError::State(error) => error.into(),
        StartError::Registry(error) => error.into(),
        StartError::Log(error) => error.into(),
        StartError::Identity(error) => error.into(),
        other => Failure::client(other.to_string()),
    }
}

/// An address, with DNS' port if none is given.
fn name_server(text: &str) -> Result<SocketAddr, String> {
    const DNS: u16 = 53;
    let alone = |_| text.trim_matches(['[', ']']).parse().map(|address| SocketAddr::new(address, DNS));
    text.parse().or_else(alone).map_err(|_: std::net::AddrParseError| "expected an address, as in 192.0.2.53:53".into())
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

/// Says what is served; entries go to standard output, so this goes to standard error.
fn announce(config: &NodeConfig, running: &Running, state: &str, context: &mut Context) -> Outcome {
    let mut text = format!("egressctl: proxy {} on {state}, {} worker(s)\n", config.name, config.workers);
    for (address, listener) in running.addresses.iter().zip(&config.listeners) {
        match &listener.workload {
            Some((name, namespace)) => text.push_str(&format!("  sidecar of {name}.{namespace} on {address}\n")),
            None if config.require_identity => {
                text.push_str(&format!("  sidecar of callers who show a token on {address}\n"));
            }
            None => text.push_str(&format!("  sidecar of unknown callers on {address}\n")),
        }
    }
    text.push_str(&match (config.role, &config.gateway) {
        (Role::All, _) => "  egress gateway istio-egressgateway.istio-system in the same process\n".to_owned(),
        (Role::Gateway, _) => "  egress gateway istio-egressgateway.istio-system\n".to_owned(),
        (Role::Sidecar, Some((host, port))) => format!("  calls through the egress gateway go to {host}:{port}\n"),
        (Role::Sidecar, None) => {
            "  calls through the egress gateway go where it says in the state directory\n".to_owned()
        }
    });
    if let Some(address) = running.mesh_address {
        text.push_str(&format!("  sidecars of other processes on {address}\n"));
    }
    for (address, listener) in running.gateway_addresses.iter().zip(&config.gateway_listeners) {
        text.push_str(&format!("  its servers on port {} on {address}\n", listener.port));
        if !running.has_server(listener.port) {
            text.push_str(&format!(
                "  note: no Gateway has a server on port {} yet: calls there get 404\n",
                listener.port
            ));
        }
    }
    if let Some(address) = running.metrics_address {
        text.push_str(&format!("  metrics on http://{address}/metrics\n"));
    }
    text.push_str(&format!("  policy: {}\n", rules_in_words(running.enforced().0, &running.only_reporting())));
    for note in running.notes() {
        text.push_str(&format!("  note: {note}\n"));
    }
    text.push_str("ready");
    // Whoever started it may not listen any more; that is no reason not to serve.
    match context.say(&text) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        said => Ok(said?),
    }
}

/// Most rules that are named in one line.
const NAMED: usize = 5;

/// `enforcing 2 of 3 rules; deny-all.istio-system only reports`: of those rules that could refuse calls.
pub(super) fn rules_in_words(enforced: usize, reporting: &[String]) -> String {
    let all = enforced + reporting.len();
    if all == 0 {
        return "no rule could refuse calls".to_owned();
    }
    let mut text = format!("enforcing {enforced} of {all} {}", if all == 1 { "rule" } else { "rules" });
    if !reporting.is_empty() {
        let named = reporting.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        text.push_str(&format!("; {named}"));
        if reporting.len() > NAMED {
            text.push_str(&format!(" and {} more", reporting.len() - NAMED));
        }
        text.push_str(if reporting.len() == 1 { " only reports" } else { " only report" });
    }
    text
}

fn status(arguments: &StatusArgs, context: &mut Context) -> Outcome {
    let found = admin_client::all(&context.state_dir()?)?;
    match arguments.output.as_deref() {
        Some("yaml") => {
            let yaml = serde_yaml::to_string(&found).map_err(|error| Failure::client(error.to_string()))?;
            return Ok(write!(context.out, "{yaml}")?);
        }
        Some(_) => {
            let json = serde_json::to_string_pretty(&found).map_err(|error| Failure::client(error.to_string()))?;
            return Ok(writeln!(context.out, "{json}")?);
        }
        None => {}
    }
    if found.is_empty() {
        return Ok(context.say("No proxy runs on this state directory.")?);
    }
    for status in &found {
        context.out.write_all(describe(status).as_bytes())?;
    }
    Ok(())
}

fn describe(status: &Status) -> String {
    let mut rows = vec![
        ("Name:", status.node.clone()),
        ("State:", format!("{} (pid {})", status.state, status.pid)),
        ("Roles:", status.roles.join(", ")),
    ];
    let addresses = status.listeners.iter().map(|listener| &listener.address);
    let addresses = addresses.chain(status.gateway_listeners.iter().map(|listener| &listener.address));
    let addresses = addresses.chain(&status.mesh_listener);
    let width = addresses.map(|address| address.to_string().len()).max().unwrap_or_default();
    for (position, listener) in status.listeners.iter().enumerate() {
        let workload = listener.workload.as_deref().unwrap_or("unknown callers");
        let missing = if listener.known || listener.workload.is_none() { "" } else { " (not in the registry)" };
        let heading = if position == 0 { "Listeners:" } else { "" };
        rows.push((heading, format!("{:<width$}   {workload}{missing}", listener.address.to_string())));
    }
    rows.extend(status.mesh_listener.iter().map(|address| ("", format!("{address:<width$}   sidecars of others"))));
    for listener in &status.gateway_listeners {
        rows.push(("", format!("{:<width$}   gateway port {}", listener.address.to_string(), listener.port)));
    }
    rows.push(("Workers:", status.workers.to_string()));
    rows.push(("Configuration:", format!("revision {}", status.revision)));
    rows.push(("Policy:", rules_in_words(status.enforced_rules, &status.only_reporting)));
    if status.path_normalization != PathNormalization::default().name() {
        rows.push(("Paths:", format!("normalized as Istio's {} does", status.path_normalization)));
    }
    rows.extend(status.rejected.iter().map(|why| ("Rejected:", format!("newer changes are not in force: {why}"))));
    rows.push(("Uptime:", in_words(i64::try_from(status.uptime_seconds).unwrap_or(i64::MAX))));
    rows.push(("Calls:", format!("{} answered, {} of them refused or failed here", status.requests, status.refused)));
    rows.push((
        "Log:",
        format!(
            "{} recorded, {} waiting",
            counted(status.recorded, "entry", "entries"),
            counted(status.queued, "report", "reports")
        ),
    ));
    let used = status.limits.iter().filter(|limit| limit.used.is_some_and(|used| used > 0) || limit.reached > 0);
    for (position, limit) in used.enumerate() {
        rows.push((if position == 0 { "Limits:" } else { "" }, limit_in_words(limit)));
    }
    if status.unrecorded > 0 {
        rows.push(("Unrecorded:", format!("{} served without a record", counted(status.unrecorded, "call", "calls"))));
    }
    for (position, list) in status.lists.iter().enumerate() {
        rows.push((if position == 0 { "Lists:" } else { "" }, format!("{}   {}", list.handler, in_force(list))));
    }
    rows.extend(status.log_error.iter().map(|why| ("Log error:", why.clone())));
    rows.extend(status.notes.iter().map(|note| ("Note:", note.clone())));
    rows.into_iter().map(|(heading, value)| format!("{heading:<16}{value}\n")).collect()
}

/// `12 of 32768 connections; 3 times there was no more`.
fn limit_in_words(limit: &LimitStatus) -> String {
    let mut text = match (limit.used, limit.limit) {
        (Some(used), Some(most)) => format!("{used} of {most} {}", limit.name),
        (Some(used), None) => format!("{used} {}", limit.name),
        (None, Some(most)) => format!("at most {most} {}", limit.name),
        (None, None) => limit.name.clone(),
    };
    if limit.reached > 0 {
        text.push_str(&format!("; {} there was no more", counted(limit.reached, "time", "times")));
    }
    text
}

fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// `3 entries from http://lists.example/paths, 12s old`, and what is wrong with it.
pub(super) fn in_force(list: &FeedStatus) -> String {
    let mut text = match list.entries {
        Some(1) => "1 entry".to_owned(),
        Some(entries) => format!("{entries} entries"),
        None => "no list".to_owned(),
    };
    text.push_str(&format!(" from {}", list.url));
    if let Some(age) = list.age_seconds {
        text.push_str(&format!(", {} old", in_words(i64::try_from(age).unwrap_or(i64::MAX))));
    }
    if !list.serves {
        text.push_str(if list.entries.is_some() { "; older than its ttl, checks fail" } else { "; checks fail" });
    }
    if let Some(why) = &list.last_error {
        text.push_str(&format!("; last fetch failed: {why}"));
    }
    text
}

fn metrics(arguments: &Node, context: &mut Context) -> Outcome {
    let metrics = admin_client::metrics(&context.state_dir()?, &arguments.node)?;
    Ok(context.out.write_all(&metrics)?)
}

fn stop(arguments: &StopArgs, context: &mut Context) -> Outcome {
    let (state, node) = (context.state_dir()?, &arguments.node.node);
    admin_client::drain(&state, node)?;
    writeln!(context.out, "proxy {node} draining").map_err(Failure::from)?;
    if arguments.no_wait {
        return Ok(());
    }
    context.out.flush().map_err(Failure::from)?;
    // Its socket goes with it. How long that takes is for its own drain timeout to say.
    while UnixStream::connect(state.node_socket(node)).is_ok() {
        std::thread::sleep(STOP_PAUSE);
    }
    Ok(writeln!(context.out, "proxy {node} stopped")?)
}
