//! HTTP/1.1 towards callers: the requests of a connection, one after the other. A head is read once; whoever wants the body of a
//! request reads it off the connection, and the answer is written to it, with nothing between.

#[cfg(test)]
mod agreement;
mod answer;
mod date;
mod frame;
mod kept;
mod line;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use http::Request;
use tokio::io::AsyncWriteExt as _;

use crate::call::{Failure, RequestHead};
use crate::metrics::Counter;
use crate::upstream::{Sending, others_first};

use super::body::AnswerBody;
use super::client::Client;
use super::debug;
use super::drain::Phase;
use super::exchange::exchange;
use super::respond::answer_unread;
use super::stream::ClientStream;
use super::tunnel::report_head;
use super::worker::Worker;

use answer::sending;
pub(super) use date::Date;
use frame::Asked;
pub(super) use frame::Frames;
pub(super) use kept::Kept;
use line::{Line, Outgoing};

/// How long what a client still sends is read after an answer with which the connection ends, so that the client gets to read
/// that: what is closed with bytes unread is reset.
const LINGER: Duration = Duration::from_secs(1);

/// Most bytes that are read then.
const LINGER_BYTES: usize = 512 * 1024;

/// A connection that HTTP has let go of, with what has been read of what comes next.
pub(super) type LetGo = (BytesMut, ClientStream);

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// The connection waits for the next one.
    Kept,
    /// It goes on with another protocol.
    GoesOn,
    Over,
}

/// Serves a request, and answers what is none.
async fn serve(Asked { worker, client, line, request }: Asked) -> Done {
    let served = match request {
        Ok(head) => pin!(call(&worker, &client, &line, head)).await,
        Err(failure) => {
            refuse(&worker, &client, &line, failure).await;
            None
        }
    };
    served.unwrap_or(Done::Over)
}

/// Serves a request; none where its client has gone.
async fn call(worker: &Rc<Worker>, client: &Rc<Client>, line: &Rc<Line>, head: RequestHead) -> Option<Done> {
    let RequestHead { parts, rest, keeps, expects, takes_trailers } = head;
    let mut asked = answer::Asked { method: parts.method.clone(), version: parts.version, takes_trailers, keeps };
    let request = Request::from_parts(parts, line.begin(rest, expects));
    let debugs = debug::is_asked(worker, client, request.headers());
    let response = {
        let mut answered = pin!(exchange(Rc::clone(worker), Rc::clone(client), request));
        poll_fn(|cx| unless_gone(line, worker, cx, |cx| answered.as_mut().poll(cx))).await?
    };
    line.answered.set(true);
    asked.keeps &= worker.phase() == Phase::Running && client.stands(worker, &worker.held()).is_ok();
    // What the client has not been asked for, and not sent yet, it may never send.
    asked.keeps &= line.is_wanted() || line.is_read(&worker.copied);
    let by = (worker.heads.take(), &worker.date);
    let (mut sending, keeps) = sending(&asked, debug::told(debugs, response), by);
    let gathered = sending.gather().await;
    if matches!(gathered, Ok(true)) {
        others_first().await;
    }
    if gathered.is_err() || !send(line, worker, &mut sending).await {
        return None;
    }
    worker.heads.give(sending.into_buffer());
    if client.goes_on() {
        return Some(Done::GoesOn);
    }
    if keeps {
        poll_fn(|cx| line.poll_let_go(cx)).await;
    }
    let read = line.is_read(&worker.copied);
    if !(keeps && read) {
        close(line, worker, read).await;
        return None;
    }
    Some(Done::Kept)
}

/// Polls what is done for a client that waits for it; none when the client has gone.
fn unless_gone<T>(
    line: &Line,
    worker: &Worker,
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<Option<T>> {
    match poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => line.poll_gone(cx, &worker.copied, worker.limits.head_bytes).map(|()| None),
    }
}

/// Sends an answer; whether all of it was sent.
async fn send(line: &Line, worker: &Worker, sending: &mut Sending<AnswerBody>) -> bool {
    let sent = poll_fn(|cx| unless_gone(line, worker, cx, |cx| sending.poll(cx, &mut Outgoing(line)))).await;
    matches!(sent, Some(Ok(())))
}

/// Answers what is no request, and tells of it; the connection is over then.
async fn refuse(worker: &Rc<Worker>, client: &Client, line: &Line, failure: Failure) {
    worker.shard.count(Counter::BadConnections);
    let id = report_head(worker, client, failure).await;
    let (method, version) = (http::Method::GET, http::Version::HTTP_11);
    let asked = answer::Asked { method, version, takes_trailers: false, keeps: false };
    let (mut sending, _) = sending(&asked, answer_unread(failure, id), (BytesMut::new(), &worker.date));
    if send(line, worker, &mut sending).await {
        close(line, worker, false).await;
    }
}

/// Ends the connection so that the client can read what was sent, also where its request was not read to the end.
async fn close(line: &Line, worker: &Worker, read: bool) {
    // Closing says the same, where nothing is left to be read.
    if read && line.ends_by_closing() {
        return;
    }
    let ended = Outgoing(line).shutdown().await;
    if read || ended.is_err() {
        return;
    }
    let mut left = LINGER_BYTES;
    let forgotten = poll_fn(|cx| {
        loop {
            match line.poll_forget(cx, &worker.copied) {
                Poll::Ready(Ok(read @ 1..)) if read <= left => left -= read,
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    let _ = tokio::time::timeout(LINGER, forgotten).await;
}
