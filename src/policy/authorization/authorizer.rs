//! Whom CUSTOM policies ask: an authorizer that answers over HTTP whether a call may go (Envoy's ext_authz).

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use smallvec::{SmallVec, smallvec};

use crate::call::Call;
use crate::resource::kinds::mesh_config::ExtAuthzHttp;
use crate::resource::kinds::rule::Operation;

use super::super::verdict::HeaderEdit;
use super::pattern::Patterns;

/// The status of calls that an authorizer could not be asked about.
pub(super) const FORBIDDEN: u16 = 403;

/// Headers that belong to one connection or frame a message (RFC 9110 §7.6.1, RFC 9112 §6), and Host: no answer changes
/// those of a call, or of what its caller is told.
const OF_CONNECTIONS: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// An authorizer.
#[derive(Debug)]
pub struct Authorizer {
    /// The name by which policies name it.
    pub name: Box<str>,
    /// The host of its Service or ServiceEntry.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How long it may take to answer, if that is said.
    pub timeout: Option<Duration>,
    /// Whether calls go that it could not be asked about.
    pub fail_open: bool,
    /// The status of those that do not.
    pub status_on_error: u16,
    path_prefix: Box<str>,
    told: Patterns,
    added: Vec<(HeaderName, HeaderValue)>,
    upstream_on_allow: Patterns,
    /// All when there are none.
    downstream_on_deny: Option<Patterns>,
    downstream_on_allow: Patterns,
}

/// What an authorizer has said of a call.
#[derive(Debug)]
pub enum Said {
    /// It may go, with these changes.
    Allowed {
        /// Of the request.
        request: Vec<HeaderEdit>,
        /// Of the answer.
        response: Vec<HeaderEdit>,
    },
    /// It may not: with this status.
    Denied(u16),
    /// It has said nothing that could be understood, or not in time.
    Nothing,
}

/// The answer of the authorizer of this name.
#[derive(Debug)]
pub struct Answered {
    /// Its name.
    pub authorizer: Box<str>,
    /// What it has said.
    pub said: Said,
}

/// What authorizers have said of a call so far.
#[derive(Debug, Default)]
pub struct Answers {
    heard: Vec<Answered>,
    /// The rules that hand it to authorizers: matched once, however many there are to ask.
    pub(super) handed: Option<SmallVec<[u32; 4]>>,
}

impl Answers {
    /// Takes in one more.
    pub fn add(&mut self, answered: Answered) {
        self.heard.push(answered);
    }

    /// What the authorizer of a name has said.
    pub(super) fn of(&self, name: &str) -> Option<&Answered> {
        self.heard.iter().find(|answered| *answered.authorizer == *name)
    }
}

impl Authorizer {
    /// One that is declared; `host` is the full name of its service.
    pub(super) fn new(name: &str, host: String, spec: &ExtAuthzHttp) -> Self {
        let names = |names: &[String]| Patterns::of(names.iter().map(|name| name.to_ascii_lowercase()));
        let told = spec.include_request_headers_in_check.iter().chain(&spec.include_headers_in_check);
        let denied = &spec.headers_to_downstream_on_deny;
        Self {
            name: name.into(),
            host,
            port: u16::try_from(spec.port).unwrap_or_default(),
            timeout: spec.timeout.map(|timeout| timeout.to_std()),
            fail_open: spec.fail_open,
            status_on_error: spec.status_on_error.parse().unwrap_or(FORBIDDEN),
            path_prefix: spec.path_prefix.trim_end_matches('/').into(),
            told: Patterns::of(told.map(|name| name.to_ascii_lowercase())),
            added: added(&spec.include_additional_headers_in_check),
            upstream_on_allow: names(&spec.headers_to_upstream_on_allow),
            downstream_on_deny: (!denied.is_empty()).then(|| names(denied)),
            downstream_on_allow: names(&spec.headers_to_downstream_on_allow),
        }
    }

    /// Path and headers of the question about a call: its own path behind the prefix, its Authorization, and the headers
    /// that are asked for. `None` where that is no path.
    pub fn question(&self, call: &Call) -> Option<(PathAndQuery, HeaderMap)> {
        let path = format!("{}{}", self.path_prefix, call.path_and_query());
        let mut headers = HeaderMap::new();
        for (name, value) in call.headers() {
            if (*name == header::AUTHORIZATION || self.told.have(name.as_str())) && !OF_CONNECTIONS.contains(name) {
                headers.append(name, value.clone());
            }
        }
        for (name, value) in &self.added {
            headers.insert(name, value.clone());
        }
        Some((PathAndQuery::try_from(path).ok()?, headers))
    }

