//! WorkloadEntry: an address at which a service runs, alone or as an endpoint of a ServiceEntry.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::resource::{Column, Kind, Labels, Typed, host};

/// The kind `WorkloadEntry` (networking.istio.io).
pub static WORKLOAD_ENTRY: Kind = Kind {
    group: "networking.istio.io",
    versions: cells::NETWORKING_VERSIONS,
    short: &["we"],
    categories: cells::NETWORKING,
    columns: &[Column::AGE, Column { name: "ADDRESS", wide: false, cell: |r| cells::custom(r, &["spec", "address"]) }],
    check: |resource, problems| check::spec::<WorkloadEntry>(resource, problems, rules),
    ..cells::kind("WorkloadEntry", "workloadentries", "workloadentry")
};

/// `spec` of a WorkloadEntry; an item of `spec.endpoints` of a ServiceEntry, and `spec.template` of a WorkloadGroup.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadEntry {
    /// IP address, host name or `unix://PATH`.
    pub address: String,
    /// Port by the name of the service's port.
    pub ports: BTreeMap<String, u32>,
    /// Labels, for selectors and subsets.
    pub labels: Labels,
    /// Network.
    pub network: String,
    /// `region/zone/subzone`.
    pub locality: String,
    /// Share of the load; 1 when 0.
    pub weight: u32,
    /// Account under which it runs.
    pub service_account: String,
}

impl Typed for WorkloadEntry {
    const ROOT: Option<&'static str> = Some("spec");
}

/// Checks an entry whose address may be of any sort: which sort fits says the ServiceEntry that selects it.
pub(super) fn rules(at: &mut At<'_>, entry: &WorkloadEntry) {
    match (entry.address.as_str(), entry.network.is_empty()) {
        ("", true) => return at.field("address").missing("address is required"),
        ("", false) => at.field("address").warn(format!("address is unset with network \"{}\"", entry.network)),
        (address, _) => self::address(&mut at.field("address"), address),
    }
    fields(at, entry);
}

/// Checks an address that is given.
pub(super) fn address(at: &mut At<'_>, address: &str) {
    if let Some(path) = address.strip_prefix("unix://") {
        at.verdict(unix_path(path));
    } else if !check::is_ip(address) && host::domain(address).is_err() {
        at.invalid(format!("endpoint address \"{address}\" is not a valid FQDN or an IP address"));
    }
}

/// Whether a text is what stands behind `unix://`: the absolute path of a file, or an abstract name.
pub(super) fn unix_path(path: &str) -> Result<(), String> {
    match path {
        "" => Err("unix address must not be empty".into()),
        path if path.starts_with('@') || (path.starts_with('/') && !path.ends_with('/')) => Ok(()),
        path => Err(format!("{path} is not an absolute path to a file")),
    }
}

/// Checks everything but the address.
pub(super) fn fields(at: &mut At<'_>, entry: &WorkloadEntry) {
    if entry.address.starts_with("unix://") && !entry.ports.is_empty() {
        at.field("ports").invalid(format!("unix endpoint {} must not include ports", entry.address));
    }
    for (name, number) in &entry.ports {
        let mut ports = at.field("ports");
        let mut at = ports.field(name);
        if !check::is_label(name) {
            at.invalid_key(format!("invalid port name: {name}"));
        }
        check::port(&mut at, *number);
    }
    check::labels(&mut at.field("labels"), &entry.labels);
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn an_entry_has_an_address_or_a_network() {
        for (spec, problems) in [
            ("{}", &["spec.address: address is required"][..]),
            ("network: net", &["spec.address: address is unset with network \"net\""]),
            ("address: 1.2.3.4\nports: {http: 1}\nweight: 2\nlocality: a/b/c\nserviceAccount: sa\nlabels: {a: b}", &[]),
            ("address: example.com", &[]),
            ("address: 'fd00::1'", &[]),
            ("address: unix://@abstract", &[]),
            ("address: unix:///foo/bar", &[]),
            ("address: unix://", &["spec.address: unix address must not be empty"]),
            ("address: unix:///dir/", &["spec.address: /dir/ is not an absolute path to a file"]),
            ("address: unix://relative", &["spec.address: relative is not an absolute path to a file"]),
            (
                "address: unix://@foo\nports: {http: 80}",
                &["spec.ports: unix endpoint unix://@foo must not include ports"],
            ),
            ("address: a_b.com", &["spec.address: endpoint address \"a_b.com\" is not a valid FQDN or an IP address"]),
            (
                "address: '*.a.com'",
                &["spec.address: endpoint address \"*.a.com\" is not a valid FQDN or an IP address"],
            ),
            (
                "address: 1.1.1.1\nports: {http: 99999}",
                &["spec.ports.http: port number 99999 must be in the range 1..65535"],
            ),
            ("address: 1.1.1.1\nports: {'@': 80}", &["spec.ports.@: invalid port name: @"]),
        ] {
            assert_eq!(check(&WORKLOAD_ENTRY, spec), problems, "{spec}");
        }
    }
}
