//! Label selectors.

use crate::resource::Labels;

/// Which labels a resource must have; all requirements must hold, so the empty selector fits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector(pub Vec<Requirement>);

/// One condition of a [`Selector`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// `key in (a, b)`; `key=a` has one value.
    In(String, Vec<String>),
    /// `key notin (a, b)`; holds too where the key is absent.
    NotIn(String, Vec<String>),
    /// `key`.
    Exists(String),
    /// `!key`.
    Absent(String),
}

impl Selector {
    /// Whether labels fit.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|requirement| requirement.holds(labels))
    }
}

impl From<&Labels> for Selector {
    /// The selector that asks for exactly these values, as `matchLabels` does.
    fn from(labels: &Labels) -> Self {
        Self(labels.iter().map(|(key, value)| Requirement::In(key.clone(), vec![value.clone()])).collect())
    }
}

impl Requirement {
    fn holds(&self, labels: &Labels) -> bool {
        match self {
            Requirement::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Requirement::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::Absent(key) => !labels.contains_key(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        Labels::from([("app".to_owned(), "sleep".to_owned())])
    }

    fn fits(requirement: Requirement) -> bool {
        Selector(vec![requirement]).matches(&labels())
    }

    #[test]
    fn requirements_hold_as_kubernetes_defines_them() {
        assert!(fits(Requirement::In("app".into(), vec!["x".into(), "sleep".into()])));
        assert!(!fits(Requirement::In("tier".into(), vec!["sleep".into()])));
        assert!(!fits(Requirement::NotIn("app".into(), vec!["sleep".into()])));
        assert!(fits(Requirement::NotIn("tier".into(), vec!["sleep".into()])), "absent is not in");
        assert!(fits(Requirement::Exists("app".into())) && !fits(Requirement::Exists("tier".into())));
        assert!(fits(Requirement::Absent("tier".into())) && !fits(Requirement::Absent("app".into())));
    }

    #[test]
    fn the_empty_selector_fits_everything() {
        assert!(Selector::default().matches(&Labels::new()));
        assert!(Selector::from(&labels()).matches(&labels()));
    }
}