    /// What an answer says: 200 lets a call go, a status of 500 and above is no answer, any other refuses (Envoy's rule).
    pub fn read(&self, status: u16, headers: &HeaderMap) -> Said {
        match status {
            200 => Said::Allowed {
                request: edits(headers, &self.upstream_on_allow),
                response: edits(headers, &self.downstream_on_allow),
            },
            500.. => Said::Nothing,
            _ => Said::Denied(status),
        }
    }

    /// The headers of an answer that the caller of a refused call reads.
    pub fn told_on_deny(&self, headers: &HeaderMap) -> HeaderMap {
        let mut told = HeaderMap::new();
        for (name, value) in headers.iter().filter(|(name, _)| !OF_CONNECTIONS.contains(name)) {
            if self.downstream_on_deny.as_ref().is_none_or(|names| names.have(name.as_str())) {
                told.append(name, value.clone());
            }
        }
        told
    }
}

/// Headers with their values; what is none has been refused when it was declared.
fn added(headers: &BTreeMap<String, String>) -> Vec<(HeaderName, HeaderValue)> {
    let header = |(name, value): (&String, &String)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    headers.iter().filter_map(header).filter(|(name, _)| !OF_CONNECTIONS.contains(name)).collect()
}

/// The headers of these names, in place of those that are there.
fn edits(headers: &HeaderMap, names: &Patterns) -> Vec<HeaderEdit> {
    let wanted = headers.keys().filter(|name| names.have(name.as_str()) && !OF_CONNECTIONS.contains(name));
    let edit = |name: &HeaderName| {
        let mut edit = HeaderEdit { name: name.clone(), operation: Operation::Replace, values: smallvec![] };
        edit.values.extend(headers.get_all(name).iter().cloned());
        edit
    };
    wanted.map(edit).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::call;
    use super::*;

    fn authorizer(spec: &str) -> Authorizer {
        let spec: ExtAuthzHttp = serde_yaml::from_str(spec).expect("a provider");
        Authorizer::new("p", "a.b".into(), &spec)
    }

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        headers.iter().map(header).collect()
    }

    #[test]
    fn a_question_has_the_path_and_the_headers_that_are_asked_for() {
        let asked = authorizer(
            "{pathPrefix: /check/, includeRequestHeadersInCheck: [X-Team, 'x-a-*', connection], \
             includeAdditionalHeadersInCheck: {x-from: gateway}}",
        );
        let (call, _) = call("GET http://h.example/a?b x-team=t x-a-1=1 x-b=2 authorization=basic");
        let (path, headers) = asked.question(&call).expect("a question");
        assert_eq!(path, "/check/a?b");
        let expected = map(&[("authorization", "basic"), ("x-team", "t"), ("x-a-1", "1"), ("x-from", "gateway")]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn an_answer_changes_the_headers_that_are_named_and_never_the_framing() {
        let asked =
            authorizer("{headersToUpstreamOnAllow: [x-user, content-length], headersToDownstreamOnAllow: [x-seen]}");
        let answer = map(&[("x-user", "u"), ("x-seen", "1"), ("content-length", "0"), ("x-other", "o")]);
        let Said::Allowed { request, response } = asked.read(200, &answer) else { panic!("it allows") };
        let mut headers = map(&[("x-user", "forged"), ("x-kept", "k")]);
        HeaderEdit::apply(&request, &mut headers);
        assert_eq!(headers, map(&[("x-user", "u"), ("x-kept", "k")]));
        assert_eq!(response.len(), 1);
        assert_eq!(asked.told_on_deny(&answer), map(&[("x-user", "u"), ("x-seen", "1"), ("x-other", "o")]));
        let some = authorizer("{headersToDownstreamOnDeny: [x-other]}");
        assert_eq!(some.told_on_deny(&answer), map(&[("x-other", "o")]));
    }

    #[test]
    fn only_200_lets_go_and_an_error_of_the_authorizer_is_no_answer() {
        let asked = authorizer("{}");
        let said = |status| asked.read(status, &HeaderMap::new());
        assert!(matches!(said(200), Said::Allowed { .. }));
        assert!([201, 204, 302, 401, 403].iter().all(|status| matches!(said(*status), Said::Denied(_))));
        assert!([500, 503].iter().all(|status| matches!(said(*status), Said::Nothing)));
        assert_eq!((asked.status_on_error, authorizer("{statusOnError: '503'}").status_on_error), (403, 503));
    }
}
