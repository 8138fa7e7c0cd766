//! Which of many host patterns covers a name: exact, else the longest wildcard.

use std::collections::HashMap;

/// Values under host patterns: `edition.cnn.com`, `*.cnn.com`, `*-cnn.com`, `*`.
///
/// A lookup costs one hash of the name, and one of each of its parents only if there are wildcards. Patterns and names
/// must be in lower case.
#[derive(Debug, Clone)]
pub(super) struct HostTable<T> {
    exact: HashMap<Box<str>, T>,
    /// Under the part after `*`: `.cnn.com`; the pattern `*` under the empty text.
    suffix: HashMap<Box<str>, T>,
    /// The same of wildcards that end within a label, which are rare: `-cnn.com`.
    partial: HashMap<Box<str>, T>,
}

impl<T> Default for HostTable<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), suffix: HashMap::new(), partial: HashMap::new() }
    }
}

impl<T> HostTable<T> {
    /// The value of exactly this pattern, made if it is not there.
    pub(super) fn entry(&mut self, pattern: &str) -> std::collections::hash_map::Entry<'_, Box<str>, T> {
        match pattern.strip_prefix('*') {
            Some(suffix) if is_partial(suffix) => self.partial.entry(suffix.into()),
            Some(suffix) => self.suffix.entry(suffix.into()),
            None => self.exact.entry(pattern.into()),
        }
    }

    /// The value of exactly this pattern.
    pub(super) fn pattern(&self, pattern: &str) -> Option<&T> {
        match pattern.strip_prefix('*') {
            Some(suffix) if is_partial(suffix) => self.partial.get(suffix),
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
        if !self.partial.is_empty() {
            return self.all_covering(host).next();
        }
        if self.suffix.is_empty() {
            return None;
        }
        // A name's own first dot, if it begins with one, is not a parent.
        parents(host).filter(|suffix| suffix.len() < host.len()).find_map(|suffix| self.suffix.get(suffix))
    }

    /// The value of the most specific pattern that covers a name or a whole pattern: `*.a.com` is covered by itself, by
    /// `*.com` and by `*`.
    pub(super) fn covering(&self, pattern: &str) -> Option<&T> {
        self.all_covering(pattern).next()
    }

    /// The values of all patterns that cover a name or a whole pattern, the most specific first.
    pub(super) fn all_covering<'t, 'p>(&'t self, pattern: &'p str) -> impl Iterator<Item = &'t T> + use<'t, 'p, T> {
        // Of a name a wildcard covers all but at least one letter, of a pattern all.
        let (name, from) = pattern.strip_prefix('*').map_or((pattern, 1), |suffix| (suffix, 0));
        let exact = (from == 1).then(|| self.exact.get(pattern)).flatten();
        let ends = name.char_indices().filter(move |(at, _)| *at >= from);
        let wildcards = ends.filter_map(move |(at, letter)| match letter {
            '.' => self.suffix.get(&name[at..]),
            _ if self.partial.is_empty() => None,
            _ => self.partial.get(&name[at..]),
        });
        exact.into_iter().chain(wildcards).chain(self.suffix.get(""))
    }

    /// All patterns with their values, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (String, &T)> {
        let exact = self.exact.iter().map(|(pattern, value)| (pattern.to_string(), value));
        let wildcards = self.suffix.iter().chain(&self.partial);
        exact.chain(wildcards.map(|(suffix, value)| (format!("*{suffix}"), value)))
    }

    /// All values, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.exact.values().chain(self.suffix.values()).chain(self.partial.values())
    }

    /// All values, in no order.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.exact.values_mut().chain(self.suffix.values_mut()).chain(self.partial.values_mut())
    }
}

/// `.b.com`, `.com` and the empty text of `a.b.com`.
fn parents(host: &str) -> impl Iterator<Item = &str> {
    host.match_indices('.').map(|(at, _)| &host[at..]).chain([""])
}

/// Whether the part of a pattern after `*` begins within a label.
fn is_partial(suffix: &str) -> bool {
    !suffix.is_empty() && !suffix.starts_with('.')
}

/// Whether a pattern covers a name or a narrower pattern: `*.a.com` covers `x.a.com` and `*.x.a.com`. A wildcard stands for
/// at least one letter.
pub fn covers(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), name.strip_prefix('*')) {
        (None, _) => pattern == name,
        (Some(suffix), Some(narrower)) => narrower.ends_with(suffix),
        (Some(suffix), None) => name.len() > suffix.len() && name.ends_with(suffix),
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
    fn a_wildcard_may_end_within_a_label() {
        let table = table(&["*", "*.com", "*-cnn.com", "*.a-cnn.com", "*nn.com"]);
        for (host, pattern) in [
            ("my-cnn.com", "*-cnn.com"),
            ("x.my-cnn.com", "*-cnn.com"),
            ("x.a-cnn.com", "*.a-cnn.com"),
            ("a-cnn.com", "*-cnn.com"),
            ("cnn.com", "*nn.com"),
            ("nn.com", "*.com"),
            ("*.a-cnn.com", "*.a-cnn.com"),
            ("*.my-cnn.com", "*-cnn.com"),
        ] {
            assert_eq!(table.covering(host), Some(&pattern), "{host}");
            assert!(covers(pattern, host), "{host}");
        }
        assert!(!covers("*-cnn.com", "-cnn.com") && !covers("*nn.com", "nn.com"));
        assert_eq!(table.all_covering("x.a-cnn.com").count(), 5);
    }

    #[test]
    fn short_names_are_services_of_the_namespace() {
        assert_eq!(qualify("sleep", "default"), "sleep.default.svc.cluster.local");
        assert_eq!(qualify("Edition.CNN.com", "default"), "edition.cnn.com");
    }
}
