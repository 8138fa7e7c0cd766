//! Calls whose bytes are passed on unread: what is known of them is where they go, and the name that their TLS asks for.

use std::net::IpAddr;

use http::header;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};

use super::normalize::{authority_of, authority_with_port, host_header};
use super::{Arrival, Authority, Call, Failure, HelloFault, TunnelFault, Unread};

/// What is known of a connection whose bytes are passed on unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// The address that the caller named instead of a host.
    address: Option<IpAddr>,
    /// The name that its ClientHello asks for.
    server_name: Option<Box<str>>,
}

impl Tunnel {
    /// The address that the caller named instead of a host.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Takes up what another hop knows of it.
    pub(super) fn hand_on(&mut self, address: Option<IpAddr>, server_name: Option<Box<str>>) {
        (self.address, self.server_name) = (address, server_name);
    }

    /// The name that its ClientHello asks for; of a tunnel to a named host the host's, which any other would end.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }
}

/// The `HOST:PORT` that a CONNECT request is for.
///
/// # Errors
/// [`Failure::BadRequest`] where it has a body, which some would read and others take for the tunnel's first bytes (RFC
/// 9110 §9.3.6), or a Host for somebody else (RFC 9112 §3.2); one without port is for that of the target.
pub fn connect_target(head: &http::request::Parts) -> Result<&str, Failure> {
    let framed = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
    if framed.iter().any(|name| head.headers.contains_key(name)) {
        return Err(Failure::BadRequest("a CONNECT request has no body"));
    }
    let host = host_header(&head.headers, head.version)?;
    // In absolute form it would have a scheme, and a path that nobody asks for.
    let alone = head.uri.scheme().is_none() && head.uri.path_and_query().is_none();
    let target = head.uri.authority().filter(|_| alone).map(|authority| authority.as_str()).unwrap_or_default();
    let authority = authority_with_port(target)?;
    match host.map(|host| authority_of(host, authority.port())).transpose()? {
        Some(other) if (other.host(), other.port()) != (authority.host(), authority.port()) => {
            Err(Failure::BadRequest("the target and the Host header are for different hosts"))
        }
        _ => Ok(target),
    }
}

impl Call {
    /// A tunnel to `HOST:PORT`, as CONNECT has it (RFC 9110 §9.3.6).
    ///
    /// # Errors
    /// [`Failure::BadRequest`] where host or port is missing or none.
    pub fn tunnel_to(target: &str, arrival: Arrival) -> Result<Call, Box<Unread>> {
        let authority = match authority_with_port(target) {
            Ok(authority) => authority,
            Err(failure) => return Err(Box::new(Unread::new(failure, arrival))),
        };
        let address = authority.host().trim_matches(['[', ']']).parse().ok();
        let Arrival { time, chance, caller, peer, tls } = arrival;
        Ok(Call {
            time,
            chance,
            caller,
            peer,
            method: Method::CONNECT,
            authority,
            path: PathAndQuery::from_static("/"),
            headers: HeaderMap::new(),
            upgrade: None,
            tunnel: Some(Tunnel { address, server_name: None }),
            tls,
        })
    }

    /// What is known of it besides its target, if its bytes are passed on unread.
    pub fn tunnel(&self) -> Option<&Tunnel> {
        self.tunnel.as_ref()
    }

    /// Whether the caller named an address, and nothing says yet which host is meant by it.
    pub fn is_to_address(&self) -> bool {
        self.tunnel.as_ref().is_some_and(|tunnel| tunnel.address.is_some())
    }

    /// Takes an address to be the host that it is declared for.
    pub fn means(&mut self, host: &str) {
        self.authority = Authority::new(host, self.authority.port());
    }

    /// Takes the name that its TLS is going to ask for to be its host's; [`Call::confirm`] sees whether it was.
    pub fn expect_tls(&mut self) {
        if let Some(tunnel) = self.tunnel.as_mut().filter(|tunnel| tunnel.address.is_none()) {
            tunnel.server_name = Some(self.authority.host().into());
        }
    }

