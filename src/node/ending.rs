//! How a node ends: because somebody stops it, or because another process goes on instead.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::control::Control;
use super::counted::Keeper;
use super::handover::{Predecessor, Successor};
use super::messages::Messages;
use super::presence::running;
use super::{systemd, unfinished};
use crate::accesslog::{self, LogStore};
use crate::decision::access::Durability;
use crate::expr::Timestamp;
use crate::proxy::Phase;
use crate::state::StateDir;

/// The flag by which a process goes on instead of the one that runs.
const REPLACE: &str = "--replace";

/// How often is looked which processes of the node still run.
const ENDED_PAUSE: Duration = Duration::from_secs(1);

/// Why a node is to end.
#[derive(Debug)]
pub(super) enum Ending {
    /// Somebody wants it to.
    Stop,
    /// The process with this id goes on instead, as soon as it is told that it may.
    Replaced(u32, oneshot::Sender<()>),
}

/// What a node is told to, from the moment this is made: SIGTERM and SIGINT end it, SIGUSR2 starts its program anew.
#[derive(Debug)]
pub(super) struct Signals {
    term: Signal,
    int: Signal,
    usr2: Signal,
    /// Asked for now: when the file has been replaced, the kernel calls it deleted.
    program: Option<PathBuf>,
    anew: Arc<Anew>,
}

/// How it stands with the program that is started anew.
#[derive(Debug, Default)]
struct Anew {
    /// Whether one runs that has not taken over yet.
    starts: AtomicBool,
    /// Whether this process has been replaced.
    is_done: AtomicBool,
}

impl Signals {
    pub(super) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            usr2: signal(SignalKind::user_defined2())?,
            program: std::env::current_exe().ok(),
            anew: Arc::default(),
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }

    /// Until the node is to end.
    pub(super) async fn end(&mut self, told: &mut mpsc::UnboundedReceiver<Ending>, messages: &Messages) -> Ending {
        loop {
            tokio::select! {
                _ = self.term.recv() => return Ending::Stop,
                _ = self.int.recv() => return Ending::Stop,
                Some(ending) = told.recv() => {
                    self.anew.is_done.store(matches!(ending, Ending::Replaced(..)), Ordering::Relaxed);
                    return ending;
                }
                _ = self.usr2.recv() => self.start_anew(messages),
            }
        }
    }

    /// Starts the program anew with the same arguments, to go on instead of this process; one at a time.
    fn start_anew(&self, messages: &Messages) {
        if self.anew.starts.swap(true, Ordering::Relaxed) {
            return messages.say("a process that is to replace this one is being started already");
        }
        systemd::notify("RELOADING=1");
        let anew = Arc::clone(&self.anew);
        let failed = move |messages: &Messages, why: &dyn std::fmt::Display| {
            anew.starts.store(false, Ordering::Relaxed);
            // What becomes of the other one is its own affair then.
            if anew.is_done.load(Ordering::Relaxed) {
                return;
            }
            messages.say(&format!("this process goes on: the one to replace it {why}"));
            systemd::notify("READY=1");
        };
        let Some(program) = &self.program else { return failed(messages, &"cannot be found") };
        let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
        if !arguments.iter().any(|argument| argument == REPLACE) {
            arguments.push(REPLACE.into());
        }
        match Command::new(program).args(arguments).spawn() {
            Ok(mut child) => {
                let messages = messages.clone();
                // It lives longer than this process, unless it fails.
                std::thread::spawn(move || match child.wait() {
                    Ok(status) => failed(&messages, &format_args!("has ended with {status}")),
                    Err(error) => failed(&messages, &format_args!("cannot be watched: {error}")),
                });
            }
            Err(error) => failed(messages, &format_args!("cannot be started: {error}")),
        }
    }
}

/// What is left to be done at the end of a node.
pub(super) struct Drained<'r> {
    pub(super) control: &'r Rc<Control>,
    pub(super) signals: &'r mut Signals,
    pub(super) phase: &'r watch::Sender<Phase>,
    pub(super) workers: Vec<std::thread::JoinHandle<()>>,
    /// Those whom clients of the node itself come to, and who writes what is counted.
    pub(super) tasks: Vec<JoinHandle<()>>,
    pub(super) keeper: &'r Keeper,
}

