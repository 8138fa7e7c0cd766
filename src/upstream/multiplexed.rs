//! HTTP/2 to origins: calls go side by side on a connection, and on a further one when it takes no more. The only file with
//! hyper's client of it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error as _;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderValue, Request, Version, header};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::call::Failure;
use crate::routing::Endpoint;

use super::http::is_left_out;
use super::pool::MAX_IDLE;
use super::request_body::RequestBody;
use super::stream::{Stream, peer_of};

/// How often an origin that is silent in the midst of calls is asked whether it still lives, and how long it has to say.
const PING: Duration = Duration::from_secs(20);

/// Bytes of header fields that an answer may have.
const MAX_FIELDS: u32 = 64 * 1024;

/// Stands for how many calls an origin takes as long as it has not said so; no origin says just this.
const UNSAID: usize = 0x7fff_fffe;

/// Most connections to one endpoint that are kept for further calls.
const MAX_CONNECTIONS: usize = 32;

/// The connections of one worker, by the endpoints' pool keys.
#[derive(Debug, Default)]
pub(super) struct Multiplexed(RefCell<HashMap<Arc<str>, Vec<Used>>>);

/// A connection's end for calls. It is let go of when no call used it for a while, or it is too old, and closed when its
/// last call is done.
#[derive(Debug)]
struct Used {
    last: Instant,
    idle: Duration,
    end: Option<Instant>,
    /// Calls that it may still be given, where they are limited.
    left: Option<u32>,
    line: Line,
}

impl Used {
    fn is_over(&self, now: Instant) -> bool {
        self.line.sender.is_closed() || self.left == Some(0) || self.end.is_some_and(|end| end <= now)
    }

    fn is_full(&self, endpoint: &Endpoint) -> bool {
        let most = endpoint.calls_at_once.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        self.line.load.calls.get() >= most.min(self.line.load.most())
    }

    /// Its end for one more call.
    fn lend(&mut self, now: Instant) -> (SendRequest<RequestBody>, Place) {
        self.last = now;
        self.left = self.left.map(|left| left.saturating_sub(1));
        (self.line.sender.clone(), Place::taken(&self.line.load))
    }
}

/// What has to be run for the calls of a connection to go on.
type Driver = Connection<TokioIo<Stream>, RequestBody, Local>;

/// A connection that has begun.
#[derive(Debug)]
pub(super) struct Line {
    sender: SendRequest<RequestBody>,
    load: Rc<Load>,
}

impl Line {
    /// Its end for a call that nobody counts.
    pub(super) fn sender(&self) -> SendRequest<RequestBody> {
        self.sender.clone()
    }

    /// Whether the other side has said that it does (RFC 8441 §3).
    pub(super) fn takes_extended_connect(&self) -> bool {
        self.load.driver.borrow().as_ref().is_some_and(Driver::is_extended_connect_protocol_enabled)
    }
}

/// How many calls a connection carries, and how many at most: what the other side says (RFC 9113 §5.1.2).
#[derive(Debug)]
struct Load {
    calls: Cell<usize>,
    /// Where the connection leads.
    peer: Option<IpAddr>,
    /// None when the connection has ended: its senders are told by that.
    driver: RefCell<Option<Driver>>,
}

impl Load {
    fn most(&self) -> usize {
        match self.driver.borrow().as_ref().map(Driver::current_max_send_streams) {
            // A second call would perhaps wait for the end of the first.
            None | Some(UNSAID) => 1,
            Some(most) => most,
        }
    }
}

/// A call's place on a connection, to its end.
#[derive(Debug)]
pub(super) struct Place(Rc<Load>);

impl Place {
    fn taken(load: &Rc<Load>) -> Self {
        load.calls.set(load.calls.get() + 1);
        Self(Rc::clone(load))
    }

    /// Where the connection leads.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        self.0.peer
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.calls.set(self.0.calls.get() - 1);
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

impl Multiplexed {
    /// A connection of an endpoint that lives and takes one more call, if there is one.
    pub(super) fn take(&self, endpoint: &Endpoint) -> Option<(SendRequest<RequestBody>, Place)> {
        let (mut all, now) = (self.0.borrow_mut(), Instant::now());
        let lines = all.get_mut(&endpoint.pool_key)?;
        lines.retain(|used| !used.is_over(now));
        // The first ones are filled first, so that the others may end.
        let can = |used: &Used| !used.is_full(endpoint) && !is_left_out(endpoint, used.line.load.peer);
        lines.iter_mut().find(|used| can(used)).map(|used| used.lend(now))
    }

    /// Lends a new connection, and keeps it for further calls.
    pub(super) fn keep(&self, endpoint: &Endpoint, line: Line) -> (SendRequest<RequestBody>, Place) {
        let (last, lasting) = (Instant::now(), endpoint.lasting.as_ref());
        let idle = lasting.and_then(|lasting| lasting.without_call).unwrap_or(MAX_IDLE);
        let end = lasting.and_then(|lasting| lasting.whole).map(|whole| last + whole);
        let mut used = Used { last, idle, end, left: endpoint.calls_per_connection, line };
        let lent = used.lend(last);
        let mut all = self.0.borrow_mut();
        let lines = all.entry(Arc::clone(&endpoint.pool_key)).or_default();
        if lines.len() < MAX_CONNECTIONS {
            lines.push(used);
        }
        lent
    }

    /// Lets go of connections that are closed, or were not used for a while.
    pub(super) fn sweep(&self, now: Instant) {
        self.0.borrow_mut().retain(|_, lines| {
            lines.retain(|used| !used.is_over(now) && now.duration_since(used.last) < used.idle);
            !lines.is_empty()
        });
    }
}

/// Begins to speak HTTP/2 on a stream.
///
/// # Errors
/// [`Failure::UpstreamProtocol`] where the other side does not.
pub(super) async fn begin(stream: Stream) -> Result<Line, Failure> {
    let mut builder = Builder::new(Local);
    builder.timer(TokioTimer::new()).keep_alive_interval(PING).max_header_list_size(MAX_FIELDS);
    builder.initial_max_send_streams(UNSAID);
    let peer = peer_of(&stream);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|_| Failure::UpstreamProtocol)?;
    let load = Rc::new(Load { calls: Cell::new(0), peer, driver: RefCell::new(Some(connection)) });
    let driven = Rc::clone(&load);
    // Ends with the connection, whose errors reach whoever waits for its answers.
    tokio::task::spawn_local(poll_fn(move |cx| {
        let mut driver = driven.driver.borrow_mut();
        let polled = driver.as_mut().map_or(Poll::Ready(()), |driver| Pin::new(driver).poll(cx).map(drop));
        if polled.is_ready() {
            driver.take();
        }
        polled
    }));
    Ok(Line { sender, load })
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
