//! Callers of HTTP/2: some calls side by side, one of which is broken off now and then.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::{Did, PAUSE};

type Sender = SendRequest<Empty<Bytes>>;

/// Calls until it is told to stop.
pub(super) fn call(proxy: SocketAddr, caller: usize, stop: &AtomicBool) -> Did {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (mut did, mut sender, mut turn) = (Did::default(), connect(proxy).await, 0_u64);
        while !stop.load(Ordering::Relaxed) {
            if sender.ready().await.is_err() {
                // The proxy has said that it takes no more there.
                sender = connect(proxy).await;
            }
            let paths: [String; 4] = std::array::from_fn(|call| format!("/h2/{caller}/{turn}/{call}"));
            let calls = paths.each_ref().map(|path| sender.send_request(request(path)));
            let [first, second, third, fourth] = calls;
            if turn % 50 == 49 {
                drop(fourth);
                did.broken_off += 1;
                let answers = tokio::join!(answer(first), answer(second), answer(third));
                note(&mut did, paths, [Some(answers.0), Some(answers.1), Some(answers.2), None]);
            } else {
                let answers = tokio::join!(answer(first), answer(second), answer(third), answer(fourth));
                note(&mut did, paths, [Some(answers.0), Some(answers.1), Some(answers.2), Some(answers.3)]);
            }
            turn += 1;
            tokio::time::sleep(PAUSE).await;
        }
        did
    })
}

async fn connect(proxy: SocketAddr) -> Sender {
    let stream = TcpStream::connect(proxy).await.expect("it listens");
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://a.example{path}")).body(Empty::new()).expect("a request")
}

/// The status of a whole answer; none where the call was not begun with, because the connection was on its way to its end.
async fn answer(
    call: impl Future<Output = hyper::Result<http::Response<hyper::body::Incoming>>>,
) -> Result<Option<u16>, String> {
    match call.await {
        Ok(response) => {
            let status = response.status().as_u16();
            response.into_body().collect().await.map_err(|error| format!("{error:?}"))?;
            Ok(Some(status))
        }
        Err(error) if error.is_canceled() => Ok(None),
        Err(error) => Err(format!("{error:?}")),
    }
}

fn note(did: &mut Did, paths: [String; 4], answers: [Option<Result<Option<u16>, String>>; 4]) {
    for (path, answer) in paths.into_iter().zip(answers) {
        match answer {
            Some(Ok(Some(status))) => did.note(Some(status), 200, path),
            Some(Err(error)) => did.failed.push(format!("{path}: {error}")),
            Some(Ok(None)) | None => {}
        }
    }
}
