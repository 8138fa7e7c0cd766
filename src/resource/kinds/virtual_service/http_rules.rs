//! The rules of a route of HTTP.

use super::format::format_rule;
use super::match_rules::{http_matches, is_token, regex};
use super::rules::{Bound, destination, destination_fields, weights};
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

/// Checks a route of a VirtualService that is bound so.
pub(super) fn http_route(at: &mut At<'_>, route: &HttpRoute, bound: &Bound<'_>) {
    purpose(at, route, bound.delegate);
    http_matches(at, &route.r#match, bound);
    at.each("route", &route.route, |at, target| {
        destination(at, target.destination.as_ref());
        at.part("headers", target.headers.as_ref(), headers);
    });
    weights(at, &route.route.iter().map(|target| target.weight).collect::<Vec<_>>());
    at.part("redirect", route.redirect.as_ref(), |at, redirect| self::redirect(at, redirect, route));
    at.part("directResponse", route.direct_response.as_ref(), direct_response);
    at.part("rewrite", route.rewrite.as_ref(), |at, one| rewrite(at, one, bound));
    at.part("timeout", route.timeout.as_ref(), check::duration);
    at.part("retries", route.retries.as_ref(), retries);
    at.part("fault", route.fault.as_ref(), fault);
    mirrors(at, route);
    at.part("corsPolicy", route.cors_policy.as_ref(), |at, policy| cors(at, policy, bound));
    at.part("headers", route.headers.as_ref(), headers);
    one_authority(at, route);
}

/// A route forwards, redirects, answers or delegates.
fn purpose(at: &mut At<'_>, route: &HttpRoute, delegate: bool) {
    let HttpRoute { name, .. } = route;
    match &route.delegate {
        Some(_) if delegate => at.field("delegate").invalid("delegate HTTP route cannot contain delegate"),
        // What else a route says that delegates, the delegate's routes inherit.
        Some(_) => {
            if route.redirect.is_some() {
                at.field("redirect").invalid(format!("root HTTP route {name} must not specify redirect"));
            }
            if !route.route.is_empty() {
                at.field("route").invalid(format!("root HTTP route {name} must not specify route"));
            }
            return;
        }
        None => {}
    }
    let answer = match (route.redirect.is_some(), route.direct_response.is_some()) {
        (true, _) => Some("redirect"),
        (false, true) => Some("direct_response"),
        (false, false) => None,
    };
    match answer {
        Some(answer) => {
            let beside = [
                ("route", !route.route.is_empty()),
                ("fault", route.fault.is_some()),
                ("rewrite", route.rewrite.is_some()),
                ("direct_response", answer == "redirect" && route.direct_response.is_some()),
            ];
            for (other, _) in beside.into_iter().filter(|(_, given)| *given) {
                at.invalid(format!("HTTP route cannot contain both {other} and {answer}"));
            }
        }
        None if route.route.is_empty() => at.missing("HTTP route, redirect or direct_response is required"),
        None => {}
    }
    if route.mirror.is_some() && !route.mirrors.is_empty() {
        at.invalid("HTTP route cannot contain both mirror and mirrors");
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
        at.invalid("redirect may only specify one of uri or prefix_rewrite");
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
        at.field("scheme").invalid("invalid redirect scheme, must be \"http\" or \"https\"");
    }
    let whole = |uri: &super::StringMatch| uri.prefix.is_none();
    if !redirect.prefix_rewrite.is_empty() && route.r#match.iter().filter_map(|m| m.uri.as_ref()).any(whole) {
        at.field("prefixRewrite").invalid("redirect prefix_rewrite requires all URI matches to use prefix match type");
    }
}

fn direct_response(at: &mut At<'_>, response: &HttpDirectResponse) {
    http_status(&mut at.field("status"), i64::from(response.status));
    at.part("body", response.body.as_ref(), |at, body| {
        if body.string.is_some() && body.bytes.is_some() {
            at.invalid("body takes only one of string and bytes");
        }
        let size = body.string.as_ref().map_or(0, String::len).max(body.bytes.as_ref().map_or(0, |b| b.len() / 4 * 3));
        if size > MAX_BODY {
            at.invalid("large direct_responses may impact control plane performance, must be less than 1MB");
        } else if size > LARGE_BODY {
            at.warn("large direct_responses may impact control plane performance");
        }
    });
}

