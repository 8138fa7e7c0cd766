//! A connection between its calls: no more than its parts.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;

use crate::call::{Failure, HeadLimits, RequestHead};

use super::super::client::Client;
use super::super::crowd;
use super::super::drain::Phase;
use super::super::spare;
use super::super::stream::ClientStream;
use super::super::waits::{Place, Waited};
use super::super::worker::Worker;
use super::frame::{Asked, Frame};
use super::line::Line;
use super::{Done, LetGo};

/// A connection of HTTP/1.1: it waits for a request, has it served, and waits for the next.
pub(in super::super) struct Kept {
    pub(in super::super) worker: Rc<Worker>,
    pub(in super::super) client: Rc<Client>,
    line: Rc<Line>,
    /// Where the call is that is under way.
    frame: Option<Frame>,
    /// Where it waits, once it has.
    place: Option<Place>,
    /// The end of what the gateway took it by, if that was what it came by.
    ended: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Whether no further request is wanted.
    over: bool,
    /// Whether a head has begun.
    begun: bool,
    /// Whether it has given back what is only good for a next call.
    at_rest: bool,
    /// Its place among those of its caller.
    one: Option<crowd::Held>,
}

impl Kept {
    /// A connection of which this was read already.
    pub(in super::super) fn new(worker: &Rc<Worker>, client: Box<Client>, early: &[u8], stream: ClientStream) -> Self {
        Self {
            line: Rc::new(Line::new(stream, BytesMut::from(early), worker.limits.response_timeout)),
            worker: Rc::clone(worker),
            client: Rc::from(client),
            frame: None,
            place: None,
            ended: None,
            over: false,
            begun: false,
            at_rest: false,
            one: None,
        }
    }

    /// The same as one of those of its caller.
    pub(in super::super) fn counted_as(self, one: Option<crowd::Held>) -> Self {
        Self { one, ..self }
    }

    /// Serves its calls, until it ends or goes on with something else; whether it does that.
    pub(in super::super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            if let Some(frame) = &mut self.frame {
                let done = ready!(frame.poll(cx));
                self.frame.take().into_iter().for_each(|frame| self.worker.frames.give(frame));
                if done != Done::Kept {
                    return Poll::Ready(done == Done::GoesOn);
                }
            }
            let Some(request) = ready!(self.poll_request(cx)) else { return Poll::Ready(false) };
            if let Some(place) = &self.place {
                place.ends();
            }
            (self.begun, self.at_rest) = (false, false);
            let (worker, client, line) = (Rc::clone(&self.worker), Rc::clone(&self.client), Rc::clone(&self.line));
            self.frame = Some(self.worker.frames.with(Asked { worker, client, line, request }));
        }
    }

    /// The connection without HTTP/1.1, with what was read of what comes next.
    pub(in super::super) fn let_go(self) -> (Rc<Worker>, Rc<Client>, Option<LetGo>, Option<crowd::Held>) {
        let Self { worker, client, line, one, .. } = self;
        (worker, client, Rc::into_inner(line).map(Line::into_parts), one)
    }

    /// The next request, or why what came is none; nothing where none comes, or none is wanted.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<RequestHead, Failure>>> {
        let limits = &self.worker.limits;
        let bounds = HeadLimits { bytes: limits.head_bytes, fields: limits.head_fields };
        if let Poll::Ready(request) = self.line.poll_head(cx, bounds, &self.worker.copied) {
            return Poll::Ready(request.transpose());
        }
        let (blank, begun) = (self.line.is_blank(), !self.line.is_empty());
        self.over = self.over || self.is_over(cx);
        if self.over && blank {
            return Poll::Ready(None);
        }
        let place = self.place.get_or_insert_with(|| self.worker.waits.begin(cx));
        let waited = place.poll(cx);
        // Blank lines begin no head.
        if begun && !blank && !self.begun {
            self.begun = true;
            place.begins_anew();
            return Poll::Pending;
        }
        match waited {
            // Who has asked for nothing is owed no answer, and may take one for that to its next request.
            Waited::TooLong if blank => return Poll::Ready(None),
            Waited::TooLong => return Poll::Ready(Some(Err(Failure::ClientIdle))),
            Waited::Long if !(begun || self.at_rest) => {
                self.at_rest = true;
                self.line.rest();
                spare::add(&self.worker);
            }
            Waited::Little | Waited::Long => {}
        }
        Poll::Pending
    }

    /// Whether the proxy stops, or would not take the connection any more.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if self.worker.phase() >= Phase::Draining {
            return true;
        }
        let Some(standing) = &self.client.standing else { return false };
        let ended = self.ended.get_or_insert_with(|| {
            let (worker, standing) = (Rc::clone(&self.worker), Rc::clone(standing));
            Box::pin(async move { standing.ended(&worker).await })
        });
        ended.as_mut().poll(cx).is_ready()
    }
}
