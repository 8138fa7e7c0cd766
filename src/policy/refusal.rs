//! Entries of calls that were refused or failed: each says why, whether a rule asked for a line or not.

use std::sync::{Arc, LazyLock};

use crate::accesslog::{Entry, Format, Level, Outlet, Redact, Shape, line};
use crate::call::{Call, Failure, Granted, Outcome, ServerFault, Tunnel, TunnelFault, Unread};
use crate::expr::{Timestamp, ValueRef};

use super::verdict::{Checked, Refusal};

/// Full name of the instance of such entries.
pub const INSTANCE: &str = "refused.egressctl.istio-system";

/// How a call was judged, as records and entries spell it: it went, or was answered as its route says, or failed on its way.
pub const ALLOW: &str = "allow";
/// It did not go.
pub const DENY: &str = "deny";
/// It went because what refused it only reports, or by a grant.
pub const WOULD_DENY: &str = "would-deny";

static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| {
    Arc::new(Shape {
        instance: INSTANCE.into(),
        handler: "refused.egressctl.istio-system".into(),
        rule: String::new(),
        format: Format::Json,
        outlet: Outlet::Stderr,
    })
});

/// The entry of a call that was refused or failed; the outcome's status is what the caller got, which is the origin's
/// where it failed in its body, `message` what [`Checked::message`] says, and `checked` as [`Checked::shown`] has it, here
/// and below.
pub fn entry(
    call: &Call,
    failure: Failure,
    outcome: &Outcome,
    checked: &Checked,
    message: &str,
    redact: Redact,
) -> Entry {
    let counted = checked.refusals.iter().filter(|refusal| refusal.enforced);
    let reason = if message.is_empty() { failure.reason() } else { message };
    let way = remedy(call, failure, redact);
    let verdict = if failure.is_refusal() { DENY } else { ALLOW };
    let said = (&*outcome.flags(call), reason, outcome.status);
    of_call((call, redact), (Level::Error, verdict), said, counted, &way)
}

/// The entry of a call that only went because its refusals were not to count, or in an audit; `over` is why it would have
/// been refused without that.
pub fn would_deny(call: &Call, status: u16, checked: &Checked, over: Option<Failure>, redact: Redact) -> Option<Entry> {
    let (reason, way) = lifted(call, checked, over, redact)?;
    let uncounted = checked.refusals.iter().filter(|refusal| !refusal.enforced);
    let reason = format!("would deny: {reason}");
    Some(of_call((call, redact), (Level::Warning, WOULD_DENY), ("-", &reason, status), uncounted, &way))
}

/// Why a call would have been refused that went, and what would have let it go.
pub fn lifted(call: &Call, checked: &Checked, over: Option<Failure>, redact: Redact) -> Option<(String, String)> {
    let lifted = checked.refusals.iter().filter(|refusal| !refusal.enforced);
    match lifted.clone().next() {
        Some(first) => Some((first.told(), remedies(lifted))),
        None => over.map(|over| (over.reason().to_owned(), remedy(call, over, redact))),
    }
}

/// The entry of a call that only went by a grant; `over` is why it would have been refused.
pub fn granted(call: &Call, status: u16, checked: &Checked, granted: &Granted, over: Failure, redact: Redact) -> Entry {
    let lifted = checked.refusals.iter().filter(|refusal| !refusal.enforced);
    let first = lifted.clone().next().map(Refusal::told);
    let over = first.unwrap_or_else(|| over.reason().to_owned());
    let reason = format!("allowed by grant {}: {over}", granted.name);
    let said = ("-", &*reason, status);
    of_entry((call, redact), (Level::Warning, WOULD_DENY), said, lifted, "", Some(granted))
}

fn of_call<'c>(
    call: (&Call, Redact),
    judged: (Level, &str),
    said: (&str, &str, u16),
    refusals: impl Iterator<Item = &'c Refusal> + Clone,
    way: &str,
) -> Entry {
    of_entry(call, judged, said, refusals, way, None)
}

