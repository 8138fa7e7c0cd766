//! Outlier detection: an endpoint that fails again and again is left out for a while (Envoy's passive health checks).

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use crate::resource::Duration;
use crate::resource::kinds::destination_rule::OutlierDetection;

const SECOND: i64 = 1_000_000;

/// Longest time out, however often an endpoint has been out before (Envoy's default), in microseconds.
const MAX_TIME_OUT: i64 = 300 * SECOND;

/// When an endpoint is left out, and for how long. Times are microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outlier {
    /// So many 5xx in a row; 0 for never.
    errors: u32,
    /// So many 502, 503 or 504 in a row; 0 for never.
    gateway_errors: u32,
    /// So many failures to reach it in a row, where they are counted apart.
    unreached: Option<u32>,
    interval: i64,
    base: i64,
    /// Most endpoints that may be out for another to follow, in per cent. One may always be.
    most_out: usize,
}

/// How an endpoint does.
#[derive(Debug, Default)]
pub(super) struct Health {
    busy: AtomicU32,
    errors: AtomicU32,
    gateway_errors: AtomicU32,
    unreached: AtomicU32,
    /// When it comes back, or came back last, in microseconds since 1970.
    until: AtomicI64,
    /// How often it was out, less the time that it has been well since.
    times_out: AtomicU32,
    /// How often it was out in all.
    ejections: AtomicU32,
}

impl Health {
    pub(super) fn busy(&self) -> u32 {
        self.busy.load(Ordering::Relaxed)
    }

    pub(super) fn ejections(&self) -> u32 {
        self.ejections.load(Ordering::Relaxed)
    }

    /// Leaves it out until then.
    pub(super) fn leave_out_until(&self, until: i64) {
        self.until.store(until, Ordering::Relaxed);
    }

    pub(super) fn enter(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn is_out(&self, now: i64) -> bool {
        self.out_until(now).is_some()
    }

    /// When it comes back, if it is out.
    pub(super) fn out_until(&self, now: i64) -> Option<i64> {
        Some(self.until.load(Ordering::Relaxed)).filter(|until| now < *until)
    }

    /// Counts one more or begins anew; whether so many in a row are reached.
    fn count(counter: &AtomicU32, failed: bool, limit: u32) -> bool {
        if !failed {
            // Written only where there is something to write: most calls succeed.
            if counter.load(Ordering::Relaxed) != 0 {
                counter.store(0, Ordering::Relaxed);
            }
            return false;
        }
        counter.fetch_add(1, Ordering::Relaxed) + 1 >= limit && limit > 0
    }
}

impl Outlier {
    /// As a DestinationRule says.
    pub(super) fn new(spec: &OutlierDetection) -> Self {
        let micros = |duration: Option<Duration>, default: i64| duration.map_or(default, |given| given.nanos / 1_000);
        let old = u32::try_from(spec.consecutive_errors).ok().filter(|errors| *errors > 0);
        let most_out = usize::try_from(spec.max_ejection_percent).unwrap_or(0);
        Self {
            errors: spec.consecutive_5xx_errors.or(old).unwrap_or(5),
            gateway_errors: spec.consecutive_gateway_errors.unwrap_or(0),
            unreached: spec
                .split_external_local_origin_errors
                .then(|| spec.consecutive_local_origin_failures.unwrap_or(5)),
            interval: micros(spec.interval, 10 * SECOND).max(1),
            base: micros(spec.base_ejection_time, 30 * SECOND),
            most_out: if most_out == 0 { 10 } else { most_out },
        }
    }

    /// Notes what an endpoint answered, `None` where it could not be reached.
    pub(super) fn note(&self, endpoints: &[Health], place: usize, status: Option<u16>, now: i64) {
        // A destination that is reached where the caller wants to go has no endpoints of its own.
        let Some(health) = endpoints.get(place) else { return };
        self.note_one(health, endpoints.iter(), status, now);
    }

    /// The same of one among others; whether it is left out from now on.
    pub(super) fn note_one<'h>(
        &self,
        health: &Health,
        all: impl Iterator<Item = &'h Health> + Clone,
        status: Option<u16>,
        now: i64,
    ) -> bool {
        let fails = match (status, self.unreached) {
            (None, Some(limit)) => Health::count(&health.unreached, true, limit),
            _ => {
                let status = status.unwrap_or(503);
                Health::count(&health.unreached, false, 0);
                let errors = Health::count(&health.errors, status >= 500, self.errors);
                let gateway = matches!(status, 502..=504);
                Health::count(&health.gateway_errors, gateway, self.gateway_errors) || errors
            }
        };
        let leaves = fails && !health.is_out(now) && self.may_leave_out(all, now);
        if leaves {
            self.leave_out(health, now);
        }
        leaves
    }

