//! gRPC through the proxy, by tonic on both sides: all four kinds of calls, statuses wherever they stand, deadlines, and
//! refusals of ours as statuses.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{ClientStreamingService, ServerStreamingService, StreamingService, UnaryService};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::proxied::{Proxied, with_origin};
use crate::stage::{SCENARIO, Stage};

/// Messages that are not looked into.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Gives back what it is told, or fails with what it is told.
struct Cart;

impl UnaryService<Bytes> for Cart {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let metadata = request.metadata().get("x-asked").cloned();
        let message = request.into_inner();
        Box::pin(async move {
            if &message[..] == b"gone" {
                return Err(Status::not_found("there is no such cart"));
            }
            if &message[..] == b"wait" {
                std::future::pending::<()>().await;
            }
            let mut response = Response::new(message);
            response.metadata_mut().extend_one("x-told", metadata);
            Ok(response)
        })
    }
}

/// Adds a header that may be missing.
trait Extend {
    fn extend_one(&mut self, name: &'static str, value: Option<tonic::metadata::AsciiMetadataValue>);
}

impl Extend for tonic::metadata::MetadataMap {
    fn extend_one(&mut self, name: &'static str, value: Option<tonic::metadata::AsciiMetadataValue>) {
        if let Some(value) = value {
            self.insert(name, value);
        }
    }
}

type Messages = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

impl ServerStreamingService<Bytes> for Cart {
    type Response = Bytes;
    type ResponseStream = Messages;
    type Future = Ready<Result<Response<Messages>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let message = request.into_inner();
        let end = if &message[..] == b"half" { Some(Err(Status::aborted("half way"))) } else { None };
        let messages = (0..3).map(move |_| Ok(message.clone()));
        ready(Ok(Response::new(Box::pin(tokio_stream::iter(messages.chain(end))))))
    }
}

impl ClientStreamingService<Bytes> for Cart {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        Box::pin(async move {
            let (mut messages, mut whole) = (request.into_inner(), Vec::new());
            while let Some(message) = messages.next().await {
                whole.extend_from_slice(&message?);
            }
            Ok(Response::new(Bytes::from(whole)))
        })
    }
}

impl StreamingService<Bytes> for Cart {
    type Response = Bytes;
    type ResponseStream = Messages;
    type Future = Ready<Result<Response<Messages>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        ready(Ok(Response::new(Box::pin(request.into_inner()))))
    }
}

async fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                let mut grpc = tonic::server::Grpc::new(Raw);
                let path = request.uri().path().to_owned();
                Ok::<_, Infallible>(match path.as_str() {
                    "/shop.Cart/List" => grpc.server_streaming(Cart, request).await,
                    "/shop.Cart/Fill" => grpc.client_streaming(Cart, request).await,
                    "/shop.Cart/Talk" => grpc.streaming(Cart, request).await,
                    _ => grpc.unary(Cart, request).await,
                })
            });
            tokio::spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    address
}

/// A client of `http://HOST` that speaks to the proxy.
async fn client(proxy: SocketAddr, host: &'static str) -> tonic::client::Grpc<Channel> {
    let connector = tower::service_fn(move |_| async move { TcpStream::connect(proxy).await.map(TokioIo::new) });
    let channel = Endpoint::from_static(host).connect_with_connector(connector).await.expect("it listens");
    tonic::client::Grpc::new(channel)
}

/// A client as soon as it can make a call.
async fn ready_for_a_call(client: &mut tonic::client::Grpc<Channel>) -> &mut tonic::client::Grpc<Channel> {
    client.ready().await.expect("it is connected");
    client
}

fn path(path: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(path)
}

const RULES: &str = "\
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: closed}
spec: {hosts: [closed.example], resolution: STATIC, ports: [{number: 80, name: grpc, protocol: GRPC, targetPort: 1}], endpoints: [{address: 127.0.0.1}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.example]
  http:
  - match: [{uri: {exact: /shop.Cart/Slow}}]
    timeout: 200ms
    route: [{destination: {host: shop.example}}]
  - match: [{uri: {exact: /shop.Cart/Full}}]
    fault: {abort: {grpcStatus: RESOURCE_EXHAUSTED, percentage: {value: 100}}}
    route: [{destination: {host: shop.example}}]
  - match: [{uri: {prefix: /shop.Cart/}}]
    route: [{destination: {host: shop.example}}]
---
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: blocker, namespace: istio-system}
spec: {status: {code: 7, message: not this one}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: any, namespace: istio-system}
spec: {}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: deny, namespace: istio-system}
spec:
  match: request.path == \"/shop.Cart/Delete\"
  actions: [{handler: blocker.denier, instances: [any.checknothing]}]