fn of_entry<'c>(
    (call, redact): (&Call, Redact),
    (level, verdict): (Level, &str),
    (flag, reason, status): (&str, &str, u16),
    refusals: impl Iterator<Item = &'c Refusal> + Clone,
    way: &str,
    granted: Option<&Granted>,
) -> Entry {
    let mut text = begin(call.time(), level);
    let caller = call.caller();
    let all = |part: fn(&Refusal) -> &str| {
        let parts = refusals.clone().map(part).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(",")
    };
    let mut details = refusals.clone().map(|refusal| refusal.details.as_str());
    let details = details.find(|details| !details.is_empty()).unwrap_or_default();
    let remedies = remedies(refusals.clone());
    let shown = redact.path(call.path());
    let (method, path) = match call.tunnel() {
        None => (call.method().as_str(), shown.as_deref().unwrap_or(call.path())),
        Some(_) => ("", ""),
    };
    let texts = [
        ("decision", &*call.decision_id()),
        ("destination", call.destination()),
        ("details", details),
        ("flag", flag),
        ("grant", granted.map_or("", |granted| &granted.name)),
        ("grantReason", granted.map_or("", |granted| &granted.reason)),
        ("handler", &all(|refusal| &refusal.handler)),
        ("instances", &all(|refusal| &refusal.instance)),
        ("method", method),
        ("path", path),
        ("reason", reason),
        ("remedy", if remedies.is_empty() { way } else { &remedies }),
    ];
    for (name, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
        write(&mut text, name, ValueRef::String(value));
    }
    write(&mut text, "responseCode", ValueRef::Int64(i64::from(status)));
    let rules = all(|refusal| &refusal.rule);
    if !rules.is_empty() {
        write(&mut text, "rule", ValueRef::String(&rules));
    }
    if let Some(name) = call.tunnel().and_then(Tunnel::server_name) {
        write(&mut text, "serverName", ValueRef::String(name));
    }
    write(&mut text, "source", ValueRef::String(caller.map_or("unknown", |caller| &caller.name)));
    write(&mut text, "sourceNamespace", ValueRef::String(caller.map_or("unknown", |caller| &caller.namespace)));
    if let Some(refusal) = refusals.clone().find(|refusal| !refusal.values.is_empty()) {
        text.push_str(",\"values\":");
        text.push_str(&refusal.values);
    }
    write(&mut text, "verdict", ValueRef::String(verdict));
    end(call.time(), level, text)
}

/// The entry of a call that an AuthorizationPolicy with the action AUDIT marks.
pub fn audited(call: &Call, status: u16, checked: &Checked, redact: Redact) -> Option<Entry> {
    let reason = format!("audited: {}", checked.audited.as_deref()?);
    Some(of_call((call, redact), (Level::Info, ALLOW), ("-", &reason, status), std::iter::empty(), ""))
}

/// What would let a call go that was refused for all of these.
fn remedies<'c>(refusals: impl Iterator<Item = &'c Refusal>) -> String {
    let told = refusals.map(|refusal| refusal.remedy.as_str()).filter(|remedy| !remedy.is_empty());
    told.collect::<Vec<_>>().join("; and ")
}

