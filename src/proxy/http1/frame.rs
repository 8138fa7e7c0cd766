//! The room that a call has while it runs, which the calls of a worker use one after the other: a connection that waits has none.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::call::{Failure, RequestHead};

use super::super::client::Client;
use super::super::worker::Worker;
use super::line::Line;
use super::{Done, serve};

/// Most of them that are kept for further calls.
const MOST: usize = 64;

/// What is to be served, and for whom: a request, or what is none.
pub(super) struct Asked {
    pub(super) worker: Rc<Worker>,
    pub(super) client: Rc<Client>,
    pub(super) line: Rc<Line>,
    pub(super) request: Result<RequestHead, Failure>,
}

/// Room for a call: a future that serves one after the other, and never ends.
pub(in super::super) struct Frame {
    serves: Pin<Box<dyn Future<Output = ()>>>,
    desk: Rc<Desk>,
}

/// Where a call is handed in, and what came of it handed out.
#[derive(Default)]
struct Desk {
    asked: Cell<Option<Asked>>,
    done: Cell<Option<Done>>,
}

impl Frame {
    fn new() -> Self {
        let desk = Rc::<Desk>::default();
        let at = Rc::clone(&desk);
        let serves = Box::pin(async move {
            loop {
                // Who hands one in polls afterwards, so nobody is to be woken.
                let asked = poll_fn(|_| at.asked.take().map_or(Poll::Pending, Poll::Ready)).await;
                // In place, here and below it: moved into what waits for it, its room would be copied.
                let done = pin!(serve(asked)).await;
                at.done.set(Some(done));
            }
        });
        Self { serves, desk }
    }

    /// Goes on with the call.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        if self.serves.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Done::Over);
        }
        self.desk.done.take().map_or(Poll::Pending, Poll::Ready)
    }
}

/// The frames of a worker that no call is in.
#[derive(Default)]
pub(in super::super) struct Frames(RefCell<Vec<Frame>>);

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Frames").field(&self.0.borrow().len()).finish()
    }
}

impl Frames {
    /// One with a call in it.
    pub(super) fn with(&self, asked: Asked) -> Frame {
        // The one that was used last is in the processor's cache.
        let frame = self.0.borrow_mut().pop().unwrap_or_else(Frame::new);
        frame.desk.asked.set(Some(asked));
        frame
    }

    /// Takes one back whose call is done.
    pub(super) fn give(&self, frame: Frame) {
        let mut spare = self.0.borrow_mut();
        if spare.len() < MOST {
            spare.push(frame);
        }
    }
}
