//! HTTP/2 to origins: one connection an endpoint, on which calls go side by side. The only file with hyper's client of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderValue, Request, Version, header};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::call::Failure;
use crate::routing::Endpoint;

use super::connect::Stream;
use super::pool::MAX_IDLE;
use super::request_body::RequestBody;

/// How often an origin that is silent in the midst of calls is asked whether it still lives, and how long it has to say.
const PING: Duration = Duration::from_secs(20);

/// Bytes of header fields that an answer may have.
const MAX_FIELDS: u32 = 64 * 1024;

/// The connections of one worker, by the endpoints' pool keys.
#[derive(Debug, Default)]
pub(super) struct Multiplexed(RefCell<HashMap<Arc<str>, Used>>);

/// A connection's end for calls. It is let go of when no call used it for a while, or it is too old, and closed when its
/// last call is done.
#[derive(Debug)]
struct Used {
    last: Instant,
    idle: Duration,
    end: Option<Instant>,
    sender: SendRequest<RequestBody>,
}

impl Used {
    fn is_over(&self, now: Instant) -> bool {
        self.sender.is_closed() || self.end.is_some_and(|end| end <= now)
    }
}

/// Runs what a connection needs on the worker's own thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move { drop(future.await) });
    }
}

impl Multiplexed {
    /// The connection of an endpoint, if there is one that lives.
    pub(super) fn get(&self, key: &str) -> Option<SendRequest<RequestBody>> {
        let mut all = self.0.borrow_mut();
        let (used, now) = (all.get_mut(key)?, Instant::now());
        if used.is_over(now) {
            all.remove(key);
            return None;
        }
        used.last = now;
        Some(used.sender.clone())
    }

    /// Keeps a new connection; an older one goes when its calls are done.
    pub(super) fn keep(&self, endpoint: &Endpoint, sender: &SendRequest<RequestBody>) {
        let (last, lasting) = (Instant::now(), endpoint.lasting.as_ref());
        let idle = lasting.and_then(|lasting| lasting.without_call).unwrap_or(MAX_IDLE);
        let end = lasting.and_then(|lasting| lasting.whole).map(|whole| last + whole);
        let used = Used { last, idle, end, sender: sender.clone() };
        self.0.borrow_mut().insert(Arc::clone(&endpoint.pool_key), used);
    }

    /// Lets go of connections that are closed, or were not used for a while.
    pub(super) fn sweep(&self, now: Instant) {
        self.0.borrow_mut().retain(|_, used| !used.is_over(now) && now.duration_since(used.last) < used.idle);
    }
}

/// Begins to speak HTTP/2 on a stream.
///
/// # Errors
/// [`Failure::UpstreamProtocol`] where the other side does not.
pub(super) async fn begin(stream: Stream) -> Result<SendRequest<RequestBody>, Failure> {
    let (sender, connection) = handshake(stream).await?;
    // Ends with the connection, whose errors reach whoever waits for its answers.
    tokio::task::spawn_local(async move { drop(connection.await) });
    Ok(sender)
}

/// What has to be run for the calls of a connection to go on.
pub(super) type Driver = Connection<TokioIo<Stream>, RequestBody, Local>;

/// [`begin`], without running it.
///
/// # Errors
/// [`Failure::UpstreamProtocol`].
pub(super) async fn handshake(stream: Stream) -> Result<(SendRequest<RequestBody>, Driver), Failure> {
    let mut builder = Builder::new(Local);
    builder.timer(TokioTimer::new()).keep_alive_interval(PING).max_header_list_size(MAX_FIELDS);
    builder.handshake(TokioIo::new(stream)).await.map_err(|_| Failure::UpstreamProtocol)
}

/// The request as it stands in HTTP/2: the Host in the target (RFC 9113 §8.3.1), nothing that speaks of a connection.
pub(super) fn target(request: &mut Request<RequestBody>, tls: bool) {
    let headers = request.headers_mut();
    let host = headers.remove(header::HOST);
    for name in [header::CONNECTION, header::UPGRADE, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        // gRPC's status stands behind the body, and its servers look whether that is understood.
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    if let Some(authority) = authority {
        parts.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(authority);
        parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    }
    // A scheme, an authority and a path are always a URI.
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *request.version_mut() = Version::HTTP_2;
}

/// What came of a call on a connection.
pub(super) type Answered = Result<http::Response<Incoming>, (Failure, Option<Request<RequestBody>>)>;

/// Sends a request, when the connection takes one more.
pub(super) async fn send(sender: &mut SendRequest<RequestBody>, request: Request<RequestBody>) -> Answered {
    if sender.ready().await.is_err() {
        return Err((Failure::UpstreamClosed, Some(request)));
    }
    sender.try_send_request(request).await.map_err(|mut failed| {
        let unsent = failed.take_message();
        (failure_of(failed.error()), unsent)
    })
}

/// Why a call got no answer, or not all of it.
pub(super) fn failure_of(error: &hyper::Error) -> Failure {
    if error.is_user() {
        return Failure::BadRequest("the body of the request broke off or breaks HTTP");
    }
    let Some(error) = error.source().and_then(|source| source.downcast_ref::<h2::Error>()) else {
        return Failure::UpstreamClosed;
    };
    match (error.is_remote(), error.is_reset()) {
        // GOAWAY is told to those calls only that it says were not begun with (RFC 9113 §6.8).
        (true, false) if error.is_go_away() => Failure::UpstreamRefused,
        (true, true) if error.reason() == Some(h2::Reason::REFUSED_STREAM) => Failure::UpstreamRefused,
        (true, true) => Failure::UpstreamReset,
        _ if error.is_library() => Failure::UpstreamProtocol,
        _ => Failure::UpstreamClosed,
    }
}
