//! Connections from sidecars of other processes to the egress gateway: mutual TLS of the mesh and nothing else. Who calls is
//! taken from the certificate alone.

use std::net::SocketAddr;
use std::rc::Rc;

use tokio::net::TcpStream;

use crate::call::{Failure, ServerFault, TLS_HANDSHAKE};
use crate::identity::x509;
use crate::metrics::Counter;
use crate::routing::port_of_mesh;
use crate::snapshot::Hop;

use super::client::Client;
use super::connection::{begins, serve_either};
use super::drain::Drain;
use super::gateway::ended;
use super::http1::Kept;
use super::multiplexed;
use super::stream::ClientStream;
use super::tunnel::refuse;
use super::worker::Worker;

/// Serves a sidecar's connection.
pub(super) async fn serve(
    worker: &Rc<Worker>,
    mut client: Box<Client>,
    stream: TcpStream,
    drain: &mut Drain,
) -> Option<Kept> {
    let address = stream.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    let mut stream = ClientStream::from(stream);
    let mut early = Vec::new();
    let first = begins(worker, &mut early, &mut stream, client.over(worker, drain)).await;
    let failure = match (first, stream) {
        (None, _) => return None,
        (Some(TLS_HANDSHAKE), ClientStream::Socket(socket)) => match taken(worker, &mut client, early, socket).await {
            Ok((stream, true)) => {
                multiplexed::serve(worker, client, Vec::new(), stream, drain).await;
                return None;
            }
            Ok((stream, false)) => return serve_either(worker, client, Vec::new(), stream, drain).await,
            Err(failure) => failure,
        },
        (Some(_), _) => Failure::Server(ServerFault::PlainText),
    };
    worker.shard.count(Counter::BadConnections);
    refuse(worker, &client, &address.to_string(), failure).await;
    None
}

/// The inside of a sidecar's connection, and whether HTTP/2 is spoken in it; the client then is who its certificate says.
async fn taken(
    worker: &Worker,
    client: &mut Client,
    early: Vec<u8>,
    socket: TcpStream,
) -> Result<(ClientStream, bool), Failure> {
    let config = worker.certificates.of_mesh().ok_or(Failure::Server(ServerFault::Unusable))?;
    let stream = ended(worker, config, early, socket).await?;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    client.identity = certificate.and_then(|certificate| x509::identity(certificate));
    let port = session.server_name().and_then(port_of_mesh).ok_or(Failure::Server(ServerFault::NoServer))?;
    client.hop = Hop::Mesh(port);
    let multiplexed = session.alpn_protocol() == Some(b"h2");
    Ok((ClientStream::Tls(Box::new(stream)), multiplexed))
}
