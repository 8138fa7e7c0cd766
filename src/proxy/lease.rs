//! What a connection that lasts hangs on: the grant by which it was let go, the token by which its caller was known, the server
//! of the gateway that took it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::expr::Timestamp;
use crate::identity::Claims;
use crate::snapshot::Grant;

use super::exchange::now;
use super::standing::Standing;
use super::worker::Worker;

/// Longest that is slept at once: no timer reaches further than some years.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// When one of these ends, so does the connection.
#[derive(Default)]
pub(super) struct Lease {
    pub(super) grant: Option<Arc<Grant>>,
    pub(super) bearer: Option<Rc<Claims>>,
    pub(super) standing: Option<Rc<Standing>>,
}

impl Lease {
    /// Whether there is nothing that could end it.
    pub(super) fn is_none(&self) -> bool {
        self.grant.is_none() && self.bearer.is_none() && self.standing.is_none()
    }

    /// Until it has ended.
    pub(super) async fn ended(&self, worker: &Worker) {
        let grant = self.grant.as_ref().map(|grant| grant.granted.expires);
        let token = self.bearer.as_ref().map(|bearer| Timestamp { seconds: bearer.expires(), nanos: 0 });
        let mut endings = worker.endings.clone();
        // By a clock that nobody sets.
        let deadline = grant.into_iter().chain(token).min().map(|end| Instant::now() + left(end));
        while deadline.is_none_or(|deadline| Instant::now() < deadline) && self.holds(worker) {
            let longest = Instant::now() + LONGEST;
            let next = deadline.map_or(longest, |deadline| deadline.min(longest));
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                told = endings.changed() => if told.is_err() { return },
            }
        }
    }

    fn holds(&self, worker: &Worker) -> bool {
        let held = worker.held();
        let token = self.bearer.as_ref().is_none_or(|bearer| held.snapshot.bearer(bearer, now()).is_ok());
        let stands = self.standing.as_ref().is_none_or(|standing| standing.holds(worker, &held));
        token && stands && !self.grant.as_ref().is_some_and(|grant| grant.state.has_ended())
    }
}

fn left(end: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(end.micros().saturating_sub(now().micros())).unwrap_or_default())
}
