//! Would the registry with a change on top still do what the change says?
//!
//! A kind's own check has seen each resource alone; here its expressions are compiled, and its references looked up in
//! the registry with the change on top. What is missing is a warning: resources arrive and leave in any order.

use std::cell::OnceCell;

use crate::diagnostic::{Code, FieldPath, Problem, Problems, nearest};
use crate::expr::Vocabulary;
use crate::policy::{Live, Parts, clash, full_name, resolve, review_spec, vocabulary};
use crate::registry::{ListQuery, LoadError, Result, View};
use crate::resource::kinds::quota_spec_binding::QuotaSpecBinding;
use crate::resource::kinds::rule::Rule as RuleSpec;
use crate::resource::kinds::service_entry::ServiceEntry;
use crate::resource::kinds::virtual_service::{Delegate, HttpRoute, VirtualService};
use crate::resource::kinds::{
    ATTRIBUTEMANIFEST, GATEWAY, HANDLER, INSTANCE, KINDS, QUOTA_SPEC, QUOTA_SPEC_BINDING, RULE, SERVICE, SERVICE_ENTRY,
    VIRTUAL_SERVICE,
};
use crate::resource::{Key, Resource, Role};
use crate::routing::{covers, impossible, qualify};

use super::effects::without_effect;
use super::enforcement::unenforced;

/// Looks at the resources of one change. What several of them need of the registry is read once.
pub struct Reviewer<'v> {
    /// The registry with the whole change on top.
    view: &'v dyn View,
    vocabulary: OnceCell<Vocabulary>,
    hosts: OnceCell<Hosts>,
    parts: OnceCell<Vec<String>>,
}

impl<'v> Reviewer<'v> {
    /// Of a change; `view` is the registry with all of it on top.
    pub fn new(view: &'v dyn View) -> Self {
        Self { view, vocabulary: OnceCell::new(), hosts: OnceCell::new(), parts: OnceCell::new() }
    }

    /// What is to be said of a resource that is to be stored.
    ///
    /// # Errors
    /// Only when the registry cannot be read.
    pub fn review(&self, resource: &Resource) -> Result<Problems> {
        let mut problems = Problems::new();
        if *resource.kind == RULE {
            self.rule(resource, &mut problems)?;
        } else if *resource.kind == ATTRIBUTEMANIFEST {
            problems.extend(unless_broken(clash(self.view, resource))?.flatten());
        } else if *resource.kind == VIRTUAL_SERVICE {
            self.virtual_service(resource, &mut problems)?;
        } else if *resource.kind == QUOTA_SPEC {
            // What does not decode has been refused already.
            if let Ok(spec) = resource.typed() {
                problems.extend(review_spec(&spec, self.vocabulary()?));
            }
        } else if *resource.kind == QUOTA_SPEC_BINDING {
            self.quota_spec_binding(resource, &mut problems)?;
        } else if resource.kind.part.is_some() || [&HANDLER, &INSTANCE].contains(&resource.kind) {
            self.part(resource, &mut problems)?;
        }
        unenforced(self.view, resource, &mut problems)?;
        without_effect(resource, &mut problems);
        Ok(problems)
    }

    /// The attributes that expressions may name; Istio's own alone where a manifest is broken, which is told of itself.
    fn vocabulary(&self) -> Result<&Vocabulary> {
        read_once(&self.vocabulary, || Ok(unless_broken(vocabulary(self.view))?.unwrap_or_default()))
    }

    /// Puts a rule together with the parts that it names.
    fn rule(&self, resource: &Resource, problems: &mut Problems) -> Result<()> {
        // What does not decode has been refused already.
        let Ok(spec) = resource.typed::<RuleSpec>() else { return Ok(()) };
        let (mut parts, vocabulary) = (Parts::default(), self.vocabulary()?);
        for action in &spec.actions {
            let references = action.instances.iter().map(|instance| (instance, Role::Instance));
            for (reference, role) in references.chain([(&action.handler, Role::Handler)]) {
                for (name, kind, namespace) in resolve(reference, role, resource.namespace()).candidates {
                    if let Some(part) = self.view.get(&Key::new(kind, &namespace, &name))? {
                        // What is wrong with the part is said of the part.
                        let _ = parts.add(&part, vocabulary, &Live::default());
                    }
                }
            }
        }
        match parts.rule(resource, &spec, vocabulary) {
            Ok((_, found)) | Err(found) => problems.extend(self.suggest(found)?),
        }
        Ok(())
    }

    /// Compiles an instance, or builds a handler without its live state.
    fn part(&self, resource: &Resource, problems: &mut Problems) -> Result<()> {
        match Parts::default().add(resource, self.vocabulary()?, &Live::default()) {
            Ok(found) | Err(found) => problems.extend(found),
        }
        Ok(())
    }

    /// Names the part that a missing one may have been meant to be.
    fn suggest(&self, found: Problems) -> Result<Vec<Problem>> {
        let mut problems: Vec<Problem> = found.into_iter().collect();
        for problem in problems.iter_mut().filter(|problem| problem.code == Code::NotFound) {
            let known = read_once(&self.parts, || part_names(self.view))?;
            let name = problem.message.strip_prefix("no ").unwrap_or_default();
            if let Some(meant) = nearest(name, known.iter().map(String::as_str)) {
                problem.help = Some(format!("did you mean `{meant}`?"));
            }
        }
        Ok(problems)
    }

