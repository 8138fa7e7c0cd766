//! Sandboxes that run beside the proxy: each hands its sockets over by a Unix socket in the state directory.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::accesslog::{Recorder, Report};
use crate::policy::refusal;
use crate::proxy::Captured;
use crate::registry::Waker;
use crate::sandbox::{Asked, Served, Sockets, Tenant};
use crate::snapshot::{Compiler, Hop, Published};

use super::socket::Socket;

/// How long to wait after `accept` failed: at once it would fail again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why there is no audit where the gateway is in another process: it believes no sidecar that a call may go.
const ELSEWHERE: &str = "an audit needs the egress gateway in the same process: proxy start --role all, or `egressctl run --audit` \
                         where no proxy runs";

/// Addresses of datagrams that wait to be recorded.
const DATAGRAMS_WAITING: usize = 64;

/// Finds a worker for each sandbox.
#[derive(Debug)]
pub(super) struct Sandboxes {
    pub(super) compiler: Arc<Compiler>,
    pub(super) published: Arc<Published>,
    pub(super) recorder: Recorder,
    /// Lets what is declared be compiled anew, for one more listener.
    pub(super) waker: Waker,
    /// Tells whenever that was done: why it failed, if it did.
    pub(super) compiled: watch::Receiver<Option<String>>,
    pub(super) workers: Vec<mpsc::Sender<Captured>>,
    /// Whether refusals are this process's own, because the gateway is in it.
    pub(super) refuses: bool,
    /// The worker whose turn it is.
    pub(super) turn: Cell<usize>,
}

impl Sandboxes {
    /// Serves until dropped.
    pub(super) async fn serve(self: Rc<Self>, door: Socket) {
        loop {
            let Ok((stream, _)) = door.listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let sandboxes = Rc::clone(&self);
            // One that leaves half-way has nothing to be served.
            tokio::task::spawn_local(async move { drop(sandboxes.house(Served::new(stream)).await) });
        }
    }

    /// Serves a sandbox to its end.
    async fn house(&self, sandbox: Served) -> std::io::Result<()> {
        let (tenant, in_audit) = match sandbox.asked().await? {
            Asked::Sandbox(tenant) => (tenant, false),
            Asked::Audit(tenant) => (tenant, true),
            Asked::Unconfined(tenant) => {
                return sandbox.answer(self.record(refusal::UNCONFINED, &tenant).await.err());
            }
        };
        if in_audit && !self.refuses {
            return sandbox.answer(Some(ELSEWHERE));
        }
        let listener = match self.listener(&tenant).await {
            Ok(listener) => listener,
            Err(why) => return sandbox.answer(Some(&why)),
        };
        if in_audit && let Err(why) = self.record(refusal::AUDIT, &tenant).await {
            return sandbox.answer(Some(why));
        }
        sandbox.answer(None)?;
        let Sockets { captured, names } = sandbox.sockets().await?;
        let (alive, ended) = watch::channel(());
        let turn = self.turn.replace(self.turn.get().wrapping_add(1)) % self.workers.len().max(1);
        let (sent, datagrams) = mpsc::channel(DATAGRAMS_WAITING);
        let (audit, told) = in_audit.then(oneshot::channel).unzip();
        let captured = Captured { hop: Hop::Sidecar(listener), connections: captured, names, datagrams, ended, audit };
        let taken = match self.workers.get(turn) {
            Some(worker) => worker.send(captured).await.is_ok(),
            None => false,
        };
        if !taken {
            return sandbox.answer(Some("it is about to end"));
        }
        sandbox.answer(None)?;
        let mut followed = sandbox.follow();
        while let Some(addresses) = followed.datagrams().await {
            for address in addresses {
                // A worker that has ended records nothing any more.
                let _ = sent.send(address).await;
            }
        }
        drop((alive, sent));
        match told {
            Some(told) => followed.tell(&told.await.map_err(io::Error::other)?).await,
            None => Ok(()),
        }
    }

    /// Records that a command runs as a workload with less than the whole protection.
    async fn record(&self, reason: &str, tenant: &Tenant) -> Result<(), &'static str> {
        let permit = self.recorder.permit().await.map_err(|_| "the access log takes no entries")?;
        let entry = refusal::chosen(crate::proxy::now(), reason, &tenant.workload, &tenant.namespace);
        permit.record(&mut Report::from_iter([entry]));
        Ok(())
    }

    /// The listener of a workload, as soon as it is in force.
    async fn listener(&self, tenant: &Tenant) -> Result<usize, String> {
        let mut compiled = self.compiled.clone();
        compiled.mark_unchanged();
        let place = self.compiler.listeners.place((tenant.workload.clone(), tenant.namespace.clone()));
        loop {
            let (_, snapshot) = self.published.load();
            match snapshot.callers().take(snapshot.listeners).nth(place) {
                Some(Some(_)) => return Ok(place),
                Some(None) => {
                    return Err(format!("it knows no workload {} in namespace {}", tenant.workload, tenant.namespace));
                }
                None => {}
            }
            self.waker.wake();
            if compiled.changed().await.is_err() {
                return Err("it is about to end".to_owned());
            }
            if let Some(why) = compiled.borrow_and_update().as_ref() {
                return Err(format!("what is declared is not in force: {why}"));
            }
        }
    }
}
