//! From AuthorizationPolicies to the rules of one workload.

use std::sync::Arc;

use crate::registry::{LoadError, View, load, load_mesh_config};
use crate::resource::kinds::AUTHORIZATION_POLICY;
use crate::resource::kinds::authorization_policy::{
    Action, Attribute, AuthorizationPolicy, Condition, Rule as RuleSpec, is_dry_run,
};
use crate::resource::{Labels, Provenance, Resource};

use super::super::compile::full_name;
use super::index::Rules;
use super::peer::Peers;
use super::rule::{Policy, Rule};
use super::test::{Home, Test};
use super::{Allowance, Authorization, Authorizer, rbac};

/// The namespace whose policies are for every workload.
pub const ROOT_NAMESPACE: &str = "istio-system";

/// The workload at which policies are enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enforcer {
    /// Its namespace.
    pub namespace: String,
    /// Its labels.
    pub labels: Labels,
    /// The trust domain of its identity.
    pub trust_domain: String,
}

impl Enforcer {
    /// Whether a policy of a namespace is for this workload.
    pub fn fits(&self, namespace: &str, policy: &AuthorizationPolicy) -> bool {
        let of_its_namespace = namespace == self.namespace || namespace == ROOT_NAMESPACE;
        let attached = policy.target_ref.is_some() || !policy.target_refs.is_empty();
        let selected = policy.selector.iter().flat_map(|selector| &selector.match_labels);
        of_its_namespace && !attached && selected.into_iter().all(|(key, value)| self.labels.get(key) == Some(value))
    }
}

impl Authorization {
    /// Compiles what is declared for a workload; notes what has no effect.
    ///
    /// # Errors
    /// A stored resource that does not decode.
    pub fn compile(view: &dyn View, enforcer: &Enforcer, notes: &mut Vec<String>) -> Result<Self, LoadError> {
        let providers = providers(view)?;
        let mut policies = load::<AuthorizationPolicy>(view, &AUTHORIZATION_POLICY)?;
        policies.sort_by(|(a, _), (b, _)| (a.namespace(), &a.meta.name).cmp(&(b.namespace(), &b.meta.name)));
        let peers = Peers::compile(view, enforcer)?;
        let mut authorization = Self { peers, ..Self::default() };
        let (mut collected, mut allowance) = (Collected::default(), Allowance::default());
        for (resource, spec) in &policies {
            if enforcer.fits(resource.namespace(), spec) {
                let policy = authorization.add(resource, spec, &providers, notes);
                if spec.action == Action::Allow {
                    allowance.enforced |= !policy.dry_run;
                    allowance.tried |= policy.dry_run;
                }
                collected.add(&policy, spec, enforcer);
            }
        }
        let Collected { custom, deny, audit, allow } = collected;
        [authorization.custom, authorization.deny, authorization.audit, allowance.rules] =
            [custom, deny, audit, allow].map(Rules::of);
        authorization.allowances.push(allowance);
        authorization.allowances.extend(rbac::allowance(view, enforcer, notes)?);
        Ok(authorization)
    }

    fn add(
        &mut self,
        resource: &Resource,
        spec: &AuthorizationPolicy,
        providers: &[Arc<Authorizer>],
        notes: &mut Vec<String>,
    ) -> Arc<Policy> {
        let wanted = spec.provider.as_ref().filter(|_| spec.action == Action::Custom).map(|provider| &*provider.name);
        let authorizer = wanted.and_then(|wanted| providers.iter().find(|one| *one.name == *wanted));
        if let (Some(wanted), None) = (wanted, authorizer) {
            notes.push(format!(
                "{}: no extension provider {wanted} that is asked by HTTP: it refuses what it matches",
                full_name(resource)
            ));
        }
        if let Some(authorizer) = authorizer
            && !self.authorizers.iter().any(|known| known.name == authorizer.name)
        {
            self.authorizers.push(Arc::clone(authorizer));
        }
        let policy = Arc::new(Policy {
            name: full_name(resource).into(),
            from: Provenance::of(resource),
            action: spec.action,
            dry_run: is_dry_run(&resource.meta) || resource.meta.only_reports(),
            authorizer: authorizer.cloned(),
        });
        self.policies.push(Arc::clone(&policy));
        policy
    }
}

/// The rules of policies, by what becomes of calls that match.
#[derive(Default)]
struct Collected {
    custom: Vec<Rule>,
    deny: Vec<Rule>,
    audit: Vec<Rule>,
    allow: Vec<Rule>,
}

