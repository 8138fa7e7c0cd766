//! `memquota` and `redisquota`: count amounts against limits.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::expr::ValueRef;
use crate::policy::counters::{Counters, Limit, Spend, TooMany, Window, with_key};
use crate::policy::instance::{Fault, Instance, Values};
use crate::policy::template::quota;
use crate::resource::kinds::memquota::Memquota as MemSpec;
use crate::resource::kinds::redisquota::{Algorithm, Redisquota as RedisSpec};
use crate::resource::{Duration, kinds};

use super::{Adapter, Handler, Setup};

const SECOND: i64 = 1_000_000_000;

/// Memquota's windows roll by tenths of a second.
const TENTH: i64 = SECOND / 10;

/// The adapter `memquota`.
pub static MEMQUOTA: Adapter = Adapter {
    kind: &kinds::MEMQUOTA,
    templates: &[&quota::QUOTA],
    build: |setup| {
        let spec: MemSpec = setup.params()?;
        let limit = |max, window: Duration| Limit { max, window: rolling(window.nanos) };
        let quotas = spec.quotas.into_iter().map(|one| {
            let others = one.overrides.into_iter();
            let overrides = others.map(|other| (other.dimensions, limit(other.max_amount, other.valid_duration)));
            (one.name, Quota::new(limit(one.max_amount, one.valid_duration), overrides))
        });
        Ok(Quotas::built(setup, quotas))
    },
};

/// The adapter `redisquota`.
pub static REDISQUOTA: Adapter = Adapter {
    kind: &kinds::REDISQUOTA,
    templates: &[&quota::QUOTA],
    build: |setup| {
        let spec: RedisSpec = setup.params()?;
        let quotas = spec.quotas.into_iter().map(|one| {
            let window = match one.rate_limit_algorithm {
                Algorithm::FixedWindow => Window::Fixed(one.valid_duration.nanos),
                Algorithm::RollingWindow => Window::rolling(one.valid_duration.nanos, one.bucket_duration.nanos),
            };
            let others = one.overrides.into_iter();
            let overrides = others.map(|other| (other.dimensions, Limit { max: other.max_amount, window }));
            (one.name, Quota::new(Limit { max: one.max_amount, window }, overrides))
        });
        Ok(Quotas::built(setup, quotas))
    },
};

/// A window of whole seconds, as memquota rounds it up.
fn rolling(length: i64) -> Window {
    match length {
        ..=0 => Window::Forever,
        length => Window::rolling((length - 1).div_euclid(SECOND).saturating_add(1).saturating_mul(SECOND), TENTH),
    }
}

#[derive(Debug)]
struct Quotas {
    quotas: HashMap<String, Quota>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Quota {
    limit: Limit,
    overrides: Vec<Override>,
}

#[derive(Debug)]
struct Override {
    dimensions: Vec<(String, String)>,
    limit: Limit,
}

impl Quotas {
    /// A handler that goes on counting where the one of its name before it stands.
    fn built(setup: &Setup<'_>, quotas: impl Iterator<Item = (String, Quota)>) -> Arc<dyn Handler> {
        let counters = setup.live.counters.get_or(setup.name, || Counters::new(setup.live.restored(setup.name)));
        Arc::new(Self { quotas: quotas.collect(), counters })
    }
}

impl Quota {
    fn new(limit: Limit, overrides: impl Iterator<Item = (BTreeMap<String, String>, Limit)>) -> Self {
        let overrides =
            overrides.map(|(dimensions, limit)| Override { dimensions: dimensions.into_iter().collect(), limit });
        Self { limit, overrides: overrides.collect() }
    }
}

impl Handler for Quotas {
    fn accepts(&self, instance: &Instance) -> Result<(), String> {
        match self.quotas.contains_key(&instance.name) {
            true => Ok(()),
            false => Err(format!("the handler has no limit for {}", instance.name)),
        }
    }

    fn quota<'v>(&self, values: &Values<'v>, amount: i64, spend: Spend) -> Result<bool, Fault<'v>> {
        let instance = &values.instance.name;
        let Some(quota) = self.quotas.get(instance) else {
            return Err(Fault::Handler(format!("no limit for {instance}").into()));
        };
        let mut dimensions = smallvec::SmallVec::<[(&str, ValueRef<'v>); 4]>::new();
        for (member, value) in values.map(quota::DIMENSIONS) {
            dimensions.push((&member.name, value?));
        }
        let fits = |one: &&Override| one.dimensions.iter().all(|(name, text)| has(&dimensions, name, text));
        let limit = quota.overrides.iter().find(fits).map_or(quota.limit, |one| one.limit);
        let taken = with_key(instance, dimensions.iter().map(|(_, value)| *value), |key| {
            self.counters.take(key, amount, limit, values.time(), spend)
        });
        taken.map_err(|TooMany| Fault::Handler("too many combinations of the quota's dimensions are counted".into()))
    }
}

/// Whether a dimension has a value, compared as text; one that is not there is empty.
fn has(dimensions: &[(&str, ValueRef<'_>)], name: &str, text: &str) -> bool {
    match dimensions.iter().find(|(dimension, _)| *dimension == name) {
        None => text.is_empty(),
        Some((_, ValueRef::String(value))) => *value == text,
        Some((_, value)) => {
            let mut json = String::new();
            value.write_json(&mut json);
            json.trim_matches('"') == text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memquotas_windows_are_whole_seconds() {
        assert_eq!(rolling(0), Window::Forever);
        assert_eq!(rolling(1), Window::rolling(SECOND, TENTH));
        assert_eq!(rolling(SECOND), Window::rolling(SECOND, TENTH));
        assert_eq!(rolling(SECOND + 1), Window::rolling(2 * SECOND, TENTH));
    }
}
