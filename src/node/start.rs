//! Assembling a proxy: everything is read and bound before the first call is taken.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::Signal;
use tokio::sync::{Notify, mpsc, watch};

use crate::accesslog::{self, LogStore, Notice, Outlets, Recorder, Sealer, Sealing, Stream, WhenFull};
use crate::call::PathNormalization;
use crate::decision::Gateway;
use crate::decision::access::{Durability, Recording};
use crate::expr::Timestamp;
use crate::identity::authority::{Bundle, Store};
use crate::identity::{Mesh, Source, TokenKey, TrustDomain};
use crate::metrics::Metrics;
use crate::policy::Enforcement;
use crate::proxy::{self, Captured, Certificates, Drain, Limits, Listener, Phase, Shared};
use crate::registry::{Registry as _, SqliteRegistry};
use crate::routing::OutboundPolicy;
use crate::snapshot::{Compiler, Hop, ListenerSpec, Published};
use crate::state::StateDir;
use crate::upstream::{Connector, GatewayAddress, Names, Override, TlsConfigs};

use super::admin::Scrapes;
use super::ending::Signals;
use super::ends::Ends;
use super::feeds::Feeds;
use super::handover::Predecessor;
use super::memory::Memory;
use super::messages::Messages;
use super::otlp::{self, Collector};
use super::presence::{Presence, running};
use super::profile::Profile;
use super::socket::Socket;
use super::{code, control, counted, unfinished};

/// How long intents of calls gather before they are stored.
const STRICT_INTERVAL: Duration = Duration::from_millis(2);

/// What a proxy is started with; the flags of `proxy start`, with all defaults.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Name of the node, one of each in a state directory.
    pub name: String,
    /// Whether it goes on instead of one of its name that runs already.
    pub replaces: bool,
    /// What it plays.
    pub role: Role,
    /// Sidecar listeners.
    pub listeners: Vec<ListenerConfig>,
    /// Where the gateway takes the calls of sidecars of other processes.
    pub mesh_listen: Option<SocketAddr>,
    /// Where the gateway of another process is; without one where it says itself, in the state directory.
    pub gateway: Option<(String, u16)>,
    /// The directory of the one certificate that it has, with its key and what is trusted; without one the state directory's
    /// authority issues what is needed.
    pub identity: Option<PathBuf>,
    /// The trust domain of all identities; without one the authority's, or else `cluster.local`.
    pub trust_domain: Option<TrustDomain>,
    /// How long certificates of workloads are valid.
    pub certificate_ttl: Duration,
    /// Listeners of the egress gateway's server ports, for callers without sidecar.
    pub gateway_listeners: Vec<GatewayListenerConfig>,
    /// Where metrics are served over HTTP, besides the admin endpoint.
    pub metrics_listen: Option<SocketAddr>,
    /// Base URL of an OpenTelemetry collector that is told of calls.
    pub otlp_endpoint: Option<String>,
    /// Where a flame graph of the process is written, if it is wanted.
    pub profile: Option<PathBuf>,
    /// Worker threads.
    pub workers: usize,
    /// Addresses that stand in for names.
    pub overrides: Vec<Override>,
    /// Name servers that are asked instead of the system's.
    pub name_servers: Vec<SocketAddr>,
    /// Authorities that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Which hosts its workloads may call.
    pub outbound: OutboundPolicy,
    /// How far refusals of the policy go.
    pub enforcement: Enforcement,
    /// How paths are brought into the form in which they are judged, if not as the mesh's configuration says.
    pub paths: Option<PathNormalization>,
    /// Whether every client connection begins with the PROXY protocol.
    pub proxy_protocol: bool,
    /// Whether sidecar listeners take only callers who prove who they are.
    pub require_identity: bool,
    /// Whether callers of this machine are known by the user that they run as.
    pub identify_users: bool,
    /// How long running calls have when the proxy is told to stop.
    pub drain_timeout: Duration,
    /// Bounds of the data plane.
    pub limits: Limits,
    /// Most bytes of memory, past nearly all of which calls are refused; without one the control group's limit counts.
    pub memory: Option<u64>,
    /// What is recorded of calls.
    pub recording: Recording,
    /// How the log takes it.
    pub log: accesslog::Config,
    /// When entries are sealed.
    pub sealing: accesslog::Limits,
    /// How long sealed entries are kept.
    pub retention: accesslog::Retention,
}

