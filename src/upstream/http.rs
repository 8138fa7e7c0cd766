//! Calls to origins: over a connection that is kept, one made anew, or beside others.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_util::either::Either;

use crate::call::Failure;
use crate::metrics::{Counter, Shard};
use crate::routing::{Endpoint, Limits};

use super::breaker::Room;
use super::buffers::Buffers;
use super::connect::{Connector, micros};
use super::driven::Driven;
use super::http1::{self, Broken, Exchange};
use super::multiplexed::{self, Multiplexed, Place};
use super::outward::Outward;
use super::pool::{Lendable, MAX_IDLE, Pool};
use super::reading::ROOM;
use super::request_body::RequestBody;
use super::stream::{Destinations, Most, Stream, peer_of};
use super::websocket;

/// Buffers for answers that are kept for further ones.
const BUFFERS: usize = 8;

/// A connection, and how many calls it has carried.
#[derive(Debug)]
struct Connection {
    line: http1::Connection,
    carried: u32,
    /// When it is closed at the latest, where its rule says.
    end: Option<Instant>,
    /// Where it leads.
    peer: Option<IpAddr>,
}

impl Lendable for Connection {
    fn closed(&mut self) -> bool {
        self.line.is_over()
    }
}

type SharedPool = Rc<RefCell<Pool<Connection>>>;

/// The way of one worker to all origins.
#[derive(Debug)]
pub struct Upstream {
    connector: Arc<Connector>,
    pool: SharedPool,
    /// What answers are read into.
    buffers: Rc<Buffers>,
    multiplexed: Multiplexed,
    destinations: Rc<Destinations>,
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
    /// The body, if not a byte of the request was sent: it can be sent elsewhere, whatever it asks for.
    pub unsent: Option<Box<RequestBody>>,
}

impl SendFailure {
    fn on_new(failure: Failure, unsent: Option<RequestBody>) -> Self {
        Self { failure, reused: false, unsent: unsent.map(Box::new) }
    }
}