impl Drained<'_> {
    /// Lets running calls end, for a while or until a second signal; what runs then is cut off.
    pub(super) async fn end(self, ending: Ending) {
        let Self { control, signals, phase, workers, tasks, keeper } = self;
        let (timeout, messages) = (control.config.drain_timeout, &control.messages);
        control.draining.store(true, Ordering::Relaxed);
        control.sockets.take();
        match ending {
            Ending::Stop => {
                systemd::notify("STOPPING=1");
                let _ = phase.send(Phase::Draining);
                messages.say(&format!("draining, for at most {} s", timeout.as_secs()));
            }
            Ending::Replaced(pid, may) => {
                let _ = phase.send(Phase::Replaced);
                // Dropped for sure before the other one goes on: its files take the place of these.
                for task in tasks {
                    task.abort();
                    let _ = task.await;
                }
                keeper.save();
                systemd::notify(&format!("MAINPID={pid}"));
                let _ = may.send(());
                messages
                    .say(&format!("process {pid} goes on; finishing what runs, for at most {} s", timeout.as_secs()));
            }
        }
        let joined = join(workers, messages.clone());
        tokio::pin!(joined);
        tokio::select! {
            () = &mut joined => return,
            () = tokio::time::sleep(timeout) => {}
            () = signals.stop() => {}
        }
        let _ = phase.send(Phase::Stopping);
        joined.await;
    }
}

/// Waits for the worker threads without blocking the loop.
async fn join(workers: Vec<std::thread::JoinHandle<()>>, messages: Messages) {
    let joined = tokio::task::spawn_blocking(move || {
        for worker in workers {
            if worker.join().is_err() {
                messages.say("a worker has panicked");
            }
        }
    });
    let _ = joined.await;
}

/// Hands the sockets to another process, and lets it go on when it is ready.
pub(super) async fn hand_over(control: &Control, to: UnixStream) {
    // Of their own, because this one may end before they are asked for.
    let sockets =
        control.sockets.borrow().iter().map(std::net::TcpListener::try_clone).collect::<std::io::Result<Vec<_>>>();
    let Ok(sockets) = sockets else { return };
    let equipped = Successor::equip(to, &sockets).await;
    if equipped.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::TimedOut) {
        control.messages.say("this process goes on: the one to replace it was not ready in time");
    }
    let Ok((successor, pid)) = equipped else { return };
    drop(sockets);
    if !successor.waits() {
        return;
    }
    if control.draining.swap(true, Ordering::Relaxed) {
        let _ = successor.answer(Some("it is about to end already"));
        return;
    }
    let (may, released) = oneshot::channel();
    if control.ending.send(Ending::Replaced(pid, may)).is_ok() && released.await.is_ok() {
        let _ = successor.answer(None);
    }
    // Kept to the end of this process, which the other one sees by it.
    std::future::pending().await
}

/// Waits for the ends of the processes before this one. Then nobody but this one can say what became of calls that they had
/// begun, and which they did not report.
pub(super) async fn outlive(control: Rc<Control>, state: StateDir, predecessor: Option<(Predecessor, Timestamp)>) {
    let since = predecessor.as_ref().map_or_else(crate::proxy::now, |(_, since)| *since);
    let mut is_first = predecessor.is_none();
    if let Some((predecessor, _)) = predecessor {
        control.messages.say(&format!("goes on instead of process {}", predecessor.pid()));
        if predecessor.ended().await.is_err() {
            return;
        }
    }
    if control.config.recording.durability == Durability::Group {
        return;
    }
    let mut seen = HashSet::new();
    let told = loop {
        let running = match running(&state, &control.config.name) {
            Ok(running) => running,
            Err(error) => break error.to_string(),
        };
        // One that went on instead of another may end before it does. This one is among those that run.
        let is_last = running.len() <= 1;
        // Without a process before this one the start has closed what there was.
        if std::mem::take(&mut is_first) {
            seen.clone_from(&running);
        } else if running != seen {
            if let Err(error) = close(&control, &state, running.clone(), since).await {
                break error.to_string();
            }
            seen = running;
        }
        if is_last {
            return;
        }
        tokio::time::sleep(ENDED_PAUSE).await;
    };
    control.messages.say(&format!("what became of calls of processes that have ended cannot be recorded: {told}"));
}

/// Records what nobody else can, without blocking the loop.
async fn close(
    control: &Control,
    state: &StateDir,
    running: HashSet<String>,
    since: Timestamp,
) -> Result<(), accesslog::Error> {
    let (node, database, now) = (control.config.name.clone(), state.access_db(), crate::proxy::now().micros());
    let closed = tokio::task::spawn_blocking(move || {
        unfinished::close(&mut LogStore::open(database)?, &node, &running, since.micros(), now)
    });
    closed.await.unwrap_or(Ok(()))
}
