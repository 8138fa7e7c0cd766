//! Would the registry with a change on top still do what the change says?
//!
//! A kind's own check has seen each resource alone; here its expressions are compiled, and its references looked up in
//! the registry with the change on top. What is missing is a warning: resources arrive and leave in any order.

use crate::diagnostic::{Code, FieldPath, Problem, Problems, nearest};
use crate::expr::Vocabulary;
use crate::policy::{Live, Parts, REPORT_ONLY, clash, full_name, resolve, vocabulary};
use crate::registry::{ListQuery, LoadError, Result, View};
use crate::resource::kinds::rule::Rule as RuleSpec;
use crate::resource::kinds::service_entry::ServiceEntry;
use crate::resource::kinds::virtual_service::{HttpRoute, VirtualService};
use crate::resource::kinds::{
    ATTRIBUTEMANIFEST, GATEWAY, HANDLER, INSTANCE, KINDS, RULE, SERVICE, SERVICE_ENTRY, VIRTUAL_SERVICE,
};
use crate::resource::{Key, Resource, Role};
use crate::routing::{covers, qualify};

use super::effects::without_effect;

/// What is to be said of a resource that is to be stored. `view` is the registry with the whole change on top.
///
/// # Errors
/// Only when the registry cannot be read.
pub fn review(view: &dyn View, resource: &Resource) -> Result<Problems> {
    let mut problems = Problems::new();
    if *resource.kind == RULE {
        rule(view, resource, &mut problems)?;
    } else if *resource.kind == ATTRIBUTEMANIFEST {
        problems.extend(unless_broken(clash(view, resource))?.flatten());
    } else if *resource.kind == VIRTUAL_SERVICE {
        virtual_service(view, resource, &mut problems)?;
    } else if resource.kind.part.is_some() || [&HANDLER, &INSTANCE].contains(&resource.kind) {
        part(view, resource, &mut problems)?;
    }
    without_effect(resource, &mut problems);
    Ok(problems)
}

/// Puts a rule together with the parts that it names.
fn rule(view: &dyn View, resource: &Resource, problems: &mut Problems) -> Result<()> {
    // What does not decode has been refused already.
    let Ok(spec) = resource.typed::<RuleSpec>() else { return Ok(()) };
    let (mut parts, vocabulary) = (Parts::default(), known(view)?);
    for action in &spec.actions {
        let references = action.instances.iter().map(|instance| (instance, Role::Instance));
        for (reference, role) in references.chain([(&action.handler, Role::Handler)]) {
            for (name, kind, namespace) in resolve(reference, role, resource.namespace()).candidates {
                if let Some(part) = view.get(&Key::new(kind, &namespace, &name))? {
                    // What is wrong with the part is said of the part.
                    let _ = parts.add(&part, &vocabulary, &Live::default());
                }
            }
        }
    }
    match parts.rule(resource, &spec, &vocabulary) {
        Ok((_, found)) | Err(found) => problems.extend(suggest(view, found)?),
    }
    mode(resource, problems);
    Ok(())
}

/// Names the part that a missing one may have been meant to be.
fn suggest(view: &dyn View, found: Problems) -> Result<Vec<Problem>> {
    let mut problems: Vec<Problem> = found.into_iter().collect();
    if !problems.iter().any(|problem| problem.code == Code::NotFound) {
        return Ok(problems);
    }
    let mut known = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.part.is_some() || [&HANDLER, &INSTANCE].contains(kind)) {
        known.extend(view.list(&ListQuery::all(kind))?.iter().map(full_name));
    }
    for problem in problems.iter_mut().filter(|problem| problem.code == Code::NotFound) {
        let name = problem.message.strip_prefix("no ").unwrap_or_default();
        if let Some(meant) = nearest(name, known.iter().map(String::as_str)) {
            problem.help = Some(format!("did you mean `{meant}`?"));
        }
    }
    Ok(problems)
}

