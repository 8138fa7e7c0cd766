//! One core's loop and all that it owns.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinSet, LocalSet};

use crate::accesslog::{Recorder, Report};
use crate::call::Failure;
use crate::decision::Gateway;
use crate::decision::access::{Callers, Recording};
use crate::expr::Scratch;
use crate::identity::{Caller, SpiffeId, Verifier};
use crate::metrics::{Bound, Bounded, Counter, Shard, Traffic};
use crate::otlp::Exporter;
use crate::routing::Cluster;
use crate::snapshot::{Hop, Published, Snapshot};
use crate::upstream::{Buffers, Connector, Upstream};

use super::alarm::Alarms;
use super::budget::Budget;
use super::called::Called;
use super::captured::{Captured, take_up};
use super::certificates::Certificates;
use super::client::Client;
use super::connection::{Connection, Served, serve};
use super::crowd::Crowd;
use super::destination::Destination;
use super::drain::{Drain, Phase};
use super::handover::Gateways;
use super::http1::{Date, Frames};
use super::identify::Tokens;
use super::limits::Limits;
use super::owner::Owners;
use super::respond::{Away, turn_away};
use super::spare::Spare;
use super::waits::Waits;

/// How often idle upstream connections are looked through.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// How long to wait after `accept` failed, commonly for want of descriptors: at once it would fail again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all workers of a process share, all of it read-only or made for sharing.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The configuration in force.
    pub published: Arc<Published>,
    /// Where reports go.
    pub recorder: Recorder,
    /// Makes upstream connections.
    pub connector: Arc<Connector>,
    /// What is recorded of calls.
    pub recording: Recording,
    /// Where records of calls are exported to.
    pub exporter: Option<Exporter>,
    /// The proxy's name.
    pub node: Arc<str>,
    /// Name of this process, as intents say it.
    pub process: Arc<str>,
    /// The bounds.
    pub limits: Limits,
    /// What gateway servers end TLS with.
    pub certificates: Arc<Certificates>,
    /// Whether the egress gateway is in this process.
    pub gateway: Gateway,
    /// Tells when to stop.
    pub drain: Drain,
    /// Whether every connection begins with the PROXY protocol.
    pub proxy_protocol: bool,
    /// What tells the tokens of callers from others.
    pub verifier: Verifier,
    /// Whether sidecars take only callers who prove who they are.
    pub require_identity: bool,
    /// Whether the owners of connecting sockets are told apart.
    pub identify_users: bool,
    /// Whether the process has nearly all the memory that it may have.
    pub out_of_memory: Arc<AtomicBool>,
    /// Tells that tokens or grants may have ended.
    pub endings: watch::Receiver<()>,
    /// Is told when a grant was used.
    pub news: Arc<Notify>,
}

/// One worker: a thread's own pool, counters and view of the configuration.
pub struct Worker {
    pub(super) recorder: Recorder,
    pub(super) recording: Recording,
    pub(super) exporter: Option<Exporter>,
    pub(super) node: Arc<str>,
    pub(super) process: Arc<str>,
    pub(super) upstream: Upstream,
    pub(super) limits: Limits,
    pub(super) shard: Arc<Shard>,
    pub(super) proxy_protocol: bool,
    pub(super) tokens: Tokens,
    pub(super) require_identity: bool,
    pub(super) owners: Owners,
    pub(super) endings: watch::Receiver<()>,
    pub(super) news: Arc<Notify>,
    pub(super) scratch: RefCell<Scratch>,
    /// Where the report of a call is made; empty in between.
    pub(super) report: RefCell<Report>,
    /// What records say of callers.
    pub(super) callers: RefCell<Callers>,
    /// Calls and retries on their way.
    pub(super) budget: Rc<Budget>,
    /// Client connections.
    pub(super) connections: Bounded,
    /// Those of each caller.
    pub(super) connections_of: Rc<Crowd>,
    /// The calls of each caller.
    pub(super) requests_of: Rc<Crowd>,
    /// Limits that are hardly ever reached.
    pub(super) alarms: Rc<Alarms>,
    /// Copies on their way to mirrors.
    pub(super) mirrors: Bounded,
    /// Tunnels, and connections that have switched to another protocol.
    pub(super) tunnels: Bounded,
    /// What calls are counted by.
    pub(super) traffic: Traffic,
    pub(super) certificates: Arc<Certificates>,
    /// Whether the egress gateway is in this process.
    pub(super) gateway: Gateway,
    /// Tells when to stop.
    pub(super) drain: Drain,
    /// TLS handshakes on their way.
    pub(super) handshakes: Bounded,
    /// Memory that may be given back.
    pub(super) spare: Spare,
    out_of_memory: Arc<AtomicBool>,
    published: Arc<Published>,
    held: RefCell<Rc<Held>>,
    chance: Cell<u64>,
    /// How far it is on its way to the end.
    phase: Cell<Phase>,
    /// What the bytes of all tunnels pass through, and the heads of requests are read into.
    pub(super) copied: RefCell<Box<[u8]>>,
    /// What heads of answers are written to.
    pub(super) heads: Buffers,
    /// The date of answers of ours.
    pub(super) date: Date,
    /// Room that no call is in.
    pub(super) frames: Frames,
    /// Connections between two calls.
    pub(super) waits: Rc<Waits>,
}

