//! memquota: a handler that counts amounts against limits, in the proxy's memory (Mixer).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::resource::{Duration, Kind, Part, Role};

/// The kind `memquota` (config.istio.io).
pub static MEMQUOTA: Kind = cells::part(
    "memquota",
    "memquotas",
    Part { role: Role::Handler, check: |tree, at, problems| check::params::<Memquota>(tree, at, problems, rules) },
);

/// `spec` of a memquota.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memquota {
    /// Limits, one for each quota instance.
    pub quotas: Vec<Limit>,
    /// How long Mixer kept answers to be given again; here no request is asked about twice.
    pub min_deduplication_duration: Duration,
}

impl Default for Memquota {
    fn default() -> Self {
        Self { quotas: Vec::new(), min_deduplication_duration: Duration { nanos: 1_000_000_000 } }
    }
}

/// The limit of a quota instance.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limit {
    /// Full name of the instance: `requestcount.quota.istio-system`.
    pub name: String,
    /// Most that can be taken within the window.
    pub max_amount: i64,
    /// The window; 0 gives nothing back ever.
    pub valid_duration: Duration,
    /// Other limits for some values of the dimensions; the first that fits counts.
    pub overrides: Vec<Override>,
}

/// Another limit for some values of the dimensions.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Override {
    /// Dimensions and their values, as texts.
    pub dimensions: BTreeMap<String, String>,
    /// Most that can be taken within the window.
    pub max_amount: i64,
    /// The window; 0, which is also what is left out, gives nothing back ever.
    pub valid_duration: Duration,
}

fn rules(at: &mut At<'_>, quota: &Memquota) {
    if quota.min_deduplication_duration.nanos <= 0 {
        at.field("minDeduplicationDuration").invalid("must be greater than 0");
    }
    if quota.quotas.is_empty() {
        at.field("quotas").required();
    }
    at.each("quotas", &quota.quotas, |at, limit| {
        named(at, &limit.name);
        amount(at, limit.max_amount);
        window(at, limit.valid_duration);
        at.each("overrides", &limit.overrides, |at, limit| {
            if limit.dimensions.is_empty() {
                at.warn("without dimensions it holds for every call, and no override after it counts");
            }
            amount(at, limit.max_amount);
            window(at, limit.valid_duration);
        });
    });
    unique(at, quota.quotas.iter().map(|limit| limit.name.as_str()));
}

/// A limit names the instance that it is for.
pub(super) fn named(at: &mut At<'_>, name: &str) {
    match name {
        "" => at.field("name").required(),
        name if name.split('.').count() != 3 => at.field("name").advise(
            format!("\"{name}\" is no full name of an instance"),
            "write NAME.quota.NAMESPACE, or NAME.instance.NAMESPACE for the newer form",
        ),
        _ => {}
    }
}

/// Most that can be taken must be something.
pub(super) fn amount(at: &mut At<'_>, amount: i64) {
    match amount {
        0 => at.field("maxAmount").required(),
        ..0 => at.field("maxAmount").invalid("must be greater than 0"),
        _ => {}
    }
}

fn window(at: &mut At<'_>, window: Duration) {
    if window.nanos < 0 {
        at.field("validDuration").invalid("must not be negative");
    }
}

/// One limit an instance.
pub(super) fn unique<'n>(at: &mut At<'_>, names: impl Iterator<Item = &'n str>) {
    let mut seen = std::collections::BTreeSet::new();
    for (index, name) in names.enumerate() {
        if !name.is_empty() && !seen.insert(name) {
            at.field("quotas").index(index).field("name").duplicate(format!("{name} has a limit already"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_limit_names_its_instance_and_an_amount() {
        assert_eq!(check(&MEMQUOTA, "quotas: [{name: a.quota.b, maxAmount: 5, validDuration: 1s}]"), [""; 0]);
        assert_eq!(
            check(&MEMQUOTA, "quotas: [{name: a, maxAmount: 1}, {name: a.quota.b}, {name: a.quota.b, maxAmount: -1}]"),
            [
                "spec.quotas[0].name: \"a\" is no full name of an instance",
                "spec.quotas[1].maxAmount: Required value",
                "spec.quotas[2].maxAmount: must be greater than 0",
                "spec.quotas[2].name: a.quota.b has a limit already",
            ]
        );
        assert_eq!(check(&MEMQUOTA, "{}"), ["spec.quotas: Required value"]);
    }
}
