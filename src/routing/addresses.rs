//! How the addresses of a name do, each as an endpoint of its own (Envoy's STRICT_DNS).

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::balance::Live;
use super::outlier::{Health, Outlier};

/// Most addresses of a name that are remembered beside those that it has now.
const MOST: usize = 64;

/// The addresses that a name has had. Read for each connection, written when there is a new one.
#[derive(Debug, Default)]
pub(super) struct Known(ArcSwap<Vec<(IpAddr, Arc<Health>)>>);

/// The addresses of one endpoint that is a name, of which those that fail again and again are left out for a while.
#[derive(Debug)]
pub struct Addresses {
    pub(super) outlier: Outlier,
    pub(super) live: Arc<Live>,
    /// The place of the endpoint.
    pub(super) place: usize,
}

impl Known {
    fn health(&self, address: IpAddr) -> Option<Arc<Health>> {
        self.0.load().iter().find(|(known, _)| *known == address).map(|(_, health)| Arc::clone(health))
    }

    /// How often any was left out.
    pub(super) fn ejections(&self) -> u32 {
        self.0.load().iter().map(|(_, health)| health.ejections()).sum()
    }

    fn learn(&self, found: &[IpAddr]) {
        if found.iter().all(|address| self.health(*address).is_some()) {
            return;
        }
        self.0.rcu(|known| {
            let mut known = Vec::clone(known);
            if known.len() > MOST {
                known.retain(|(address, _)| found.contains(address));
            }
            for address in found {
                if !known.iter().any(|(other, _)| other == address) {
                    known.push((*address, Arc::default()));
                }
            }
            known
        });
    }
}

impl Addresses {
    fn known(&self) -> &Known {
        &self.live.names[self.place]
    }

    /// Those of the addresses that the name has now that are not left out; `now` in microseconds since 1970.
    #[must_use]
    pub fn inside(&self, found: Vec<IpAddr>, now: i64) -> Vec<IpAddr> {
        self.known().learn(&found);
        found.into_iter().filter(|address| !self.is_out(*address, now)).collect()
    }

    /// Whether an address is left out.
    pub fn is_out(&self, address: IpAddr, now: i64) -> bool {
        self.known().0.load().iter().any(|(known, health)| *known == address && health.is_out(now))
    }

    /// Notes what came of a call to an address, `None` where it could not be reached.
    pub fn note(&self, address: IpAddr, status: Option<u16>, now: i64) {
        let known = self.known().0.load();
        let all = known.iter().map(|(_, health)| &**health);
        let Some(health) = self.known().health(address) else { return };
        if self.outlier.note_one(&health, all.clone(), status, now) {
            let ends: Option<Vec<i64>> = all.map(|health| health.out_until(now)).collect();
            // Where none is left there is nothing that the name leads to.
            if let (Some(end), Some(endpoint)) =
                (ends.and_then(|ends| ends.into_iter().min()), self.live.endpoints.get(self.place))
            {
                endpoint.leave_out_until(end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::kinds::destination_rule::OutlierDetection;

    const SECOND: i64 = 1_000_000;

    fn parse(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn addresses(most_out: i32) -> Addresses {
        let spec = OutlierDetection {
            consecutive_5xx_errors: Some(2),
            max_ejection_percent: most_out,
            ..OutlierDetection::default()
        };
        Addresses { outlier: Outlier::new(&spec), live: Arc::new(Live::new(1)), place: 0 }
    }

    #[test]
    fn an_address_that_fails_is_left_out_and_the_others_are_not() {
        let (addresses, all) = (addresses(0), ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(parse));
        assert_eq!(addresses.inside(all.to_vec(), 0), all);
        for _ in 0..2 {
            addresses.note(all[1], Some(503), 0);
            addresses.note(all[2], Some(200), 0);
        }
        assert_eq!(addresses.inside(all.to_vec(), 0), [all[0], all[2]]);
        assert!(!addresses.live.endpoints[0].is_out(0), "the name goes on");
        assert_eq!(addresses.inside(all.to_vec(), 30 * SECOND), all, "it comes back");
        assert_eq!(addresses.known().ejections(), 1);
    }

    #[test]
    fn a_name_whose_addresses_are_all_left_out_is_out_itself() {
        let (addresses, all) = (addresses(100), ["192.0.2.1", "192.0.2.2"].map(parse));
        assert_eq!(addresses.inside(all.to_vec(), 0), all);
        for address in all {
            (0..2).for_each(|_| addresses.note(address, None, 0));
        }
        assert!(addresses.inside(all.to_vec(), 0).is_empty());
        assert_eq!(addresses.live.endpoints[0].out_until(0), Some(30 * SECOND));
    }

    #[test]
    fn addresses_of_long_ago_are_forgotten() {
        let addresses = addresses(0);
        for last in 0..200 {
            assert_eq!(addresses.inside(vec![IpAddr::from([192, 0, 2, last])], 0).len(), 1);
        }
        assert!(addresses.known().0.load().len() <= MOST + 1);
    }
}
