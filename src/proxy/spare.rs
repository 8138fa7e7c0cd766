//! Memory that is free goes back to the system.
//!
//! What a connection needed is freed when it ends, some of it when it comes to rest, and so is what compiling needed; but the C
//! library keeps such pieces where others lie between them. It gives them back when it is asked to.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::worker::Worker;

/// Connections that have to have come to rest, or ended, for it to be worth while.
const WORTH_WHILE: usize = 64;

/// How long it is waited for others to come to rest too.
const PAUSE: Duration = Duration::from_millis(250);

/// Connections of a worker that came to rest, or ended, since memory was given back.
#[derive(Debug, Default)]
pub(super) struct Spare(Cell<usize>);

/// A connection has come to rest, or ended. Where calls are under way nothing is given back, because giving back takes a while, and what
/// is free is soon used again.
pub(super) fn add(worker: &Rc<Worker>) {
    let spare = &worker.spare.0;
    spare.set(spare.get() + 1);
    if spare.get() == WORTH_WHILE {
        let worker = Rc::clone(worker);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(PAUSE).await;
            worker.spare.0.set(0);
            if worker.budget.is_idle() {
                give_back();
            }
        });
    }
}

/// Gives back what is free.
#[cfg(target_env = "gnu")]
pub fn give_back() {
    // SAFETY: it may be called at any time, from any thread, and touches nothing but what is free (malloc_trim(3)).
    #[allow(unsafe_code)]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other C libraries do it by themselves.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_in_use_is_left_alone() {
        let kept: Vec<Vec<u8>> = (0..100_u8).map(|fill| vec![fill; 20_000]).collect();
        drop((0..100).map(|_| vec![1_u8; 20_000]).collect::<Vec<_>>());
        super::give_back();
        assert!((0..100_u8).zip(&kept).all(|(fill, piece)| piece.iter().all(|byte| *byte == fill)));
    }
}
