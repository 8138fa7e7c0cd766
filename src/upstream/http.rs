//! HTTP/1.1 to origins: the only file with hyper's client.

use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;

use crate::call::Failure;
use crate::metrics::{Counter, Shard};
use crate::routing::{Endpoint, Limits};

use super::breaker::Room;
use super::connect::{Connector, Stream, micros, peer_of};
use super::multiplexed::{self, Multiplexed, Place};
use super::pool::{Lendable, MAX_IDLE, Pool};
use super::request_body::RequestBody;
use super::websocket;

/// Most header fields of an answer; hyper's own default, named here because it is a bound of ours.
const MAX_HEADERS: usize = 100;

/// A connection, and how many calls it has carried.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<RequestBody>,
    carried: u32,
    /// When it is closed at the latest, where its rule says.
    end: Option<Instant>,
    /// Where it leads.
    peer: Option<IpAddr>,
}

impl Lendable for Connection {
    fn ready(&self) -> bool {
        self.sender.is_ready()
    }

    fn closed(&self) -> bool {
        self.sender.is_closed()
    }
}

type SharedPool = Rc<RefCell<Pool<Connection>>>;

/// The way of one worker to all origins.
#[derive(Debug)]
pub struct Upstream {
    connector: Arc<Connector>,
    pool: SharedPool,
    multiplexed: Multiplexed,
    shard: Arc<Shard>,
}

/// A try that got no answer.
#[derive(Debug)]
pub struct SendFailure {
    /// What failed.
    pub failure: Failure,
    /// Whether the connection had been used before: then the origin may just have closed it, and a request that may be
    /// repeated can be tried on a new one.
    pub reused: bool,
    /// The request, if not a byte of it was sent: it can be sent elsewhere, whatever it asks for.
    pub unsent: Option<Box<Request<RequestBody>>>,
}

impl Upstream {
    /// A worker's way out, counting into its shard.
    pub fn new(connector: Arc<Connector>, shard: Arc<Shard>) -> Self {
        Self { connector, pool: SharedPool::default(), multiplexed: Multiplexed::default(), shard }
    }

