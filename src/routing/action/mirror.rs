//! Copies of calls, for somebody else to look at.

use std::sync::Arc;

use crate::call::Call;
use crate::resource::kinds::virtual_service::Percent;

use super::super::cluster::Cluster;
use super::share::Share;

/// Where copies of a share of calls go.
#[derive(Debug)]
pub(in super::super) struct Mirror {
    pub(in super::super) cluster: Arc<Cluster>,
    share: Share,
    seed: u64,
}

impl Mirror {
    /// To a cluster, for all calls where no percentage is given.
    pub(in super::super) fn new(cluster: Arc<Cluster>, percentage: Option<Percent>, seed: u64) -> Self {
        Self { cluster, share: percentage.map_or(Share::ALL, |percentage| Share::percent(percentage.value)), seed }
    }

    /// Whether a call is copied.
    pub(in super::super) fn takes(&self, call: &Call) -> bool {
        self.share.takes(call, self.seed)
    }
}
