//! A workload: what a caller is known by in attributes and policies.

use serde_json::Value as Json;

use crate::diagnostic::nearest;
use crate::registry::{ListQuery, Result, Selector, View, find_kind};
use crate::resource::{Key, Labels, Resource};

use super::pods::{first_pod, string_map};
use super::{Cluster, SpiffeId, TrustDomain};

/// Domain of the cluster: the last part of full host names of Services, and of principals where no other is named.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// The service account of Pods that name none.
const DEFAULT_ACCOUNT: &str = "default";

/// A Deployment, or a Pod of its own, as its calls are attributed. Its texts are the values of Istio's `source.*`
/// attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// The Deployment's name; for a Pod of its own the Pod's. `source.workload.name`.
    pub name: String,
    /// Its namespace. `source.namespace`, `source.workload.namespace`.
    pub namespace: String,
    /// `istio://NAMESPACE/workloads/NAME`. `source.workload.uid`.
    pub workload_uid: String,
    /// The labels of its Pods. `source.labels`.
    pub labels: Labels,
    /// The service account that its Pods run under, without namespace. `source.serviceAccount`.
    pub service_account: String,
    /// Who the caller is by that account: `cluster.local/ns/NAMESPACE/sa/ACCOUNT`. `source.principal`.
    pub principal: String,
    /// Full host names, `sleep.default.svc.cluster.local`, of the Services of its namespace that select its Pods, in
    /// the order of names. `source.services`; the first is `source.service`.
    pub services: Vec<String>,
    /// The Pod that calls: the one that was named, or a Deployment's first. `source.name`.
    pub pod: String,
    /// `kubernetes://POD.NAMESPACE`. `source.uid`.
    pub uid: String,
    /// What the Pod belongs to: `kubernetes://apis/apps/v1/namespaces/NAMESPACE/deployments/NAME`. `source.owner`.
    pub owner: String,
    /// What its calls are refused for is only reported (annotation `egressctl.io/mode: report`).
    pub report_only: bool,
}

impl Workload {
    /// The workload that a name stands for: a Deployment, or else a Pod, stored or derived from a Deployment.
    ///
    /// # Errors
    /// Those of reading the view.
    pub fn find(view: &dyn View, name: &str, namespace: &str) -> Result<Option<Self>> {
        let kinds = view.kinds();
        let (Some(deployment), Some(pod)) = (find_kind(kinds, "apps", "Deployment"), find_kind(kinds, "", "Pod"))
        else {
            return Ok(None);
        };
        if let Some(deployment) = view.get(&Key::new(deployment, namespace, name))? {
            return Ok(Some(Self::of(&services(view, namespace)?, &deployment, &first_pod(&deployment, pod))));
        }
        let key = Key::new(pod, namespace, name);
        if let Some(stored) = view.get(&key)? {
            return Ok(Some(Self::of(&services(view, namespace)?, &stored, &stored)));
        }
        let Some((deployment, pod)) = Cluster::new(view).derive(&key)? else { return Ok(None) };
        Ok(Some(Self::of(&services(view, namespace)?, &deployment, &pod)))
    }

    /// The declared Deployment or Pod that a name which is not declared was meant for, and its namespace: the same name
    /// elsewhere, or a name of the same namespace that is almost it.
    ///
    /// # Errors
    /// Those of reading the view.
    pub fn nearest(view: &dyn View, name: &str, namespace: &str) -> Result<Option<(String, String)>> {
        let kinds = view.kinds();
        let mut known = Vec::new();
        for kind in [find_kind(kinds, "apps", "Deployment"), find_kind(kinds, "", "Pod")].into_iter().flatten() {
            let found = view.list(&ListQuery { kind, namespace: None, selector: Selector::default() })?;
            known.extend(found.iter().map(|found| (found.meta.name.clone(), found.namespace().to_owned())));
        }
        let elsewhere = known.iter().find(|(found, _)| found == name);
        if elsewhere.is_some() {
            return Ok(elsewhere.cloned());
        }
        let neighbours = known.iter().filter(|(_, of)| of == namespace).map(|(name, _)| name.as_str());
        Ok(nearest(name, neighbours).map(|near| (near.to_owned(), namespace.to_owned())))
    }

    /// All that are declared: Deployments, and Pods of their own.
    ///
    /// # Errors
    /// Those of reading the view.
    pub fn all(view: &dyn View) -> Result<Vec<Self>> {
        Ok(Self::with_pods(view)?.into_iter().map(|(workload, _)| workload).collect())
    }

