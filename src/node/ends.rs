//! Where a node is reached: its listeners, and its sockets in the state directory; bound anew, or taken over from the process
//! before it.

use std::io;
use std::net::TcpListener;

use super::admin::Scrapes;
use super::handover::{Inherited, Predecessor};
use super::socket::Socket;
use super::start::{NodeConfig, Role, StartError};
use super::systemd;
use crate::expr::Timestamp;
use crate::proxy::{self, Listener};
use crate::snapshot::Hop;
use crate::state::StateDir;

/// All ends of a node.
pub(super) struct Ends {
    /// With the hop that calls come to there: sidecars, then the gateway's, then that for sidecars of others.
    pub(super) listeners: Vec<(Hop, Listener)>,
    /// The same sockets once more, for whoever goes on instead of this process.
    pub(super) sockets: Vec<TcpListener>,
    pub(super) admin: Socket,
    /// For sandboxes, where it plays sidecars.
    pub(super) door: Option<Socket>,
    pub(super) scrapes: Option<Scrapes>,
    /// The process before this one, which serves until [`Ends::take_over`].
    pub(super) predecessor: Option<Predecessor>,
}

impl Ends {
    /// Binds them, as far as nobody hands them over.
    pub(super) fn bind(state: &StateDir, config: &NodeConfig, workers: usize) -> Result<Self, StartError> {
        let not_replaced = |error| StartError::Replace(config.name.clone(), error);
        let asked = config.replaces.then(|| Predecessor::ask(&state.node_socket(&config.name))).transpose();
        let (predecessor, sockets) = asked.map_err(not_replaced)?.flatten().unzip();
        let given = sockets.map_or_else(systemd::listeners, Ok).and_then(Inherited::new);
        let mut given =
            given.map_err(|error| StartError::System("sockets that were handed over cannot be used", error))?;
        let bind = |path: &_| if predecessor.is_some() { Socket::bind_beside(path) } else { Socket::bind(path) };
        let admin = bind(&state.node_socket(&config.name)).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => StartError::Running(config.name.clone()),
            _ => StartError::System("the admin socket cannot be bound", error),
        })?;
        let door = (config.role != Role::Gateway).then(|| bind(&state.node_door(&config.name))).transpose();
        let door = door.map_err(|error| StartError::System("the socket for sandboxes cannot be bound", error))?;
        let listeners = bind_all(config, &mut given, workers)?;
        let scrapes = bind_scrapes(config, &mut given)?;
        // What the process before this one listened on may be over; what somebody bound for this one is meant to be used.
        if let (None, Some(address)) = (&predecessor, given.unwanted().next()) {
            return Err(StartError::Unwanted(address));
        }
        let of_listeners = listeners.iter().flat_map(|(_, listener)| &listener.sockets).map(TcpListener::try_clone);
        let of_scrapes = scrapes.iter().map(Scrapes::socket);
        let sockets = of_listeners.chain(of_scrapes).collect::<io::Result<_>>();
        let sockets = sockets.map_err(|error| StartError::System("a socket cannot be shared", error))?;
        Ok(Self { listeners, sockets, admin, door, scrapes, predecessor })
    }

    /// Goes on instead of the process before this one, if there is one: from then on that one accepts nothing. When that was.
    pub(super) fn take_over(&mut self, state: &StateDir, node: &str) -> Result<Option<Timestamp>, StartError> {
        let Some(predecessor) = &self.predecessor else { return Ok(None) };
        predecessor.take_over().map_err(|error| StartError::Replace(node.to_owned(), error))?;
        let placed = self.admin.take_place(&state.node_socket(node));
        let door = self.door.as_mut().map(|door| door.take_place(&state.node_door(node)));
        placed
            .and(door.transpose())
            .map_err(|error| StartError::System("its sockets cannot be put in place", error))?;
        Ok(Some(proxy::now()))
    }
}

fn bind_all(config: &NodeConfig, given: &mut Inherited, workers: usize) -> Result<Vec<(Hop, Listener)>, StartError> {
    let sidecars = config.listeners.iter().enumerate().map(|(number, one)| (Hop::Sidecar(number), one.address));
    let gateways = config.gateway_listeners.iter().map(|one| (Hop::Gateway(one.port), one.address));
    // Which of its ports is meant a sidecar says.
    let mesh = config.mesh_listen.map(|address| (Hop::Mesh(0), address));
    let bound = sidecars.chain(gateways).chain(mesh).map(|(hop, address)| {
        let listener = match given.take(address) {
            Some((address, sockets)) => Listener { address, sockets },
            None => proxy::bind(address, workers)?,
        };
        Ok((hop, listener))
    });
    bound.collect()
}

fn bind_scrapes(config: &NodeConfig, given: &mut Inherited) -> Result<Option<Scrapes>, StartError> {
    let Some(address) = config.metrics_listen else { return Ok(None) };
    let socket = given.take(address).and_then(|(_, sockets)| sockets.into_iter().next());
    let bound = socket.map_or_else(|| TcpListener::bind(address), Ok).and_then(Scrapes::new);
    Ok(Some(bound.map_err(|error| StartError::Metrics(address, error))?))
}
