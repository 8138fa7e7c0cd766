//! What a policy holds, as plain values: for people who ask a running proxy, never for a call.

use serde::{Deserialize, Serialize};

use crate::resource::Provenance;

use super::rule::Action as Compiled;
use super::{Policy, Rule as CompiledRule, Rules};

/// A rule with what it has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// `check-paths.istio-system`.
    pub name: String,
    /// Its match as it was written; empty for every call.
    #[serde(rename = "match")]
    pub condition: String,
    /// What it hands to which handlers, in order.
    pub actions: Vec<Action>,
    /// `enforce`, or `report` where its refusals are only recorded; none for a rule that refuses nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Calls that it matched since the proxy started.
    pub matched: u64,
    /// Checks and quotas of it that refused, or would have.
    pub refused: u64,
    /// Calls for which its match could not be decided.
    pub undecided: u64,
    /// Where it was declared.
    pub from: Provenance,
}

/// One instance handed to one handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// `check`, `quota` or `report`.
    pub variety: String,
    /// Name of the handler, as messages have it.
    pub handler: String,
    /// Full name of the instance.
    pub instance: String,
    /// Why nothing can be done, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Policy {
    /// All rules in the order in which they are asked: those of the whole mesh first. The second value is the namespace
    /// whose calls a rule sees, if not all.
    pub fn describe(&self) -> Vec<(Rule, Option<String>)> {
        let mut namespaces: Vec<_> = self.namespaces.iter().collect();
        namespaces.sort_by_key(|(name, _)| name.as_str());
        let own = namespaces.into_iter().map(|(name, rules)| (rules, Some(name.clone())));
        let described = |(rules, namespace): (&Rules, Option<String>)| -> Vec<_> {
            let only_reports = self.enforcement.report_only;
            rules.all.iter().map(|rule| (rule.describe(only_reports), namespace.clone())).collect()
        };
        std::iter::once((&self.mesh, None)).chain(own).flat_map(described).collect()
    }

    /// Names of the rules that could refuse calls, and only report.
    pub fn only_reporting(&self) -> Vec<String> {
        let mut namespaces: Vec<_> = self.namespaces.iter().collect();
        namespaces.sort_by_key(|(name, _)| name.as_str());
        let all = self.mesh.all.iter().chain(namespaces.into_iter().flat_map(|(_, rules)| &rules.all));
        let only = |rule: &&CompiledRule| rule.is_checked() && (rule.report_only || self.enforcement.report_only);
        all.filter(only).map(CompiledRule::short_name).collect()
    }
}

const REPORT: &str = "report";

impl CompiledRule {
    /// Its name and namespace.
    fn names(&self) -> (&str, &str) {
        self.name.split_once(".rule.").unwrap_or((&self.name, ""))
    }

    fn short_name(&self) -> String {
        let (name, namespace) = self.names();
        format!("{name}.{namespace}")
    }

    fn describe(&self, only_reports: bool) -> Rule {
        let actions = [("check", &self.checks[..]), ("quota", &self.quotas), (REPORT, &self.reports)];
        let actions = actions
            .into_iter()
            .flat_map(|(variety, actions)| actions.iter().map(move |action| Action::of(variety, action)));
        let mode = if self.report_only || only_reports { REPORT } else { "enforce" };
        let (name, namespace) = self.names();
        Rule {
            name: self.short_name(),
            condition: self.condition.as_ref().map(|condition| condition.text().trim().to_owned()).unwrap_or_default(),
            actions: actions.collect(),
            mode: self.is_checked().then(|| mode.to_owned()),
            matched: self.counts.matched.total(),
            refused: self.counts.refused.total(),
            undecided: self.counts.undecided.total(),
            from: Provenance {
                kind: "rule".to_owned(),
                name: name.to_owned(),
                namespace: namespace.to_owned(),
                declared_at: self.origin.as_ref().map(|origin| format!("{}:{}", origin.file, origin.line)),
            },
        }
    }
}

impl Action {
    fn of(variety: &str, action: &Compiled) -> Self {
        Self {
            variety: variety.to_owned(),
            handler: action.handler.to_string(),
            instance: action.instance.to_string(),
            problem: action.ready.as_ref().err().cloned(),
        }
    }
}
