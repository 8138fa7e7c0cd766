//! Whose log it is: the pod and container that stand for the access log.

use serde_json::Value as Json;

use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::selector;
use crate::diagnostic::visible;
use crate::identity::{Cluster, Workload, pods_of};
use crate::registry::{ListQuery, Selector, View};
use crate::resource::kinds::{self, DEPLOYMENT, POD};
use crate::resource::{Key, Kind, Resource};

/// The namespace of Istio's own pods.
const ISTIO_SYSTEM: &str = "istio-system";
/// Starts of the names of the pods whose log is the access log, with the container that writes it; `None` for any.
const RECORDERS: &[(&str, Option<&str>)] = &[("istio-telemetry-", Some("mixer")), ("istio-egressgateway-", None)];

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// A pod's name, or `kind/name`.
    pub(super) pod: Option<String>,
    /// A container of it.
    pub(super) container: Option<String>,
    /// Labels of pods.
    pub(super) selector: Option<String>,
}

/// Where the lines come from.
#[derive(Debug)]
pub(super) struct Origin {
    /// Whether the access log is what it writes; the logs of other pods are empty here.
    pub(super) records: bool,
    /// `[pod/P/C] `, empty where it is not asked for.
    pub(super) prefix: String,
    /// Names of the workloads with the labels that were asked for, where what they called is asked.
    pub(super) callers: Vec<String>,
}

impl Origin {
    fn new(records: bool) -> Self {
        Self { records, prefix: String::new(), callers: Vec::new() }
    }
}

/// Finds the pod and container.
pub(super) fn origin(request: &Request, prefix: bool, context: &mut Context) -> Result<Origin, Failure> {
    let named = request.pod.is_some() || request.selector.is_some();
    if !named && !prefix {
        return Ok(Origin::new(true));
    }
    let registry = context.registry()?;
    let cluster = Cluster::new(&registry);
    let pods = match (&request.pod, &request.selector) {
        (Some(name), _) => vec![find(name, &cluster, context.namespace())?],
        (None, Some(text)) => list(&cluster, context.namespace(), selector::parse(text)?)?,
        (None, None) => list(&cluster, ISTIO_SYSTEM, selector::parse("istio-mixer-type=telemetry")?)?,
    };
    if pods.is_empty() {
        context.say(&format!("No resources found in {} namespace.", visible(context.namespace())))?;
        return Ok(Origin::new(!named));
    }
    let mut origin = Origin::new(!named);
    for pod in &pods {
        let container = container(pod, request.container.as_deref(), context)?;
        let records = records(pod, &container);
        if prefix && (records || origin.prefix.is_empty()) {
            origin.prefix = format!("[pod/{}/{}] ", pod.meta.name, visible(&container));
        }
        origin.records |= records;
    }
    if !origin.records {
        let namespace = context.namespace();
        origin.callers = match (&request.selector, &request.container) {
            (Some(labels), _) => {
                let labels = selector::parse(labels)?;
                callers(&cluster, namespace, |one| labels.matches(&one.labels))?
            }
            // What a workload's sidecar would log is what it called.
            (None, None) => callers(&cluster, namespace, |one| pods.iter().any(|pod| is_of(pod, one)))?,
            (None, Some(_)) => Vec::new(),
        };
    }
    Ok(origin)
}

/// Whether a pod is one of a workload's.
fn is_of(pod: &Resource, workload: &Workload) -> bool {
    pod.meta.name.starts_with(&workload.name) && pod.meta.labels == workload.labels
}

/// What entries call some workloads of a namespace: by their name, or by the label `app`.
fn callers(view: &dyn View, namespace: &str, is_wanted: impl Fn(&Workload) -> bool) -> Result<Vec<String>, Failure> {
    let all = Workload::all(view)?.into_iter();
    let wanted = all.filter(|one| one.namespace == namespace && is_wanted(one));
    Ok(wanted.flat_map(|one| [Some(one.name), one.labels.get("app").cloned()]).flatten().collect())
}

fn list(cluster: &dyn View, namespace: &str, selector: Selector) -> Result<Vec<Resource>, Failure> {
    Ok(cluster.list(&ListQuery { kind: &POD, namespace: Some(namespace.to_owned()), selector })?)
}

fn find(name: &str, cluster: &dyn View, namespace: &str) -> Result<Resource, Failure> {
    let (kind, name): (&'static Kind, &str) = match name.split_once('/') {
        None => (&POD, name),
        Some((kind, name)) => {
            let no_such = || Failure::client(format!("the server doesn't have a resource type \"{kind}\""));
            (kinds::by_name(kind).ok_or_else(no_such)?, name)
        }
    };
    let found = cluster.get(&Key::new(kind, namespace, name))?;
    let found = found.ok_or_else(|| {
        let plural = kind.qualified_plural();
        let mut told =
            format!("error from server (NotFound): {plural} \"{name}\" not found in namespace \"{namespace}\"");
        // Pods of Deployments have none in their names.
        if *kind == POD && name.contains('.') {
            told.push_str("\nhint: there is no file of this name either");
        }
        Failure::client(told)
    })?;
    if *kind == POD {
        return Ok(found);
    }
    let pod = if *kind == DEPLOYMENT { pods_of(&found, &POD).into_iter().next() } else { None };
    pod.ok_or_else(|| Failure::client(format!("no pods of {}/{name} have a log", kind.singular)))
}

/// The container that was named, or the pod's first.
fn container(pod: &Resource, wanted: Option<&str>, context: &mut Context) -> Result<String, Failure> {
    let containers = pod.spec().get("containers").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = containers.iter().filter_map(|container| container.get("name")?.as_str()).collect();
    match (wanted, names.as_slice()) {
        (Some(wanted), names) if names.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => Err(Failure::client(format!("container {wanted} is not valid for pod {}", pod.meta.name))),
        (None, [first, _, ..]) => {
            context.say(&format!(
                "Defaulted container \"{}\" out of: {}",
                visible(first),
                visible(&names.join(", "))
            ))?;
            Ok((*first).to_owned())
        }
        (None, names) => Ok(names.first().copied().unwrap_or_default().to_owned()),
    }
}

fn records(pod: &Resource, container: &str) -> bool {
    let writes = |(start, writer): &(&str, Option<&str>)| {
        pod.meta.name.starts_with(start) && writer.is_none_or(|writer| writer == container)
    };
    pod.namespace() == ISTIO_SYSTEM && RECORDERS.iter().any(writes)
}
