//! The way from a sidecar to the egress gateway of another process: mutual TLS with the caller's own certificate.
//!
//! The gateway judges a call as the second hop of one process does, and reports it. Its server's port is in the server name
//! that the sidecar asks for, as Istio's sidecars have it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::call::{Call, Failure, Handed, HandoverFault};
use crate::routing::Endpoint;
use crate::upstream::Stream;

use super::report::Closing;

/// Most bytes of the head by which the gateway answers CONNECT.
const MAX_ANSWER: usize = 64 * 1024;

/// The gateway as it is called by callers that have called it, by principal.
#[derive(Default)]
pub(super) struct Gateways(RefCell<HashMap<Box<str>, Called>>);

/// Its servers, by port and whether HTTP/2 is spoken.
type Called = Vec<(u16, bool, Arc<Endpoint>)>;

/// The gateway's server on a port, as the caller's own certificate is shown to it.
///
/// # Errors
/// [`Failure::Handover`] where the caller has none, or there is no gateway.
pub(super) fn gateway(closing: &Closing, port: u16, host: &str, multiplexed: bool) -> Result<Arc<Endpoint>, Failure> {
    let fault = |fault| Failure::Handover(fault);
    let caller = closing.call().caller().ok_or(fault(HandoverFault::NoIdentity))?;
    let held = closing.held().ok_or(fault(HandoverFault::Unreachable))?;
    let mut known = held.gateways.0.borrow_mut();
    if let Some(of_caller) = known.get(caller.principal.as_str())
        && let Some((.., found)) = of_caller.iter().find(|(of, h2, _)| (*of, *h2) == (port, multiplexed))
    {
        return Ok(Arc::clone(found));
    }
    let own = caller.identity().ok_or(fault(HandoverFault::NoIdentity))?;
    let gateway = held.snapshot.gateway_identity.as_ref().ok_or(fault(HandoverFault::Unreachable))?;
    let endpoint = Arc::new(Endpoint::gateway(port, host, own, gateway).speaking(multiplexed));
    known.entry(caller.principal.as_str().into()).or_default().push((port, multiplexed, Arc::clone(&endpoint)));
    Ok(endpoint)
}

/// Asks the gateway for a tunnel on a stream to it (RFC 9110 §9.3.6).
///
/// # Errors
/// [`Failure::Handover`]: with its status where it refuses.
pub(super) async fn open(mut stream: Stream, call: &Call, patience: Duration) -> Result<Stream, Failure> {
    let broken = |_| Failure::Handover(HandoverFault::Broken);
    let asked = async {
        stream.write_all(request(call).as_bytes()).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        let mut head = Vec::new();
        // Byte by byte, out of what TLS has read already: what follows is the tunnel's.
        while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_ANSWER {
            head.push(stream.read_u8().await.map_err(broken)?);
        }
        match status(&head) {
            Some(200) => Ok(()),
            Some(status) => Err(Failure::Handover(HandoverFault::Refused(status))),
            None => Err(Failure::Handover(HandoverFault::Broken)),
        }
    };
    let unreachable = Err(Failure::Handover(HandoverFault::Unreachable));
    tokio::time::timeout(patience, asked).await.unwrap_or(unreachable)?;
    Ok(stream)
}

fn request(call: &Call) -> String {
    let target = format!("{}:{}", call.authority().host(), call.authority().port());
    let mut headers = HeaderMap::new();
    Handed::of(call).write(&mut headers);
    let mut text = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n");
    for (name, value) in &headers {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    }
    text + "\r\n"
}

fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\r').next()?).ok()?;
    line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::call::Arrival;
    use crate::expr::Timestamp;

    #[test]
    fn a_tunnel_is_asked_for_by_name_with_what_its_tls_has_to_ask_for() {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let arrival = Arrival { time: Timestamp::ZERO, chance: 0, caller: None, peer, tls: None };
        let mut call = Call::tunnel_to("a.example:443", arrival).expect("a target");
        call.expect_tls();
        let expected = "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\nx-egress-handed: from=127.0.0.1;name=a.example\r\n\r\n";
        assert_eq!(request(&call), expected);
    }

    #[test]
    fn the_status_of_an_answer_is_read_and_nothing_else_is_one() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.1 403\r\n\r\n"), Some(403));
        for other in [&b""[..], b"HTTP/2 200\r\n", b"HTTP/1.1 2\r\n", b"\xff\r\n", b"HTTP/1.1 2x0 OK\r\n"] {
            assert_eq!(status(other), None);
        }
    }
}