    /// Sends a request to an endpoint and waits for the head of the answer; `reached` is told which of its addresses the call
    /// went to.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn send(
        &self,
        endpoint: &Endpoint,
        connect_timeout: Duration,
        mut request: Request<RequestBody>,
        reached: &Cell<Option<IpAddr>>,
    ) -> Result<Response<ResponseBody>, SendFailure> {
        if endpoint.multiplexed && websocket::upgrades(&request) {
            return Box::pin(self.send_upgrade(endpoint, connect_timeout, request, reached)).await;
        }
        if endpoint.multiplexed {
            return Box::pin(self.send_beside(endpoint, connect_timeout, request, reached)).await;
        }
        while let Some(mut connection) = self.take(endpoint) {
            reached.set(connection.peer);
            match connection.sender.try_send_request(request).await {
                Ok(response) => return Ok(response.map(|body| self.lend(body, connection, endpoint))),
                Err(mut failed) => match failed.take_message() {
                    // Not a byte was sent: the connection was closed while it lay idle.
                    Some(unsent) => request = unsent,
                    None => {
                        let failure = failure_of(failed.error());
                        return Err(SendFailure { failure, reused: true, unsent: None });
                    }
                },
            }
        }
        self.send_anew(endpoint, connect_timeout, request, reached).await
    }

    /// [`Upstream::send`] beside other calls, on a connection of HTTP/2.
    async fn send_beside(
        &self,
        endpoint: &Endpoint,
        connect_timeout: Duration,
        mut request: Request<RequestBody>,
        reached: &Cell<Option<IpAddr>>,
    ) -> Result<Response<ResponseBody>, SendFailure> {
        // What a sidecar hands on came in plain text.
        multiplexed::target(&mut request, endpoint.tls.is_some() && !endpoint.is_gateway);
        if let Some((mut sender, place)) = self.multiplexed.take(endpoint) {
            reached.set(place.peer());
            match multiplexed::send(&mut sender, request).await {
                Ok(response) => return Ok(response.map(|body| ResponseBody::beside(body, place))),
                // Not a byte was sent: the connection was on its way to its end.
                Err((_, Some(unsent))) => request = unsent,
                Err((failure, None)) => return Err(SendFailure { failure, reused: true, unsent: None }),
            }
        }
        let failed = |failure, unsent: Option<Request<RequestBody>>| SendFailure {
            failure,
            reused: false,
            unsent: unsent.map(Box::new),
        };
        reached.set(None);
        let begun = match self.open(endpoint, connect_timeout).await {
            Ok(stream) => {
                reached.set(peer_of(&stream));
                multiplexed::begin(stream).await
            }
            Err(failure) => Err(failure),
        };
        let (mut sender, place) = match begun {
            Ok(line) => self.multiplexed.keep(endpoint, line),
            Err(failure) => return Err(failed(failure, Some(request))),
        };
        match multiplexed::send(&mut sender, request).await {
            Ok(response) => Ok(response.map(|body| ResponseBody::beside(body, place))),
            Err((failure, unsent)) => Err(failed(failure, unsent)),
        }
    }

    /// [`Upstream::send`] of a request that asks an origin of HTTP/2 to change protocol. In a handshake of TLS HTTP/1.1 can be
    /// agreed on instead, as browsers do; without TLS there is only extended CONNECT, and nothing but WebSocket.
    async fn send_upgrade(
        &self,
        endpoint: &Endpoint,
        connect_timeout: Duration,
        request: Request<RequestBody>,
        reached: &Cell<Option<IpAddr>>,
    ) -> Result<Response<ResponseBody>, SendFailure> {
        if endpoint.tls.is_some() {
            return self.send_anew(&endpoint.clone().for_one_upgrade(), connect_timeout, request, reached).await;
        }
        if !websocket::asks(&request) {
            return self.send_beside(endpoint, connect_timeout, request, reached).await;
        }
        reached.set(None);
        let answered = match self.open(endpoint, connect_timeout).await {
            Ok(stream) => {
                reached.set(peer_of(&stream));
                websocket::open(stream, request).await
            }
            Err(failure) => Err((failure, Some(request))),
        };
        answered.map(|response| response.map(ResponseBody::alone)).map_err(|(failure, unsent)| SendFailure {
            failure,
            reused: false,
            unsent: unsent.map(Box::new),
        })
    }

    /// [`Upstream::send`] on a connection made for it.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn send_anew(
        &self,
        endpoint: &Endpoint,
        connect_timeout: Duration,
        request: Request<RequestBody>,
        reached: &Cell<Option<IpAddr>>,
    ) -> Result<Response<ResponseBody>, SendFailure> {
        reached.set(None);
        let failed = |failure, unsent: Option<Request<RequestBody>>| SendFailure {
            failure,
            reused: false,
            unsent: unsent.map(Box::new),
        };
        let mut connection = match self.connect(endpoint, connect_timeout).await {
            Ok(connection) => connection,
            Err(failure) => return Err(failed(failure, Some(request))),
        };
        reached.set(connection.peer);
        match connection.sender.try_send_request(request).await {
            Ok(response) => Ok(response.map(|body| self.lend(body, connection, endpoint))),
            Err(mut broken) => {
                let unsent = broken.take_message();
                Err(failed(failure_of(broken.error()), unsent))
            }
        }
    }

    fn take(&self, endpoint: &Endpoint) -> Option<Connection> {
        let is_wanted = |connection: &Connection| !is_left_out(endpoint, connection.peer);
        self.pool.borrow_mut().take(&endpoint.pool_key, Instant::now(), is_wanted)
    }

    /// Drops connections that have been idle for too long.
    pub fn sweep(&self) {
        self.pool.borrow_mut().sweep(Instant::now());
        self.multiplexed.sweep(Instant::now());
    }

    /// A connection for one call alone, whose bytes are not looked at.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn open(&self, endpoint: &Endpoint, timeout: Duration) -> Result<Stream, Failure> {
        let connected = self.connector.connect(endpoint, timeout).await;
        let counter = if connected.is_ok() { Counter::UpstreamConnections } else { Counter::UpstreamConnectFailures };
        self.shard.count(counter);
        connected
    }

    async fn connect(&self, endpoint: &Endpoint, timeout: Duration) -> Result<Connection, Failure> {
        // Boxed, so that calls that find a connection, which are most, do not carry its room around.
        let stream = Box::pin(self.open(endpoint, timeout)).await?;
        let peer = peer_of(&stream);
        let (sender, connection) = Builder::new()
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failure_of(&error))?;
        // Ends with the connection, whose errors reach whoever waits for its answers.
        tokio::task::spawn_local(connection.with_upgrades());
        let whole = endpoint.lasting.as_ref().and_then(|lasting| lasting.whole);
        Ok(Connection { sender, carried: 0, end: whole.map(|whole| Instant::now() + whole), peer })
    }

    /// Room for a call to a cluster that takes only so many at a time.
    ///
    /// # Errors
    /// [`Failure::Overflow`] when too many wait already.
    pub async fn room(&self, cluster: &str, limits: &Limits) -> Result<Room, Failure> {
        self.connector.breakers.room(cluster, limits).await
    }

    fn lend(&self, body: Incoming, mut connection: Connection, endpoint: &Endpoint) -> ResponseBody {
        connection.carried = connection.carried.saturating_add(1);
        // One that has carried all that it may is closed when its sender is dropped.
        let is_kept = endpoint.calls_per_connection.is_none_or(|most| connection.carried < most);
        let idle = endpoint.lasting.as_ref().and_then(|lasting| lasting.without_call).unwrap_or(MAX_IDLE);
        let lent = Lent { connection, is_kept, idle, key: Arc::clone(&endpoint.pool_key), pool: Rc::clone(&self.pool) };
        let mut body = ResponseBody { body, held: Held::Connection(lent) };
        body.return_if_ended();
        body
    }
}