    /// All that are declared, each with the Pod that calls.
    fn with_pods(view: &dyn View) -> Result<Vec<(Self, Resource)>> {
        let kinds = view.kinds();
        let list = |kind| view.list(&ListQuery::all(kind));
        let services = find_kind(kinds, "", "Service").map(list).transpose()?.unwrap_or_default();
        let Some(pod) = find_kind(kinds, "", "Pod") else { return Ok(Vec::new()) };
        let deployments = find_kind(kinds, "apps", "Deployment").map(list).transpose()?.unwrap_or_default();
        let of_deployments = deployments.iter().map(|owner| {
            let pod = first_pod(owner, pod);
            (Self::of(&services, owner, &pod), pod)
        });
        let pods = list(pod)?.into_iter().map(|pod| (Self::of(&services, &pod, &pod), pod));
        Ok(of_deployments.chain(pods).collect())
    }

    /// The same, in a trust domain.
    #[must_use]
    pub fn of_domain(self, domain: &TrustDomain) -> Self {
        Self { principal: format!("{domain}/ns/{}/sa/{}", self.namespace, self.service_account), ..self }
    }

    /// Who it is in certificates; none where its names have no place in one.
    pub fn identity(&self) -> Option<SpiffeId> {
        format!("spiffe://{}", self.principal).parse().ok()
    }

    /// What this and another workload have in common.
    #[must_use]
    pub(super) fn in_common(mut self, other: &Self) -> Self {
        let keep = |own: &mut String, other: &String| {
            if own != other {
                own.clear();
            }
        };
        keep(&mut self.name, &other.name);
        keep(&mut self.workload_uid, &other.workload_uid);
        keep(&mut self.pod, &other.pod);
        keep(&mut self.uid, &other.uid);
        keep(&mut self.owner, &other.owner);
        self.labels.retain(|name, value| other.labels.get(name) == Some(value));
        self.services.retain(|service| other.services.contains(service));
        self.report_only &= other.report_only;
        self
    }

    /// The trust domain of its principal.
    pub fn trust_domain(&self) -> &str {
        self.principal.split('/').next().unwrap_or_default()
    }

    /// The workloads whose Pods say as which user they run (`securityContext.runAsUser`), with that user, by namespace and
    /// name. Root is none: it can be anybody.
    ///
    /// # Errors
    /// Those of reading the view.
    pub fn by_user(view: &dyn View) -> Result<Vec<(u32, Self)>> {
        let all = Self::with_pods(view)?.into_iter();
        Ok(all.filter_map(|(workload, pod)| Some((user_of(&pod)?, workload))).collect())
    }

    /// Of whom nothing is known but the service account.
    pub(super) fn of_account_alone(domain: &TrustDomain, namespace: &str, account: &str) -> Self {
        let (namespace, service_account) = (namespace.to_owned(), account.to_owned());
        Self { namespace, service_account, ..Self::default() }.of_domain(domain)
    }

    /// The workload of a Pod that belongs to `owner`, which is the Pod itself if it belongs to nothing.
    fn of(services: &[Resource], owner: &Resource, pod: &Resource) -> Self {
        let (namespace, name) = (pod.namespace(), &owner.meta.name);
        let account = pod.spec().get("serviceAccountName").and_then(Json::as_str).unwrap_or(DEFAULT_ACCOUNT);
        let (api, plural) = (owner.kind.api_version(&owner.version), owner.kind.plural);
        Self {
            name: name.clone(),
            namespace: namespace.to_owned(),
            workload_uid: format!("istio://{namespace}/workloads/{name}"),
            labels: pod.meta.labels.clone(),
            service_account: account.to_owned(),
            principal: principal(namespace, account),
            services: services_of(services, pod),
            pod: pod.meta.name.clone(),
            uid: format!("kubernetes://{}.{namespace}", pod.meta.name),
            owner: format!("kubernetes://apis/{api}/namespaces/{namespace}/{plural}/{name}"),
            report_only: owner.meta.only_reports() || pod.meta.only_reports(),
        }
    }
}

/// The user that all containers of a Pod run as, if it says so: each as it says itself, else as the Pod does.
fn user_of(pod: &Resource) -> Option<u32> {
    let user = |of: &Json| of.pointer("/securityContext/runAsUser").and_then(Json::as_u64);
    let (spec, common) = (pod.spec(), user(pod.spec()));
    let mut users = spec.get("containers")?.as_array()?.iter().map(|container| user(container).or(common));
    let first = users.next()??;
    let same = users.all(|user| user == Some(first));
    u32::try_from(first).ok().filter(|user| same && *user != 0)
}

fn principal(namespace: &str, account: &str) -> String {
    format!("{CLUSTER_DOMAIN}/ns/{namespace}/sa/{account}")
}

/// The Services of a namespace.
fn services(view: &dyn View, namespace: &str) -> Result<Vec<Resource>> {
    let Some(kind) = find_kind(view.kinds(), "", "Service") else { return Ok(Vec::new()) };
    view.list(&ListQuery::within(kind, namespace))
}

