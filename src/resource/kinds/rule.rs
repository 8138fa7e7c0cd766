//! rule: which instances are sent to which handlers, and when (Mixer).

use std::fmt;
use std::ops::Range;

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::diagnostic::{Code, Problem};
use crate::resource::{Duration, Kind, Typed, name};

/// The kind `rule` (config.istio.io).
pub static RULE: Kind = Kind {
    group: "config.istio.io",
    versions: &["v1alpha2"],
    categories: cells::POLICY,
    check: |resource, problems| check::spec::<Rule>(resource, problems, rules),
    ..cells::kind("rule", "rules", "rule")
};

/// `spec` of a rule.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// Expression of type BOOL; always when empty.
    pub r#match: String,
    /// Old name of `match`.
    pub selector: String,
    /// What is done.
    pub actions: Vec<Action>,
    /// Changes of the request's headers.
    pub request_header_operations: Vec<HeaderOperation>,
    /// Changes of the response's headers.
    pub response_header_operations: Vec<HeaderOperation>,
    /// Which share of the reports is made; never executed by Mixer.
    pub sampling: Option<Sampling>,
}

impl Rule {
    /// The expression, under its new or old name; empty for always.
    pub fn condition(&self) -> &str {
        if self.r#match.is_empty() { &self.selector } else { &self.r#match }
    }
}

impl Typed for Rule {
    const ROOT: Option<&'static str> = Some("spec");
}

/// Instances for a handler.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Action {
    /// [`Reference`] to the handler.
    pub handler: String,
    /// [`Reference`]s to the instances.
    pub instances: Vec<String>,
    /// Name under which header operations read the action's output.
    pub name: String,
}

/// A change of a header.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeaderOperation {
    /// The header.
    pub name: String,
    /// Expressions of type STRING.
    pub values: Vec<String>,
    /// What is done with it.
    pub operation: Operation,
}

/// What is done with a header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Operation {
    /// Its values become these.
    #[default]
    Replace,
    /// It goes.
    Remove,
    /// These are added.
    Append,
}

/// Which share of the reports is made.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sampling {
    /// By chance.
    pub random: Option<RandomSampling>,
    /// By rate.
    pub rate_limit: Option<RateLimitSampling>,
}

/// Sampling by chance.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RandomSampling {
    /// Attribute that decides.
    pub attribute_expression: String,
    /// Share.
    pub percent_sampled: Option<Fraction>,
    /// Whether each call is diced anew.
    pub use_independent_randomness: bool,
}

/// A share.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Fraction {
    /// So many
    pub numerator: u32,
    /// of so many.
    pub denominator: Denominator,
}

/// What a [`Fraction`] counts in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Denominator {
    /// Per cent.
    #[default]
    Hundred,
    /// Hundredths of a per cent.
    TenThousand,
}

/// Sampling by rate.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RateLimitSampling {
    /// Window.
    pub sampling_duration: Option<Duration>,
    /// Reports in a window before sampling begins.
    pub max_unsampled_entries: i64,
    /// From then on one in so many.
    pub sampling_rate: i64,
}

/// The name by which a rule refers to a handler or instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference<'a> {
    /// `x`: the `handler` or `instance` of that name in the rule's namespace.
    Name(&'a str),
    /// `a.b`: `a` of kind `b` in the rule's namespace, else the `handler` or `instance` `a` of namespace `b`.
    Two(&'a str, &'a str),
    /// `name.kind.namespace`.
    Full {
        /// Name.
        name: &'a str,
        /// Kind.
        kind: &'a str,
        /// Namespace.
        namespace: &'a str,
    },
}

/// Why a text is no [`Reference`], and the bytes at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadReference {
    /// The bytes.
    pub at: Range<usize>,
}

impl fmt::Display for BadReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reference is NAME, NAME.KIND or NAME.KIND.NAMESPACE, each of lower case letters, digits and '-'")
    }
}

impl<'a> Reference<'a> {
    /// Reads a reference.
    ///
    /// # Errors
    /// A part that is no name, or a fourth part.
    pub fn parse(text: &'a str) -> Result<Self, BadReference> {
        let mut start = 0;
        let mut parts = Vec::with_capacity(3);
        for part in text.split('.') {
            if parts.len() == 3 {
                return Err(BadReference { at: start - 1..text.len() });
            }
            if name::dns_label(part).is_err() {
                return Err(BadReference { at: start..start + part.len() });
            }
            parts.push(part);
            start += part.len() + 1;
        }
        match parts[..] {
            [name] => Ok(Reference::Name(name)),
            [name, second] => Ok(Reference::Two(name, second)),
            [name, kind, namespace] => Ok(Reference::Full { name, kind, namespace }),
            _ => Err(BadReference { at: 0..text.len() }),
        }
    }
}

