//! opa: a handler that asks a policy written in Rego (Mixer).

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::resource::{Kind, Part, Role};

/// Most bytes that all texts of a policy may have together.
const MAX_POLICY: usize = 1 << 20;

/// The kind `opa` (config.istio.io).
pub static OPA: Kind = cells::part(
    "opa",
    "opas",
    Part { role: Role::Handler, check: |tree, at, problems| check::params::<Opa>(tree, at, problems, rules) },
);

/// `spec` of an opa.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Opa {
    /// Modules in Rego.
    pub policy: Vec<String>,
    /// The rule that is asked: `data.PACKAGE.RULE`.
    pub check_method: String,
    /// Whether a call is refused where the rule has no answer; unlike Mixer's, the default is yes.
    pub fail_close: Option<bool>,
}

fn rules(at: &mut At<'_>, opa: &Opa) {
    if opa.policy.is_empty() {
        at.field("policy").required();
    }
    if opa.policy.iter().map(String::len).sum::<usize>() > MAX_POLICY {
        at.field("policy").invalid(format!("a policy may have at most {} KiB", MAX_POLICY >> 10));
    }
    if opa.check_method.is_empty() {
        return at.field("checkMethod").required();
    }
    let mut steps = opa.check_method.split('.');
    let named = |step: &str| {
        let mut bytes = step.bytes();
        let begins = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        begins && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if steps.next() != Some("data") || steps.clone().count() < 2 || !steps.all(named) {
        let help = "the rule `allow` of `package mixerauthz` is data.mixerauthz.allow";
        at.field("checkMethod").advise("expected the name of a rule: data.PACKAGE.RULE", help);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_policy_and_the_rule_that_is_asked_are_required() {
        assert_eq!(check(&OPA, "policy: [package a]\ncheckMethod: data.a.allow\nfailClose: true"), [""; 0]);
        assert_eq!(check(&OPA, "policy: [package a.b]\ncheckMethod: data.a.b.allow"), [""; 0]);
        assert_eq!(check(&OPA, "{}"), ["spec.policy: Required value", "spec.checkMethod: Required value"]);
        for method in ["data", "data.a", "a.allow", "data.a.", "data.a.b c", "data.a[0]"] {
            let told = check(&OPA, &format!("policy: [package a]\ncheckMethod: '{method}'"));
            assert_eq!(told, ["spec.checkMethod: expected the name of a rule: data.PACKAGE.RULE"], "{method}");
        }
        let long = "x".repeat(MAX_POLICY + 1);
        let told = check(&OPA, &format!("policy: [{long}]\ncheckMethod: data.a.allow"));
        assert_eq!(told, ["spec.policy: a policy may have at most 1024 KiB"]);
    }
}