/// What a proxy plays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// Sidecars and the egress gateway; the hop between them is internal.
    #[default]
    All,
    /// Sidecars, which hand calls to the gateway of another process.
    Sidecar,
    /// The egress gateway alone.
    Gateway,
}

impl Role {
    /// What it plays, by name.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Role::All => &["sidecar", "gateway"],
            Role::Sidecar => &["sidecar"],
            Role::Gateway => &["gateway"],
        }
    }
}

/// A sidecar listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerConfig {
    /// Where it listens.
    pub address: SocketAddr,
    /// The workload whose calls it takes: name and namespace. Without one its callers are unknown.
    pub workload: Option<(String, String)>,
}

/// A listener of the egress gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayListenerConfig {
    /// Where it listens.
    pub address: SocketAddr,
    /// The port of the Gateways' servers.
    pub port: u16,
}

/// Why a proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address for metrics cannot be listened on.
    #[error("cannot listen on {0} for metrics: {1}")]
    Metrics(SocketAddr, std::io::Error),
    /// The one that runs hands nothing over.
    #[error("the proxy {0:?} that runs cannot be replaced: {1}")]
    Replace(String, std::io::Error),
    /// Sockets that were handed over are for no listener.
    #[error("a socket on {0} was handed over, for which there is no listener; declare one with --listen {0}")]
    Unwanted(SocketAddr),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] proxy::BindError),
    /// The state directory or the registry in it cannot be used.
    #[error(transparent)]
    Registry(#[from] crate::registry::Error),
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] crate::state::Error),
    /// The access log cannot be used.
    #[error(transparent)]
    Log(#[from] crate::accesslog::Error),
    /// What is declared does not compile.
    #[error(transparent)]
    Load(#[from] crate::registry::LoadError),
    /// The certificate authority cannot be used.
    #[error(transparent)]
    Identity(#[from] crate::identity::authority::Error),
    /// The system does not say which name servers to ask.
    #[error("names cannot be resolved: {0}; name a server with --dns-server")]
    Names(String),
    /// A file with authorities cannot be used.
    #[error("{0}")]
    CaFile(String),
    /// A node of this name runs already.
    #[error(
        "a proxy named {0:?} runs already in this state directory; stop it with `egressctl proxy stop`, start this one with another --node, or with --replace to go on instead"
    )]
    Running(String),
    /// A flame graph cannot be made.
    #[error("cannot profile into {0}: {1}")]
    Profile(PathBuf, std::io::Error),
    /// The system refused a socket or a thread.
    #[error("{0}: {1}")]
    System(&'static str, std::io::Error),
}

/// A proxy that serves.
#[derive(Debug)]
pub struct Running {
    /// Where it listens, in the order of the configuration, ports filled in.
    pub addresses: Vec<SocketAddr>,
    /// Where the gateway's servers are listened for, in the order of the configuration, ports filled in.
    pub gateway_addresses: Vec<SocketAddr>,
    /// Where it takes the calls of sidecars of other processes, port filled in.
    pub mesh_address: Option<SocketAddr>,
    /// Where it serves metrics, port filled in.
    pub metrics_address: Option<SocketAddr>,
    pub(super) config: NodeConfig,
    pub(super) certificates: Arc<Certificates>,
    pub(super) mesh: Arc<Mesh>,
    pub(super) published: Arc<Published>,
    pub(super) metrics: Metrics,
    pub(super) connector: Arc<Connector>,
    pub(super) memory: Memory,
    pub(super) collector: Option<Collector>,
    pub(super) recorder: Recorder,
    pub(super) writer: accesslog::Writer,
    pub(super) sealing: Sealing,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) workers: Vec<JoinHandle<()>>,
    /// By these each worker takes sandboxes up.
    pub(super) housing: Vec<Housing>,
    /// For whoever replaces it.
    pub(super) sockets: Vec<TcpListener>,
    pub(super) presence: Presence,
    /// The process before this one, which may still finish what runs there, and when it handed over.
    pub(super) predecessor: Option<(Predecessor, Timestamp)>,
    pub(super) admin: Socket,
    /// For sandboxes, where it plays sidecars.
    pub(super) door: Option<Socket>,
    pub(super) scrapes: Option<Scrapes>,
    pub(super) state: StateDir,
    pub(super) messages: Messages,
    pub(super) compiler: Arc<Compiler>,
    pub(super) feeds: Feeds,
    pub(super) endings: watch::Sender<()>,
    pub(super) news: Arc<Notify>,
    pub(super) signals: Signals,
    /// With what asks for it.
    pub(super) profile: Option<(Profile, Signal)>,
}