    /// Warns where a QuotaSpecBinding names a QuotaSpec that is not there.
    fn quota_spec_binding(&self, resource: &Resource, problems: &mut Problems) -> Result<()> {
        let Ok(spec) = resource.typed::<QuotaSpecBinding>() else { return Ok(()) };
        for (position, wanted) in spec.quota_specs.iter().enumerate() {
            let namespace = if wanted.namespace.is_empty() { resource.namespace() } else { wanted.namespace.as_str() };
            if self.view.get(&Key::new(&QUOTA_SPEC, namespace, &wanted.name))?.is_none() {
                let at = FieldPath::of("spec.quotaSpecs").index(position).field("name");
                problems.warning(Code::NotFound, at, format!("no QuotaSpec {} in namespace {namespace}", wanted.name));
            }
        }
        Ok(())
    }

    /// Warns where a VirtualService is bound to a Gateway, or leads to a host, that is not there.
    fn virtual_service(&self, resource: &Resource, problems: &mut Problems) -> Result<()> {
        let Ok(spec) = resource.typed::<VirtualService>() else { return Ok(()) };
        for (position, written) in spec.gateways.iter().enumerate().filter(|(_, written)| *written != "mesh") {
            let (namespace, name) = match written.split_once('/') {
                Some((".", name)) => (resource.namespace(), name),
                Some((namespace, name)) => (namespace, name),
                None => (resource.namespace(), written.as_str()),
            };
            if self.view.get(&Key::new(&GATEWAY, namespace, name))?.is_none() {
                let at = FieldPath::of("spec.gateways").index(position);
                problems.warning(Code::NotFound, at, format!("no Gateway {name} in namespace {namespace}"));
            }
        }
        let hosts = read_once(&self.hosts, || Hosts::of(self.view))?;
        for (position, route) in spec.http.iter().enumerate() {
            let at = FieldPath::of("spec.http").index(position);
            for (field, why) in impossible(route) {
                let field = field.split('.').fold(at.clone(), |at, field| at.field(field));
                problems.error(Code::Invalid, field, why);
            }
            self.delegate(resource, route, &at.field("delegate"), problems)?;
            for (field, host) in destinations(route, &at) {
                problems.extend(hosts.missing(host, resource.namespace(), field));
            }
        }
        Ok(())
    }

    /// Warns where a route delegates to a VirtualService that is not there, or has hosts of its own.
    fn delegate(&self, resource: &Resource, route: &HttpRoute, at: &FieldPath, problems: &mut Problems) -> Result<()> {
        let Some(Delegate { name, namespace }) = &route.delegate else { return Ok(()) };
        let namespace = if namespace.is_empty() { resource.namespace() } else { namespace };
        let found = self.view.get(&Key::new(&VIRTUAL_SERVICE, namespace, name))?;
        let usable =
            found.is_some_and(|found| found.typed::<VirtualService>().is_ok_and(|delegate| delegate.hosts.is_empty()));
        if !usable {
            let message = format!("no VirtualService {name} without hosts in namespace {namespace}");
            problems.warning(Code::NotFound, at.clone(), message);
        }
        Ok(())
    }
}

/// What is in a cell, read into it the first time.
fn read_once<T>(cell: &OnceCell<T>, read: impl FnOnce() -> Result<T>) -> Result<&T> {
    match cell.get() {
        Some(value) => Ok(value),
        None => read().map(|value| cell.get_or_init(|| value)),
    }
}

/// The full names of all instances and handlers.
fn part_names(view: &dyn View) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.part.is_some() || [&HANDLER, &INSTANCE].contains(kind)) {
        names.extend(view.list(&ListQuery::all(kind))?.iter().map(full_name));
    }
    Ok(names)
}

/// Nothing where another resource is at fault.
fn unless_broken<T>(loaded: std::result::Result<T, LoadError>) -> Result<Option<T>> {
    match loaded {
        Ok(value) => Ok(Some(value)),
        Err(LoadError::Registry(error)) => Err(error),
        Err(LoadError::Resource { .. }) => Ok(None),
    }
}

/// The hosts that a route leads to, and those that it sends copies to, with where they are written.
fn destinations<'r>(route: &'r HttpRoute, at: &FieldPath) -> Vec<(FieldPath, &'r str)> {
    let routes = route.route.iter().map(|target| target.destination.as_ref());
    let mirrors = route.mirrors.iter().map(|mirror| mirror.destination.as_ref());
    let mut found = Vec::new();
    for (list, destinations) in [("route", routes.collect::<Vec<_>>()), ("mirrors", mirrors.collect())] {
        for (position, destination) in destinations.into_iter().enumerate() {
            let at = at.field(list).index(position).field("destination").field("host");
            found.extend(destination.map(|destination| (at, &*destination.host)));
        }
    }
    found.extend(route.mirror.as_ref().map(|mirror| (at.field("mirror").field("host"), &*mirror.host)));
    found
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
