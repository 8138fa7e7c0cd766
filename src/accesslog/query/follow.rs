//! Continuing where an answer ended.

use std::thread;
use std::time::Duration;

use super::plan::Plan;
use super::{Query, Sink};
use crate::accesslog::{Error, LogStore};

/// Pause between two looks for new entries. A look reads one row, some microseconds; people notice delays above 100 ms.
const PAUSE: Duration = Duration::from_millis(20);

impl LogStore {
    /// Hands the entries after the sequence number `after` to a sink as they are stored, by whichever process, until
    /// the sink wants no more. With [`Answer::upto`](super::Answer::upto) of a query no entry is missed and none comes
    /// twice. [`Query::tail`] has no meaning here. Blocks the thread.
    ///
    /// # Errors
    /// Every variant of [`Error`].
    pub fn follow(&self, query: &Query, after: i64, sink: &mut dyn Sink) -> Result<(), Error> {
        let asked = self.asked(query)?;
        let mut seen = after;
        loop {
            let newest = self.newest()?;
            if newest > seen {
                let span = (seen + 1, newest);
                let plan = self.sql(|| Plan::new(&self.connection, &asked, span))?;
                if self.forwards(&plan, sink)? {
                    return Ok(());
                }
                seen = newest;
            }
            if !sink.idle() {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
    }
}
