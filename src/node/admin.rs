//! The admin endpoint: HTTP on a Unix socket, guarded by the permissions of the state directory; and metrics and health
//! alone on a port, if asked for.

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::socket::Socket;
use super::{api, handover};

/// How long a client of the endpoint may take for its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest question, in bytes: far more than the head of any request.
const MAX_QUESTION: usize = 1 << 20;

/// The text exposition format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long to wait after `accept` failed: at once it would fail again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections to the port for metrics and health at once.
const CONNECTIONS: usize = 16;

/// Clients that read metrics at once; there are one or two scrapers.
const READERS: usize = 4;

/// How long such a connection may last, which is for one request.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the endpoint answers from.
pub(super) trait Answers {
    /// The state of the proxy.
    fn status(&self) -> api::Status;
    /// The counters.
    fn metrics(&self) -> String;
    /// Why calls should not be sent here, if so.
    fn unready(&self) -> Option<String>;
    /// A part of what is compiled, as JSON.
    fn config_dump(&self, section: api::Section) -> serde_json::Result<Vec<u8>>;
    /// What would happen to a call.
    fn trace(&self, question: &api::Question) -> api::Answer;
    /// Begins the drain.
    fn drain(&self);
    /// Hands the listening sockets to the process at the other end, and what else it needs to go on instead of this one.
    fn hand_over(&self, to: UnixStream) -> Pin<Box<dyn Future<Output = ()> + '_>>;
}

/// Serves the endpoint until dropped.
pub(super) async fn serve(socket: Socket, answers: Rc<dyn Answers>) {
    loop {
        let Ok((stream, _)) = socket.listener.accept().await else {
            // Commonly for want of descriptors, which calls that end give back.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let answers = Rc::clone(&answers);
        tokio::task::spawn_local(connection(stream, async move |request| respond(&answers, request).await));
    }
}

/// A bound port that serves metrics and nothing else, to whoever reaches it.
#[derive(Debug)]
pub(super) struct Scrapes {
    listener: TcpListener,
    /// Where, port filled in.
    pub(super) address: SocketAddr,
}

impl Scrapes {
    pub(super) fn new(listener: std::net::TcpListener) -> std::io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener: TcpListener::from_std(listener)?, address })
    }

    /// The same socket once more.
    pub(super) fn socket(&self) -> std::io::Result<std::net::TcpListener> {
        self.listener.as_fd().try_clone_to_owned().map(Into::into)
    }

    /// Serves until dropped. Who comes when there are too many connections waits in the backlog.
    pub(super) async fn serve(&self, answers: Rc<dyn Answers>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let shown = Rc::new(Shown::default());
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (answers, shown) = (Rc::clone(&answers), Rc::clone(&shown));
            tokio::task::spawn_local(async move {
                let served = connection(stream, async move |request| scrape(answers.as_ref(), &shown, &request));
                // What is not read in this time is cut off.
                let _ = tokio::time::timeout(SCRAPE_TIMEOUT, served).await;
                drop(permit);
            });
        }
    }
}

/// The text of metrics, which is long: there is one for all who read at a time, and none when nobody does.
#[derive(Debug)]
struct Shown {
    last: RefCell<Option<(Instant, Weak<String>)>>,
    readers: Arc<Semaphore>,
}

impl Default for Shown {
    fn default() -> Self {
        Self { last: RefCell::default(), readers: Arc::new(Semaphore::new(READERS)) }
    }
}

