//! One client connection to its end: what its first byte says, then HTTP/1.1 or tunnels. The only file with hyper's server.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::call::{Failure, TLS_HANDSHAKE, TunnelFault};
use crate::metrics::Counter;
use crate::snapshot::Hop;

use super::client::{Client, Next};
use super::debug;
use super::drain::Drain;
use super::early::Early;
use super::exchange::{exchange, now};
use super::patient::Patient;
use super::report::refused_head;
use super::respond::{Away, say_last, turn_away};
use super::sniff::first_byte;
use super::stream::ClientStream;
use super::strict::Strict;
use super::tunnel::{self, report_head};
use super::worker::Worker;
use super::{direct, gateway, mesh, multiplexed, preface, socks, spare};

/// What HTTP is read from and written to.
type Io = TokioIo<Patient<Strict<ClientStream>>>;

/// Serves one client connection to its end.
pub(super) async fn serve(worker: Rc<Worker>, hop: Hop, mut stream: TcpStream, peer: SocketAddr, mut drain: Drain) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let told = match hop {
        // Between sidecar and gateway there is no balancer.
        Hop::Mesh(_) => Some(peer.ip()),
        Hop::Sidecar(_) | Hop::Gateway(_) => peer_of(&worker, &mut stream, peer.ip()).await,
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
pub(super) async fn serve_sidecar(worker: &Rc<Worker>, client: Client, mut stream: ClientStream, mut drain: Drain) {
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
    client: Client,
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
async fn peer_of(worker: &Worker, stream: &mut TcpStream, peer: IpAddr) -> Option<IpAddr> {
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
    report_head(worker, Failure::Tunnel(TunnelFault::Preface(reason))).await;
    None
}

/// The inside of a tunnel in which HTTP is spoken.
pub(super) type Inside = (Client, Vec<u8>, ClientStream);

/// Serves HTTP inside a tunnel, and nothing else.
pub(super) async fn serve_inside(worker: &Rc<Worker>, (client, mut early, mut stream): Inside, mut drain: Drain) {
    match begins(worker, &mut early, &mut stream, client.over(worker, &mut drain)).await {
        None => {}
        Some(TLS_HANDSHAKE) => tunnel::refuse_tls(worker, &client).await,
        Some(_) => drop(serve_http(worker, client, early, stream, &mut drain).await),
    }
}

/// Serves HTTP, and what follows it on the connection; gives back the inside of a tunnel.
pub(super) async fn serve_http(
    worker: &Rc<Worker>,
    client: Client,
    early: Vec<u8>,
    stream: ClientStream,
    drain: &mut Drain,
) -> Option<Inside> {
    let client = Rc::new(client);
    converse(worker, &client, early, stream, drain).await;
    match client.take_next()? {
        Next::Tunnel(opened, upgrade) => {
            let (early, stream) = regain(upgrade).await?;
            Box::pin(tunnel::run(worker, &client, opened, early, stream)).await
        }
        Next::Switched(switched) => {
            Box::pin(switched.run(worker)).await;
            None
        }
    }
}

/// The connection that HTTP has let go of, with what it has read already.
async fn regain(upgrade: OnUpgrade) -> Option<(Vec<u8>, ClientStream)> {
    let parts = upgrade.await.ok()?.downcast::<Io>().ok()?;
    let (early, stream) = parts.io.into_inner().into_inner().into_inner().into_parts();
    // Hyper reads whatever early bytes there are before it answers.
    Some(([parts.read_buf.to_vec(), early].concat(), stream))
}

/// Serves the requests of a connection. Between them it has no buffers, unless they follow each other closely.
async fn converse(
    worker: &Rc<Worker>,
    client: &Rc<Client>,
    mut early: Vec<u8>,
    mut stream: ClientStream,
    drain: &mut Drain,
) {
    // Boxed, so that a connection at rest does not keep the room.
    while let Some(at_rest) = Box::pin(speak(worker, client, early, stream, drain)).await {
        (early, stream) = at_rest;
        spare::add(worker);
        if begins(worker, &mut early, &mut stream, client.over(worker, drain)).await.is_none() {
            return;
        }
    }
}

/// Serves requests until the connection ends. One that has been at rest for a while is given back, with what has been
/// read of its next request.
async fn speak(
    worker: &Rc<Worker>,
    client: &Rc<Client>,
    early: Vec<u8>,
    stream: ClientStream,
    drain: &mut Drain,
) -> Option<(Vec<u8>, ClientStream)> {
    let limits = &worker.limits;
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.head_fields);
    let service = service_fn(|request: Request<Incoming>| {
        let (worker, client) = (Rc::clone(worker), Rc::clone(client));
        let debugs = debug::is_asked(&worker, &client, request.headers());
        async move {
            let (call, method) = (client.begin(), request.method().clone());
            let mut response = exchange(Rc::clone(&worker), Rc::clone(&client), request).await;
            client.turns.answered();
            say_last(&worker, &method, &mut response);
            Ok::<_, Infallible>(debug::told(debugs, response).map(|body| body.marking(call)))
        }
    });
    let strict = Strict::new(Early::new(early, stream), Arc::clone(&client.turns));
    let io = Patient::new(strict, limits.response_timeout);
    let behind = io.behind();
    let mut connection = builder.serve_connection(TokioIo::new(io), service).with_upgrades();
    let mut pause = pin!(sleep(limits.ready_time));
    // Until a call has begun there is a head to come, in its time.
    let first = client.begun();
    let mut begun = first;
    let ended = loop {
        // In this order: when time is up, hyper has just done all that there was to do.
        tokio::select! {
            biased;
            ended = &mut connection => break ended,
            () = client.over(worker, drain) => {
                Pin::new(&mut connection).graceful_shutdown();
                break connection.await;
            }
            () = pause.as_mut() => {}
        }
        // Nothing under way, and all of it sent: then hyper only waits for a next head.
        let quiet = client.begun() == std::mem::replace(&mut begun, client.begun()) && begun > first;
        if quiet && client.is_at_rest() && !behind.is_behind() {
            let parts = connection.into_parts()?;
            let (early, stream) = parts.io.into_inner().into_inner().into_inner().into_parts();
            return Some(([&parts.read_buf[..], &early].concat(), stream));
        }
        pause.as_mut().reset(Instant::now() + limits.ready_time);
    };
    if let Some(failure) = ended.err().and_then(|error| refusal_of(&error, client)) {
        worker.shard.count(Counter::BadConnections);
        if let Ok(permit) = worker.recorder.permit().await {
            refused_head(worker, permit, now(), failure);
        }
    }
    None
}

/// What hyper has refused, and answered 400 or 431, before it became a request.
fn refusal_of(error: &hyper::Error, client: &Client) -> Option<Failure> {
    if error.is_parse_too_large() {
        Some(Failure::HeadTooLarge)
    } else if error.is_parse() {
        Some(client.turns.fault().unwrap_or(Failure::BadRequest("what was sent is no HTTP/1.1 request")))
    } else {
        None
    }
}
