//! How much one caller may have at a time, so that none takes the room of all.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash};
use std::rc::Rc;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::call::Call;
use crate::metrics::{Bound, Shard};

/// What each caller of a worker has of something. Without a limit nothing is counted.
#[derive(Debug)]
pub(super) struct Crowd {
    shard: Arc<Shard>,
    bound: Bound,
    most: Option<usize>,
    hasher: RandomState,
    /// By the hash of a caller, which nobody outside can choose.
    held: RefCell<HashMap<u64, usize, RandomState>>,
}

/// A caller has as much as one may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// One of what a caller has, until it is dropped.
#[derive(Debug)]
pub(super) struct Held(Rc<Crowd>, u64);

impl Crowd {
    pub(super) fn new(shard: &Arc<Shard>, bound: Bound, most: Option<usize>) -> Rc<Self> {
        let (hasher, held) = (RandomState::default(), RefCell::default());
        Rc::new(Self { shard: Arc::clone(shard), bound, most, hasher, held })
    }

    /// One more for a caller, if it may have more.
    pub(super) fn take(self: &Rc<Self>, caller: impl Hash) -> Result<Option<Held>, Full> {
        let Some(most) = self.most else { return Ok(None) };
        let caller = self.hasher.hash_one(caller);
        let mut held = self.held.borrow_mut();
        let of_caller = held.entry(caller).or_default();
        if *of_caller >= most {
            self.shard.reached(self.bound);
            return Err(Full);
        }
        *of_caller += 1;
        Ok(Some(Held(Rc::clone(self), caller)))
    }

    /// The same for whoever makes a call: the workload, or the address of who is not known.
    pub(super) fn take_for(self: &Rc<Self>, call: &Call) -> Result<Option<Held>, Full> {
        match call.caller() {
            Some(caller) => self.take((&caller.namespace, &caller.name, &caller.principal)),
            None => self.take(call.peer()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.0.held.borrow_mut();
        if let Some(of_caller) = held.get_mut(&self.1) {
            *of_caller -= 1;
            if *of_caller == 0 {
                held.remove(&self.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_leaves_room_for_another_and_what_is_given_back_is_forgotten() {
        let crowd = Crowd::new(&Arc::default(), Bound::RequestsOfCaller, Some(1));
        let first = crowd.take("a").unwrap();
        assert_eq!(crowd.take("a").unwrap_err(), Full);
        assert!(crowd.take("b").unwrap().is_some());
        drop(first);
        assert!(crowd.take("a").is_ok());
        assert!(crowd.held.borrow().is_empty());
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let crowd = Crowd::new(&Arc::default(), Bound::RequestsOfCaller, None);
        assert!(crowd.take("a").unwrap().is_none() && crowd.held.borrow().is_empty());
    }
}
