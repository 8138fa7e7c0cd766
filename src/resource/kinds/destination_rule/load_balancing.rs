//! The rules of load balancing.

use std::collections::BTreeSet;

use super::{
    ConsistentHash, HashCookie, LoadBalancer, LocalityDistribute, LocalityFailover, LocalityLb, Warmup, ZoneAwareLb,
};
use crate::resource::kinds::check::{self, At};

/// Maglev tables must be smaller than this prime (Envoy's limit).
const MAGLEV_LIMIT: u64 = 5_000_011;

/// Labels of the places that load balancing by place knows by itself.
const PLACES: [&str; 3] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

/// Checks load balancing; `outliers`: of a policy that has `outlierDetection`.
pub(super) fn load_balancer(at: &mut At<'_>, settings: &LoadBalancer, outliers: bool) {
    let ways = [settings.simple.is_some(), settings.consistent_hash.is_some(), settings.backend_utilization.is_some()];
    if ways.iter().filter(|given| **given).count() > 1 {
        at.invalid("load balancer takes only one of simple, consistentHash, backendUtilization");
    }
    at.part("consistentHash", settings.consistent_hash.as_ref(), consistent_hash);
    at.part("warmupDurationSecs", settings.warmup_duration_secs.as_ref(), check::duration);
    at.part("warmup", settings.warmup.as_ref(), warmup);
    if settings.locality_lb_setting.is_some() && settings.zone_aware_lb_setting.is_some() {
        at.invalid("only one of localityLbSetting and zoneAwareLbSetting can be set");
    }
    at.part("localityLbSetting", settings.locality_lb_setting.as_ref(), |at, locality| {
        self::locality(at, locality, outliers)
    });
    at.part("zoneAwareLbSetting", settings.zone_aware_lb_setting.as_ref(), |at, zone| zone_aware(at, zone, outliers));
}

fn consistent_hash(at: &mut At<'_>, hash: &ConsistentHash) {
    let keys = [
        hash.http_header_name.is_some(),
        hash.http_cookie.is_some(),
        hash.use_source_ip.is_some(),
        hash.http_query_parameter_name.is_some(),
    ];
    if keys.iter().filter(|given| **given).count() > 1 {
        at.invalid("consistentHash takes only one of httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName");
    }
    at.part("httpCookie", hash.http_cookie.as_ref(), cookie);
    if hash.ring_hash.is_some() && hash.maglev.is_some() {
        at.invalid("consistentHash cannot have both ringHash and maglev");
    }
    if hash.minimum_ring_size != 0 {
        let mut at = at.field("minimumRingSize");
        at.deprecated(
            "consistent hash MinimumRingSize is deprecated, use ConsistentHashLB's RingHash configuration instead",
        );
        if hash.ring_hash.is_some() || hash.maglev.is_some() {
            at.invalid("only one of MinimumRingSize or Maglev/Ringhash can be specified");
        }
    }
    at.part("maglev", hash.maglev.as_ref(), |at, maglev| {
        let mut at = at.field("tableSize");
        match maglev.table_size {
            0 => at.missing("tableSize must be set for maglev"),
            MAGLEV_LIMIT.. => at.invalid(format!("tableSize must be less than {MAGLEV_LIMIT} for maglev")),
            size if !is_prime(size) => at.invalid("tableSize must be a prime number for maglev"),
            _ => {}
        }
    });
}

fn cookie(at: &mut At<'_>, cookie: &HashCookie) {
    if cookie.name.is_empty() {
        at.field("name").missing("name required for HttpCookie");
    }
    if cookie.ttl.is_some_and(|ttl| ttl.nanos < 0) {
        at.field("ttl").invalid("ttl cannot be negative");
    }
    let mut names = BTreeSet::new();
    at.each("attributes", &cookie.attributes, |at, attribute| {
        let mut at = at.field("name");
        if attribute.name.is_empty() {
            at.missing("cookie attribute name cannot be empty");
        } else if !names.insert(attribute.name.clone()) {
            at.duplicate(format!("duplicate cookie attribute name: {}", attribute.name));
        }
    });
}

/// Trial division; numbers stay below [`MAGLEV_LIMIT`]. Envoy takes 1 for a prime.
fn is_prime(number: u64) -> bool {
    (2..).take_while(|divisor| divisor * divisor <= number).all(|divisor| !number.is_multiple_of(divisor))
}