/// Starts a proxy on a state directory: when this returns, calls are served.
///
/// Must be called within a tokio runtime, which then also has to run [`Running::serve`].
///
/// # Errors
/// The first thing that is in the way; nothing is left running.
pub async fn start(state: StateDir, config: NodeConfig) -> Result<Running, StartError> {
    raise_descriptor_limit();
    // Before anybody is told that it runs, and so may tell it to stop.
    let signals = Signals::catch().map_err(|error| StartError::System("signals cannot be caught", error))?;
    let profile = config.profile.as_ref().map(|file| {
        let started = Profile::start(file, &config.name).and_then(|profile| Ok((profile, Profile::asked()?)));
        started.map_err(|error| StartError::Profile(file.clone(), error))
    });
    let profile = profile.transpose()?;
    let source = match &config.identity {
        Some(directory) => Source::Issued(Bundle::of(directory)),
        None => Source::Authority(Store::of(&state)),
    };
    let mesh = Arc::new(Mesh::open(source, config.trust_domain.as_ref(), config.certificate_ttl)?);
    let tls = TlsConfigs::new(config.ca_file.as_deref(), Some(Arc::clone(&mesh))).map_err(StartError::CaFile)?;
    let names = Names::new(&config.name_servers).map_err(StartError::Names)?;
    let gateway = match (config.role, &config.gateway) {
        (Role::All | Role::Gateway, _) => GatewayAddress::Here,
        (Role::Sidecar, Some((host, port))) => GatewayAddress::At(host.clone(), *port),
        (Role::Sidecar, None) => GatewayAddress::Published(state.gateway_address()),
    };
    let connector = Arc::new(Connector::new(config.overrides.iter().cloned().collect(), names, tls, gateway));
    let registry = SqliteRegistry::open(&state)?;
    let verifier = TokenKey::open(&state)?.verifier().clone();
    let listeners = config.listeners.iter().map(|l| ListenerSpec { workload: l.workload.clone() }).collect();
    let messages = Messages::new();
    let live = counted::restore(&state.node_quota(&config.name), &messages);
    let (outbound, enforcement, paths) = (config.outbound, config.enforcement, config.paths);
    let compiler = Arc::new(Compiler {
        listeners,
        identify_users: config.identify_users,
        trust_domain: mesh.trust_domain(),
        takes_certificates: config.mesh_listen.is_some() || !config.gateway_listeners.is_empty(),
        outbound,
        enforcement,
        paths,
        live,
        ..Compiler::default()
    });
    let published = Arc::new(Published::new(compiler.compile(&*registry.frozen()?)?));
    let certificates = Arc::new(Certificates::new(Some(Arc::clone(&mesh))));
    let (_, snapshot) = published.load();
    if let (Some(_), Some(_), Some(identity)) = (&config.identity, config.mesh_listen, &snapshot.gateway_identity) {
        // Who could not prove itself to any sidecar should not begin.
        mesh.certificate(identity)?;
    }
    certificates.prepare(&snapshot.routes, snapshot.gateway_identity.as_ref());
    let feeds = Feeds::new(&compiler, config.ca_file.as_deref(), &messages);
    feeds.begin().await;
    let workers = config.workers.max(1);
    let mut ends = Ends::bind(&state, &config, workers)?;
    let listeners = &ends.listeners;
    let mut addresses: Vec<_> = listeners.iter().map(|(_, listener)| listener.address).collect();
    let mut gateway_addresses = addresses.split_off(config.listeners.len());
    let mesh_address = gateway_addresses.split_off(config.gateway_listeners.len()).pop();
    if let Some(address) = mesh_address {
        publish(&state, address).map_err(|error| StartError::System("the gateway's address cannot be told", error))?;
    }
    let [lines, accesses] = Stream::ALL.map(|stream| LogStore::open(stream.hot_db(&state)));
    let (lines, mut accesses) = (lines?, accesses?);
    let not_locked = |error| StartError::System("locks of the node's processes cannot be used", error);
    let presence = Presence::begin(&state, &config.name).map_err(not_locked)?;
    let running = running(&state, &config.name).map_err(not_locked)?;
    if config.recording.durability == Durability::Strict {
        accesses.sync_each_commit()?;
        if ends.predecessor.is_none() {
            let now = proxy::now().micros();
            unfinished::close(&mut accesses, &config.name, &running, now, now)?;
        }
    }
    let (told, mut of_recorder) = (messages.clone(), config.log.clone());
    let when_full = of_recorder.when_full;
    if config.recording.durability == Durability::Strict {
        // Calls wait for it.
        of_recorder.interval = STRICT_INTERVAL;
    }
    let recording = Recorder::start(lines, accesses, Outlets::standard(), of_recorder, move |notice| {
        tell(&told, when_full, &notice)
    });
    let (recorder, writer) =
        recording.map_err(|error| StartError::System("the log's writer cannot be started", error))?;
    let sealing = seal(&state, &config, &messages)?;
    let (phase, drain) = Drain::new();
    let ((endings, ending), news) = (watch::channel(()), Arc::<Notify>::default());
    let (metrics, memory) = (Metrics::new(workers), Memory::new(config.memory));
    let collector = config.otlp_endpoint.as_deref();
    let collector = collector.map(|endpoint| otlp::start(endpoint, config.ca_file.as_deref(), &config.name, &messages));
    let (exporter, collector) = collector.transpose()?.unzip();
    // A tunnel keeps room for its report as long as it lasts; half of the room is for calls that do not.
    let room_for_tunnels = config.log.capacity / 2;
    let shared = Shared {
        published: Arc::clone(&published),
        recorder: recorder.clone(),
        recording: config.recording,
        exporter,
        node: config.name.as_str().into(),
        process: Arc::clone(&presence.process),
        connector: Arc::clone(&connector),
        limits: Limits { tunnels: config.limits.tunnels.min(room_for_tunnels / workers), ..config.limits.clone() },
        certificates: Arc::clone(&certificates),
        gateway: if config.role == Role::Sidecar { Gateway::Elsewhere } else { Gateway::Here },
        drain,
        proxy_protocol: config.proxy_protocol,
        verifier,
        require_identity: config.require_identity,
        identify_users: config.identify_users,
        out_of_memory: Arc::clone(&memory.is_full),
        endings: ending,
        news: Arc::clone(&news),
    };
    let replaced = ends.take_over(&state, &config.name)?;
    if replaced.is_some() {
        counted::take_over(&state.node_quota(&config.name), &compiler.live, &messages);
    }
    let Ends { listeners, sockets, admin, door, scrapes, predecessor } = ends;
    let predecessor = predecessor.zip(replaced);
    let (workers, housing) = spawn_workers(&shared, listeners, workers, &metrics, &messages)?;
    // What compiling left behind.
    proxy::give_back();
    Ok(Running {
        addresses,
        gateway_addresses,
        mesh_address,
        certificates,
        mesh,
        metrics_address: scrapes.as_ref().map(|scrapes| scrapes.address),
        config,
        published,
        metrics,
        connector,
        memory,
        collector,
        recorder,
        writer,
        sealing,
        phase,
        workers,
        housing,
        sockets,
        presence,
        predecessor,
        admin,
        door,
        scrapes,
        state,
        messages,
        compiler,
        feeds,
        endings,
        news,
        signals,
        profile,
    })
}

