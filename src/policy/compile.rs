//! From the resources of Mixer's kinds to the policy.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use http::header::HeaderName;
use serde_json::Value as Json;
use smallvec::SmallVec;

use crate::accesslog::{Redact, Shape};
use crate::call::{always_present, known_only_afterwards};
use crate::diagnostic::{Code, FieldPath, Problem, Problems};
use crate::expr::{ValueType, Vocabulary};
use crate::registry::{ListQuery, LoadError, View, load};
use crate::resource::kinds::handler::Handler as HandlerSpec;
use crate::resource::kinds::instance::Instance as InstanceSpec;
use crate::resource::kinds::rule::{HeaderOperation as HeaderSpec, Rule as RuleSpec};
use crate::resource::kinds::{HANDLER, INSTANCE, RULE};
use crate::resource::{Kind, Resource, Role};

use super::adapter::{self, ADAPTERS, Adapter, Handler, Setup};
use super::expression::{condition, program};
use super::instance::Instance;
use super::quota::Charges;
use super::reference::{Referred, resolve};
use super::rule::{Action, Counts, HeaderOperation, Ready, Rule};
use super::template::{self, TEMPLATES, Template, Variety};
use super::{Enforcement, Live, Policy, Rules};

/// The namespace whose rules see every call.
pub const CONFIG_NAMESPACE: &str = "istio-system";

/// The parts that rules put together, by full name.
#[derive(Debug, Default)]
pub struct Parts {
    instances: HashMap<String, Arc<Instance>>,
    handlers: HashMap<String, Built>,
}

#[derive(Debug)]
struct Built {
    /// As messages have it.
    name: Arc<str>,
    adapter: &'static Adapter,
    handler: Arc<dyn Handler>,
}

impl Policy {
    /// Compiles all rules; of parts that are not there, a note says so.
    ///
    /// # Errors
    /// A stored resource that does not compile.
    pub fn compile(
        view: &dyn View,
        enforcement: Enforcement,
        live: &Live,
        notes: &mut Vec<String>,
    ) -> Result<Self, LoadError> {
        let vocabulary = &super::vocabulary(view)?;
        let parts = Parts::load(view, vocabulary, live)?;
        let mut rules = load::<RuleSpec>(view, &RULE)?;
        // Checks and entries of one call come in a fixed order: by namespace and name of their rules.
        rules.sort_by(|(a, _), (b, _)| (a.namespace(), &a.meta.name).cmp(&(b.namespace(), &b.meta.name)));
        let mut policy = Policy { enforcement, vocabulary: vocabulary.clone(), ..Policy::default() };
        for (resource, spec) in rules {
            let (mut rule, problems) =
                parts.rule(&resource, &spec, vocabulary).map_err(|problems| LoadError::broken(&resource, problems))?;
            rule.counts = live.counts.get_or(&rule.name, Counts::default);
            let missing = problems.iter().filter(|problem| problem.code == Code::NotFound);
            notes.extend(missing.map(|problem| format!("rule {}: {problem}", full_name(&resource))));
            match resource.namespace() {
                CONFIG_NAMESPACE => policy.mesh.push(rule),
                namespace => policy.namespaces.entry(namespace.to_owned()).or_default().push(rule),
            }
        }
        policy.charges = Charges::compile(view, vocabulary, notes)?;
        policy.mesh.seal();
        policy.namespaces.values_mut().for_each(Rules::seal);
        Ok(policy)
    }
}

impl Parts {
    /// Compiles all instances and builds all handlers.
    ///
    /// # Errors
    /// A stored resource that does not compile.
    pub fn load(view: &dyn View, vocabulary: &Vocabulary, live: &Live) -> Result<Self, LoadError> {
        let mut parts = Parts::default();
        let kinds = TEMPLATES.iter().map(|template| template.kind).chain([&INSTANCE]);
        for kind in kinds.chain(ADAPTERS.iter().map(|adapter| adapter.kind)).chain([&HANDLER]) {
            for resource in view.list(&ListQuery::all(kind))? {
                parts.add(&resource, vocabulary, live).map_err(|problems| LoadError::broken(&resource, problems))?;
            }
        }
        Ok(parts)
    }

