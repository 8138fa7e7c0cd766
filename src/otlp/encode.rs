//! OTLP in JSON: requests of the trace and the log service (opentelemetry-proto 1, "OTLP/HTTP JSON").
//!
//! All that is told is read from the records of calls, so nothing is told that `--redact` leaves out of them.

use serde_json::{Map, Value, json};

use crate::accesslog::{Level, REDACTED};

use super::{Context, Told};

/// `SPAN_KIND_CLIENT`, as Envoy says of what leaves a mesh.
const CLIENT: u8 = 3;

/// `STATUS_CODE_ERROR`
const ERROR: u8 = 2;

/// Fields of a record, and what they are called as attributes: by the semantic conventions for HTTP, where those know
/// them.
const ATTRIBUTES: [(&str, &str); 20] = [
    ("decision", "egressctl.decision"),
    ("verdict", "egressctl.verdict"),
    ("reason", "egressctl.reason"),
    ("rule", "egressctl.rule"),
    ("grant", "egressctl.grant"),
    ("revision", "egressctl.revision"),
    ("hop", "egressctl.hop"),
    ("protocol", "egressctl.protocol"),
    ("flag", "response_flags"),
    ("source", "source.workload"),
    ("sourceNamespace", "source.namespace"),
    ("sourcePrincipal", "source.principal"),
    ("sourceProof", "source.proof"),
    ("sourceIp", "client.address"),
    ("destinationPort", "server.port"),
    ("serverName", "tls.client.server_name"),
    ("method", "http.request.method"),
    ("responseCode", "http.response.status_code"),
    ("requestSize", "http.request.body.size"),
    ("responseSize", "http.response.body.size"),
];

/// What is posted of a batch.
#[derive(Debug)]
pub struct Bodies {
    /// To `/v1/traces`; nothing where no call is of a trace that is recorded.
    pub traces: Option<String>,
    /// To `/v1/logs`.
    pub logs: String,
}

/// The bodies for a batch of a node.
pub fn bodies(node: &str, batch: &[Told]) -> Bodies {
    let resource = json!({"attributes": [
        text("service.name", "egressctl"),
        text("service.instance.id", node),
        text("service.version", env!("CARGO_PKG_VERSION")),
    ]});
    let scope = json!({"name": "egressctl", "version": env!("CARGO_PKG_VERSION")});
    let spans: Vec<Value> = batch.iter().filter_map(span).collect();
    let logs: Vec<Value> = batch.iter().map(log_record).collect();
    let traces = (!spans.is_empty()).then(|| {
        let scopes = json!([{"scope": scope, "spans": spans}]);
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}).to_string()
    });
    let scopes = json!([{"scope": scope, "logRecords": logs}]);
    Bodies { traces, logs: json!({"resourceLogs": [{"resource": resource, "scopeLogs": scopes}]}).to_string() }
}

/// The span of a call, if its trace is recorded.
fn span(told: &Told) -> Option<Value> {
    let Context { trace, parent, span, .. } = told.context.filter(|context| context.sampled)?;
    let record: Map<String, Value> = serde_json::from_str(&told.line).ok()?;
    let of = |name: &str| record.get(name).and_then(Value::as_str);
    let number = |name: &str| record.get(name).and_then(Value::as_i64).unwrap_or_default();
    let host = host(of("destination").unwrap_or_default());
    // 0 is that of calls that had no answer.
    let told_of = |field: &str, value: &Value| field != "responseCode" || *value != json!(0);
    let known = ATTRIBUTES.iter().filter_map(|(field, name)| Some((*field, *name, record.get(*field)?)));
    let mut attributes: Vec<Value> = known
        .filter(|(field, _, value)| told_of(field, value))
        .filter_map(|(_, name, value)| attribute(name, value))
        .collect();
    attributes.push(text("server.address", host));
    attributes.extend(url(&record).map(|url| text("url.full", &url)));
    let failed = of("verdict") == Some("deny") || number("responseCode") >= 500 || told.level == Level::Error;
    let status = match of("reason") {
        _ if !failed => json!({}),
        Some(reason) => json!({"code": ERROR, "message": reason}),
        None => json!({"code": ERROR}),
    };
    let mut span = json!({
        "traceId": format!("{trace:032x}"),
        "spanId": format!("{span:016x}"),
        "name": format!("egress {host}"),
        "kind": CLIENT,
        "startTimeUnixNano": nanos(told.time),
        "endTimeUnixNano": nanos(told.time.saturating_add(number("durationMicros"))),
        "attributes": attributes,
        "status": status,
        "flags": 1,
    });
    if let Some(parent) = parent {
        span["parentSpanId"] = format!("{parent:016x}").into();
    }
    Some(span)
}

/// The record itself.
fn log_record(told: &Told) -> Value {
    let severity = match told.level {
        Level::Info => 9,
        Level::Warning => 13,
        Level::Error => 17,
    };
    let mut record = json!({
        "timeUnixNano": nanos(told.time),
        "observedTimeUnixNano": nanos(told.time),
        "severityNumber": severity,
        "severityText": told.level.name(),
        "body": {"stringValue": told.line},
    });
    if let Some(Context { trace, span, sampled, .. }) = told.context {
        record["traceId"] = format!("{trace:032x}").into();
        record["spanId"] = format!("{span:016x}").into();
        record["flags"] = u8::from(sampled).into();
    }
    record
}

/// A destination without its port.
fn host(destination: &str) -> &str {
    match destination.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => destination,
    }
}