/// Tells sidecars of other processes where the gateway is. Who listens everywhere is reached on this machine too.
fn publish(state: &StateDir, mut address: SocketAddr) -> std::io::Result<()> {
    match address.ip() {
        ip if !ip.is_unspecified() => {}
        IpAddr::V4(_) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(_) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
    }
    let (file, beside) = (state.gateway_address(), state.run().join("gateway.addr.new"));
    std::fs::write(&beside, format!("{address}\n"))?;
    std::fs::rename(beside, file)
}

/// Takes as many descriptors as the system lets us have: each call needs two, and the customary soft limit of 1,024 would
/// end long before our own bounds.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised the limit stays, and connections past it wait in the backlog.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Tells whoever watches the proxy how recording goes.
fn tell(messages: &Messages, when_full: WhenFull, notice: &Notice<'_>) {
    messages.say(&match notice {
        Notice::StoreFails(error) => {
            let then = match when_full {
                WhenFull::Refuse => "calls will be refused",
                WhenFull::Serve => "calls will be served WITHOUT A RECORD, as --log-full serve says,",
            };
            format!("the access log takes no entries, {then} when its queue is full: {error}")
        }
        Notice::StoreRecovered => "the access log takes entries again; what was in its queue is stored".to_owned(),
        Notice::Unrecorded(calls) => format!("{calls} calls were served that the access log has no record of"),
        Notice::OutletFails(outlet, error) => format!("lines cannot be written to {outlet}: {error}"),
        Notice::OutletRecovered(outlet) => format!("lines are written to {outlet} again"),
    });
}

