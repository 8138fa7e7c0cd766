//! What a running proxy tells whoever watches it, on standard error.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::accesslog::standard_error;

/// Says things without ever blocking or failing: a terminal that is stopped, or gone, must hold up neither calls nor
/// their log.
#[derive(Clone)]
pub(super) struct Messages(Arc<Mutex<Box<dyn Write + Send>>>);

impl Messages {
    /// Messages to this process's standard error.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(standard_error())))
    }

    /// Says a line. What cannot be said is lost: `proxy status` and the log have what matters.
    pub(super) fn say(&self, line: &str) {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = out.write_all(format!("egressctl: {line}\n").as_bytes());
    }
}

impl std::fmt::Debug for Messages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Messages")
    }
}
