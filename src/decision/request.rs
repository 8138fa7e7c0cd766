//! From what is asked about to the call that a hop would see: what the proxy makes of a client's bytes.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::header::HOST;
use http::{Uri, uri};

use crate::call::{Arrival, Call, Failure, TlsSession, TunnelFault, normalize_by, server_name};
use crate::expr::Timestamp;
use crate::identity::{Caller, NoIdentity, SpiffeId, Workload};
use crate::routing::Carries;
use crate::snapshot::{Hop, Snapshot};

use super::asked::{Asked, Place, Protocol, Scheme};

/// Where requests go that name no port, and where TLS goes.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// The host of a tunnel that nobody named one for.
pub(super) const NOBODY: &str = "0.0.0.0";

/// What a hop sees.
pub(super) enum Arriving {
    /// A call that is judged.
    Call {
        hop: Hop,
        protocol: Protocol,
        call: Box<Call>,
        /// What its first bytes, which come when it has been judged, make of it.
        broken: Option<Broken>,
    },
    /// What never becomes a call.
    Refused { protocol: Protocol, failure: Failure },
}

/// A tunnel that was opened, and not carried on.
pub(super) struct Broken {
    /// As it is then known.
    pub(super) call: Box<Call>,
    pub(super) failure: Failure,
    /// Whether it is refused without being judged.
    pub(super) unjudged: bool,
}

/// What was found of a tunnel, or why it never becomes one.
type Opened = Result<(Call, Option<Broken>), Failure>;

/// The call of a question.
///
/// # Errors
/// What is no call at all, in words.
pub(super) fn arriving(snapshot: &Snapshot, listener: Option<usize>, asked: &Asked) -> Result<Arriving, String> {
    if asked.port == Some(0) {
        return Err("no port is 0".into());
    }
    let target = Target::of(asked)?;
    let identity = asked.source.principal.as_deref().map(identity_of).transpose()?;
    let question = Question { snapshot, listener, asked, identity, target };
    let protocol = question.protocol()?;
    let hop = match asked.hop {
        Place::Sidecar => Hop::Sidecar(listener.unwrap_or_default()),
        Place::Gateway => Hop::Gateway(question.server_port(protocol)),
    };
    let found = match (protocol, hop) {
        (Protocol::Http, _) => question.request(hop)?.map(|call| (call, None)),
        (_, Hop::Sidecar(_)) => question.tunnel(protocol)?,
        (_, Hop::Gateway(port) | Hop::Mesh(port)) => question.connection(protocol, port)?,
    };
    Ok(match found {
        Ok((call, broken)) => Arriving::Call { hop, protocol, call: Box::new(call), broken },
        Err(failure) => Arriving::Refused { protocol, failure },
    })
}

/// The parts of the URL.
#[derive(Default)]
struct Target {
    scheme: Option<String>,
    authority: Option<uri::Authority>,
    path: Option<String>,
}

impl Target {
    fn of(asked: &Asked) -> Result<Self, String> {
        let Some(url) = &asked.url else { return Ok(Self::default()) };
        let hint = if url.contains("://") { "" } else { "; write the URL with http:// in front" };
        let uri: Uri = url.parse().map_err(|error| format!("not a request: {error}{hint}"))?;
        let uri::Parts { scheme, authority, path_and_query, .. } = uri.into_parts();
        if scheme.is_none() {
            return Err(format!("not a request: {url:?} is no URL{hint}"));
        }
        let path = path_and_query.map(|path| path.as_str().to_owned());
        Ok(Self { scheme: scheme.map(|scheme| scheme.as_str().to_owned()), authority, path })
    }

    fn is(&self, scheme: &str) -> bool {
        self.scheme.as_deref() == Some(scheme)
    }
}

/// A question with the place that it is asked of.
struct Question<'a> {
    snapshot: &'a Snapshot,
    listener: Option<usize>,
    asked: &'a Asked,
    /// Who calls by its certificate.
    identity: Option<SpiffeId>,
    target: Target,
}

