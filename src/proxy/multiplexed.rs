//! HTTP/2 from clients, by prior knowledge: the only file with hyper's server of it.

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt as _;

use crate::metrics::Counter;
use crate::upstream::CallerBody;

use super::client::Client;
use super::debug;
use super::drain::{Drain, Phase};
use super::early::Early;
use super::exchange::exchange;
use super::patient::Patient;
use super::stream::ClientStream;
use super::worker::Worker;

/// How a connection of HTTP/2 begins (RFC 9113 §3.4). No request of HTTP/1.1 begins so.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of the preface by which it is told from all else: no other method begins so.
const TELLING: usize = 3;

/// Most calls of one connection at a time.
const CALLS: u32 = 128;

/// How often a silent client is asked whether it still lives.
const PING: Duration = Duration::from_secs(60);

/// Runs what a connection needs on the worker's own thread.
#[derive(Debug, Clone, Copy)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move { drop(future.await) });
    }
}

/// Reads so much of a connection that its first byte was `P` as tells whether it is one of HTTP/2. What was read is in
/// `early`; `None` where nothing further comes in time.
pub(super) async fn begins(early: &mut Vec<u8>, stream: &mut ClientStream, patience: Duration) -> Option<bool> {
    let told = async {
        while early.len() < TELLING && PREFACE.starts_with(early) {
            let room = (TELLING - early.len()) as u64;
            if (&mut *stream).take(room).read_buf(early).await.ok()? == 0 {
                return None;
            }
        }
        Some(early.len() >= TELLING && PREFACE.starts_with(&early[..TELLING]))
    };
    tokio::time::timeout(patience, told).await.ok()?
}

/// Serves the calls of a connection.
pub(super) async fn serve(
    worker: &Rc<Worker>,
    client: Client,
    early: Vec<u8>,
    stream: ClientStream,
    drain: &mut Drain,
) {
    let (limits, client) = (&worker.limits, Rc::new(client));
    let mut builder = Builder::new(Local);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .enable_connect_protocol()
        .max_concurrent_streams(CALLS)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));
    let service = service_fn(|request: Request<Incoming>| {
        let (worker, client) = (Rc::clone(worker), Rc::clone(&client));
        let debugs = debug::is_asked(&worker, &client, request.headers());
        async move {
            Ok::<_, Infallible>(debug::told(debugs, exchange(worker, client, request.map(CallerBody::Beside)).await))
        }
    });
    let io = TokioIo::new(Patient::new(Early::new(early, stream), limits.response_timeout));
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut replaced = drain.clone();
    let over = async {
        tokio::select! {
            () = client.over(worker, drain) => {}
            // What a client sends before it reads that it is over is answered (RFC 9113 §6.8).
            () = replaced.reached(Phase::Replaced) => {}
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = over => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if ended.is_err() {
        worker.shard.count(Counter::BadConnections);
    }
}
