//! An explained decision as JSON, for scripts.

use serde_json::{Value as Json, json};

use crate::call::{Call, Code, Failure};
use crate::policy::verdict::Verdict;

use super::{CheckStep, Explained, HopStep};

/// The decision as one JSON object.
pub(super) fn json(call: &Call, explained: &Explained<'_>) -> Json {
    let reason = match explained.judgement.checked.message() {
        message if !message.is_empty() => Some(message),
        _ => explained.failure.map(|failure| failure.reason().to_owned()),
    };
    let last = explained.hops.last();
    json!({
        "verdict": if explained.failure.is_some() { "deny" } else { "allow" },
        "status": explained.status,
        "reason": reason,
        "destination": destination(call, last),
        "path": call.path_and_query().as_str(),
        "route": last.and_then(taken),
        "checks": explained.rules.iter().flat_map(|step| &step.checks).map(check).collect::<Vec<_>>(),
        "wouldDeny": explained.judgement.checked.refusals.iter().any(|refusal| !refusal.enforced),
        "logEntries": explained.lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Json>>(),
    })
}

/// The answer about a request whose head is refused, so that nothing is judged.
pub(super) fn refused_head(url: &str, failure: Failure) -> Json {
    json!({
        "verdict": "deny",
        "status": failure.status(),
        "reason": failure.reason(),
        "destination": null,
        "path": url,
        "route": null,
        "checks": [],
        "wouldDeny": false,
        "logEntries": [],
    })
}

/// Where the call is sent, or would be if it were let go.
fn destination(call: &Call, last: Option<&HopStep<'_>>) -> String {
    match last.map(|hop| &hop.found) {
        Some(Ok(cluster)) => format!("{}:{}", cluster.host, cluster.port),
        _ => format!("{}:{}", call.authority().host(), call.authority().port()),
    }
}

fn taken(hop: &HopStep<'_>) -> Option<Json> {
    let taken = hop.routes.last().filter(|route| route.passed_over.is_none())?;
    Some(json!({"virtualService": &*taken.route.virtual_service, "index": taken.route.index}))
}

fn check(step: &CheckStep) -> Json {
    let (code, message) = match &step.verdict {
        Ok(Verdict::Ok) => ("OK", ""),
        Ok(Verdict::Refused { code, message }) => (code.name(), message.as_str()),
        Err(why) => (Code::INTERNAL.name(), why.as_str()),
    };
    let (rule, handler, instance) = (&*step.rule, &step.handler, &step.instance);
    json!({"rule": rule, "handler": handler, "instance": instance, "code": code, "message": message})
}
