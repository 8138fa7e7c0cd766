//! Pod: a workload.

use k8s_openapi::api::core::v1::Pod;

use super::{cells, check, workload};
use crate::resource::{Column, Kind, Resource, Typed};

impl Typed for Pod {
    const ROOT: Option<&'static str> = None;
}

/// The kind `Pod` (core, v1).
pub static POD: Kind = Kind {
    short: &["po"],
    categories: &["all"],
    columns: &[
        Column { name: "READY", wide: false, cell: ready },
        Column { name: "STATUS", wide: false, cell: |r| cells::text(r, &["status", "phase"], "Pending").to_owned() },
        Column { name: "RESTARTS", wide: false, cell: restarts },
        Column { name: "IP", wide: true, cell: |r| cells::text(r, &["status", "podIP"], "<none>").to_owned() },
        Column { name: "NODE", wide: true, cell: |r| cells::text(r, &["spec", "nodeName"], "<none>").to_owned() },
        Column { name: "NOMINATED NODE", wide: true, cell: |_| "<none>".into() },
        Column { name: "READINESS GATES", wide: true, cell: |_| "<none>".into() },
    ],
    check: |resource, problems| {
        check::body::<Pod>(resource, problems, |at, pod| match &pod.spec {
            Some(spec) => workload::pod_spec(&mut at.field("spec"), spec),
            None => at.field("spec").required(),
        });
    },
    ..cells::kind("Pod", "pods", "pod")
};

fn ready(pod: &Resource) -> String {
    let statuses = cells::items(pod, &["status", "containerStatuses"]);
    let ready = statuses.iter().filter(|status| status.get("ready").and_then(|ready| ready.as_bool()) == Some(true));
    format!("{}/{}", ready.count(), cells::items(pod, &["spec", "containers"]).len())
}

fn restarts(pod: &Resource) -> String {
    let statuses = cells::items(pod, &["status", "containerStatuses"]);
    let counts = statuses.iter().filter_map(|status| status.get("restartCount")?.as_u64());
    counts.fold(0, u64::saturating_add).to_string()
}
