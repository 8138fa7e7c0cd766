//! What outlives a configuration: the state of handlers, kept under their names while a snapshot uses it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// State of one sort, by name. Kept as long as somebody holds it: a new configuration takes over what the one before
/// still has, and what neither has is forgotten.
#[derive(Debug)]
pub struct Kept<T>(Mutex<Known<T>>);

#[derive(Debug)]
struct Known<T> {
    by_name: HashMap<String, Weak<T>>,
    /// So many names at which what nobody holds is looked for: twice those that were held the last time, so that
    /// looking costs each name but little.
    full: usize,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::new(Known { by_name: HashMap::new(), full: 1 }))
    }
}

impl<T> Kept<T> {
    /// What is kept under a name, made if there is none.
    pub fn get_or(&self, name: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.by_name.get(name).and_then(Weak::upgrade) {
            return found;
        }
        let made = Arc::new(make());
        if kept.by_name.len() >= kept.full {
            kept.by_name.retain(|_, kept| kept.strong_count() > 0);
            kept.full = (2 * kept.by_name.len()).max(1);
        }
        kept.by_name.insert(name.to_owned(), Arc::downgrade(&made));
        made
    }

    /// Everything that is in use, with its name, in no order.
    pub fn all(&self) -> Vec<(String, Arc<T>)> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_name.iter().filter_map(|(name, kept)| Some((name.clone(), kept.upgrade()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_kept_while_it_is_used() {
        let kept = Kept::default();
        let first = kept.get_or("a", || 1);
        assert_eq!(*kept.get_or("a", || 2), 1);
        drop(first);
        assert_eq!(*kept.get_or("a", || 3), 3);
        assert!(kept.all().is_empty());
    }

    #[test]
    fn names_that_nobody_holds_are_forgotten() {
        let kept = Kept::default();
        let held: Vec<_> = (0..100).map(|name| kept.get_or(&name.to_string(), || name)).collect();
        (100..10_000).for_each(|name| drop(kept.get_or(&name.to_string(), || name)));
        assert!(kept.0.lock().expect("no panic").by_name.len() <= 200);
        assert_eq!(kept.all().len(), held.len());
    }
}
