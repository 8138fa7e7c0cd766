//! Every reason why a call did not get its origin's answer.

use crate::identity::Unproven;

use super::Code;

/// Who was at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The caller.
    Client,
    /// The proxy or its configuration.
    Us,
    /// The origin, or the way to it.
    Upstream,
}

/// Why a call did not get its origin's answer. Status, flag and body are those of Envoy where it has the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The request breaks HTTP or cannot be understood in one way only (RFC 9112 §3, §6).
    BadRequest(&'static str),
    /// The request's head is larger than [`MAX_HEAD`](super::MAX_HEAD) (RFC 6585 §5).
    HeadTooLarge,
    /// Who calls is not proven, where it has to be.
    Unproven(Unproven),
    /// A CONNECT request inside a tunnel.
    NestedConnect,
    /// Extended CONNECT for another protocol than WebSocket.
    Upgrade,
    /// What was sent through a tunnel is not what it was opened for.
    Tunnel(TunnelFault),
    /// A gateway's server did not take the connection.
    Server(ServerFault),
    /// The egress gateway of another process could not be handed the call.
    Handover(HandoverFault),
    /// No ServiceEntry or VirtualService knows the host and port.
    UnknownHost,
    /// The host is known, but none of its routes matches; or a gateway without routes for it.
    NoRoute,
    /// No tls or tcp route of the sidecar takes the connection, so that it leads nowhere (Envoy's BlackHoleCluster).
    NoTunnelRoute,
    /// The route's destination is not registered.
    NoCluster,
    /// The route leads to a port of the egress gateway on which no Gateway has a server.
    NoGatewayServer,
    /// The destination has no endpoint that could be tried.
    NoEndpoint,
    /// The origin's name could not be resolved.
    NameNotResolved,
    /// The origin's name leads to a private address that is not registered for it.
    PrivateAddress,
    /// The origin refused the connection or could not be reached.
    ConnectFailed,
    /// The origin did not accept the connection in time.
    ConnectTimeout,
    /// The proxy that leads to the origin does not open a tunnel.
    TunnelRefused,
    /// TLS to the origin failed: certificate, name, protocol.
    Tls(TlsFault),
    /// The origin reset the stream of the call, on a connection that goes on.
    UpstreamReset,
    /// The origin has not begun with the call, and says so: it refused the stream, or goes away.
    UpstreamRefused,
    /// Nothing came from the origin for too long, where no route says how long that is.
    UpstreamIdle,
    /// The caller did not end its request in time.
    ClientIdle,
    /// The origin closed before it sent a head.
    UpstreamClosed,
    /// The origin sent something that is no HTTP response.
    UpstreamProtocol,
    /// The origin did not send a head in time.
    Timeout,
    /// The call lasted longer than any may.
    MaxDuration,
    /// The proxy stopped before the call had come to its end.
    LocalReset,
    /// The destination takes no more calls at a time, as its DestinationRule says.
    Overflow,
    /// The access log could not take one more call in time.
    Overload,
    /// The proxy has nearly all the memory that it may have.
    OutOfMemory,
    /// Its caller has as many calls under way as one may have.
    Crowded,
    /// A check or quota of the policy did not let it go.
    Denied(Code),
    /// The AuthorizationPolicies at the gateway do not let it go.
    AccessDenied,
    /// The authorizer that such a policy asks does not, or could not be asked: with this status.
    Unauthorized(u16),
    /// A route answers with this to see what its callers do then (fault injection).
    Fault(Abort),
    /// The route makes a request that cannot be sent: a path that is not in canonical form, an expression that does not
    /// compile.
    Rewrite,
}

/// What an injected fault answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Abort {
    /// A status of HTTP.
    Status(u16),
    /// A status of gRPC; callers that do not speak it get the one of HTTP that it comes nearest to.
    Grpc(Code),
}

/// Why a sidecar could not hand a call to the egress gateway of another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandoverFault {
    /// The caller is unknown, so that there is no certificate to show for it.
    NoIdentity,
    /// It is not there, or not reached.
    Unreachable,
    /// Who answers there is not the gateway.
    NotTheGateway,
    /// Mutual TLS with it failed.
    Tls,
    /// It broke off before it answered, as it does where it does not believe the certificate.
    Broken,
    /// It does not open the tunnel and answers with this status; why is told in its own entry.
    Refused(u16),
}