/// Bytes of a tunnel that are read at once; a TLS record is as large.
const COPY_BYTES: usize = 16 * 1024;

/// Bytes of the head of an answer as they mostly are, with a small body, and how many of them are kept for further ones.
const HEAD: (usize, usize) = (2 * 1024, 64);

/// What is passed through to wherever its caller wants (Istio's name).
const PASSTHROUGH: &str = "PassthroughCluster";

/// A worker's hold on a snapshot. Calls count their references to this and not to the snapshot, whose counter all
/// workers would write to.
pub(super) struct Held {
    pub(super) version: u64,
    pub(super) snapshot: Arc<Snapshot>,
    /// Who calls by each sidecar: copies, for the same reason.
    callers: Vec<Option<Caller>>,
    /// Who calls by certificates, as far as has been asked.
    holders: RefCell<HashMap<SpiffeId, Caller>>,
    /// The gateway of another process, as callers' certificates are shown to it.
    pub(super) gateways: Gateways,
    /// Endpoints that callers show certificates to.
    pub(super) called: Called,
    /// The clusters that calls have gone to, by their addresses: they live as long as the snapshot.
    destinations: RefCell<HashMap<usize, Rc<Destination>, RandomState>>,
}

impl Held {
    fn of(published: &Published) -> Rc<Self> {
        let (version, snapshot) = published.load();
        let callers = snapshot.callers().map(|caller| caller.map(Caller::apart)).collect();
        let (holders, destinations) = (RefCell::default(), RefCell::default());
        let (gateways, called) = (Gateways::default(), Called::default());
        Rc::new(Self { version, snapshot, callers, holders, gateways, called, destinations })
    }

    /// Who calls at a hop: where the sidecar is one caller's own, or a certificate says so.
    pub(super) fn caller(&self, hop: Hop, client: &Client) -> Option<Caller> {
        match hop {
            Hop::Sidecar(place) => {
                let caller = self.callers.get(place).cloned().flatten();
                caller.map(|caller| Caller { in_audit: client.audit.is_some(), ..caller })
            }
            Hop::Gateway(_) | Hop::Mesh(_) => client.identity.as_ref().map(|identity| self.holder(identity)),
        }
    }

    /// What metrics call a cluster of the snapshot: its declared host, of which there are not more than are declared.
    pub(super) fn destination(&self, cluster: &Arc<Cluster>) -> Rc<Destination> {
        let mut known = self.destinations.borrow_mut();
        let of = known.entry(Arc::as_ptr(cluster).addr()).or_insert_with(|| {
            Rc::new(Destination::new(match cluster.port {
                0 => PASSTHROUGH,
                _ => &cluster.host,
            }))
        });
        Rc::clone(of)
    }

    fn holder(&self, identity: &SpiffeId) -> Caller {
        let mut holders = self.holders.borrow_mut();
        if let Some(known) = holders.get(identity) {
            return known.clone();
        }
        let holder = self.snapshot.holder(identity);
        holders.insert(identity.clone(), holder.clone());
        holder
    }
}

impl Worker {
    fn new(shared: &Shared, shard: Arc<Shard>, seed: u64) -> Self {
        Self {
            recorder: shared.recorder.with_own_desk(),
            recording: shared.recording,
            exporter: shared.exporter.clone(),
            node: Arc::clone(&shared.node),
            process: Arc::clone(&shared.process),
            upstream: Upstream::new(Arc::clone(&shared.connector), Arc::clone(&shard), shared.limits.destination),
            limits: shared.limits.clone(),
            proxy_protocol: shared.proxy_protocol,
            tokens: Tokens::new(shared.verifier.clone()),
            require_identity: shared.require_identity,
            owners: Owners::new(shared.identify_users),
            endings: shared.endings.clone(),
            news: Arc::clone(&shared.news),
            scratch: RefCell::default(),
            report: RefCell::default(),
            callers: RefCell::default(),
            budget: Rc::default(),
            connections: Bounded::new(&shard, Bound::Connections, shared.limits.connections),
            connections_of: Crowd::new(&shard, Bound::ConnectionsOfCaller, Some(shared.limits.connections_of_caller)),
            requests_of: Crowd::new(&shard, Bound::RequestsOfCaller, shared.limits.requests_of_caller),
            mirrors: Bounded::new(&shard, Bound::Mirrors, shared.limits.mirrors),
            tunnels: Bounded::new(&shard, Bound::Tunnels, shared.limits.tunnels),
            traffic: Traffic::new(&shard),
            alarms: Rc::default(),
            certificates: Arc::clone(&shared.certificates),
            gateway: shared.gateway,
            drain: shared.drain.clone(),
            handshakes: Bounded::new(&shard, Bound::Handshakes, shared.limits.handshakes),
            spare: Spare::default(),
            held: RefCell::new(Held::of(&shared.published)),
            out_of_memory: Arc::clone(&shared.out_of_memory),
            published: Arc::clone(&shared.published),
            // An odd multiplier keeps seeds of neighbouring workers apart; zero would be a fixed point.
            chance: Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            phase: Cell::new(Phase::Running),
            copied: RefCell::new(vec![0; COPY_BYTES].into_boxed_slice()),
            heads: Buffers::new(HEAD.0, HEAD.1),
            date: Date::default(),
            frames: Frames::default(),
            waits: Waits::new(&shared.limits),
            shard,
        }
    }

