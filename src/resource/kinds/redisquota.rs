//! redisquota: as memquota, with a choice of windows. Mixer counted in a Redis server; here the proxy counts itself.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use super::memquota::{amount, named, unique};
use crate::resource::{Duration, Kind, Part, Role};

/// The kind `redisquota` (config.istio.io).
pub static REDISQUOTA: Kind = cells::part(
    "redisquota",
    "redisquotas",
    Part { role: Role::Handler, check: |tree, at, problems| check::params::<Redisquota>(tree, at, problems, rules) },
);

/// `spec` of a redisquota.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Redisquota {
    /// Where Mixer counted.
    pub redis_server_url: String,
    /// Connections to it.
    pub connection_pool_size: i64,
    /// Limits, one for each quota instance.
    pub quotas: Vec<Limit>,
}

/// The limit of a quota instance.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limit {
    /// Full name of the instance: `requestcount.quota.istio-system`.
    pub name: String,
    /// Most that can be taken within the window.
    pub max_amount: i64,
    /// The window.
    pub valid_duration: Duration,
    /// How finely a rolling window is divided.
    pub bucket_duration: Duration,
    /// How the window moves.
    pub rate_limit_algorithm: Algorithm,
    /// Other limits for some values of the dimensions; the first that fits counts.
    pub overrides: Vec<Override>,
}

/// How a window moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Algorithm {
    /// It begins with the first use after the last one ended.
    #[default]
    FixedWindow,
    /// It always ends now.
    RollingWindow,
}

/// Another limit for some values of the dimensions, in the quota's window.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Override {
    /// Dimensions and their values, as texts.
    pub dimensions: BTreeMap<String, String>,
    /// Most that can be taken within the window.
    pub max_amount: i64,
}

fn rules(at: &mut At<'_>, quota: &Redisquota) {
    if !quota.redis_server_url.is_empty() {
        at.field("redisServerUrl").warn("no Redis server is asked: the proxy counts itself, and each proxy on its own");
    }
    if quota.connection_pool_size < 0 {
        at.field("connectionPoolSize").invalid("must not be negative");
    }
    if quota.quotas.is_empty() {
        at.field("quotas").required();
    }
    at.each("quotas", &quota.quotas, |at, limit| {
        named(at, &limit.name);
        amount(at, limit.max_amount);
        if limit.valid_duration.nanos <= 0 {
            at.field("validDuration").invalid("must be greater than 0");
        }
        if limit.rate_limit_algorithm == Algorithm::RollingWindow
            && !(1..limit.valid_duration.nanos).contains(&limit.bucket_duration.nanos)
        {
            at.field("bucketDuration")
                .invalid("must be greater than 0 and less than validDuration for a rolling window");
        }
        at.each("overrides", &limit.overrides, |at, limit| {
            amount(at, limit.max_amount);
            if limit.dimensions.is_empty() {
                at.field("dimensions").required();
            }
        });
    });
    unique(at, quota.quotas.iter().map(|limit| limit.name.as_str()));
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn windows_are_checked_by_their_algorithm() {
        let limit = |rest: &str| check(&REDISQUOTA, &format!("quotas: [{{name: a.quota.b, maxAmount: 5, {rest}}}]"));
        assert_eq!(limit("validDuration: 1s"), [""; 0]);
        assert_eq!(limit(""), ["spec.quotas[0].validDuration: must be greater than 0"]);
        assert_eq!(
            limit("validDuration: 1s, rateLimitAlgorithm: ROLLING_WINDOW, bucketDuration: 1s"),
            ["spec.quotas[0].bucketDuration: must be greater than 0 and less than validDuration for a rolling window"]
        );
        assert_eq!(limit("validDuration: 1s, rateLimitAlgorithm: LEAKY").len(), 1);
        let pool =
            check(&REDISQUOTA, "connectionPoolSize: -1\nquotas: [{name: a.quota.b, maxAmount: 5, validDuration: 1s}]");
        assert_eq!(pool, ["spec.connectionPoolSize: must not be negative"]);
    }
}
