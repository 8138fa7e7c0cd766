//! The attributes that conditions of a rule are about.

use std::fmt;

/// What a `when` key names (Istio's reference of authorization conditions), and each field of sources and operations.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// `request.headers[NAME]`, the name in lower case.
    Header(String),
    /// `source.ip`: the connection's other end.
    SourceIp,
    /// `remote.ip`: the client, behind proxies.
    RemoteIp,
    /// `source.namespace`.
    Namespace,
    /// `source.serviceAccount`.
    ServiceAccount,
    /// `source.principal`.
    Principal,
    /// `source.trustDomain`.
    TrustDomain,
    /// `request.auth.*`: of a token; the key as it was written.
    Token(String),
    /// `destination.ip`.
    DestinationIp,
    /// `destination.port`: that of the connection.
    Port,
    /// `connection.sni`.
    Sni,
    /// `experimental.envoy.filters.*`: what Envoy's filters know; the key as it was written.
    Filter(String),
    /// `hosts` of an operation.
    Host,
    /// `methods` of an operation.
    Method,
    /// `paths` of an operation.
    Path,
    /// `services` of a ServiceRole: the host that is called, without port.
    Service,
}

impl fmt::Display for Attribute {
    /// The name that Mixer's expressions and `when` keys have for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header(name) => return write!(f, "request.headers[{name}]"),
            Self::Token(key) | Self::Filter(key) => key,
            Self::SourceIp => "source.ip",
            Self::RemoteIp => "remote.ip",
            Self::Namespace => "source.namespace",
            Self::ServiceAccount => "source.serviceAccount",
            Self::Principal => "source.principal",
            Self::TrustDomain => "source.trustDomain",
            Self::DestinationIp => "destination.ip",
            Self::Port => "destination.port",
            Self::Sni => "connection.sni",
            Self::Host => "request.host",
            Self::Method => "request.method",
            Self::Path => "request.url_path",
            Self::Service => "destination.service",
        })
    }
}

impl Attribute {
    /// The attribute that a `when` key names.
    ///
    /// # Errors
    /// What Istio says of a key that names none.
    pub fn parse(key: &str) -> Result<Self, String> {
        let whole = |attribute: fn(&str) -> Self| if is_map_key(key) { Ok(attribute(key)) } else { Err(bad_key(key)) };
        match key {
            "source.ip" => Ok(Self::SourceIp),
            "remote.ip" => Ok(Self::RemoteIp),
            "source.namespace" => Ok(Self::Namespace),
            "source.serviceAccount" => Ok(Self::ServiceAccount),
            "source.principal" => Ok(Self::Principal),
            "source.trustDomain" => Ok(Self::TrustDomain),
            "request.auth.principal" | "request.auth.audiences" | "request.auth.presenter" => {
                Ok(Self::Token(key.to_owned()))
            }
            "destination.ip" => Ok(Self::DestinationIp),
            "destination.port" => Ok(Self::Port),
            "connection.sni" => Ok(Self::Sni),
            "destination.namespace" => Err(format!("attribute {key} is replaced by the metadata.namespace")),
            "destination.name" | "destination.user" => {
                Err(format!("deprecated attribute {key}: only supported in v1alpha1"))
            }
            _ if key.starts_with("destination.labels") => {
                Err(format!("attribute {key} is replaced by the workload selector"))
            }
            _ if key.starts_with("request.auth.claims") => whole(|key| Self::Token(key.to_owned())),
            _ if key.starts_with("experimental.envoy.filters.") => whole(|key| Self::Filter(key.to_owned())),
            _ => match key.strip_prefix("request.headers") {
                Some(_) => whole(|key| Self::Header(within(key).to_ascii_lowercase())),
                None => Err(format!("unknown attribute: {key}")),
            },
        }
    }

    /// Whether only requests of HTTP have it.
    pub fn is_of_http(&self) -> bool {
        matches!(self, Self::Header(_) | Self::Token(_) | Self::Host | Self::Method | Self::Path)
    }

    /// Whether its values are addresses and networks.
    pub fn is_address(&self) -> bool {
        matches!(self, Self::SourceIp | Self::RemoteIp | Self::DestinationIp)
    }

    /// Whether only a peer that has proved who it is has it.
    pub fn is_identity(&self) -> bool {
        matches!(self, Self::Namespace | Self::ServiceAccount | Self::Principal | Self::TrustDomain)
    }
}

/// Whether a key has the form `a[b]`.
fn is_map_key(key: &str) -> bool {
    key.ends_with(']') && key.find('[').is_some_and(|open| open > 0 && open + 2 < key.len())
}

fn bad_key(key: &str) -> String {
    format!("bad key ({key}): should have format a[b]")
}

/// What stands between the outer brackets.
fn within(key: &str) -> &str {
    let open = key.find('[').map_or(key.len(), |open| open + 1);
    key[open..].strip_suffix(']').unwrap_or_default()
}
