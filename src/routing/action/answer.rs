//! Redirects and fixed responses: answers of our own that are no failures.

use base64::Engine as _;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};

use crate::call::{Authority, Call, Failure};
use crate::resource::kinds::virtual_service::{DerivePort, HttpDirectResponse, HttpRedirect};

use super::super::matching::Match;
use super::rewrite::PathRewrite;

/// Status of a redirect that names none (RFC 9110 section 15.4.2).
const MOVED_PERMANENTLY: u16 = 301;

/// An answer of our own.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// How a route answers by itself.
#[derive(Debug)]
pub(in super::super) enum Reply {
    Redirect(Redirect),
    Fixed { status: u16, body: Bytes },
}

/// A redirect; what it leaves out is the request's.
#[derive(Debug)]
pub(in super::super) struct Redirect {
    status: u16,
    scheme: Option<Box<str>>,
    host: Option<Box<str>>,
    /// Written in the location, unless it is the scheme's default.
    port: Option<u16>,
    path: Option<NewPath>,
}

#[derive(Debug)]
enum NewPath {
    Whole(Box<str>),
    Prefix(PathRewrite),
}

impl Reply {
    /// A redirect at a listener or server port.
    pub(in super::super) fn redirect(spec: &HttpRedirect, port: u16) -> Self {
        let given = |text: &str| (!text.is_empty()).then(|| text.into());
        let derived = (spec.derive_port == Some(DerivePort::FromRequestPort)).then_some(port);
        let path = match (spec.uri.as_str(), spec.prefix_rewrite.as_str()) {
            ("", "") => None,
            ("", prefix) => Some(NewPath::Prefix(PathRewrite::matched(prefix))),
            (uri, _) => Some(NewPath::Whole(uri.into())),
        };
        Reply::Redirect(Redirect {
            status: u16::try_from(spec.redirect_code).ok().filter(|code| *code > 0).unwrap_or(MOVED_PERMANENTLY),
            scheme: given(&spec.scheme),
            host: given(&spec.authority),
            port: spec.port.and_then(|port| u16::try_from(port).ok()).or(derived),
            path,
        })
    }

    /// The redirect of a call that came in plain text to the same by https (Envoy's `require_tls`).
    ///
    /// # Errors
    /// [`Failure::Rewrite`] for a location that is no header value.
    pub(in super::super) fn to_https(call: &Call) -> Result<Answer, Failure> {
        let location = format!("https://{}{}", call.authority().as_str(), call.path_and_query());
        let location = HeaderValue::try_from(location).map_err(|_| Failure::Rewrite)?;
        let headers = HeaderMap::from_iter([(header::LOCATION, location)]);
        Ok(Answer { status: MOVED_PERMANENTLY, headers, body: Bytes::new() })
    }

    /// A fixed response; `None` for a body that is no base64.
    pub(in super::super) fn fixed(spec: &HttpDirectResponse) -> Option<Self> {
        let body = match spec.body.as_ref().map(|body| (&body.string, &body.bytes)) {
            Some((Some(text), _)) => Bytes::from(text.clone()),
            Some((None, Some(coded))) => base64::engine::general_purpose::STANDARD.decode(coded).ok()?.into(),
            _ => Bytes::new(),
        };
        Some(Reply::Fixed { status: u16::try_from(spec.status).ok()?, body })
    }

    /// `redirect 301` or `direct response 503`.
    pub(in super::super) fn in_words(&self) -> String {
        match self {
            Reply::Redirect(redirect) => format!("redirect {}", redirect.status),
            Reply::Fixed { status, .. } => format!("direct response {status}"),
        }
    }

    /// The answer to a call that came by `scheme` and met a condition.
    ///
    /// # Errors
    /// [`Failure::Rewrite`] for a location that is no header value.
    pub(in super::super) fn answer(
        &self,
        call: &Call,
        scheme: &str,
        condition: Option<&Match>,
    ) -> Result<Answer, Failure> {
        let mut headers = HeaderMap::new();
        match self {
            Reply::Redirect(redirect) => {
                let location = HeaderValue::try_from(redirect.location(call, scheme, condition));
                headers.insert(header::LOCATION, location.map_err(|_| Failure::Rewrite)?);
                Ok(Answer { status: redirect.status, headers, body: Bytes::new() })
            }
            Reply::Fixed { status, body } => {
                if !body.is_empty() {
                    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
                }
                Ok(Answer { status: *status, headers, body: body.clone() })
            }
        }
    }
}

