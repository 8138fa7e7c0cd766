//! Which workloads certificates are of.

use std::collections::HashMap;

use crate::registry::{Result, View};

use super::{SpiffeId, TrustDomain, Workload};

/// What is known of the workloads of each service account: a certificate names the account alone, so of several workloads
/// that is what they have in common.
#[derive(Debug, Default)]
pub struct Holders {
    domain: TrustDomain,
    /// By principal.
    workloads: HashMap<String, Workload>,
}

impl Holders {
    /// Those of all that is declared.
    ///
    /// # Errors
    /// Those of reading the view.
    pub fn new(view: &dyn View, domain: &TrustDomain) -> Result<Self> {
        let mut holders: HashMap<String, Workload> = HashMap::new();
        for workload in Workload::all(view)? {
            let workload = workload.of_domain(domain);
            let known = match holders.remove(&workload.principal) {
                None => workload,
                Some(known) => known.in_common(&workload),
            };
            holders.insert(known.principal.clone(), known);
        }
        Ok(Self { domain: domain.clone(), workloads: holders })
    }

    /// What is known of the holders of an identity.
    pub fn of(&self, identity: &SpiffeId) -> Option<&Workload> {
        self.workloads.get(identity.principal())
    }

    /// What is known of whoever is a service account's; without any workload the account alone.
    pub fn of_account(&self, namespace: &str, account: &str) -> Workload {
        let alone = Workload::of_account_alone(&self.domain, namespace, account);
        self.workloads.get(&alone.principal).cloned().unwrap_or(alone)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::workload::tests::deployment;
    use super::*;
    use crate::registry::testing::*;
    use crate::registry::{MemoryRegistry, Registry as _};

    #[test]
    fn of_several_workloads_of_an_account_only_is_known_what_they_have_in_common() {
        let mut twin = deployment("twin");
        twin.body["spec"]["template"]["spec"]["serviceAccountName"] = json!("sleep");
        twin.body["spec"]["template"]["metadata"]["labels"]["tier"] = json!("1");
        let mut sleep = deployment("sleep");
        sleep.body["spec"]["template"]["metadata"]["labels"]["tier"] = json!("1");
        let registry = MemoryRegistry::with_kinds(FEW_KINDS);
        registry.commit(create([sleep, twin, deployment("alone")])).unwrap();
        let holders = Holders::new(&registry, &TrustDomain::default()).unwrap();
        let of = |account: &str| holders.of(&SpiffeId::new(&TrustDomain::default(), "default", account).unwrap());
        let alone = of("alone").unwrap();
        assert_eq!((alone.name.as_str(), alone.labels["app"].as_str()), ("alone", "alone"));
        assert_eq!(Some(alone), Workload::find(&registry, "alone", "default").unwrap().as_ref());
        let both = of("sleep").unwrap();
        assert_eq!((both.name.as_str(), both.pod.as_str(), both.namespace.as_str()), ("", "", "default"));
        assert_eq!(both.labels, labels(&[("tier", "1")]));
        assert!(of("nobody").is_none());
    }

    #[test]
    fn of_an_account_is_known_what_its_workloads_have_in_common() {
        let with = |name: &str, account: &str, labels: &[(&str, &str)]| {
            let pod = resource(&POD, "default", name, json!({"spec": {"serviceAccountName": account}}));
            labelled(pod, labels)
        };
        let registry = MemoryRegistry::with_kinds(FEW_KINDS);
        let declared = [
            deployment("sleep"),
            with("a", "shared", &[("app", "a"), ("team", "x")]),
            with("b", "shared", &[("app", "b"), ("team", "x")]),
        ];
        registry.commit(create(declared)).unwrap();
        let holders = Holders::new(&registry, &TrustDomain::default()).unwrap();
        let of = |account| holders.of_account("default", account);
        assert_eq!(Some(of("sleep")), Workload::find(&registry, "sleep", "default").unwrap());
        let shared = of("shared");
        assert_eq!((shared.name.as_str(), shared.labels), ("", labels(&[("team", "x")])));
        assert_eq!(shared.principal, "cluster.local/ns/default/sa/shared");
        let alone = of("alone");
        assert_eq!((alone.service_account.as_str(), alone.labels.len()), ("alone", 0));
    }
}
