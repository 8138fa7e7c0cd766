//! The rules of a route of HTTP.

use super::match_rules::{is_token, regex, string_match};
use super::rules::{destination, destination_fields, http_matches, weights};
use super::{
    CorsPolicy, Fault, FaultAbort, FaultDelay, HeaderOperations, Headers, HttpDirectResponse, HttpRedirect, HttpRetry,
    HttpRewrite, HttpRoute, Percent,
};
use super::{FormatPart, format_parts};
use crate::resource::kinds::check::{self, At};

/// Longest body of a fixed response, in bytes (Istio's bound).
const MAX_BODY: usize = 1024 * 1024;
/// Length of such a body from which Istio warns, in bytes.
const LARGE_BODY: usize = 100 * 1024;
/// Least share of a fault above none, in per cent: Envoy counts in millionths.
const LEAST_PERCENT: f64 = 0.0001;

/// Conditions for a retry (Envoy's `x-envoy-retry-on` and `x-envoy-retry-grpc-on`).
const RETRY_ON: &[&str] = &[
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

/// Names of gRPC's status codes, in their order from 0.
pub const GRPC_STATUS: &[&str] = &[
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Methods that a CORS policy may name.
const CORS_METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"];

/// Checks a route; `delegate`: of a VirtualService without hosts, `in_mesh`: of one that holds at sidecars.
pub(super) fn http_route(at: &mut At<'_>, route: &HttpRoute, delegate: bool, in_mesh: bool) {
    one_purpose(at, route, delegate);
    http_matches(at, &route.r#match, in_mesh);
    at.each("route", &route.route, |at, target| {
        destination(at, target.destination.as_ref());
        at.part("headers", target.headers.as_ref(), headers);
    });
    weights(at, &route.route.iter().map(|target| target.weight).collect::<Vec<_>>());
    at.part("redirect", route.redirect.as_ref(), |at, redirect| self::redirect(at, redirect, route));
    at.part("directResponse", route.direct_response.as_ref(), direct_response);
    at.part("rewrite", route.rewrite.as_ref(), rewrite);
    at.part("timeout", route.timeout.as_ref(), check::duration);
    at.part("retries", route.retries.as_ref(), retries);
    at.part("fault", route.fault.as_ref(), fault);
    mirrors(at, route);
    at.part("corsPolicy", route.cors_policy.as_ref(), cors);
    at.part("headers", route.headers.as_ref(), headers);
    one_authority(at, route);
}

/// A route forwards, redirects, answers or delegates.
fn one_purpose(at: &mut At<'_>, route: &HttpRoute, delegate: bool) {
    let (forwards, faults, rewrites) = (!route.route.is_empty(), route.fault.is_some(), route.rewrite.is_some());
    let (redirects, answers) = (route.redirect.is_some(), route.direct_response.is_some());
    let conflicts = [
        (redirects && forwards, "redirect and route"),
        (redirects && faults, "redirect and fault"),
        (redirects && rewrites, "redirect and rewrite"),
        (redirects && answers, "redirect and direct_response"),
        (answers && forwards, "direct_response and route"),
        (answers && faults, "direct_response and fault"),
        (answers && rewrites, "direct_response and rewrite"),
    ];
    for (_, both) in conflicts.into_iter().filter(|(given, _)| *given) {
        at.invalid(format!("HTTP route cannot contain both {both}"));
    }
    match &route.delegate {
        Some(_) if delegate => at.field("delegate").invalid("delegate HTTP route cannot contain delegate"),
        Some(_) if forwards => at.invalid(format!("root HTTP route {} must not specify route", route.name)),
        Some(_) if redirects => at.invalid(format!("root HTTP route {} must not specify redirect", route.name)),
        None if !forwards && !redirects && !answers => {
            at.missing("HTTP route, redirect or direct_response is required")
        }
        _ => {}
    }
}

fn redirect(at: &mut At<'_>, redirect: &HttpRedirect, route: &HttpRoute) {
    let nothing = redirect.uri.is_empty()
        && redirect.prefix_rewrite.is_empty()
        && redirect.authority.is_empty()
        && redirect.scheme.is_empty()
        && redirect.port.is_none()
        && redirect.derive_port.is_none();
    if nothing {
        at.missing("redirect must specify URI, authority, scheme, or port");
    }
    if !redirect.uri.is_empty() && !redirect.prefix_rewrite.is_empty() {
        at.invalid("redirect cannot have both uri and prefixRewrite");
    }
    if redirect.port.is_some() && redirect.derive_port.is_some() {
        at.invalid("redirect cannot have both port and derivePort");
    }
    at.part("port", redirect.port.as_ref(), |at, port| check::port(at, *port));
    if redirect.redirect_code != 0 && !(300..=399).contains(&redirect.redirect_code) {
        at.field("redirectCode")
            .invalid(format!("{} is not a valid redirect code, must be 3xx", redirect.redirect_code));
    }
    if !matches!(redirect.scheme.as_str(), "" | "http" | "https") {
        at.field("scheme").invalid("invalid redirect scheme, must be one of http, https");
    }
    let whole = |uri: &super::StringMatch| uri.exact.is_some() || uri.regex.is_some();
    if !redirect.prefix_rewrite.is_empty() && route.r#match.iter().filter_map(|m| m.uri.as_ref()).any(whole) {
        at.field("prefixRewrite").invalid("prefixRewrite needs a prefix match of the uri");
    }
}

fn direct_response(at: &mut At<'_>, response: &HttpDirectResponse) {
    if !(200..=600).contains(&response.status) {
        at.field("status").invalid("HTTP status must be in range 200..599");
    }
    at.part("body", response.body.as_ref(), |at, body| {
        if body.string.is_some() && body.bytes.is_some() {
            at.invalid("body takes only one of string and bytes");
        }
        let size = body.string.as_ref().map_or(0, String::len).max(body.bytes.as_ref().map_or(0, |b| b.len() / 4 * 3));
        if size > MAX_BODY {
            at.invalid(format!("response body size exceeds the limit of {MAX_BODY} bytes"));
        } else if size > LARGE_BODY {
            at.warn("large direct responses may impact control plane performance");
        }
    });
}

fn rewrite(at: &mut At<'_>, rewrite: &HttpRewrite) {
    if rewrite.uri.is_empty() && rewrite.authority.is_empty() && rewrite.uri_regex_rewrite.is_none() {
        at.missing("rewrite must specify uri, authority, or uriRegexRewrite");
    }
    if !rewrite.uri.is_empty() && rewrite.uri_regex_rewrite.is_some() {
        at.invalid("rewrite cannot have both uri and uriRegexRewrite");
    }
    at.part("uriRegexRewrite", rewrite.uri_regex_rewrite.as_ref(), |at, parts| {
        if parts.r#match.is_empty() || parts.rewrite.is_empty() {
            at.missing("uriRegexRewrite requires both rewrite and match fields");
        } else {
            regex(&mut at.field("match"), &parts.r#match, "uriRegexRewrite");
        }
    });
}

fn retries(at: &mut At<'_>, retries: &HttpRetry) {
    if retries.attempts < 0 {
        at.field("attempts").invalid("attempts cannot be negative");
    }
    let off = HttpRetry { attempts: 0, ..HttpRetry::default() };
    if retries.attempts == 0 && *retries != off {
        at.advise("http retry policy configured when attempts are set to 0 (disabled)", "set attempts to 1 or more");
    }
    at.part("perTryTimeout", retries.per_try_timeout.as_ref(), check::duration);
    at.part("backoff", retries.backoff.as_ref(), check::duration);
    for condition in retries.retry_on.split(',').filter(|_| !retries.retry_on.is_empty()) {
        if !RETRY_ON.contains(&condition) && !is_http_status(condition) {
            let message = format!("\"{condition}\" is not a valid retryOn policy");
            at.field("retryOn")
                .advise(message, format!("separate them by commas without blanks: {}", RETRY_ON.join(",")));
        }
    }
}

fn is_http_status(text: &str) -> bool {
    let status = http::StatusCode::from_bytes(text.as_bytes());
    status.is_ok_and(|status| status.canonical_reason().is_some())
}

fn fault(at: &mut At<'_>, fault: &Fault) {
    if fault.delay.is_none() && fault.abort.is_none() {
        at.missing("HTTP fault injection must have an abort and/or a delay");
    }
    at.part("delay", fault.delay.as_ref(), fault_delay);
    at.part("abort", fault.abort.as_ref(), fault_abort);
}

fn fault_delay(at: &mut At<'_>, delay: &FaultDelay) {
    fault_share(at, delay.percentage.as_ref());
    if delay.percent != 0 {
        let mut at = at.field("percent");
        at.deprecated("delay.percent is deprecated, use delay.percentage");
        if !(0..=100).contains(&delay.percent) {
            at.invalid(format!("percentage {} is not in range 0..100", delay.percent));
        }
    }
    if delay.exponential_delay.is_some() {
        at.field("exponentialDelay").invalid("exponentialDelay not supported yet");
    }
    match &delay.fixed_delay {
        Some(fixed) => check::duration(&mut at.field("fixedDelay"), fixed),
        None if delay.exponential_delay.is_none() => at.field("fixedDelay").required(),
        None => {}
    }
}

fn fault_abort(at: &mut At<'_>, abort: &FaultAbort) {
    fault_share(at, abort.percentage.as_ref());
    if abort.http2_error.is_some() {
        at.field("http2Error").invalid("http2Error fault injection not supported yet");
    }
    if abort.http_status.is_some() && abort.grpc_status.is_some() {
        at.invalid("abort takes only one of httpStatus and grpcStatus");
    }
    if abort.http_status.is_none() && abort.grpc_status.is_none() && abort.http2_error.is_none() {
        at.warn("abort fault injection has no status");
    }
    if abort.http_status.is_some_and(|status| !(200..=600).contains(&status)) {
        at.field("httpStatus").invalid("HTTP status must be in range 200..599");
    }
    if let Some(status) = abort.grpc_status.as_deref().filter(|status| !GRPC_STATUS.contains(status)) {
        at.field("grpcStatus").advise(format!("gRPC status \"{status}\" is not supported"), GRPC_STATUS.join(", "));
    }
}

fn fault_share(at: &mut At<'_>, share: Option<&Percent>) {
    at.part("percentage", share, |at, share| {
        if share.value != 0.0 && !(LEAST_PERCENT..=100.0).contains(&share.value) {
            at.field("value")
                .invalid(format!("percentage {} is neither 0.0, nor in range [0.0001, 100.0]", share.value));
        }
    });
}

fn mirrors(at: &mut At<'_>, route: &HttpRoute) {
    if route.mirror.is_some() && !route.mirrors.is_empty() {
        at.invalid("HTTP route cannot contain both mirror and mirrors");
    }
    at.part("mirror", route.mirror.as_ref(), destination_fields);
    at.each("mirrors", &route.mirrors, |at, mirror| {
        destination(at, mirror.destination.as_ref());
        at.part("percentage", mirror.percentage.as_ref(), mirror_share);
    });
    at.part("mirrorPercentage", route.mirror_percentage.as_ref(), mirror_share);
    at.part("mirrorPercent", route.mirror_percent.as_ref(), |at, percent| {
        at.deprecated("using deprecated field: mirrorPercent, use mirrorPercentage");
        if *percent > 100 {
            at.invalid(format!("mirror percent must be max 100, got {percent}"));
        }
    });
}

fn mirror_share(at: &mut At<'_>, share: &Percent) {
    if !(0.0..=100.0).contains(&share.value) {
        at.field("value").invalid(format!("mirror percentage must be in range 0..100, got {}", share.value));
    }
}

fn cors(at: &mut At<'_>, cors: &CorsPolicy) {
    if !cors.allow_origin.is_empty() {
        at.field("allowOrigin").deprecated("allowOrigin is deprecated, use allowOrigins");
    }
    at.each("allowOrigins", &cors.allow_origins, |at, origin| {
        if *origin == super::StringMatch::default() {
            at.invalid("CORS allow origins must not be empty");
        }
        string_match(at, origin, "corsPolicy.allowOrigins", false);
    });
    at.each("allowMethods", &cors.allow_methods, |at, method| {
        if !CORS_METHODS.contains(&method.as_str()) {
            at.invalid(format!("\"{method}\" is not a supported HTTP method"));
        }
    });
    for (field, names) in [("allowHeaders", &cors.allow_headers), ("exposeHeaders", &cors.expose_headers)] {
        at.each(field, names, |at, name| {
            if !is_token(name) {
                at.invalid(format!("header name {name:?} is not a valid header name"));
            }
        });
    }
    at.part("maxAge", cors.max_age.as_ref(), |at, age| {
        if age.nanos < 0 || age.nanos % 1_000_000_000 != 0 {
            at.invalid("max_age duration is accurate only to seconds precision");
        }
    });
}

fn headers(at: &mut At<'_>, headers: &Headers) {
    at.part("request", headers.request.as_ref(), |at, operations| header_operations(at, operations, true));
    at.part("response", headers.response.as_ref(), |at, operations| header_operations(at, operations, false));
}

fn header_operations(at: &mut At<'_>, operations: &HeaderOperations, request: bool) {
    for (field, headers) in [("set", &operations.set), ("add", &operations.add)] {
        for (name, value) in headers {
            let mut at = at.field(field);
            let mut at = at.field(name);
            if !(request && is_authority(name)) {
                changeable(&mut at, name);
            }
            header_value(&mut at, name, value);
        }
    }
    at.each("remove", &operations.remove, |at, name| changeable(at, name));
}

/// Whether an operation on this header is a change of the authority.
pub fn is_authority(name: &str) -> bool {
    name == ":authority" || name.eq_ignore_ascii_case("host")
}

fn changeable(at: &mut At<'_>, name: &str) {
    if name.starts_with(':') || is_authority(name) {
        at.invalid(format!("invalid header \"{name}\": header cannot be set, added or removed here"));
    } else if !is_token(name) {
        at.invalid(format!("header name {name:?} is not a valid header name"));
    } else if frames_message(name) {
        at.ignored(format!("{name} frames the message, and stays what it is"));
    }
}

/// Whether a header says where a message ends or belongs to one connection (RFC 9110 section 7.6.1, RFC 9112 section 6):
/// no route may change it.
pub fn frames_message(name: &str) -> bool {
    const FRAMING: [&str; 8] = [
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    FRAMING.iter().any(|framing| framing.eq_ignore_ascii_case(name))
}

/// Checks a header's value, which is a format string of Envoy's: `%START_TIME%`, `100%%`.
fn header_value(at: &mut At<'_>, name: &str, value: &str) {
    if value.chars().any(|c| c.is_control() && c != '\t') {
        at.invalid(format!("header value for \"{name}\" must not have control characters"));
    }
    if !value.matches('%').count().is_multiple_of(2) {
        at.advise(
            format!("header value for \"{name}\" has a single %"),
            "a header's value is a format string: write %% for the sign, %NAME% for a value",
        );
    }
    for part in format_parts(value) {
        if let FormatPart::Unknown(variable) = part {
            at.ignored(format!("%{variable}% is empty here: this version does not have its value"));
        }
    }
}

/// The authority may be given once, by `rewrite` or by `headers.request`.
fn one_authority(at: &mut At<'_>, route: &HttpRoute) {
    let request = route.headers.as_ref().and_then(|headers| headers.request.as_ref());
    let names = request.into_iter().flat_map(|request| request.set.keys().chain(request.add.keys()));
    let rewritten = route.rewrite.as_ref().is_some_and(|rewrite| !rewrite.authority.is_empty());
    if names.filter(|name| is_authority(name)).count() + usize::from(rewritten) > 1 {
        at.invalid("authority header cannot be set multiple times");
    }
}
