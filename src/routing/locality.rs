//! Where endpoints are, and which of them are near (Istio's locality load balancing).

use crate::resource::Labels;
use crate::resource::kinds::destination_rule::LocalityLb;

/// The label by which a workload says where it is: `us-west.zone1.a` (Istio's).
const LABEL: &str = "istio-locality";

/// A region, a zone in it and a part of that, as in `us-west/zone1/a`; what is not said is empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Locality(String);

/// How far an endpoint is.
pub(super) type Level = u8;

impl Locality {
    /// Where a workload with these labels is, if they say so.
    pub(super) fn of(labels: &Labels) -> Option<Self> {
        let said = labels.get(LABEL).filter(|said| !said.is_empty())?;
        Some(Self(if said.contains('/') { said.clone() } else { said.replace('.', "/") }))
    }

    /// How far another place is: 0 for the same part of a zone, 3 for another region; 4 for one to which a region's calls do
    /// not go when it fails.
    fn level(&self, other: &str, setting: Option<&LocalityLb>) -> Level {
        let (own, other) = (parts(&self.0), parts(other));
        let same = own.iter().zip(other).take_while(|(own, other)| **own == *other).count();
        let level = Level::try_from(3 - same).unwrap_or(3);
        let failovers = setting.map(|setting| setting.failover.as_slice()).unwrap_or_default();
        match failovers.iter().find(|failover| failover.from == own[0]) {
            Some(failover) if level == 3 && failover.to != other[0] => 4,
            _ => level,
        }
    }

    /// The shares of endpoints at some places, with these weights, as a rule distributes what comes from here; 0 for those that
    /// get nothing. `None` where it says nothing about here.
    pub(super) fn shares(&self, setting: &LocalityLb, endpoints: &[(&str, u32)]) -> Option<Vec<u32>> {
        let rule = setting.distribute.iter().find(|rule| covers(&rule.from, &self.0))?;
        let mut shares = vec![0; endpoints.len()];
        for (to, percent) in &rule.to {
            // What two patterns cover belongs to the first.
            let here: Vec<usize> =
                (0..endpoints.len()).filter(|place| shares[*place] == 0 && covers(to, endpoints[*place].0)).collect();
            let total: u64 = here.iter().map(|place| u64::from(endpoints[*place].1)).sum();
            for place in here {
                let share = u64::from(*percent) * 1_000 * u64::from(endpoints[place].1) / total.max(1);
                shares[place] = u32::try_from(share).unwrap_or(u32::MAX).max(1);
            }
        }
        Some(shares)
    }

    /// How far endpoints at some places are; `None` where they are alike.
    pub(super) fn levels(&self, setting: Option<&LocalityLb>, endpoints: &[(&str, u32)]) -> Option<Box<[Level]>> {
        let levels: Box<[Level]> = endpoints.iter().map(|(place, _)| self.level(place, setting)).collect();
        let first = levels.first()?;
        (!levels.iter().all(|level| level == first)).then_some(levels)
    }
}

fn parts(place: &str) -> [&str; 3] {
    let mut parts = place.split('/');
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// Whether a pattern covers a place: `us-west/*`, `us-west/zone1`, `*`. What it does not say may be anything.
fn covers(pattern: &str, place: &str) -> bool {
    parts(pattern).iter().zip(parts(place)).all(|(wanted, is)| matches!(*wanted, "" | "*") || *wanted == is)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::kinds::destination_rule::{LocalityDistribute, LocalityFailover};

    fn here(label: &str) -> Locality {
        Locality::of(&[(LABEL.to_owned(), label.to_owned())].into()).expect("it says where")
    }

    #[test]
    fn what_is_in_the_same_zone_is_nearer_than_what_is_in_the_same_region() {
        let places = [("eu/one/a", 1), ("eu/one/b", 1), ("eu/two", 1), ("us/one/a", 1), ("", 1)];
        assert_eq!(here("eu.one.a").levels(None, &places).as_deref(), Some(&[0, 1, 2, 3, 3][..]));
        assert_eq!(here("eu/one/a").levels(None, &places), here("eu.one.a").levels(None, &places));
        assert_eq!(here("asia").levels(None, &places), None, "all are alike");
        let failover = vec![LocalityFailover { from: "eu".into(), to: "us".into() }];
        let setting = LocalityLb { failover, ..LocalityLb::default() };
        let levels = here("eu.one.a").levels(Some(&setting), &places);
        assert_eq!(levels.as_deref(), Some(&[0, 1, 2, 3, 4][..]));
        assert_eq!(Locality::of(&Labels::new()), None);
    }

    #[test]
    fn calls_are_shared_out_as_a_rule_says_of_where_they_come_from() {
        let to = [("eu/one/*".to_owned(), 80), ("us/*".to_owned(), 20)].into();
        let setting =
            LocalityLb { distribute: vec![LocalityDistribute { from: "eu/*".into(), to }], ..LocalityLb::default() };
        let places = [("eu/one/a", 1), ("eu/one/b", 3), ("us/one", 1), ("asia/one", 1)];
        assert_eq!(here("eu.two").shares(&setting, &places), Some(vec![20_000, 60_000, 20_000, 0]));
        assert_eq!(here("us.one").shares(&setting, &places), None);
    }
}
