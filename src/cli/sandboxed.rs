//! Running a command as a workload, for `exec` and `run`.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use serde_json::Value as Json;

use super::audit::Audit;
use super::context::Context;
use super::failure::{Failure, Outcome};
use super::target::no_such_kind;
use crate::diagnostic::visible;
use crate::identity::{Cluster, Workload};
use crate::registry::View;
use crate::resource::kinds::{self, DEPLOYMENT, POD};
use crate::resource::{Key, Resource};
use crate::sandbox::{self, Asked, Error, Lease, Plan, Tenant};
use crate::state::StateDir;

/// What is to run, as it was typed.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
    /// Where it starts, if not here.
    pub(crate) directory: Option<PathBuf>,
    /// Whether it has an empty /tmp of its own.
    pub(crate) private_tmp: bool,
    /// Whether it reads standard input.
    pub(crate) input: bool,
    /// Whether it gets a terminal.
    pub(crate) terminal: bool,
    /// Where it is told what it called, if it is to be.
    pub(crate) audit: Option<Audit>,
}

/// The Pod that a word names: `POD`, `pod/POD`, or `deployment/NAME`, whose first Pod it is.
///
/// # Errors
/// There is none.
pub(crate) fn pod(word: &str, view: &dyn View, namespace: &str) -> Result<Resource, Failure> {
    let cluster = Cluster::new(view);
    let (kind, name) = match word.split_once('/') {
        None => (&POD, word),
        Some((kind, name)) => (kinds::by_name(kind).ok_or_else(|| no_such_kind(kind))?, name),
    };
    let key = Key::new(kind, namespace, name);
    let pod = match cluster.get(&key)? {
        Some(found) if *found.kind == POD => Some(found),
        Some(found) if *found.kind == DEPLOYMENT => {
            let workload = Workload::find(&cluster, name, namespace)?;
            workload.map(|workload| cluster.get(&Key::new(&POD, namespace, &workload.pod))).transpose()?.flatten()
        }
        Some(found) => {
            return Err(Failure::client(format!(
                "cannot attach to {}: no pods belong to one",
                found.kind.qualified_plural()
            )));
        }
        None => None,
    };
    pod.ok_or_else(|| crate::registry::Error::NotFound(key).into())
}

/// The container that was named, or the pod's first.
///
/// # Errors
/// The pod has no such container.
pub(crate) fn container<'p>(
    pod: &'p Resource,
    wanted: Option<&str>,
    context: &mut Context,
) -> Result<Option<&'p Json>, Failure> {
    let containers = pod.spec().get("containers").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let name = |container: &Json| container.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
    let names = || containers.iter().map(name).collect::<Vec<_>>().join(", ");
    match (wanted, containers) {
        (Some(wanted), containers) => match containers.iter().find(|container| name(container) == wanted) {
            Some(found) => Ok(Some(found)),
            None => Err(Failure::client(format!(
                "container {} is not valid for pod {} out of: {}",
                visible(wanted),
                pod.meta.name,
                names()
            ))),
        },
        (None, [first, _, ..]) => {
            context.say(&format!("Defaulted container \"{}\" out of: {}", visible(&name(first)), visible(&names())))?;
            Ok(Some(first))
        }
        (None, containers) => Ok(containers.first()),
    }
}

/// The workload of a Pod: the name of its Deployment where it is the first of its Pods, so that they share a listener.
///
/// # Errors
/// It is gone.
pub(crate) fn tenant(view: &dyn View, pod: &Resource) -> Result<Tenant, Failure> {
    let (name, namespace) = (&pod.meta.name, pod.namespace());
    let owner = Workload::find(view, name, namespace)?.map(|workload| workload.name).unwrap_or_default();
    let is_first = Workload::find(view, &owner, namespace)?.is_some_and(|workload| workload.pod == *name);
    Ok(Tenant { workload: if is_first { owner } else { name.clone() }, namespace: namespace.to_owned() })
}

/// A lease of a running proxy: the one that is named, or the first by name.
///
/// # Errors
/// None runs.
pub(crate) fn lease(state: &StateDir, node: Option<&str>, asked: &Asked) -> Option<Lease> {
    let mut doors = node.map_or_else(|| state.node_doors(), |node| vec![state.node_door(node)]);
    doors.sort();
    // Those on which nobody answers were left by proxies that were killed.
    doors.iter().find_map(|door| Lease::ask(door, asked).ok())
}

/// Runs a command in a sandbox to its end. Its exit status becomes ours; `told` is said about one that is not 0.
///
/// # Errors
/// Also the exit status, if it is not 0.
pub(crate) fn run(wanted: Wanted, state: &StateDir, lease: &Lease, told: fn(u8) -> String) -> Outcome {
    let terminal = wanted.terminal && std::io::stdin().is_terminal();
    let plan = Plan {
        command: wanted.command,
        directory: wanted.directory,
        state: state.path().to_owned(),
        private_tmp: wanted.private_tmp,
        input: wanted.input,
        terminal,
    };
    let ended = sandbox::run(&plan, lease);
    let audited = match (&ended, wanted.audit) {
        (Ok(_), Some(audit)) => audit.tell(lease),
        _ => Ok(()),
    };
    match ended {
        Ok(0) => Ok(audited?),
        // Its status says more than that it was not told what it called.
        Ok(status) => Err(Failure::Status(status, told(status)).into()),
        Err(error) => Err(worded(error).into()),
    }
}

fn worded(error: Error) -> Failure {
    let hint = match &error {
        Error::Refused(refused) => Some(refused.hint.clone()),
        Error::Unmade { hint, .. } => hint.clone(),
        Error::Proxy(_) | Error::Unstarted(..) => None,
    };
    let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    match error {
        Error::Unstarted(why, status) => Failure::Status(status, format!("error: {}", visible(&why))),
        other => Failure::client(format!("{other}{hint}")),
    }
}
