//! Retries may not make an overload worse: only a share of what is on its way is tried again at a time.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::routing::{self, Cluster, RetryLimits};

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
pub(super) struct Retrying {
    budget: Rc<Budget>,
    cluster: Arc<str>,
    /// Among those of all workers, where their number is limited.
    _counted: Option<routing::Retrying>,
}

impl Budget {
    /// Counts a call.
    pub(super) fn call(self: &Rc<Self>) -> Active {
        self.calls.set(self.calls.get() + 1);
        Active(Rc::clone(self))
    }

    /// Whether no call is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.calls.get() == 0
    }

    /// Counts a retry, if one more is allowed.
    pub(super) fn retry(self: &Rc<Self>, cluster: &Cluster) -> Option<Retrying> {
        let RetryLimits { percent, least, most } = cluster.retries;
        let counted = match most {
            Some(most) => Some(cluster.balance.retry(most)?),
            None => None,
        };
        self.within(&cluster.name, percent, least).map(|cluster| Retrying {
            budget: Rc::clone(self),
            cluster,
            _counted: counted,
        })
    }

    /// Counts a retry of a cluster, if it stays within this share of the calls or this number.
    fn within(&self, cluster: &str, percent: f64, least: usize) -> Option<Arc<str>> {
        let mut retries = self.retries.borrow_mut();
        let share = self.calls.get() as f64 * percent / 100.0;
        if retries.get(cluster).copied().unwrap_or(0) >= (share as usize).max(least) {
            return None;
        }
        let name: Arc<str> = cluster.into();
        *retries.entry(Arc::clone(&name)).or_default() += 1;
        Some(name)
    }

    fn ended(&self, cluster: &str) {
        let mut retries = self.retries.borrow_mut();
        if let Some(count) = retries.get_mut(cluster) {
            *count -= 1;
            if *count == 0 {
                retries.remove(cluster);
            }
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.calls.set(self.0.calls.get() - 1);
    }
}

impl Drop for Retrying {
    fn drop(&mut self) {
        self.budget.ended(&self.cluster);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_calls_may_be_tried_again_and_a_few_of_each_cluster_always() {
        let budget = Rc::<Budget>::default();
        let most =
            |cluster: &str, percent, least| (0..100).map_while(|_| budget.within(cluster, percent, least)).count();
        assert_eq!(most("a", 20.0, 3), 3);
        assert_eq!(most("b", 20.0, 5), 5);
        (0..3).for_each(|_| budget.ended("a"));
        (0..5).for_each(|_| budget.ended("b"));
        let calls: Vec<_> = (0..50).map(|_| budget.call()).collect();
        assert_eq!(most("a", 20.0, 3), 10);
        assert_eq!(most("b", 4.5, 1), 2);
        drop(calls);
        (0..10).for_each(|_| budget.ended("a"));
        (0..2).for_each(|_| budget.ended("b"));
        assert!(budget.retries.borrow().is_empty());
    }
}
