//! What a Pod is to proxies: who its calls come from, and the listener that takes them.

use crate::cli::admin_client;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::output::describe::Description;
use crate::identity::Workload;
use crate::registry::View;
use crate::resource::Resource;
use crate::resource::kinds::POD;

/// Writes identity and listeners of a Pod; nothing of other kinds.
pub(super) fn write(
    resource: &Resource,
    view: &dyn View,
    context: &Context,
    description: &mut Description,
) -> Result<(), Failure> {
    if *resource.kind != POD {
        return Ok(());
    }
    let Some(workload) = Workload::find(view, &resource.meta.name, resource.namespace())? else { return Ok(()) };
    description.pair(0, "Identity", &format!("spiffe://{}", workload.principal));
    let full_name = format!("{}.{}", workload.name, workload.namespace);
    let mut has_listener = false;
    for proxy in admin_client::all(&context.state_dir()?)? {
        let own = |name: &Option<String>| name.as_ref() == Some(&full_name);
        for listener in proxy.listeners.iter().filter(|listener| own(&listener.workload)) {
            description.pair(0, "Sidecar", &format!("{} (proxy {})", listener.address, proxy.node));
            has_listener = true;
        }
    }
    if !has_listener {
        let start = format!("egressctl proxy start --listen 127.0.0.1:15001={full_name}");
        description.pair(0, "Sidecar", &format!("none runs; start one: {start}"));
    }
    Ok(())
}
