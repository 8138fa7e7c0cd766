//! Where policies of authorization are enforced: at the egress gateway alone. A user must never believe that one holds
//! elsewhere.

use crate::diagnostic::{Code, FieldPath, Problem, Problems};
use crate::identity::Workload;
use crate::policy::authorization::{Enforcer, ROOT_NAMESPACE};
use crate::registry::{Result, View};
use crate::resource::Resource;
use crate::resource::kinds::{AUTHORIZATION_POLICY, PEER_AUTHENTICATION, SERVICE_ROLE, SERVICE_ROLE_BINDING};
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

/// Name and namespace of the gateway that a proxy plays if it is told no other, and the place that it is for policies.
///
/// # Errors
/// Those of reading the view.
pub fn gateway(view: &dyn View) -> Result<(String, Enforcer)> {
    let gateway = Workload::find(view, GATEWAY_WORKLOAD, GATEWAY_NAMESPACE)?;
    Ok((format!("{GATEWAY_WORKLOAD}.{GATEWAY_NAMESPACE}"), enforcer(GATEWAY_NAMESPACE, gateway.as_ref())))
}

/// Warns of a policy that is for no workload at which policies are enforced.
pub(super) fn unenforced(view: &dyn View, resource: &Resource, problems: &mut Problems) -> Result<()> {
    let kinds = [&AUTHORIZATION_POLICY, &PEER_AUTHENTICATION, &SERVICE_ROLE, &SERVICE_ROLE_BINDING];
    if !kinds.contains(&resource.kind) {
        return Ok(());
    }
    let (_, enforcer) = gateway(view)?;
    // What does not decode has been refused already.
    let fits = if *resource.kind == AUTHORIZATION_POLICY {
        resource.typed().is_ok_and(|policy| enforcer.fits(resource.namespace(), &policy))
    } else if *resource.kind == PEER_AUTHENTICATION {
        resource.typed().is_ok_and(|peers| enforcer.takes(resource, &peers))
    } else {
        resource.namespace() == enforcer.namespace
    };
    if fits {
        return Ok(());
    }
    let of_namespace = resource.namespace() == enforcer.namespace || resource.namespace() == ROOT_NAMESPACE;
    let selects = resource.spec().get("selector").is_some_and(|selector| !selector.is_null());
    let at = match (of_namespace, selects) {
        (false, _) => FieldPath::of("metadata.namespace"),
        (true, true) => FieldPath::of("spec.selector"),
        (true, false) => FieldPath::of("spec"),
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
