//! Any bytes on a connection: what we pass on as one request is one request to others who read it, ending at the same place,
//! or none at all. Where hyper, httparse or a reading by the letter of RFC 9112 saw two, or an end elsewhere, one could be
//! hidden in the other.

#![no_main]

use std::cell::Cell;
use std::convert::Infallible;
use std::io::Cursor;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use egressctl::call::{HeadLimits, Piece, RequestHead};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use tokio::io::{join, sink};

/// As a proxy's are.
const LIMITS: HeadLimits = HeadLimits { bytes: 64 * 1024, fields: 100 };

/// What is passed on whole: each request, and the length of its head.
fn passed(bytes: &[u8]) -> Vec<(&[u8], usize)> {
    let (mut buffer, mut requests, mut begun) = (BytesMut::from(bytes), Vec::new(), 0);
    let place = |buffer: &BytesMut| bytes.len() - buffer.len();
    while let Ok(Some(RequestHead { mut rest, .. })) = RequestHead::take(&mut buffer, &mut 0, LIMITS) {
        let head = place(&buffer) - begun;
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
        requests.push((&bytes[begun..end], head));
        begun = end;
    }
    requests
}

/// How many requests hyper finds whole, and whether it finds nothing else.
fn as_hyper_reads(request: &[u8]) -> (usize, bool) {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    }
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
    let io = TokioIo::new(join(Cursor::new(request.to_vec()), sink()));
    let ended = RUNTIME.with(|runtime| runtime.block_on(Builder::new().half_close(true).serve_connection(io, service)));
    (whole.get(), ended.is_ok())
}

/// The length of the head and of the whole request, read with httparse and RFC 9112 §6.3 by the letter; `None` where it is none.
fn as_httparse_reads(request: &[u8]) -> Option<(usize, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(head) = parsed.parse(request).ok()? else { return None };
    let named = |name: &str| -> Vec<&[u8]> {
        parsed.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value).collect()
    };
    let end = match (&named("transfer-encoding")[..], &named("content-length")[..]) {
        ([], []) => head,
        ([], [length]) => head + std::str::from_utf8(length).ok()?.trim().parse::<usize>().ok()?,
        ([coding], []) if coding.trim_ascii().eq_ignore_ascii_case(b"chunked") => head + chunks(&request[head..])?,
        _ => return None,
    };
    Some((head, end))
}

/// The length of a chunked body with its trailers.
fn chunks(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let httparse::Status::Complete((line, size)) = httparse::parse_chunk_size(&body[at..]).ok()? else { return None };
        at += line;
        if size == 0 {
            let mut fields = [httparse::EMPTY_HEADER; 100];
            let httparse::Status::Complete((end, _)) = httparse::parse_headers(&body[at..], &mut fields).ok()? else {
                return None;
            };
            return Some(at + end);
        }
        at = at.checked_add(usize::try_from(size).ok()?)?;
        if body.get(at..at.checked_add(2)?) != Some(&b"\r\n"[..]) {
            return None;
        }
        at += 2;
    }
}

fuzz_target!(|bytes: &[u8]| {
    for (request, head) in passed(bytes) {
        let shown = || request.escape_ascii().to_string();
        let (whole, clean) = as_hyper_reads(request);
        assert!((whole, clean) == (1, true) || whole == 0, "hyper finds {whole}: {}", shown());
        if let Some(read) = as_httparse_reads(request) {
            assert_eq!(read, (head, request.len()), "{}", shown());
        }
    }
});
