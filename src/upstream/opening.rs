//! What is said on a new connection before its calls: who calls, or where a proxy is to lead it.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::either::Either;

use crate::call::Failure;

use super::connect::{Socket, Wire};

/// How a header of the PROXY protocol begins in its binary form (version 2).
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Most bytes of the head by which a proxy answers CONNECT.
const MAX_ANSWER: usize = 64 * 1024;

/// Tells who calls. The caller's port is not known, as several of its calls may share the connection.
///
/// # Errors
/// [`Failure::ConnectFailed`] where it cannot be told.
pub(super) async fn announce(mut socket: Socket, binary: bool, caller: IpAddr) -> Result<Socket, Failure> {
    let reached = match &socket {
        Either::Left(stream) => stream.peer_addr().ok(),
        Either::Right(_) => None,
    };
    let header = if binary { header(caller, reached) } else { line(caller, reached).into_bytes() };
    socket.write_all(&header).await.map_err(|_| Failure::ConnectFailed)?;
    Ok(socket)
}

/// The header as a line of text (version 1).
fn line(caller: IpAddr, reached: Option<SocketAddr>) -> String {
    match (caller, reached.map(|reached| (reached.ip(), reached.port()))) {
        (IpAddr::V4(from), Some((IpAddr::V4(to), port))) => format!("PROXY TCP4 {from} {to} 0 {port}\r\n"),
        (IpAddr::V6(from), Some((IpAddr::V6(to), port))) => format!("PROXY TCP6 {from} {to} 0 {port}\r\n"),
        // Both ends must be of one family.
        _ => "PROXY UNKNOWN\r\n".to_owned(),
    }
}

/// The header in its binary form (version 2): a connection that is passed on, of TCP.
fn header(caller: IpAddr, reached: Option<SocketAddr>) -> Vec<u8> {
    let (family, addresses) = match (caller, reached.map(|reached| reached.ip())) {
        (IpAddr::V4(from), Some(IpAddr::V4(to))) => (0x11, [from.octets(), to.octets()].concat()),
        (IpAddr::V6(from), Some(IpAddr::V6(to))) => (0x21, [from.octets(), to.octets()].concat()),
        _ => (0, Vec::new()),
    };
    let ports = match addresses.is_empty() {
        true => Vec::new(),
        false => [[0; 2], reached.map_or(0, |reached| reached.port()).to_be_bytes()].concat(),
    };
    let length = u16::try_from(addresses.len() + ports.len()).unwrap_or_default().to_be_bytes();
    [SIGNATURE, &[0x21, family], &length, &addresses, &ports].concat()
}

/// Asks a proxy for a tunnel to `HOST:PORT` (RFC 9110 §9.3.6).
///
/// # Errors
/// [`Failure::TunnelRefused`], or that the proxy broke off.
pub(super) async fn tunnel(mut stream: Wire, target: &str) -> Result<Wire, Failure> {
    let request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n");
    let broken = |_| Failure::UpstreamClosed;
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut head = Vec::new();
    // Byte by byte: what follows is the tunnel's.
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_ANSWER {
            return Err(Failure::UpstreamProtocol);
        }
        head.push(stream.read_u8().await.map_err(broken)?);
    }
    match status(&head) {
        Some(200..300) => Ok(stream),
        Some(_) => Err(Failure::TunnelRefused),
        None => Err(Failure::UpstreamProtocol),
    }
}

fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\r').next()?).ok()?;
    let rest = line.strip_prefix("HTTP/1.1 ").or(line.strip_prefix("HTTP/1.0 "))?;
    rest.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_calls_is_told_as_the_protocol_has_it() {
        let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
        let at = |text: &str| Some(SocketAddr::new(parse(text), 443));
        for (caller, reached, text) in [
            ("192.0.2.1", at("198.51.100.2"), "PROXY TCP4 192.0.2.1 198.51.100.2 0 443\r\n"),
            ("2001:db8::1", at("2001:db8::2"), "PROXY TCP6 2001:db8::1 2001:db8::2 0 443\r\n"),
            ("192.0.2.1", at("2001:db8::2"), "PROXY UNKNOWN\r\n"),
            ("192.0.2.1", None, "PROXY UNKNOWN\r\n"),
        ] {
            assert_eq!(line(parse(caller), reached), text);
        }
        let binary = header(parse("192.0.2.1"), at("198.51.100.2"));
        assert_eq!(binary[..16], [SIGNATURE, &[0x21, 0x11, 0, 12]].concat());
        assert_eq!(binary[16..], [192, 0, 2, 1, 198, 51, 100, 2, 0, 0, 1, 187]);
        assert_eq!(header(parse("2001:db8::1"), at("2001:db8::2")).len(), 16 + 36);
        assert_eq!(header(parse("192.0.2.1"), None)[12..], [0x21, 0, 0, 0]);
    }

    #[test]
    fn the_status_of_a_proxys_answer_is_read() {
        for (head, expected) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], Some(200)),
            (b"HTTP/1.0 407 Proxy Authentication Required\r\n\r\n", Some(407)),
            (b"SSH-2.0\r\n\r\n", None),
            (b"HTTP/1.1 2\r\n\r\n", None),
        ] {
            assert_eq!(status(head), expected);
        }
    }
}