/// The annotation that says whether a rule or workload is only reported on has two values.
fn mode(resource: &Resource, problems: &mut Problems) {
    if let Some(mode) = resource.meta.annotations.get(REPORT_ONLY)
        && !["report", "enforce"].contains(&mode.as_str())
    {
        let at = FieldPath::of("metadata.annotations").field(REPORT_ONLY);
        let problem = Problem::error(Code::NotSupported, at, format!("Unsupported value: \"{mode}\""));
        problems.push(problem.expected(["report", "enforce"]));
    }
}

/// The attributes that expressions may name; Istio's own alone where a manifest is broken, which is told of itself.
fn known(view: &dyn View) -> Result<Vocabulary> {
    Ok(unless_broken(vocabulary(view))?.unwrap_or_else(|| Vocabulary::standard().clone()))
}

/// Nothing where another resource is at fault.
fn unless_broken<T>(loaded: std::result::Result<T, LoadError>) -> Result<Option<T>> {
    match loaded {
        Ok(value) => Ok(Some(value)),
        Err(LoadError::Registry(error)) => Err(error),
        Err(LoadError::Resource { .. }) => Ok(None),
    }
}

/// Compiles an instance, or builds a handler without its live state.
fn part(view: &dyn View, resource: &Resource, problems: &mut Problems) -> Result<()> {
    match Parts::default().add(resource, &known(view)?, &Live::default()) {
        Ok(found) | Err(found) => problems.extend(found),
    }
    Ok(())
}

/// Warns where a VirtualService is bound to a Gateway, or leads to a host, that is not there.
fn virtual_service(view: &dyn View, resource: &Resource, problems: &mut Problems) -> Result<()> {
    let Ok(spec) = resource.typed::<VirtualService>() else { return Ok(()) };
    for (position, written) in spec.gateways.iter().enumerate().filter(|(_, written)| *written != "mesh") {
        let (namespace, name) = match written.split_once('/') {
            Some((".", name)) => (resource.namespace(), name),
            Some((namespace, name)) => (namespace, name),
            None => (resource.namespace(), written.as_str()),
        };
        if view.get(&Key::new(&GATEWAY, namespace, name))?.is_none() {
            let at = FieldPath::of("spec.gateways").index(position);
            problems.warning(Code::NotFound, at, format!("no Gateway {name} in namespace {namespace}"));
        }
    }
    let hosts = Hosts::of(view)?;
    let routes = spec.http.iter().enumerate().map(|(at, route)| (("http", at), destinations(route)));
    for ((protocol, at), destinations) in routes {
        let at = FieldPath::of("spec").field(protocol).index(at).field("route");
        for (position, host) in destinations {
            let at = at.index(position).field("destination").field("host");
            problems.extend(hosts.missing(host, resource.namespace(), at));
        }
    }
    Ok(())
}

fn destinations(route: &HttpRoute) -> impl Iterator<Item = (usize, &str)> {
    let hosts = route.route.iter().map(|target| target.destination.as_ref().map(|destination| &*destination.host));
    hosts.enumerate().filter_map(|(position, host)| Some((position, host?)))
}

/// Hosts that routes can lead to.
struct Hosts(Vec<String>);

impl Hosts {
    fn of(view: &dyn View) -> Result<Self> {
        let services = view.list(&ListQuery::all(&SERVICE))?;
        let mut hosts: Vec<_> =
            services.iter().map(|service| qualify(&service.meta.name, service.namespace())).collect();
        for entry in view.list(&ListQuery::all(&SERVICE_ENTRY))? {
            hosts.extend(entry.typed::<ServiceEntry>().map(|entry| entry.hosts).unwrap_or_default());
        }
        Ok(Self(hosts))
    }

    fn missing(&self, host: &str, namespace: &str, at: FieldPath) -> Option<Problem> {
        let full = qualify(host, namespace);
        if host.is_empty() || self.0.iter().any(|known| covers(known, &full)) {
            return None;
        }
        let problem = Problem::warning(Code::NotFound, at, format!("no Service or ServiceEntry has the host {full}"));
        Some(problem.help(match nearest(&full, self.0.iter().map(String::as_str)) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "calls of this route are answered 503 until there is one".to_owned(),
        }))
    }
}