";

/// A proxy before the shop, with rules.
fn shop(runtime: &Runtime) -> (Stage, Proxied, SocketAddr) {
    let origin = runtime.block_on(origin());
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let entry = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: shop}}\nspec:\n  hosts: [shop.example]\n  \
         resolution: STATIC\n  ports: [{{number: 80, name: grpc, protocol: GRPC, targetPort: {}}}]\n  \
         endpoints: [{{address: 127.0.0.1}}]\n{RULES}",
        origin.port()
    );
    scene.ok_with(&["create", "-f", "-"], &entry);
    let proxy = Proxied::start(&scene, &[]);
    (scene, proxy, origin)
}

#[test]
fn calls_of_all_four_kinds_pass() {
    let runtime = Runtime::new().expect("a runtime");
    let (_scene, proxy, _) = shop(&runtime);
    runtime.block_on(async {
        let mut shop = client(proxy.address, "http://shop.example").await;
        let mut request = Request::new(Bytes::from_static(b"hello"));
        request.metadata_mut().insert("x-asked", "one".parse().expect("a value"));
        let answer =
            ready_for_a_call(&mut shop).await.unary(request, path("/shop.Cart/Get"), Raw).await.expect("a message");
        assert_eq!(answer.metadata().get("x-told").expect("told"), "one");
        assert_eq!(&answer.into_inner()[..], b"hello");
        // More than any window has room for.
        let large = Bytes::from(vec![b'x'; 3_000_000]);
        let answer = ready_for_a_call(&mut shop)
            .await
            .unary(Request::new(large.clone()), path("/shop.Cart/Get"), Raw)
            .await
            .expect("a message");
        assert!(answer.into_inner() == large);

        let listed = ready_for_a_call(&mut shop)
            .await
            .server_streaming(Request::new(Bytes::from_static(b"a")), path("/shop.Cart/List"), Raw)
            .await;
        let listed: Vec<_> = listed.expect("a stream").into_inner().collect().await;
        assert!(listed.len() == 3 && listed.iter().all(Result::is_ok), "{listed:?}");

        let messages = tokio_stream::iter((0..100).map(|_| Bytes::from_static(b"0123456789")));
        let filled = ready_for_a_call(&mut shop)
            .await
            .client_streaming(Request::new(messages), path("/shop.Cart/Fill"), Raw)
            .await;
        assert_eq!(filled.expect("a message").into_inner().len(), 1_000);

        // Each message is answered before the next is sent.
        let (sender, receiver) = mpsc::channel(1);
        let asked = Request::new(ReceiverStream::new(receiver));
        let mut answers = ready_for_a_call(&mut shop)
            .await
            .streaming(asked, path("/shop.Cart/Talk"), Raw)
            .await
            .expect("a stream")
            .into_inner();
        for word in ["one", "two", "three"] {
            sender.send(Bytes::from_static(word.as_bytes())).await.expect("open");
            assert_eq!(&answers.next().await.expect("an answer").expect("a message")[..], word.as_bytes());
        }
        drop(sender);
        assert!(answers.next().await.is_none(), "it ends well");
    });
}

#[test]
fn statuses_pass_wherever_they_stand() {
    let runtime = Runtime::new().expect("a runtime");
    let (_scene, proxy, _) = shop(&runtime);
    runtime.block_on(async {
        let mut shop = client(proxy.address, "http://shop.example").await;
        // In place of an answer.
        let gone = ready_for_a_call(&mut shop)
            .await
            .unary(Request::new(Bytes::from_static(b"gone")), path("/shop.Cart/Get"), Raw)
            .await;
        let gone = gone.expect_err("a status");
        assert_eq!((gone.code(), gone.message()), (Code::NotFound, "there is no such cart"));
        // Behind some messages.
        let half = ready_for_a_call(&mut shop)
            .await
            .server_streaming(Request::new(Bytes::from_static(b"half")), path("/shop.Cart/List"), Raw)
            .await;
        let half: Vec<_> = half.expect("a stream").into_inner().collect().await;
        assert_eq!(half.len(), 4, "{half:?}");
        let last = half[3].as_ref().expect_err("a status");
        assert_eq!((last.code(), last.message()), (Code::Aborted, "half way"));
    });
}