/// The URL of a request, as far as its record tells it.
fn url(record: &Map<String, Value>) -> Option<String> {
    let of = |name: &str| record.get(name).and_then(Value::as_str);
    let path = of("path")?;
    let path = match path.strip_suffix(REDACTED) {
        Some(shown) => shown.strip_suffix('?').unwrap_or_default(),
        None => path,
    };
    Some(format!("{}://{}{path}", of("scheme")?, of("destination")?))
}

fn text(name: &str, value: &str) -> Value {
    json!({"key": name, "value": {"stringValue": value}})
}

/// Whole numbers are written as texts, as protobuf's JSON has those of 64 bits.
fn attribute(name: &str, value: &Value) -> Option<Value> {
    match value {
        Value::String(value) => Some(text(name, value)),
        Value::Number(value) => Some(json!({"key": name, "value": {"intValue": value.to_string()}})),
        _ => None,
    }
}

fn nanos(micros: i64) -> String {
    (i128::from(micros.max(0)) * 1000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: Context = Context { trace: 0xa, parent: Some(0xb), span: 0xc, sampled: true };

    fn told(level: Level, line: &str, context: Option<Context>) -> Told {
        Told { time: 1_700_000_000_000_001, level, line: line.to_owned(), context }
    }

    fn parsed(batch: &[Told]) -> (Value, Value) {
        let Bodies { traces, logs } = bodies("gw", batch);
        let of = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let traces =
            traces.map_or(Value::Null, |traces| of(&traces)["resourceSpans"][0]["scopeSpans"][0]["spans"].take());
        (traces, of(&logs)["resourceLogs"][0]["scopeLogs"][0]["logRecords"].take())
    }

    /// An attribute of a span.
    fn of<'v>(span: &'v Value, name: &str) -> Option<&'v Value> {
        let attributes = span["attributes"].as_array().unwrap();
        let found = attributes.iter().find(|one| one["key"] == name)?;
        found["value"].as_object().unwrap().values().next()
    }

    #[test]
    fn a_call_is_a_span_and_a_log_record_of_the_same_trace() {
        let line = r#"{"decision":"000000000000000c","destination":"a.example:8080","destinationPort":8080,
            "durationMicros":1500,"flag":"-","method":"GET","path":"/x?[redacted]","responseCode":200,"scheme":"http","source":"sleep",
            "sourceNamespace":"default","verdict":"allow"}"#;
        let (spans, logs) = parsed(&[told(Level::Info, line, Some(CONTEXT))]);
        let span = &spans[0];
        assert_eq!(span["traceId"], "0000000000000000000000000000000a");
        assert_eq!((&span["parentSpanId"], &span["spanId"]), (&json!("000000000000000b"), &json!("000000000000000c")));
        assert_eq!(
            (&span["name"], &span["kind"], &span["status"]),
            (&json!("egress a.example"), &json!(3), &json!({}))
        );
        assert_eq!(span["startTimeUnixNano"], "1700000000000001000");
        assert_eq!(span["endTimeUnixNano"], "1700000000001501000");
        for (name, value) in [
            ("http.request.method", "GET"),
            ("http.response.status_code", "200"),
            ("url.full", "http://a.example:8080/x"),
            ("server.address", "a.example"),
            ("server.port", "8080"),
            ("egressctl.decision", "000000000000000c"),
            ("egressctl.verdict", "allow"),
            ("response_flags", "-"),
            ("source.workload", "sleep"),
            ("source.namespace", "default"),
        ] {
            assert_eq!(of(span, name), Some(&json!(value)), "{name}");
        }
        let log = &logs[0];
        assert_eq!((&log["severityNumber"], &log["body"]["stringValue"]), (&json!(9), &json!(line)));
        assert_eq!((&log["traceId"], &log["spanId"]), (&span["traceId"], &span["spanId"]));
    }

    #[test]
    fn refusals_and_answers_of_broken_servers_are_errors() {
        for (level, line, message) in [
            (Level::Error, r#"{"verdict":"deny","reason":"no"}"#, Some("no")),
            (Level::Info, r#"{"verdict":"allow","responseCode":503}"#, None),
            (Level::Error, r#"{"verdict":"allow","responseCode":0}"#, None),
        ] {
            let (spans, _) = parsed(&[told(level, line, Some(CONTEXT))]);
            assert_eq!(spans[0]["status"]["code"], 2, "{line}");
            assert_eq!(spans[0]["status"]["message"].as_str(), message, "{line}");
        }
        let (spans, _) = parsed(&[told(Level::Info, r#"{"responseCode":404}"#, Some(CONTEXT))]);
        assert_eq!(spans[0]["status"], json!({}), "that is an answer");
    }

    #[test]
    fn a_trace_that_is_not_recorded_gets_no_span_and_a_request_that_was_no_call_no_ids() {
        let unsampled = Some(Context { sampled: false, ..CONTEXT });
        let (spans, logs) = parsed(&[told(Level::Info, "{}", unsampled), told(Level::Error, "{}", None)]);
        assert_eq!(spans, Value::Null);
        assert_eq!((&logs[0]["flags"], logs[1].get("traceId")), (&json!(0), None));
    }

    #[test]
    fn a_url_shows_what_the_record_shows() {
        for (path, shown) in [("/a?b=c", "/a?b=c"), ("/a?[redacted]", "/a"), ("[redacted]", "")] {
            let line = json!({"destination": "a.example", "path": path, "scheme": "https"});
            assert_eq!(url(line.as_object().unwrap()), Some(format!("https://a.example{shown}")));
        }
        assert_eq!(url(json!({"destination": "a.example"}).as_object().unwrap()), None, "of tunnels nothing is known");
        assert_eq!([host("[::1]:80"), host("a.example"), host("[::1]")], ["[::1]", "a.example", "[::1]"]);
    }
}
