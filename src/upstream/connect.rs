//! Making connections: resolve, dial, and where the endpoint says so, TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::call::{Failure, TlsFault};
use crate::routing::{Endpoint, TlsSettings};

use super::resolve::Overrides;
use super::tls::{TlsConfigs, fault_of};

/// Makes connections for all workers.
#[derive(Debug)]
pub struct Connector {
    overrides: Overrides,
    tls: TlsConfigs,
}

impl Connector {
    /// A connector with address overrides and TLS configurations.
    pub fn new(overrides: Overrides, tls: TlsConfigs) -> Self {
        Self { overrides, tls }
    }

    /// An open stream to an endpoint, within `timeout` for all of it.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn connect(&self, endpoint: &Endpoint, timeout: Duration) -> Result<Stream, Failure> {
        tokio::time::timeout(timeout, self.open(endpoint)).await.unwrap_or(Err(Failure::ConnectTimeout))
    }

    async fn open(&self, endpoint: &Endpoint) -> Result<Stream, Failure> {
        let addresses = self.overrides.resolve(&endpoint.address, endpoint.port).await?;
        let tcp = dial(&addresses).await?;
        // Small requests must not wait for the acknowledgement of the one before.
        tcp.set_nodelay(true).map_err(|_| Failure::ConnectFailed)?;
        match &endpoint.tls {
            None => Ok(Stream::Plain(tcp)),
            Some(settings) => self.handshake(tcp, settings).await.map_err(Failure::Tls),
        }
    }

    async fn handshake(&self, tcp: TcpStream, settings: &TlsSettings) -> Result<Stream, TlsFault> {
        let config = self.tls.get(settings)?;
        let name = ServerName::try_from(settings.sni.clone()).map_err(|_| TlsFault::Unusable)?;
        let stream = TlsConnector::from(Arc::clone(&config)).connect(name, tcp).await;
        stream.map(|tls| Stream::Tls(Box::new(tls))).map_err(|error| fault_of(&error))
    }
}

async fn dial(addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
    for address in addresses {
        if let Ok(stream) = TcpStream::connect(address).await {
            return Ok(stream);
        }
    }
    Err(Failure::ConnectFailed)
}

/// An open stream to an origin.
pub enum Stream {
    /// Plain TCP.
    Plain(TcpStream),
    /// With TLS of ours; boxed, as a TLS session is far larger than a socket.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
