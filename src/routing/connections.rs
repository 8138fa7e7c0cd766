//! What connections to a destination are like (a DestinationRule's `connectionPool`), and how often calls to it are tried
//! again at a time.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use crate::resource::kinds::destination_rule::{
    H2UpgradePolicy, ProxyProtocolVersion, TcpKeepalive, TrafficPolicy, Tunnel,
};

use super::cluster::{Endpoint, Opening};

/// In place of a time that never comes.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How a destination is spoken to.
#[derive(Debug, Clone)]
pub(super) struct Spoken {
    /// Whether HTTP/2 is.
    pub(super) multiplexed: bool,
    calls_per_connection: Option<u32>,
    calls_at_once: Option<u32>,
    lasting: Option<Arc<Lasting>>,
    /// Whether HTTP/2 is spoken for callers who speak it, and for no others.
    follows_caller: bool,
    opening: Opening,
}

/// How long connections last, where a rule says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Lasting {
    /// Without a call.
    pub without_call: Option<Duration>,
    /// Of a tunnel: without a byte.
    pub without_byte: Option<Duration>,
    /// Altogether.
    pub whole: Option<Duration>,
    /// How the other end is asked whether it is still there.
    pub keepalive: Option<Keepalive>,
}

/// TCP's own probes; what is not given is the system's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Keepalive {
    /// Silence before the first.
    pub time: Option<Duration>,
    /// Time between two.
    pub interval: Option<Duration>,
    /// How many may go unanswered.
    pub probes: Option<u32>,
}

/// How many calls to a cluster are tried again at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryLimits {
    /// In per cent of the calls that are on their way.
    pub percent: f64,
    /// So many always.
    pub least: usize,
    /// Never more, of all workers together.
    pub most: Option<usize>,
}

impl RetryLimits {
    /// Where no rule says (Istio's defaults of a `retryBudget`).
    pub const DEFAULT: RetryLimits = RetryLimits { percent: 20.0, least: 3, most: None };

    pub(super) fn new(policy: Option<&TrafficPolicy>) -> Self {
        let budget = policy.and_then(|policy| policy.retry_budget.as_ref());
        let http = policy.and_then(|policy| policy.connection_pool.as_ref()?.http.as_ref());
        let least = budget.and_then(|budget| usize::try_from(budget.min_retry_concurrency).ok());
        Self {
            percent: budget.and_then(|budget| budget.percent).unwrap_or(Self::DEFAULT.percent),
            least: least.filter(|least| *least > 0).unwrap_or(Self::DEFAULT.least),
            most: http.and_then(|http| usize::try_from(http.max_retries).ok()).filter(|most| *most > 0),
        }
    }
}

impl Spoken {
    /// As a policy says, to a port of HTTP/2 or not.
    pub(super) fn new(policy: Option<&TrafficPolicy>, multiplexed: bool) -> Self {
        let pool = policy.and_then(|policy| policy.connection_pool.as_ref());
        let http = pool.and_then(|pool| pool.http.as_ref());
        // Zero is no limit.
        let limit = |limit: i32| u32::try_from(limit).ok().filter(|limit| *limit > 0);
        let lasting = Lasting::new(policy);
        let follows_caller = http.is_some_and(|http| http.use_client_protocol);
        let speaks_http_2 = multiplexed || http.is_some_and(|http| http.h2_upgrade_policy == H2UpgradePolicy::Upgrade);
        Self {
            multiplexed: speaks_http_2 && !follows_caller,
            calls_per_connection: http.and_then(|http| limit(http.max_requests_per_connection)),
            calls_at_once: http.and_then(|http| limit(http.max_concurrent_streams)),
            lasting: (lasting != Lasting::default()).then(|| Arc::new(lasting)),
            follows_caller,
            opening: Opening::new(policy),
        }
    }

    /// An endpoint that is spoken to so.
    pub(super) fn to(&self, endpoint: Endpoint) -> Endpoint {
        let endpoint = endpoint.speaking(self.multiplexed);
        let pool_key = match (&self.lasting, &self.opening) {
            (None, Opening::None) => endpoint.pool_key,
            (lasting, opening) => format!("{} {lasting:?} {opening:?}", endpoint.pool_key).into(),
        };
        let (calls_per_connection, calls_at_once) = (self.calls_per_connection, self.calls_at_once);
        let (lasting, opening) = (self.lasting.clone(), self.opening.clone());
        let endpoint = Endpoint { calls_per_connection, calls_at_once, lasting, opening, pool_key, ..endpoint };
        let for_multiplexed = self.follows_caller.then(|| Arc::new(endpoint.clone().speaking(true)));
        Endpoint { for_multiplexed, ..endpoint }
    }
}

impl Opening {
    fn new(policy: Option<&TrafficPolicy>) -> Self {
        let tunnel = policy.and_then(|policy| policy.tunnel.as_ref());
        let announced = policy.and_then(|policy| policy.proxy_protocol.as_ref());
        match (tunnel, announced) {
            (Some(Tunnel { target_host, target_port, .. }), _) => {
                let target = match target_host.parse::<Ipv6Addr>() {
                    Ok(address) => format!("[{address}]:{target_port}"),
                    Err(_) => format!("{target_host}:{target_port}"),
                };
                Opening::Tunnel(target.into())
            }
            (None, Some(announced)) => {
                Opening::Announced { binary: announced.version == ProxyProtocolVersion::V2, caller: None }
            }
            (None, None) => Opening::None,
        }
    }
}

impl Lasting {
    fn new(policy: Option<&TrafficPolicy>) -> Self {
        let pool = policy.and_then(|policy| policy.connection_pool.as_ref());
        let (tcp, http) = (pool.and_then(|pool| pool.tcp.as_ref()), pool.and_then(|pool| pool.http.as_ref()));
        // `0s` switches a time off.
        let time =
            |time: crate::resource::Duration| Some(time.to_std()).filter(|time| !time.is_zero()).unwrap_or(NEVER);
        Self {
            without_call: http.and_then(|http| http.idle_timeout).map(time),
            without_byte: tcp.and_then(|tcp| tcp.idle_timeout).map(time),
            whole: tcp.and_then(|tcp| tcp.max_connection_duration).map(time),
            keepalive: tcp.and_then(|tcp| tcp.tcp_keepalive.as_ref()).map(Keepalive::new),
        }
    }
}

impl Keepalive {
    fn new(spec: &TcpKeepalive) -> Self {
        let time = |time: Option<crate::resource::Duration>| time.map(crate::resource::Duration::to_std);
        let probes = (spec.probes > 0).then_some(spec.probes);
        Self { time: time(spec.time), interval: time(spec.interval), probes }
    }
}