/// A status that an answer can have; Istio takes one more than its words say.
fn http_status(at: &mut At<'_>, status: i64) {
    if !(200..=600).contains(&status) {
        at.invalid(format!("HTTP status {status} is not in range 200-599"));
    }
}

fn rewrite(at: &mut At<'_>, rewrite: &HttpRewrite, bound: &Bound<'_>) {
    if rewrite.uri.is_empty() && rewrite.authority.is_empty() && rewrite.uri_regex_rewrite.is_none() {
        at.missing(
            "rewrite must specify at least one of URI, UriRegexRewrite, or authority. Only one of URI or UriRegexRewrite may \
             be specified",
        );
    }
    if !rewrite.uri.is_empty() && rewrite.uri_regex_rewrite.is_some() {
        at.invalid("rewrite may only contain one of URI or UriRegexRewrite");
    }
    at.part("uriRegexRewrite", rewrite.uri_regex_rewrite.as_ref(), |at, parts| {
        if parts.r#match.is_empty() || parts.rewrite.is_empty() {
            at.missing("UriRegexRewrite requires both Rewrite and Match fields to be specified");
        } else {
            regex(&mut at.field("match"), &parts.r#match, "HTTPRewrite.UriRegexRewrite.Match", bound);
        }
    });
}

fn retries(at: &mut At<'_>, retries: &HttpRetry) {
    if retries.attempts < 0 {
        at.field("attempts").invalid("attempts cannot be negative");
    }
    let HttpRetry { per_try_timeout, retry_on, retry_remote_localities, .. } = retries;
    let configured = per_try_timeout.is_some() || !retry_on.is_empty() || retry_remote_localities.is_some();
    if retries.attempts == 0 && configured {
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

/// Whether a text is the number of a registered status of HTTP.
fn is_http_status(text: &str) -> bool {
    matches!(
        text.parse(),
        Ok(
            100..=103
            | 200..=208
            | 226
            | 300..=305
            | 307
            | 308
            | 400..=418
            | 421..=426
            | 428
            | 429
            | 431
            | 451
            | 500..=508
            | 510
            | 511,
        )
    )
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
    if let Some(delay) = &delay.exponential_delay {
        let mut at = at.field("exponentialDelay");
        check::duration(&mut at, delay);
        at.invalid("exponentialDelay not supported yet");
    }
    match &delay.fixed_delay {
        Some(fixed) => check::duration(&mut at.field("fixedDelay"), fixed),
        None if delay.exponential_delay.is_none() => at.ignored("delay configured, but fixedDelay not set"),
        None => {}
    }
}

fn fault_abort(at: &mut At<'_>, abort: &FaultAbort) {
    fault_share(at, abort.percentage.as_ref());
    if abort.http2_error.is_some() {
        at.field("http2Error").invalid("HTTP/2 abort fault injection not supported yet");
    }
    if abort.http_status.is_some() && abort.grpc_status.is_some() {
        at.invalid("abort takes only one of httpStatus and grpcStatus");
    }
    if abort.http_status.is_none() && abort.grpc_status.is_none() && abort.http2_error.is_none() {
        at.warn("abort configured, but error type not set");
    }
    at.part("httpStatus", abort.http_status.as_ref(), |at, status| http_status(at, i64::from(*status)));
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
    at.part("mirror", route.mirror.as_ref(), destination_fields);
    at.each("mirrors", &route.mirrors, |at, mirror| {
        match &mirror.destination {
            Some(destination) => destination_fields(&mut at.field("destination"), destination),
            None => at.field("destination").missing("destination is required for mirrors"),
        }
        at.part("percentage", mirror.percentage.as_ref(), |at, share| mirror_share(at, share, "mirror percentage"));
    });
    at.part("mirrorPercentage", route.mirror_percentage.as_ref(), |at, share| {
        mirror_share(at, share, "mirror_percentage");
    });
    at.part("mirrorPercent", route.mirror_percent.as_ref(), |at, percent| {
        at.deprecated("using deprecated setting \"mirrorPercent\", use \"mirrorPercentage\" instead");
        if *percent > 100 {
            at.invalid(format!("mirror_percent must have a max value of 100 (it has {percent})"));
        }
    });
}

fn mirror_share(at: &mut At<'_>, share: &Percent, what: &str) {
    let Percent { value } = share;
    if *value > 100.0 {
        at.field("value").invalid(format!("{what} must have a max value of 100 (it has {value:.6})"));
    } else if *value < 0.0 {
        at.field("value").invalid(format!("{what} must have a min value of 0 (it has {value:.6})"));
    }
}

fn cors(at: &mut At<'_>, cors: &CorsPolicy, bound: &Bound<'_>) {
    if !cors.allow_origin.is_empty() {
        at.field("allowOrigin").deprecated("allowOrigin is deprecated, use allowOrigins");
    }
    at.each("allowOrigins", &cors.allow_origins, |at, origin| {
        let given: Vec<&String> = [&origin.exact, &origin.prefix, &origin.regex].into_iter().flatten().collect();
        match given[..] {
            [text] if !text.is_empty() => {
                at.part("regex", origin.regex.as_ref(), |at, text| {
                    regex(at, text, "corsPolicy.allowOrigins", bound);
                });
            }
            [] | [_] => at.invalid("'' is not a valid match type for CORS allow origins"),
            _ => at.invalid("only one of exact, prefix and regex may be given"),
        }
    });
    at.each("allowMethods", &cors.allow_methods, |at, method| {
        if !CORS_METHODS.contains(&method.as_str()) {
            at.invalid(format!("\"{method}\" is not a supported HTTP method"));
        }
    });
    for (field, names) in [("allowHeaders", &cors.allow_headers), ("exposeHeaders", &cors.expose_headers)] {
        at.each(field, names, |at, name| {
            if !is_token(name) {
                at.invalid(format!("header name {name} is not a valid header name"));
            }
        });
    }
    at.part("maxAge", cors.max_age.as_ref(), |at, age| {
        if age.nanos % 1_000_000_000 == 0 {
            check::duration(at, age);
        } else {
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
            header_value(&mut at, value);
        }
    }
    at.each("remove", &operations.remove, |at, name| changeable(at, name));
}

/// Whether an operation on this header is a change of the authority.
pub fn is_authority(name: &str) -> bool {
    name == ":authority" || name.eq_ignore_ascii_case("host")
}

fn changeable(at: &mut At<'_>, name: &str) {
    if name.is_empty() {
        at.invalid("header name cannot be empty");
    } else if name.eq_ignore_ascii_case("host") {
        at.invalid(format!("invalid header \"{name}\": cannot set Host header"));
    } else if name.starts_with(':') {
        at.invalid(format!("invalid header \"{name}\": header cannot have \":\" prefix"));
    } else if !is_token(name) {
        at.invalid(format!("header name {name} is not a valid header name"));
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
fn header_value(at: &mut At<'_>, value: &str) {
    if value.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
        return at.invalid("header value configuration is invalid: it has control characters");
    }
    if let Err(why) = format_rule(value) {
        return at.advise(
            format!("header value configuration: {why}"),
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
    let Some(request) = route.headers.as_ref().and_then(|headers| headers.request.as_ref()) else { return };
    let rewritten = route.rewrite.as_ref().map(|rewrite| rewrite.authority.as_str()).filter(|to| !to.is_empty());
    let mut current = rewritten;
    for (field, headers) in [("set", &request.set), ("add", &request.add)] {
        for (name, value) in headers.iter().filter(|(name, _)| is_authority(name)) {
            if let Some(current) = current {
                let mut headers = at.field("headers");
                let mut request = headers.field("request");
                request.field(field).field(name).invalid(format!(
                    "authority header cannot be set multiple times: have \"{current}\", attempting to set \"{value}\""
                ));
            }
            current = Some(value);
        }
    }
}
