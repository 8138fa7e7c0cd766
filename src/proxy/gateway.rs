//! Connections that come to the gateway itself: which of the port's servers takes one, and what it does with it.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::call::{Failure, ServerFault, TLS_HANDSHAKE, TlsSession, TunnelFault};
use crate::identity::x509;
use crate::metrics::Counter;
use crate::routing::{Carries, Certificates};

use super::callers::fault_of;
use super::client::Client;
use super::connection::{begins, serve_either};
use super::drain::Drain;
use super::early::Early;
use super::http1::Kept;
use super::sniff::{NoHello, server_name};
use super::standing::{Standing, Taken};
use super::stream::ClientStream;
use super::tunnel::{carry, refuse, report_head};
use super::worker::Worker;

/// Serves a connection to the gateway's server port.
pub(super) async fn serve(
    worker: &Rc<Worker>,
    mut client: Box<Client>,
    port: u16,
    stream: TcpStream,
    drain: &mut Drain,
) -> Option<Kept> {
    let gate = Gate { worker, port, local: stream.local_addr().map_or(IpAddr::from([0, 0, 0, 0]), |at| at.ip()) };
    let held = worker.held();
    let chains = held.snapshot.routes.chains(port);
    let (takes_tls, plain) = (chains.is_some_and(|chains| chains.takes_tls()), chains.and_then(|one| one.plain()));
    drop(held);
    let mut early = Vec::new();
    let mut stream = ClientStream::from(stream);
    // Who dials a database may have to listen first.
    let first = if takes_tls || plain == Some(Carries::Http) {
        Some(begins(worker, &mut early, &mut stream, client.over(worker, drain)).await?)
    } else {
        None
    };
    client.standing = plain.map(|carries| Rc::new(Standing::new(port, Taken::Plain(carries))));
    match (first, plain, stream) {
        (Some(TLS_HANDSHAKE), _, ClientStream::Socket(socket)) if takes_tls => {
            return gate.named(client, socket, drain).await;
        }
        (_, Some(Carries::Tcp), stream) => carry(worker, &client, &gate.target(), None, early, stream).await,
        (Some(TLS_HANDSHAKE), Some(_), _) => gate.refuse(&client, None, Failure::Tunnel(TunnelFault::TlsToHttp)).await,
        (_, Some(_), stream) => return serve_either(worker, client, early, stream, drain).await,
        (_, None, _) => gate.refuse(&client, None, Failure::Server(ServerFault::NoServer)).await,
    }
    None
}

/// A server port, and where a connection came to it.
struct Gate<'w> {
    worker: &'w Rc<Worker>,
    port: u16,
    local: IpAddr,
}

impl Gate<'_> {
    /// What a connection is for of which only this is known.
    fn target(&self) -> String {
        SocketAddr::new(self.local, self.port).to_string()
    }

    fn standing(&self, taken: Taken) -> Rc<Standing> {
        Rc::new(Standing::new(self.port, taken))
    }

    /// Records a connection that no server takes.
    async fn refuse(&self, client: &Client, name: Option<&str>, failure: Failure) {
        self.worker.shard.count(Counter::BadConnections);
        let target = name.map_or_else(|| self.target(), |name| format!("{name}:{}", self.port));
        refuse(self.worker, client, &target, failure).await;
    }

    /// Serves TLS, by the name that it asks for.
    async fn named(&self, mut client: Box<Client>, mut socket: TcpStream, drain: &mut Drain) -> Option<Kept> {
        let (worker, mut early) = (self.worker, Vec::new());
        let name = match server_name(&mut early, &mut socket, worker.limits.hello_timeout).await {
            Ok(name) => name,
            Err(NoHello::Refused(failure)) => {
                report_head(worker, &client, failure).await;
                return None;
            }
            Err(NoHello::Left) => return None,
        };
        // The configuration may be another than before the first byte.
        let held = worker.held();
        let chain = held.snapshot.routes.chains(self.port).and_then(|chains| chains.named(name.as_deref()));
        let Some((carries, tls)) = chain.map(|chain| (chain.carries, chain.tls.clone())) else {
            self.refuse(&client, name.as_deref(), Failure::Server(ServerFault::NoServer)).await;
            return None;
        };
        drop(held);
        let target = name.as_deref().map_or_else(|| self.target(), |name| format!("{name}:{}", self.port));
        let Some(tls) = tls else {
            client.standing = Some(self.standing(Taken::Passed(name.clone())));
            carry(worker, &client, &target, name, early, socket.into()).await;
            return None;
        };
        let taken = match worker.certificates.config(&tls) {
            Ok(config) => {
                client.standing = Some(self.standing(Taken::Ended(name.clone(), carries, Arc::clone(&config))));
                Box::pin(ended(worker, config, early, socket)).await
            }
            Err(fault) => Err(Failure::Server(fault)),
        };
        let ended = match taken {
            Ok(ended) => ended,
            Err(failure) => {
                self.refuse(&client, name.as_deref(), failure).await;
                return None;
            }
        };
        let (_, session) = ended.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let mutual = certificate.is_some();
        // Others' authorities do not vouch for identities of the mesh.
        if tls.certificates == Certificates::Mesh {
            client.identity = certificate.and_then(|certificate| x509::identity(certificate));
        }
        let multiplexed = session.alpn_protocol() == Some(b"h2");
        client.over_tls(Arc::new(TlsSession { server_name: name, mutual }));
        let stream = ClientStream::Tls(Box::new(ended));
        match carries {
            Carries::Http if multiplexed => super::multiplexed::serve(worker, client, Vec::new(), stream, drain).await,
            Carries::Http => return serve_either(worker, client, Vec::new(), stream, drain).await,
            _ => carry(worker, &client, &target, None, Vec::new(), stream).await,
        }
        None
    }
}

/// Ends TLS as a server says.
pub(super) async fn ended(
    worker: &Worker,
    config: Arc<ServerConfig>,
    early: Vec<u8>,
    socket: TcpStream,
) -> Result<TlsStream<Early<TcpStream>>, Failure> {
    let _one = worker.handshakes.take().ok_or(Failure::Overload)?;
    let accepting = TlsAcceptor::from(config).accept(Early::new(early, socket));
    match tokio::time::timeout(worker.limits.hello_timeout, accepting).await {
        Ok(Ok(ended)) => Ok(ended),
        Ok(Err(error)) => Err(Failure::Server(fault_of(&error))),
        Err(_) => Err(Failure::Server(ServerFault::Handshake)),
    }
}