impl HandoverFault {
    fn reason(self) -> &'static str {
        match self {
            HandoverFault::NoIdentity => {
                "the caller has no identity, so its sidecar has no certificate to show to the egress gateway"
            }
            HandoverFault::Unreachable => "the egress gateway is not there or could not be reached",
            HandoverFault::NotTheGateway => "who answers in the egress gateway's place has another identity",
            HandoverFault::Tls => "mutual TLS with the egress gateway failed: its certificate cannot be believed",
            HandoverFault::Refused(_) => "the egress gateway does not open the tunnel",
            HandoverFault::Broken => {
                "the egress gateway broke off before it answered, as it does where it does not believe a certificate"
            }
        }
    }
}

/// What was wrong with the origin's TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsFault {
    /// Past its end or before its start.
    Expired,
    /// Not issued by an authority that is trusted here.
    UnknownIssuer,
    /// Issued for another name.
    WrongName,
    /// The certificate is unusable for another reason.
    BadCertificate,
    /// What the rule asks for cannot be used: its files (CA, certificate, key), or a mode that is not to be had.
    Unusable,
    /// The Secret that the rule names is not there, or lacks what its mode needs.
    NoCredential,
    /// A Secret is named where none is read: at a sidecar, by a rule that selects no workload.
    Unselected,
    /// The mesh's TLS is asked for, and whoever calls has no identity in it.
    NoIdentity,
    /// No TLS, or none that both sides speak.
    Handshake,
}

/// Why a gateway's server did not take a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerFault {
    /// No server of the port is for what was asked.
    NoServer,
    /// Its certificate or key, or the authorities that callers' certificates must come from, are not there or cannot be
    /// read.
    Unusable,
    /// Its certificate and its key do not belong together.
    OtherKey,
    /// Its certificate is past its end or before its start.
    Expired,
    /// It is another than the one that took the connection, or asks something else of its callers.
    Changed,
    /// It is to show the mesh's certificate, and there is none.
    Mesh,
    /// The caller did not begin with TLS.
    PlainText,
    /// The caller showed no certificate.
    NoCallerCertificate,
    /// The caller did not come over mutual TLS, as a PeerAuthentication asks.
    NotMutual,
    /// The caller's certificate is past its end or before its start.
    CallerExpired,
    /// The caller's certificate is not issued by an authority that the server trusts.
    CallerUnknown,
    /// The caller's certificate is none of those that the server wants.
    CallerOther,
    /// No TLS that both sides speak, or none in time.
    Handshake,
}

/// Why a tunnel was not carried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TunnelFault {
    /// The ClientHello asks for another name than the tunnel was opened for.
    OtherName,
    /// The ClientHello asks for no name.
    NoName,
    /// What it asks for is no name of a host.
    BadName,
    /// To a port of TLS something else was sent.
    NotTls,
    /// TLS that breaks its rules.
    Malformed,
    /// A ClientHello that is too large.
    TooLarge,
    /// The ClientHello did not come in time, or not at all.
    NoHello,
    /// To a port of HTTP TLS was sent.
    TlsToHttp,
    /// Datagrams were sent from a sandbox.
    Datagrams,
    /// The bytes before the first call are not those of the PROXY protocol or of SOCKS 5.
    Preface(&'static str),
}

impl TunnelFault {
    fn reason(self) -> &'static str {
        match self {
            TunnelFault::OtherName => "TLS in the tunnel asks for another server name than the tunnel was opened for",
            TunnelFault::NoName => "TLS in the tunnel asks for no server name, so nothing confirms whom it is for",
            TunnelFault::BadName => "TLS in the tunnel asks for a server name that no host can have",
            TunnelFault::NotTls => "the port is declared to carry TLS, and something else was sent",
            TunnelFault::Malformed => "what was sent is no well-formed TLS ClientHello",
            TunnelFault::TooLarge => "the TLS ClientHello is larger than 16 KiB",
            TunnelFault::NoHello => "no whole TLS ClientHello was sent in time",
            TunnelFault::TlsToHttp => "the port is declared to carry HTTP, and TLS was sent",
            TunnelFault::Datagrams => "datagrams (UDP) lead nowhere from a sandbox: only TCP does",
            TunnelFault::Preface(reason) => reason,
        }
    }

    /// Whether the names are at fault, and not how they are told.
    fn is_of_names(self) -> bool {
        matches!(self, TunnelFault::OtherName | TunnelFault::NoName | TunnelFault::BadName)
    }
}