    /// Compiles a part and takes it in; anything else is passed over. Gives what its author should know.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add(&mut self, resource: &Resource, vocabulary: &Vocabulary, live: &Live) -> Result<Problems, Problems> {
        if let Some((template, params, at)) = template_of(resource)? {
            let name = full_name(resource);
            let (mut instance, warnings) = Instance::compile(name.clone(), template, &params, at, vocabulary)?;
            instance.redact = resource.meta.redact().and_then(Redact::by_name);
            self.instances.insert(name, Arc::new(instance));
            return Ok(warnings);
        }
        if let Some((adapter, params, at)) = adapter_of(resource)? {
            let name = handler_name(resource);
            let handler = (adapter.build)(&Setup { name: &name, params: &params, at, live })?;
            self.handlers.insert(full_name(resource), Built { name: name.into(), adapter, handler });
        }
        Ok(Problems::new())
    }

    /// Puts a rule together. A part that is not there is a warning [`Code::NotFound`]: resources arrive and leave in any
    /// order. Until there is one a report does nothing, and a check cannot be carried out.
    ///
    /// # Errors
    /// What is wrong with the rule itself.
    pub fn rule(
        &self,
        resource: &Resource,
        spec: &RuleSpec,
        vocabulary: &Vocabulary,
    ) -> Result<(Rule, Problems), Problems> {
        let (condition, mut problems) = condition(spec, vocabulary)?;
        let mut rule = Rule {
            name: full_name(resource).into(),
            origin: resource.origin.clone(),
            condition,
            report_only: resource.meta.only_reports(),
            counts: Arc::default(),
            checks: SmallVec::new(),
            quotas: Vec::new(),
            hints: OnceLock::new(),
            reports: Vec::new(),
            request_headers: headers(
                "spec.requestHeaderOperations",
                &spec.request_header_operations,
                vocabulary,
                &mut problems,
            ),
            response_headers: headers(
                "spec.responseHeaderOperations",
                &spec.response_header_operations,
                vocabulary,
                &mut problems,
            ),
        };
        for (position, action) in spec.actions.iter().enumerate() {
            let at = FieldPath::of("spec.actions").index(position);
            let handler = resolve(&action.handler, Role::Handler, resource.namespace());
            let built = find(&self.handlers, &handler);
            if built.is_none() {
                problems.push(missing(&handler, at.field("handler")));
            }
            for (position, reference) in action.instances.iter().enumerate() {
                let at = at.field("instances").index(position);
                let instance = resolve(reference, Role::Instance, resource.namespace());
                let (variety, action) = self.action(&rule.name, &handler, built, &instance, at, &mut problems);
                match variety {
                    Variety::Report => rule.reports.push(action),
                    Variety::Check => rule.checks.push(action),
                    Variety::Quota => rule.quotas.push(action),
                }
            }
        }
        if !rule.checks.is_empty() {
            problems.extend(doubtful(&rule));
        }
        if problems.has_errors() { Err(problems) } else { Ok((rule, problems)) }
    }

    fn action(
        &self,
        rule: &Arc<str>,
        handler: &Referred,
        built: Option<&Built>,
        reference: &Referred,
        at: FieldPath,
        problems: &mut Problems,
    ) -> (Variety, Action) {
        let instance = find(&self.instances, reference);
        let variety = match instance {
            Some(instance) => instance.template.variety,
            None => guess(reference, handler, built),
        };
        let ready = match (built, instance) {
            (Some(built), Some(instance)) => ready(rule, built, instance).inspect_err(|why| {
                problems.push(Problem::error(Code::Invalid, at, why.clone()));
            }),
            (None, _) => Err(format!("no handler {}", handler.full)),
            (_, None) => {
                problems.push(missing(reference, at));
                Err(format!("no instance {}", reference.full))
            }
        };
        let action = Action {
            handler: built.map_or_else(|| handler.full.as_str().into(), |built| Arc::clone(&built.name)),
            instance: reference.full.as_str().into(),
            ready,
        };
        (variety, action)
    }
}

/// A match of checks that may not be decided, or never holds before a call leaves.
fn doubtful(rule: &Rule) -> Option<Problem> {
    let attribute = rule.condition.as_ref()?.may_lack(&always_present)?;
    let at = FieldPath::of("spec.match");
    Some(match known_only_afterwards(attribute) {
        true => Problem::warning(
            Code::NoEffect,
            at,
            format!("{attribute} is known only after the answer, so the checks of this rule never apply"),
        ),
        false => Problem::warning(
            Code::Invalid,
            at,
            format!("{attribute} may have no value, and calls without one are then refused by this rule's checks"),
        )
        .help(format!("give it a default, as in `{attribute} | \"unknown\"`")),
    })
}

