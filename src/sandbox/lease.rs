//! What a running proxy and a sandbox agree on: whose calls they are, and the sockets by which they come.
//!
//! The sandbox's end is a connection to a Unix socket in the state directory, which nobody else may enter: who can reach
//! it could write the registry as well. The sandbox hands its sockets over; when the connection closes, however the
//! sandbox ended, the proxy closes them.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Take};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::proxy::Summary;

use super::channel::{receive, received, send};
use super::network::Sockets;

/// Whose calls a sandbox makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Name of the Deployment or Pod.
    pub workload: String,
    /// Its namespace.
    pub namespace: String,
}

/// What is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub enum Asked {
    /// To take the calls of a sandbox.
    Sandbox(Tenant),
    /// The same, and to let go what policies would refuse, and to tell of it when it has ended.
    Audit(Tenant),
    /// To record that a command runs without one.
    Unconfined(Tenant),
}

/// What the proxy says: nothing, or why it does not take them.
type Answer = Option<String>;

/// The sandbox's end.
#[derive(Debug)]
pub struct Lease(UnixStream);

impl Lease {
    /// Asks the proxy at a socket to take a sandbox's calls; what it says comes with [`Lease::begin`].
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn ask(socket: &Path, asked: &Asked) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        send(&stream, asked, &[])?;
        Ok(Self(stream))
    }

    /// Lets the proxy at a socket record that a command runs as a tenant without a sandbox.
    ///
    /// # Errors
    /// It does not.
    pub fn unconfined(socket: &Path, tenant: &Tenant) -> io::Result<()> {
        let Self(stream) = Self::ask(socket, &Asked::Unconfined(tenant.clone()))?;
        let (told, _): (Answer, _) = receive(&stream)?;
        told.map_or(Ok(()), |why| Err(io::Error::other(why)))
    }

    /// The connection, which the proxy closes when it ends.
    pub(super) fn connection(&self) -> &UnixStream {
        &self.0
    }

    /// Tells where datagrams were sent.
    pub(super) fn tell_datagrams(&self, to: &[SocketAddr]) {
        if !to.is_empty() {
            // That the proxy has left is seen elsewhere.
            let _ = send(&self.0, &to, &[]);
        }
    }

    /// Ends it, and waits for what its calls came to, which is told of an audit.
    ///
    /// # Errors
    /// The proxy has left.
    pub fn audited(&self) -> io::Result<Summary> {
        self.0.shutdown(Shutdown::Write)?;
        Ok(receive(&self.0)?.0)
    }

    /// Hands the sockets over.
    ///
    /// # Errors
    /// Why the proxy does not take them.
    pub(super) fn begin(&self, sockets: &Sockets) -> Result<(), String> {
        let left = |error: io::Error| format!("the proxy has left: {error}");
        let (told, _): (Answer, _) = receive(&self.0).map_err(left)?;
        if let Some(why) = told {
            return Err(why);
        }
        let captured = sockets.captured.iter().map(AsFd::as_fd);
        let handed: Vec<_> = captured.chain([sockets.names.as_fd()]).collect();
        send(&self.0, &handed.len(), &handed).map_err(left)?;
        let (told, _): (Answer, _) = receive(&self.0).map_err(left)?;
        told.map_or(Ok(()), Err)
    }
}

/// The proxy's end.
#[derive(Debug)]
pub struct Served(tokio::net::UnixStream);

impl Served {
    /// Of a connection that was accepted.
    pub fn new(stream: tokio::net::UnixStream) -> Self {
        Self(stream)
    }

    /// What is asked for.
    ///
    /// # Errors
    /// The other side has left, or is no sandbox.
    pub async fn asked(&self) -> io::Result<Asked> {
        Ok(received(&self.0).await?.0)
    }

    /// Says whether it is served.
    ///
    /// # Errors
    /// The other side has left.
    pub fn answer(&self, why_not: Option<&str>) -> io::Result<()> {
        send(&self.0, &why_not, &[])
    }

    /// The sockets that the sandbox hands over: listeners, then the name server's.
    ///
    /// # Errors
    /// The other side has left, or hands over something else.
    pub async fn sockets(&self) -> io::Result<Sockets> {
        let (_, mut handed): (usize, Vec<OwnedFd>) = received(&self.0).await?;
        let names = UdpSocket::from(handed.pop().ok_or(io::ErrorKind::InvalidData)?);
        names.set_nonblocking(true)?;
        let captured: Vec<_> = handed.into_iter().map(TcpListener::from).collect();
        for listener in &captured {
            listener.set_nonblocking(true)?;
        }
        Ok(Sockets { captured, names })
    }

    /// Goes on, when the sockets are handed over.
    pub fn follow(self) -> Followed {
        let (news, told) = self.0.into_split();
        Followed { news: BufReader::new(news.take(MOST_NEWS)), told }
    }
}

/// Most bytes of all that a sandbox tells while it runs: some hundred addresses.
const MOST_NEWS: u64 = 1 << 20;

/// The proxy's end while a sandbox runs.
#[derive(Debug)]
pub struct Followed {
    news: BufReader<Take<OwnedReadHalf>>,
    told: OwnedWriteHalf,
}

impl Followed {
    /// Where datagrams were sent, as soon as it is told; none when the sandbox has ended.
    pub async fn datagrams(&mut self) -> Option<Vec<SocketAddr>> {
        let mut line = Vec::new();
        self.news.read_until(b'\n', &mut line).await.ok()?;
        serde_json::from_slice(&line).ok()
    }

    /// Says what the calls of an audit came to, if the other side waits for it.
    ///
    /// # Errors
    /// It has left.
    pub async fn tell(&mut self, summary: &Summary) -> io::Result<()> {
        let line = [&serde_json::to_vec(summary)?[..], b"\n"].concat();
        self.told.write_all(&line).await
    }
}
