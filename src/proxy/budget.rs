//! Retries may not make an overload worse: only a share of what is on its way is tried again at a time.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Retries at a time, in per cent of the calls that are on their way (Istio's `retryBudget.percent`).
const PERCENT: usize = 20;

/// Retries of one cluster that are always allowed at a time (Istio's `retryBudget.minRetryConcurrency`).
const LEAST: usize = 3;

/// What a worker has on its way.
#[derive(Debug, Default)]
pub(super) struct Budget {
    calls: Cell<usize>,
    /// Retries by cluster; only clusters that are being retried are here.
    retries: RefCell<HashMap<Arc<str>, usize>>,
}

/// A call on its way.
pub(super) struct Active(Rc<Budget>);

/// A retry on its way: from the pause before it to its answer.
pub(super) struct Retrying(Rc<Budget>, Arc<str>);

impl Budget {
    /// Counts a call.
    pub(super) fn call(self: &Rc<Self>) -> Active {
        self.calls.set(self.calls.get() + 1);
        Active(Rc::clone(self))
    }

    /// Counts a retry, if one more is allowed.
    pub(super) fn retry(self: &Rc<Self>, cluster: &str) -> Option<Retrying> {
        let mut retries = self.retries.borrow_mut();
        let allowed = (self.calls.get() * PERCENT / 100).max(LEAST);
        if retries.get(cluster).copied().unwrap_or(0) >= allowed {
            return None;
        }
        let name: Arc<str> = cluster.into();
        *retries.entry(Arc::clone(&name)).or_default() += 1;
        Some(Retrying(Rc::clone(self), name))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.calls.set(self.0.calls.get() - 1);
    }
}

impl Drop for Retrying {
    fn drop(&mut self) {
        let mut retries = self.0.retries.borrow_mut();
        if let Some(count) = retries.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                retries.remove(&self.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_calls_may_be_tried_again_and_three_of_each_cluster_always() {
        let budget = Rc::<Budget>::default();
        let few: Vec<_> = (0..5).map_while(|_| budget.retry("a")).collect();
        assert_eq!(few.len(), 3);
        assert!(budget.retry("b").is_some());
        drop(few);
        let calls: Vec<_> = (0..50).map(|_| budget.call()).collect();
        assert_eq!((0..50).map_while(|_| budget.retry("a")).collect::<Vec<_>>().len(), 10);
        drop(calls);
        assert!(budget.retries.borrow().is_empty());
    }
}
