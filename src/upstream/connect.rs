//! Making connections: resolve, dial, and where the endpoint says so, TLS.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use crate::call::{Failure, Side, TlsFault};
use crate::routing::{Endpoint, Keepalive, Opening, TlsSettings};

use super::breaker::{BreakerUse, Breakers};
use super::dial::dial;
use super::names::Names;
use super::opening;
use super::resolve::Overrides;
use super::tls::{HTTP_2, TlsConfigs, fault_of};

/// Makes connections for all workers.
#[derive(Debug)]
pub struct Connector {
    overrides: Overrides,
    names: Names,
    tls: TlsConfigs,
    gateway: GatewayAddress,
    pub(super) breakers: Breakers,
}

/// Where the egress gateway of another process is.
#[derive(Debug, Clone, Default)]
pub enum GatewayAddress {
    /// There is none: it is in this process.
    #[default]
    Here,
    /// At this host and port.
    At(String, u16),
    /// Where it says itself, in a file of the state directory.
    Published(PathBuf),
}

/// A socket: of an address, or of the machine's own.
pub(super) type Socket = Either<TcpStream, UnixStream>;

/// What an origin's bytes come by. A TLS session is far larger than a socket, so it is boxed.
pub(super) type Wire = Either<Socket, Box<TlsStream<Socket>>>;

impl Connector {
    /// A connector with address overrides, name servers and TLS configurations, for a process whose gateway is there.
    pub fn new(overrides: Overrides, names: Names, tls: TlsConfigs, gateway: GatewayAddress) -> Self {
        Self { overrides, names, tls, gateway, breakers: Breakers::default() }
    }

    /// How much of their limits clusters have in use.
    pub fn breakers(&self) -> Vec<BreakerUse> {
        self.breakers.uses()
    }

