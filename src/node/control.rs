//! The control loop: changes of the registry, the admin endpoint, signals; none of it on a worker's thread.

use std::cell::{Cell, RefCell};
use std::net::TcpListener;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{LocalSet, spawn_local};

use crate::accesslog::Recorder;
use crate::decision::{Place, tell};
use crate::identity::Mesh;
use crate::metrics::{Counter, Metrics};
use crate::proxy::{self, Certificates};
use crate::registry::{LoadError, Registry as _, Revision, SqliteRegistry, View as _, Waker};
use crate::snapshot::{Compiler, Published, Snapshot};
use crate::state::StateDir;
use crate::upstream::Connector;

use super::admin::{self, Answers};
use super::api::{Answer, GatewayListenerStatus, ListenerStatus, Question, Section, Status, Undecided};
use super::compiled::Compiled;
use super::counted::Keeper;
use super::ending::{Drained, Ending, hand_over, outlive};
use super::feeds::Feeds;
use super::grants;
use super::memory::Memory;
use super::messages::Messages;
use super::observed;
use super::otlp::Collector;
use super::sandboxes::Sandboxes;
use super::start::{GatewayListenerConfig, ListenerConfig, NodeConfig, Role, Running};
use super::systemd;

/// How long the watcher of the registry waits before it looks whether the proxy still runs.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

/// Compiling that takes longer than this leaves much memory behind.
const LARGE: Duration = Duration::from_millis(100);

/// How often is looked whether files with certificates were written anew.
const ROTATION_INTERVAL: Duration = Duration::from_secs(5);

/// How long the log may take for what is left when everything else has ended.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// What the admin endpoint and the control loop both know.
pub(super) struct Control {
    pub(super) config: NodeConfig,
    addresses: Vec<std::net::SocketAddr>,
    published: Arc<Published>,
    pub(super) metrics: Metrics,
    pub(super) connector: Arc<Connector>,
    pub(super) memory: Memory,
    pub(super) collector: Option<Collector>,
    pub(super) compiler: Arc<Compiler>,
    pub(super) recorder: Recorder,
    started: Instant,
    rejected: RefCell<Option<String>>,
    pub(super) draining: AtomicBool,
    /// Tells why it is to end.
    pub(super) ending: mpsc::UnboundedSender<Ending>,
    /// For whoever replaces it; dropped when it ends.
    pub(super) sockets: RefCell<Vec<TcpListener>>,
    pub(super) messages: Messages,
    pub(super) feeds: Feeds,
    certificates: Arc<Certificates>,
    mesh: Arc<Mesh>,
    gateway_addresses: Vec<std::net::SocketAddr>,
    mesh_address: Option<std::net::SocketAddr>,
    /// Tells connections that last that what they hang on may have ended.
    endings: watch::Sender<()>,
    /// Wakes who watches over grants.
    news: Arc<Notify>,
}

/// Runs a proxy to its end.
pub(super) async fn serve(running: Running) {
    let Running {
        addresses,
        gateway_addresses,
        mesh_address,
        certificates,
        mesh,
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
        state,
        messages,
        compiler,
        feeds,
        scrapes,
        endings,
        news,
        mut signals,
        profile,
        ..
    } = running;
    let (ending, mut told) = mpsc::unbounded_channel();
    let control = Rc::new(Control {
        config,
        addresses,
        published: Arc::clone(&published),
        metrics,
        connector,
        memory,
        collector,
        compiler: Arc::clone(&compiler),
        recorder,
        started: Instant::now(),
        rejected: RefCell::default(),
        draining: AtomicBool::new(false),
        ending,
        sockets: RefCell::new(sockets),
        messages: messages.clone(),
        feeds,
        certificates,
        mesh,
        gateway_addresses,
        mesh_address,
        endings: endings.clone(),
        news: Arc::clone(&news),
    });
    let graph = profile.as_ref().map(|(profile, _)| profile.clone());
    let watcher = grants::Watcher {
        state: state.clone(),
        published: Arc::clone(&published),
        news,
        endings,
        messages: messages.clone(),
    };
    let keeper = Keeper::new(state.node_quota(&control.config.name), Arc::clone(&compiler), messages.clone());
    let local = LocalSet::new();
    let replaced = local
        .run_until(async {
            if let Some((profile, asked)) = profile {
                spawn_local(profile.serve(asked, messages.clone()));
            }
            let watching = Arc::new(AtomicBool::new(true));
            let answers: Rc<dyn Answers> = Rc::<Control>::clone(&control);
            let mut tasks =
                vec![spawn_local(Arc::clone(&keeper).keep()), spawn_local(admin::serve(admin, Rc::clone(&answers)))];
            spawn_local(watcher.watch());
            let (turns, turn) = watch::channel(None);
            if let Some((waker, compiled)) =
                watch(&state, Arc::clone(&compiler), published.load().1.revision, Arc::clone(&watching), &messages)
            {
                spawn_local(follow(Rc::clone(&control), compiled, turns));
                let workers = housing;
                let recorder = control.recorder.clone();
                let (refuses, compiled) = (control.config.role != Role::Sidecar, turn);
                let turn = Cell::default();
                let sandboxes = Sandboxes { compiler, published, recorder, waker, compiled, workers, refuses, turn };
                tasks.extend(door.map(|door| spawn_local(Rc::new(sandboxes).serve(door))));
            }
            spawn_local(rotate(Rc::clone(&control)));
            let watched = Rc::clone(&control);
            spawn_local(async move { watched.memory.watch(watched.messages.clone()).await });
            tasks.extend(scrapes.map(|scrapes| spawn_local(async move { scrapes.serve(answers).await })));
            spawn_local(outlive(Rc::clone(&control), state, predecessor));
            systemd::notify("READY=1");
            let ending = signals.end(&mut told, &messages).await;
            let replaced = matches!(ending, Ending::Replaced(..));
            let keeper = &*keeper;
            let drained = Drained { control: &control, signals: &mut signals, phase: &phase, workers, tasks, keeper };
            drained.end(ending).await;
            watching.store(false, Ordering::Relaxed);
            replaced
        })
        .await;
    if !replaced {
        keeper.save();
    }
    drop(sealing);
    if let Err(unstored) = writer.close(CLOSE_LIMIT) {
        messages.say(&unstored.to_string());
    }
    // Now that whatever it had to record is there.
    drop(presence);
    control.collector.iter().for_each(Collector::flush);
    graph.iter().for_each(|graph| graph.tell(&messages));
    let health = control.recorder.health();
    let counted = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (lines, records) = (counted(health.entries(), "line"), counted(health.accesses(), "record"));
    messages.say(&format!("stopped; {lines} and {records} of calls stored"));
}