/// What would have to be declared for a call to have a way; may be empty.
pub fn remedy(call: &Call, failure: Failure, redact: Redact) -> String {
    let (host, port) = (call.authority().host(), call.authority().port());
    match failure {
        Failure::UnknownHost => format!("a ServiceEntry with the host {host} and the port {port}"),
        Failure::NoRoute | Failure::NoTunnelRoute if call.tunnel().is_some() => {
            format!(
                "a tls or tcp route for {host} and the port {port} in a VirtualService of {host}, where the call passes"
            )
        }
        Failure::Server(ServerFault::NoServer) => {
            format!("a server for {host} on the port, in a Gateway that selects the egress gateway")
        }
        Failure::Unproven(_) => "a token of `egressctl create token SERVICEACCOUNT` as proxy credential".to_owned(),
        Failure::NoRoute => {
            let path = redact.path(call.path());
            format!("a route for {} in a VirtualService of {host}", path.as_deref().unwrap_or(call.path()))
        }
        Failure::PrivateAddress => format!(
            "the address among the addresses of the ServiceEntry of what {host} is routed to, or its location MESH_INTERNAL"
        ),
        Failure::Tunnel(TunnelFault::TlsToHttp) => {
            format!("the protocol TLS for the port {port} in the ServiceEntry of {host}, or plain HTTP from the caller")
        }
        Failure::Tunnel(TunnelFault::NotTls) => {
            format!("the protocol TCP for the port {port} in the ServiceEntry of {host}, or TLS from the caller")
        }
        Failure::Tunnel(TunnelFault::Datagrams) => match port {
            53 => "the name server in /etc/resolv.conf instead of one of the program's own".to_owned(),
            443 => "HTTP over TCP from the caller instead of QUIC (HTTP/3)".to_owned(),
            _ => "TCP from the caller".to_owned(),
        },
        Failure::NoCluster | Failure::NoEndpoint => {
            format!("a ServiceEntry with endpoints for what {host} is routed to")
        }
        _ => String::new(),
    }
}

/// The entry of a request whose head never became a call.
pub fn head_entry(unread: &Unread, redact: Redact) -> Entry {
    let (time, failure, caller) = (unread.time(), unread.failure, unread.caller());
    let mut text = begin(time, Level::Error);
    let path = unread.path();
    let shown = path.map(|path| redact.path(path).unwrap_or_else(|| path.to_owned()));
    let texts = [
        ("decision", &*unread.decision_id()),
        ("destination", unread.authority().map_or("", |authority| authority.as_str())),
        ("flag", failure.flag()),
        ("method", unread.method().map_or("", |method| method.as_str())),
        ("path", shown.as_deref().unwrap_or_default()),
        ("reason", failure.reason()),
    ];
    for (name, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
        write(&mut text, name, ValueRef::String(value));
    }
    write(&mut text, "responseCode", ValueRef::Int64(i64::from(failure.status())));
    write(&mut text, "source", ValueRef::String(caller.map_or("unknown", |caller| &caller.name)));
    write(&mut text, "sourceIp", ValueRef::String(&unread.peer().to_string()));
    write(&mut text, "sourceNamespace", ValueRef::String(caller.map_or("unknown", |caller| &caller.namespace)));
    write(&mut text, "verdict", ValueRef::String(DENY));
    end(time, Level::Error, text)
}

/// Reasons of [`chosen`].
pub const UNCONFINED: &str = "a command runs without isolation, as --best-effort says";
/// See [`UNCONFINED`].
pub const AUDIT: &str = "a command runs in an audit, as --audit says: what policies would refuse it goes";

/// The entry of a command that runs as a workload with less than the whole protection, because its user chose so.
pub fn chosen(time: Timestamp, reason: &str, workload: &str, namespace: &str) -> Entry {
    let mut text = begin(time, Level::Warning);
    write(&mut text, "reason", ValueRef::String(reason));
    write(&mut text, "source", ValueRef::String(workload));
    write(&mut text, "sourceNamespace", ValueRef::String(namespace));
    end(time, Level::Warning, text)
}

fn begin(time: Timestamp, level: Level) -> String {
    let mut text = String::new();
    line::begin(&mut text, level, time.micros(), INSTANCE);
    text
}

/// Names are given in byte order, as in every line.
fn write(text: &mut String, name: &str, value: ValueRef<'_>) {
    text.push_str(",\"");
    text.push_str(name);
    text.push_str("\":");
    value.write_json(text);
}

fn end(time: Timestamp, level: Level, mut text: String) -> Entry {
    text.push('}');
    Entry { time: time.micros(), level, shape: Arc::clone(&SHAPE), line: text }
}