impl Upstream {
    /// A worker's way out, counting into its shard, with at most so many connections to one destination.
    pub fn new(connector: Arc<Connector>, shard: Arc<Shard>, most: Most) -> Self {
        let destinations = Destinations::new(&shard, most);
        let buffers = Rc::new(Buffers::new(ROOM, BUFFERS));
        let (pool, multiplexed) = (SharedPool::default(), Multiplexed::default());
        Self { connector, pool, buffers, multiplexed, destinations, shard }
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
        request: Outward<'_>,
        reached: &Cell<Option<IpAddr>>,
    ) -> Result<Response<ResponseBody>, SendFailure> {
        if endpoint.multiplexed && request.upgrades() {
            return Box::pin(self.send_upgrade(endpoint, connect_timeout, request, reached)).await;
        }
        if endpoint.multiplexed {
            return Box::pin(self.send_beside(endpoint, connect_timeout, request.into_request(), reached)).await;
        }
        let Outward { method, head, mut body } = request;
        while let Some(connection) = self.take(endpoint) {
            reached.set(connection.peer);
            match pin!(self.ask(connection, endpoint, Outward { method, head, body })).await {
                Ok(response) => return Ok(response),
                // Not a byte was sent: the connection was closed while it lay idle.
                Err(Broken { unsent: Some(unsent), .. }) => body = unsent,
                Err(Broken { failure, unsent: None }) => {
                    return Err(SendFailure { failure, reused: true, unsent: None });
                }
            }
        }
        let request = Outward { method, head, body };
        // Boxed, so that calls that find a connection, which are most, do not carry its room around.
        Box::pin(self.send_anew(endpoint, connect_timeout, request, reached)).await
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
            Err(failure) => return Err(SendFailure::on_new(failure, Some(request.into_body()))),
        };
        match multiplexed::send(&mut sender, request).await {
            Ok(response) => Ok(response.map(|body| ResponseBody::beside(body, place))),
            Err((failure, unsent)) => Err(SendFailure::on_new(failure, unsent.map(Request::into_body))),
        }
    }

    /// [`Upstream::send`] of a request that asks an origin of HTTP/2 to change protocol. In a handshake of TLS HTTP/1.1 can be
    /// agreed on instead, as browsers do; without TLS there is only extended CONNECT, and nothing but WebSocket.
    async fn send_upgrade(
        &self,
        endpoint: &Endpoint,
        connect_timeout: Duration,
        request: Outward<'_>,
        reached: &Cell<Option<IpAddr>>,
    ) -> Result<Response<ResponseBody>, SendFailure> {
        if endpoint.tls.is_some() {
            return self.send_anew(&endpoint.clone().for_one_upgrade(), connect_timeout, request, reached).await;
        }
        let request = request.into_request();
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
        let answered = answered.map(|response| response.map(ResponseBody::alone));
        answered.map_err(|(failure, unsent)| SendFailure::on_new(failure, unsent.map(Request::into_body)))
    }

    /// [`Upstream::send`] on a connection made for it.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn send_anew(
        &self,
        endpoint: &Endpoint,
        connect_timeout: Duration,
        request: Outward<'_>,
        reached: &Cell<Option<IpAddr>>,
    ) -> Result<Response<ResponseBody>, SendFailure> {
        reached.set(None);
        let connection = match self.connect(endpoint, connect_timeout).await {
            Ok(connection) => connection,
            Err(failure) => return Err(SendFailure::on_new(failure, Some(request.body))),
        };
        reached.set(connection.peer);
        let answered = self.ask(connection, endpoint, request).await;
        answered.map_err(|Broken { failure, unsent }| SendFailure::on_new(failure, unsent))
    }

    async fn ask(
        &self,
        connection: Connection,
        endpoint: &Endpoint,
        request: Outward<'_>,
    ) -> Result<Response<ResponseBody>, Broken> {
        let Connection { line, carried, end, peer } = connection;
        let (parts, exchange) = pin!(http1::ask(line, request, &self.buffers)).await?;
        let carried = carried.saturating_add(1);
        // One that has carried all that it may is closed with its answer.
        let is_kept = endpoint.calls_per_connection.is_none_or(|most| carried < most);
        let idle = endpoint.lasting.as_ref().and_then(|lasting| lasting.without_call).unwrap_or(MAX_IDLE);
        let (key, pool) = (Arc::clone(&endpoint.pool_key), Rc::clone(&self.pool));
        let back = Back { carried, end, peer, idle, key, pool };
        let back = is_kept.then_some(back);
        if exchange.is_uploading() && parts.status != StatusCode::SWITCHING_PROTOCOLS {
            let driven = Driven::start(exchange, |line| {
                if let Some(back) = back {
                    back.put(line);
                }
            });
            return Ok(Response::from_parts(parts, ResponseBody(Source::Driven(driven))));
        }
        let mut body = ResponseBody(Source::Own(Box::new(Own { exchange, back })));
        body.return_if_ended();
        Ok(Response::from_parts(parts, body))
    }

    fn take(&self, endpoint: &Endpoint) -> Option<Connection> {
        loop {
            let connection = self.pool.borrow_mut().take(&endpoint.pool_key, Instant::now())?;
            // Those of addresses that are left out for a while are closed.
            if !is_left_out(endpoint, connection.peer) {
                return Some(connection);
            }
        }
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
        let place = self.destinations.take(&endpoint.pool_key)?;
        let connected = self.connector.connect(endpoint, timeout).await;
        let counter = if connected.is_ok() { Counter::UpstreamConnections } else { Counter::UpstreamConnectFailures };
        self.shard.count(counter);
        connected.map(|wire| place.filled(wire))
    }

    async fn connect(&self, endpoint: &Endpoint, timeout: Duration) -> Result<Connection, Failure> {
        // Boxed, so that calls that find a connection, which are most, do not carry its room around.
        let stream = Box::pin(self.open(endpoint, timeout)).await?;
        let whole = endpoint.lasting.as_ref().and_then(|lasting| lasting.whole);
        let (end, peer) = (whole.map(|whole| Instant::now() + whole), peer_of(&stream));
        Ok(Connection { line: http1::Connection::new(stream), carried: 0, end, peer })
    }

    /// Room for a call to a cluster that takes only so many at a time.
    ///
    /// # Errors
    /// [`Failure::Overflow`] when too many wait already.
    pub async fn room(&self, cluster: &str, limits: &Limits) -> Result<Room, Failure> {
        self.connector.breakers.room(cluster, limits).await
    }
}

/// Whether an address of an endpoint is left out for a while.
pub(super) fn is_left_out(endpoint: &Endpoint, address: Option<IpAddr>) -> bool {
    let Some(addresses) = &endpoint.addresses else { return false };
    address.is_some_and(|address| addresses.is_out(address, micros()))
}