/// Whether an address of an endpoint is left out for a while.
pub(super) fn is_left_out(endpoint: &Endpoint, address: Option<IpAddr>) -> bool {
    let Some(addresses) = &endpoint.addresses else { return false };
    address.is_some_and(|address| addresses.is_out(address, micros()))
}

fn failure_of(error: &hyper::Error) -> Failure {
    if error.is_user() {
        // The only thing that we hand to hyper and that can fail is the caller's body.
        Failure::BadRequest("the body of the request broke off or breaks HTTP")
    } else if error.is_parse() || error.is_parse_too_large() {
        Failure::UpstreamProtocol
    } else {
        Failure::UpstreamClosed
    }
}

/// Why the body of an answer did not come to its end.
fn body_failure(error: &hyper::Error) -> Failure {
    let broken = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match broken.map(io::Error::kind) {
        // Chunks that are none.
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => Failure::UpstreamProtocol,
        _ => multiplexed::failure_of(error),
    }
}

/// A connection that goes back to its pool when the body it carries has ended.
struct Lent {
    connection: Connection,
    is_kept: bool,
    /// How long it may lie idle.
    idle: Duration,
    key: Arc<str>,
    pool: SharedPool,
}

/// The body of an answer. Dropped before its end it closes the connection, because what is left of the answer would
/// stand in the way of the next one.
pub struct ResponseBody {
    body: Incoming,
    held: Held,
}

/// What a call has of a connection, to the end of its answer.
enum Held {
    /// All of it.
    Connection(Lent),
    /// One stream of several.
    Place { _place: Place },
    /// Nothing that others could be given.
    Nothing,
}

impl ResponseBody {
    fn beside(body: Incoming, place: Place) -> Self {
        let mut body = Self { body, held: Held::Place { _place: place } };
        body.return_if_ended();
        body
    }

    /// Of a call that nobody follows on its connection.
    fn alone(body: Incoming) -> Self {
        Self { body, held: Held::Nothing }
    }

    fn return_if_ended(&mut self) {
        if self.body.is_end_stream()
            && let Held::Connection(lent) = std::mem::replace(&mut self.held, Held::Nothing)
            && lent.is_kept
        {
            let until = Instant::now() + lent.idle;
            let until = lent.connection.end.map_or(until, |end| end.min(until));
            lent.pool.borrow_mut().put(&lent.key, lent.connection, until);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.return_if_ended();
        Poll::Ready(frame.map(|frame| frame.map_err(|error| body_failure(&error))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