/// The full names of those Services of a Pod's namespace that select it.
fn services_of(services: &[Resource], pod: &Resource) -> Vec<String> {
    let near = services.iter().filter(|service| service.namespace() == pod.namespace());
    let selecting = near.filter(|service| selects(service, pod));
    selecting.map(|service| full_host(&service.meta.name, service.namespace())).collect()
}

/// A Service without selector selects nothing: its endpoints are given by hand.
fn selects(service: &Resource, pod: &Resource) -> bool {
    let selector = string_map(service.spec().get("selector"));
    !selector.is_empty() && Selector::from(&selector).matches(&pod.meta.labels)
}

fn full_host(service: &str, namespace: &str) -> String {
    format!("{service}.{namespace}.svc.{CLUSTER_DOMAIN}")
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::testing::*;
    use crate::registry::{MemoryRegistry, Registry};

    /// A Deployment of `default` with one container, all named alike.
    pub(in super::super) fn deployment(name: &str) -> Resource {
        let template = json!({
            "metadata": {"labels": {"app": name}},
            "spec": {"serviceAccountName": name, "containers": [{"name": name, "image": "curl"}]},
        });
        resource(&DEPLOYMENT, "default", name, json!({"spec": {"template": template}}))
    }

    fn service(namespace: &str, name: &str, selector: Json) -> Resource {
        resource(&SERVICE, namespace, name, json!({"spec": {"selector": selector}}))
    }

    fn registry(resources: impl IntoIterator<Item = Resource>) -> MemoryRegistry {
        let registry = MemoryRegistry::with_kinds(FEW_KINDS);
        registry.commit(create(resources)).unwrap();
        registry
    }

    #[test]
    fn a_deployment_is_found_with_all_that_istio_attributes_to_it() {
        let registry = registry([deployment("sleep"), service("default", "sleep", json!({"app": "sleep"}))]);
        let workload = Workload::find(&registry, "sleep", "default").unwrap().unwrap();
        assert!(workload.pod.starts_with("sleep-"));
        assert_eq!(workload.uid, format!("kubernetes://{}.default", workload.pod));
        assert_eq!(workload.owner, "kubernetes://apis/apps/v1/namespaces/default/deployments/sleep");
        assert_eq!(workload.workload_uid, "istio://default/workloads/sleep");
        assert_eq!(workload.labels["app"], "sleep");
        assert_eq!(workload.service_account, "sleep");
        assert_eq!(workload.services, ["sleep.default.svc.cluster.local"]);
    }

    #[test]
    fn a_pod_of_a_deployment_is_the_same_workload() {
        let registry = registry([deployment("sleep")]);
        let by_name = Workload::find(&registry, "sleep", "default").unwrap().unwrap();
        let by_pod = Workload::find(&registry, &by_name.pod, "default").unwrap().unwrap();
        assert_eq!(by_pod, by_name);
    }

    #[test]
    fn a_pod_of_its_own_is_its_own_workload() {
        let pod = labelled(resource(&POD, "default", "job", json!({"spec": {"containers": []}})), &[("app", "job")]);
        let registry = registry([pod]);
        let workload = Workload::find(&registry, "job", "default").unwrap().unwrap();
        assert_eq!((workload.name.as_str(), workload.pod.as_str()), ("job", "job"));
        assert_eq!(workload.owner, "kubernetes://apis/v1/namespaces/default/pods/job");
        assert_eq!(workload.service_account, "default");
    }

    #[test]
    fn a_deployment_scaled_to_nothing_is_still_a_workload() {
        let mut sleep = deployment("sleep");
        sleep.body["spec"]["replicas"] = json!(0);
        assert!(Workload::find(&registry([sleep]), "sleep", "default").unwrap().is_some());
    }

    #[test]
    fn services_select_within_their_namespace_and_by_all_labels() {
        let registry = registry([
            namespace("other"),
            deployment("sleep"),
            service("default", "b", json!({"app": "sleep"})),
            service("default", "a", json!({"app": "sleep"})),
            service("default", "more", json!({"app": "sleep", "tier": "1"})),
            service("default", "none", json!({})),
            service("other", "elsewhere", json!({"app": "sleep"})),
        ]);
        let workload = Workload::find(&registry, "sleep", "default").unwrap().unwrap();
        assert_eq!(workload.services, ["a.default.svc.cluster.local", "b.default.svc.cluster.local"]);
    }

    #[test]
    fn a_name_that_is_not_there_is_no_workload() {
        let registry = registry([deployment("sleep")]);
        assert!(Workload::find(&registry, "sleep", "istio-system").unwrap().is_none());
        assert!(Workload::find(&registry, "nobody", "default").unwrap().is_none());
    }
}
