//! Faults on purpose: delays, then errors, for a share of calls.

use std::time::Duration;

use crate::call::{Abort, Call, Code};
use crate::resource::kinds::virtual_service::{Fault, GRPC_STATUS, Percent};

use super::share::{Share, seed};

/// What is done to calls; compiled from `fault`, where an absent percentage means none.
#[derive(Debug)]
pub(in super::super) struct Faults {
    delay: Option<(Duration, Share)>,
    abort: Option<(Abort, Share)>,
}

impl Faults {
    pub(in super::super) fn compile(spec: &Fault) -> Self {
        let delay = spec.delay.as_ref().and_then(|delay| {
            let old = Percent { value: f64::from(delay.percent) };
            Some((delay.fixed_delay?.to_std(), share(delay.percentage.unwrap_or(old))))
        });
        let abort = spec.abort.as_ref().and_then(|abort| {
            let status = abort.http_status.and_then(|status| u16::try_from(status).ok()).map(Abort::Status);
            let answer = status.or_else(|| abort.grpc_status.as_deref().and_then(code).map(Abort::Grpc));
            Some((answer?, share(abort.percentage.unwrap_or_default())))
        });
        Self { delay, abort }
    }

    /// How long a call is held back, if it is.
    pub(in super::super) fn delay(&self, call: &Call, seed_of_route: u64) -> Option<Duration> {
        let (delay, share) = self.delay?;
        share.takes(call, seed_of_route ^ seed("delay")).then_some(delay)
    }

    /// What it is answered instead, if it is.
    pub(in super::super) fn abort(&self, call: &Call, seed_of_route: u64) -> Option<Abort> {
        let (answer, share) = self.abort?;
        share.takes(call, seed_of_route ^ seed("abort")).then_some(answer)
    }
}

fn share(percentage: Percent) -> Share {
    Share::percent(percentage.value)
}

/// The status of gRPC with a name.
fn code(name: &str) -> Option<Code> {
    let code = GRPC_STATUS.iter().position(|known| *known == name)?;
    u8::try_from(code).ok().map(Code)
}