#[test]
fn calls_that_do_not_get_through_have_a_status_too() {
    let runtime = Runtime::new().expect("a runtime");
    let (scene, proxy, _) = shop(&runtime);
    runtime.block_on(async {
        let mut shop = client(proxy.address, "http://shop.example").await;
        let fails = async |shop: &mut tonic::client::Grpc<Channel>, to: &'static str, message: &'static str| {
            let message = Request::new(Bytes::from_static(message.as_bytes()));
            ready_for_a_call(shop).await.unary(message, path(to), Raw).await.expect_err("a status")
        };
        let denied = fails(&mut shop, "/shop.Cart/Delete", "").await;
        assert_eq!(denied.code(), Code::PermissionDenied, "{denied}");
        assert!(denied.message().contains("not this one"), "{denied}");
        assert_eq!(fails(&mut shop, "/other.Service/Get", "").await.code(), Code::Unimplemented, "no route");
        let full = fails(&mut shop, "/shop.Cart/Full", "").await;
        assert_eq!((full.code(), full.message()), (Code::ResourceExhausted, "fault filter abort"));
        let slow = fails(&mut shop, "/shop.Cart/Slow", "wait").await;
        assert!(matches!(slow.code(), Code::DeadlineExceeded | Code::Unavailable), "the route's timeout: {slow}");
        // The caller's own deadline: the call is given up, and the connection goes on.
        let mut waits = Request::new(Bytes::from_static(b"wait"));
        waits.set_timeout(Duration::from_millis(100));
        let late =
            ready_for_a_call(&mut shop).await.unary(waits, path("/shop.Cart/Get"), Raw).await.expect_err("a status");
        assert!(matches!(late.code(), Code::Cancelled | Code::DeadlineExceeded), "{late}");
        let answer = ready_for_a_call(&mut shop)
            .await
            .unary(Request::new(Bytes::from_static(b"on")), path("/shop.Cart/Get"), Raw)
            .await;
        assert_eq!(&answer.expect("a message").into_inner()[..], b"on");

        let mut unknown = client(proxy.address, "http://unknown.example").await;
        assert_eq!(fails(&mut unknown, "/shop.Cart/Get", "").await.code(), Code::Unavailable);
        let mut closed = client(proxy.address, "http://closed.example").await;
        assert_eq!(fails(&mut closed, "/shop.Cart/Get", "").await.code(), Code::Unavailable);
    });
    assert!(scene.wait_for_entry("closed.example").contains("\"flag\":\"URX,UF\""));
}

#[test]
fn callers_of_http_1_reach_origins_of_http_2_and_grpc_is_refused_by_origins_of_http_1() {
    let runtime = Runtime::new().expect("a runtime");
    let (_scene, proxy, _) = shop(&runtime);
    let mut caller = proxy.connect();
    for _ in 0..2 {
        caller.send(
            b"POST http://shop.example/shop.Cart/Get HTTP/1.1\r\nhost: shop.example\r\ncontent-type: application/grpc\r\n\
              te: trailers\r\ncontent-length: 7\r\n\r\n\0\0\0\0\x02hi",
        );
        let answer = caller.read();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"\0\0\0\0\x02hi"[..]), "{}", answer.head);
    }
    let (scene, _origin) = with_origin("");
    let proxy = Proxied::start(&scene, &[]);
    runtime.block_on(async {
        let mut plain = client(proxy.address, "http://a.example").await;
        let refused =
            ready_for_a_call(&mut plain).await.unary(Request::new(Bytes::new()), path("/shop.Cart/Get"), Raw).await;
        // A page in the place of a message.
        assert!(refused.is_err());
    });
}