/// Compiles after each change of the registry, on a thread of its own: a big configuration must hold up neither calls
/// nor the admin endpoint.
fn watch(
    state: &StateDir,
    compiler: Arc<Compiler>,
    compiled: Revision,
    watching: Arc<AtomicBool>,
    messages: &Messages,
) -> Option<(Waker, mpsc::UnboundedReceiver<Result<Snapshot, String>>)> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let unwatched = |error: &dyn std::fmt::Display| {
        messages.say(&format!("changes of the registry cannot be watched: {error}"));
    };
    let opened = SqliteRegistry::open(state).and_then(|registry| Ok((registry.wakeups()?, registry)));
    let (mut wakeups, registry) = opened.inspect_err(|error| unwatched(error)).ok()?;
    let waker = wakeups.waker();
    let thread = std::thread::Builder::new().name("watch".into()).spawn(move || {
        // What changed between the first compiling and the watch would wake nobody.
        let mut news = registry.revision().is_ok_and(|now| now != compiled);
        while watching.load(Ordering::Relaxed) {
            if !std::mem::take(&mut news) && !wakeups.wait(WATCH_PAUSE) {
                continue;
            }
            // Frozen: a snapshot must never hold half of a transaction.
            let frozen = registry.frozen().map_err(LoadError::from);
            let begun = Instant::now();
            let compiled = frozen.and_then(|view| compiler.compile(&*view)).map_err(|error| error.to_string());
            if begun.elapsed() > LARGE {
                proxy::give_back();
            }
            if sender.send(compiled).is_err() {
                return;
            }
        }
    });
    thread.inspect_err(|error| unwatched(error)).ok()?;
    Some((waker, receiver))
}

/// Takes up certificates whose files were written anew, and renews those of the mesh.
async fn rotate(control: Rc<Control>) {
    // Certificates that are to live for seconds only are renewed in time too.
    let mut interval = tokio::time::interval(ROTATION_INTERVAL.min(control.config.certificate_ttl / 8));
    let mut fails = false;
    loop {
        interval.tick().await;
        if control.certificates.refresh() {
            control.endings.send_replace(());
        }
        match control.mesh.refresh() {
            Ok(()) => fails = false,
            Err(error) if !fails => {
                fails = true;
                control.messages.say(&format!("certificates of the mesh are not renewed: {error}"));
            }
            Err(_) => {}
        }
    }
}

/// Puts what compiled in force; of what did not, says why and keeps the last good one.
async fn follow(
    control: Rc<Control>,
    mut compiled: mpsc::UnboundedReceiver<Result<Snapshot, String>>,
    turns: watch::Sender<Option<String>>,
) {
    while let Some(result) = compiled.recv().await {
        match result {
            Ok(snapshot) => {
                // So that calls do not meet handlers whose lists are on their way.
                control.feeds.begin().await;
                control.rejected.replace(None);
                control.certificates.prepare(&snapshot.routes, snapshot.gateway_identity.as_ref());
                control.published.store(snapshot);
                turns.send_replace(None);
                control.endings.send_replace(());
                control.news.notify_one();
            }
            Err(why) => {
                control
                    .messages
                    .say(&format!("the configuration of the registry is not in force, the last good one stays: {why}"));
                control.rejected.replace(Some(why.clone()));
                turns.send_replace(Some(why));
            }
        }
    }
}

