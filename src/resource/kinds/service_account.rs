//! ServiceAccount: who a workload is.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::{cells, check};
use crate::resource::{Column, Kind, Typed};

impl Typed for ServiceAccount {
    const ROOT: Option<&'static str> = None;
}

/// The kind `ServiceAccount` (core, v1).
pub static SERVICE_ACCOUNT: Kind = Kind {
    short: &["sa"],
    columns: &[Column { name: "SECRETS", wide: false, cell: |r| cells::items(r, &["secrets"]).len().to_string() }],
    check: |resource, problems| check::body::<ServiceAccount>(resource, problems, |_, _| {}),
    ..cells::kind("ServiceAccount", "serviceaccounts", "serviceaccount")
};
