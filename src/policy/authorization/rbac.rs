//! ServiceRoles and their bindings, compiled to rules that allow (Istio's authorization before AuthorizationPolicy).

use std::collections::HashMap;
use std::sync::Arc;

use crate::registry::{LoadError, View, load};
use crate::resource::kinds::authorization_policy::{Action, Attribute};
use crate::resource::kinds::rbac_config::{EnforcementMode, Mode, NAME, RbacConfig, Target};
use crate::resource::kinds::service_role::{AccessRule, Constraint, ServiceRole};
use crate::resource::kinds::service_role_binding::{ServiceRoleBinding, Subject};
use crate::resource::kinds::{CLUSTER_RBAC_CONFIG, RBAC_CONFIG, SERVICE_ROLE, SERVICE_ROLE_BINDING};
use crate::resource::{Provenance, Resource};

use super::super::compile::full_name;
use super::Allowance;
use super::compile::Enforcer;
use super::index::Rules;
use super::rule::{Policy, Rule};
use super::test::{Home, Test};

/// A role, and whether it only is tried.
type Role = (Resource, ServiceRole);

/// What roles allow at a workload; none where they are not enforced there.
///
/// # Errors
/// A stored resource that does not decode.
pub(super) fn allowance(
    view: &dyn View,
    enforcer: &Enforcer,
    notes: &mut Vec<String>,
) -> Result<Option<Allowance>, LoadError> {
    let home = Home { namespace: &enforcer.namespace, trust_domain: &enforcer.trust_domain };
    let mut configs = load::<RbacConfig>(view, &CLUSTER_RBAC_CONFIG)?;
    configs.extend(load::<RbacConfig>(view, &RBAC_CONFIG)?);
    // The one of the whole cluster comes before those of namespaces.
    let Some((_, config)) = configs.iter().find(|(resource, _)| resource.meta.name == NAME) else { return Ok(None) };
    let Some(when) = concerned(config, enforcer, home) else { return Ok(None) };
    let tried = config.enforcement_mode == EnforcementMode::Permissive;
    let roles = load::<ServiceRole>(view, &SERVICE_ROLE)?;
    let roles: HashMap<String, Role> = roles
        .into_iter()
        .filter(|(resource, _)| resource.namespace() == enforcer.namespace)
        .map(|role| (role.0.meta.name.clone(), role))
        .collect();
    let mut rules = Vec::new();
    for (resource, binding) in load::<ServiceRoleBinding>(view, &SERVICE_ROLE_BINDING)? {
        if resource.namespace() != enforcer.namespace {
            continue;
        }
        let wanted = binding.role_ref.as_ref().map(|role| role.name.as_str()).unwrap_or_default();
        match roles.get(wanted) {
            Some(role) => rules.extend(bound(role, &binding, enforcer, home)),
            None => {
                notes.push(format!("{}: no ServiceRole {wanted} in namespace {}", full_name(&resource), home.namespace))
            }
        }
    }
    Ok(Some(Allowance { when, rules: Rules::of(rules), enforced: !tried, tried }))
}

/// For which calls roles are enforced; none where for no call at all.
fn concerned(config: &RbacConfig, enforcer: &Enforcer, home: Home<'_>) -> Option<Vec<Test>> {
    let of = |target: &Option<Target>, expected: bool| {
        let target = target.clone().unwrap_or_default();
        if target.namespaces.contains(&enforcer.namespace) {
            return expected.then(Vec::new);
        }
        let field = if expected { "inclusion.services" } else { "exclusion.services" };
        match target.services.is_empty() {
            true => (!expected).then(Vec::new),
            false => Some(vec![Test::new(field.to_owned(), Attribute::Service, expected, &target.services, home)]),
        }
    };
    match config.mode {
        Mode::Off => None,
        Mode::On => Some(Vec::new()),
        Mode::OnWithInclusion => of(&config.inclusion, true),
        Mode::OnWithExclusion => of(&config.exclusion, false),
    }
}

/// The rules of a role for the subjects of a binding.
fn bound<'b>(
    (resource, role): &'b Role,
    binding: &'b ServiceRoleBinding,
    enforcer: &'b Enforcer,
    home: Home<'b>,
) -> impl Iterator<Item = Rule> + use<'b> {
    let tried = [role.enforcement_mode, binding.enforcement_mode].contains(&EnforcementMode::Permissive);
    let policy = Arc::new(Policy {
        name: full_name(resource).into(),
        from: Provenance::of(resource),
        action: Action::Allow,
        dry_run: tried,
        authorizer: None,
    });
    role.rules.iter().enumerate().map(move |(index, access)| {
        let subjects = binding.subjects.iter().enumerate();
        let sources = subjects.map(|(place, subject)| source(place, subject, home)).collect();
        Rule::new(Arc::clone(&policy), index, sources, vec![operation(access, enforcer, home)], Vec::new())
    })
}

/// What a caller must be; anybody where nothing is left.
fn source(place: usize, subject: &Subject, home: Home<'_>) -> Vec<Test> {
    let at = |field: &str| format!("subjects[{place}].{field}");
    let mut tests = Vec::new();
    // Anybody, known or not.
    if !subject.user.is_empty() && subject.user != "*" {
        let user = std::slice::from_ref(&subject.user);
        tests.push(Test::new(at("user"), Attribute::Principal, true, user, home));
    }
    if !subject.group.is_empty() {
        tests.push(Test::never(at("group"), Attribute::Token("group".into()), std::slice::from_ref(&subject.group)));
    }
    for (key, value) in &subject.properties {
        tests.push(of_key(at(&format!("properties.{key}")), key, std::slice::from_ref(value), home));
    }
    tests
}

/// What a call must ask for.
fn operation(access: &AccessRule, enforcer: &Enforcer, home: Home<'_>) -> Vec<Test> {
    let fields = [
        ("services", Attribute::Service, &access.services),
        ("paths", Attribute::Path, &access.paths),
        ("methods", Attribute::Method, &access.methods),
    ];
    // `*` is also what is empty: a service, path or method is always there.
    let given =
        fields.into_iter().filter(|(_, _, values)| !values.is_empty() && !values.iter().any(|value| value == "*"));
    let mut tests: Vec<_> =
        given.map(|(field, attribute, values)| Test::new(field.to_owned(), attribute, true, values, home)).collect();
    tests.extend(
        access.constraints.iter().enumerate().filter_map(|(place, one)| constraint(place, one, enforcer, home)),
    );
    tests
}

/// A condition; none where the workload meets it itself.
fn constraint(place: usize, one: &Constraint, enforcer: &Enforcer, home: Home<'_>) -> Option<Test> {
    let field = format!("constraints[{place}].values");
    let label = one.key.strip_prefix("destination.labels[").and_then(|rest| rest.strip_suffix(']'));
    let own = match (label, one.key.as_str()) {
        (Some(label), _) => enforcer.labels.get(label).map(String::as_str),
        (None, "destination.namespace") => Some(enforcer.namespace.as_str()),
        (None, key) => return Some(of_key(field, key, &one.values, home)),
    };
    let fits = own.is_some_and(|own| one.values.iter().any(|value| value == own || value == "*"));
    (!fits).then(|| Test::never(field, Attribute::Filter(one.key.clone()), &one.values))
}

/// The test of an attribute; what names none that is known here is never met.
fn of_key(field: String, key: &str, values: &[String], home: Home<'_>) -> Test {
    match Attribute::parse(key) {
        Ok(attribute) => Test::new(field, attribute, true, values, home),
        Err(_) => Test::never(field, Attribute::Filter(key.to_owned()), values),
    }
}
