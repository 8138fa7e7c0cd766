//! What all that is declared would do together, and what of it its authors can hardly have meant.
//!
//! A kind's own check sees one resource, and admission the references of one change; an [`Analyzer`] sees everything. It is
//! a pure function over the [`Model`], one file a subject, one line in [`ANALYZERS`]. What it finds are [`Finding`]s with
//! istioctl's codes and words where istioctl has some, and codes of our own ([`CODES`]) where it has none.

mod authorization;
mod code;
mod conditions;
mod destination_rules;
mod destinations;
mod gateways;
mod hosts;
mod model;
mod policy;
mod routes;
mod schema;
mod service_entries;
mod services;
mod sidecars;
mod tls;
mod visibility;
mod virtual_services;

#[cfg(test)]
mod tests;

use crate::diagnostic::{FieldPath, Problem};
use crate::registry::{Result, View};
use crate::resource::kinds::RULE;
use crate::resource::{Key, Origin, Resource};

pub use code::{CODES, Code, Level};
pub use visibility::{Sees, Visible, visible};

use model::Model;

/// Something found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What sort of thing.
    pub code: &'static Code,
    /// The resource it is said of.
    pub key: Key,
    /// The file and line that declared the resource, where known.
    pub origin: Option<Origin>,
    /// The field; its nearest ancestor where the field is what is missing.
    pub at: FieldPath,
    /// One sentence or more, as istioctl words it.
    pub message: String,
}

/// Everything found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    /// Adds something found at a field of a resource.
    fn add(&mut self, code: &'static Code, resource: &Resource, at: FieldPath, message: impl Into<String>) {
        let (key, origin) = (resource.key(), resource.origin.clone());
        self.0.push(Finding { code, key, origin, at, message: message.into() });
    }
}

/// A look at everything that is declared, from one side.
struct Analyzer {
    /// What it looks for.
    run: fn(&Model<'_>, &mut Findings),
}

/// Every analyzer.
static ANALYZERS: &[Analyzer] = &[
    Analyzer { run: schema::analyze },
    Analyzer { run: virtual_services::analyze },
    Analyzer { run: destinations::analyze },
    Analyzer { run: gateways::analyze },
    Analyzer { run: destination_rules::analyze },
    Analyzer { run: service_entries::analyze },
    Analyzer { run: services::analyze },
    Analyzer { run: sidecars::analyze },
    Analyzer { run: hosts::analyze },
    Analyzer { run: routes::analyze },
    Analyzer { run: tls::analyze },
    Analyzer { run: policy::analyze },
    Analyzer { run: conditions::analyze },
    Analyzer { run: authorization::analyze },
    Analyzer { run: visibility::analyze },
];

/// A fault of a resource that was found before it could be looked at together with others.
pub fn fault(resource: &Resource, problem: &Problem) -> Finding {
    let (code, message) = schema::worded(problem);
    Finding { code, key: resource.key(), origin: resource.origin.clone(), at: problem.at.clone(), message }
}

/// Analyzes everything that a view shows. The worst comes first, then in the order of codes and resources.
///
/// # Errors
/// Those of reading the view.
pub fn analyze(view: &dyn View) -> Result<Vec<Finding>> {
    let model = Model::read(view)?;
    let mut findings = Findings::default();
    for analyzer in ANALYZERS {
        (analyzer.run)(&model, &mut findings);
    }
    Ok(sorted(findings.0))
}

/// The rules that ask for what HTTPS hides which is passed through: what `create` says of a rule at once.
///
/// # Errors
/// Those of reading the view.
pub fn hidden_rules(view: &dyn View) -> Result<Vec<Finding>> {
    let mut findings = Findings::default();
    visibility::analyze(&Model::read(view)?, &mut findings);
    findings.0.retain(|finding| *finding.key.kind == RULE);
    Ok(sorted(findings.0))
}

/// The worst first, then in the order of codes and resources; each once.
fn sorted(mut found: Vec<Finding>) -> Vec<Finding> {
    let order = |one: &Finding| {
        let key = &one.key;
        (one.code.level, one.code.name, key.kind.name, key.namespace.clone(), key.name.clone(), one.at.clone())
    };
    found.sort_by_key(order);
    found.dedup();
    found
}
