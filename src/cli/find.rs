//! Finding the resources that a command line speaks of.

use clap::Args;

use super::context::Context;
use super::failure::{Failure, Failures};
use super::selector;
use super::target::{Targets, Wanted};
use crate::diagnostic::visible;
use crate::registry::{self, ListQuery, Selector, View};
use crate::resource::{Key, Resource};

/// `-l` and `-A`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Selection {
    /// Only resources with these labels: app=sleep,tier!=db,env in (a,b),!old
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// Resources of all namespaces
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
}

/// Where to look, and for which labels.
#[derive(Debug)]
pub(crate) struct Scope {
    /// One namespace, or all.
    pub(crate) namespace: Option<String>,
    /// Labels.
    pub(crate) selector: Selector,
}

/// What was found, and what was not.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// In the order asked for; those of a whole kind by namespace, then name.
    pub(crate) resources: Vec<Resource>,
    /// Resources that were named, but are not there.
    pub(crate) missing: Vec<Key>,
}

impl Selection {
    /// What the flags mean.
    ///
    /// # Errors
    /// The selector cannot be read.
    pub(crate) fn scope(&self, context: &Context) -> Result<Scope, Failure> {
        Ok(Scope {
            namespace: (!self.all_namespaces).then(|| context.namespace().to_owned()),
            selector: self.selector.as_deref().map(selector::parse).transpose()?.unwrap_or_default(),
        })
    }

    /// Refuses names together with flags that ask for many.
    ///
    /// # Errors
    /// Both were given.
    pub(crate) fn agree_with(&self, targets: &Targets) -> Result<(), Failure> {
        if targets.are_named() && self.all_namespaces && targets.wanted.iter().any(|wanted| wanted.kind().namespaced) {
            return Err(Failure::client("a resource cannot be retrieved by name across all namespaces"));
        }
        if targets.are_named() && self.selector.is_some() {
            return Err(Failure::client("name cannot be provided when a selector is specified"));
        }
        Ok(())
    }
}

impl Scope {
    /// The key of a named resource.
    pub(crate) fn key(&self, kind: &'static crate::resource::Kind, name: &str) -> Key {
        Key::new(kind, self.namespace.as_deref().unwrap_or_default(), name)
    }

    /// The question for all resources of a kind.
    pub(crate) fn query(&self, kind: &'static crate::resource::Kind) -> ListQuery {
        let namespace = self.namespace.clone().filter(|_| kind.namespaced);
        ListQuery { kind, namespace, selector: self.selector.clone() }
    }

    /// Finds everything that was asked for.
    ///
    /// # Errors
    /// The registry cannot be read.
    pub(crate) fn find(&self, view: &dyn View, targets: &Targets) -> registry::Result<Found> {
        let mut found = Found::default();
        for wanted in &targets.wanted {
            match wanted {
                Wanted::All(kind) => found.resources.extend(view.list(&self.query(kind))?),
                Wanted::Named(kind, name) => {
                    let key = self.key(kind, name);
                    match view.get(&key)? {
                        Some(resource) => found.resources.push(resource),
                        None => found.missing.push(key),
                    }
                }
            }
        }
        Ok(found)
    }

    /// What is said when a list is empty.
    pub(crate) fn nothing_found(&self, targets: &Targets) -> String {
        let namespaced = targets.wanted.iter().all(|wanted| wanted.kind().namespaced);
        match &self.namespace {
            Some(namespace) if namespaced => {
                format!("No resources found in {} namespace.", visible(namespace))
            }
            _ => "No resources found".into(),
        }
    }
}

impl Found {
    /// A failure for each resource that is not there.
    pub(crate) fn failures(&self) -> Failures {
        let mut failures = Failures::default();
        self.missing.iter().for_each(|key| failures.push(registry::Error::NotFound(key.clone())));
        failures
    }
}
