//! Cross-origin requests (WHATWG Fetch, section 3.2), as Envoy's filter treats them.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use crate::call::Call;
use crate::resource::kinds::virtual_service::{CorsPolicy, UnmatchedPreflights};

use super::super::matching::{Expressions, Text};
use super::answer::Answer;

/// What pages of other origins may do.
#[derive(Debug)]
pub(in super::super) struct Cors {
    origins: Vec<Text>,
    /// What a preflight of such an origin is told.
    preflight: Vec<(HeaderName, HeaderValue)>,
    /// What such an origin is told of other answers.
    exposed: Vec<(HeaderName, HeaderValue)>,
    /// Whether preflights of other origins are answered too, without any of these.
    answers_all: bool,
}

impl Cors {
    /// `None` for an expression that does not compile.
    pub(in super::super) fn compile(spec: &CorsPolicy) -> Option<Self> {
        let origins = if spec.allow_origins.is_empty() {
            spec.allow_origin.iter().map(|origin| Text::Exact(origin.as_str().into())).collect()
        } else {
            let mut expressions = Expressions::default();
            let origins = spec.allow_origins.iter().map(|origin| Text::compile(origin, &mut expressions));
            origins.collect::<Option<_>>()?
        };
        let list = |name, values: &[String]| {
            let joined = values.join(",");
            Some((name, HeaderValue::try_from(joined).ok()?)).filter(|_| !values.is_empty())
        };
        let credentials = spec
            .allow_credentials
            .filter(|allowed| *allowed)
            .map(|_| (header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")));
        let age = spec.max_age.map(|age| (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age.to_std().as_secs())));
        let methods = list(header::ACCESS_CONTROL_ALLOW_METHODS, &spec.allow_methods);
        let headers = list(header::ACCESS_CONTROL_ALLOW_HEADERS, &spec.allow_headers);
        let exposed = list(header::ACCESS_CONTROL_EXPOSE_HEADERS, &spec.expose_headers);
        Some(Self {
            origins,
            preflight: [credentials.clone(), methods, headers, age].into_iter().flatten().collect(),
            exposed: [credentials, exposed].into_iter().flatten().collect(),
            answers_all: spec.unmatched_preflights == UnmatchedPreflights::Ignore,
        })
    }

    /// The call's origin, if it may call; `*` among the origins is every one.
    fn allowed<'c>(&self, call: &'c Call) -> Option<&'c HeaderValue> {
        let origin = call.headers().get(header::ORIGIN).filter(|origin| !origin.is_empty())?;
        let text = std::str::from_utf8(origin.as_bytes()).ok()?;
        self.origins.iter().any(|allowed| allowed.holds("*") || allowed.holds(text)).then_some(origin)
    }

    /// The answer to a preflight that is answered here.
    pub(in super::super) fn preflight(&self, call: &Call) -> Option<Answer> {
        let headers = call.headers();
        let asks = |name| headers.get(name).is_some_and(|value: &HeaderValue| !value.is_empty());
        let preflight =
            *call.method() == Method::OPTIONS && asks(header::ORIGIN) && asks(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !preflight {
            return None;
        }
        let mut headers = HeaderMap::new();
        match self.allowed(call) {
            None if !self.answers_all => return None,
            None => {}
            Some(origin) => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                headers.extend(self.preflight.iter().cloned());
            }
        }
        Some(Answer { status: StatusCode::OK.as_u16(), headers, body: Bytes::new() })
    }

    /// Tells the call's origin what it may read of an answer.
    pub(in super::super) fn expose(&self, call: &Call, headers: &mut HeaderMap) {
        if let Some(origin) = self.allowed(call) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            for (name, value) in &self.exposed {
                headers.insert(name, value.clone());
            }
        }
    }
}
