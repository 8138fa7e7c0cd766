//! Turns of the calls of a worker: one with much to move lets others move theirs in between.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

/// Bytes that are moved in one turn, however fast both ends are. Between sockets of one machine megabytes would go by otherwise,
/// and nobody else's call be looked at meanwhile.
pub(crate) const TURN: usize = 256 * 1024;

/// Ends a turn: the task goes on when what has come for others in the meantime has been looked at, which it would not wait for if
/// it just woke itself.
pub(crate) fn end_turn(cx: &mut Context<'_>) {
    // Told to the runtime when it is polled for the first time.
    let _ = pin!(tokio::task::yield_now()).poll(cx);
}

/// Lets the worker's other calls that can go on do so first. What is sent is sent in bursts then: whoever receives it on this
/// machine is woken once for many messages, and waking somebody costs as much as half a message.
pub(crate) async fn others_first() {
    let mut waited = false;
    let wait = poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    wait.await;
}
