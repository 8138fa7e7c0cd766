//! HTTP/2 from clients, by prior knowledge: the only file with hyper's server of it.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt as _;
use tokio::sync::Notify;

use crate::metrics::{Bound, Counter};
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

/// The calls of a connection: begun, and broken off by their client before they were answered.
#[derive(Debug, Default)]
struct Calls {
    begun: Cell<usize>,
    broken_off: Cell<usize>,
    /// Told when that has happened too often.
    too_often: Notify,
}

/// A call that counts as broken off if it is dropped before it is answered.
struct Begun {
    calls: Rc<Calls>,
    most: usize,
    is_answered: bool,
}

impl Calls {
    /// One more, of which so many may be broken off.
    fn begin(self: &Rc<Self>, most: usize) -> Begun {
        self.begun.set(self.begun.get() + 1);
        Begun { calls: Rc::clone(self), most, is_answered: false }
    }
}

impl Begun {
    fn answered(&mut self) {
        self.is_answered = true;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let broken_off = self.calls.broken_off.get() + 1;
        self.calls.broken_off.set(broken_off);
        if broken_off > self.most && broken_off > self.calls.begun.get() / 2 {
            self.calls.too_often.notify_one();
        }
    }
}

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
    client: Box<Client>,
    early: Vec<u8>,
    stream: ClientStream,
    drain: &mut Drain,
) {
    let (limits, client) = (&worker.limits, Rc::from(client));
    let mut builder = Builder::new(Local);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .enable_connect_protocol()
        .max_concurrent_streams(CALLS)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));
    let calls = Rc::<Calls>::default();
    let service = service_fn(|request: Request<Incoming>| {
        let (worker, client, mut begun) = (Rc::clone(worker), Rc::clone(&client), calls.begin(limits.resets));
        let debugs = debug::is_asked(&worker, &client, request.headers());
        async move {
            let response = exchange(worker, client, request.map(CallerBody::Beside)).await;
            begun.answered();
            Ok::<_, Infallible>(debug::told(debugs, response))
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
    let served = async {
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = over => {
                connection.as_mut().graceful_shutdown();
                connection.as_mut().await
            }
        }
    };
    let ended = tokio::select! {
        ended = served => Some(ended),
        () = calls.too_often.notified() => None,
    };
    match ended {
        Some(Ok(())) => {}
        Some(Err(_)) => worker.shard.count(Counter::BadConnections),
        None => {
            worker.shard.count(Counter::BadConnections);
            worker.shard.reached(Bound::Resets);
            // As far as it can be told at once.
            connection.as_mut().graceful_shutdown();
            let _ = poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx))).await;
        }
    }
}
