//! Mixer's model, compiled: which rules match a call, and what they record.
//!
//! A rule's match is a program over attribute slots; each of its actions hands an instance (values computed from the
//! call, see [`template`]) to a handler (see [`adapter`]), which makes an entry of them.

pub mod adapter;
mod compile;
pub mod refusal;
pub mod template;
mod vocabulary;

use std::collections::HashMap;
use std::sync::Arc;

use crate::accesslog::{Report, Shape};
use crate::call::CallBag;
use crate::expr::{Program, Scratch};

use adapter::stdio::Stdio;
use template::logentry::LogEntry;

pub use compile::{CONFIG_NAMESPACE, condition, full_name, resolve};
pub use vocabulary::{clash, vocabulary};

/// All rules of a configuration.
#[derive(Debug, Default)]
pub struct Policy {
    /// Rules of the configuration namespace: they see every call.
    mesh: Vec<Rule>,
    /// Rules of other namespaces see the calls of their own workloads.
    namespaces: HashMap<String, Vec<Rule>>,
}

/// A rule with at least one action that can be carried out.
#[derive(Debug)]
struct Rule {
    /// `None` matches every call.
    condition: Option<Program>,
    actions: Vec<Action>,
}

/// One instance handed to one handler.
#[derive(Debug)]
struct Action {
    instance: Arc<LogEntry>,
    handler: Arc<Stdio>,
    shape: Arc<Shape>,
}

impl Policy {
    /// Adds the entries that the rules ask for of a call. Returns how many matches and instances could not be
    /// evaluated: such a match counts as not matching, such an instance is left out (Mixer's rule).
    pub fn report(&self, bag: &CallBag<'_>, scratch: &mut Scratch, report: &mut Report) -> u64 {
        let own = bag.source_namespace().and_then(|namespace| self.namespaces.get(namespace));
        let mut errors = 0;
        for rule in self.mesh.iter().chain(own.into_iter().flatten()) {
            errors += rule.report(bag, scratch, report);
        }
        errors
    }
}

impl Rule {
    fn report(&self, bag: &CallBag<'_>, scratch: &mut Scratch, report: &mut Report) -> u64 {
        if let Some(condition) = &self.condition {
            scratch.reset();
            match condition.holds(bag, scratch) {
                Ok(true) => {}
                Ok(false) => return 0,
                Err(_) => return 1,
            }
        }
        let mut errors = 0;
        for action in &self.actions {
            scratch.reset();
            match action.handler.entry(&action.instance, &action.shape, bag, scratch) {
                Ok(entry) => report.extend(entry),
                Err(_) => errors += 1,
            }
        }
        errors
    }
}