    /// The configuration in force; a call takes it once and keeps it to its end.
    pub(super) fn held(&self) -> Rc<Held> {
        let mut held = self.held.borrow_mut();
        if held.version != self.published.version() {
            *held = Held::of(&self.published);
        }
        Rc::clone(&held)
    }

    /// How far it is on its way to the end.
    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Why no call is taken right now, whatever it is.
    pub(super) fn overloaded(&self) -> Option<Failure> {
        self.out_of_memory.load(Ordering::Relaxed).then_some(Failure::OutOfMemory)
    }

    /// Counts a call for which there was no room.
    pub(super) fn count_overload(&self) {
        self.shard.count(Counter::Refused);
        self.shard.count(Counter::ServerErrors);
    }

    /// A random number (xorshift64*): good enough to spread weights, and no secret.
    pub(super) fn draw(&self) -> u64 {
        let mut state = self.chance.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.chance.set(state);
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Serves its sockets, one for each listener, with the hop that calls come to there, and those of sandboxes, until the drain
/// has ended; runs on the calling thread.
///
/// # Errors
/// Only when the runtime cannot be set up.
pub fn run(
    shared: Shared,
    sockets: Vec<(Hop, TcpListener)>,
    sandboxes: mpsc::Receiver<Captured>,
    shard: Arc<Shard>,
    seed: u64,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let worker = Rc::new(Worker::new(&shared, shard, seed));
    LocalSet::new().block_on(&runtime, async {
        let mut listeners = JoinSet::new();
        for (hop, socket) in sockets {
            let socket = tokio::net::TcpListener::from_std(socket)?;
            let (served, drain) = (Rc::clone(&worker), shared.drain.clone());
            let serve =
                move |stream, peer| -> Served { Box::pin(serve(Rc::clone(&served), hop, stream, peer, drain.clone())) };
            let (mut draining, mut stopping) = (shared.drain.clone(), shared.drain.clone());
            let until = async move { draining.reached(Phase::Replaced).await };
            let cut = async move { stopping.reached(Phase::Stopping).await };
            listeners.spawn_local(accept(Rc::clone(&worker), socket, serve, until, cut));
        }
        listeners.spawn_local(take_up(Rc::clone(&worker), sandboxes, shared.drain.clone()));
        let told = tokio::task::spawn_local(follow(Rc::clone(&worker), shared.drain.clone()));
        let sweeper = tokio::task::spawn_local(sweep(Rc::clone(&worker)));
        listeners.join_all().await;
        told.abort();
        sweeper.abort();
        Ok(())
    })
}

/// Tells connections between two calls when it is time to end.
async fn follow(worker: Rc<Worker>, mut drain: Drain) {
    for phase in [Phase::Replaced, Phase::Draining] {
        drain.reached(phase).await;
        worker.phase.set(phase);
        worker.waits.wake_all();
    }
}

async fn sweep(worker: Rc<Worker>) {
    let mut interval = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        interval.tick().await;
        worker.upstream.sweep();
    }
}

/// Accepts connections until something comes to pass, and serves them to their ends, or until they are cut off.
pub(super) async fn accept(
    worker: Rc<Worker>,
    socket: tokio::net::TcpListener,
    serve: impl Fn(TcpStream, SocketAddr) -> Served,
    until: impl Future<Output = ()>,
    cut: impl Future<Output = ()>,
) {
    let mut connections = JoinSet::new();
    let (mut until, mut cut) = (pin!(until), pin!(cut));
    loop {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) if worker.overloaded().is_some() => turn_away(&worker, stream, Away::Memory),
                Ok((stream, peer)) => match worker.connections.take() {
                    Some(one) => {
                        worker.shard.count(Counter::Connections);
                        connections.spawn_local(Connection::new(one, serve(stream, peer)));
                    }
                    None => turn_away(&worker, stream, Away::Connections),
                },
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
            () = until.as_mut() => break,
        }
    }
    drop(socket);
    tokio::select! {
        () = async { while connections.join_next().await.is_some() {} } => {}
        () = cut.as_mut() => connections.shutdown().await,
    }
}
