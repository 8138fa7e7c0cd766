//! One client connection, as the calls on it see it.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderMap;

use crate::call::{Authority, Call, Failure, Handed, ServerFault, TlsSession, Unread};
use crate::identity::{Claims, SpiffeId};
use crate::snapshot::Hop;

use super::audit::Audit;
use super::drain::{Drain, Phase};
use super::standing::Standing;
use super::tunnel::{Opened, Switched};
use super::worker::{Held, Worker};

/// A client connection of HTTP, or the inside of a tunnel.
pub(super) struct Client {
    /// Where it came in: whose calls are judged there first.
    pub(super) hop: Hop,
    /// The address of its other end.
    pub(super) peer: IpAddr,
    /// The TLS by which it came, where that ended here.
    pub(super) tls: Option<Arc<TlsSession>>,
    /// By what the gateway took it, if it came there from outside.
    pub(super) standing: Option<Rc<Standing>>,
    /// Who is at its other end, by a certificate of the mesh.
    pub(super) identity: Option<SpiffeId>,
    /// The user who owns the connecting socket, where users are told apart.
    pub(super) owner: Option<u32>,
    /// Inside a tunnel: the token that it was opened with.
    pub(super) bearer: Option<Rc<Claims>>,
    /// The audit that its calls are made in.
    pub(super) audit: Option<Rc<Audit>>,
    /// Inside a tunnel: what it was opened for.
    within: Option<Authority>,
    next: RefCell<Option<Next>>,
}

/// What a connection goes on with when HTTP has let go of it.
pub(super) enum Next {
    /// A tunnel that CONNECT has opened.
    Tunnel(Opened),
    /// Another protocol, of both sides.
    Switched(Box<Switched>),
}

impl Client {
    /// Boxed, because it goes from hand to hand, and each that waits with it in hand would keep room for it.
    pub(super) fn new(hop: Hop, peer: IpAddr) -> Box<Self> {
        Box::new(Self {
            hop,
            peer,
            tls: None,
            standing: None,
            identity: None,
            owner: None,
            bearer: None,
            audit: None,
            within: None,
            next: RefCell::default(),
        })
    }

    /// Says that TLS ended here.
    pub(super) fn over_tls(&mut self, tls: Arc<TlsSession>) {
        self.tls = Some(tls);
    }

    /// What a sidecar tells of a call in the head of its request.
    pub(super) fn handed(&self, headers: &HeaderMap) -> Result<Handed, Failure> {
        match self.hop {
            Hop::Mesh(_) => Handed::read(headers),
            Hop::Sidecar(_) | Hop::Gateway(_) => Ok(Handed::default()),
        }
    }

    /// The inside of a tunnel.
    pub(super) fn within(&self, authority: Authority, bearer: Option<Rc<Claims>>) -> Box<Self> {
        let mut inside = Self::new(self.hop, self.peer);
        (inside.within, inside.bearer) = (Some(authority), bearer);
        (inside.audit, inside.owner) = (self.audit.clone(), self.owner);
        inside
    }

    /// Whether tunnels can be opened: not inside one.
    pub(super) fn opens_tunnels(&self) -> bool {
        self.within.is_none()
    }

    /// Inside a tunnel: host and port that it was opened for.
    pub(super) fn target(&self) -> Option<String> {
        self.within.as_ref().map(|within| format!("{}:{}", within.host(), within.port()))
    }

    /// Refuses calls on a connection that the gateway would not take any more.
    pub(super) fn stands(&self, worker: &Worker, held: &Held) -> Result<(), Failure> {
        match &self.standing {
            Some(standing) if !standing.holds(worker, held) => Err(Failure::Server(ServerFault::Changed)),
            _ => Ok(()),
        }
    }

    /// Until no further call may come: the proxy stops, or would not take the connection any more.
    pub(super) async fn over(&self, worker: &Worker, drain: &mut Drain) {
        let Some(standing) = &self.standing else { return drain.reached(Phase::Draining).await };
        // Boxed, so that other connections, which are most, do not carry its room around.
        let ended = Box::pin(standing.ended(worker));
        tokio::select! {
            () = drain.reached(Phase::Draining) => {}
            () = ended => {}
        }
    }

    /// Refuses a request for another host or port than the tunnel was opened for.
    pub(super) fn admit(&self, call: Call) -> Result<Call, Box<Unread>> {
        match &self.within {
            Some(within) if within != call.authority() => {
                let why = "the request is for another host or port than the tunnel was opened for";
                Err(Box::new(Unread::of_call(Failure::BadRequest(why), call)))
            }
            _ => Ok(call),
        }
    }

    /// Says what comes when HTTP has let go of the connection.
    pub(super) fn go_on(&self, next: Next) {
        *self.next.borrow_mut() = Some(next);
    }

    /// Whether anything comes then.
    pub(super) fn goes_on(&self) -> bool {
        self.next.borrow().is_some()
    }

    /// What comes now.
    pub(super) fn take_next(&self) -> Option<Next> {
        self.next.borrow_mut().take()
    }
}
