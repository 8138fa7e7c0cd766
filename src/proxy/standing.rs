//! By what a connection to the gateway was taken, and whether it would be taken so today.

use std::cell::Cell;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::routing::{Carries, ServerTls};

use super::worker::{Held, Worker};

/// The server of the gateway that took a connection. Its connections end with it, and when it asks something else of them:
/// whoever came before a certificate was asked for has shown none.
#[derive(Debug)]
pub(super) struct Standing {
    port: u16,
    taken: Taken,
    /// When it was seen to hold last: of which configuration, and of which certificates.
    seen: Cell<(u64, u64)>,
}

/// How a connection was taken.
#[derive(Debug)]
pub(super) enum Taken {
    /// In plain text.
    Plain(Carries),
    /// TLS that is passed through, and the name that it asked for.
    Passed(Option<Box<str>>),
    /// TLS that ends here, with this.
    Ended(Option<Box<str>>, Carries, Arc<ServerConfig>),
}

impl Standing {
    /// Of a connection to a port of the gateway.
    pub(super) fn new(port: u16, taken: Taken) -> Self {
        Self { port, taken, seen: Cell::default() }
    }

    /// Whether the connection would be taken in the same way now.
    pub(super) fn holds(&self, worker: &Worker, held: &Held) -> bool {
        let now = (held.version, worker.certificates.generation());
        if self.seen.get() == now {
            return true;
        }
        let holds = self.is_taken(worker, held);
        if holds {
            self.seen.set(now);
        }
        holds
    }

    fn is_taken(&self, worker: &Worker, held: &Held) -> bool {
        let Some(chains) = held.snapshot.routes.chains(self.port) else { return false };
        let shows = |tls: &Arc<ServerTls>, config: &Arc<ServerConfig>| {
            worker.certificates.config(tls).is_ok_and(|now| Arc::ptr_eq(&now, config))
        };
        match &self.taken {
            Taken::Plain(carries) => chains.plain() == Some(*carries),
            Taken::Passed(name) => chains.named(name.as_deref()).is_some_and(|chain| chain.tls.is_none()),
            Taken::Ended(name, carries, config) => chains.named(name.as_deref()).is_some_and(|chain| {
                chain.carries == *carries && chain.tls.as_ref().is_some_and(|tls| shows(tls, config))
            }),
        }
    }

    /// Until it does not hold any more, or nobody is left who could change that.
    pub(super) async fn ended(&self, worker: &Worker) {
        let mut endings = worker.endings.clone();
        while self.holds(worker, &worker.held()) {
            if endings.changed().await.is_err() {
                return;
            }
        }
    }
}
