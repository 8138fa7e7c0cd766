//! What a sidecar tells the gateway of another process about a call besides the call itself.
//!
//! Of who calls nothing is told: that is in the certificate. From where is the sidecar's word, which it proves by the same: it
//! holds the caller's key, and the caller does not. The rest is what any caller may choose freely anyway.

use std::fmt::Write as _;
use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Call, Failure, server_name};

/// The header that has it. From any other caller it is a forgery, and stripped.
pub(super) const HANDED: HeaderName = HeaderName::from_static("x-egress-handed");

/// What is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handed {
    /// The address that the caller called from.
    from: Option<IpAddr>,
    /// The port that the caller dialled, where Host does not say so.
    port: Option<u16>,
    /// The address that the caller of a tunnel named instead of a host.
    address: Option<IpAddr>,
    /// The name that its TLS has to ask for.
    server_name: Option<Box<str>>,
}

impl Handed {
    /// What is to be told of a call.
    pub fn of(call: &Call) -> Self {
        let (tunnel, port) = (call.tunnel(), call.authority().port());
        Self {
            from: Some(call.peer()),
            port: (tunnel.is_none() && call.authority().told_port() != port).then_some(port),
            address: tunnel.and_then(|tunnel| tunnel.address()),
            server_name: tunnel.and_then(|tunnel| tunnel.server_name()).map(Into::into),
        }
    }

    /// Puts it into the head of the request, if there is anything to tell.
    pub fn write(&self, headers: &mut HeaderMap) {
        let mut text = String::new();
        let mut tell = |key: &str, value: &dyn std::fmt::Display| {
            let between = if text.is_empty() { "" } else { ";" };
            let _ = write!(text, "{between}{key}={value}");
        };
        self.from.iter().for_each(|from| tell("from", from));
        self.port.iter().for_each(|port| tell("port", port));
        self.address.iter().for_each(|address| tell("address", address));
        self.server_name.iter().for_each(|name| tell("name", name));
        if !text.is_empty() {
            headers.insert(HANDED, HeaderValue::try_from(text).expect("numbers and names of hosts are ASCII"));
        }
    }

    /// Reads it from the head of a request that a sidecar hands on.
    ///
    /// # Errors
    /// [`Failure::BadRequest`] for what no sidecar writes.
    pub fn read(headers: &HeaderMap) -> Result<Self, Failure> {
        let mut handed = Self::default();
        let mut values = headers.get_all(HANDED).iter();
        let Some(value) = values.next() else { return Ok(handed) };
        let text = value.to_str().ok().filter(|_| values.next().is_none()).ok_or(UNREADABLE)?;
        for part in text.split(';') {
            let (key, value) = part.split_once('=').ok_or(UNREADABLE)?;
            match key {
                "from" => handed.from = Some(value.parse().map_err(|_| UNREADABLE)?),
                "port" => handed.port = Some(value.parse().ok().filter(|port| *port != 0).ok_or(UNREADABLE)?),
                "address" => handed.address = Some(value.parse().map_err(|_| UNREADABLE)?),
                "name" => handed.server_name = Some(server_name(value).ok_or(UNREADABLE)?),
                _ => return Err(UNREADABLE),
            }
        }
        Ok(handed)
    }

    /// The request with what was told of it.
    pub fn complete(self, mut call: Call) -> Call {
        call.peer = self.from.unwrap_or(call.peer);
        match self.port {
            Some(port) => call.dialled_at(port),
            None => call,
        }
    }

    /// The tunnel with what was told of it; whether its TLS has to ask for its host's name.
    pub fn complete_tunnel(self, call: &mut Call) -> bool {
        let expects = self.server_name.is_some();
        call.peer = self.from.unwrap_or(call.peer);
        if let Some(tunnel) = &mut call.tunnel {
            tunnel.hand_on(self.address, self.server_name);
        }
        expects
    }
}

const UNREADABLE: Failure = Failure::BadRequest("what the sidecar tells of the call cannot be read");

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::call::{Arrival, normalize};
    use crate::expr::Timestamp;

    fn arrival() -> Arrival {
        let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
        Arrival { time: Timestamp::ZERO, chance: 0, caller: None, peer, tls: None }
    }

    fn handed(call: &Call) -> HeaderMap {
        let mut headers = HeaderMap::new();
        Handed::of(call).write(&mut headers);
        headers
    }

    fn request(uri: &str) -> Call {
        let head = http::Request::builder().uri(uri).version(http::Version::HTTP_2).body(()).expect("a head");
        normalize(head.into_parts().0, arrival()).expect("a call")
    }

    #[test]
    fn of_a_request_is_told_from_where_it_comes_and_a_port_that_its_host_does_not_say() {
        for uri in ["http://a.example/", "http://a.example:8080/"] {
            assert_eq!(handed(&request(uri))[HANDED], "from=192.0.2.9", "{uri}");
        }
        let headers = handed(&request("http://a.example/").dialled_at(8080));
        assert_eq!(headers[HANDED], "from=192.0.2.9;port=8080");
        let by_sidecar = Call { peer: IpAddr::V4(Ipv4Addr::LOCALHOST), ..request("http://a.example/") };
        let arrived = Handed::read(&headers).expect("readable").complete(by_sidecar);
        assert_eq!((arrived.authority().as_str(), arrived.authority().port()), ("a.example", 8080));
        assert_eq!(arrived.peer(), request("http://a.example/").peer());
    }

    #[test]
    fn a_tunnel_arrives_as_it_was_known() {
        for (target, name) in [("a.example:443", None), ("a.example:443", Some("a.example")), ("192.0.2.1:443", None)] {
            let mut call = Call::tunnel_to(target, arrival()).expect("a target");
            if name.is_some() {
                call.expect_tls();
            }
            call.means("a.example");
            let mut arrived = Call::tunnel_to("a.example:443", arrival()).expect("a target");
            let expects = Handed::read(&handed(&call)).expect("readable").complete_tunnel(&mut arrived);
            assert_eq!((arrived.tunnel(), expects), (call.tunnel(), name.is_some()), "{target}");
        }
    }

    #[test]
    fn what_no_sidecar_writes_is_refused() {
        for value in [
            "",
            "port",
            "from=",
            "from=a.example",
            "port=0",
            "port=x",
            "address=a.example",
            "name=a b",
            "more=1",
            "port=1;",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HANDED, HeaderValue::from_static(value));
            assert_eq!(Handed::read(&headers), Err(UNREADABLE), "{value}");
            headers.insert(HANDED, HeaderValue::from_static("port=1"));
            headers.append(HANDED, HeaderValue::from_static("port=2"));
            assert_eq!(Handed::read(&headers), Err(UNREADABLE));
        }
    }
}
