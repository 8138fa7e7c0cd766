//! An explained decision as JSON, for scripts.

use http::{HeaderMap, header};
use serde_json::{Value as Json, json};

use super::Decision;
use crate::call::{Call, Code, Failure, Granted};
use crate::policy::authorization::{Mismatch, Policy, PolicyStep, Standing};
use crate::policy::verdict::Verdict;
use crate::snapshot::Grant;

use super::request::NOBODY;
use super::{CheckStep, Explained, HopStep, Protocol};

/// The decision as one JSON object.
pub(super) fn json(call: &Call, explained: &Explained<'_>) -> Json {
    let reason = match explained.judgement.checked.message() {
        message if !message.is_empty() => Some(message),
        _ => explained.failure.map(|failure| failure.reason().to_owned()),
    };
    let last = explained.hops.last();
    let seen = explained.judgement.edited.as_deref().unwrap_or(call);
    let (allowed, answers) = (explained.failure.is_none(), call.tunnel().is_none());
    let mut answer = json!({
        "verdict": if allowed { "allow" } else { "deny" },
        "allowed": allowed,
        "closed": !answers && !allowed,
        "status": answers.then_some(explained.status),
        "flags": explained.flags,
        "reason": reason,
        "destination": destination(seen, last),
        "subset": last.and_then(subset),
        "route": last.and_then(taken),
        "asks": explained.asks.iter().map(|one| &*one.name).collect::<Vec<_>>(),
        "authorization": explained.authorization.iter().map(policy).collect::<Vec<_>>(),
        "checks": explained.rules.iter().flat_map(|step| &step.checks).map(check).collect::<Vec<_>>(),
        "wouldDeny": explained.judgement.checked.refusals.iter().any(|refusal| !refusal.enforced),
        "logEntries": explained.lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Json>>(),
    });
    answer["grant"] =
        explained.judgement.passed.as_ref().and_then(|passed| passed.grant).map_or(Json::Null, |one| grant(one));
    answer["remedy"] = json!(explained.remedies().next());
    if answers {
        add_messages(&mut answer, seen, explained);
    } else {
        add_nothing(&mut answer);
        answer["authority"] = json!(seen.authority().as_str());
    }
    if seen.authority().host() == NOBODY {
        answer["authority"] = Json::Null;
        if !allowed {
            answer["destination"] = Json::Null;
            answer["remedy"] = Json::Null;
        }
    }
    answer
}

/// What the origin would be sent, and the caller answered.
fn add_messages(answer: &mut Json, seen: &Call, explained: &Explained<'_>) {
    let sent = explained.sent.as_ref();
    answer["path"] = json!(sent.map_or(seen.path_and_query(), |sent| &sent.target).as_str());
    answer["authority"] = json!(sent.map_or(seen.authority().as_str(), |sent| &*sent.authority));
    answer["headers"] = json!(sent.map(|sent| headers(&sent.headers)));
    answer["responseHeaders"] = headers(&explained.response_headers);
    let location = explained.response_headers.get(header::LOCATION);
    answer["location"] = json!(location.map(|value| String::from_utf8_lossy(value.as_bytes())));
    // Without the name of the decision, for none is made here.
    answer["body"] = match (&explained.judgement.decision, explained.failure) {
        (Decision::Answer(answer), _) => json!(String::from_utf8_lossy(&answer.body)),
        (_, Some(failure)) => json!(failure.body(&explained.judgement.checked.message())),
        (_, None) => Json::Null,
    };
}

/// What is known of messages that nobody reads.
fn add_nothing(answer: &mut Json) {
    for name in ["path", "authority", "headers", "location", "body"] {
        answer[name] = Json::Null;
    }
    answer["responseHeaders"] = json!({});
}

/// Header names with their values; of a repeated header joined by `,` (RFC 9110 section 5.3).
fn headers(headers: &HeaderMap) -> Json {
    let mut object = serde_json::Map::new();
    for name in headers.keys() {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        object.insert(name.as_str().to_owned(), json!(values.collect::<Vec<_>>().join(",")));
    }
    Json::Object(object)
}

/// The answer about a call whose head is refused, so that nothing is judged.
pub(super) fn refused_head(protocol: Protocol, target: Option<&str>, failure: Failure) -> Json {
    let answers = protocol == Protocol::Http;
    let mut answer = json!({
        "verdict": "deny",
        "allowed": false,
        "closed": !answers,
        "status": answers.then_some(failure.status()),
        "flags": failure.flag(),
        "reason": failure.reason(),
        "remedy": null,
        "destination": null,
        "subset": null,
        "route": null,
        "asks": [],
        "authorization": [],
        "checks": [],
        "wouldDeny": false,
        "logEntries": [],
        "grant": null,
    });
    add_nothing(&mut answer);
    if answers {
        answer["path"] = json!(target);
        answer["body"] = json!(failure.body(""));
    }
    answer
}

/// The grant by which a call goes.
fn grant(grant: &Grant) -> Json {
    let Granted { name, reason, expires } = &grant.granted;
    let mut until = String::new();
    expires.write_rfc3339(&mut until);
    json!({"name": name, "reason": reason, "until": until, "usesLeft": grant.uses_left()})
}

/// The subset of the cluster that a call is sent to, if it has one.
fn subset(hop: &HopStep<'_>) -> Option<String> {
    let cluster = hop.found.as_ref().ok()?.as_ref()?;
    // `outbound|443|v2|edition.cnn.com`
    cluster.name.split('|').nth(2).filter(|subset| !subset.is_empty()).map(str::to_owned)
}

/// Where the call is sent, or would be if it were let go.
fn destination(call: &Call, last: Option<&HopStep<'_>>) -> String {
    match last.map(|hop| &hop.found) {
        Some(Ok(Some(cluster))) => {
            let (host, port) = cluster.service(call);
            format!("{host}:{port}")
        }
        _ => format!("{}:{}", call.authority().host(), call.authority().port()),
    }
}

fn taken(hop: &HopStep<'_>) -> Option<Json> {
    let taken = hop.routes.last().filter(|route| route.passed_over.is_none())?;
    Some(json!({"virtualService": &*taken.route.virtual_service, "index": taken.route.index}))
}

fn policy(step: &PolicyStep) -> Json {
    let matched = match step.standing() {
        Standing::Matches(index) => Some(index),
        Standing::NoneMatches | Standing::WithoutRules => None,
    };
    let places = |(index, places): &(usize, Vec<Mismatch>)| -> Vec<Json> {
        let place = |one: &Mismatch| json!({"rule": index, "field": one.field, "asks": one.asks, "found": one.found});
        places.iter().map(place).collect()
    };
    let Policy { name, action, dry_run, .. } = &*step.policy;
    json!({
        "policy": &**name,
        "action": action.name(),
        "dryRun": dry_run,
        "matchedRule": matched,
        "mismatches": step.rules.iter().flat_map(places).collect::<Vec<_>>(),
    })
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
