//! Turns of the calls of a worker: one with much to move lets others move theirs in between.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

/// Bytes after which a turn ends, however fast both ends are. Between sockets of one machine megabytes would go by otherwise, and
/// nobody else's call be looked at meanwhile.
pub(crate) const TURN: usize = 128 * 1024;

/// Bytes that are moved at once while all calls have much to move: each piece wakes somebody up.
pub(super) const LARGEST_TURN: usize = 512 * 1024;

/// Steps of calls that do not wait for others after a turn.
const STEPS: u8 = 8;

/// Turns that are small after a call with little to move has come by.
const SMALL_TURNS: u8 = 16;

thread_local! {
    /// Turns that are to be small, because a call with little to move has come by.
    static SMALL: Cell<u8> = const { Cell::new(0) };
    /// Steps of calls that do not wait for others, because one of these has much to move.
    static UNWAITING: Cell<u8> = const { Cell::new(0) };
}

/// Ends a turn: the task goes on when what has come for others in the meantime has been looked at, which it would not wait for if
/// it just woke itself.
pub(crate) fn end_turn(cx: &mut Context<'_>) {
    UNWAITING.set(STEPS);
    // Told to the runtime when it is polled for the first time.
    let _ = pin!(tokio::task::yield_now()).poll(cx);
}

/// Bytes that may be moved at once.
pub(super) fn most_at_once() -> usize {
    let small = SMALL.get();
    SMALL.set(small.saturating_sub(1));
    if small > 0 { TURN } else { LARGEST_TURN }
}

/// A call with little to move is here: those with much have smaller turns.
pub(super) fn has_little() {
    SMALL.set(SMALL_TURNS);
}

/// Lets the worker's other calls that can go on do so first. What is sent is sent in bursts then: whoever receives it on this
/// machine is woken once for many messages.
pub(crate) async fn others_first() {
    let unwaiting = UNWAITING.get();
    if unwaiting > 0 {
        return UNWAITING.set(unwaiting - 1);
    }
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn beside_calls_with_little_those_with_much_have_smaller_turns_and_nobody_waits_for_them() {
        let cx = &mut Context::from_waker(Waker::noop());
        assert_eq!(most_at_once(), LARGEST_TURN);
        has_little();
        assert!((0..SMALL_TURNS).all(|_| most_at_once() == TURN));
        assert_eq!(most_at_once(), LARGEST_TURN);
        assert!(pin!(others_first()).poll(cx).is_pending());
        end_turn(cx);
        assert!((0..STEPS).all(|_| pin!(others_first()).poll(cx).is_ready()));
        assert!(pin!(others_first()).poll(cx).is_pending());
    }
}
