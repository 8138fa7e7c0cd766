//! Which of many host patterns covers a name: exact, else the longest wildcard.

use std::collections::HashMap;

/// Values under host patterns: `edition.cnn.com`, `*.cnn.com`, `*`.
///
/// A lookup costs one hash of the name, and one of each of its parents only if there are wildcards. Patterns and names
/// must be in lower case.
#[derive(Debug, Clone)]
pub(super) struct HostTable<T> {
    exact: HashMap<Box<str>, T>,
    /// Under the part after `*`: `.cnn.com`; the pattern `*` under the empty text.
    suffix: HashMap<Box<str>, T>,
}

impl<T> Default for HostTable<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), suffix: HashMap::new() }
    }
}

impl<T> HostTable<T> {
    /// The value of exactly this pattern, made if it is not there.
    pub(super) fn entry(&mut self, pattern: &str) -> std::collections::hash_map::Entry<'_, Box<str>, T> {
        match pattern.strip_prefix('*') {
            Some(suffix) => self.suffix.entry(suffix.into()),
            None => self.exact.entry(pattern.into()),
        }
    }

    /// The value of exactly this pattern.
    pub(super) fn pattern(&self, pattern: &str) -> Option<&T> {
        match pattern.strip_prefix('*') {
            Some(suffix) => self.suffix.get(suffix),
            None => self.exact.get(pattern),
        }
    }

    /// The value of the most specific pattern that covers a name. `*.a.com` covers names at any depth below `a.com`,
    /// not `a.com` itself.
    pub(super) fn find(&self, host: &str) -> Option<&T> {
        self.exact.get(host).or_else(|| self.find_wildcard(host))
    }

    fn find_wildcard(&self, host: &str) -> Option<&T> {
        if self.suffix.is_empty() {
            return None;
        }
        // A name's own first dot, if it begins with one, is not a parent.
        parents(host).filter(|suffix| suffix.len() < host.len()).find_map(|suffix| self.suffix.get(suffix))
    }

    /// The value of the most specific pattern that covers a name or a whole pattern: `*.a.com` is covered by itself, by
    /// `*.com` and by `*`.
    pub(super) fn covering(&self, pattern: &str) -> Option<&T> {
        match pattern.strip_prefix('*') {
            Some(suffix) => {
                self.suffix.get(suffix).or_else(|| parents(suffix).find_map(|parent| self.suffix.get(parent)))
            }
            None => self.find(pattern),
        }
    }

    /// All patterns with their values, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (String, &T)> {
        let exact = self.exact.iter().map(|(pattern, value)| (pattern.to_string(), value));
        exact.chain(self.suffix.iter().map(|(suffix, value)| (format!("*{suffix}"), value)))
    }

    /// All patterns with their values, in no order.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (String, &mut T)> {
        let exact = self.exact.iter_mut().map(|(pattern, value)| (pattern.to_string(), value));
        exact.chain(self.suffix.iter_mut().map(|(suffix, value)| (format!("*{suffix}"), value)))
    }

    /// All values, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.exact.values().chain(self.suffix.values())
    }

    /// All values, in no order.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.exact.values_mut().chain(self.suffix.values_mut())
    }
}

/// `.b.com`, `.com` and the empty text of `a.b.com`.
fn parents(host: &str) -> impl Iterator<Item = &str> {
    host.match_indices('.').map(|(at, _)| &host[at..]).chain([""])
}

/// Whether a pattern covers a name or a narrower pattern: `*.a.com` covers `x.a.com` and `*.x.a.com`.
pub fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        None => pattern == name,
        Some(suffix) => {
            let name = name.strip_prefix('*').unwrap_or(name);
            name.len() >= suffix.len() && name.ends_with(suffix) && (suffix.is_empty() || name != &suffix[1..])
        }
    }
}

/// The name that a host in a resource of `namespace` stands for: short names are services of the namespace
/// (Istio: any dot means fully qualified).
pub fn qualify(host: &str, namespace: &str) -> String {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.contains('.') || host.starts_with('*') {
        host.to_ascii_lowercase()
    } else {
        format!("{}.{namespace}.svc.cluster.local", host.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(patterns: &[&'static str]) -> HostTable<&'static str> {
        let mut table = HostTable::default();
        for pattern in patterns {
            table.entry(pattern).or_insert(*pattern);
        }
        table
    }

    #[test]
    fn the_most_specific_pattern_wins() {
        let table = table(&["*", "*.com", "*.cnn.com", "edition.cnn.com"]);
        for (host, pattern) in [
            ("edition.cnn.com", "edition.cnn.com"),
            ("money.cnn.com", "*.cnn.com"),
            ("a.b.cnn.com", "*.cnn.com"),
            ("cnn.com", "*.com"),
            ("example.org", "*"),
        ] {
            assert_eq!(table.find(host), Some(&pattern), "{host}");
        }
    }

    #[test]
    fn a_wildcard_does_not_cover_its_own_domain() {
        assert_eq!(table(&["*.cnn.com"]).find("cnn.com"), None);
        assert!(!covers("*.cnn.com", "cnn.com"));
        assert!(covers("*.cnn.com", "*.edition.cnn.com"));
        assert!(covers("*", "x.org"));
        assert_eq!(table(&["*.com", "*.cnn.com"]).covering("*.cnn.com"), Some(&"*.cnn.com"));
        assert_eq!(table(&["*.com"]).covering("*.cnn.com"), Some(&"*.com"));
        assert_eq!(table(&["edition.cnn.com"]).covering("*.cnn.com"), None);
        assert!(!covers("edition.cnn.com", "*.cnn.com"));
    }

    #[test]
    fn short_names_are_services_of_the_namespace() {
        assert_eq!(qualify("sleep", "default"), "sleep.default.svc.cluster.local");
        assert_eq!(qualify("Edition.CNN.com", "default"), "edition.cnn.com");
    }
}
