//! What outlives a configuration: the state of handlers, kept under their names while a snapshot uses it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// State of one sort, by name. Kept as long as somebody holds it: a new configuration takes over what the one before
/// still has, and what neither has is forgotten.
#[derive(Debug)]
pub struct Kept<T>(Mutex<HashMap<String, Weak<T>>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<T> Kept<T> {
    /// What is kept under a name, made if there is none.
    pub fn get_or(&self, name: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get(name).and_then(Weak::upgrade) {
            return found;
        }
        let made = Arc::new(make());
        kept.retain(|_, kept| kept.strong_count() > 0);
        kept.insert(name.to_owned(), Arc::downgrade(&made));
        made
    }

    /// Everything that is in use, with its name, in no order.
    pub fn all(&self) -> Vec<(String, Arc<T>)> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().filter_map(|(name, kept)| Some((name.clone(), kept.upgrade()?))).collect()
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
}