/// Seals and prunes entries beside the proxy. One that fails to leaves them where they are.
fn seal(state: &StateDir, config: &NodeConfig, messages: &Messages) -> Result<Sealing, StartError> {
    let messages = messages.clone();
    let tell = move |error: Option<&accesslog::Error>| {
        messages.say(&match error {
            Some(error) => format!("the access log cannot be sealed or pruned, and grows: {error}"),
            None => "the access log can be sealed and pruned again".to_owned(),
        });
    };
    let [lines, accesses] = Stream::ALL.map(|stream| Sealer::open(state, stream, config.sealing));
    Sealing::start(vec![lines?, accesses?], config.retention.clone(), tell)
        .map_err(|error| StartError::System("the log's sealer cannot be started", error))
}

/// By this a worker is handed sandboxes.
pub(super) type Housing = mpsc::Sender<Captured>;

/// Sandboxes that wait to be taken up by a worker, which has to do nothing for it.
const SANDBOXES_WAITING: usize = 16;

fn spawn_workers(
    shared: &Shared,
    listeners: Vec<(Hop, Listener)>,
    count: usize,
    metrics: &Metrics,
    messages: &Messages,
) -> Result<(Vec<JoinHandle<()>>, Vec<Housing>), StartError> {
    // Of every listener for each worker.
    let mut sockets: Vec<Vec<(Hop, TcpListener)>> = (0..count).map(|_| Vec::new()).collect();
    for (hop, listener) in listeners {
        let spread = listener.spread(count).map_err(|error| StartError::System("a socket cannot be shared", error))?;
        for (worker, of_worker) in sockets.iter_mut().zip(spread) {
            worker.extend(of_worker.into_iter().map(|socket| (hop, socket)));
        }
    }
    let spawn = |(worker, sockets): (usize, Vec<(Hop, TcpListener)>)| {
        let (housing, sandboxes) = mpsc::channel(SANDBOXES_WAITING);
        let (shared, shard, messages) = (shared.clone(), metrics.shard(worker), messages.clone());
        let seed = uuid::Uuid::new_v4().as_u64_pair().0;
        let thread = std::thread::Builder::new().name(format!("worker-{worker}")).spawn(move || {
            if let Err(error) = proxy::run(shared, sockets, sandboxes, shard, seed) {
                messages.say(&format!("worker {worker} cannot run: {error}"));
            }
        });
        Ok((thread?, housing))
    };
    let threads = sockets.into_iter().enumerate().map(spawn).collect::<std::io::Result<_>>();
    threads.map_err(|error| StartError::System("a worker thread cannot be started", error))
}

impl Running {
    /// What in the configuration has no effect as it stands.
    pub fn notes(&self) -> Vec<String> {
        self.published.load().1.notes.clone()
    }

    /// Whether a Gateway has a server on a port.
    pub fn has_server(&self, port: u16) -> bool {
        self.published.load().1.routes.has_server(port)
    }

    /// How many rules refuse calls, and how many that could only report.
    pub fn enforced(&self) -> (usize, usize) {
        self.published.load().1.enforced()
    }

    /// Names of the latter.
    pub fn only_reporting(&self) -> Vec<String> {
        self.published.load().1.policy.only_reporting()
    }

    /// Serves until the proxy is told to stop by a signal or its admin endpoint, then drains, and returns when every
    /// report is in the log.
    pub async fn serve(self) {
        code::let_go();
        control::serve(self).await;
    }
}
