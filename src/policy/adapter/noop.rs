//! `noop`: agrees with everything and does nothing.

use std::sync::Arc;

use crate::policy::template::TEMPLATES;
use crate::resource::kinds;

use super::{Adapter, Handler};

/// The adapter `noop`.
pub static NOOP: Adapter = Adapter { kind: &kinds::NOOP, templates: TEMPLATES, build: |_| Ok(Arc::new(Noop)) };

#[derive(Debug)]
struct Noop;

impl Handler for Noop {}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;
    use crate::policy::template::{apikey, authorization, listentry, nothing};

    #[test]
    fn a_noop_agrees_with_every_sort_of_check() {
        let checks = [
            (&nothing::CHECKNOTHING, "{}"),
            (&listentry::LISTENTRY, "value: request.path"),
            (&authorization::AUTHORIZATION, "action: {path: request.path}"),
            (&apikey::APIKEY, "apiKey: '\"k\"'"),
        ];
        for (template, instance) in checks {
            assert_eq!(Trial::new(&NOOP, "{}", template, instance).check("/"), "OK", "{template:?}");
        }
    }
}