impl Redirect {
    fn location(&self, call: &Call, scheme: &str, condition: Option<&Match>) -> String {
        let new_scheme = self.scheme.as_deref().unwrap_or(scheme);
        let port = self.port.filter(|port| Some(*port) != default_port(new_scheme));
        let mut location = format!("{new_scheme}://");
        match &self.host {
            Some(host) => location.push_str(host),
            None => location.push_str(own_host(call.authority(), self.port.is_some(), new_scheme != scheme, scheme)),
        }
        if let Some(port) = port {
            location.push_str(&format!(":{port}"));
        }
        let query = call.path_and_query().query();
        match &self.path {
            None => location.push_str(call.path()),
            Some(NewPath::Whole(uri)) => {
                location.push_str(uri);
                if uri.contains('?') {
                    return location;
                }
            }
            Some(NewPath::Prefix(rewrite)) => location.push_str(&rewrite.apply(call.path(), condition)),
        }
        if let Some(query) = query {
            location.push('?');
            location.push_str(query);
        }
        location
    }
}

/// The request's host: without its port where another takes its place, or where it was the default of a scheme that is
/// left.
fn own_host<'c>(authority: &'c Authority, replaced: bool, scheme_changes: bool, scheme: &str) -> &'c str {
    let was_default = Some(authority.port()) == default_port(scheme);
    if replaced || (scheme_changes && was_default) { authority.host() } else { authority.as_str() }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::testing::call_to;

    fn location(url: &str, spec: &HttpRedirect) -> String {
        let answer = Reply::redirect(spec, 8080).answer(&call_to(url), "http", None).expect("a location");
        assert!(answer.body.is_empty());
        format!("{} {}", answer.status, answer.headers["location"].to_str().expect("text"))
    }

    #[test]
    fn what_a_redirect_leaves_out_is_the_requests() {
        let none = HttpRedirect::default;
        for (spec, url, expected) in [
            (HttpRedirect { scheme: "https".into(), ..none() }, "http://a.com/x?q=1", "301 https://a.com/x?q=1"),
            (HttpRedirect { scheme: "https".into(), ..none() }, "http://a.com:81/x", "301 https://a.com:81/x"),
            (HttpRedirect { uri: "/y".into(), ..none() }, "http://a.com:81/x?q=1", "301 http://a.com:81/y?q=1"),
            (HttpRedirect { uri: "/y?z".into(), ..none() }, "http://a.com/x?q=1", "301 http://a.com/y?z"),
            (HttpRedirect { authority: "b.com".into(), ..none() }, "http://a.com:81/x", "301 http://b.com/x"),
            (HttpRedirect { port: Some(81), redirect_code: 308, ..none() }, "http://a.com/x", "308 http://a.com:81/x"),
            (HttpRedirect { port: Some(80), ..none() }, "http://a.com:81/x", "301 http://a.com/x"),
            (
                HttpRedirect { port: Some(443), scheme: "https".into(), ..none() },
                "http://a.com:81/x",
                "301 https://a.com/x",
            ),
            (
                HttpRedirect { derive_port: Some(DerivePort::FromRequestPort), ..none() },
                "http://a.com/x",
                "301 http://a.com:8080/x",
            ),
            (HttpRedirect { prefix_rewrite: "/base".into(), ..none() }, "http://a.com/x", "301 http://a.com/basex"),
        ] {
            assert_eq!(location(url, &spec), expected, "{spec:?}");
        }
    }

    #[test]
    fn a_fixed_response_has_the_body_that_is_written() {
        let coded =
            crate::resource::kinds::virtual_service::ResponseBody { string: None, bytes: Some("aGVsbG8=".into()) };
        let spec = HttpDirectResponse { status: 503, body: Some(coded) };
        let reply = Reply::fixed(&spec).expect("valid");
        let answer = reply.answer(&call_to("http://a.com/"), "http", None).expect("an answer");
        assert_eq!((answer.status, &*answer.body), (503, &b"hello"[..]));
        assert_eq!(answer.headers["content-type"], "text/plain");
    }
}
