//! One client connection to its end: what its first byte says, then HTTP or tunnels.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use bytes::BytesMut;
use tokio::net::TcpStream;

use crate::call::{Failure, TLS_HANDSHAKE, TunnelFault};
use crate::metrics::Counter;
use crate::snapshot::Hop;

use super::client::{Client, Next};
use super::drain::Drain;
use super::http1::{self, LetGo};
use super::respond::{Away, turn_away};
use super::sniff::first_byte;
use super::stream::ClientStream;
use super::tunnel::{self, report_head};
use super::worker::Worker;
use super::{direct, gateway, mesh, multiplexed, preface, socks, spare};

/// Serves one client connection to its end.
pub(super) async fn serve(worker: Rc<Worker>, hop: Hop, mut stream: TcpStream, peer: SocketAddr, mut drain: Drain) {
    let told = match hop {
        // Between sidecar and gateway there is no balancer.
        Hop::Mesh(_) => Some(peer.ip()),
        Hop::Sidecar(_) | Hop::Gateway(_) => peer_of(&worker, hop, &mut stream, peer.ip()).await,
    };
    let Some(peer) = told else { return };
    let Ok(_one) = worker.connections_of.take((hop, peer)) else { return turn_away(&worker, stream, Away::Crowded) };
    let mut client = Client::new(hop, peer);
    // What a balancer says of where a connection comes from is not what the kernel can say of it.
    if !worker.proxy_protocol && worker.held().snapshot.is_shared(hop) {
        client.owner = worker.owners.of(&stream);
    }
    match hop {
        Hop::Gateway(port) => return Box::pin(gateway::serve(&worker, client, port, stream, &mut drain)).await,
        Hop::Mesh(_) => return Box::pin(mesh::serve(&worker, client, stream, &mut drain)).await,
        Hop::Sidecar(_) => {}
    }
    serve_sidecar(&worker, client, ClientStream::from(stream), drain).await;
}

/// Serves whatever the client of a sidecar begins to speak.
pub(super) async fn serve_sidecar(
    worker: &Rc<Worker>,
    client: Box<Client>,
    mut stream: ClientStream,
    mut drain: Drain,
) {
    // What HTTP does without is boxed, so that its connections, which are most, do not pay for it.
    let served = match begins(worker, &mut Vec::new(), &mut stream, client.over(worker, &mut drain)).await {
        None => return,
        Some(TLS_HANDSHAKE) => return Box::pin(direct::serve(worker, &client, direct::PORT, stream)).await,
        Some(socks::VERSION) => Box::pin(socks::serve(worker, &client, stream)).await,
        Some(b'P') => Box::pin(serve_either(worker, client, Vec::new(), stream, &mut drain)).await,
        Some(_) => serve_http(worker, client, Vec::new(), stream, &mut drain).await,
    };
    // Inside a tunnel no tunnel is opened, so this is at most one more.
    if let Some(inside) = served {
        Box::pin(serve_inside(worker, inside, drain)).await;
    }
}

/// Serves HTTP of the version that the client begins to speak.
pub(super) async fn serve_either(
    worker: &Rc<Worker>,
    client: Box<Client>,
    mut early: Vec<u8>,
    mut stream: ClientStream,
    drain: &mut Drain,
) -> Option<Inside> {
    if multiplexed::begins(&mut early, &mut stream, worker.limits.head_timeout).await? {
        multiplexed::serve(worker, client, early, stream, drain).await;
        return None;
    }
    serve_http(worker, client, early, stream, drain).await
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
        Some(_) => drop(serve_http(worker, client, early, stream, &mut drain).await),
    }
}

/// Serves HTTP, and what follows it on the connection; gives back the inside of a tunnel.
pub(super) async fn serve_http(
    worker: &Rc<Worker>,
    client: Box<Client>,
    early: Vec<u8>,
    stream: ClientStream,
    drain: &mut Drain,
) -> Option<Inside> {
    let client = Rc::from(client);
    let (early, stream) = converse(worker, &client, early, stream, drain).await?;
    match client.take_next()? {
        Next::Tunnel(opened) => Box::pin(tunnel::run(worker, &client, opened, early.to_vec(), stream)).await,
        Next::Switched(switched) => {
            Box::pin(switched.run(worker, early.to_vec(), stream)).await;
            None
        }
    }
}

/// Serves the requests of a connection, which is given back where it goes on with something else. Between them it has no buffers,
/// unless they follow each other closely.
async fn converse(
    worker: &Rc<Worker>,
    client: &Rc<Client>,
    early: Vec<u8>,
    stream: ClientStream,
    drain: &mut Drain,
) -> Option<LetGo> {
    let mut let_go = (BytesMut::from(&early[..]), stream);
    loop {
        // Boxed, so that a connection at rest does not keep the room.
        let_go = Box::pin(http1::speak(worker, client, let_go, drain)).await?;
        if client.goes_on() {
            return Some(let_go);
        }
        spare::add(worker);
        let (early, stream) = &mut let_go;
        let mut first = std::mem::take(early).to_vec();
        begins(worker, &mut first, stream, client.over(worker, drain)).await?;
        *early = BytesMut::from(&first[..]);
    }
}