/// What takes a connection back to its pool when the answer that it carries has ended.
struct Back {
    carried: u32,
    end: Option<Instant>,
    peer: Option<IpAddr>,
    /// How long it may lie idle.
    idle: Duration,
    key: Arc<str>,
    pool: SharedPool,
}

impl Back {
    fn put(self, line: http1::Connection) {
        let Self { carried, end, peer, idle, key, pool } = self;
        let until = Instant::now() + idle;
        let until = end.map_or(until, |end| end.min(until));
        pool.borrow_mut().put(&key, Connection { line, carried, end, peer }, until);
    }
}

/// The body of an answer. Dropped before its end it closes the connection, because what is left of the answer would
/// stand in the way of the next one.
pub struct ResponseBody(Source);

enum Source {
    /// All of a connection of HTTP/1.1. Boxed, because an answer goes from hand to hand.
    Own(Box<Own>),
    /// All of one, while the request is still being sent.
    Driven(Driven),
    /// One stream of several.
    Beside { body: Incoming, _place: Place },
    /// One that nobody follows on its connection.
    Alone(Incoming),
    /// It has ended.
    Ended,
}

struct Own {
    exchange: Exchange,
    back: Option<Back>,
}

/// An origin's end of a call that goes on in another protocol.
pub enum Switched {
    /// What was read of the protocol already, and the stream.
    Own(Vec<u8>, Box<Stream>),
    /// A stream of HTTP/2.
    Beside(OnUpgrade),
}

impl Switched {
    /// Of an answer whose head was passed on.
    pub fn of(mut response: Response<ResponseBody>) -> Self {
        let upgrade = hyper::upgrade::on(&mut response);
        match response.into_body().0 {
            Source::Own(own) => {
                let (read, stream) = own.exchange.into_stream();
                Switched::Own(read, Box::new(stream))
            }
            Source::Driven(_) | Source::Beside { .. } | Source::Alone(_) | Source::Ended => Switched::Beside(upgrade),
        }
    }

    /// What was read already, and the stream; nothing if that is gone.
    pub async fn open(self) -> Option<(Vec<u8>, Either<Box<Stream>, TokioIo<Upgraded>>)> {
        match self {
            Switched::Own(read, stream) => Some((read, Either::Left(stream))),
            Switched::Beside(upgrade) => Some((Vec::new(), Either::Right(TokioIo::new(upgrade.await.ok()?)))),
        }
    }
}

impl ResponseBody {
    fn beside(body: Incoming, place: Place) -> Self {
        let mut body = Self(Source::Beside { body, _place: place });
        body.return_if_ended();
        body
    }

    /// Of a call that nobody follows on its connection.
    fn alone(body: Incoming) -> Self {
        Self(Source::Alone(body))
    }

    fn return_if_ended(&mut self) {
        let ended = match &self.0 {
            // A stream that goes on in another protocol has ended as an answer only.
            Source::Own(own) => own.exchange.is_done() && own.exchange.keeps(),
            Source::Beside { body, .. } => body.is_end_stream(),
            Source::Driven(_) | Source::Alone(_) | Source::Ended => false,
        };
        if !ended {
            return;
        }
        if let Source::Own(own) = std::mem::replace(&mut self.0, Source::Ended)
            && let Own { exchange, back: Some(back) } = *own
            && let Some(line) = exchange.into_connection()
        {
            back.put(line);
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
        let frame = match &mut self.0 {
            Source::Own(own) => ready!(own.exchange.poll_frame(cx)),
            Source::Driven(driven) => ready!(driven.poll_frame(cx)),
            Source::Beside { body, .. } | Source::Alone(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                frame.map(|frame| frame.map_err(|error| multiplexed::failure_of(&error)))
            }
            Source::Ended => None,
        };
        self.return_if_ended();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Own(own) => own.exchange.is_done(),
            Source::Driven(driven) => driven.is_end_stream(),
            Source::Beside { body, .. } | Source::Alone(body) => body.is_end_stream(),
            Source::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Driven(driven) => driven.size_hint(),
            Source::Own(own) => own.exchange.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            Source::Beside { body, .. } | Source::Alone(body) => body.size_hint(),
            Source::Ended => SizeHint::with_exact(0),
        }
    }
}