/// The text as it is held by one who reads it.
struct Reading {
    text: Arc<String>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Reading {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl Shown {
    /// The text for one more reader: that which others read, unless it is as old as a connection may be; nothing where there are
    /// too many of them.
    fn read(&self, now: Instant, render: impl FnOnce() -> String) -> Option<Bytes> {
        let permit = Arc::clone(&self.readers).try_acquire_owned().ok()?;
        let mut last = self.last.borrow_mut();
        let fresh = last.as_ref().filter(|(at, _)| now.duration_since(*at) < SCRAPE_TIMEOUT);
        let text = fresh.and_then(|(_, text)| text.upgrade()).unwrap_or_else(|| {
            let text = Arc::new(render());
            *last = Some((now, Arc::downgrade(&text)));
            text
        });
        Some(Bytes::from_owner(Reading { text, _permit: permit }))
    }
}

/// Serves the requests of one connection.
async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    respond: impl AsyncFn(Request<Incoming>) -> Response<Full<Bytes>> + 'static,
) {
    let respond = Rc::new(respond);
    let service = service_fn(move |request: Request<Incoming>| {
        let respond = Rc::clone(&respond);
        async move { Ok::<_, Infallible>(respond(request).await) }
    });
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    // A client that breaks HTTP or leaves concerns nobody else.
    let _ = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

async fn respond(answers: &Rc<dyn Answers>, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let (status, body) = match (&head.method, head.uri.path()) {
        (&Method::GET, api::STATUS) => json(serde_json::to_vec(&answers.status())),
        (&Method::GET, path) if section(path).is_some() => {
            json(section(path).map_or(Ok(Vec::new()), |section| answers.config_dump(section)))
        }
        (&Method::POST, api::TRACE) => match question(body).await {
            Ok(question) => json(serde_json::to_vec(&answers.trace(&question))),
            Err(why) => (StatusCode::BAD_REQUEST, why.into_bytes()),
        },
        (&Method::GET, api::METRICS) => (StatusCode::OK, answers.metrics().into_bytes()),
        (&Method::GET, path) if let Some(health) = health(answers.as_ref(), path) => health,
        (&Method::POST, api::HANDOVER) => {
            let answers = Rc::clone(answers);
            tokio::task::spawn_local(async move {
                // Who leaves before it can be handed anything is handed nothing.
                if let Some(stream) = regained(upgrade).await {
                    answers.hand_over(stream).await;
                }
            });
            (StatusCode::SWITCHING_PROTOCOLS, Vec::new())
        }
        (&Method::POST, api::DRAIN) => {
            answers.drain();
            (StatusCode::ACCEPTED, Vec::new())
        }
        _ => (StatusCode::NOT_FOUND, b"no such endpoint\n".to_vec()),
    };
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static(handover::PROTOCOL));
    }
    response
}

/// The connection, when HTTP has let go of it. Nothing follows a request to be handed over before its answer.
async fn regained(upgrade: OnUpgrade) -> Option<UnixStream> {
    Some(upgrade.await.ok()?.downcast::<TokioIo<UnixStream>>().ok()?.io.into_inner())
}

/// The part of what is compiled that a path names.
fn section(path: &str) -> Option<api::Section> {
    path.strip_prefix(api::CONFIG_DUMP).and_then(api::Section::named)
}

fn json(answer: serde_json::Result<Vec<u8>>) -> (StatusCode, Vec<u8>) {
    match answer {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string().into_bytes()),
    }
}

/// The question in a body.
async fn question(body: Incoming) -> Result<api::Question, String> {
    let read = Limited::new(body, MAX_QUESTION).collect();
    let read = tokio::time::timeout(HEAD_TIMEOUT, read).await.map_err(|_| "the question did not come in time")?;
    let body = read.map_err(|error| error.to_string())?.to_bytes();
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}

/// What a path of health says.
fn health(answers: &dyn Answers, path: &str) -> Option<(StatusCode, Vec<u8>)> {
    let unready = match path {
        api::HEALTHZ => None,
        api::READYZ => answers.unready(),
        _ => return None,
    };
    Some(match unready {
        None => (StatusCode::OK, b"ok\n".to_vec()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n").into_bytes()),
    })
}

/// Metrics and health, and nothing else.
fn scrape(answers: &dyn Answers, shown: &Shown, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, api::METRICS) => match shown.read(Instant::now(), || answers.metrics()) {
            Some(text) => (StatusCode::OK, text),
            None => (StatusCode::SERVICE_UNAVAILABLE, Bytes::from_static(b"too many read metrics\n")),
        },
        (&Method::GET, path) if let Some((status, text)) = health(answers, path) => (status, text.into()),
        (_, api::METRICS | api::HEALTHZ | api::READYZ) => (StatusCode::METHOD_NOT_ALLOWED, Bytes::new()),
        _ => (StatusCode::NOT_FOUND, Bytes::from_static(b"metrics are at /metrics\n")),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EXPOSITION));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_read_metrics_at_a_time_share_one_text_and_are_few() {
        let (shown, begin) = (Shown::default(), Instant::now());
        let first = shown.read(begin, || "1".to_owned()).unwrap();
        let second = shown.read(begin, || unreachable!("it is rendered")).unwrap();
        assert_eq!(first.as_ptr(), second.as_ptr());
        let later = shown.read(begin + SCRAPE_TIMEOUT, || "2".to_owned()).unwrap();
        assert_eq!(later, "2", "it does not grow old");
        let last = shown.read(begin + SCRAPE_TIMEOUT, || unreachable!("it is rendered")).unwrap();
        assert!(shown.read(begin, || unreachable!("there are too many")).is_none());
        drop((first, second, later, last));
        assert_eq!(shown.read(begin + SCRAPE_TIMEOUT, || "3".to_owned()).unwrap(), "3", "nobody reads the last one");
    }
}