impl ServerFault {
    fn reason(self) -> &'static str {
        match self {
            ServerFault::NoServer => "no server of the Gateway's port is for this",
            ServerFault::Unusable => "the server's certificate, key or authorities are not there or cannot be read",
            ServerFault::OtherKey => "the server's certificate and key do not belong together",
            ServerFault::Expired => "the server's certificate has expired or is not valid yet",
            ServerFault::Changed => {
                "the Gateway's server is not the one any more that took the connection: a new connection is wanted"
            }
            ServerFault::Mesh => {
                "the server is to show the gateway's certificate (ISTIO_MUTUAL), and it has no identity"
            }
            ServerFault::PlainText => "the caller spoke plain text, and the mesh's mutual TLS alone is taken here",
            ServerFault::NoCallerCertificate => "the caller showed no certificate, and the server asks for one",
            ServerFault::NotMutual => {
                "the caller did not come over mutual TLS, and a PeerAuthentication (STRICT) asks for it"
            }
            ServerFault::CallerExpired => "the caller's certificate has expired or is not valid yet",
            ServerFault::CallerUnknown => {
                "the caller's certificate is not issued by an authority that the server trusts"
            }
            ServerFault::CallerOther => "the caller's certificate is none of those that the server wants",
            ServerFault::Handshake => "TLS with the caller failed: none that both sides speak, or none in time",
        }
    }

    fn is_callers(self) -> bool {
        matches!(
            self,
            ServerFault::PlainText
                | ServerFault::NoCallerCertificate
                | ServerFault::NotMutual
                | ServerFault::CallerExpired
                | ServerFault::CallerUnknown
                | ServerFault::CallerOther
                | ServerFault::Handshake
        )
    }
}

impl TlsFault {
    fn reason(self) -> &'static str {
        match self {
            TlsFault::Expired => "TLS to the origin failed: its certificate has expired or is not valid yet",
            TlsFault::UnknownIssuer => "TLS to the origin failed: its certificate has an unknown issuer",
            TlsFault::WrongName => "TLS to the origin failed: its certificate is for another name",
            TlsFault::BadCertificate => "TLS to the origin failed: its certificate cannot be used",
            TlsFault::Unusable => "TLS to the origin failed: what the DestinationRule asks for cannot be used",
            TlsFault::NoCredential => {
                "TLS to the origin failed: the Secret of its DestinationRule's credentialName is not there, or lacks a part"
            }
            TlsFault::Unselected => {
                "TLS to the origin failed: a sidecar reads the Secret of a credentialName only for a DestinationRule with a \
                 workloadSelector"
            }
            TlsFault::NoIdentity => {
                "TLS to the origin failed: the caller has no identity, so there is no certificate of the mesh to show"
            }
            TlsFault::Handshake => "TLS to the origin failed: no TLS that both sides speak",
        }
    }
}

impl Failure {
    /// What failed on the way to an origin, as it is where the egress gateway was to be handed the call.
    #[must_use]
    pub fn of_handover(self) -> Self {
        Failure::Handover(match self {
            Failure::ConnectFailed
            | Failure::ConnectTimeout
            | Failure::NameNotResolved
            | Failure::PrivateAddress
            | Failure::NoEndpoint => HandoverFault::Unreachable,
            Failure::Tls(TlsFault::WrongName) => HandoverFault::NotTheGateway,
            Failure::Tls(_) => HandoverFault::Tls,
            Failure::UpstreamClosed | Failure::UpstreamReset | Failure::UpstreamRefused | Failure::UpstreamProtocol => {
                HandoverFault::Broken
            }
            other => return other,
        })
    }

    /// The HTTP status of the answer.
    pub fn status(self) -> u16 {
        match self {
            Failure::BadRequest(_) => 400,
            Failure::Handover(HandoverFault::Refused(status)) => status,
            Failure::PrivateAddress | Failure::Upgrade | Failure::AccessDenied => 403,
            Failure::Tunnel(TunnelFault::Datagrams) => 403,
            Failure::Tunnel(fault) if fault.is_of_names() => 403,
            Failure::Tunnel(_) => 400,
            Failure::NoRoute | Failure::NoTunnelRoute | Failure::Server(ServerFault::NoServer) => 404,
            Failure::Server(fault) if fault.is_callers() => 400,
            Failure::NestedConnect => 405,
            Failure::Server(ServerFault::Changed) => 421,
            Failure::Unproven(_) => 407,
            Failure::ClientIdle => 408,
            Failure::Crowded => 429,
            Failure::HeadTooLarge => 431,
            Failure::UnknownHost | Failure::UpstreamProtocol => 502,
            Failure::Server(_)
            | Failure::Handover(_)
            | Failure::NoCluster
            | Failure::NoGatewayServer
            | Failure::NoEndpoint
            | Failure::NameNotResolved
            | Failure::ConnectFailed
            | Failure::ConnectTimeout
            | Failure::TunnelRefused
            | Failure::Tls(_)
            | Failure::UpstreamClosed
            | Failure::UpstreamReset
            | Failure::UpstreamRefused
            | Failure::Overflow
            | Failure::LocalReset
            | Failure::OutOfMemory
            | Failure::Overload => 503,
            Failure::Timeout | Failure::UpstreamIdle | Failure::MaxDuration => 504,
            Failure::Denied(code) => code.status(),
            Failure::Fault(Abort::Status(status)) | Failure::Unauthorized(status) => status,
            Failure::Fault(Abort::Grpc(code)) => code.status(),
            Failure::Rewrite => 500,
        }
    }

