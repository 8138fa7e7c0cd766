//! Which tries are made again.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

use crate::call::Failure;
use crate::resource::kinds::virtual_service::HttpRetry;

/// Time before the second try; each further pause is up to twice as long (Envoy's default).
const BACKOFF: Duration = Duration::from_millis(25);

/// Longest pause, as a multiple of the first (Envoy's default).
const LONGEST_BACKOFF: u32 = 10;

/// An overloaded destination says so (Envoy's name).
const OVERLOADED: HeaderName = HeaderName::from_static("x-envoy-overloaded");

/// A limit on calls was reached (Envoy's name).
const RATE_LIMITED: HeaderName = HeaderName::from_static("x-envoy-ratelimited");

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// What came of a try, as far as retries are decided by it.
#[derive(Debug, Clone, Copy)]
pub enum Tried<'a> {
    /// The head of an answer.
    Answered(u16, &'a HeaderMap),
    /// No answer, for this reason.
    Failed(Failure),
}

/// When and how often a call is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retries {
    /// Tries after the first.
    pub attempts: u32,
    /// Longest time for one try, up to the head of its answer.
    pub per_try_timeout: Option<Duration>,
    /// Whether one endpoint may be tried twice while there are others.
    pub same_endpoint: bool,
    backoff: Duration,
    on: On,
    /// Further statuses.
    codes: Vec<u16>,
}

/// Conditions, named as in `retryOn`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct On {
    server_error: bool,
    gateway_error: bool,
    reset: bool,
    connect_failure: bool,
    refused_stream: bool,
    retriable_4xx: bool,
    rate_limited: bool,
    /// Statuses of gRPC, a bit each.
    grpc: u32,
}

const CANCELLED: u32 = 1;
const DEADLINE_EXCEEDED: u32 = 4;
const RESOURCE_EXHAUSTED: u32 = 8;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;