    /// Compares the name in the ClientHello with the host that the tunnel was opened for. A tunnel to an address is from
    /// here on one to the name: it is the name that is judged, and resolved anew.
    ///
    /// # Errors
    /// [`TunnelFault::OtherName`], or [`TunnelFault::NoName`] where a named host is not confirmed.
    pub fn confirm(&mut self, name: Option<Box<str>>) -> Result<(), Failure> {
        let Some(tunnel) = &mut self.tunnel else { return Ok(()) };
        match (tunnel.address, &name) {
            (None, None) => return Err(Failure::Tunnel(TunnelFault::NoName)),
            (None, Some(name)) if **name != *self.authority.host() => {
                tunnel.server_name = Some(name.clone());
                return Err(Failure::Tunnel(TunnelFault::OtherName));
            }
            // It was judged by this name already.
            (Some(_), Some(name)) if tunnel.server_name.as_ref().is_some_and(|judged| judged != name) => {
                return Err(Failure::Tunnel(TunnelFault::OtherName));
            }
            (Some(_), Some(name)) => self.authority = Authority::new(name, self.authority.port()),
            _ => {}
        }
        tunnel.server_name = name;
        Ok(())
    }

    /// The response flag of a failure of this call.
    pub fn flag(&self, failure: Failure) -> &'static str {
        if self.tunnel.is_some() { failure.tunnel_flag() } else { failure.flag() }
    }
}

impl From<HelloFault> for Failure {
    fn from(fault: HelloFault) -> Self {
        Failure::Tunnel(match fault {
            HelloFault::NotTls => TunnelFault::NotTls,
            HelloFault::Malformed => TunnelFault::Malformed,
            HelloFault::TooLarge => TunnelFault::TooLarge,
            HelloFault::BadName => TunnelFault::BadName,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use http::Version;

    use super::*;
    use crate::expr::Timestamp;

    fn to(target: &str) -> Result<Call, Failure> {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let arrival = Arrival { time: Timestamp::ZERO, chance: 0, caller: None, peer, tls: None };
        Call::tunnel_to(target, arrival).map_err(Failure::from)
    }

    #[test]
    fn a_target_has_a_host_and_a_port() {
        let call = to("Edition.CNN.com.:443").expect("a target");
        assert_eq!((call.authority().host(), call.authority().port()), ("edition.cnn.com", 443));
        assert_eq!(to("[::1]:443").expect("an address").tunnel().and_then(Tunnel::address), "::1".parse().ok());
        for bad in
            ["", "a.example", "a.example:", "a.example:0", "a.example:65536", ":443", "a b:443", "u@a.example:443"]
        {
            assert!(to(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_target_and_the_host_header_of_connect_agree() {
        for (hosts, version, good) in [
            (&["a.example:443"][..], Version::HTTP_11, true),
            (&["A.example."], Version::HTTP_11, true),
            (&["b.example:443"], Version::HTTP_11, false),
            (&["a.example:80"], Version::HTTP_11, false),
            (&["a.example:443", "a.example:443"], Version::HTTP_11, false),
            (&[""], Version::HTTP_11, false),
            (&[], Version::HTTP_11, false),
            (&[], Version::HTTP_10, true),
            (&[], Version::HTTP_2, true),
            (&["b.example:443"], Version::HTTP_2, false),
        ] {
            let request = http::Request::connect("a.example:443").version(version);
            let request = hosts.iter().fold(request, |request, host| request.header("host", *host));
            let (head, ()) = request.body(()).expect("a request").into_parts();
            assert_eq!(connect_target(&head).is_ok(), good, "{hosts:?} {version:?}");
        }
        let framed = http::Request::connect("a.example:443").version(Version::HTTP_10).header("content-length", "0");
        assert!(connect_target(&framed.body(()).expect("a request").into_parts().0).is_err());
    }

    #[test]
    fn a_named_host_must_be_confirmed_and_an_address_becomes_the_name() {
        let mut call = to("a.example:443").expect("a target");
        call.expect_tls();
        assert_eq!(call.tunnel().and_then(Tunnel::server_name), Some("a.example"));
        assert_eq!(call.confirm(Some("a.example".into())), Ok(()));
        assert_eq!(call.confirm(None), Err(Failure::Tunnel(TunnelFault::NoName)));
        assert_eq!(call.confirm(Some("b.example".into())), Err(Failure::Tunnel(TunnelFault::OtherName)));
        let mut call = to("192.0.2.1:443").expect("a target");
        call.expect_tls();
        assert_eq!(call.tunnel().and_then(Tunnel::server_name), None);
        assert_eq!(call.confirm(Some("b.example".into())), Ok(()));
        assert_eq!((call.authority().host(), call.authority().port()), ("b.example", 443));
    }
}
