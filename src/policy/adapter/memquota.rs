//! `memquota` and `redisquota`: count amounts against limits.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::expr::{ValueRef, duration};
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
    name: String,
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
        Arc::new(Self { name: setup.name.to_owned(), quotas: quotas.collect(), counters })
    }
}

impl Quota {
    fn new(limit: Limit, overrides: impl Iterator<Item = (BTreeMap<String, String>, Limit)>) -> Self {
        let overrides =
            overrides.map(|(dimensions, limit)| Override { dimensions: dimensions.into_iter().collect(), limit });
        Self { limit, overrides: overrides.collect() }
    }

    /// The limit of a combination of dimensions: the first override's that fits.
    fn limit_of(&self, dimensions: &Dimensions<'_>) -> Limit {
        let fits = |one: &&Override| one.dimensions.iter().all(|(name, text)| has(dimensions, name, text));
        self.overrides.iter().find(fits).map_or(self.limit, |one| one.limit)
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
        let dimensions = dimensions(values)?;
        let limit = quota.limit_of(&dimensions);
        let taken = with_key(instance, dimensions.iter().map(|(_, value)| *value), |key| {
            self.counters.take(key, amount, limit, values.time(), spend)
        });
        taken.map_err(|TooMany| Fault::Handler("too many combinations of the quota's dimensions are counted".into()))
    }

    fn remedy(&self, values: &Values<'_>) -> Option<String> {
        let instance = &values.instance.name;
        let limit = self.quotas.get(instance)?.limit_of(&dimensions(values).ok()?);
        let window = match limit.window {
            Window::Forever => "with no validDuration, so that nothing is given back".to_owned(),
            Window::Fixed(length) | Window::Rolling { length, .. } => {
                let mut text = String::from("in ");
                duration::write(length, &mut text);
                text
            }
        };
        Some(format!(
            "a maxAmount of {instance} in {} that is greater than {} ({window}), or later",
            self.name, limit.max
        ))
    }
}

type Dimensions<'v> = SmallVec<[(&'v str, ValueRef<'v>); 4]>;

/// The dimensions of an instance for a call.
fn dimensions<'v>(values: &Values<'v>) -> Result<Dimensions<'v>, Fault<'v>> {
    values.map(quota::DIMENSIONS).map(|(member, value)| Ok((member.name.as_str(), value?))).collect()
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
