//! A door for fuzz targets: what stands before HTTP on a connection.

use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{preface, socks};

/// Reads the header of the PROXY protocol: whose connection it is, `None` within where it is the balancer's own.
pub async fn proxy_header(stream: &mut (impl AsyncRead + Unpin)) -> Option<Option<IpAddr>> {
    preface::read(stream).await.ok()
}

/// Reads what a client of SOCKS 5 asks for: the target of its tunnel.
pub async fn socks_target(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), shared: bool) -> Option<String> {
    match socks::negotiate(stream, shared).await.ok()? {
        socks::Request::Connect(target, _) => Some(target),
        socks::Request::Impossible(_) | socks::Request::Unusable => None,
    }
}
