//! Token: what a bearer token was issued for, never the token itself. While it is there the token is good; deleting it is
//! how a token is revoked.

use serde::Deserialize;

use super::cells;
use super::check::{self, At};
use crate::resource::{Column, Kind, Typed};

/// The kind `Token` (egressctl.io).
pub static TOKEN: Kind = Kind {
    group: cells::OURS,
    versions: &["v1alpha1"],
    columns: &[
        Column { name: "SERVICEACCOUNT", wide: false, cell: |r| cells::custom(r, &["spec", "serviceAccountName"]) },
        Column { name: "AUDIENCES", wide: true, cell: |r| cells::custom(r, &["spec", "audiences"]) },
        Column { name: Column::EXPIRES, wide: false, cell: |r| cells::custom(r, &["spec", "expirationTimestamp"]) },
    ],
    check: |resource, problems| check::spec::<Token>(resource, problems, rules),
    ..cells::kind("Token", "tokens", "token")
};

/// `spec` of a Token.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Token {
    /// The service account of its namespace whose workloads it proves.
    pub service_account_name: String,
    /// The account's uid: one that is deleted and created anew is another.
    #[serde(rename = "serviceAccountUID")]
    pub service_account_uid: String,
    /// Whom it is for.
    pub audiences: Vec<String>,
    /// When it ends, as RFC 3339 has it.
    pub expiration_timestamp: String,
}

impl Typed for Token {
    const ROOT: Option<&'static str> = Some("spec");
}

fn rules(at: &mut At<'_>, token: &Token) {
    if token.service_account_name.is_empty() {
        at.field("serviceAccountName").required();
    }
    if token.service_account_uid.is_empty() {
        at.field("serviceAccountUID").required();
    }
    check::time(&mut at.field("expirationTimestamp"), &token.expiration_timestamp);
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn a_token_is_bound_to_an_account_and_ends() {
        let whole = "{serviceAccountName: a, serviceAccountUID: u, expirationTimestamp: '2026-11-28T15:00:00Z'}";
        assert_eq!(check(&TOKEN, whole), [""; 0]);
        assert_eq!(
            check(&TOKEN, "{expirationTimestamp: soon}"),
            [
                "spec.serviceAccountName: Required value",
                "spec.serviceAccountUID: Required value",
                "spec.expirationTimestamp: must be an RFC 3339 time, such as 2018-06-18T13:22:58Z",
            ]
        );
    }
}
