//! HTTP/2 on either side, and gRPC through it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Barrier;

use crate::proxied::{PATIENCE, Proxied, with_origin};
use crate::stage::{SCENARIO, Stage, service_entry};

const DENY: &str = "apiVersion: config.istio.io/v1alpha2\nkind: denier\nmetadata: {name: blocker, namespace: istio-system}\n\
                    spec: {status: {code: 7, message: not this one}}\n---\napiVersion: config.istio.io/v1alpha2\nkind: \
                    checknothing\nmetadata: {name: any, namespace: istio-system}\nspec: {}\n---\napiVersion: \
                    config.istio.io/v1alpha2\nkind: rule\nmetadata: {name: deny, namespace: istio-system}\nspec:\n  match: \
                    request.path.startsWith(\"/shop.Cart/Delete\")\n  actions: [{handler: blocker.denier, instances: \
                    [any.checknothing]}]\n";

/// An origin of gRPC: answers each call with what it was sent, and a status behind it.
async fn grpc_origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|request: Request<Incoming>| async move {
                let te = request.headers().get("te").and_then(|te| te.to_str().ok()).unwrap_or("nothing");
                let told = format!("{} {te}", request.uri());
                let body = request.into_body().collect().await.expect("a body").to_bytes();
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("0"));
                let body = Full::new(body).with_trailers(std::future::ready(Some(Ok(trailers))));
                let mut response = Response::new(body);
                response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
                response.headers_mut().insert("x-told", told.parse().expect("a value"));
                Ok::<_, Infallible>(response)
            });
            tokio::spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    address
}

/// An entry for each tunnel.
const CLOSED: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {name: tunnels, namespace: istio-system}
spec: {variables: {closed: connection.closed_by | \"-\", received: connection.received.bytes | 0, zone: '\"end\"'}}
---
apiVersion: config.istio.io/v1alpha2
kind: stdio
metadata: {name: out, namespace: istio-system}
spec: {outputAsJson: true}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: report, namespace: istio-system}
spec: {match: context.protocol == \"tcp\", actions: [{handler: out.stdio, instances: [tunnels.logentry]}]}
";

type Sender = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

async fn connect(address: SocketAddr) -> Sender {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("it speaks HTTP/2");
    tokio::spawn(connection);
    sender
}

async fn call(sender: &mut Sender, uri: &str, body: &'static [u8]) -> (Response<()>, Bytes, Option<HeaderMap>) {
    let request = Request::post(uri)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from_static(body)))
        .expect("a request");
    let (head, body) = sender.send_request(request).await.expect("an answer").into_parts();
    let whole = body.collect().await.expect("a body");
    let trailers = whole.trailers().cloned();
    (Response::from_parts(head, ()), whole.to_bytes(), trailers)
}

#[test]
fn calls_of_grpc_pass_with_their_trailers_and_refusals_are_theirs() {
    let runtime = Runtime::new().expect("a runtime");
    let origin = runtime.block_on(grpc_origin());
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let entry = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: shop}}\nspec:\n  hosts: [shop.example]\n  \
         resolution: STATIC\n  ports: [{{number: 80, name: grpc, protocol: GRPC, targetPort: {}}}]\n  \
         endpoints: [{{address: 127.0.0.1}}]\n---\n{DENY}",
        origin.port()
    );
    scene.ok_with(&["create", "-f", "-"], &entry);
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    runtime.block_on(async {
        let mut sender = connect(proxy.address).await;
        for _ in 0..3 {
            let (head, body, trailers) =
                call(&mut sender, "http://shop.example/shop.Cart/Add", b"\0\0\0\0\x02hi").await;
            assert_eq!(head.status(), 200);
            assert_eq!(head.headers()["x-told"], "http://shop.example/shop.Cart/Add trailers");
            assert_eq!(&body[..], b"\0\0\0\0\x02hi");
            assert_eq!(trailers.expect("trailers")["grpc-status"], "0");
        }
        let (head, body, _) = call(&mut sender, "http://shop.example/shop.Cart/Delete", b"").await;
        assert_eq!((head.status().as_u16(), body.len()), (200, 0));
        assert_eq!(head.headers()["grpc-status"], "7");
        let message = "PERMISSION_DENIED:blocker.denier.istio-system:not this one";
        assert_eq!(head.headers()["grpc-message"], message);
        assert!(head.headers().contains_key("x-egress-decision-id"));
    });
    assert!(scene.metrics().contains("egressctl_upstream_connections_total 1\n"), "{}", scene.metrics());
}

#[test]
fn callers_of_http_2_reach_origins_of_http_1_and_others_those_of_http_2() {
    let (scene, origin) = with_origin(DENY);
    let proxy = Proxied::start(&scene, &[]);
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut sender = connect(proxy.address).await;
        let get =
            |path: &str| Request::get(format!("http://a.example{path}")).body(Full::default()).expect("a request");
        let answers = tokio::join!(
            sender.clone().send_request(get("/1")),
            sender.clone().send_request(get("/2")),
            sender.clone().send_request(get("/shop.Cart/Delete")),
        );
        let status = |answer: Result<Response<Incoming>, _>| answer.map(|answer| answer.status().as_u16()).ok();
        assert_eq!([status(answers.0), status(answers.1), status(answers.2)], [Some(200), Some(200), Some(403)]);
        let mut differs = get("/");
        differs.headers_mut().insert("host", HeaderValue::from_static("b.example"));
        assert_eq!(status(sender.send_request(differs).await), Some(400));
    });
    assert_eq!(origin.requests(), 2);
}

