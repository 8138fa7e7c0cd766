//! Bodies on their way to the caller: streamed, counted, and the end of each seen.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::upstream::ResponseBody;

use super::report::Closing;

/// The body of an answer. Its end, or its being dropped before that, makes the call's report.
pub(super) struct AnswerBody {
    content: Content,
    closing: Option<Closing>,
}

enum Content {
    Upstream(ResponseBody),
    Text(Option<Bytes>),
}

impl AnswerBody {
    /// The origin's body; `ends_here` where the caller gets the head only.
    pub(super) fn upstream(body: ResponseBody, closing: Closing, ends_here: bool) -> Self {
        let mut answer = Self { closing: Some(closing), content: Content::Upstream(body) };
        if ends_here {
            answer.close();
        } else {
            answer.close_at_end();
        }
        answer
    }

    /// A text of ours.
    pub(super) fn text(text: Bytes, closing: Option<Closing>) -> Self {
        Self { content: Content::Text(Some(text)), closing }
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
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = match &mut self.content {
            Content::Upstream(body) => ready!(Pin::new(body).poll_frame(cx)),
            Content::Text(text) => text.take().map(|text| Ok(Frame::data(text))),
        };
        match (&frame, &mut self.closing) {
            (Some(Ok(frame)), Some(closing)) => closing.passed(frame.data_ref().map_or(0, Bytes::len)),
            (Some(Err(_)), Some(closing)) => closing.cut_off(),
            (None, _) => self.close(),
            _ => {}
        }
        self.close_at_end();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Upstream(body) => body.is_end_stream(),
            Content::Text(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Upstream(body) => body.size_hint(),
            Content::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
        }
    }
}
