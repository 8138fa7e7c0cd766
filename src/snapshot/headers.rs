//! Which headers decisions depend on: the record of a call keeps these and no others.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::HeaderName;

use crate::accesslog::is_credential;
use crate::policy::template::TEMPLATES;
use crate::registry::{ListQuery, LoadError, News, Renewed, View};
use crate::resource::kinds::virtual_service::VirtualService;
use crate::resource::kinds::{INSTANCE, RULE};

use super::sources::{OF_AUTHORIZATION, concerns_authorization, concerns_policy};

/// How expressions and conditions name a header; its name follows, in quotes or without.
const INDEXED: &str = "request.headers[";

/// Attributes of their own that are headers.
const NAMED: [(&str, &str); 3] =
    [("request.useragent", "user-agent"), ("request.referer", "referer"), ("request.id", "x-request-id")];

/// A header that decisions depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadHeader {
    /// Its name.
    pub name: HeaderName,
    /// Whether its value lets whoever reads it act as its sender, so that it is never recorded.
    pub is_credential: bool,
}

impl From<HeaderName> for ReadHeader {
    fn from(name: HeaderName) -> Self {
        Self { is_credential: is_credential(name.as_str()), name }
    }
}

/// The names, as they are found.
#[derive(Debug, Default)]
pub(super) struct HeadersRead {
    /// Of routes. What one has read once stays: more is recorded than is read now, never less.
    routes: BTreeSet<String>,
    /// Of rules and policies.
    policies: BTreeSet<String>,
}

impl HeadersRead {
    /// Takes up those that VirtualServices match.
    pub(super) fn virtual_services(&mut self, renewed: &[Renewed<VirtualService>]) {
        let matches = renewed.iter().filter_map(|renewed| renewed.now.as_ref());
        let matches = matches.flat_map(|declared| &declared.spec.http).flat_map(|route| &route.r#match);
        let names = matches.flat_map(|one| one.headers.keys().chain(one.without_headers.keys()));
        self.routes.extend(names.map(|name| name.to_ascii_lowercase()));
    }

    /// Takes up those of rules and policies, if news concern them.
    ///
    /// # Errors
    /// Those of reading the view.
    pub(super) fn policies(&mut self, view: &dyn View, news: &News) -> Result<(), LoadError> {
        if !concerns_policy(news) && !concerns_authorization(news) {
            return Ok(());
        }
        self.policies.clear();
        let kinds = TEMPLATES.iter().map(|template| template.kind).chain([&INSTANCE, &RULE]).chain(OF_AUTHORIZATION);
        for kind in kinds {
            view.visit(&ListQuery::all(kind), &mut |resource| {
                if let Ok(text) = serde_json::to_string(&resource.body) {
                    add_named_in(&text, &mut self.policies);
                }
            })?;
        }
        Ok(())
    }

    /// All of them. Names that no header can have, as `:path`, are those of other parts of a call.
    pub(super) fn all(&self) -> Arc<[ReadHeader]> {
        let names = self.routes.union(&self.policies).filter_map(|name| name.parse::<HeaderName>().ok());
        names.map(ReadHeader::from).collect()
    }
}

/// Finds the headers that a resource's texts name, wherever they stand.
fn add_named_in(text: &str, names: &mut BTreeSet<String>) {
    for after in text.split(INDEXED).skip(1) {
        let name = after.split(']').next().unwrap_or_default().trim_matches(['"', '\'', '`', '\\', ' ']);
        names.insert(name.to_ascii_lowercase());
    }
    names.extend(NAMED.iter().filter(|(attribute, _)| text.contains(attribute)).map(|(_, name)| (*name).to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_in_expressions_and_in_conditions() {
        let mut names = BTreeSet::new();
        let json = r#"{"match":"request.headers[\"x-team\"] == \"a\" && request.useragent != ''","when":
            [{"key":"request.headers[X-Tier]"}],"other":"request.headers[`x-raw`] | 'request.headers[' "}"#;
        add_named_in(json, &mut names);
        names.retain(|name| name.parse::<HeaderName>().is_ok());
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["user-agent", "x-raw", "x-team", "x-tier"]);
    }
}
