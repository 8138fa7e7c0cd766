//! What a new registry holds: the namespaces, and what stands for Istio's own installation.

use serde_json::{Map, Value as Json};

use crate::resource::{Kind, Meta, Resource};

use super::{Operation, find_kind};

/// Objects in the order in which they are created.
const SEED: &str = include_str!("../../state/registry/seed.json");

/// The operations that fill a new registry; kinds that the table does not have are left out.
pub(super) fn operations(kinds: &'static [&'static Kind]) -> Vec<Operation> {
    let objects: Vec<Map<String, Json>> = serde_json::from_str(SEED).expect("a test reads the embedded seed");
    objects.into_iter().filter_map(|object| resource(kinds, object)).map(Operation::Create).collect()
}

fn resource(kinds: &'static [&'static Kind], mut object: Map<String, Json>) -> Option<Resource> {
    let api_version = object.remove("apiVersion")?;
    let (group, version) = api_version.as_str()?.rsplit_once('/').unwrap_or(("", api_version.as_str()?));
    let kind = find_kind(kinds, group, object.remove("kind")?.as_str()?)?;
    let meta: Meta = serde_json::from_value(object.remove("metadata")?).ok()?;
    Some(Resource { kind, version: version.to_owned(), meta, body: object, origin: None })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FEW_KINDS, NAMESPACE};
    use super::*;

    #[test]
    fn every_seeded_object_is_understood() {
        let names: Vec<_> = operations(FEW_KINDS)
            .into_iter()
            .map(|operation| match operation {
                Operation::Create(resource) => resource.key().to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = [
            "Namespace/default",
            "Namespace/istio-system",
            "Service/istio-egressgateway.istio-system",
            "Deployment/istio-egressgateway.istio-system",
            "Deployment/istio-telemetry.istio-system",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn unknown_kinds_are_left_out() {
        static ONLY_NAMESPACES: &[&Kind] = &[&NAMESPACE];
        assert_eq!(operations(ONLY_NAMESPACES).len(), 2);
    }
}
