//! Where policies of authorization are enforced: at the egress gateway alone. A user must never believe that one holds
//! elsewhere.

use crate::diagnostic::{Code, FieldPath, Problem, Problems};
use crate::identity::Workload;
use crate::policy::authorization::{Enforcer, ROOT_NAMESPACE};
use crate::registry::{Result, View};
use crate::resource::Resource;
use crate::resource::kinds::authorization_policy::AuthorizationPolicy;
use crate::resource::kinds::{AUTHORIZATION_POLICY, SERVICE_ROLE, SERVICE_ROLE_BINDING};
use crate::routing::GATEWAY_NAMESPACE;

/// The workload that plays the gateway, if no other is named.
pub(super) const GATEWAY_WORKLOAD: &str = "istio-egressgateway";

/// The gateway as the place where policies are enforced.
pub(super) fn enforcer(namespace: &str, gateway: Option<&Workload>) -> Enforcer {
    Enforcer {
        namespace: namespace.to_owned(),
        labels: gateway.map(|gateway| gateway.labels.clone()).unwrap_or_default(),
        trust_domain: gateway.map(|gateway| gateway.trust_domain().to_owned()).unwrap_or_default(),
    }
}

/// Warns of a policy that is for no workload at which policies are enforced.
pub(super) fn unenforced(view: &dyn View, resource: &Resource, problems: &mut Problems) -> Result<()> {
    let is_role = [&SERVICE_ROLE, &SERVICE_ROLE_BINDING].contains(&resource.kind);
    if *resource.kind != AUTHORIZATION_POLICY && !is_role {
        return Ok(());
    }
    let gateway = Workload::find(view, GATEWAY_WORKLOAD, GATEWAY_NAMESPACE)?;
    let enforcer = enforcer(GATEWAY_NAMESPACE, gateway.as_ref());
    // What does not decode has been refused already.
    let policy = resource.typed::<AuthorizationPolicy>().unwrap_or_default();
    let fits = match is_role {
        true => resource.namespace() == enforcer.namespace,
        false => enforcer.fits(resource.namespace(), &policy),
    };
    if fits {
        return Ok(());
    }
    let of_namespace = resource.namespace() == enforcer.namespace || resource.namespace() == ROOT_NAMESPACE;
    let at = match (of_namespace, &policy.selector) {
        (false, _) => FieldPath::of("metadata.namespace"),
        (true, Some(_)) => FieldPath::of("spec.selector"),
        (true, None) => FieldPath::of("spec"),
    };
    let kind = resource.kind.name;
    let message = format!("this {kind} is for no workload at which it would be enforced");
    let help = format!(
        "calls that leave are judged at the egress gateway, not where they start: give it the namespace \
         {GATEWAY_NAMESPACE}, and no selector or one that fits {GATEWAY_WORKLOAD}"
    );
    problems.push(Problem::warning(Code::NoEffect, at, message).help(help));
    Ok(())
}
