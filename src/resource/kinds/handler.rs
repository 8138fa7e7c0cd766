//! handler: where a rule sends instances, by the name of the adapter (the newer form of stdio, denier, …).

use serde::Deserialize;
use serde_json::Value as Json;

use super::cells;
use super::check::{self, At};
use super::part_of;
use crate::diagnostic::{Code, Problem};
use crate::resource::{Kind, Role, Typed};

/// The kind `handler` (config.istio.io).
pub static HANDLER: Kind = Kind {
    group: "config.istio.io",
    versions: &["v1alpha2"],
    categories: cells::POLICY,
    check: |resource, problems| check::spec::<Handler>(resource, problems, rules),
    ..cells::kind("handler", "handlers", "handler")
};

/// `spec` of a handler.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Handler {
    /// Name of an adapter of ours.
    pub compiled_adapter: String,
    /// An adapter outside the process.
    pub adapter: String,
    /// What the adapter's own kind has under `spec`.
    pub params: Json,
    /// Where an adapter outside the process is found.
    pub connection: Json,
}

impl Typed for Handler {
    const ROOT: Option<&'static str> = Some("spec");
}

fn rules(at: &mut At<'_>, handler: &Handler) {
    if !handler.adapter.is_empty() {
        return out_of_process(&mut at.field("adapter"), "compiledAdapter");
    }
    named_part(at, "compiledAdapter", &handler.compiled_adapter, Role::Handler, &handler.params);
}

/// Checks params by the kind of the part that a field names.
pub(super) fn named_part(at: &mut At<'_>, field: &str, name: &str, role: Role, params: &Json) {
    let mut named = at.field(field);
    let known = || super::KINDS.iter().filter(|kind| kind.part.is_some_and(|part| part.role == role));
    match part_of(role, name) {
        Some((_, part)) => (part.check)(params, at.field("params").path, at.problems),
        None if name.is_empty() => named.required(),
        None => {
            let message = format!("Unsupported value: \"{name}\"");
            let problem = Problem::error(Code::NotSupported, named.path.clone(), message);
            named.problems.push(problem.expected(known().map(|kind| kind.name)));
        }
    }
}

/// Refuses what would run outside the process.
pub(super) fn out_of_process(at: &mut At<'_>, instead: &str) {
    at.advise(
        "adapters and templates outside the process are not supported",
        format!("name one that is built in with {instead}"),
    );
}

#[cfg(test)]
mod tests {
    use super::super::INSTANCE;
    use super::super::tests::check;
    use super::*;

    #[test]
    fn params_are_those_of_the_adapters_own_kind() {
        assert_eq!(check(&HANDLER, "compiledAdapter: denier\nparams: {status: {code: 7}}"), [""; 0]);
        assert_eq!(
            check(&HANDLER, "compiledAdapter: denier\nparams: {status: {code: 77}}"),
            ["spec.params.status.code: 77 is no code of google.rpc"]
        );
        assert_eq!(check(&INSTANCE, "compiledTemplate: listentry"), ["spec.params.value: Required value"]);
    }

    #[test]
    fn what_is_not_built_in_is_refused_by_name() {
        assert_eq!(
            check(&HANDLER, "compiledAdapter: circonus"),
            ["spec.compiledAdapter: Unsupported value: \"circonus\""]
        );
        assert_eq!(check(&INSTANCE, "params: {}"), ["spec.compiledTemplate: Required value"]);
        assert_eq!(
            check(&HANDLER, "adapter: mine"),
            ["spec.adapter: adapters and templates outside the process are not supported"]
        );
    }
}
