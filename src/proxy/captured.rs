//! Calls of a program in a sandbox, whose network hands every connection over, to whatever address it is.
//!
//! The name server of the sandbox is here too: a name that is known has an address of its own, by which is known again
//! what a connection is for. So such a connection is a tunnel to a host and port, as one that CONNECT asks for, but that
//! nobody has to ask.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{sleep, timeout};

use crate::call::{Failure, TLS_HANDSHAKE, TunnelFault, server_name};
use crate::snapshot::Hop;

use super::audit::{Audit, Summary};
use super::client::Client;
use super::connection::{Served, serve_inside, serve_sidecar};
use super::direct;
use super::drain::{Drain, Phase};
use super::exchange::now;
use super::http1::Kept;
use super::identify::Shown;
use super::names::{Answer, Kind, Names, Question};
use super::respond::{Away, turn_away};
use super::sniff::first_byte;
use super::stream::ClientStream;
use super::tunnel;
use super::worker::{Worker, accept};

/// Where a sandbox's program finds its sidecar as a proxy that is asked: the address is nobody's (RFC 2544), the port Istio's.
pub const SIDECAR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 18, 0, 2)), 15001);

/// The address from which it calls by IPv4, which is nobody's either.
pub const PROGRAM: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 18, 0, 1));

/// Where it finds its name server.
pub const NAME_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 18, 0, 53)), 53);

/// How long connections of a sandbox that has ended may take for what they have begun.
const GRACE: Duration = Duration::from_secs(1);

/// Most bytes of a question for a name (RFC 1035 §4.2.1); more come by TCP only.
const QUESTION: usize = 512;

/// The port that a name is taken to be asked for, when nobody knows it.
const HTTP_PORT: u16 = 80;

/// The sockets of a sandbox, to be served by one worker until it has ended.
#[derive(Debug)]
pub struct Captured {
    /// The sidecar of the workload that it runs as.
    pub hop: Hop,
    /// Connections to any address; set to return at once.
    pub connections: Vec<TcpListener>,
    /// Questions for names; set to return at once.
    pub names: UdpSocket,
    /// Where its programs have sent datagrams, each address once.
    pub datagrams: mpsc::Receiver<SocketAddr>,
    /// Its other half is dropped when the sandbox has ended.
    pub ended: watch::Receiver<()>,
    /// For what its calls came to, when all have ended, if they are made in an audit.
    pub audit: Option<oneshot::Sender<Summary>>,
}

/// Takes up what sandboxes hand over, until the drain begins.
pub(super) async fn take_up(worker: Rc<Worker>, mut sandboxes: mpsc::Receiver<Captured>, mut drain: Drain) {
    let mut served = JoinSet::new();
    let watched = drain.clone();
    loop {
        tokio::select! {
            Some(captured) = sandboxes.recv() => {
                served.spawn_local(serve(Rc::clone(&worker), captured, watched.clone()));
            }
            Some(_) = served.join_next() => {}
            () = drain.reached(Phase::Replaced) => break,
        }
    }
    while served.join_next().await.is_some() {}
}

/// What the connections of a sandbox have in common.
struct Sandbox {
    worker: Rc<Worker>,
    hop: Hop,
    names: RefCell<Names>,
    audit: Option<Rc<Audit>>,
}

impl Sandbox {
    /// One of its connections or questions.
    fn client(&self, peer: IpAddr) -> Box<Client> {
        let mut client = Client::new(self.hop, peer.to_canonical());
        client.audit.clone_from(&self.audit);
        client
    }

    /// What its programs mean by an address.
    fn target(&self, to: SocketAddr) -> String {
        match self.names.borrow().name(to.ip()) {
            Some(name) => format!("{name}:{}", to.port()),
            None => to.to_string(),
        }
    }
}

/// Records where datagrams were sent, which lead nowhere.
async fn tell_datagrams(sandbox: Rc<Sandbox>, mut datagrams: mpsc::Receiver<SocketAddr>) {
    while let Some(to) = datagrams.recv().await {
        let (client, target) = (sandbox.client(PROGRAM), sandbox.target(to));
        tunnel::refuse_unread(&sandbox.worker, &client, &target, Failure::Tunnel(TunnelFault::Datagrams)).await;
    }
}

async fn serve(worker: Rc<Worker>, captured: Captured, drain: Drain) {
    let Captured { hop, connections, names, datagrams, ended, audit } = captured;
    let (audit, told) = audit.map(|told| (Rc::<Audit>::default(), told)).unzip();
    let sandbox = Rc::new(Sandbox { worker, hop, names: RefCell::default(), audit });
    let mut served = JoinSet::new();
    served.spawn_local(tell_datagrams(Rc::clone(&sandbox), datagrams));
    if let Ok(socket) = tokio::net::UdpSocket::from_std(names) {
        let (sandbox, ended, drain) = (Rc::clone(&sandbox), ended.clone(), drain.clone());
        served.spawn_local(async move {
            tokio::select! {
                () = answer_all(&sandbox, &socket) => {}
                () = over(ended, drain, Phase::Stopping) => {}
            }
        });
    }
    for listener in connections {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { continue };
        let until = over(ended.clone(), drain.clone(), Phase::Draining);
        let cut = cut_off(ended.clone(), drain.clone());
        let (worker, sandbox, drain) = (Rc::clone(&sandbox.worker), Rc::clone(&sandbox), drain.clone());
        let serve =
            move |stream, peer| -> Served { Box::pin(connection(Rc::clone(&sandbox), stream, peer, drain.clone())) };
        served.spawn_local(accept(worker, listener, serve, until, cut));
    }
    while served.join_next().await.is_some() {}
    if let (Some(audit), Some(told)) = (&sandbox.audit, told) {
        // Who does not wait for it any more is not told.
        let _ = told.send(audit.take());
    }
}

