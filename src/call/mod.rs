//! What is asked, and what came of it.
//!
//! [`normalize`] is the only way to make a [`Call`]; from there on the bytes that arrived are not looked at again: what
//! is judged, logged and sent upstream are all the Call's own fields. An [`Outcome`] closes it, exactly once.

mod attributes;
mod client_hello;
mod code;
mod failure;
mod framing;
mod granted;
mod handed;
mod head;
mod normalize;
mod outcome;
mod path;
mod tunnel;
mod unread;

use std::net::IpAddr;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};

use crate::expr::Timestamp;
use crate::identity::Caller;

pub use attributes::{CallBag, Peers, Reporter, always_present, header_text, known_only_afterwards};
pub use client_hello::{ClientHello, HelloFault, MAX_CLIENT_HELLO, TLS_HANDSHAKE, client_hello};
pub use code::Code;
pub use failure::{Abort, Failure, HandoverFault, ServerFault, Side, TlsFault, TunnelFault};
pub use framing::{Chunks, Piece, Rest};
pub(crate) use framing::{Ends, field, lines};
pub use granted::Granted;
pub use handed::Handed;
pub use head::{HeadLimits, RequestHead};
use normalize::HTTP_PORT;
pub use normalize::{Arrival, DEBUG, MAX_HEAD, is_plain_option, normalize, normalize_by, server_name, strip_trailers};
pub use outcome::{Closer, Marks, Outcome};
pub use path::PathNormalization;
pub use tunnel::{Tunnel, connect_target};
pub use unread::Unread;

/// The name of the decision about what this number was drawn for.
fn decision_id(chance: u64) -> String {
    format!("{chance:016x}")
}

/// A request in its one canonical form.
#[derive(Debug)]
pub struct Call {
    time: Timestamp,
    chance: u64,
    caller: Option<Caller>,
    peer: IpAddr,
    method: Method,
    authority: Authority,
    path: PathAndQuery,
    headers: HeaderMap,
    upgrade: Option<HeaderValue>,
    tunnel: Option<Tunnel>,
    tls: Option<Arc<TlsSession>>,
}

/// TLS that ended here, before the call was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSession {
    /// The name that its ClientHello asked for.
    pub server_name: Option<Box<str>>,
    /// Whether the caller proved itself with a certificate that is trusted.
    pub mutual: bool,
}

/// Host and port that a call is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// `host`, or `host:port` where the port is not the scheme's default; lower case, without a trailing dot.
    text: Box<str>,
    /// Length of the host in `text`.
    host: usize,
    /// The port, the default made explicit.
    port: u16,
}

impl Authority {
    /// `host` or `host:port` in its one form; `None` for what is no valid host and port.
    pub fn parse(text: &str) -> Option<Self> {
        normalize::authority_of(text, HTTP_PORT).ok()
    }

    /// The text as it is sent in Host.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host alone.
    pub fn host(&self) -> &str {
        &self.text[..self.host]
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port that who reads the text takes it for.
    pub(crate) fn told_port(&self) -> u16 {
        let told = self.text[self.host..].strip_prefix(':').and_then(|port| port.parse().ok());
        told.unwrap_or(HTTP_PORT)
    }
}

impl Call {
    /// When it arrived.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// A random number drawn for this call; weights and percentages are decided by it.
    pub fn chance(&self) -> u64 {
        self.chance
    }

    /// The name of the decision about this call, by which it is found again: 16 hexadecimal digits.
    pub fn decision_id(&self) -> String {
        decision_id(self.chance)
    }

    /// Who calls, where that is proven.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// The address of the connection's other end.
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The call as one to this port, whatever its Host says: of who is sent to a proxy by the network, only the address
    /// tells the port.
    #[must_use]
    pub fn dialled_at(mut self, port: u16) -> Self {
        self.authority.port = port;
        self
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The TLS by which it came, where that ended here.
    pub fn tls(&self) -> Option<&TlsSession> {
        self.tls.as_deref()
    }

    /// The name that TLS asks for: that which ended here, or that whose bytes are passed on.
    pub fn requested_server_name(&self) -> Option<&str> {
        let passed_on = self.tunnel.as_ref().and_then(Tunnel::server_name);
        passed_on.or_else(|| self.tls.as_ref()?.server_name.as_deref())
    }

    /// `http` or `https`, as the call came here.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Host and port.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The host, as entries name it: with the port where it is not the usual one. CONNECT always says it, other calls do not.
    pub fn destination(&self) -> &str {
        let authority = self.authority.as_str();
        if self.tunnel.is_some() { authority.strip_suffix(":443").unwrap_or(authority) } else { authority }
    }

    /// Path with query.
    pub fn path_and_query(&self) -> &PathAndQuery {
        &self.path
    }

    /// Path without query.
    pub fn path(&self) -> &str {
        self.path.path()
    }

    /// End-to-end headers; Host is in [`Call::authority`].
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The values of a header. One that is written with `_` counts for that with `-`, which many origins take it for;
    /// [`normalize`] has seen to it that there are not both.
    pub fn header(&self, name: &str) -> http::header::GetAll<'_, HeaderValue> {
        let values = self.headers.get_all(name);
        if values.iter().next().is_some() || !name.contains('-') {
            return values;
        }
        let is_other = |key: &&http::HeaderName| {
            normalize::with_hyphens(key.as_str()).is_some_and(|other| other.eq_ignore_ascii_case(name))
        };
        self.headers.keys().find(is_other).map_or(values, |other| self.headers.get_all(other))
    }

    /// The protocol that the caller asks to go on with after the answer, if any.
    pub fn upgrade(&self) -> Option<&HeaderValue> {
        self.upgrade.as_ref()
    }

    /// Path with query as it is sent to an origin with another path in its place. Slashes may stand beside each other, as
    /// replacing `/api` by `/` leaves them in Envoy; else the path must be in canonical form, so that no `..` leads an
    /// origin elsewhere than the route's author wrote.
    ///
    /// # Errors
    /// [`Failure::Rewrite`].
    pub fn target_with(&self, path: &str) -> Result<PathAndQuery, Failure> {
        normalize::rewritten(path, self.path.query())
    }

    /// The call as one hop of ours hands it to the next: what the first changed is judged there, in canonical form.
    ///
    /// # Errors
    /// [`Failure::Rewrite`] where the path has no canonical form.
    pub fn handed_on(
        &self,
        path: Option<&str>,
        authority: Option<&Authority>,
        headers: HeaderMap,
    ) -> Result<Call, Failure> {
        let path = match path {
            Some(path) => normalize::canonical(&self.target_with(path)?)?,
            None => self.path.clone(),
        };
        Ok(Call {
            time: self.time,
            chance: self.chance,
            caller: self.caller.clone(),
            peer: self.peer,
            method: self.method.clone(),
            authority: authority.unwrap_or(&self.authority).clone(),
            path,
            headers,
            upgrade: self.upgrade.clone(),
            tunnel: self.tunnel.clone(),
            tls: self.tls.clone(),
        })
    }
}