impl Collected {
    fn add(&mut self, policy: &Arc<Policy>, spec: &AuthorizationPolicy, enforcer: &Enforcer) {
        let home = Home { namespace: &policy.from.namespace, trust_domain: &enforcer.trust_domain };
        let rules = spec.rules.iter().flatten().enumerate();
        let rules = rules.map(|(index, spec)| compiled(policy, index, spec, home));
        match spec.action {
            Action::Deny => self.deny.extend(rules),
            Action::Audit => self.audit.extend(rules),
            Action::Custom => self.custom.extend(rules),
            Action::Allow => self.allow.extend(rules),
        }
    }
}

/// Whom policies can ask, by the configuration of the mesh.
///
/// # Errors
/// When the registry cannot be read, or the configuration does not decode.
fn providers(view: &dyn View) -> Result<Vec<Arc<Authorizer>>, LoadError> {
    let known = load_mesh_config(view)?.providers;
    let of_http = known.iter().filter_map(|provider| Some((&provider.name, provider.http.as_ref()?)));
    Ok(of_http.map(|(name, http)| Arc::new(Authorizer::new(name, service(&http.service), http))).collect())
}

/// The full host of `HOST` or `NAMESPACE/HOST`; a host without a dot is the name of a Service.
fn service(written: &str) -> String {
    let (namespace, host) = written.split_once('/').unwrap_or((ROOT_NAMESPACE, written));
    match host.contains('.') {
        true => host.to_ascii_lowercase(),
        false => format!("{host}.{namespace}.svc.cluster.local"),
    }
}

fn compiled(policy: &Arc<Policy>, index: usize, spec: &RuleSpec, home: Home<'_>) -> Rule {
    let mut tests = Tests { action: policy.action, home };
    let clause = |at: String, fields: &[(&'static str, &[String])], tests: &mut Tests<'_>| {
        fields.iter().filter_map(|(name, values)| tests.of_field(&at, name, values)).collect::<Vec<_>>()
    };
    let sources = spec.from.iter().flatten().enumerate().filter_map(|(place, from)| {
        Some(clause(format!("from[{place}].source"), &from.source.as_ref()?.fields(), &mut tests))
    });
    let sources = sources.collect();
    let operations = spec.to.iter().flatten().enumerate().filter_map(|(place, to)| {
        Some(clause(format!("to[{place}].operation"), &to.operation.as_ref()?.fields(), &mut tests))
    });
    let operations = operations.collect();
    let conditions = spec.when.iter().enumerate().flat_map(|(place, when)| tests.of_condition(place, when)).collect();
    Rule::new(Arc::clone(policy), index, sources, operations, conditions)
}

/// Makes tests of the fields of a policy's rules.
struct Tests<'h> {
    action: Action,
    home: Home<'h>,
}

impl Tests<'_> {
    /// The test of a field of a source or an operation; none where it is empty.
    fn of_field(&self, at: &str, name: &str, values: &[String]) -> Option<Test> {
        let positive = match name.strip_prefix("not") {
            Some(rest) => {
                let mut letters = rest.chars();
                letters.next().map(|first| first.to_ascii_lowercase().to_string() + letters.as_str())
            }
            None => None,
        };
        let attribute = match positive.as_deref().unwrap_or(name) {
            "principals" => Attribute::Principal,
            "requestPrincipals" => Attribute::Token("request.auth.principal".to_owned()),
            "namespaces" => Attribute::Namespace,
            "serviceAccounts" => Attribute::ServiceAccount,
            "trustDomains" => Attribute::TrustDomain,
            "ipBlocks" => Attribute::SourceIp,
            "remoteIpBlocks" => Attribute::RemoteIp,
            "hosts" => Attribute::Host,
            "ports" => Attribute::Port,
            "methods" => Attribute::Method,
            "paths" => Attribute::Path,
            _ => return None,
        };
        self.of(format!("{at}.{name}"), attribute, positive.is_none(), values)
    }

    /// The tests of a condition.
    fn of_condition(&self, place: usize, when: &Condition) -> Vec<Test> {
        // A key that names nothing has been refused already.
        let Ok(attribute) = Attribute::parse(&when.key) else { return Vec::new() };
        let values = self.of(format!("when[{place}].values"), attribute.clone(), true, &when.values);
        let others = self.of(format!("when[{place}].notValues"), attribute, false, &when.not_values);
        values.into_iter().chain(others).collect()
    }

    fn of(&self, field: String, attribute: Attribute, expected: bool, values: &[String]) -> Option<Test> {
        if values.is_empty() {
            return None;
        }
        // What cannot be known here: a rule that allows does not match, one that refuses does without it.
        if matches!(attribute, Attribute::DestinationIp | Attribute::Filter(_)) {
            return (self.action == Action::Allow).then(|| Test::never(field, attribute, values));
        }
        Some(Test::new(field, attribute, expected, values, self.home))
    }
}
