//! HTTP/1.1 towards callers: the requests of a connection, one after the other. A head is read once; whoever wants the body of a
//! request reads it off the connection, and the answer is written to it, with nothing between.

#[cfg(test)]
mod agreement;
mod answer;
mod date;
mod line;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use http::Request;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, Sleep, sleep};

use crate::call::{Failure, HeadLimits, RequestHead};
use crate::metrics::Counter;
use crate::upstream::{Sending, others_first};

use super::body::AnswerBody;
use super::client::Client;
use super::debug;
use super::drain::{Drain, Phase};
use super::exchange::exchange;
use super::respond::answer_unread;
use super::stream::ClientStream;
use super::tunnel::report_head;
use super::worker::Worker;

use answer::{Asked, sending};
pub(super) use date::Date;
use line::{Line, Outgoing};

/// How long what a client still sends is read after an answer with which the connection ends, so that the client gets to read
/// that: what is closed with bytes unread is reset.
const LINGER: Duration = Duration::from_secs(1);

/// Most bytes that are read then.
const LINGER_BYTES: usize = 512 * 1024;

/// A connection that HTTP has let go of, with what has been read of what comes next.
pub(super) type LetGo = (BytesMut, ClientStream);

/// Serves requests until the connection ends. One that has been at rest for a while is given back, and one that goes on with
/// another protocol.
pub(super) async fn speak(
    worker: &Rc<Worker>,
    client: &Rc<Client>,
    (early, stream): LetGo,
    drain: &mut Drain,
) -> Option<LetGo> {
    let line = Rc::new(Line::new(stream, early, worker.limits.response_timeout));
    let mut over = pin!(client.over(worker, drain));
    let mut waiting = Waiting {
        worker,
        line: &line,
        pause: pin!(sleep(worker.limits.ready_time)),
        busy: true,
        begun: None,
        over: false,
    };
    loop {
        let next = poll_fn(|cx| waiting.poll(cx, over.as_mut())).await;
        let head = match next {
            Next::Head(head) => head,
            Next::AtRest => break,
            Next::Over => return None,
            Next::Refused(failure) => {
                refuse(worker, client, &line, failure).await;
                return None;
            }
        };
        let RequestHead { parts, rest, keeps, expects, takes_trailers } = head;
        let mut asked = Asked { method: parts.method.clone(), version: parts.version, takes_trailers, keeps };
        let request = Request::from_parts(parts, line.begin(rest, expects));
        let debugs = debug::is_asked(worker, client, request.headers());
        let response = {
            let mut answered = pin!(exchange(Rc::clone(worker), Rc::clone(client), request));
            poll_fn(|cx| unless_gone(&line, worker, cx, |cx| answered.as_mut().poll(cx))).await?
        };
        line.answered.set(true);
        asked.keeps &= !waiting.is_over(client, over.as_mut()).await;
        // What the client has not been asked for, and not sent yet, it may never send.
        asked.keeps &= line.is_wanted() || line.is_read(&worker.copied);
        let by = (worker.heads.take(), &worker.date);
        let (mut sending, keeps) = sending(&asked, debug::told(debugs, response), by);
        let gathered = sending.gather().await;
        if matches!(gathered, Ok(true)) {
            others_first().await;
        }
        if gathered.is_err() || !send(&line, worker, &mut sending).await {
            return None;
        }
        worker.heads.give(sending.into_buffer());
        if client.goes_on() {
            break;
        }
        if keeps {
            poll_fn(|cx| line.poll_let_go(cx)).await;
        }
        let read = line.is_read(&worker.copied);
        if !(keeps && read) {
            close(&line, worker, read).await;
            return None;
        }
    }
    Rc::into_inner(line).map(Line::into_parts)
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
    let asked = Asked { method, version, takes_trailers: false, keeps: false };
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

/// What came of waiting for a request.
#[expect(clippy::large_enum_variant, reason = "taken apart at once, and mostly the large one")]
enum Next {
    Head(RequestHead),
    /// Nothing came for a while.
    AtRest,
    /// None will come, or none is wanted.
    Over,
    Refused(Failure),
}

/// Waiting for a request.
struct Waiting<'a> {
    worker: &'a Worker,
    line: &'a Line,
    /// One timer for the whole connection, looked at now and then, so that a request costs none.
    pause: Pin<&'a mut Sleep>,
    /// Whether there was a request since it was looked at.
    busy: bool,
    /// When it was first seen that a head had begun.
    begun: Option<Instant>,
    /// Whether no further request is wanted.
    over: bool,
}

impl Waiting<'_> {
    fn poll(&mut self, cx: &mut Context<'_>, over: Pin<&mut impl Future<Output = ()>>) -> Poll<Next> {
        let limits = &self.worker.limits;
        let bounds = HeadLimits { bytes: limits.head_bytes, fields: limits.head_fields };
        match self.line.poll_head(cx, bounds, &self.worker.copied) {
            Poll::Ready(Ok(Some(head))) => {
                (self.busy, self.begun) = (true, None);
                return Poll::Ready(Next::Head(head));
            }
            Poll::Ready(Ok(None)) => return Poll::Ready(Next::Over),
            Poll::Ready(Err(failure)) => return Poll::Ready(Next::Refused(failure)),
            Poll::Pending => {}
        }
        if !self.over {
            self.over = over.poll(cx).is_ready();
        }
        if self.over && self.line.is_blank() {
            return Poll::Ready(Next::Over);
        }
        while self.pause.as_mut().poll(cx).is_ready() {
            let (now, busy) = (Instant::now(), std::mem::take(&mut self.busy));
            if !self.line.is_empty() {
                let begun = *self.begun.get_or_insert(now);
                if now - begun >= limits.head_timeout {
                    // Who has asked for nothing is owed no answer, and may take one for that to its next request.
                    let blank = self.line.is_blank();
                    return Poll::Ready(if blank { Next::Over } else { Next::Refused(Failure::ClientIdle) });
                }
            } else if !busy {
                return Poll::Ready(Next::AtRest);
            }
            self.pause.as_mut().reset(now + limits.ready_time.min(limits.head_timeout));
        }
        Poll::Pending
    }

    /// Whether no further request is wanted, as far as can be told without waiting.
    async fn is_over(&mut self, client: &Client, over: Pin<&mut impl Future<Output = ()>>) -> bool {
        if self.worker.is_replaced() || self.worker.drain.has_reached(Phase::Draining) {
            return true;
        }
        // Most connections hang on nothing else.
        if !self.over && client.standing.is_some() {
            let mut over = Some(over);
            self.over = poll_fn(|cx| Poll::Ready(over.take().is_some_and(|over| over.poll(cx).is_ready()))).await;
        }
        self.over
    }
}
