//! HTTP/1.1 from clients: the only file with hyper's server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::call::Failure;
use crate::metrics::Counter;

use super::drain::{Drain, Phase};
use super::exchange::{exchange, now};
use super::patient::Patient;
use super::report::refused_head;
use super::worker::Worker;

/// Serves one client connection to its end.
pub(super) async fn serve(worker: Rc<Worker>, listener: usize, stream: TcpStream, peer: SocketAddr, mut drain: Drain) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let shard = Rc::clone(&worker);
    let limits = &worker.limits;
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.head_fields);
    let service = service_fn(|request| {
        let worker = Rc::clone(&worker);
        async move { Ok::<_, Infallible>(exchange(worker, listener, peer.ip(), request).await) }
    });
    let mut connection =
        pin!(builder.serve_connection(TokioIo::new(Patient::new(stream, limits.response_timeout)), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drain.reached(Phase::Draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Some(failure) = ended.err().and_then(|error| refusal_of(&error)) {
        shard.shard.count(Counter::BadConnections);
        if let Ok(permit) = shard.recorder.permit().await {
            refused_head(&shard, permit, now(), failure);
        }
    }
}

/// What hyper has refused, and answered 400 or 431, before it became a request.
fn refusal_of(error: &hyper::Error) -> Option<Failure> {
    if error.is_parse_too_large() {
        Some(Failure::HeadTooLarge)
    } else {
        error.is_parse().then_some(Failure::BadRequest("what was sent is no HTTP/1.1 request"))
    }
}
