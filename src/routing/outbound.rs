//! What sidecars do with calls to hosts that nobody registered.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{Call, Failure};

use super::balance::{Balance, Choice, Live};
use super::cluster::{Cluster, Target};
use super::connections::{RetryLimits, Spoken};
use super::private::{Private, is_private};
use super::tunnel::{Carries, Original, Tunnels};

/// Which hosts workloads may call (Istio's `outboundTrafficPolicy.mode`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OutboundPolicy {
    /// Registered ones.
    #[default]
    RegistryOnly,
    /// Any; addresses of private networks still have to be registered.
    AllowAny,
}

impl OutboundPolicy {
    /// Both modes, as Istio writes them.
    pub const NAMES: [&str; 2] = ["REGISTRY_ONLY", "ALLOW_ANY"];
}

impl FromStr for OutboundPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "REGISTRY_ONLY" => Ok(OutboundPolicy::RegistryOnly),
            "ALLOW_ANY" => Ok(OutboundPolicy::AllowAny),
            _ => Err(format!("expected {}, got {text:?}", Self::NAMES.join(" or "))),
        }
    }
}

/// Envoy's name for where calls go that are passed through.
const PASSTHROUGH: &str = "PassthroughCluster";

/// Connection attempts of what is passed through (Istio's default).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Ports on which callers speak TLS and HTTP where nobody has declared what they speak.
const TLS_PORT: u16 = 443;
const HTTP_PORT: u16 = 80;

/// Where calls of one scope go to hosts that nobody registered.
#[derive(Debug, Clone, Default)]
pub(super) enum Unregistered {
    /// Nowhere.
    #[default]
    Refused,
    /// To where the caller wanted to go.
    Passed(Arc<Cluster>),
    /// To a proxy that was named for them.
    Sent(Result<Arc<Cluster>, Failure>),
}

impl Unregistered {
    pub(super) fn new(policy: OutboundPolicy) -> Self {
        match policy {
            OutboundPolicy::RegistryOnly => Unregistered::Refused,
            OutboundPolicy::AllowAny => Unregistered::Passed(Arc::new(passthrough())),
        }
    }

    /// Where calls are passed on to, if they are.
    pub(super) fn cluster(&self) -> Option<&Arc<Cluster>> {
        match self {
            Unregistered::Refused => None,
            Unregistered::Passed(cluster) => Some(cluster),
            Unregistered::Sent(cluster) => cluster.as_ref().ok(),
        }
    }

    /// Where a call goes whose host is not among those of a scope. An address that is declared for a service is that
    /// service's, whose routes it must not go around.
    pub(super) fn find(&self, call: &Call, tunnels: &Tunnels) -> Result<&Arc<Cluster>, Failure> {
        let cluster = match self {
            Unregistered::Refused => return Err(Failure::UnknownHost),
            Unregistered::Sent(cluster) => return cluster.as_ref().map_err(|failure| *failure),
            Unregistered::Passed(cluster) => cluster,
        };
        match address(call) {
            Some(address) if tunnels.declared_for(address, call.authority().port()).is_some() => {
                Err(Failure::UnknownHost)
            }
            Some(address) if is_private(address) => Err(Failure::PrivateAddress),
            _ => Ok(cluster),
        }
    }

    /// What is spoken at the target of a tunnel that nobody registered: where others on its port, or custom, have TLS or
    /// HTTP it is looked into, so that nothing of it escapes a policy.
    pub(super) fn carries(&self, call: &Call, tunnels: &Tunnels) -> Option<Carries> {
        self.find(call, tunnels).ok()?;
        let port = call.authority().port();
        let others = |carries| tunnels.has(port, carries);
        Some(if port == TLS_PORT || others(Carries::Tls) {
            Carries::Tls
        } else if port == HTTP_PORT || others(Carries::Http) {
            Carries::Http
        } else {
            Carries::Tcp
        })
    }
}

/// The address that a call names instead of a host.
fn address(call: &Call) -> Option<IpAddr> {
    call.authority().host().trim_matches(['[', ']']).parse().ok()
}

fn passthrough() -> Cluster {
    let original = Original {
        port: None,
        addresses: Vec::new(),
        private: Private::None,
        tls: None,
        named_by_call: false,
        spoken: Spoken::new(None, false),
    };
    Cluster {
        name: PASSTHROUGH.to_owned(),
        host: "*".to_owned(),
        port: 0,
        target: Target::Endpoints(Vec::new()),
        connect_timeout: CONNECT_TIMEOUT,
        limits: None,
        retries: RetryLimits::DEFAULT,
        balance: Balance::new(Choice::Random, &[], None, Arc::new(Live::new(0))),
        registered_by: None,
        rules: Vec::new(),
        original: Some(Box::new(original)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_written_as_istio_writes_them() {
        for name in OutboundPolicy::NAMES {
            assert!(name.parse::<OutboundPolicy>().is_ok(), "{name}");
        }
        assert!("allow_any".parse::<OutboundPolicy>().is_err());
    }
}
