//! QuotaSpecBinding: the services whose calls QuotaSpecs are for (Mixer's client).

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::resource::{Kind, Typed};

/// The kind `QuotaSpecBinding` (config.istio.io).
pub static QUOTA_SPEC_BINDING: Kind = Kind {
    group: "config.istio.io",
    versions: &["v1alpha2"],
    categories: cells::POLICY,
    check: |resource, problems| check::spec::<QuotaSpecBinding>(resource, problems, rules),
    ..cells::kind("QuotaSpecBinding", "quotaspecbindings", "quotaspecbinding")
};

/// `spec` of a QuotaSpecBinding.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuotaSpecBinding {
    /// Where calls go.
    pub services: Vec<ServiceRef>,
    /// What they are charged.
    pub quota_specs: Vec<SpecRef>,
}

impl Typed for QuotaSpecBinding {
    const ROOT: Option<&'static str> = Some("spec");
}

/// A service: by its parts, or as a host.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ServiceRef {
    /// Its name.
    pub name: String,
    /// Its namespace; the binding's if it is not given.
    pub namespace: String,
    /// The domain of the cluster; `cluster.local` if it is not given.
    pub domain: String,
    /// A full host, `*` for all, or `*SUBSTRING*`.
    pub service: String,
}

/// A QuotaSpec.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SpecRef {
    /// Its name.
    pub name: String,
    /// Its namespace; the binding's if it is not given.
    pub namespace: String,
}

/// `*`, `*SUBSTRING*`, or a host.
fn host(at: &mut At<'_>, host: &str) {
    let text = match host.strip_prefix('*') {
        Some("") => return,
        Some(rest) => rest.strip_suffix('*').filter(|part| !part.is_empty()),
        None => Some(host),
    };
    if text.is_none_or(|text| text.contains('*') || text.contains(char::is_whitespace)) {
        at.field("service").advise(
            format!("\"{host}\" names no hosts"),
            "write a full host, *SUBSTRING* for all that contain a text, or * for all",
        );
    }
}

fn rules(at: &mut At<'_>, binding: &QuotaSpecBinding) {
    if binding.services.is_empty() {
        at.field("services").required();
    }
    if binding.quota_specs.is_empty() {
        at.field("quotaSpecs").required();
    }
    at.each("services", &binding.services, |at, service| match (service.name.as_str(), service.service.as_str()) {
        ("", "") => at.advise("a service needs a name, or a host", "write name: NAME, or service: HOST"),
        ("", _) if !service.namespace.is_empty() || !service.domain.is_empty() => {
            at.field("service").invalid("a host stands alone, without namespace and domain");
        }
        ("", host) => self::host(at, host),
        (_, "") => {}
        _ => at.field("service").invalid("only one of name and service may be given"),
    });
    at.each("quotaSpecs", &binding.quota_specs, |at, spec| {
        if spec.name.is_empty() {
            at.field("name").required();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_service_is_named_in_one_way() {
        assert_eq!(check(&QUOTA_SPEC_BINDING, "services: [{service: '*'}]\nquotaSpecs: [{name: a}]"), [""; 0]);
        assert_eq!(
            check(&QUOTA_SPEC_BINDING, "services: [{}, {name: a, service: b}]\nquotaSpecs: [{}]"),
            [
                "spec.services[0]: a service needs a name, or a host",
                "spec.services[1].service: only one of name and service may be given",
                "spec.quotaSpecs[0].name: Required value",
            ]
        );
        for (host, right) in
            [("'*cnn*'", true), ("a.example.", true), ("'*.example'", false), ("'a*'", false), ("'**'", false)]
        {
            let problems =
                check(&QUOTA_SPEC_BINDING, &format!("services: [{{service: {host}}}]\nquotaSpecs: [{{name: a}}]"));
            assert_eq!(problems.is_empty(), right, "{host}: {problems:?}");
        }
    }
}
