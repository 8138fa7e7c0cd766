//! WorkloadGroup: what the WorkloadEntries of like workloads have in common.

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use super::workload_entry::{self, WorkloadEntry};
use crate::resource::{Kind, Labels, Typed};

/// The kind `WorkloadGroup` (networking.istio.io).
pub static WORKLOAD_GROUP: Kind = Kind {
    group: "networking.istio.io",
    versions: cells::NETWORKING_VERSIONS,
    short: &["wg"],
    categories: cells::NETWORKING,
    check: |resource, problems| check::spec::<WorkloadGroup>(resource, problems, rules),
    ..cells::kind("WorkloadGroup", "workloadgroups", "workloadgroup")
};

/// `spec` of a WorkloadGroup.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadGroup {
    /// Metadata of the entries.
    pub metadata: Option<GroupMetadata>,
    /// Everything of the entries but their addresses.
    pub template: Option<WorkloadEntry>,
    /// How it is found out whether a workload is ready.
    pub probe: Option<ReadinessProbe>,
}

impl Typed for WorkloadGroup {
    const ROOT: Option<&'static str> = Some("spec");
}

/// Metadata of entries.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupMetadata {
    /// Labels.
    pub labels: Labels,
    /// Annotations.
    pub annotations: Labels,
}

/// How it is found out whether a workload is ready; exactly one of the last four.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadinessProbe {
    /// Seconds before the first look.
    pub initial_delay_seconds: i32,
    /// Seconds until a look counts as failed; 1 when 0.
    pub timeout_seconds: i32,
    /// Seconds between two looks; 10 when 0.
    pub period_seconds: i32,
    /// Good looks in a row that make it ready; 1 when 0.
    pub success_threshold: i32,
    /// Bad looks in a row that make it unready; 3 when 0.
    pub failure_threshold: i32,
    /// Ready when a GET is answered 2xx or 3xx.
    pub http_get: Option<HttpProbe>,
    /// Ready when it can be connected to.
    pub tcp_socket: Option<TcpProbe>,
    /// Ready when a command succeeds.
    pub exec: Option<ExecProbe>,
    /// Ready when it says so by gRPC.
    pub grpc: Option<GrpcProbe>,
}

/// A look by HTTP.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpProbe {
    /// Path.
    pub path: String,
    /// Port.
    pub port: u32,
    /// Host; the workload itself when empty.
    pub host: String,
    /// HTTP or HTTPS.
    pub scheme: String,
    /// Headers that are sent.
    pub http_headers: Vec<ProbeHeader>,
}

/// A header that is sent.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A look by connecting.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TcpProbe {
    /// Host; the workload itself when empty.
    pub host: String,
    /// Port.
    pub port: u32,
}

/// A look by a command.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExecProbe {
    /// The command and its arguments.
    pub command: Vec<String>,
}

/// A look by gRPC's health protocol.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GrpcProbe {
    /// Port.
    pub port: u32,
    /// Service that is asked about.
    pub service: String,
}

fn rules(at: &mut At<'_>, group: &WorkloadGroup) {
    match &group.template {
        None => at.field("template").missing("template is required"),
        Some(template) => {
            let mut at = at.field("template");
            if !template.address.is_empty() {
                workload_entry::address(&mut at.field("address"), &template.address);
            }
            workload_entry::fields(&mut at, template);
        }
    }
    at.part("metadata", group.metadata.as_ref(), |at, metadata| {
        check::labels(&mut at.field("labels"), &metadata.labels);
    });
    at.part("probe", group.probe.as_ref(), probe);
}

fn probe(at: &mut At<'_>, probe: &ReadinessProbe) {
    let numbers = [
        ("periodSeconds", probe.period_seconds),
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ];
    for (field, _) in numbers.into_iter().filter(|(_, number)| *number < 0) {
        at.field(field).invalid(format!("{field} must be non-negative"));
    }
    let ways = [probe.http_get.is_some(), probe.tcp_socket.is_some(), probe.exec.is_some(), probe.grpc.is_some()];
    match ways.iter().filter(|given| **given).count() {
        0 => at.missing("a probe needs one of httpGet, tcpSocket, exec and grpc"),
        1 => {}
        _ => at.invalid("a probe takes only one of httpGet, tcpSocket, exec and grpc"),
    }
    at.part("httpGet", probe.http_get.as_ref(), http_probe);
    at.part("tcpSocket", probe.tcp_socket.as_ref(), |at, socket| check::port(&mut at.field("port"), socket.port));
    at.part("grpc", probe.grpc.as_ref(), |at, grpc| check::port(&mut at.field("port"), grpc.port));
    at.part("exec", probe.exec.as_ref(), |at, exec| {
        if exec.command.is_empty() {
            at.field("command").missing("exec.command is required");
        }
    });
}

fn http_probe(at: &mut At<'_>, probe: &HttpProbe) {
    check::port(&mut at.field("port"), probe.port);
    if !matches!(probe.scheme.as_str(), "" | "HTTP" | "HTTPS") {
        at.field("scheme").invalid("httpGet.scheme must be one of \"HTTPS\", \"HTTP\"");
    }
    at.each("httpHeaders", &probe.http_headers, |at, header| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if header.name.is_empty() || !header.name.bytes().all(good) {
            at.field("name").invalid(format!("header name {} is not a valid header name", header.name));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_group_has_a_template_and_perhaps_a_probe() {
        let full = "metadata: {labels: {foo: bar}, annotations: {foo: bar}}\nprobe:\n  failureThreshold: 2\n  \
                    httpGet: {port: 8080, host: bar, scheme: HTTPS, path: /bar, httpHeaders: [{name: foo, value: bar}]}\n\
                    template: {serviceAccount: sa, network: net, labels: {app: app}, ports: {http: 1}, weight: 2}";
        for (spec, problems) in [
            (full, &[][..]),
            ("template: {}\nprobe: {tcpSocket: {port: 8080}}", &[]),
            ("template: {}\nprobe: {grpc: {port: 8080}}", &[]),
            ("metadata: {}", &["spec.template: template is required"]),
            (
                "template: {}\nprobe: {tcpSocket: {port: 65536}}",
                &["spec.probe.tcpSocket.port: port number 65536 must be in the range 1..65535"],
            ),
            (
                "template: {}\nprobe: {httpGet: {port: 80, httpHeaders: [{name: '**'}]}}",
                &["spec.probe.httpGet.httpHeaders[0].name: header name ** is not a valid header name"],
            ),
            (
                "template: {}\nprobe: {httpGet: {port: 80, scheme: http}}",
                &["spec.probe.httpGet.scheme: httpGet.scheme must be one of \"HTTPS\", \"HTTP\""],
            ),
            (
                "template: {}\nprobe: {periodSeconds: -1, exec: {}}",
                &[
                    "spec.probe.periodSeconds: periodSeconds must be non-negative",
                    "spec.probe.exec.command: exec.command is required",
                ],
            ),
            ("template: {}\nprobe: {}", &["spec.probe: a probe needs one of httpGet, tcpSocket, exec and grpc"]),
            (
                "template: {address: unix://x, ports: {http: 1}}",
                &[
                    "spec.template.address: x is not an absolute path to a file",
                    "spec.template.ports: unix endpoint unix://x must not include ports",
                ],
            ),
        ] {
            assert_eq!(check(&WORKLOAD_GROUP, spec), problems, "{spec}");
        }
    }
}