/// The identity of a principal, written with `spiffe://` in front or without.
fn identity_of(principal: &str) -> Result<SpiffeId, String> {
    let with_scheme = if principal.contains("://") { principal.to_owned() } else { format!("spiffe://{principal}") };
    with_scheme.parse().map_err(|error: NoIdentity| error.to_string())
}

impl Question<'_> {
    /// What is spoken: as is said, or as a client with this URL would.
    fn protocol(&self) -> Result<Protocol, String> {
        let asked = self.asked;
        if let Some(protocol) = asked.protocol {
            return self.fits(protocol);
        }
        Ok(match self.target.scheme.as_deref() {
            Some("tls") => Protocol::Tls,
            Some("tcp") => return self.fits(Protocol::Tcp),
            None if asked.sni.is_some() && asked.path.is_none() => Protocol::Tls,
            // Who calls by https speaks TLS to the origin. A server of the gateway may end it.
            Some("https") if asked.scheme.is_none() && self.is_passed_through() => Protocol::Tls,
            None | Some("http" | "https") => return self.fits(Protocol::Http),
            Some(other) => return Err(format!("what is spoken at {other}:// is not known here")),
        })
    }

    fn is_passed_through(&self) -> bool {
        let chains = || self.snapshot.routes.chains(self.server_port(Protocol::Tls));
        match (self.asked.hop, self.server_name()) {
            (Place::Sidecar, _) | (_, Err(_)) => true,
            (Place::Gateway, Ok(name)) => {
                chains().and_then(|chains| chains.named(name.as_deref())).is_some_and(|chain| chain.tls.is_none())
            }
        }
    }

    /// Refuses what contradicts a protocol.
    fn fits(&self, protocol: Protocol) -> Result<Protocol, String> {
        let has_name = self.asked.sni.as_ref().is_some_and(|name| !name.is_empty());
        match protocol {
            Protocol::Tcp if has_name => Err("sni is what TLS asks for, and the protocol is tcp".into()),
            Protocol::Http if has_name && self.asked.hop == Place::Sidecar => {
                Err("sni is what TLS asks for, and what comes to a sidecar as http is plain text".into())
            }
            protocol => Ok(protocol),
        }
    }

    /// Whether requests come, or would, over TLS.
    fn is_https(&self) -> bool {
        self.asked.scheme.map_or(self.target.is("https"), |scheme| scheme == Scheme::Https)
    }

    /// The port in authority or URL.
    fn named_port(&self) -> Option<u16> {
        match &self.asked.authority {
            Some(authority) => port_of(authority),
            None => self.target.authority.as_ref()?.port_u16(),
        }
    }

    /// The server's port at the gateway.
    fn server_port(&self, protocol: Protocol) -> u16 {
        let plain = protocol == Protocol::Http && !self.is_https();
        self.asked.port.or_else(|| self.named_port()).unwrap_or(if plain { HTTP_PORT } else { HTTPS_PORT })
    }

    /// How the call arrives, over TLS that ends at the hop if it does.
    fn arrival(&self, tls: Option<TlsSession>) -> Arrival {
        let callers = || self.listener.and_then(|listener| self.snapshot.callers().nth(listener).flatten());
        let known = callers().cloned();
        let caller = match &self.identity {
            None => known,
            Some(identity) => {
                let workload = known.map(|caller| Workload::clone(&caller.workload));
                Some(Caller::by_certificate(identity, workload))
            }
        };
        let peer = self.asked.source.ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Arrival { time: Timestamp::from_micros(self.asked.at), chance: 0, caller, peer, tls: tls.map(Arc::new) }
    }

    /// A request in its canonical form, or why its head would be refused. A server of the gateway gets it as it takes it.
    fn request(&self, hop: Hop) -> Result<Result<Call, Failure>, String> {
        let https = self.is_https();
        let asked = self.received(https)?;
        match (hop, &asked) {
            (Hop::Gateway(port), Ok(call)) if !self.snapshot.routes.serves(port, call) => {
                let otherwise = self.received(!https)?;
                let served = otherwise.as_ref().is_ok_and(|call| self.snapshot.routes.serves(port, call));
                Ok(if served { otherwise } else { asked })
            }
            _ => Ok(asked),
        }
    }

    /// A request that came in plain text, or over TLS.
    fn received(&self, https: bool) -> Result<Result<Call, Failure>, String> {
        let asked = self.asked;
        let scheme = if https { "https" } else { "http" };
        // The reader of heads refuses it before; of a URL the client keeps it to itself (RFC 9110 section 4.2.5).
        if asked.path.as_ref().is_some_and(|path| path.contains('#')) {
            return Ok(Err(Failure::BadRequest("the target has a fragment")));
        }
        let authority = self.authority();
        let uri = self.uri(scheme, authority.as_deref())?;
        let mut head = http::Request::builder().method(asked.method.as_str()).uri(uri);
        for (name, value) in &asked.headers {
            head = head.header(name, value);
        }
        let mut head = head.body(()).map_err(|error| format!("not a request: {error}"))?.into_parts().0;
        if !head.headers.contains_key(HOST) {
            let host = authority.ok_or("a request needs url, authority, or the header host")?;
            head.headers.insert(HOST, host.parse().map_err(|_| format!("{host:?} is no Host"))?);
        }
        let session = || match self.server_name() {
            Ok(server_name) => Ok(TlsSession { server_name, mutual: self.identity.is_some() }),
            Err(failure) => Err(failure),
        };
        let session = match https.then(session).transpose() {
            Ok(session) => session,
            Err(failure) => return Ok(Err(failure)),
        };
        let dialled = asked.port.filter(|_| asked.hop == Place::Sidecar);
        let call = normalize_by(self.snapshot.paths, head, self.arrival(session)).map_err(Failure::from);
        Ok(call.map(|call| match dialled {
            Some(port) => call.dialled_at(port),
            None => call,
        }))
    }

    /// The target of a request in absolute form; in origin form where only a header says the host.
    fn uri(&self, scheme: &str, authority: Option<&str>) -> Result<Uri, String> {
        let path = self.asked.path.as_deref().or(self.target.path.as_deref()).unwrap_or("/");
        let text = match authority {
            Some(authority) if path.starts_with('/') => format!("{scheme}://{authority}{path}"),
            _ => path.to_owned(),
        };
        text.parse().map_err(|error| format!("not a request: {error}"))
    }

    /// The authority as it is asked for: of a URL with the port that is given beside it.
    fn authority(&self) -> Option<String> {
        if let Some(authority) = &self.asked.authority {
            return Some(authority.clone());
        }
        let authority = self.target.authority.as_ref()?;
        Some(match self.asked.port {
            Some(port) if self.asked.hop == Place::Sidecar && !authority.as_str().contains('@') => {
                format!("{}:{port}", authority.host())
            }
            _ => authority.to_string(),
        })
    }

    /// The host of a connection, without its port.
    fn host(&self) -> Option<&str> {
        match &self.asked.authority {
            Some(authority) => Some(host_of(authority)),
            None => self.target.authority.as_ref().map(uri::Authority::host),
        }
    }

    /// The name that TLS asks for: as is said, or as a client of a named host does.
    fn server_name(&self) -> Result<Option<Box<str>>, Failure> {
        let bad = Failure::Tunnel(TunnelFault::BadName);
        match (&self.asked.sni, self.host()) {
            (Some(name), _) if name.is_empty() => Ok(None),
            (Some(name), _) => server_name(name).map(Some).ok_or(bad),
            (None, Some(host)) => Ok(server_name(host)),
            (None, None) => Ok(None),
        }
    }

    /// The scope of the route table that the sidecar sees.
    fn scope(&self) -> usize {
        self.snapshot.scope(self.listener.unwrap_or_default())
    }

    /// A tunnel, or TLS without one, that comes to a sidecar.
    fn tunnel(&self, protocol: Protocol) -> Result<Opened, String> {
        let name = match protocol {
            Protocol::Tls => self.server_name(),
            _ => Ok(None),
        };
        let name = match name {
            Ok(name) => name,
            Err(failure) => return Ok(Err(failure)),
        };
        let port = match self.asked.port.or_else(|| self.named_port()) {
            Some(port) => port,
            None if protocol == Protocol::Tls => HTTPS_PORT,
            None => return Err("a tcp connection needs a port".into()),
        };
        let host = match (self.host(), name.as_deref()) {
            (Some(host), _) | (None, Some(host)) => host,
            (None, None) if protocol == Protocol::Tls => return Ok(Err(Failure::NoTunnelRoute)),
            // Of plain TCP without an address nothing but the port tells who is meant.
            (None, None) => self.snapshot.routes.only_tcp_host(self.scope(), port).unwrap_or(NOBODY),
        };
        Ok(self.opened(&format!("{host}:{port}"), protocol, name))
    }

    /// What becomes of a tunnel to `HOST:PORT`, as far as its first bytes tell; as the proxy opens it.
    fn opened(&self, target: &str, protocol: Protocol, name: Option<Box<str>>) -> Opened {
        let (routes, scope) = (&self.snapshot.routes, self.scope());
        let opened = || -> Result<(Call, Option<Carries>), Failure> {
            let mut call = Call::tunnel_to(target, self.arrival(None))?;
            let reached = routes.reached(scope, &call);
            if let Some(host) = reached.and_then(|reached| reached.host) {
                call.means(host);
            }
            let carries = reached.map(|reached| reached.carries);
            let granted = || self.snapshot.granted(Hop::Sidecar(self.listener.unwrap_or_default()), &call);
            let carries = carries.or_else(granted);
            Ok((call, carries))
        };
        let (mut call, carries) = opened()?;
        match (carries, protocol) {
            (Some(Carries::Http), Protocol::Tcp) => Err(Failure::BadRequest("what was sent is no HTTP/1.1 request")),
            (Some(Carries::Tls), Protocol::Tls) if call.is_to_address() => {
                call.confirm(name)?;
                Ok((call, None))
            }
            (Some(Carries::Tls), _) => {
                let (mut ended, _) = opened()?;
                call.expect_tls();
                ended.expect_tls();
                let confirmed = match protocol {
                    Protocol::Tls => ended.confirm(name),
                    _ => Err(Failure::Tunnel(TunnelFault::NotTls)),
                };
                Ok((call, confirmed.err().map(|failure| Broken { call: Box::new(ended), failure, unjudged: false })))
            }
            (Some(_), _) => Ok((call, None)),
            (None, _) => {
                let failure = Failure::UnknownHost;
                Ok((call, Some(Broken { call: Box::new(opened()?.0), failure, unjudged: true })))
            }
        }
    }

    /// A connection that comes to a server of the gateway.
    fn connection(&self, protocol: Protocol, port: u16) -> Result<Opened, String> {
        let name = match if protocol == Protocol::Tls { self.server_name() } else { Ok(None) } {
            Ok(name) => name,
            Err(failure) => return Ok(Err(failure)),
        };
        let chains = self.snapshot.routes.chains(port).filter(|_| protocol == Protocol::Tls);
        let ends = chains.and_then(|chains| chains.named(name.as_deref())).filter(|chain| chain.tls.is_some());
        if ends.is_some_and(|chain| chain.carries == Carries::Http) {
            return Err(format!(
                "the gateway's server on port {port} ends TLS: ask with protocol http what is done inside"
            ));
        }
        let host = name.as_deref().or_else(|| self.host()).unwrap_or(NOBODY);
        let session = ends.map(|_| TlsSession { server_name: name.clone(), mutual: self.identity.is_some() });
        let call = Call::tunnel_to(&format!("{host}:{port}"), self.arrival(session)).map_err(Failure::from);
        Ok(call.map(|mut call| {
            if name.is_some() && ends.is_none() {
                call.expect_tls();
            }
            (call, None)
        }))
    }
}

/// `host` of `host:port`; brackets stay.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && is_whole(host) => host,
        _ => authority,
    }
}

/// `port` of `host:port`.
fn port_of(authority: &str) -> Option<u16> {
    let (host, port) = authority.rsplit_once(':')?;
    is_whole(host).then(|| port.parse().ok()).flatten()
}

/// Whether what stands before a colon is a host, and not half of an address of IPv6.
fn is_whole(host: &str) -> bool {
    !host.contains(':') || host.ends_with(']')
}
