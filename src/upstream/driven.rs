//! A call whose answer came before its request had ended: both go on beside each other, whether anybody reads the answer or
//! not. A caller may well read it only when it has sent everything.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

use crate::call::Failure;

use super::http1::{Connection, Exchange};

/// How long the rest of a request may take when its answer is there whole.
const LINGER: Duration = Duration::from_secs(60);

/// The answer's body, piece by piece.
pub(super) struct Driven {
    frames: mpsc::Receiver<Result<Frame<Bytes>, Failure>>,
    size: SizeHint,
    ended: bool,
}

impl Driven {
    /// Lets a call go on by itself. Its connection is given back when it is done.
    pub(super) fn start(exchange: Exchange, back: impl FnOnce(Connection) + 'static) -> Self {
        let size = exchange.left().map_or_else(SizeHint::default, SizeHint::with_exact);
        let ended = exchange.is_done();
        // One piece waits, so that a caller who does not read does not have more read for it.
        let (sender, frames) = mpsc::channel(1);
        tokio::task::spawn_local(async move {
            if let Some(connection) = drive(exchange, sender).await.and_then(Exchange::into_connection) {
                back(connection);
            }
        });
        Self { frames, size, ended }
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let polled = self.frames.poll_recv(cx);
        self.ended |= matches!(polled, Poll::Ready(None));
        polled
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.ended
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.size
    }
}

/// Drives both to their ends; nothing if one broke, or nobody wants the answer any more.
async fn drive(mut exchange: Exchange, sender: mpsc::Sender<Result<Frame<Bytes>, Failure>>) -> Option<Exchange> {
    loop {
        let permit = tokio::select! {
            biased;
            permit = sender.reserve() => permit.ok()?,
            () = exchange.upload(), if exchange.is_uploading() => continue,
        };
        let frame = tokio::select! {
            biased;
            frame = poll_fn(|cx| exchange.poll_frame(cx)) => frame,
            () = sender.closed() => return None,
        };
        match frame {
            None => break,
            Some(frame) => {
                let broke = frame.is_err();
                permit.send(frame);
                if broke {
                    return None;
                }
            }
        }
    }
    drop(sender);
    tokio::time::timeout(LINGER, exchange.upload()).await.ok()?;
    Some(exchange)
}
