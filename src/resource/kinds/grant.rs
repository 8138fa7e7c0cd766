//! Grant: an exception that ends. While it lives, calls of one workload to one host go that policy or routes would refuse.

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::resource::{Column, Kind, Resource, Typed, host};

/// The kind `Grant` (egressctl.io).
pub static GRANT: Kind = Kind {
    group: cells::OURS,
    versions: &["v1alpha1"],
    columns: &[
        Column { name: "WORKLOAD", wide: false, cell: |r| cells::custom(r, &["spec", "workload"]) },
        Column { name: "TARGET", wide: false, cell: target },
        Column { name: "USES LEFT", wide: false, cell: uses_left },
        Column { name: Column::EXPIRES, wide: false, cell: end },
        Column { name: "REASON", wide: true, cell: |r| cells::custom(r, &["spec", "reason"]) },
    ],
    check: |resource, problems| check::spec::<Grant>(resource, problems, rules),
    ..cells::kind("Grant", "grants", "grant")
};

/// Longest reason, in characters: it stands in every entry.
const MAX_REASON: usize = 200;

/// `spec` of a Grant.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Grant {
    /// The workload of its namespace whose calls go: a Deployment, or a Pod of its own.
    pub workload: String,
    /// The host that may be called: a name or an address.
    pub host: String,
    /// The port; every port without.
    pub port: Option<u32>,
    /// What the path begins with, whole segments; every path without. Of what is passed through unread there is none.
    pub path: String,
    /// When it ends, as RFC 3339 has it.
    pub expiration_timestamp: String,
    /// How many calls it lets go; any number without.
    pub uses: Option<u64>,
    /// Why it was given.
    pub reason: String,
}

impl Typed for Grant {
    const ROOT: Option<&'static str> = Some("spec");
}

/// `status` of a Grant, which proxies keep.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GrantStatus {
    /// How many calls it has let go.
    pub used: u64,
    /// When a proxy has seen its end. From then on it is over, whatever a clock says.
    pub ended_at: Option<String>,
}

impl GrantStatus {
    /// The status of a resource; as of a new one where it has none.
    pub fn of(resource: &Resource) -> Self {
        let status = resource.body.get("status").cloned().unwrap_or_default();
        serde_json::from_value(status).unwrap_or_default()
    }
}

/// `HOST[:PORT][/PATH]`.
fn target(resource: &Resource) -> String {
    let port = cells::number(resource, &["spec", "port"]);
    let port = if port == 0 { String::new() } else { format!(":{port}") };
    let text = |key| cells::custom(resource, &["spec", key]);
    format!("{}{port}{}", text("host"), text("path"))
}

fn uses_left(resource: &Resource) -> String {
    match resource.spec().get("uses").and_then(serde_json::Value::as_u64) {
        None => "any".to_owned(),
        Some(uses) => uses.saturating_sub(GrantStatus::of(resource).used).to_string(),
    }
}

fn end(resource: &Resource) -> String {
    // What has ended stays so, also by a clock that goes back.
    match GrantStatus::of(resource).ended_at {
        Some(_) => Column::OVER.to_owned(),
        None => cells::custom(resource, &["spec", "expirationTimestamp"]),
    }
}

fn rules(at: &mut At<'_>, grant: &Grant) {
    if grant.workload.is_empty() {
        at.field("workload").required();
    }
    match grant.host.as_str() {
        "" => at.field("host").required(),
        name if check::is_ip(name) => {}
        name if name != name.to_ascii_lowercase() => at.field("host").invalid("must be written in lower case"),
        name => at.field("host").verdict(host::domain(name)),
    }
    if let Some(port) = grant.port {
        check::port(&mut at.field("port"), port);
    }
    if !grant.path.is_empty() && !grant.path.starts_with('/') {
        at.field("path").invalid("must begin with /");
    }
    if grant.path.contains(['?', '#', '%', '\\']) || grant.path.split('/').any(|part| matches!(part, "." | "..")) {
        at.field("path").invalid("must be a plain path: without ?, #, %, \\ and dot segments");
    }
    if grant.uses == Some(0) {
        at.field("uses").invalid("must be greater than 0");
    }
    check::time(&mut at.field("expirationTimestamp"), &grant.expiration_timestamp);
    match grant.reason.as_str() {
        "" => at.field("reason").required(),
        reason if reason.chars().count() > MAX_REASON => {
            at.field("reason").invalid(format!("must have {MAX_REASON} characters or fewer"));
        }
        reason if reason.contains(char::is_control) => at.field("reason").invalid("must be one line of text"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_grant_says_who_may_call_what_until_when_and_why() {
        let end = "expirationTimestamp: '2026-11-28T15:00:00Z', reason: r";
        for (spec, problems) in [
            (format!("{{workload: w, host: a.example, {end}}}"), &[][..]),
            (format!("{{workload: w, host: '192.0.2.1', port: 443, path: /v1, uses: 3, {end}}}"), &[]),
            (
                "{}".to_owned(),
                &[
                    "spec.workload: Required value",
                    "spec.host: Required value",
                    "spec.expirationTimestamp: Required value",
                    "spec.reason: Required value",
                ],
            ),
            (format!("{{workload: w, host: A.example, {end}}}"), &["spec.host: must be written in lower case"]),
            (format!("{{workload: w, host: a.example, path: x, {end}}}"), &["spec.path: must begin with /"]),
            (
                format!("{{workload: w, host: a.example, path: /a/../b, {end}}}"),
                &["spec.path: must be a plain path: without ?, #, %, \\ and dot segments"],
            ),
            (format!("{{workload: w, host: a.example, uses: 0, {end}}}"), &["spec.uses: must be greater than 0"]),
        ] {
            assert_eq!(check(&GRANT, &spec), problems, "{spec}");
        }
        assert!(!check(&GRANT, &format!("{{workload: w, host: '*.example', {end}}}")).is_empty(), "no wildcard");
    }
}
