//! Who calls, and who plays the gateway: workloads that are declared, or that are only described.

use serde_json::{Value as Json, json};

use crate::identity::Workload;
use crate::registry::{Operation, Overlay, Transaction, View};
use crate::resource::kinds::{DEPLOYMENT, NAMESPACE, SERVICE_ACCOUNT};
use crate::resource::{Key, Kind, Labels, Meta, Resource};
use crate::routing::{GATEWAY_NAMESPACE, OutboundPolicy};

/// Everything that changes what a configuration compiles to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Roles {
    /// Who calls; without it the caller is unknown.
    pub(super) from: Option<Who>,
    /// Who plays the egress gateway, if not Istio's.
    pub(super) gateway: Option<Who>,
    /// Which hosts workloads may call.
    pub(super) outbound: OutboundPolicy,
}

/// A workload.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// Name and namespace of one that is declared.
    Named(String, String),
    /// One that nothing declares, with namespace and labels.
    Described(String, Labels),
}

impl Who {
    /// `WORKLOAD` or `WORKLOAD.NAMESPACE`.
    pub(super) fn named(from: &str, namespace: &str) -> Self {
        let (name, namespace) = from.split_once('.').unwrap_or((from, namespace));
        Who::Named(name.to_owned(), namespace.to_owned())
    }

    /// Name and namespace, if it has a name.
    pub(super) fn name(&self) -> Option<(String, String)> {
        match self {
            Who::Named(name, namespace) => Some((name.clone(), namespace.clone())),
            Who::Described(..) => None,
        }
    }

    /// The caller as a question has it: a name, or `{"namespace", "labels"}`.
    pub(super) fn caller(value: &Json, namespace: &str) -> Result<Option<Self>, String> {
        Self::read(value, namespace).map_err(|why| format!("from: {why}"))
    }

    /// The gateway's workload as a question has it: a name, `{"namespace", "labels"}`, or labels alone.
    pub(super) fn gateway(value: &Json) -> Result<Option<Self>, String> {
        let read = match value {
            Json::Object(fields) if !fields.values().any(Json::is_object) && !fields.is_empty() => {
                labels(value).map(|labels| Some(Who::Described(GATEWAY_NAMESPACE.to_owned(), labels)))
            }
            value => Self::read(value, GATEWAY_NAMESPACE),
        };
        read.map_err(|why| format!("gateway_workload: {why}"))
    }

    fn read(value: &Json, namespace: &str) -> Result<Option<Self>, String> {
        let fields = match value {
            Json::Null => return Ok(None),
            Json::String(name) => return Ok(Some(Self::named(name, namespace))),
            Json::Object(fields) => fields,
            _ => return Err(EXPECTED.into()),
        };
        if let Some(field) = fields.keys().find(|field| !["namespace", "labels"].contains(&field.as_str())) {
            return Err(format!("unknown field {field:?}; {EXPECTED}"));
        }
        let namespace = match fields.get("namespace") {
            None | Some(Json::Null) => namespace,
            Some(Json::String(namespace)) => namespace,
            Some(_) => return Err("a namespace is a text".into()),
        };
        let labels = fields.get("labels").map(labels).transpose()?.unwrap_or_default();
        Ok(Some(Who::Described(namespace.to_owned(), labels)))
    }
}

const EXPECTED: &str = "expected a workload's name, or {\"namespace\": …, \"labels\": {…}}";

fn labels(value: &Json) -> Result<Labels, String> {
    match value {
        Json::Null => Ok(Labels::new()),
        value => serde_json::from_value(value.clone()).map_err(|_| "labels are names with texts".to_owned()),
    }
}

/// What is done about a workload that was named and that nothing declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing is judged.
    Refused,
    /// One is made up, and that is said.
    MadeUp,
}

/// What is declared, with those who have to be made up.
pub(super) struct Cast<'v> {
    view: &'v dyn View,
    missing: Missing,
    extras: Vec<Operation>,
    notes: Vec<String>,
}

impl<'v> Cast<'v> {
    pub(super) fn new(view: &'v dyn View, missing: Missing) -> Self {
        Self { view, missing, extras: Vec::new(), notes: Vec::new() }
    }

    /// Name and namespace of a workload, which is made up if it has to be, and is then called as its role.
    pub(super) fn play(&mut self, who: &Who, role: &str) -> Result<(String, String), String> {
        let (name, namespace) = match who {
            Who::Described(namespace, labels) => {
                let name = self.unused(role, namespace)?;
                self.make_up(&name, namespace, labels, "default")?;
                return Ok((name, namespace.clone()));
            }
            Who::Named(name, namespace) => (name, namespace),
        };
        if Workload::find(self.view, name, namespace).map_err(|error| error.to_string())?.is_none() {
            if self.missing == Missing::Refused {
                let near = Workload::nearest(self.view, name, namespace).map_err(|error| error.to_string())?;
                let hint = near.map_or(String::new(), |(near, of)| format!("; did you mean {near}.{of}?"));
                return Err(format!("no Deployment or Pod {name} in namespace {namespace}{hint}"));
            }
            let account = if self.has(&SERVICE_ACCOUNT, namespace, name)? { name } else { "default" };
            let labels = Labels::from([("app".to_owned(), name.clone())]);
            self.make_up(name, namespace, &labels, account)?;
            self.notes.push(format!(
                "nothing declares the workload {name} in namespace {namespace}; taken for one with label app={name} and \
                 service account {account}"
            ));
        }
        Ok((name.clone(), namespace.clone()))
    }

    /// What is declared, with those who were made up; and what is to be said of them.
    pub(super) fn on_stage(self) -> Result<(Overlay<'v>, Vec<String>), String> {
        let transaction = Transaction { operations: self.extras };
        Ok((Overlay::new(self.view, &transaction).map_err(|error| error.to_string())?, self.notes))
    }

    fn unused(&self, role: &str, namespace: &str) -> Result<String, String> {
        let mut name = role.to_owned();
        while Workload::find(self.view, &name, namespace).map_err(|error| error.to_string())?.is_some() {
            name.push('x');
        }
        Ok(name)
    }

    fn has(&self, kind: &'static Kind, namespace: &str, name: &str) -> Result<bool, String> {
        let found = self.view.get(&Key::new(kind, namespace, name)).map_err(|error| error.to_string())?;
        let made_up = |operation: &Operation| match operation {
            Operation::Create(resource) => *resource.kind == *kind && resource.meta.name == name,
            _ => false,
        };
        Ok(found.is_some() || self.extras.iter().any(made_up))
    }

    fn make_up(&mut self, name: &str, namespace: &str, labels: &Labels, account: &str) -> Result<(), String> {
        for name in [name, namespace] {
            crate::resource::name::dns_label(name).map_err(|why| format!("\"{name}\": {why}"))?;
        }
        if !self.has(&NAMESPACE, "", namespace)? {
            self.extras.push(create(&NAMESPACE, None, namespace, json!({})));
        }
        let body = json!({"spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": account, "containers": [{"name": name, "image": name}]},
            },
        }});
        self.extras.push(create(&DEPLOYMENT, Some(namespace), name, body));
        Ok(())
    }
}

fn create(kind: &'static Kind, namespace: Option<&str>, name: &str, body: Json) -> Operation {
    let meta = Meta { name: name.to_owned(), namespace: namespace.map(str::to_owned), ..Meta::default() };
    let body = body.as_object().cloned().unwrap_or_default();
    Operation::Create(Resource { kind, version: kind.versions[0].to_owned(), meta, body, origin: None })
}
