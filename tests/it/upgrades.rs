//! HTTP that goes on in another protocol: WebSocket, with a real client and server, and what must not be switched to.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use bytes::Bytes;
use egressctl::cli::demo::origin::{Identity, Origin, Reply};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tungstenite::Message;

use crate::proxied::{PATIENCE, Proxied};
use crate::stage::{Stage, service_entry};

/// What a logentry of HTTP says of a call, whatever it goes on as.
const MONITORING: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {name: access, namespace: istio-system}
spec: {severity: '\"info\"', variables: {path: request.path, code: response.code | 0, sent: response.size | 0, received: request.size | 0}}
---
apiVersion: config.istio.io/v1alpha2
kind: stdio
metadata: {name: out, namespace: istio-system}
spec: {outputAsJson: true}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: report, namespace: istio-system}
spec: {match: context.protocol == \"http\", actions: [{handler: out.stdio, instances: [access.logentry]}]}
";

fn scene(origin: SocketAddr) -> Stage {
    let scene = Stage::new();
    scene.ok_with(&["create", "-f", "-"], &format!("{}---\n{MONITORING}", service_entry("a.example", origin)));
    scene
}

/// A WebSocket server that sends every message back.
pub(crate) fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut socket = tungstenite::accept(stream).expect("a handshake");
                while let Ok(message) = socket.read() {
                    if message.is_text() && socket.send(message).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// An origin that answers every request with the same bytes; the requests go to the receiver.
fn answering(answer: &'static str) -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.extend(byte);
            }
            let _ = sender.send(String::from_utf8_lossy(&head).to_ascii_lowercase());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, receiver)
}

