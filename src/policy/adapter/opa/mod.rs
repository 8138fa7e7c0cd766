//! `opa`: asks a policy written in Rego, the language of the Open Policy Agent.

mod input;
mod rego;

use std::sync::Arc;

use regorus::Value;

use crate::call::Code;
use crate::policy::instance::{Fault, Values};
use crate::policy::template::authorization;
use crate::policy::verdict::Verdict;
use crate::resource::kinds;
use crate::resource::kinds::opa::Opa as Spec;

use super::{Adapter, Handler};
use rego::Rule;

/// What a caller is told who is refused.
const REJECTED: &str = "opa: request was rejected";

/// The adapter `opa`.
pub static OPA: Adapter = Adapter {
    kind: &kinds::OPA,
    templates: &[&authorization::AUTHORIZATION],
    build: |setup| {
        let spec: Spec = setup.params()?;
        let rule = Rule::compile(&spec.policy, &spec.check_method, &setup.at)?;
        Ok(Arc::new(Opa { rule, fails_closed: spec.fail_close.unwrap_or(true) }))
    },
};

#[derive(Debug)]
struct Opa {
    rule: Rule,
    /// Whether a call is refused where the rule has no answer.
    fails_closed: bool,
}

impl Handler for Opa {
    fn check<'v>(&self, values: &Values<'v>) -> Result<Verdict, Fault<'v>> {
        let message = match self.rule.ask(input::of(values)?) {
            Ok(Value::Bool(true)) => return Ok(Verdict::Ok),
            Ok(Value::Bool(false)) => REJECTED.to_owned(),
            _ if !self.fails_closed => return Ok(Verdict::Ok),
            Ok(Value::Undefined) => REJECTED.to_owned(),
            Ok(_) => format!("{REJECTED}: the rule's value is no boolean"),
            Err(why) => format!("{REJECTED}: {why}"),
        };
        Ok(Verdict::Refused { code: Code::PERMISSION_DENIED, message })
    }
}

#[cfg(test)]
mod tests;
