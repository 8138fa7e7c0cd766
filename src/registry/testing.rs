//! Kinds and resources for tests of this module and those above it.

use serde_json::{Map, Value as Json, json};

use crate::diagnostic::Problems;
use crate::resource::{Key, Kind, Labels, Meta, Resource};

use super::{Operation, Transaction};

const fn kind(
    group: &'static str,
    versions: &'static [&'static str],
    name: &'static str,
    plural: &'static str,
    namespaced: bool,
) -> Kind {
    fn unchecked(_: &Resource, _: &mut Problems) {}
    Kind {
        group,
        versions,
        aliases: &[],
        name,
        plural,
        singular: name,
        short: &[],
        namespaced,
        categories: &[],
        columns: &[],
        check: unchecked,
        stored: |_| {},
        part: None,
    }
}

pub(crate) static NAMESPACE: Kind = kind("", &["v1"], "Namespace", "namespaces", false);
pub(crate) static SERVICE: Kind = kind("", &["v1"], "Service", "services", true);
pub(crate) static POD: Kind = kind("", &["v1"], "Pod", "pods", true);
pub(crate) static DEPLOYMENT: Kind = kind("apps", &["v1"], "Deployment", "deployments", true);
pub(crate) static RULE: Kind = kind("config.istio.io", &["v1alpha2"], "rule", "rules", true);
pub(crate) static GATEWAY: Kind =
    kind("networking.istio.io", &["v1", "v1beta1", "v1alpha3"], "Gateway", "gateways", true);

/// A table of kinds as the real one, but with few.
pub(crate) static FEW_KINDS: &[&Kind] = &[&NAMESPACE, &SERVICE, &POD, &DEPLOYMENT, &RULE, &GATEWAY];

/// A resource with a body.
pub(crate) fn resource(kind: &'static Kind, namespace: &str, name: &str, body: Json) -> Resource {
    let Json::Object(body) = body else { panic!("a body is an object: {body}") };
    let namespace = kind.namespaced.then(|| namespace.to_owned());
    let meta = Meta { name: name.to_owned(), namespace, ..Meta::default() };
    Resource { kind, version: kind.versions[0].to_owned(), meta, body, origin: None }
}

/// A rule of `default`.
pub(crate) fn rule(name: &str, expression: &str) -> Resource {
    resource(&RULE, "default", name, json!({"spec": {"match": expression}}))
}

/// A resource with labels.
pub(crate) fn labelled(mut resource: Resource, labels: &[(&str, &str)]) -> Resource {
    resource.meta.labels = self::labels(labels);
    resource
}

/// Labels of pairs.
pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A namespace.
pub(crate) fn namespace(name: &str) -> Resource {
    resource(&NAMESPACE, "", name, Json::Object(Map::new()))
}

/// The key of a rule of `default`.
pub(crate) fn rule_key(name: &str) -> Key {
    Key::new(&RULE, "default", name)
}

/// A transaction that creates resources.
pub(crate) fn create(resources: impl IntoIterator<Item = Resource>) -> Transaction {
    Transaction { operations: resources.into_iter().map(Operation::Create).collect() }
}

/// A transaction of one operation.
pub(crate) fn one(operation: Operation) -> Transaction {
    Transaction { operations: vec![operation] }
}
