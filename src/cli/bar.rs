//! A bar on standard error for work that takes longer than a moment.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::accesslog::Progress;

/// Work that ends sooner has no bar.
const MOMENT: Duration = Duration::from_secs(1);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// Characters of a whole bar.
const WIDTH: u64 = 30;

/// What a number of [`Progress`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Segments,
    Entries,
    Bytes,
}

/// A bar, which is taken away when this is dropped.
pub(crate) struct Bar {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bar {
    /// Shows work from a moment on, if standard error is a terminal. What goes to a terminal itself while it is found would
    /// stand in the bar, so then there is none.
    pub(crate) fn start(what: &'static str, unit: Unit, of: Vec<Arc<Progress>>, prints: bool) -> Self {
        if !io::stderr().is_terminal() || prints && io::stdout().is_terminal() {
            return Self { stop: None, thread: None };
        }
        let (stop, stopped) = channel();
        let show = move || {
            let (mut pause, mut is_shown) = (MOMENT, false);
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let (done, total) =
                    of.iter().map(|one| one.get()).fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
                // Without a terminal any more there is nobody to be told.
                let _ = write!(io::stderr(), "\r{}\u{1b}[K", picture(what, unit, done, total));
                (pause, is_shown) = (PAUSE, true);
            }
            if is_shown {
                let _ = write!(io::stderr(), "\r\u{1b}[K");
            }
        };
        Self { stop: Some(stop), thread: thread::Builder::new().name("progress".to_owned()).spawn(show).ok() }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It does nothing but print.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn picture(what: &str, unit: Unit, done: u64, total: u64) -> String {
    let amount = |number: u64| match unit {
        Unit::Segments | Unit::Entries => number.to_string(),
        Unit::Bytes => format!("{:.1} MiB", number as f64 / f64::from(1 << 20)),
    };
    let name = match unit {
        Unit::Segments => " segments",
        Unit::Entries => " entries",
        Unit::Bytes => "",
    };
    if total == 0 {
        return format!("{what} {}{name}", amount(done));
    }
    let full = (done.min(total) * WIDTH / total) as usize;
    let bar = "#".repeat(full) + &"-".repeat(WIDTH as usize - full);
    format!("{what} [{bar}] {} of {}{name}", amount(done), amount(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_work_is_done() {
        assert_eq!(
            picture("asking", Unit::Segments, 5, 10),
            format!("asking [{}{}] 5 of 10 segments", "#".repeat(15), "-".repeat(15))
        );
        assert_eq!(picture("importing", Unit::Bytes, 3 << 19, 0), "importing 1.5 MiB");
        assert_eq!(picture("sealing", Unit::Entries, 0, 7), format!("sealing [{}] 0 of 7 entries", "-".repeat(30)));
        assert!(picture("importing", Unit::Bytes, 2, 1).contains(&"#".repeat(30)));
    }
}
