//! Stopping: no new connections, then the end of the running ones, then the deadline.
//!
//! A proxy that another one takes over from is in no hurry: a kept connection that is closed while its client writes would
//! lose a request, so each goes on to its next answer, which says that it is the last.

use tokio::sync::watch;

/// How far a proxy is on its way to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Running,
    /// Another process takes the new connections; those that are there go on to their next answer.
    Replaced,
    /// No new connections; calls that run are finished, then their connections closed.
    Draining,
    /// What still runs is cut off.
    Stopping,
}

/// Tells every connection of every worker the phase.
#[derive(Debug, Clone)]
pub struct Drain(watch::Receiver<Phase>);

impl Drain {
    /// A running proxy's drain, and the end by which its owner moves it on.
    pub fn new() -> (watch::Sender<Phase>, Self) {
        let (sender, receiver) = watch::channel(Phase::Running);
        (sender, Self(receiver))
    }

    /// Whether the phase has been reached.
    pub fn has_reached(&self, phase: Phase) -> bool {
        *self.0.borrow() >= phase
    }

    /// Waits until the phase has been reached, or nobody is left who could move it on.
    pub async fn reached(&mut self, phase: Phase) {
        // An owner that is gone can no longer finish anything: that counts as reached.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}