fn ready(rule: &Arc<str>, built: &Built, instance: &Arc<Instance>) -> Result<Ready, String> {
    if !built.adapter.takes(instance.template) {
        let takes: Vec<_> = built.adapter.templates.iter().map(|template| template.kind.name).collect();
        return Err(format!(
            "the adapter {} takes no {}, only {}",
            built.adapter.kind.name,
            instance.template.kind.name,
            takes.join(", ")
        ));
    }
    built.handler.accepts(instance)?;
    let shape = built.handler.lines().map(|(format, outlet)| {
        let (instance, handler) = (instance.name.clone(), built.name.to_string());
        Arc::new(Shape { instance, handler, rule: rule.to_string(), format, outlet })
    });
    Ok(Ready { instance: Arc::clone(instance), handler: Arc::clone(&built.handler), shape })
}

fn find<'p, T>(parts: &'p HashMap<String, T>, referred: &Referred) -> Option<&'p T> {
    let mut names =
        referred.candidates.iter().map(|(name, kind, namespace)| format!("{name}.{}.{namespace}", kind.name));
    names.find_map(|name| parts.get(&name))
}

/// What an instance that is not there would be: by its kind, or else by what the handler can take. What could be a check
/// is one, so that its absence lets nothing through.
fn guess(instance: &Referred, handler: &Referred, built: Option<&Built>) -> Variety {
    let named = instance.candidates.iter().find_map(|(_, kind, _)| template::by_name(kind.name));
    if let Some(template) = named {
        return template.variety;
    }
    let of_kind = || handler.candidates.iter().find_map(|(_, kind, _)| adapter::by_name(kind.name));
    let adapter = built.map(|built| built.adapter).or_else(of_kind);
    let reports = |adapter: &Adapter| adapter.templates.iter().all(|template| template.variety == Variety::Report);
    if adapter.is_some_and(reports) { Variety::Report } else { Variety::Check }
}

fn missing(referred: &Referred, at: FieldPath) -> Problem {
    let problem = Problem::warning(Code::NotFound, at, format!("no {}", referred.full));
    problem.help("until there is one, a report does nothing, and a check refuses")
}

fn headers(
    field: &str,
    operations: &[HeaderSpec],
    vocabulary: &Vocabulary,
    problems: &mut Problems,
) -> Vec<HeaderOperation> {
    let mut compiled = Vec::with_capacity(operations.len());
    for (position, operation) in operations.iter().enumerate() {
        let at = FieldPath::of(field).index(position);
        let mut values = Vec::with_capacity(operation.values.len());
        for (position, text) in operation.values.iter().enumerate() {
            let at = at.field("values").index(position);
            values.extend(program(text, at, &[ValueType::String], vocabulary, problems));
        }
        if let Ok(name) = HeaderName::from_bytes(operation.name.as_bytes()) {
            compiled.push(HeaderOperation { name, operation: operation.operation, values });
        }
    }
    compiled
}

type Configured<T> = Option<(&'static T, Json, FieldPath)>;

/// The template of an instance of whichever form, and its params; none for other resources.
fn template_of(resource: &Resource) -> Result<Configured<Template>, Problems> {
    if *resource.kind == INSTANCE {
        let spec = resource.typed::<InstanceSpec>()?;
        return Ok(template::by_name(&spec.compiled_template)
            .map(|template| (template, spec.params, FieldPath::of("spec.params"))));
    }
    Ok(template::by_name(resource.kind.name).filter(|template| is(template.kind, resource)).map(legacy(resource)))
}

/// The adapter of a handler of whichever form, and its params; none for other resources.
fn adapter_of(resource: &Resource) -> Result<Configured<Adapter>, Problems> {
    if *resource.kind == HANDLER {
        let spec = resource.typed::<HandlerSpec>()?;
        return Ok(adapter::by_name(&spec.compiled_adapter)
            .map(|adapter| (adapter, spec.params, FieldPath::of("spec.params"))));
    }
    Ok(adapter::by_name(resource.kind.name).filter(|adapter| is(adapter.kind, resource)).map(legacy(resource)))
}

fn is(kind: &Kind, resource: &Resource) -> bool {
    *kind == *resource.kind
}

/// In the older form the params are the whole spec.
fn legacy<T>(resource: &Resource) -> impl Fn(&'static T) -> (&'static T, Json, FieldPath) {
    |part| (part, resource.spec().clone(), FieldPath::of("spec"))
}

/// `egress-access.logentry.istio-system`.
pub fn full_name(resource: &Resource) -> String {
    format!("{}.{}.{}", resource.meta.name, resource.kind.name, resource.namespace())
}

/// A handler's name in messages: its full name, or `NAME.NAMESPACE` for the kind `handler`.
pub fn handler_name(resource: &Resource) -> String {
    match *resource.kind == HANDLER {
        true => format!("{}.{}", resource.meta.name, resource.namespace()),
        false => full_name(resource),
    }
}
