//! Where a policy of authorization is enforced, and which are at the gateway.

use crate::cli::failure::Failure;
use crate::cli::output::describe::Description;
use crate::identity::Workload;
use crate::policy::authorization::Enforcer;
use crate::registry::{ListQuery, View};
use crate::resource::Resource;
use crate::resource::kinds::authorization_policy::{AuthorizationPolicy, is_dry_run};
use crate::resource::kinds::{AUTHORIZATION_POLICY, POD};
use crate::snapshot::enforcement;

/// Writes what is enforced where; nothing of other kinds than policies and the gateway's Pod.
pub(super) fn write(resource: &Resource, view: &dyn View, description: &mut Description) -> Result<(), Failure> {
    let (name, enforcer) = enforcement::gateway(view)?;
    if *resource.kind == AUTHORIZATION_POLICY {
        let fits = resource.typed().is_ok_and(|policy| enforcer.fits(resource.namespace(), &policy));
        let place = if fits { format!("egress gateway {name}") } else { "nowhere".to_owned() };
        description.pair(0, "Enforced At", &place);
    } else if *resource.kind == POD {
        let workload = Workload::find(view, &resource.meta.name, resource.namespace())?;
        let is_gateway = workload.is_some_and(|workload| format!("{}.{}", workload.name, workload.namespace) == name);
        if is_gateway {
            policies(view, &enforcer, description)?;
        }
    }
    Ok(())
}

/// The policies of the gateway, a line each.
fn policies(view: &dyn View, enforcer: &Enforcer, description: &mut Description) -> Result<(), Failure> {
    let all = view.list(&ListQuery::all(&AUTHORIZATION_POLICY))?.into_iter();
    let decoded = all.filter_map(|resource| Some((resource.typed::<AuthorizationPolicy>().ok()?, resource)));
    let own: Vec<_> = decoded.filter(|(spec, resource)| enforcer.fits(resource.namespace(), spec)).collect();
    if own.is_empty() {
        return Ok(());
    }
    description.heading(0, "Authorization Policies");
    for (spec, resource) in own {
        let tried = if is_dry_run(&resource.meta) { ", only tried" } else { "" };
        let rules = match spec.rules.as_ref().map_or(0, Vec::len) {
            1 => "1 rule".to_owned(),
            number => format!("{number} rules"),
        };
        let name = format!("{}.{}", resource.meta.name, resource.namespace());
        description.pair(1, &name, &format!("{}, {rules}{tried}", spec.action.name()));
    }
    Ok(())
}
