//! Bodies on their way to the caller: streamed, counted, and the end of each seen.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use crate::call::{Failure, strip_trailers};
use crate::upstream::ResponseBody;

use super::forward::Deadline;
use super::report::Closing;

/// The body of an answer. Its end, or its being dropped before that, makes the call's report.
pub(super) struct AnswerBody {
    content: Content,
    closing: Option<Closing>,
}

enum Content {
    Upstream(Streamed),
    Text(Option<Bytes>),
}

/// An origin's body, and how long it may pause.
struct Streamed {
    body: ResponseBody,
    patience: Duration,
    /// When all of it has to be there, if anything says.
    deadline: Option<Deadline>,
    /// Runs while the origin is waited for; most bodies are there before anybody has to wait.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Streamed {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if let Some(failure) = self.late() {
            return Poll::Ready(Some(Err(failure)));
        }
        if let Poll::Ready(mut frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.pause = None;
            if let Some(Ok(frame)) = &mut frame
                && let Some(trailers) = frame.trailers_mut()
            {
                strip_trailers(trailers);
            }
            return Poll::Ready(frame);
        }
        let (patience, deadline) = (self.patience, self.deadline);
        let pause = self.pause.get_or_insert_with(|| {
            let end = Instant::now() + patience;
            Box::pin(tokio::time::sleep_until(deadline.map_or(end, |(deadline, _)| end.min(deadline)).into()))
        });
        ready!(pause.as_mut().poll(cx));
        Poll::Ready(Some(Err(self.late().unwrap_or(Failure::UpstreamIdle))))
    }

    fn late(&self) -> Option<Failure> {
        self.deadline.filter(|(deadline, _)| *deadline <= Instant::now()).map(|(_, failure)| failure)
    }
}

impl AnswerBody {
    /// The origin's body, which may pause for so long and has to be there by its deadline; `ends_here` where the caller
    /// gets the head only.
    pub(super) fn upstream(
        body: ResponseBody,
        (patience, deadline): (Duration, Option<Deadline>),
        closing: Closing,
        ends_here: bool,
    ) -> Self {
        let content = Content::Upstream(Streamed { body, patience, deadline, pause: None });
        Self { closing: Some(closing), content }.closed_if(ends_here)
    }

    /// No body at all.
    pub(super) fn none() -> Self {
        Self { content: Content::Text(None), closing: None }
    }

    /// A text of ours; `ends_here` where the caller gets the head only.
    pub(super) fn text(text: Bytes, closing: Option<Closing>, ends_here: bool) -> Self {
        let content = Content::Text(Some(text).filter(|text| !text.is_empty()));
        Self { content, closing }.closed_if(ends_here)
    }

    fn closed_if(mut self, ends_here: bool) -> Self {
        if ends_here {
            self.close();
        } else {
            self.close_at_end();
        }
        self
    }

    fn close_at_end(&mut self) {
        if self.is_end_stream() {
            self.close();
        }
    }

    fn close(&mut self) {
        if let Some(closing) = self.closing.take() {
            closing.complete();
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = match &mut self.content {
            Content::Upstream(streamed) => ready!(streamed.poll_frame(cx)),
            Content::Text(text) => text.take().map(|text| Ok(Frame::data(text))),
        };
        match (&frame, &mut self.closing) {
            (Some(Ok(frame)), Some(closing)) => closing.passed(frame.data_ref().map_or(0, Bytes::len)),
            (Some(Err(failure)), Some(closing)) => closing.cut_off(*failure),
            (None, _) => self.close(),
            _ => {}
        }
        self.close_at_end();
        Poll::Ready(frame.map(|frame| frame.map_err(|failure| io::Error::other(failure.reason()))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Upstream(streamed) => streamed.body.is_end_stream(),
            Content::Text(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Upstream(streamed) => streamed.body.size_hint(),
            Content::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
        }
    }
}