    fn may_leave_out<'h>(&self, all: impl Iterator<Item = &'h Health> + Clone, now: i64) -> bool {
        let out = all.clone().filter(|health| health.is_out(now)).count();
        out == 0 || out * 100 < self.most_out * all.count()
    }

    /// Each time for longer, but what has been well for an interval is forgiven one time.
    fn leave_out(&self, health: &Health, now: i64) {
        let well = now.saturating_sub(health.until.load(Ordering::Relaxed)) / self.interval;
        let before = health.times_out.load(Ordering::Relaxed);
        let times = before.saturating_sub(u32::try_from(well).unwrap_or(u32::MAX)) + 1;
        let time = self.base.saturating_mul(i64::from(times)).min(MAX_TIME_OUT.max(self.base));
        health.times_out.store(times, Ordering::Relaxed);
        health.ejections.fetch_add(1, Ordering::Relaxed);
        health.until.store(now.saturating_add(time), Ordering::Relaxed);
        for counter in [&health.errors, &health.gateway_errors, &health.unreached] {
            counter.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(count: usize) -> Vec<Health> {
        (0..count).map(|_| Health::default()).collect()
    }

    fn note(outlier: &Outlier, endpoints: &[Health], place: usize, statuses: &[u16], now: i64) {
        statuses.iter().for_each(|status| outlier.note(endpoints, place, Some(*status), now));
    }

    #[test]
    fn five_errors_in_a_row_leave_an_endpoint_out_for_half_a_minute() {
        let (outlier, endpoints) = (Outlier::new(&OutlierDetection::default()), endpoints(3));
        note(&outlier, &endpoints, 0, &[500, 500, 500, 500, 200, 500, 500, 500, 500], 0);
        assert!(!endpoints[0].is_out(0), "a success begins the count anew");
        note(&outlier, &endpoints, 0, &[503], 0);
        assert_eq!(endpoints[0].out_until(0), Some(30 * SECOND));
        assert!(!endpoints[0].is_out(30 * SECOND));
    }

    #[test]
    fn each_time_is_longer_and_being_well_is_forgiven() {
        let spec = OutlierDetection { consecutive_5xx_errors: Some(1), ..OutlierDetection::default() };
        let (outlier, endpoints) = (Outlier::new(&spec), endpoints(1));
        note(&outlier, &endpoints, 0, &[500], 0);
        note(&outlier, &endpoints, 0, &[500], 30 * SECOND);
        assert_eq!(endpoints[0].out_until(30 * SECOND), Some(90 * SECOND));
        note(&outlier, &endpoints, 0, &[500], 120 * SECOND);
        assert_eq!(endpoints[0].out_until(120 * SECOND), Some(150 * SECOND), "well for three intervals");
    }

    #[test]
    fn one_may_always_be_left_out_but_not_all() {
        let spec = OutlierDetection { consecutive_5xx_errors: Some(1), ..OutlierDetection::default() };
        let (outlier, some) = (Outlier::new(&spec), endpoints(3));
        note(&outlier, &some, 0, &[500], 0);
        note(&outlier, &some, 1, &[500], 0);
        assert!(some[0].is_out(0) && !some[1].is_out(0));
        let all = OutlierDetection { max_ejection_percent: 100, ..spec };
        let (outlier, some) = (Outlier::new(&all), endpoints(2));
        note(&outlier, &some, 0, &[500], 0);
        note(&outlier, &some, 1, &[500], 0);
        assert!(some.iter().all(|health| health.is_out(0)));
    }

    #[test]
    fn gateway_errors_and_failures_to_reach_are_counted_as_told() {
        let spec = OutlierDetection {
            consecutive_5xx_errors: Some(0),
            consecutive_gateway_errors: Some(2),
            ..OutlierDetection::default()
        };
        let (outlier, some) = (Outlier::new(&spec), endpoints(1));
        note(&outlier, &some, 0, &[500, 500, 500, 500, 500, 500], 0);
        assert!(!some[0].is_out(0));
        outlier.note(&some, 0, None, 0);
        note(&outlier, &some, 0, &[504], 0);
        assert!(some[0].is_out(0), "not reached counts as 503");
        let split = OutlierDetection {
            split_external_local_origin_errors: true,
            consecutive_local_origin_failures: Some(2),
            ..OutlierDetection::default()
        };
        let (outlier, some) = (Outlier::new(&split), endpoints(1));
        outlier.note(&some, 0, None, 0);
        note(&outlier, &some, 0, &[200], 0);
        outlier.note(&some, 0, None, 0);
        assert!(!some[0].is_out(0), "reached in between");
        outlier.note(&some, 0, None, 0);
        assert!(some[0].is_out(0));
    }
}
