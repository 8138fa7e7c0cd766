//! `denier`: refuses.

use std::sync::Arc;

use crate::call::Code;
use crate::policy::counters::Spend;
use crate::policy::instance::{Fault, Values};
use crate::policy::template::{listentry, nothing, quota};
use crate::policy::verdict::Verdict;
use crate::resource::kinds;
use crate::resource::kinds::denier::Denier as Spec;

use super::{Adapter, Handler};

/// The adapter `denier`.
pub static DENIER: Adapter = Adapter {
    kind: &kinds::DENIER,
    templates: &[&nothing::CHECKNOTHING, &listentry::LISTENTRY, &quota::QUOTA],
    build: |setup| {
        let Spec { status, .. } = setup.params()?;
        let code = Code(u8::try_from(status.code).unwrap_or(u8::MAX));
        Ok(Arc::new(Denier { code, message: status.message }))
    },
};

#[derive(Debug)]
struct Denier {
    code: Code,
    message: String,
}

impl Handler for Denier {
    fn check<'v>(&self, _values: &Values<'v>) -> Result<Verdict, Fault<'v>> {
        Ok(Verdict::Refused { code: self.code, message: self.message.clone() })
    }

    fn quota<'v>(&self, _values: &Values<'v>, _amount: i64, _spend: Spend) -> Result<bool, Fault<'v>> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Trial;
    use super::*;

    #[test]
    fn a_denier_refuses_with_its_code_and_message() {
        let denied = |handler: &str| Trial::new(&DENIER, handler, &nothing::CHECKNOTHING, "{}").check("/");
        assert_eq!(denied("{}"), "FAILED_PRECONDITION ");
        assert_eq!(denied("status: {message: closed}"), "FAILED_PRECONDITION closed");
        assert_eq!(denied("status: {code: 16, message: who}"), "UNAUTHENTICATED who");
        let listed = Trial::new(&DENIER, "status: {code: 7}", &listentry::LISTENTRY, "value: request.path");
        assert_eq!(listed.check("/"), "PERMISSION_DENIED ");
    }
}