#[test]
fn web_sockets_pass_both_ways_and_are_recorded_at_their_end() {
    let scene = scene(echo());
    let proxy = Proxied::start(&scene, &[]);
    let stream = TcpStream::connect(proxy.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let (mut socket, answer) = tungstenite::client("ws://a.example/chat", stream).expect("a handshake");
    assert_eq!(answer.status(), 101);
    for size in [1, 100, 100_000] {
        socket.send(Message::text("x".repeat(size))).expect("open");
        assert_eq!(socket.read().expect("an echo").len(), size);
    }
    assert!(scene.ok(&["logs"]).is_empty(), "it goes on");
    socket.close(None).expect("open");
    while socket.read().is_ok() {}
    drop(socket);
    let entry = scene.wait_for_entry("/chat");
    assert!(entry.contains("\"code\":101"), "{entry}");
    let bytes = |name: &str| -> u64 {
        let at = entry.find(name).expect("a field") + name.len();
        entry[at..].split([',', '}']).next().and_then(|number| number.parse().ok()).expect("a number")
    };
    assert!(bytes("\"received\":") > 100_101 && bytes("\"sent\":") > 100_101, "{entry}");
}

#[test]
fn web_sockets_pass_inside_a_tunnel_to_a_port_of_http() {
    let scene = scene(echo());
    let proxy = Proxied::start(&scene, &[]);
    let mut stream = TcpStream::connect(proxy.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.write_all(b"CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80\r\n\r\n").expect("it reads");
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 200"));
    let (mut socket, answer) = tungstenite::client("ws://a.example/chat", stream).expect("a handshake");
    assert_eq!(answer.status(), 101);
    socket.send(Message::text("x".repeat(1_000_000))).expect("open");
    assert_eq!(socket.read().expect("an echo").len(), 1_000_000);
    socket.close(None).expect("open");
    while socket.read().is_ok() {}
    drop(socket);
    assert!(scene.wait_for_entry("/chat").contains("\"code\":101"));
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head");
        head.extend(byte);
    }
    String::from_utf8(head).expect("text")
}

/// An origin that switches to a protocol of its own, then does what it is told to.
fn switching(then: fn(TcpStream)) -> SocketAddr {
    crate::raw::serving(move |mut stream| {
        let asked = read_head(&mut stream).to_ascii_lowercase();
        assert!(asked.contains("upgrade: own\r\n"), "{asked}");
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: own\r\n\r\nfirst")
            .expect("open");
        then(stream);
    })
}

const OWN: &[u8] = b"GET / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: own\r\n\r\n";

#[test]
fn bytes_behind_an_upgrade_are_no_requests_and_each_side_may_be_done_first() {
    let scene = scene(switching(|mut stream| {
        let mut all = String::new();
        stream.read_to_string(&mut all).expect("text");
        stream.write_all(format!("last after {all}").as_bytes()).expect("open");
    }));
    let proxy = Proxied::start(&scene, &[]);
    let mut stream = TcpStream::connect(proxy.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    // What no request may be, sent before anybody has agreed to anything.
    stream.write_all(&[OWN, b"\n\n #\0 GET"].concat()).expect("it reads");
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 101"));
    stream.shutdown(std::net::Shutdown::Write).expect("open");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, "firstlast after \n\n #\0 GET");
}

#[test]
fn an_origin_may_be_done_first_with_what_it_switched_to() {
    let scene = scene(switching(|mut stream| {
        stream.shutdown(std::net::Shutdown::Write).expect("open");
        let mut all = String::new();
        stream.read_to_string(&mut all).expect("text");
        assert_eq!(all, "late");
    }));
    let proxy = Proxied::start(&scene, &[]);
    let mut stream = TcpStream::connect(proxy.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.write_all(OWN).expect("it reads");
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 101"));
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, "first");
    stream.write_all(b"late").expect("the other way is open");
    stream.shutdown(std::net::Shutdown::Write).expect("open");
    assert!(scene.wait_for_entry("\"code\":101").contains("\"received\":4"));
}

#[test]
fn requests_behind_an_upgrade_that_was_declined_are_followed_again() {
    let (origin, received) = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    let scene = scene(origin);
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    let second = b"GET /second HTTP/1.1\r\nhost: a.example\r\n\r\n";
    let bad = b"POST /bad HTTP/1.1\r\nhost: a.example\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n";
    client.send(&[OWN, second, bad, second].concat());
    assert_eq!([client.read().status, client.read().status, client.read().status], [200, 200, 400]);
    assert!(client.closed());
    for line in ["get / ", "get /second "] {
        assert!(received.recv().expect("a request").starts_with(line));
    }
    assert!(received.try_recv().is_err());
}

#[test]
fn an_origin_cannot_switch_to_what_nobody_asked_for() {
    let (origin, received) =
        answering("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n");
    let scene = scene(origin);
    let proxy = Proxied::start(&scene, &[]);
    for head in ["connection: upgrade\r\nupgrade: websocket\r\n", ""] {
        let mut client = proxy.connect();
        client.send(format!("GET / HTTP/1.1\r\nhost: a.example\r\n{head}\r\n").as_bytes());
        assert_eq!(client.read().status, 502);
        assert_eq!(received.recv().expect("a request").contains("upgrade: websocket"), !head.is_empty());
    }
}

#[test]
fn http2_and_tls_are_never_switched_to() {
    let (origin, received) = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let scene = scene(origin);
    let proxy = Proxied::start(&scene, &[]);
    for protocol in ["h2c", "HTTP/2.0", "TLS/1.2", "websocket, h2c"] {
        let mut client = proxy.connect();
        client.send(
            format!("GET / HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: {protocol}\r\n\r\n")
                .as_bytes(),
        );
        assert_eq!(client.read().text(), "ok");
        let request = received.recv().expect("a request");
        assert!(!request.contains("upgrade"), "{request}");
    }
}

/// A connection of HTTP/2 whose other end has said what it offers.
async fn multiplexed(address: SocketAddr) -> hyper::client::conn::http2::SendRequest<Empty<Bytes>> {
    let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("it speaks HTTP/2");
    tokio::spawn(connection);
    let unknown = Request::get("http://unknown.example/").body(Empty::new()).expect("a request");
    assert_eq!(sender.send_request(unknown).await.expect("an answer").status(), 502);
    sender
}

fn extended(protocol: &'static str) -> Request<Empty<Bytes>> {
    let mut request = Request::connect("http://a.example/chat")
        .header("sec-websocket-version", "13")
        .body(Empty::new())
        .expect("a request");
    request.extensions_mut().insert(Protocol::from_static(protocol));
    request
}

#[test]
fn a_client_of_http_2_speaks_websocket_beside_its_other_calls() {
    let scene = scene(echo());
    let proxy = Proxied::start(&scene, &[]);
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let mut sender = multiplexed(proxy.address).await;
        let mut opened = sender.send_request(extended("websocket")).await.expect("an answer");
        assert_eq!(opened.status(), 200);
        for name in ["connection", "upgrade", "sec-websocket-accept"] {
            assert!(!opened.headers().contains_key(name), "{name} is of HTTP/1.1");
        }
        let mut socket = TokioIo::new(hyper::upgrade::on(&mut opened).await.expect("a stream"));
        // A text, whole, with a mask that changes nothing; then the close, which is answered.
        socket.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.expect("it reads");
        let mut echoed = [0; 4];
        socket.read_exact(&mut echoed).await.expect("an echo");
        assert_eq!(&echoed, &[0x81, 2, b'h', b'i']);
        socket.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.expect("it reads");
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).await.expect("an end");
        assert_eq!(rest, [0x88, 0]);
        drop(socket);
        let refused = sender.send_request(extended("connect-udp")).await.expect("an answer");
        assert_eq!(refused.status(), 403);
    });
    let entry = scene.wait_for_entry("\"received\":14");
    assert!(entry.contains("\"code\":200") && entry.contains("/chat"), "{entry}");
}

#[test]
fn an_origin_that_answers_websocket_without_opening_it_is_not_taken_to_have_opened_it() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    ] {
        let (origin, _requests) = answering(answer);
        let scene = scene(origin);
        let proxy = Proxied::start(&scene, &[]);
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            let mut sender = multiplexed(proxy.address).await;
            let answered = sender.send_request(extended("websocket")).await.expect("an answer");
            assert_eq!(answered.status(), 502, "{answer}");
        });
    }
}