impl Retries {
    /// What holds where nothing is declared (Istio's default): twice, where the connection failed or the answer carries
    /// gRPC's `unavailable` or `cancelled`.
    pub const DEFAULT: &'static Retries = &Retries {
        attempts: 2,
        per_try_timeout: None,
        same_endpoint: false,
        backoff: BACKOFF,
        on: On {
            server_error: false,
            gateway_error: false,
            reset: false,
            connect_failure: true,
            refused_stream: true,
            retriable_4xx: false,
            rate_limited: false,
            grpc: 1 << CANCELLED | 1 << UNAVAILABLE,
        },
        codes: Vec::new(),
    };

    pub(in super::super) fn compile(spec: Option<&HttpRetry>) -> Self {
        let Some(spec) = spec else { return Self::DEFAULT.clone() };
        let mut retries = Self {
            attempts: u32::try_from(spec.attempts).unwrap_or(0),
            per_try_timeout: spec.per_try_timeout.map(crate::resource::Duration::to_std),
            same_endpoint: spec.retry_ignore_previous_hosts == Some(false),
            backoff: spec.backoff.map_or(BACKOFF, crate::resource::Duration::to_std),
            ..Self::DEFAULT.clone()
        };
        if !spec.retry_on.is_empty() {
            retries.on = On::default();
            spec.retry_on.split(',').for_each(|condition| retries.add(condition.trim()));
        }
        retries
    }

    fn add(&mut self, condition: &str) {
        let on = &mut self.on;
        match condition {
            "5xx" => on.server_error = true,
            "gateway-error" => on.gateway_error = true,
            "reset" => on.reset = true,
            "connect-failure" => on.connect_failure = true,
            "refused-stream" => on.refused_stream = true,
            "retriable-4xx" => on.retriable_4xx = true,
            "envoy-ratelimited" => on.rate_limited = true,
            "cancelled" => on.grpc |= 1 << CANCELLED,
            "deadline-exceeded" => on.grpc |= 1 << DEADLINE_EXCEEDED,
            "resource-exhausted" => on.grpc |= 1 << RESOURCE_EXHAUSTED,
            "internal" => on.grpc |= 1 << INTERNAL,
            "unavailable" => on.grpc |= 1 << UNAVAILABLE,
            // Statuses; the other names are of HTTP/2 and 3, or need more that Istio never gives.
            status => self.codes.extend(status.parse::<u16>().ok()),
        }
    }

    /// Whether what came of a try is a reason to try again.
    pub fn wants_again(&self, tried: Tried<'_>) -> bool {
        let on = self.on;
        match tried {
            Tried::Answered(status, headers) => self.wants_again_after(status, headers),
            Tried::Failed(failure) => match failure {
                Failure::ConnectFailed | Failure::ConnectTimeout | Failure::TunnelRefused | Failure::Tls(_) => {
                    on.connect_failure || on.reset || on.server_error || on.gateway_error
                }
                Failure::UpstreamRefused => self.repeats_refused(),
                // Envoy counts every broken try as a 5xx.
                Failure::UpstreamClosed
                | Failure::UpstreamReset
                | Failure::UpstreamIdle
                | Failure::UpstreamProtocol
                | Failure::Timeout => on.reset || on.server_error || on.gateway_error,
                _ => false,
            },
        }
    }

    fn wants_again_after(&self, status: u16, headers: &HeaderMap) -> bool {
        let on = self.on;
        let asks_grpc = |code: u32| code < u32::BITS && on.grpc & (1 << code) != 0;
        let grpc = || headers.get(GRPC_STATUS).and_then(|value| value.to_str().ok()?.parse().ok());
        let wanted = (on.server_error && (500..600).contains(&status))
            || (on.gateway_error && (502..=504).contains(&status))
            || (on.retriable_4xx && status == 409)
            || self.codes.contains(&status)
            || (on.grpc != 0 && grpc().is_some_and(asks_grpc));
        // Most answers are done with here.
        if (!wanted && !on.rate_limited) || headers.contains_key(OVERLOADED) {
            return false;
        }
        if headers.contains_key(RATE_LIMITED) { on.rate_limited } else { wanted }
    }

    /// Whether what an origin has not begun with is tried again.
    pub fn repeats_refused(&self) -> bool {
        let On { refused_stream, reset, server_error, gateway_error, .. } = self.on;
        refused_stream || reset || server_error || gateway_error
    }

    /// Whether anything but a failed connection is tried again.
    pub fn repeats_answers(&self) -> bool {
        let On { server_error, gateway_error, reset, retriable_4xx, rate_limited, .. } = self.on;
        server_error || gateway_error || reset || retriable_4xx || rate_limited || !self.codes.is_empty()
    }

    /// The pause before the next try: anything up to 25 ms, doubled with each, at most 250 ms. `retry` counts from 1,
    /// `chance` is a random number of its own.
    pub fn pause(&self, retry: u32, chance: u64) -> Duration {
        let doubled = 1_u32.checked_shl(retry.saturating_sub(1)).unwrap_or(u32::MAX).min(LONGEST_BACKOFF);
        let longest = self.backoff.saturating_mul(doubled);
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX).max(1);
        Duration::from_nanos(super::share::mix(chance) % nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::TlsFault;

    fn on(retry_on: &str) -> Retries {
        Retries::compile(Some(&HttpRetry { attempts: 3, retry_on: retry_on.into(), ..HttpRetry::default() }))
    }

    fn after(retries: &Retries, status: u16) -> bool {
        retries.wants_again(Tried::Answered(status, &HeaderMap::new()))
    }

    #[test]
    fn without_a_policy_only_connections_that_failed_are_tried_again() {
        for retries in [Retries::compile(None), on("")] {
            assert!(retries.wants_again(Tried::Failed(Failure::ConnectFailed)));
            assert!(retries.wants_again(Tried::Failed(Failure::Tls(TlsFault::Handshake))));
            assert!(retries.wants_again(Tried::Failed(Failure::UpstreamRefused)));
            assert!(!retries.wants_again(Tried::Failed(Failure::UpstreamClosed)));
            assert!(!retries.wants_again(Tried::Failed(Failure::Timeout)));
            assert!(!after(&retries, 503));
        }
        assert_eq!(Retries::compile(None).attempts, 2);
        assert_eq!(Retries::compile(Some(&HttpRetry::default())).attempts, 0);
    }

    #[test]
    fn each_condition_takes_what_envoys_takes() {
        for (retry_on, takes, leaves) in [
            ("5xx", &[500, 503, 599][..], &[499, 600][..]),
            ("gateway-error", &[502, 503, 504], &[500, 501]),
            ("retriable-4xx", &[409], &[404, 429]),
            ("retriable-status-codes,418", &[418], &[503]),
            ("connect-failure,503", &[503], &[502]),
        ] {
            let retries = on(retry_on);
            assert!(takes.iter().all(|status| after(&retries, *status)), "{retry_on}");
            assert!(!leaves.iter().any(|status| after(&retries, *status)), "{retry_on}");
        }
        assert!(on("reset").wants_again(Tried::Failed(Failure::UpstreamClosed)));
        assert!(!on("connect-failure").wants_again(Tried::Failed(Failure::UpstreamRefused)));
        assert!(on("gateway-error").wants_again(Tried::Failed(Failure::Timeout)));
        assert!(!on("5xx").wants_again(Tried::Failed(Failure::NoEndpoint)));
    }

    #[test]
    fn statuses_of_grpc_and_what_an_overloaded_proxy_says_count() {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", http::HeaderValue::from_static("14"));
        assert!(on("").wants_again(Tried::Answered(200, &headers)));
        assert!(!on("internal").wants_again(Tried::Answered(200, &headers)));
        headers.insert("x-envoy-overloaded", http::HeaderValue::from_static("true"));
        assert!(!on("5xx").wants_again(Tried::Answered(503, &headers)));
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let retries = on("5xx");
        for (retry, longest) in [(1, 25), (2, 50), (4, 200), (5, 250), (60, 250)] {
            let pauses = (0..200).map(|chance| retries.pause(retry, chance));
            let longest_seen = pauses.max().expect("some");
            assert!(longest_seen < Duration::from_millis(longest), "{retry}: {longest_seen:?}");
            assert!(longest_seen > Duration::from_millis(longest / 2), "{retry}: {longest_seen:?}");
        }
    }
}
