//! The configuration of the mesh, a YAML text in the ConfigMap `istio`: of it, whom CUSTOM policies can ask, and how paths are
//! normalized.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value as Json;

use super::check::At;
use super::config_map::ConfigMap;
use crate::diagnostic::{Code, FieldPath, Problem, Problems};
use crate::resource::Duration;
use crate::resource::decode::{Spelling, decode_all};

/// Name and namespace of the ConfigMap, and the key of the text in it (Istio's).
pub const NAME: &str = "istio";
/// See [`NAME`].
pub const NAMESPACE: &str = "istio-system";
/// See [`NAME`].
pub const KEY: &str = "mesh";

/// Somebody whom policies can ask.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtensionProvider {
    /// The name by which policies name it.
    pub name: String,
    /// How it is asked, if that is by HTTP.
    pub http: Option<ExtAuthzHttp>,
}

/// `envoyExtAuthzHttp`: an authorizer that is asked by HTTP.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExtAuthzHttp {
    /// `HOST`, or `NAMESPACE/HOST`, of a Service or ServiceEntry.
    pub service: String,
    /// Its port.
    pub port: u32,
    /// How long it may take to answer.
    pub timeout: Option<Duration>,
    /// Stands before the path of the call in the question.
    pub path_prefix: String,
    /// Whether calls go that it could not be asked about.
    pub fail_open: bool,
    /// The status of those that do not; 403 when empty.
    pub status_on_error: String,
    /// The older name of `include_request_headers_in_check`.
    pub include_headers_in_check: Vec<String>,
    /// Headers of the call that are told: exact, `PREFIX*` or `*SUFFIX`.
    pub include_request_headers_in_check: Vec<String>,
    /// Headers that are told besides.
    pub include_additional_headers_in_check: BTreeMap<String, String>,
    /// How much of the body is told.
    pub include_request_body_in_check: Option<Json>,
    /// Headers of its answer that are added to a call that it lets go.
    pub headers_to_upstream_on_allow: Vec<String>,
    /// Headers of its answer that the caller of one reads that it does not; all when empty.
    pub headers_to_downstream_on_deny: Vec<String>,
    /// Headers of its answer that the caller of one reads that it lets go.
    pub headers_to_downstream_on_allow: Vec<String>,
    /// Whether routes are looked for again afterwards.
    pub clear_route_cache: bool,
}

/// What is read of the configuration.
#[derive(Debug, Default)]
pub struct MeshConfig {
    /// Those whom policies can ask; who cannot be read is left out.
    pub providers: Vec<ExtensionProvider>,
    /// `pathNormalization.normalization`; none where it is not said or not known.
    pub normalization: Option<&'static str>,
}

/// The values of `pathNormalization.normalization`, but for `DEFAULT`, which says nothing.
pub const NORMALIZATIONS: [&str; 4] = ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"];

impl MeshConfig {
    /// What a ConfigMap says, as far as it can be read.
    pub fn of(map: &ConfigMap) -> Self {
        read(map, &mut Problems::new())
    }
}

/// Checks the text, of which the problems tell the places.
pub(super) fn check(at: &mut At<'_>, map: &ConfigMap) {
    let mut problems = Problems::new();
    read(map, &mut problems);
    let place = FieldPath::of("data").field(KEY);
    at.problems.extend(problems.into_iter().map(|problem| {
        let message = problem.to_string();
        Problem { at: place.clone(), message, on_key: false, within: None, kubernetes: None, ..problem }
    }));
}

fn read(map: &ConfigMap, problems: &mut Problems) -> MeshConfig {
    let Some(text) = map.data.get(KEY) else { return MeshConfig::default() };
    let tree: Json = match serde_yaml::from_str(text) {
        Ok(tree) => tree,
        Err(error) => {
            problems.error(Code::Syntax, FieldPath::root(), format!("not YAML: {error}"));
            return MeshConfig::default();
        }
    };
    MeshConfig { providers: providers(&tree, problems), normalization: normalization(&tree, problems) }
}

fn normalization(tree: &Json, problems: &mut Problems) -> Option<&'static str> {
    let written = tree.get("pathNormalization")?.get("normalization")?;
    let known = NORMALIZATIONS.into_iter().find(|name| written == name);
    if known.is_none() && written != "DEFAULT" {
        let place = FieldPath::of("pathNormalization").field("normalization");
        let expected = format!("expected DEFAULT, {}, found: {written}", NORMALIZATIONS.join(", "));
        At { path: place, problems }.invalid(expected);
    }
    known
}

fn providers(tree: &Json, problems: &mut Problems) -> Vec<ExtensionProvider> {
    let mut providers: Vec<ExtensionProvider> = Vec::new();
    for (index, item) in tree.get("extensionProviders").and_then(Json::as_array).into_iter().flatten().enumerate() {
        let place = FieldPath::of("extensionProviders").index(index);
        let mut at = At { path: place, problems: &mut *problems };
        let name = item.get("name").and_then(Json::as_str).unwrap_or_default();
        if name.is_empty() {
            let message = format!("extension provider name must not be empty, found empty at index: {index}");
            at.field("name").missing(message);
        } else if providers.iter().any(|known| known.name == name) {
            at.field("name").duplicate(format!("extension provider name must be unique, found duplicate: {name}"));
        }
        let http = item.get("envoyExtAuthzHttp").and_then(|tree| http(&mut at.field("envoyExtAuthzHttp"), tree));
        if item.get("envoyExtAuthzGrpc").is_some() {
            at.field("envoyExtAuthzGrpc").ignored("authorizers are asked by HTTP alone: envoyExtAuthzHttp");
        }
        providers.push(ExtensionProvider { name: name.to_owned(), http });
    }
    providers
}

fn http(at: &mut At<'_>, tree: &Json) -> Option<ExtAuthzHttp> {
    let (decoded, faults) = decode_all::<ExtAuthzHttp>(tree, &at.path, Spelling::Protobuf);
    at.problems.extend(faults);
    let spec = decoded?;
    if spec.service.is_empty() {
        at.field("service").missing("service must not be empty");
    }
    if !(1..=65535).contains(&spec.port) {
        at.field("port").invalid(format!("port must be in the range [1, 65535], found: {}", spec.port));
    }
    if !spec.path_prefix.is_empty() && !spec.path_prefix.starts_with('/') {
        at.field("pathPrefix").invalid(format!("pathPrefix must begin with `/`, found: {:?}", spec.path_prefix));
    }
    let status = &spec.status_on_error;
    if !status.is_empty() && !status.parse::<u16>().is_ok_and(|status| (200..600).contains(&status)) {
        at.field("statusOnError").invalid(format!("unsupported statusOnError {status}"));
    }
    for (name, value) in &spec.include_additional_headers_in_check {
        if HeaderName::try_from(name).is_err() || HeaderValue::try_from(value).is_err() {
            at.field("includeAdditionalHeadersInCheck").field(name).invalid("not a header and its value");
        }
    }
    if spec.include_request_body_in_check.is_some() {
        at.field("includeRequestBodyInCheck").ignored("nothing of a call's body is told");
    }
    Some(spec)
}