    /// An open stream to an endpoint, within `timeout` for all of it.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn connect(&self, endpoint: &Endpoint, timeout: Duration) -> Result<Wire, Failure> {
        let dialled = Cell::default();
        let opened = tokio::time::timeout(timeout, self.open(endpoint, &dialled)).await;
        let opened = opened.unwrap_or(Err(Failure::ConnectTimeout));
        // Those that refused have been noted.
        if let (Some(addresses), Err(failure)) = (&endpoint.addresses, &opened)
            && failure.side() == Side::Upstream
        {
            dialled.take().into_iter().for_each(|address| addresses.note(address, None, micros()));
        }
        opened
    }

    /// [`Connector::connect`]; `dialled` are the addresses from which nothing was heard yet, or to which there is a connection.
    async fn open(&self, endpoint: &Endpoint, dialled: &Cell<Vec<IpAddr>>) -> Result<Wire, Failure> {
        let socket = match endpoint.address.strip_prefix("unix://") {
            Some(path) => Either::Right(local(path).await?),
            None => {
                let addresses = self.addresses(endpoint).await?;
                dialled.set(addresses.iter().map(SocketAddr::ip).collect());
                let stream = dial(&addresses, |failed| {
                    let mut left = dialled.take();
                    left.retain(|address| *address != failed.ip());
                    dialled.set(left);
                    if let Some(addresses) = &endpoint.addresses {
                        addresses.note(failed.ip(), None, micros());
                    }
                });
                let stream = stream.await?;
                dialled.set(stream.peer_addr().ok().map(|peer| peer.ip()).into_iter().collect());
                if let Some(keepalive) = endpoint.lasting.as_ref().and_then(|lasting| lasting.keepalive.as_ref()) {
                    // A system that knows no such option asks in its own way.
                    let _ = SockRef::from(&stream).set_tcp_keepalive(&probes(keepalive));
                }
                Either::Left(stream)
            }
        };
        let socket = match endpoint.opening {
            Opening::Announced { binary, caller: Some(caller) } => opening::announce(socket, binary, caller).await?,
            _ => socket,
        };
        let stream = match &endpoint.tls {
            None => Either::Left(socket),
            Some(settings) => self.handshake(socket, settings).await.map_err(Failure::Tls)?,
        };
        match &endpoint.opening {
            Opening::Tunnel(target) => opening::tunnel(stream, target).await,
            _ => Ok(stream),
        }
    }

    /// Where an endpoint is; of the addresses of a public name only those that it may lead to.
    async fn addresses(&self, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Failure> {
        if endpoint.is_gateway {
            return self.gateway().await;
        }
        let (host, port) = (endpoint.address.as_str(), endpoint.port);
        if let Some(addresses) = self.overrides.of(host, port) {
            let inside = inside(endpoint, addresses.iter().map(SocketAddr::ip).collect());
            return nobody_left(addresses.iter().copied().filter(|address| inside.contains(&address.ip())).collect());
        }
        let found = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.names.addresses(host).await?,
        };
        let admitted = found.into_iter().filter(|address| endpoint.private.admits(*address));
        let admitted: Vec<_> = admitted.collect();
        if admitted.is_empty() {
            return Err(Failure::PrivateAddress);
        }
        nobody_left(inside(endpoint, admitted).into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    async fn gateway(&self) -> Result<Vec<SocketAddr>, Failure> {
        let (host, port) = match &self.gateway {
            GatewayAddress::Here => return Err(Failure::NoEndpoint),
            GatewayAddress::At(host, port) => (host, *port),
            GatewayAddress::Published(file) => {
                // Small and local, and read for a new connection only.
                let text = std::fs::read_to_string(file).map_err(|_| Failure::NoEndpoint)?;
                return text.trim().parse().map(|address| vec![address]).map_err(|_| Failure::NoEndpoint);
            }
        };
        let found = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.names.addresses(host).await?,
        };
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    async fn handshake(&self, socket: Socket, settings: &TlsSettings) -> Result<Wire, TlsFault> {
        let config = self.tls.get(settings)?;
        let name = ServerName::try_from(settings.sni.clone()).map_err(|_| TlsFault::Unusable)?;
        let stream = TlsConnector::from(Arc::clone(&config)).connect(name, socket).await;
        let stream = stream.map_err(|error| fault_of(&error))?;
        if settings.multiplexed && stream.get_ref().1.alpn_protocol() != Some(HTTP_2) {
            return Err(TlsFault::Handshake);
        }
        Ok(Either::Right(Box::new(stream)))
    }
}

/// The addresses of an endpoint that are not left out for a while.
fn inside(endpoint: &Endpoint, found: Vec<IpAddr>) -> Vec<IpAddr> {
    match &endpoint.addresses {
        None => found,
        Some(addresses) => addresses.inside(found, micros()),
    }
}

fn nobody_left(addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Failure> {
    if addresses.is_empty() { Err(Failure::NoEndpoint) } else { Ok(addresses) }
}

/// Now, in microseconds since 1970.
pub(super) fn micros() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn probes(spec: &Keepalive) -> TcpKeepalive {
    let mut keepalive = TcpKeepalive::new();
    if let Some(time) = spec.time {
        keepalive = keepalive.with_time(time);
    }
    if let Some(interval) = spec.interval {
        keepalive = keepalive.with_interval(interval);
    }
    match spec.probes {
        Some(probes) => keepalive.with_retries(probes),
        None => keepalive,
    }
}

/// A Unix socket: a path, or `@NAME` for one in the abstract namespace.
async fn local(path: &str) -> Result<UnixStream, Failure> {
    let connected = match path.strip_prefix('@') {
        None => UnixStream::connect(path).await,
        // Does not block: either somebody listens, or not.
        Some(name) => net::SocketAddr::from_abstract_name(name)
            .and_then(|address| net::UnixStream::connect_addr(&address))
            .and_then(|stream| stream.set_nonblocking(true).map(|()| stream))
            .and_then(UnixStream::from_std),
    };
    connected.map_err(|_| Failure::ConnectFailed)
}
