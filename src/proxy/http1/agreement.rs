//! What we read as one request is one to others.

use std::cell::Cell;
use std::convert::Infallible;
use std::io::Cursor;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{join, sink};

use crate::call::{HeadLimits, Piece, RequestHead};

const LIMITS: HeadLimits = HeadLimits { bytes: 64 * 1024, fields: 100 };

/// How many requests hyper finds whole in these bytes, and whether it finds nothing else.
fn whole_requests(bytes: &[u8]) -> (usize, bool) {
    let whole = Rc::<Cell<usize>>::default();
    let service = service_fn(|request: Request<Incoming>| {
        let whole = Rc::clone(&whole);
        async move {
            if request.into_body().collect().await.is_ok() {
                whole.set(whole.get() + 1);
            }
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let io = TokioIo::new(join(Cursor::new(bytes.to_vec()), sink()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let ended = runtime.block_on(Builder::new().half_close(true).serve_connection(io, service));
    (whole.get(), ended.is_ok())
}

/// The requests that are passed on whole.
fn passed(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut buffer, mut requests, mut begun) = (BytesMut::from(bytes), Vec::new(), 0);
    let place = |buffer: &BytesMut| bytes.len() - buffer.len();
    while let Ok(Some(RequestHead { mut rest, .. })) = RequestHead::take(&mut buffer, &mut 0, LIMITS) {
        let taken = loop {
            match rest.take(&mut buffer) {
                Ok(Piece::Data(_)) => {}
                taken => break taken,
            }
        };
        if !matches!(taken, Ok(Piece::End | Piece::Trailers(_))) {
            break;
        }
        let end = place(&buffer);
        requests.push(&bytes[begun..end]);
        begun = end;
    }
    requests
}

const LINES: [&str; 7] = [
    "GET / HTTP/1.1",
    "POST / HTTP/1.1",
    "POST / HTTP/1.0",
    "CONNECT a:1 HTTP/1.1",
    "GET /#a HTTP/1.1",
    " GET / HTTP/1.1",
    "",
];
const FIELDS: [&str; 20] = [
    "host: a",
    "content-length: 0",
    "content-length: 3",
    "content-length: 03",
    "Content-Length:\t3 ",
    "content-length: 3, 3",
    "content-length: +3",
    "content-length : 3",
    "content-length: 3\r",
    "content-length: 3\u{c}",
    "transfer-encoding: chunked",
    "Transfer-Encoding: Chunked",
    "transfer-encoding: gzip, chunked",
    "transfer-encoding: chunked, gzip",
    "transfer-encoding: \u{b}chunked",
    "transfer-encoding\0: chunked",
    " folded",
    "upgrade: x",
    "connection: close",
    ":",
];
const BODIES: [&str; 14] = [
    "",
    "abc",
    "3\r\nabc\r\n0\r\n\r\n",
    "3;x\r\nabc\r\n0\r\na: b\r\n\r\n",
    "3 \r\nabc\r\n0\r\n\r\n",
    "3\nabc\r\n0\r\n\r\n",
    "0\r\n\r\n",
    "003\r\nabc\r\n00\r\n\r\n",
    "3\r\nab\n\r\n0\r\n\r\n",
    "ffffffffffffffff1\r\n",
    "0\r\na: b\n\r\n",
    "0\r\na\r\n\r\n",
    "0\r\n\n",
    "\r\n",
];

fn requests() -> impl Strategy<Value = Vec<u8>> {
    let end = || prop_oneof![9 => Just("\r\n"), 1 => Just("\n")];
    let fields = prop::collection::vec((prop::sample::select(&FIELDS[..]), end()), 0..3);
    let request = (prop::sample::select(&LINES[..]), end(), fields, end(), prop::sample::select(&BODIES[..]));
    prop::collection::vec(request, 1..4).prop_map(|requests| {
        let mut text = String::new();
        for (line, end, fields, blank, body) in requests {
            text.extend([line, end]);
            fields.iter().for_each(|(field, end)| text.extend([*field, *end]));
            text.extend([blank, body]);
        }
        text.into_bytes()
    })
}

proptest! {
    #[test]
    fn what_is_passed_on_as_one_request_is_one_to_hyper_or_refused_by_it(bytes in requests()) {
        for request in passed(&bytes) {
            let (whole, clean) = whole_requests(request);
            prop_assert!((whole, clean) == (1, true) || whole == 0, "{:?}: {} {}", request.escape_ascii().to_string(), whole, clean);
        }
    }
}
