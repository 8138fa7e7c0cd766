//! Any frames behind the preface of HTTP/2: what becomes a call has the one form of its path and its host, and nothing panics.

#![no_main]

use std::cell::Cell;
use std::convert::Infallible;
use std::io::Cursor;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use egressctl::call::{Arrival, normalize};
use egressctl::expr::Timestamp;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use tokio::io::{join, sink};

#[derive(Debug, Clone, Copy)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move { drop(future.await) });
    }
}

/// What a client sends first: the preface, and settings without a setting.
const BEGIN: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fuzz_target!(|bytes: &[u8]| {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        static CALLS: Cell<u64> = const { Cell::new(0) };
    }
    let service = service_fn(|request: Request<Incoming>| async move {
        CALLS.set(CALLS.get() + 1);
        let (parts, body) = request.into_parts();
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let arrival = Arrival { time: Timestamp::ZERO, chance: 0, caller: None, peer, tls: None };
        if let Ok(call) = normalize(parts, arrival) {
            let path = call.path();
            assert!(path == "*" || path.starts_with('/'), "{path}");
            assert!(!path.contains("//") && !path.contains("/../") && !path.contains('\\'), "{path}");
            assert_eq!(call.authority().host(), call.authority().host().to_ascii_lowercase());
        }
        drop(body.collect().await);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let io = TokioIo::new(join(Cursor::new([BEGIN, bytes].concat()), sink()));
    let mut builder = Builder::new(Local);
    builder.max_concurrent_streams(128).max_header_list_size(64 * 1024);
    RUNTIME.with(|runtime| {
        let local = tokio::task::LocalSet::new();
        drop(local.block_on(runtime, builder.serve_connection(io, service)));
    });
});
