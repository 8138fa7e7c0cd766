//! QuotaSpec: which quotas calls are charged, and how much (Mixer's client).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::expr::{is_attribute_name, pattern};
use crate::resource::{Kind, Typed};

/// The kind `QuotaSpec` (config.istio.io).
pub static QUOTA_SPEC: Kind = Kind {
    group: "config.istio.io",
    versions: &["v1alpha2"],
    categories: cells::POLICY,
    check: |resource, problems| check::spec::<QuotaSpec>(resource, problems, rules),
    ..cells::kind("QuotaSpec", "quotaspecs", "quotaspec")
};

/// `spec` of a QuotaSpec.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct QuotaSpec {
    /// All that match are charged.
    pub rules: Vec<QuotaRule>,
}

impl Typed for QuotaSpec {
    const ROOT: Option<&'static str> = Some("spec");
}

/// Quotas that calls are charged.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct QuotaRule {
    /// The calls: all, or those of which any of these holds.
    pub r#match: Vec<AttributeMatch>,
    /// What they are charged.
    pub quotas: Vec<Charge>,
}

/// Conditions on attributes, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AttributeMatch {
    /// By attribute.
    pub clause: BTreeMap<String, TextMatch>,
}

/// A condition on a text: one of the three.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TextMatch {
    /// This text.
    pub exact: Option<String>,
    /// It begins so.
    pub prefix: Option<String>,
    /// It matches as a whole.
    pub regex: Option<String>,
}

/// What a call is charged.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Charge {
    /// Short name of the quota instance, in any letter case.
    pub quota: String,
    /// How much.
    pub charge: i64,
}

fn rules(at: &mut At<'_>, spec: &QuotaSpec) {
    if spec.rules.is_empty() {
        at.field("rules").required();
    }
    at.each("rules", &spec.rules, |at, rule| {
        at.each("match", &rule.r#match, |at, condition| {
            let mut clauses = at.field("clause");
            for (name, text) in &condition.clause {
                clause(&mut clauses.field(name), name, text);
            }
        });
        if rule.quotas.is_empty() {
            at.field("quotas").required();
        }
        at.each("quotas", &rule.quotas, |at, charge| {
            if charge.quota.is_empty() {
                at.field("quota").required();
            }
            match charge.charge {
                0 => at.field("charge").required(),
                ..0 => at.field("charge").invalid("must be greater than 0"),
                _ => {}
            }
        });
    });
}

fn clause(at: &mut At<'_>, name: &str, text: &TextMatch) {
    if !is_attribute_name(name) {
        at.invalid(format!("\"{name}\" is no name of an attribute"));
    }
    let given = [&text.exact, &text.prefix, &text.regex].into_iter().flatten().collect::<Vec<_>>();
    match given.as_slice() {
        [only] if only.is_empty() => at.invalid("the text must not be empty"),
        [_] => {}
        _ => at.advise("one condition must be given", "write exact, prefix or regex"),
    }
    if let Some(regex) = &text.regex {
        at.field("regex").verdict(pattern::compile_whole(regex).map(drop));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_rule_charges_something() {
        assert_eq!(check(&QUOTA_SPEC, "rules: [{quotas: [{quota: requestcount, charge: 1}]}]"), [""; 0]);
        assert_eq!(
            check(&QUOTA_SPEC, "rules: [{quotas: [{quota: '', charge: 0}]}, {match: [{clause: {request.path: {}}}]}]"),
            [
                "spec.rules[0].quotas[0].quota: Required value",
                "spec.rules[0].quotas[0].charge: Required value",
                "spec.rules[1].match[0].clause[request.path]: one condition must be given",
                "spec.rules[1].quotas: Required value",
            ]
        );
        let regex = "rules: [{match: [{clause: {request.path: {regex: '(?x)a#c'}}}], quotas: [{quota: a, charge: 1}]}]";
        assert_eq!(check(&QUOTA_SPEC, regex).len(), 1, "it breaks when it is anchored");
    }
}