/// Asks for a tunnel on a connection of HTTP/2.
async fn tunnel(sender: &mut Sender, target: &str) -> (u16, Option<TokioIo<hyper::upgrade::Upgraded>>) {
    let request = Request::connect(target).body(Full::default()).expect("a request");
    let mut response = sender.send_request(request).await.expect("an answer");
    let status = response.status().as_u16();
    let upgraded = if status == 200 { hyper::upgrade::on(&mut response).await.ok() } else { None };
    (status, upgraded.map(TokioIo::new))
}

/// An origin of plain TCP that sends back what it gets, and says goodbye when it gets no more.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                let copied = tokio::io::copy(&mut reader, &mut writer).await;
                if copied.is_ok() {
                    let _ = writer.write_all(b"goodbye").await;
                }
            });
        }
    });
    address
}

#[test]
fn tunnels_go_side_by_side_on_one_connection_of_http_2() {
    let (scene, _origin) = with_origin("");
    let runtime = Runtime::new().expect("a runtime");
    let echo = runtime.block_on(echo());
    let entry = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: echo}}\nspec:\n  hosts: [echo.example]\n  \
         resolution: STATIC\n  ports: [{{number: 7, name: tcp, protocol: TCP, targetPort: {}}}]\n  \
         endpoints: [{{address: 127.0.0.1}}]\n---\n{CLOSED}",
        echo.port()
    );
    scene.ok_with(&["create", "-f", "-"], &entry);
    let proxy = Proxied::start(&scene, &["--workers", "1"]);
    runtime.block_on(async {
        let mut sender = connect(proxy.address).await;
        let (status, first) = tunnel(&mut sender, "echo.example:7").await;
        assert_eq!(status, 200);
        let mut first = first.expect("a tunnel");
        let (_, second) = tunnel(&mut sender, "echo.example:7").await;
        let mut second = second.expect("a tunnel");
        assert_eq!(tunnel(&mut sender, "unknown.example:7").await.0, 502);
        // More than the window of a stream, and the end of one side alone.
        let sent = vec![7; 1 << 20];
        let (mut reader, mut writer) = tokio::io::split(&mut first);
        let mut received = Vec::new();
        let (written, read) = tokio::join!(
            async {
                writer.write_all(&sent).await?;
                writer.shutdown().await
            },
            reader.read_to_end(&mut received)
        );
        written.expect("the proxy reads");
        read.expect("the proxy writes");
        assert!(received.starts_with(&sent) && received.ends_with(b"goodbye"), "{}", received.len());
        second.write_all(b"hi").await.expect("the other goes on");
        let mut two = [0; 2];
        second.read_exact(&mut two).await.expect("an echo");
        assert_eq!(&two, b"hi");
        // One that is broken off does not end the connection.
        drop(second);
        // HTTP inside a tunnel is judged request by request.
        let (_, inside) = tunnel(&mut sender, "a.example:80").await;
        let mut inside = inside.expect("a tunnel");
        inside.write_all(b"GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n").await.expect("it reads");
        let mut page = String::new();
        inside.read_to_string(&mut page).await.expect("text");
        assert!(page.starts_with("HTTP/1.1 200") && page.ends_with("page"), "{page}");
    });
    for received in ["1048576", "2"] {
        let entry = scene.wait_for_entry(&format!("\"received\":{received},"));
        assert!(entry.contains("\"closed\":\"client\""), "{entry}");
    }
}

/// An origin of HTTP/2 that takes so many calls on a connection, and answers `/gather` only when three are there. What each
/// answer says is the number of connections so far.
async fn gathering(at_once: u32) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (gate, connections) = (Arc::new(Barrier::new(3)), Arc::<AtomicUsize>::default());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::AcqRel);
            let (gate, connections) = (Arc::clone(&gate), Arc::clone(&connections));
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let (gate, connections) = (Arc::clone(&gate), Arc::clone(&connections));
                async move {
                    if request.uri().path() == "/gather" {
                        gate.wait().await;
                    }
                    let told = connections.load(Ordering::Acquire).to_string();
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(told))))
                }
            });
            let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            builder.max_concurrent_streams(at_once);
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

#[test]
fn calls_that_a_connection_does_not_take_go_by_a_further_one() {
    let runtime = Runtime::new().expect("a runtime");
    let rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec: {host: a.example, \
                trafficPolicy: {connectionPool: {http: {maxConcurrentStreams: 2}}}}\n";
    for (taken, rule, connections) in [(1, "", 3), (100, rule, 2), (100, "", 1)] {
        let connections = [connections, connections + 1];
        let origin = runtime.block_on(gathering(taken));
        let entry = service_entry("a.example", origin).replace("protocol: HTTP,", "protocol: HTTP2,");
        let scene = Stage::new();
        scene.ok_with(&["create", "-f", "-"], &format!("{entry}---\n{rule}"));
        let proxy = Proxied::start(&scene, &["--workers", "1"]);
        // After the first call it is known how many the origin takes; its own end may come a little later.
        assert_eq!(proxy.get("http://a.example/").text(), "1");
        runtime.block_on(async {
            let sender = connect(proxy.address).await;
            let ask = || async {
                let request = Request::get("http://a.example/gather").body(Full::default()).expect("a request");
                let answer = sender.clone().send_request(request).await.expect("an answer");
                answer.into_body().collect().await.expect("a body").to_bytes()
            };
            let all = async { tokio::join!(ask(), ask(), ask()) };
            let told = tokio::time::timeout(PATIENCE, all).await.expect("no call waits for another");
            for told in [told.0, told.1, told.2] {
                let told = String::from_utf8_lossy(&told).parse().expect("a number");
                assert!(connections.contains(&told), "{told} connections: {taken} {rule}");
            }
        });
    }
}