impl Answers for Control {
    fn status(&self) -> Status {
        let (_, snapshot) = self.published.load();
        let health = self.recorder.health();
        let (enforced_rules, report_only_rules) = snapshot.enforced();
        let undecided = self.compiler.live.undecided();
        let answered = [Counter::Succeeded, Counter::ClientErrors, Counter::ServerErrors];
        Status {
            node: self.config.name.clone(),
            pid: std::process::id(),
            roles: self.config.role.names().iter().map(|name| (*name).to_owned()).collect(),
            listeners: self.listeners(&snapshot),
            gateway_listeners: self.gateway_listeners(),
            mesh_listener: self.mesh_address.map(|address| address.to_string()),
            workers: self.config.workers.max(1),
            state: if self.draining.load(Ordering::Relaxed) { "draining" } else { "running" }.into(),
            revision: snapshot.revision.0,
            rejected: self.rejected.borrow().clone(),
            notes: snapshot.notes.clone(),
            enforced_rules,
            report_only_rules,
            only_reporting: snapshot.policy.only_reporting(),
            path_normalization: snapshot.paths.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.started.elapsed().as_secs(),
            requests: answered.into_iter().map(|counter| self.metrics.total(counter)).sum(),
            refused: self.metrics.total(Counter::Refused),
            recorded: health.entries(),
            queued: self.recorder.waiting() as u64,
            limits: observed::limits(self),
            unrecorded: health.unrecorded_calls(),
            log_error: if health.is_failing() { health.last_error() } else { None },
            lists: self.feeds.status(),
            undecided: undecided.into_iter().map(|(rule, times)| Undecided { rule, times }).collect(),
        }
    }

    fn config_dump(&self, section: Section) -> serde_json::Result<Vec<u8>> {
        let (_, snapshot) = self.published.load();
        let listeners = self.addresses.iter().copied().zip(self.config.listeners.iter().map(workload)).collect();
        let now = crate::proxy::now().micros();
        let ca_file = self.config.ca_file.as_deref();
        let ports = self.config.gateway_listeners.iter().map(|listener| listener.port);
        let gateway_listeners = self.gateway_addresses.iter().copied().zip(ports).collect();
        let node = &self.config.name;
        let (role, mesh, mesh_address) = (self.config.role, &*self.mesh, self.mesh_address);
        Compiled { node, role, snapshot: &snapshot, listeners, gateway_listeners, mesh, mesh_address, ca_file, now }
            .section(section)
    }

    fn trace(&self, question: &Question) -> Answer {
        let (_, snapshot) = self.published.load();
        let asked = &question.asked;
        let listener = self.config.listeners.iter().position(|listener| listener.workload == asked.from);
        // Or one that is known by its token or its user.
        let known = asked.from.as_ref().and_then(|(name, namespace)| snapshot.sidecar_of(name, namespace));
        let listener = listener.or(known);
        if listener.is_none() && (asked.hop == Place::Sidecar || asked.from.is_some()) {
            return None;
        }
        Some(tell(&snapshot, listener, asked, question.color))
    }

    fn metrics(&self) -> String {
        observed::exposition(self)
    }

    fn unready(&self) -> Option<String> {
        observed::unready(self)
    }

    fn drain(&self) {
        // A proxy that ends already needs not be told.
        let _ = self.ending.send(Ending::Stop);
    }

    fn hand_over(&self, to: UnixStream) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(hand_over(self, to))
    }
}

/// `WORKLOAD.NAMESPACE` of a listener, if it stands for one.
fn workload(listener: &ListenerConfig) -> Option<String> {
    listener.workload.as_ref().map(|(name, namespace)| format!("{name}.{namespace}"))
}

impl Control {
    fn gateway_listeners(&self) -> Vec<GatewayListenerStatus> {
        let described = self.gateway_addresses.iter().zip(&self.config.gateway_listeners);
        let status = |(address, config): (&std::net::SocketAddr, &GatewayListenerConfig)| GatewayListenerStatus {
            address: address.to_string(),
            port: config.port,
        };
        described.map(status).collect()
    }

    fn listeners(&self, snapshot: &Snapshot) -> Vec<ListenerStatus> {
        let described = self.addresses.iter().zip(&self.config.listeners).zip(snapshot.callers());
        described
            .map(|((address, config), caller)| ListenerStatus {
                address: address.to_string(),
                workload: workload(config),
                known: caller.is_some(),
            })
            .collect()
    }
}
