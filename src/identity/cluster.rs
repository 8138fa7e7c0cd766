//! A view of the registry with the Pods that its Deployments stand for.

use serde_json::json;

use crate::registry::{ListQuery, Result, Revision, View, find_kind};
use crate::resource::{Key, Kind, Resource};

use super::pods::{may_own, pods_of, replicas};

/// A view in which `get` and `list` of the kind Pod also find the Pods of Deployments. A stored Pod hides a derived one
/// of its name.
#[derive(Debug, Clone)]
pub struct Cluster<V> {
    view: V,
}

impl<V: View> Cluster<V> {
    /// Shows what a view has, and the Pods that follow from it.
    pub fn new(view: V) -> Self {
        Self { view }
    }

    /// The view without derived Pods.
    pub fn inner(&self) -> &V {
        &self.view
    }

    fn deployments(&self, namespace: Option<String>) -> Result<Vec<Resource>> {
        match find_kind(self.kinds(), "apps", "Deployment") {
            Some(kind) => self.view.list(&ListQuery { namespace, ..ListQuery::all(kind) }),
            None => Ok(Vec::new()),
        }
    }

    /// The Deployment that a Pod follows from, and the Pod; `None` if it follows from none.
    pub(super) fn derive(&self, key: &Key) -> Result<Option<(Resource, Resource)>> {
        let deployments = self.deployments(key.namespace.clone())?;
        let mut candidates = deployments.into_iter().filter(|deployment| may_own(deployment, key));
        Ok(candidates.find_map(|deployment| {
            let pod = pods_of(&deployment, key.kind).into_iter().find(|pod| pod.meta.name == key.name)?;
            Some((deployment, pod))
        }))
    }
}

impl<V: View> View for Cluster<V> {
    fn get(&self, key: &Key) -> Result<Option<Resource>> {
        match self.view.get(key)? {
            None if is_pod(key.kind) => Ok(self.derive(key)?.map(|(_, pod)| pod)),
            Some(deployment) if is_deployment(key.kind) => Ok(Some(running(deployment))),
            stored => Ok(stored),
        }
    }

    fn list(&self, query: &ListQuery) -> Result<Vec<Resource>> {
        let mut found = self.view.list(query)?;
        if is_deployment(query.kind) {
            return Ok(found.into_iter().map(running).collect());
        }
        if !is_pod(query.kind) {
            return Ok(found);
        }
        let deployments = self.deployments(query.namespace.clone())?;
        let derived = deployments.iter().flat_map(|deployment| pods_of(deployment, query.kind));
        found.extend(derived.filter(|pod| query.selector.matches(&pod.meta.labels)));
        // Stable: of two with the same name the stored one comes first and is kept.
        found.sort_by(|a, b| place(a).cmp(&place(b)));
        found.dedup_by(|later, earlier| place(later) == place(earlier));
        Ok(found)
    }

    fn revision(&self) -> Result<Revision> {
        self.view.revision()
    }

    fn kinds(&self) -> &'static [&'static Kind] {
        self.view.kinds()
    }
}

fn is_pod(kind: &Kind) -> bool {
    kind.group.is_empty() && kind.name == "Pod"
}

fn is_deployment(kind: &Kind) -> bool {
    kind.group == "apps" && kind.name == "Deployment"
}

/// A Deployment with the status that its Pods, which are always ready, give it.
fn running(mut deployment: Resource) -> Resource {
    let count = replicas(&deployment);
    let status = json!({
        "availableReplicas": count,
        "readyReplicas": count,
        "replicas": count,
        "updatedReplicas": count,
    });
    deployment.body.entry("status").or_insert(status);
    deployment
}

fn place(resource: &Resource) -> (&str, &str) {
    (resource.namespace(), &resource.meta.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::testing::*;
    use crate::registry::{MemoryRegistry, Registry, Requirement, Selector};

    use super::super::workload::tests::deployment;

    fn cluster(resources: impl IntoIterator<Item = Resource>) -> Cluster<MemoryRegistry> {
        let registry = MemoryRegistry::with_kinds(FEW_KINDS);
        registry.commit(create(resources)).unwrap();
        Cluster::new(registry)
    }

    fn names(cluster: &Cluster<MemoryRegistry>, query: &ListQuery) -> Vec<String> {
        cluster.list(query).unwrap().into_iter().map(|pod| pod.meta.name).collect()
    }

    #[test]
    fn pods_of_deployments_are_listed_among_stored_ones() {
        let stored = resource(&POD, "default", "a-stored-one", json!({}));
        let cluster = cluster([deployment("sleep"), stored, deployment("httpbin")]);
        let names = names(&cluster, &ListQuery::within(&POD, "default"));
        let starts: Vec<&str> = names.iter().map(|name| name.split_once('-').unwrap().0).collect();
        assert_eq!(starts, ["a", "httpbin", "sleep"]);
        assert_eq!(cluster.list(&ListQuery::all(&POD)).unwrap().len(), 5, "and two of Istio's own");
        assert!(cluster.inner().list(&ListQuery::within(&POD, "default")).unwrap().len() == 1, "nothing was stored");
    }

    #[test]
    fn a_derived_pod_is_found_by_its_name() {
        let cluster = cluster([deployment("sleep"), deployment("sleep-more")]);
        for pod in cluster.list(&ListQuery::within(&POD, "default")).unwrap() {
            assert_eq!(cluster.get(&pod.key()).unwrap(), Some(pod));
        }
        assert!(cluster.get(&Key::new(&POD, "default", "sleep")).unwrap().is_none());
        assert!(cluster.get(&Key::new(&POD, "default", "")).unwrap().is_none());
    }

    #[test]
    fn labels_select_derived_pods() {
        let cluster = cluster([]);
        let telemetry = Requirement::In("istio-mixer-type".into(), vec!["telemetry".into()]);
        let query = ListQuery { selector: Selector(vec![telemetry]), ..ListQuery::within(&POD, "istio-system") };
        let pods = cluster.list(&query).unwrap();
        assert_eq!(pods.len(), 1);
        assert!(pods[0].meta.name.starts_with("istio-telemetry-"));
        assert_eq!(pods[0].spec()["containers"][0]["name"], "mixer");
    }

    #[test]
    fn a_stored_pod_hides_a_derived_one_of_its_name() {
        let pod = pods_of(&deployment("sleep"), &POD).remove(0);
        let mut sleep = deployment("sleep");
        let cluster = cluster([sleep.clone()]);
        sleep = cluster.get(&sleep.key()).unwrap().unwrap();
        let derived = pods_of(&sleep, &POD).remove(0);
        assert_ne!(derived.meta.name, pod.meta.name, "the stored Deployment has a uid");
        let stored = resource(&POD, "default", &derived.meta.name, json!({"spec": {"mine": true}}));
        cluster.inner().commit(create([stored])).unwrap();
        assert_eq!(cluster.get(&derived.key()).unwrap().unwrap().spec()["mine"], true);
        assert_eq!(names(&cluster, &ListQuery::within(&POD, "default")), [derived.meta.name]);
    }
}
