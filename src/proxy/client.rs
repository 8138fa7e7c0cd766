//! One client connection, as the calls on it see it.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::upgrade::OnUpgrade;

use crate::call::{Authority, Call, Failure};

use super::strict::Turns;
use super::tunnel::{Opened, Switched};

/// A client connection of HTTP, or the inside of a tunnel.
pub(super) struct Client {
    /// Number of the listener that it came to.
    pub(super) listener: usize,
    /// The address of its other end.
    pub(super) peer: IpAddr,
    /// Inside a tunnel: what it was opened for.
    within: Option<Authority>,
    next: RefCell<Option<Next>>,
    /// What was read and answered of its requests.
    pub(super) turns: Arc<Turns>,
}

/// What a connection goes on with when HTTP has let go of it.
pub(super) enum Next {
    /// A tunnel that CONNECT has opened.
    Tunnel(Opened, OnUpgrade),
    /// Another protocol, of both sides.
    Switched(Box<Switched>),
}

impl Client {
    pub(super) fn new(listener: usize, peer: IpAddr) -> Self {
        Self { listener, peer, within: None, next: RefCell::default(), turns: Arc::default() }
    }

    /// The inside of a tunnel.
    pub(super) fn within(&self, authority: Authority) -> Self {
        Self { within: Some(authority), ..Self::new(self.listener, self.peer) }
    }

    /// Whether tunnels can be opened: not inside one.
    pub(super) fn opens_tunnels(&self) -> bool {
        self.within.is_none()
    }

    /// Inside a tunnel: host and port that it was opened for.
    pub(super) fn target(&self) -> Option<String> {
        self.within.as_ref().map(|within| format!("{}:{}", within.host(), within.port()))
    }

    /// Refuses a request for another host or port than the tunnel was opened for.
    pub(super) fn admit(&self, call: Call) -> Result<Call, Failure> {
        match &self.within {
            Some(within) if within != call.authority() => {
                Err(Failure::BadRequest("the request is for another host or port than the tunnel was opened for"))
            }
            _ => Ok(call),
        }
    }

    /// Says what comes when HTTP has let go of the connection.
    pub(super) fn go_on(&self, next: Next) {
        *self.next.borrow_mut() = Some(next);
        self.turns.switch();
    }

    /// What comes now.
    pub(super) fn take_next(&self) -> Option<Next> {
        self.next.borrow_mut().take()
    }
}
