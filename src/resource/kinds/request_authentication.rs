//! RequestAuthentication: whose tokens (JWT) callers may show. Kept; nothing verifies tokens yet.

use serde::Deserialize;

use super::authorization_policy::{Selector, TargetRef, workloads};
use super::check::At;
use super::{cells, check};
use crate::resource::{Duration, Kind, Typed};

/// The kind `RequestAuthentication` (security.istio.io).
pub static REQUEST_AUTHENTICATION: Kind = Kind {
    group: "security.istio.io",
    versions: cells::SECURITY_VERSIONS,
    short: &["ra"],
    categories: cells::SECURITY,
    check: |resource, problems| check::spec::<RequestAuthentication>(resource, problems, rules),
    ..cells::kind("RequestAuthentication", "requestauthentications", "requestauthentication")
};

/// `spec` of a RequestAuthentication.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestAuthentication {
    /// Workloads that it is for; all of its namespace when absent, all of the mesh in the root namespace.
    pub selector: Option<Selector>,
    /// What it is for, instead of workloads.
    pub target_refs: Vec<TargetRef>,
    /// Whose tokens are taken.
    pub jwt_rules: Vec<JwtRule>,
}

impl Typed for RequestAuthentication {
    const ROOT: Option<&'static str> = Some("spec");
}

/// Tokens of one issuer.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JwtRule {
    /// Who issues them.
    pub issuer: String,
    /// Whom they may be for; anybody, if none is given.
    pub audiences: Vec<String>,
    /// Where the issuer's keys are.
    #[serde(alias = "jwks_uri")]
    pub jwks_uri: String,
    /// The issuer's keys (RFC 7517 section 5).
    pub jwks: String,
    /// Headers in which they are shown.
    pub from_headers: Vec<JwtHeader>,
    /// Query parameters in which they are shown.
    pub from_params: Vec<String>,
    /// Cookies in which they are shown.
    pub from_cookies: Vec<String>,
    /// The header in which the claims are sent on.
    pub output_payload_to_header: String,
    /// Whether they are sent on.
    pub forward_original_token: bool,
    /// Claims that are sent on, each in a header.
    pub output_claim_to_headers: Vec<ClaimToHeader>,
    /// How long the keys may take to come.
    pub timeout: Option<Duration>,
    /// Claims whose values are lists with blanks between them.
    pub space_delimited_claims: Vec<String>,
}

/// A header with a token.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct JwtHeader {
    /// Its name.
    pub name: String,
    /// What stands before the token: `Bearer `.
    pub prefix: String,
}

/// A claim and a header.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ClaimToHeader {
    /// The header.
    pub header: String,
    /// The claim.
    pub claim: String,
}

fn rules(at: &mut At<'_>, spec: &RequestAuthentication) {
    at.part("selector", spec.selector.as_ref(), workloads);
    at.each("jwtRules", &spec.jwt_rules, jwt_rule);
}

fn jwt_rule(at: &mut At<'_>, rule: &JwtRule) {
    if rule.issuer.is_empty() && rule.jwks_uri.is_empty() {
        at.missing("issuer or jwksUri must be set");
    }
    at.each("audiences", &rule.audiences, |at, audience| filled(at, audience, "audience must be non-empty string"));
    if !rule.jwks_uri.is_empty() {
        jwks_uri(&mut at.field("jwksUri"), &rule.jwks_uri);
    }
    if !rule.jwks.is_empty() && !is_key_set(&rule.jwks) {
        at.field("jwks")
            .advise("jwks parse error: no set of keys", r#"JSON as {"keys": [{"kty": …}]} (RFC 7517 section 5)"#);
    }
    at.each("fromHeaders", &rule.from_headers, |at, header| {
        filled(&mut at.field("name"), &header.name, "location header name must be non-empty string");
    });
    at.each("fromParams", &rule.from_params, |at, name| filled(at, name, "location query must be non-empty string"));
    at.each("fromCookies", &rule.from_cookies, |at, name| filled(at, name, "cookie name must be non-empty string"));
    at.each("outputClaimToHeaders", &rule.output_claim_to_headers, |at, output| {
        filled(&mut at.field("header"), &output.header, "header must be non-empty string");
        filled(&mut at.field("claim"), &output.claim, "claim must be non-empty string");
    });
    at.part("timeout", rule.timeout.as_ref(), check::duration);
}

fn filled(at: &mut At<'_>, text: &str, message: &str) {
    if text.is_empty() {
        at.missing(message);
    }
}

fn jwks_uri(at: &mut At<'_>, uri: &str) {
    let parsed = uri.parse::<http::Uri>().ok().filter(|uri| uri.host().is_some());
    match parsed.as_ref().and_then(http::Uri::scheme_str) {
        Some("http" | "https") => {}
        Some(scheme) => at.invalid(format!("URI scheme {scheme} is not supported")),
        None => at.invalid("no URI of http or https"),
    }
}

fn is_key_set(text: &str) -> bool {
    let parsed = serde_json::from_str::<serde_json::Value>(text);
    parsed.is_ok_and(|set| set.get("keys").is_some_and(serde_json::Value::is_array))
}

#[cfg(test)]
mod tests {
    use super::super::tests::checked;
    use super::*;

    #[test]
    fn rules_name_an_issuer_and_where_tokens_are() {
        for (spec, problems) in [
            ("{}", &[][..]),
            ("jwtRules: [{issuer: a, jwksUri: 'https://a.example/keys', audiences: [b], timeout: 5s}]", &[]),
            ("jwtRules: [{issuer: a, jwks: '{\"keys\": []}', fromHeaders: [{name: x, prefix: 'Bearer '}]}]", &[]),
            (
                "jwtRules: [{jwks: '{}'}]",
                &[
                    "error spec.jwtRules[0]: issuer or jwksUri must be set",
                    "error spec.jwtRules[0].jwks: jwks parse error: no set of keys",
                ],
            ),
            (
                "jwtRules: [{issuer: a, audiences: [''], jwksUri: 'file:///a'}]",
                &[
                    "error spec.jwtRules[0].audiences[0]: audience must be non-empty string",
                    "error spec.jwtRules[0].jwksUri: no URI of http or https",
                ],
            ),
            (
                "jwtRules: [{issuer: a, jwksUri: 'ftp://a.example/keys'}]",
                &["error spec.jwtRules[0].jwksUri: URI scheme ftp is not supported"],
            ),
            (
                "jwtRules: [{issuer: a, fromHeaders: [{prefix: x}], fromParams: [''], fromCookies: ['']}]",
                &[
                    "error spec.jwtRules[0].fromHeaders[0].name: location header name must be non-empty string",
                    "error spec.jwtRules[0].fromParams[0]: location query must be non-empty string",
                    "error spec.jwtRules[0].fromCookies[0]: cookie name must be non-empty string",
                ],
            ),
            (
                "jwtRules: [{issuer: a, outputClaimToHeaders: [{header: x}]}]",
                &["error spec.jwtRules[0].outputClaimToHeaders[0].claim: claim must be non-empty string"],
            ),
            ("selector: {}", &["warning spec.selector: workload selector specified without labels"]),
        ] {
            assert_eq!(checked(&REQUEST_AUTHENTICATION, spec), problems, "{spec}");
        }
    }
}
