//! A caller: a workload, and what proves that it is the one.

use std::ops::Deref;
use std::sync::Arc;

use super::{SpiffeId, Workload};

/// A workload that calls. There is no caller without proof: what is not proven is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is. Of a certificate's holder that is what all workloads of its service account have in common.
    pub workload: Arc<Workload>,
    /// What proves it.
    pub proof: Proof,
    /// Whether it calls in an audit: what policies would refuse it goes, and is told.
    pub in_audit: bool,
}

/// What proves who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// It came by the listener of its own sidecar.
    Listener,
    /// Its certificate, in a handshake that it signed.
    Certificate,
    /// A token that was signed for it.
    Token,
    /// The user who owns the connecting socket, as the kernel says.
    SocketOwner,
}

impl Proof {
    /// As records of calls spell it.
    pub fn name(self) -> &'static str {
        match self {
            Proof::Listener => "listener",
            Proof::Certificate => "certificate",
            Proof::Token => "token",
            Proof::SocketOwner => "socketOwner",
        }
    }
}

impl Caller {
    fn new(workload: Workload, proof: Proof) -> Self {
        Self { workload: Arc::new(workload), proof, in_audit: false }
    }

    /// The workload whose own sidecar's listener the call came by.
    pub fn by_listener(workload: Workload) -> Self {
        Self::new(workload, Proof::Listener)
    }

    /// The holder of a certificate for an identity: the workload that it is known to be, or nobody of whom more is known.
    pub fn by_certificate(identity: &SpiffeId, workload: Option<Workload>) -> Self {
        let workload = match workload {
            Some(workload) => Workload { principal: identity.principal().to_owned(), ..workload },
            None => Workload {
                namespace: identity.namespace().to_owned(),
                service_account: identity.account().to_owned(),
                principal: identity.principal().to_owned(),
                ..Workload::default()
            },
        };
        Self::new(workload, Proof::Certificate)
    }

    /// Who showed a token of a service account: what all workloads of that account have in common.
    pub fn by_token(workload: Workload) -> Self {
        Self::new(workload, Proof::Token)
    }

    /// Who runs as the user that the Pods of a workload run as, on this machine.
    pub fn by_socket_owner(workload: Workload) -> Self {
        Self::new(workload, Proof::SocketOwner)
    }

    /// The same, without memory in common: a count of references that only one thread writes to.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { workload: Arc::new(Workload::clone(&self.workload)), ..*self }
    }
}

impl Deref for Caller {
    type Target = Workload;

    fn deref(&self) -> &Workload {
        &self.workload
    }
}
