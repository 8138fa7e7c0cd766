//! What a call is judged by: the registry of a state directory, or files alone.

use serde_json::json;

use crate::cli::change::{Step, review};
use crate::cli::context::Context;
use crate::cli::declare::{Declared, declared};
use crate::cli::failure::{Failure, Failures};
use crate::cli::input::Files;
use crate::cli::offline::{ensure, imply_namespaces};
use crate::diagnostic::Source;
use crate::identity::Workload;
use crate::manifest::parse;
use crate::registry::{self, MemoryRegistry, Operation, Registry, SqliteRegistry, Transaction, View};
use crate::resource::Key;
use crate::resource::kinds::{DEPLOYMENT, NAMESPACE, SERVICE_ACCOUNT};
use crate::snapshot::admission::Reviewer;
use crate::snapshot::{Compiler, ListenerSpec, Snapshot};

/// A configuration, with a listener for whoever calls.
pub(super) struct World {
    pub(super) snapshot: Snapshot,
    /// What was made up so that the question has an answer.
    pub(super) notes: Vec<String>,
    /// The caller as it was named, with its namespace.
    pub(super) from: Option<(String, String)>,
}

impl World {
    /// The world of some files, or, without any, of the state directory.
    pub(super) fn open(files: &Files, from: Option<(String, String)>, context: &mut Context) -> Result<Self, Failures> {
        if files.names.is_empty() {
            return Ok(Self::of_registry(from, &context.registry()?).map_err(Failure::client)?);
        }
        let registry = MemoryRegistry::new();
        let declared = declared(files, "trace", context)?;
        let resources: Vec<_> = declared.iter().map(|declared| declared.resource.clone()).collect();
        imply_namespaces(&registry, &resources).map_err(Failure::client)?;
        let steps: Vec<Step> = declared.into_iter().map(step).collect();
        review(&steps, &registry, context)?;
        let operations = resources.into_iter().map(Operation::Create).collect();
        registry.commit(Transaction { operations }).map_err(Failure::from)?;
        let mut notes = Vec::new();
        if let Some(from) = &from {
            notes.extend(make_up(&registry, from).map_err(Failure::client)?);
        }
        Ok(Self::compile(&registry, from, notes).map_err(Failure::client)?)
    }

    /// The world of the state directory.
    pub(super) fn of_registry(from: Option<(String, String)>, registry: &SqliteRegistry) -> Result<Self, String> {
        let told = |error: registry::Error| error.to_string();
        let frozen = registry.frozen().map_err(told)?;
        if let Some((name, namespace)) = &from
            && Workload::find(&*frozen, name, namespace).map_err(told)?.is_none()
        {
            return Err(format!("no Deployment or Pod {name} in namespace {namespace}"));
        }
        Self::compile(&*frozen, from, Vec::new())
    }

    /// The world of a manifest's text.
    pub(super) fn of_text(text: &str, from: Option<&str>) -> Result<Self, String> {
        let parsed = parse(&Source::new("manifest", text.to_owned()));
        if let Some(finding) = parsed.findings.iter().find(|finding| finding.problem.is_error()) {
            return Err(finding.problem.to_string());
        }
        let mut resources = parsed.resources;
        for resource in resources.iter_mut().filter(|resource| resource.kind.namespaced) {
            resource.meta.namespace.get_or_insert_with(|| "default".to_owned());
        }
        let registry = MemoryRegistry::new();
        imply_namespaces(&registry, &resources)?;
        let operations = resources.iter().cloned().map(Operation::Create).collect();
        registry.commit(Transaction { operations }).map_err(|error| error.to_string())?;
        let reviewer = Reviewer::new(&registry);
        for resource in &resources {
            let problems = reviewer.review(resource).map_err(|error| error.to_string())?;
            if let Some(problem) = problems.iter().find(|problem| problem.is_error()) {
                return Err(format!("{}: {problem}", resource.key()));
            }
        }
        let from = from.map(|from| named(from, "default"));
        if let Some(from) = &from {
            make_up(&registry, from)?;
        }
        Self::compile(&registry, from, Vec::new())
    }

    fn compile(view: &dyn View, from: Option<(String, String)>, notes: Vec<String>) -> Result<Self, String> {
        let compiler = Compiler { listeners: vec![ListenerSpec { workload: from.clone() }], ..Compiler::default() };
        let snapshot = compiler.compile(view).map_err(|error| error.to_string())?;
        Ok(Self { snapshot, notes, from })
    }
}

fn step(declared: Declared) -> Step {
    let Declared { resource, text } = declared;
    let operation = Some(Operation::Create(resource.clone()));
    Step { operation, resource, done: "read", doing: "tracing", text: Some(text) }
}

/// `WORKLOAD` or `WORKLOAD.NAMESPACE`.
pub(super) fn named(from: &str, namespace: &str) -> (String, String) {
    let (name, namespace) = from.split_once('.').unwrap_or((from, namespace));
    (name.to_owned(), namespace.to_owned())
}

/// Makes up the workload that is said to call, where nothing declares it; says so.
fn make_up(registry: &MemoryRegistry, (name, namespace): &(String, String)) -> Result<Option<String>, String> {
    if Workload::find(registry, name, namespace).map_err(|error| error.to_string())?.is_some() {
        return Ok(None);
    }
    ensure(registry, &NAMESPACE, None, namespace, serde_json::Map::new())?;
    let account = Key::new(&SERVICE_ACCOUNT, namespace, name);
    let has_account = registry.get(&account).map_err(|error| error.to_string())?.is_some();
    let account = if has_account { name } else { "default" };
    let body = json!({"spec": {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"serviceAccountName": account, "containers": [{"name": name, "image": name}]},
        },
    }});
    let body = body.as_object().cloned().unwrap_or_default();
    ensure(registry, &DEPLOYMENT, Some(namespace), name, body)?;
    Ok(Some(format!(
        "nothing declares the workload {name} in namespace {namespace}; taken for one with label app={name} and service \
         account {account}"
    )))
}