/// Until a sandbox has ended, or the proxy ends.
async fn over(mut ended: watch::Receiver<()>, mut drain: Drain, phase: Phase) {
    tokio::select! {
        // Nothing is ever sent: this is the other half's end.
        _ = ended.changed() => {}
        () = drain.reached(phase) => {}
    }
}

/// Until nothing of a sandbox is served any more.
async fn cut_off(mut ended: watch::Receiver<()>, mut drain: Drain) {
    let given_up = async {
        let _ = ended.changed().await;
        sleep(GRACE).await;
    };
    tokio::select! {
        () = given_up => {}
        () = drain.reached(Phase::Stopping) => {}
    }
}

/// Serves one connection, by the address that it was for.
async fn connection(sandbox: Rc<Sandbox>, stream: TcpStream, peer: SocketAddr, drain: Drain) -> Option<Kept> {
    let (Ok(()), Ok(to)) = (stream.set_nodelay(true), stream.local_addr()) else { return None };
    let to = SocketAddr::new(to.ip().to_canonical(), to.port());
    let client = sandbox.client(peer.ip());
    let Ok(one) = sandbox.worker.connections_of.take((sandbox.hop, PROGRAM)) else {
        turn_away(&sandbox.worker, stream, Away::Crowded);
        return None;
    };
    if to == NAME_SERVER {
        answer_by_tcp(&sandbox, peer, stream).await;
        return None;
    }
    let stream = ClientStream::from(stream);
    let kept = if to == SIDECAR {
        serve_sidecar(&sandbox.worker, client, stream, drain).await
    } else {
        let target = sandbox.target(to);
        Box::pin(carry(&sandbox.worker, client, &target, stream, drain)).await
    };
    kept.map(|kept| kept.as_one(one))
}

/// Carries a connection to its target. Where nobody declared that, what is said first may name another: a server's name in
/// TLS, or a host in HTTP, where there is somebody to be answered.
async fn carry(
    worker: &Rc<Worker>,
    client: Box<Client>,
    target: &str,
    mut stream: ClientStream,
    drain: Drain,
) -> Option<Kept> {
    let served = if tunnel::is_known(worker, &client, target) {
        match tunnel::open(worker, &client, target, Shown::Nothing).await {
            Ok(opened) => tunnel::run(worker, &client, opened, Vec::new(), stream).await,
            Err(refused) => {
                refused.report();
                None
            }
        }
    } else {
        match first_byte(&mut Vec::new(), &mut stream, worker.limits.hello_timeout).await {
            Some(TLS_HANDSHAKE) => {
                let port = target.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(direct::PORT);
                direct::serve(worker, &client, port, stream).await;
            }
            Some(b'A'..=b'Z') => return Some(Kept::new(worker, client, &[], stream)),
            _ => tunnel::refuse_unread(worker, &client, target, Failure::UnknownHost).await,
        }
        None
    };
    if let Some(inside) = served {
        serve_inside(worker, inside, drain).await;
    }
    None
}

/// Answers questions that come by UDP.
async fn answer_all(sandbox: &Rc<Sandbox>, socket: &tokio::net::UdpSocket) {
    let mut question = [0; QUESTION];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut question).await else {
            // A question that could not be answered may be told of here.
            continue;
        };
        if let Some(answer) = answer(sandbox, from, &question[..length]) {
            // Who has left gets none.
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

/// Answers questions that come by TCP, each behind its length (RFC 1035 §4.2.2).
async fn answer_by_tcp(sandbox: &Rc<Sandbox>, peer: SocketAddr, mut stream: TcpStream) {
    let patience = sandbox.worker.limits.hello_timeout;
    let mut question = [0; QUESTION];
    while let Ok(Ok(length)) = timeout(patience, stream.read_u16()).await {
        let Some(question) = question.get_mut(..usize::from(length)) else { return };
        let Ok(Ok(_)) = timeout(patience, stream.read_exact(question)).await else { return };
        let Some(answer) = answer(sandbox, peer, question) else { return };
        let length = u16::try_from(answer.len()).unwrap_or(u16::MAX).to_be_bytes();
        if stream.write_all(&[&length, &answer[..]].concat()).await.is_err() {
            return;
        }
    }
}

/// The answer to a question; none to what is no question. What is asked for in vain is recorded.
fn answer(sandbox: &Rc<Sandbox>, peer: SocketAddr, question: &[u8]) -> Option<Vec<u8>> {
    let question = Question::read(question)?;
    let known = server_name(question.name()).filter(|name| is_known(sandbox, name));
    let answer = match (known, question.kind()) {
        (Some(name), Kind::Address) => match sandbox.names.borrow_mut().address(&name) {
            Some(address) => Answer::Address(address),
            None => Answer::Refused,
        },
        (Some(_), _) => Answer::Nothing,
        (None, kind) => {
            // Programs ask for addresses of both families at once, and for names of addresses on their own.
            if kind != Kind::AddressV6 && !question.name().ends_with(".arpa") {
                let (worker, target) = (Rc::clone(&sandbox.worker), format!("{}:{}", question.name(), HTTP_PORT));
                let client = sandbox.client(peer.ip());
                let unknown = Failure::UnknownHost;
                spawn_local(async move { tunnel::refuse_unread(&worker, &client, &target, unknown).await });
            }
            Answer::NoName
        }
    };
    Some(question.answered(answer))
}

/// Whether calls to a host would be taken, on whatever port.
fn is_known(sandbox: &Sandbox, name: &str) -> bool {
    let Hop::Sidecar(listener) = sandbox.hop else { return false };
    sandbox.audit.is_some() || sandbox.worker.held().snapshot.knows(listener, name, now())
}
