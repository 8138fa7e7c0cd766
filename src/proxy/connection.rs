//! HTTP/1.1 from clients: the only file with hyper's server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::metrics::Counter;

use super::drain::{Drain, Phase};
use super::exchange::exchange;
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
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drain.reached(Phase::Draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // hyper has answered 400 or 431 already where the head was at fault.
    if ended.is_err_and(|error| error.is_parse() || error.is_parse_too_large()) {
        shard.shard.count(Counter::BadConnections);
    }
}
