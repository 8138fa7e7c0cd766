//! One client connection to its end: what its first byte says, then HTTP or tunnels.

use std::future::poll_fn;
use std::mem::replace;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;

use crate::call::{Failure, TLS_HANDSHAKE, TunnelFault};
use crate::metrics::{Counter, One};
use crate::snapshot::Hop;

use super::client::{Client, Next};
use super::drain::Drain;
use super::http1::Kept;
use super::respond::{Away, turn_away};
use super::sniff::first_byte;
use super::stream::ClientStream;
use super::tunnel::{self, report_head};
use super::worker::Worker;
use super::{direct, gateway, mesh, multiplexed, preface, socks, spare};

/// Serves a connection until it has come to its end, or so far that only calls of HTTP/1.1 are awaited on it.
pub(super) type Served = Pin<Box<dyn Future<Output = Option<Kept>>>>;

/// A client's connection to its end.
pub(super) struct Connection {
    state: State,
    _one: One,
}

enum State {
    /// In a box, so that there is no room for it any more when it is done.
    Served(Served),
    Kept(Kept),
    Over,
}

impl Connection {
    /// One of a worker's, as it begins.
    pub(super) fn new(one: One, served: Served) -> Self {
        Self { state: State::Served(served), _one: one }
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let goes_on = match &mut self.state {
                State::Served(served) => match ready!(served.as_mut().poll(cx)) {
                    Some(kept) => {
                        self.state = State::Kept(kept);
                        continue;
                    }
                    None => false,
                },
                State::Kept(kept) => ready!(kept.poll(cx)),
                State::Over => false,
            };
            match replace(&mut self.state, State::Over) {
                State::Kept(kept) if goes_on => {
                    self.state = State::Served(Box::pin(async {
                        go_on(kept).await;
                        None
                    }));
                }
                State::Kept(kept) => {
                    spare::add(&kept.worker);
                    return Poll::Ready(());
                }
                _ => return Poll::Ready(()),
            }
        }
    }
}

/// Serves one client connection, as far as it is not kept for calls.
pub(super) async fn serve(
    worker: Rc<Worker>,
    hop: Hop,
    mut stream: TcpStream,
    peer: SocketAddr,
    mut drain: Drain,
) -> Option<Kept> {
    let told = match hop {
        // Between sidecar and gateway there is no balancer.
        Hop::Mesh(_) => Some(peer.ip()),
        Hop::Sidecar(_) | Hop::Gateway(_) => peer_of(&worker, hop, &mut stream, peer.ip()).await,
    };
    let peer = told?;
    let Ok(one) = worker.connections_of.take((hop, peer)) else {
        turn_away(&worker, stream, Away::Crowded);
        return None;
    };
    let mut client = Client::new(hop, peer);
    // What a balancer says of where a connection comes from is not what the kernel can say of it.
    if !worker.proxy_protocol && worker.held().snapshot.is_shared(hop) {
        client.owner = worker.owners.of(&stream);
    }
    let kept = match hop {
        Hop::Gateway(port) => Box::pin(gateway::serve(&worker, client, port, stream, &mut drain)).await,
        Hop::Mesh(_) => Box::pin(mesh::serve(&worker, client, stream, &mut drain)).await,
        Hop::Sidecar(_) => serve_sidecar(&worker, client, ClientStream::from(stream), drain).await,
    };
    kept.map(|kept| kept.counted_as(one))
}

/// Serves whatever the client of a sidecar begins to speak.
pub(super) async fn serve_sidecar(
    worker: &Rc<Worker>,
    client: Box<Client>,
    mut stream: ClientStream,
    mut drain: Drain,
) -> Option<Kept> {
    // What HTTP does without is boxed, so that its connections, which are most, do not pay for it.
    match begins(worker, &mut Vec::new(), &mut stream, client.over(worker, &mut drain)).await? {
        TLS_HANDSHAKE => Box::pin(direct::serve(worker, &client, direct::PORT, stream)).await,
        socks::VERSION => {
            if let Some(inside) = Box::pin(socks::serve(worker, &client, stream)).await {
                Box::pin(serve_inside(worker, inside, drain)).await;
            }
        }
        b'P' => return Box::pin(serve_either(worker, client, Vec::new(), stream, &mut drain)).await,
        _ => return Some(Kept::new(worker, client, &[], stream)),
    }
    None
}

/// Serves HTTP of the version that the client begins to speak.
pub(super) async fn serve_either(
    worker: &Rc<Worker>,
    client: Box<Client>,
    mut early: Vec<u8>,
    mut stream: ClientStream,
    drain: &mut Drain,
) -> Option<Kept> {
    if multiplexed::begins(&mut early, &mut stream, worker.limits.head_timeout).await? {
        multiplexed::serve(worker, client, early, stream, drain).await;
        return None;
    }
    Some(Kept::new(worker, client, &early, stream))
}

/// The first byte of a connection; none where it does not come in time, or before the connection is over.
pub(super) async fn begins(
    worker: &Worker,
    early: &mut Vec<u8>,
    stream: &mut ClientStream,
    over: impl Future<Output = ()>,
) -> Option<u8> {
    tokio::select! {
        first = first_byte(early, stream, worker.limits.head_timeout) => first,
        () = over => None,
    }
}

/// Whose connection it is, as far as a balancer tells; `None` where it had to and did not.
async fn peer_of(worker: &Worker, hop: Hop, stream: &mut TcpStream, peer: IpAddr) -> Option<IpAddr> {
    if !worker.proxy_protocol {
        return Some(peer);
    }
    let reason = match tokio::time::timeout(worker.limits.hello_timeout, preface::read(stream)).await {
        Ok(Ok(told)) => return Some(told.unwrap_or(peer)),
        Ok(Err(preface::Fault::Missing)) => "the connection does not begin with a PROXY header, as all here must",
        Ok(Err(preface::Fault::Malformed)) => "the PROXY header cannot be read",
        // Balancers open connections only to see whether anybody listens.
        Ok(Err(preface::Fault::Broken)) | Err(_) => return None,
    };
    worker.shard.count(Counter::BadConnections);
    report_head(worker, &Client::new(hop, peer), Failure::Tunnel(TunnelFault::Preface(reason))).await;
    None
}

/// The inside of a tunnel in which HTTP is spoken.
pub(super) type Inside = (Box<Client>, Vec<u8>, ClientStream);

/// Serves HTTP inside a tunnel, and nothing else.
pub(super) async fn serve_inside(worker: &Rc<Worker>, (client, mut early, mut stream): Inside, mut drain: Drain) {
    match begins(worker, &mut early, &mut stream, client.over(worker, &mut drain)).await {
        None => {}
        Some(TLS_HANDSHAKE) => tunnel::refuse_tls(worker, &client, stream).await,
        Some(_) => {
            let mut kept = Kept::new(worker, client, &early, stream);
            if poll_fn(|cx| kept.poll(cx)).await {
                Box::pin(go_on(kept)).await;
            }
        }
    }
}

/// Serves what a connection goes on with, that HTTP has let go of.
async fn go_on(kept: Kept) {
    let (worker, client, let_go, _one) = kept.let_go();
    let Some((early, stream)) = let_go else { return };
    match client.take_next() {
        None => {}
        Some(Next::Switched(switched)) => switched.run(&worker, early.to_vec(), stream).await,
        Some(Next::Tunnel(opened)) => {
            // Inside a tunnel no tunnel is opened, so this is at most one more.
            if let Some(inside) = tunnel::run(&worker, &client, opened, early.to_vec(), stream).await {
                serve_inside(&worker, inside, worker.drain.clone()).await;
            }
        }
    }
}