fn warmup(at: &mut At<'_>, warmup: &Warmup) {
    match &warmup.duration {
        Some(duration) => check::duration(&mut at.field("duration"), duration),
        None => at.field("duration").missing("duration is required"),
    }
    if warmup.minimum_percent.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
        at.field("minimumPercent").invalid("minimumPercent value should be less than or equal to 100");
    }
    if warmup.aggression.is_some_and(|aggression| aggression <= 0.0) {
        at.field("aggression").invalid("aggression should be greater than 0");
    }
}

fn locality(at: &mut At<'_>, locality: &LocalityLb, outliers: bool) {
    if !locality.distribute.is_empty() && !locality.failover.is_empty() {
        return at.invalid("can not simultaneously specify 'distribute' and 'failover'");
    }
    if !locality.failover.is_empty() {
        at.each("failoverPriority", &locality.failover_priority, |at, label| {
            if PLACES.contains(&label.as_str()) {
                at.invalid(format!(
                    "can not simultaneously set 'failover' and topology label '{label}' in 'failover_priority'"
                ));
            }
        });
    }
    at.each("distribute", &locality.distribute, distribute);
    let from: Vec<&str> = locality.distribute.iter().map(|share| share.from.as_str()).collect();
    if let Err((position, why)) = places(&from) {
        at.field("distribute").index(position).field("from").invalid(why);
    }
    failover(at, &locality.failover, !locality.failover_priority.is_empty(), outliers);
}

fn distribute(at: &mut At<'_>, share: &LocalityDistribute) {
    let mut at = at.field("to");
    for (place, weight) in &share.to {
        if !(1..=100).contains(weight) {
            at.field(place).invalid("locality weight must be in range [1, 100]");
        }
    }
    let total: u64 = share.to.values().map(|weight| u64::from(*weight)).sum();
    if total != 100 {
        at.invalid(format!("total locality weight {total} != 100"));
    }
    let to: Vec<&str> = share.to.keys().map(String::as_str).collect();
    if let Err((position, why)) = places(&to) {
        at.field(to[position]).invalid_key(why);
    }
}

/// Whether each place is `*`, or a region, zone and sub-zone of which the last may be `*`, and none lies in another.
///
/// # Errors
/// The first that does not fit.
fn places(places: &[&str]) -> Result<(), (usize, String)> {
    let parts: Vec<Vec<&str>> =
        places.iter().map(|place| place.split('/').take_while(|part| *part != "*").collect()).collect();
    for (position, place) in places.iter().enumerate() {
        let stars = place.matches('*').count();
        if stars > 1 || (stars == 1 && !place.ends_with('*')) {
            let why = format!("locality {place} wildcard '*' number can not exceed 1 and must be in the end");
            return Err((position, why));
        }
        if place.split('/').any(str::is_empty) {
            return Err((position, format!("locality {place} must not contain empty region/zone/subzone info")));
        }
        let within = |a: &[&str], b: &[&str]| a.starts_with(b) || b.starts_with(a);
        if parts[..position].iter().any(|earlier| within(earlier, &parts[position])) {
            return Err((position, format!("locality {place} overlap with previous specified ones")));
        }
    }
    Ok(())
}

fn zone_aware(at: &mut At<'_>, zone: &ZoneAwareLb, outliers: bool) {
    at.each("failoverPriority", &zone.failover_priority, |at, label| {
        if PLACES.contains(&label.as_str()) {
            at.invalid(format!(
                "'failover_priority' for zone aware lb must not use topology label '{label}'; region- and zone-level routing \
                 are handled automatically"
            ));
        }
    });
    failover(at, &zone.failover, !zone.failover_priority.is_empty(), outliers);
}

fn failover(at: &mut At<'_>, failover: &[LocalityFailover], priority: bool, outliers: bool) {
    if (!failover.is_empty() || priority) && !outliers {
        at.warn("outlier detection policy must be provided for failover");
    }
    at.each("failover", failover, |at, LocalityFailover { from, to }| {
        if from == to {
            at.invalid("locality lb failover settings must specify different regions");
        }
        for (field, region) in [("from", from), ("to", to)] {
            if region.contains('/') {
                at.field(field).invalid("locality lb failover only specify region");
            }
            if region.contains('*') {
                at.field(field).invalid("locality lb failover region should not contain '*' wildcard");
            }
        }
    });
}