/// An origin of HTTP/2 without TLS. Where it takes WebSocket it sends every byte back, but to `/closed`.
fn multiplexed_echo(takes_websocket: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    listener.set_nonblocking(true).expect("a socket");
    std::thread::spawn(move || {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                if takes_websocket {
                    builder.enable_connect_protocol();
                }
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service_fn(echo_when_asked)));
            }
        });
    });
    address
}

async fn echo_when_asked(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, std::convert::Infallible> {
    let asked = request.extensions().get::<Protocol>().is_some_and(|protocol| protocol.as_str() == "websocket");
    let headers = request.headers();
    let clean = ["sec-websocket-key", "connection", "upgrade"].iter().all(|name| !headers.contains_key(*name));
    let opens = asked && clean && request.method() == Method::CONNECT && headers["sec-websocket-version"] == "13";
    let mut response = Response::new(Empty::new());
    match (opens, request.uri().path()) {
        (false, _) => *response.status_mut() = StatusCode::NOT_IMPLEMENTED,
        (true, "/closed") => *response.status_mut() = StatusCode::FORBIDDEN,
        (true, _) => {
            tokio::spawn(async move {
                let stream = TokioIo::new(hyper::upgrade::on(&mut request).await.expect("a stream"));
                let (mut reads, mut writes) = tokio::io::split(stream);
                tokio::io::copy(&mut reads, &mut writes).await.expect("an echo");
                writes.shutdown().await.expect("an end");
            });
        }
    }
    Ok(response)
}

fn scene_of_http_2(origin: SocketAddr) -> Stage {
    let scene = Stage::new();
    let entry = service_entry("a.example", origin).replace("protocol: HTTP,", "protocol: HTTP2,");
    scene.ok_with(&["create", "-f", "-"], &format!("{entry}---\n{MONITORING}"));
    scene
}

const WEBSOCKET: &str = "host: a.example\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn an_origin_of_http_2_is_asked_for_websocket_by_extended_connect() {
    let scene = scene_of_http_2(multiplexed_echo(true));
    let proxy = Proxied::start(&scene, &[]);
    let mut stream = TcpStream::connect(proxy.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.write_all(format!("GET /chat HTTP/1.1\r\n{WEBSOCKET}").as_bytes()).expect("it reads");
    let head = read_head(&mut stream).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{head}");
    stream.write_all(b"there").expect("it reads");
    stream.shutdown(std::net::Shutdown::Write).expect("open");
    let mut back = String::new();
    stream.read_to_string(&mut back).expect("an echo");
    assert_eq!(back, "there");
    let entry = scene.wait_for_entry("/chat");
    assert!(entry.contains("\"code\":101") && entry.contains("\"received\":5"), "{entry}");

    let mut client = proxy.connect();
    client.send(format!("GET /closed HTTP/1.1\r\n{WEBSOCKET}").as_bytes());
    assert_eq!(client.read().status, 403, "the origin's own answer");
}

#[test]
fn websocket_passes_with_http_2_on_both_sides() {
    let scene = scene_of_http_2(multiplexed_echo(true));
    let proxy = Proxied::start(&scene, &[]);
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let mut sender = multiplexed(proxy.address).await;
        let mut opened = sender.send_request(extended("websocket")).await.expect("an answer");
        assert_eq!(opened.status(), 200);
        let mut socket = TokioIo::new(hyper::upgrade::on(&mut opened).await.expect("a stream"));
        socket.write_all(b"there").await.expect("it reads");
        let mut back = [0; 5];
        socket.read_exact(&mut back).await.expect("an echo");
        assert_eq!(&back, b"there");
    });
    assert!(scene.wait_for_entry("/chat").contains("\"code\":200"));
}

#[test]
fn an_origin_of_http_2_that_takes_no_websocket_is_not_asked() {
    let scene = scene_of_http_2(multiplexed_echo(false));
    let proxy = Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(format!("GET /chat HTTP/1.1\r\n{WEBSOCKET}").as_bytes());
    assert_eq!(client.read().status, 502);
    assert!(scene.wait_for_entry("\"code\":502").contains("/chat"));
}

#[test]
fn an_origin_of_tls_that_is_spoken_to_in_http_2_is_asked_to_upgrade_in_http_1() {
    let identity = Identity::new(&["a.example"], 2020..2120).expect("a certificate");
    let ca = &identity.ca_pem;
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: own\r\n\r\nfirst";
    let origin = Origin::start(Some(&identity), |_| Reply::Last(answer.to_vec())).expect("an origin");
    let scene = scene_of_http_2(origin.address);
    scene.ok_with(
        &["create", "-f", "-"],
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec: {host: a.example, \
         trafficPolicy: {tls: {mode: SIMPLE}}}\n",
    );
    let proxy = Proxied::start(&scene, &["--ca-file", &scene.write("ca.pem", ca)]);
    let mut stream = TcpStream::connect(proxy.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.write_all(OWN).expect("it reads");
    let head = read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, "first");
}
