//! The thread that seals and prunes beside a proxy.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::prune::Retention;
use super::seal::Sealer;
use crate::accesslog::Error;

/// Pause between two looks whether enough has gathered. A look reads two rows.
const PERIOD: Duration = Duration::from_secs(2);

/// Pause between two looks whether entries are old enough to go.
const PRUNE_PERIOD: Duration = Duration::from_secs(60);

/// How much the thread gives way to those that serve calls: the most that the system knows.
const NICENESS: i32 = 19;

/// A thread that seals and prunes logs while this is kept. One that is sealing when the process ends leaves nothing that is wrong.
#[derive(Debug)]
pub struct Sealing {
    _stop: mpsc::Sender<()>,
}

impl Sealing {
    /// Starts the thread. `failed` is called in it when that fails, and with nothing when it works again.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(
        mut sealers: Vec<Sealer>,
        retention: Retention,
        failed: impl Fn(Option<&Error>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        thread::Builder::new().name("sealer".to_owned()).spawn(move || {
            // Where it may not be lower the thread works all the same.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            let (mut failing, mut pruned) = (false, Instant::now());
            while stopped.recv_timeout(PERIOD) == Err(mpsc::RecvTimeoutError::Timeout) {
                let now = micros(SystemTime::now());
                let mut error = sealers.iter_mut().filter_map(|sealer| sealer.seal_due(now).err()).last();
                if pruned.elapsed() >= PRUNE_PERIOD && !retention.is_forever() {
                    pruned = Instant::now();
                    let failed = sealers.iter_mut().filter_map(|sealer| sealer.prune(&retention, now).err()).last();
                    error = error.or(failed);
                }
                if error.is_some() != failing {
                    failing = error.is_some();
                    failed(error.as_ref());
                }
            }
        })?;
        Ok(Self { _stop: stop })
    }
}

/// Microseconds since 1970.
fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