    /// Envoy's response flag; `-` where it has none.
    pub fn flag(self) -> &'static str {
        match self {
            Failure::BadRequest(_) | Failure::HeadTooLarge => "DPE",
            Failure::Tunnel(TunnelFault::Datagrams) => "-",
            Failure::Tunnel(fault) if fault.is_of_names() => "NR",
            Failure::Tunnel(_) => "DPE",
            Failure::NestedConnect
            | Failure::Unproven(_)
            | Failure::Upgrade
            | Failure::UnknownHost
            | Failure::PrivateAddress
            | Failure::AccessDenied
            | Failure::MaxDuration
            | Failure::Rewrite => "-",
            Failure::NoRoute | Failure::Server(ServerFault::NoServer) => "NR",
            Failure::Server(fault) if fault.is_callers() => "DPE",
            Failure::Server(_) => "-",
            Failure::NoCluster => "NC",
            Failure::NoEndpoint | Failure::NoTunnelRoute => "UH",
            Failure::NameNotResolved => "DF",
            Failure::NoGatewayServer
            | Failure::ConnectFailed
            | Failure::ConnectTimeout
            | Failure::TunnelRefused
            | Failure::Tls(_) => "UF",
            Failure::Handover(HandoverFault::Broken) | Failure::UpstreamClosed => "UC",
            Failure::Handover(_) => "UF",
            Failure::UpstreamReset | Failure::UpstreamRefused => "UR",
            Failure::UpstreamIdle | Failure::ClientIdle => "SI",
            Failure::UpstreamProtocol => "UPE",
            Failure::Timeout => "UT",
            Failure::LocalReset => "LR",
            Failure::Overflow => "UO",
            Failure::Overload | Failure::OutOfMemory => "OM",
            Failure::Crowded | Failure::Denied(Code::RESOURCE_EXHAUSTED) => "RL",
            Failure::Denied(_) | Failure::Unauthorized(_) => "UAEX",
            Failure::Fault(_) => "FI",
        }
    }

    /// The flag that Envoy gives to a connection whose bytes it passes on: what nobody registered goes to a cluster without
    /// endpoints, and what cannot be connected to has been tried as often as it may be.
    pub fn tunnel_flag(self) -> &'static str {
        match self {
            Failure::UnknownHost => "UH",
            Failure::ConnectFailed | Failure::ConnectTimeout | Failure::TunnelRefused | Failure::Tls(_) => "UF,URX",
            other => other.flag(),
        }
    }

    /// One sentence for the caller and the log.
    pub fn reason(self) -> &'static str {
        match self {
            Failure::BadRequest(reason) => reason,
            Failure::HeadTooLarge => "the request's head is larger than 64 KiB",
            Failure::Unproven(why) => why.reason(),
            Failure::Upgrade => "of protocols to go on with only WebSocket can be asked for",
            Failure::NestedConnect => "no tunnel can be opened inside a tunnel",
            Failure::Tunnel(fault) => fault.reason(),
            Failure::Server(fault) => fault.reason(),
            Failure::Handover(fault) => fault.reason(),
            Failure::UnknownHost => "no ServiceEntry or VirtualService knows this host and port",
            Failure::NoRoute => "no route of the host matches this request",
            Failure::NoTunnelRoute => "no route of the host matches this server name or address",
            Failure::NoCluster => "the route's destination is not registered",
            Failure::NoGatewayServer => {
                "the route leads to a port of the egress gateway on which no Gateway has a server"
            }
            Failure::NoEndpoint => "no healthy upstream",
            Failure::NameNotResolved => "the origin's name could not be resolved",
            Failure::PrivateAddress => "the origin's name leads to a private address that is not registered for it",
            Failure::ConnectFailed => "the origin refused the connection or could not be reached",
            Failure::ConnectTimeout => "the origin did not accept the connection in time",
            Failure::TunnelRefused => "the proxy that leads to the origin does not open the tunnel",
            Failure::Tls(fault) => fault.reason(),
            Failure::UpstreamClosed => "the origin closed the connection before it answered",
            Failure::UpstreamReset => "the origin reset the call",
            Failure::UpstreamRefused => "the origin refused the call before it did anything about it",
            Failure::UpstreamIdle => "stream timeout: nothing came from the origin for too long",
            Failure::ClientIdle => "stream timeout: the request did not come to its end in time",
            Failure::UpstreamProtocol => "the origin's answer is no HTTP response that can be passed on",
            Failure::Timeout => "upstream request timeout",
            Failure::MaxDuration => "downstream duration timeout: the call lasted as long as any may",
            Failure::LocalReset => "local reset: the proxy stopped before the call came to its end",
            Failure::Overflow => "the destination takes no more calls at a time: its connection pool overflows",
            Failure::Overload => "the access log cannot take more calls right now",
            Failure::OutOfMemory => "the proxy has nearly all the memory that it may have",
            Failure::Crowded => "its caller has as many calls under way as one may have",
            Failure::Denied(_) => "refused by policy",
            Failure::AccessDenied => "RBAC: access denied",
            Failure::Unauthorized(_) => "the external authorizer does not let it go",
            Failure::Fault(_) => "fault filter abort",
            Failure::Rewrite => "the route makes a request of this one that cannot be sent",
        }
    }

    /// Whether the caller reads to the letter what Envoy says, for clients and their tests look for it.
    pub fn is_verbatim(self) -> bool {
        matches!(self, Failure::Fault(_) | Failure::AccessDenied)
    }

    /// What the caller reads: `message`, which the policy says, or else the reason.
    pub fn body(self, message: &str) -> String {
        match (self, message) {
            _ if self.is_verbatim() => self.reason().to_owned(),
            (_, "") => format!("egressctl: {}\n", self.reason()),
            (_, message) => format!("{message}\n"),
        }
    }

    /// Whether what is declared, or what the call itself is, does not let it go; otherwise it was let go, and something went
    /// wrong on the way.
    pub fn is_refusal(self) -> bool {
        match self {
            Failure::BadRequest(_)
            | Failure::HeadTooLarge
            | Failure::Unproven(_)
            | Failure::NestedConnect
            | Failure::Upgrade
            | Failure::Tunnel(_)
            | Failure::Server(_)
            | Failure::UnknownHost
            | Failure::NoRoute
            | Failure::NoTunnelRoute
            | Failure::NoCluster
            | Failure::PrivateAddress
            | Failure::Denied(_)
            | Failure::AccessDenied
            | Failure::Unauthorized(_)
            | Failure::NoGatewayServer
            | Failure::Fault(_)
            | Failure::Rewrite => true,
            Failure::Handover(_)
            | Failure::Overflow
            | Failure::Overload
            | Failure::OutOfMemory
            | Failure::Crowded
            | Failure::ClientIdle
            | Failure::NoEndpoint
            | Failure::NameNotResolved
            | Failure::ConnectFailed
            | Failure::ConnectTimeout
            | Failure::Tls(_)
            | Failure::UpstreamClosed
            | Failure::UpstreamReset
            | Failure::UpstreamRefused
            | Failure::UpstreamIdle
            | Failure::UpstreamProtocol
            | Failure::MaxDuration
            | Failure::LocalReset
            | Failure::TunnelRefused
            | Failure::Timeout => false,
        }
    }

    /// Who was at fault.
    pub fn side(self) -> Side {
        match self {
            Failure::BadRequest(_)
            | Failure::HeadTooLarge
            | Failure::Unproven(_)
            | Failure::NestedConnect
            | Failure::Upgrade
            | Failure::Tunnel(_)
            | Failure::Crowded
            | Failure::ClientIdle => Side::Client,
            Failure::Server(fault) if fault.is_callers() => Side::Client,
            Failure::UnknownHost
            | Failure::Server(_)
            | Failure::Handover(_)
            | Failure::NoRoute
            | Failure::NoTunnelRoute
            | Failure::NoCluster
            | Failure::NoGatewayServer
            | Failure::PrivateAddress
            | Failure::Overflow
            | Failure::Overload
            | Failure::OutOfMemory
            | Failure::MaxDuration
            | Failure::LocalReset
            | Failure::Denied(_)
            | Failure::AccessDenied
            | Failure::Unauthorized(_)
            | Failure::Fault(_)
            | Failure::Rewrite => Side::Us,
            Failure::NoEndpoint
            | Failure::NameNotResolved
            | Failure::ConnectFailed
            | Failure::ConnectTimeout
            | Failure::TunnelRefused
            | Failure::Tls(_)
            | Failure::UpstreamClosed
            | Failure::UpstreamReset
            | Failure::UpstreamRefused
            | Failure::UpstreamIdle
            | Failure::UpstreamProtocol
            | Failure::Timeout => Side::Upstream,
        }
    }
}