fn rules(at: &mut At<'_>, rule: &Rule) {
    if !rule.selector.is_empty() {
        at.field("selector").deprecated("selector is the old name of match");
        if !rule.r#match.is_empty() {
            at.field("selector").invalid("only one of match and selector may be given");
        }
    }
    if rule.actions.is_empty()
        && rule.request_header_operations.is_empty()
        && rule.response_header_operations.is_empty()
    {
        at.field("actions").missing("a rule needs at least one action");
    }
    at.each("actions", &rule.actions, action);
    for (field, operations) in [
        ("requestHeaderOperations", &rule.request_header_operations),
        ("responseHeaderOperations", &rule.response_header_operations),
    ] {
        at.each(field, operations, |at, operation| {
            if operation.name.is_empty() {
                at.field("name").required();
            }
            const FRAMING: [&str; 9] = [
                "host",
                "content-length",
                "transfer-encoding",
                "connection",
                "upgrade",
                "te",
                "trailer",
                "keep-alive",
                "x-egress-decision-id",
            ];
            let name = operation.name.to_ascii_lowercase();
            if FRAMING.contains(&name.as_str()) {
                at.field("name").invalid(format!("{name} belongs to the connection and cannot be changed by a rule"));
            } else if !name.is_empty() && http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                at.field("name").invalid(format!("\"{name}\" is no name of a header"));
            }
            if operation.values.is_empty() && operation.operation != Operation::Remove {
                at.field("values").required();
            }
        });
    }
}

fn action(at: &mut At<'_>, action: &Action) {
    match action.handler.as_str() {
        "" => at.field("handler").required(),
        handler => reference(&mut at.field("handler"), handler),
    }
    for (index, instance) in action.instances.iter().enumerate() {
        let mut instances = at.field("instances");
        let mut at = instances.index(index);
        reference(&mut at, instance);
        if action.instances[..index].contains(instance) {
            at.duplicate(format!("instance \"{instance}\" stands twice in this action"));
        }
    }
}

fn reference(at: &mut At<'_>, text: &str) {
    if let Err(bad) = Reference::parse(text) {
        let message = format!("invalid reference \"{text}\"");
        let problem =
            Problem::error(Code::Invalid, at.path.clone(), message).within(bad.at.clone()).help(bad.to_string());
        at.problems.push(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn references_have_one_to_three_parts() {
        assert_eq!(Reference::parse("a"), Ok(Reference::Name("a")));
        assert_eq!(Reference::parse("a.stdio"), Ok(Reference::Two("a", "stdio")));
        assert_eq!(Reference::parse("a.stdio.ns"), Ok(Reference::Full { name: "a", kind: "stdio", namespace: "ns" }));
        assert_eq!(Reference::parse("a.b.c.d"), Err(BadReference { at: 5..7 }));
        assert_eq!(Reference::parse("a..c"), Err(BadReference { at: 2..2 }));
        assert_eq!(Reference::parse("a.b c"), Err(BadReference { at: 2..5 }));
        assert!(Reference::parse("").is_err());
    }

    #[test]
    fn a_rule_has_actions_with_handlers() {
        assert_eq!(check(&RULE, "match: 'true'"), ["spec.actions: a rule needs at least one action"]);
        assert_eq!(
            check(&RULE, "actions:\n- instances: [a.logentry, a.logentry]\n- handler: b c"),
            [
                "spec.actions[0].handler: Required value",
                "spec.actions[0].instances[1]: instance \"a.logentry\" stands twice in this action",
                "spec.actions[1].handler: invalid reference \"b c\"",
            ]
        );
    }

    #[test]
    fn the_old_name_of_match_is_understood() {
        let spec = "selector: 'true'\nactions:\n- handler: h.stdio";
        assert_eq!(check(&RULE, spec), ["spec.selector: selector is the old name of match"]);
        let rule = Rule { selector: "x".into(), ..Rule::default() };
        assert_eq!(rule.condition(), "x");
    }
}
