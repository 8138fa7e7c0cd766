//! What a call is judged by: the registry of a state directory, or files alone.

use crate::cli::change::{Step, review};
use crate::cli::context::Context;
use crate::cli::declare::{Declared, declared};
use crate::cli::failure::{Failure, Failures};
use crate::cli::input::Files;
use crate::cli::offline::declarations;
use crate::diagnostic::Source;
use crate::identity::TrustDomain;
use crate::manifest::parse;
use crate::registry::{self, MemoryRegistry, Operation, Registry, SqliteRegistry, Transaction};
use crate::snapshot::admission::Reviewer;
use crate::snapshot::{Compiler, ListenerSpec, Snapshot};

use super::roles::{Cast, Missing, Roles};

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
    pub(super) fn open(files: &Files, roles: &Roles, context: &mut Context) -> Result<Self, Failures> {
        if files.names.is_empty() {
            let domain = context.trust_domain()?;
            return Ok(Self::of_registry(roles, &context.registry()?, domain).map_err(Failure::client)?);
        }
        let registry = MemoryRegistry::new();
        let declared = declared(files, "trace", context)?;
        let resources: Vec<_> = declared.iter().map(|declared| declared.resource.clone()).collect();
        let operations = declarations(&registry, &resources).map_err(Failure::client)?;
        let steps: Vec<Step> = declared.into_iter().zip(&operations).map(step).collect();
        review(&steps, &registry, context)?;
        registry.commit(Transaction { operations }).map_err(Failure::from)?;
        Ok(Self::compile(Cast::new(&registry, Missing::MadeUp), roles, TrustDomain::default())
            .map_err(Failure::client)?)
    }

    /// The world of the state directory.
    pub(super) fn of_registry(roles: &Roles, registry: &SqliteRegistry, domain: TrustDomain) -> Result<Self, String> {
        let frozen = registry.frozen().map_err(|error: registry::Error| error.to_string())?;
        Self::compile(Cast::new(&*frozen, Missing::Refused), roles, domain)
    }

    /// The world of a manifest's text.
    pub(super) fn of_text(text: &str, roles: &Roles) -> Result<Self, String> {
        let parsed = parse(&Source::new("manifest", text.to_owned()));
        if let Some(finding) = parsed.findings.iter().find(|finding| finding.problem.is_error()) {
            return Err(finding.problem.to_string());
        }
        let mut resources = parsed.resources;
        for resource in resources.iter_mut().filter(|resource| resource.kind.namespaced) {
            resource.meta.namespace.get_or_insert_with(|| "default".to_owned());
        }
        let registry = MemoryRegistry::new();
        let operations = declarations(&registry, &resources)?;
        registry.commit(Transaction { operations }).map_err(|error| error.to_string())?;
        let reviewer = Reviewer::new(&registry);
        for resource in &resources {
            let problems = reviewer.review(resource).map_err(|error| error.to_string())?;
            if let Some(problem) = problems.iter().find(|problem| problem.is_error()) {
                return Err(format!("{}: {problem}", resource.key()));
            }
        }
        Self::compile(Cast::new(&registry, Missing::MadeUp), roles, TrustDomain::default())
    }

    fn compile(mut cast: Cast<'_>, roles: &Roles, trust_domain: TrustDomain) -> Result<Self, String> {
        let from = roles.from.as_ref().map(|who| cast.play(who, "caller")).transpose()?;
        let gateway = roles.gateway.as_ref().map(|who| cast.play(who, "gateway")).transpose()?;
        let listeners = vec![ListenerSpec { workload: from.clone() }];
        let compiler = Compiler {
            listeners: listeners.into_iter().collect(),
            gateway,
            trust_domain,
            outbound: roles.outbound,
            ..Compiler::default()
        };
        let (view, notes) = cast.on_stage()?;
        let snapshot = compiler.compile(&view).map_err(|error| error.to_string())?;
        Ok(Self { snapshot, notes, from })
    }
}

fn step((declared, operation): (Declared, &Operation)) -> Step {
    let Declared { resource, text } = declared;
    Step { operation: Some(operation.clone()), resource, done: "read", doing: "tracing", text: Some(text) }
}
