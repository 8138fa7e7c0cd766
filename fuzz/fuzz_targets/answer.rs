//! Any bytes of an origin: an answer that we read whole is read alike however its bytes are cut, and hyper's client, where it
//! takes it, reads the same status and body. Where the two differed, an answer could hide another.

#![no_main]

use std::cell::RefCell;
use std::io::Cursor;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use egressctl::upstream::fuzzing::{Answer, answer};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// An origin that has answered these bytes as soon as anything was asked, and closed.
struct Origin {
    answered: Cursor<Vec<u8>>,
    /// What waits for the question.
    asked: Rc<RefCell<(bool, Option<std::task::Waker>)>>,
}

impl AsyncRead for Origin {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.0 {
            asked.1 = Some(context.waker().clone());
            return Poll::Pending;
        }
        drop(asked);
        Pin::new(&mut self.answered).poll_read(context, room)
    }
}

impl AsyncWrite for Origin {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let mut asked = self.asked.borrow_mut();
        asked.0 = true;
        if let Some(waker) = asked.1.take() {
            waker.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Status and body, as hyper reads them.
fn as_hyper_reads(bytes: &[u8], to_head: bool) -> Option<(u16, Vec<u8>)> {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    }
    let origin = Origin { answered: Cursor::new(bytes.to_vec()), asked: Rc::default() };
    let asked = async {
        let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(origin)).await.ok()?;
        let method = if to_head { Method::HEAD } else { Method::GET };
        let request = Request::builder().method(method).uri("/").header("host", "a").body(Empty::new()).ok()?;
        let exchange = async {
            let response = sender.send_request(request).await.ok()?;
            let status = response.status().as_u16();
            Some((status, response.into_body().collect().await.ok()?.to_bytes().to_vec()))
        };
        let mut connection = std::pin::pin!(connection);
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            read = exchange.as_mut() => read,
            _ = connection.as_mut() => exchange.await,
        }
    };
    RUNTIME.with(|runtime| runtime.block_on(asked))
}

fuzz_target!(|input: (u8, bool, &[u8])| {
    let (step, to_head, bytes) = input;
    let whole = answer(bytes, usize::MAX, to_head);
    assert_eq!(answer(bytes, usize::from(step), to_head), whole, "{}", bytes.escape_ascii());
    let Some(Answer { status, body, length, .. }) = whole else { return };
    // Interim answers, and the ends of HTTP, are another's to read.
    if status < 200 {
        return;
    }
    if let Some(read) = as_hyper_reads(&bytes[..length], to_head) {
        assert_eq!(read, (status, body), "{}", bytes.escape_ascii());
    }
});
