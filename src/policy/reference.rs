//! Which handler or instance the name in a rule means.

use crate::resource::kinds::rule::Reference;
use crate::resource::kinds::{HANDLER, INSTANCE, by_manifest};
use crate::resource::{Kind, Role};

/// What a reference may mean, in the order in which it is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referred {
    /// Name, kind and namespace of each.
    pub candidates: Vec<(String, &'static Kind, String)>,
    /// The full name that is told where none is there.
    pub full: String,
}

/// The meanings of a reference in a rule of a namespace (Istio 1.0): of three parts it is a full name; `a.b` is `a` of
/// kind `b`, else the `handler` or `instance` `a` of namespace `b`; `x` is the `handler` or `instance` of that name.
pub fn resolve(reference: &str, role: Role, namespace: &str) -> Referred {
    let generic = match role {
        Role::Handler => &HANDLER,
        Role::Instance => &INSTANCE,
    };
    let kind_of = |name: &str| {
        let found = by_manifest(Some("config.istio.io/v1alpha2"), name)?.kind;
        let fits = found == generic || found.part.is_some_and(|part| part.role == role);
        fits.then_some(found)
    };
    let named = |name: &str, kind: &'static Kind, namespace: &str| (name.to_owned(), kind, namespace.to_owned());
    let (candidates, full) = match Reference::parse(reference) {
        Ok(Reference::Name(name)) => {
            (vec![named(name, generic, namespace)], format!("{name}.{}.{namespace}", generic.name))
        }
        Ok(Reference::Two(name, second)) => match kind_of(second) {
            Some(kind) => (vec![named(name, kind, namespace)], format!("{name}.{second}.{namespace}")),
            None => (vec![named(name, generic, second)], format!("{name}.{second}.{namespace}")),
        },
        Ok(Reference::Full { name, kind, namespace }) => {
            let found = kind_of(kind).map(|kind| named(name, kind, namespace));
            (found.into_iter().collect(), reference.to_owned())
        }
        // Refused when the rule was declared.
        Err(_) => (Vec::new(), reference.to_owned()),
    };
    Referred { candidates, full }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meanings(reference: &str) -> Vec<String> {
        let found = resolve(reference, Role::Instance, "default").candidates;
        found.into_iter().map(|(name, kind, namespace)| format!("{name}.{}.{namespace}", kind.name)).collect()
    }

    #[test]
    fn references_are_completed_in_the_rules_namespace() {
        assert_eq!(meanings("egress-access.logentry"), ["egress-access.logentry.default"]);
        assert_eq!(meanings("egress-access.logentry.istio-system"), ["egress-access.logentry.istio-system"]);
        assert_eq!(meanings("egress-access"), ["egress-access.instance.default"]);
        assert_eq!(meanings("egress-access.other"), ["egress-access.instance.other"]);
    }

    #[test]
    fn a_handler_is_no_instance() {
        assert_eq!(meanings("h.stdio.default"), [""; 0]);
    }
}
