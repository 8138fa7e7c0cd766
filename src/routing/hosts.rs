//! Which of many host patterns covers a name: exact, else the longest wildcard.

use std::net::Ipv6Addr;

use super::named::Named;

/// Values under host patterns: `edition.cnn.com`, `*.cnn.com`, `*`.
///
/// A lookup costs one hash of the name, and one of each of its ends that is as long as some wildcard: how many labels a
/// caller's name has costs nothing. Patterns and names must be in lower case. A copy shares what it does not change.
#[derive(Debug, Clone)]
pub(super) struct HostTable<T> {
    exact: Named<T>,
    /// Under the part after `*`: `.cnn.com`; the pattern `*` under the empty text.
    suffix: Named<T>,
    /// Of suffixes that begin with a dot, and the empty one.
    lengths: Lengths,
    /// Of the others: `*cnn.com`.
    partial: Lengths,
}

/// Which lengths there are, in bytes. No domain name is longer than 255.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Lengths([u64; 4]);

impl Lengths {
    fn insert(&mut self, length: usize) {
        let length = length.min(255);
        self.0[length / 64] |= 1 << (length % 64);
    }

    fn remove(&mut self, length: usize) {
        let length = length.min(255);
        self.0[length / 64] &= !(1 << (length % 64));
    }

    fn has(self, length: usize) -> bool {
        let length = length.min(255);
        self.0[length / 64] >> (length % 64) & 1 == 1
    }

    /// Those up to a length, the longest first.
    fn up_to(self, longest: usize) -> impl Iterator<Item = usize> {
        // All that are longer than the last are one with it.
        let beyond = (if self.has(255) { 255 } else { longest + 1 }..=longest).rev();
        let words = self.0.into_iter().enumerate().rev().flat_map(|(word, mut bits)| {
            std::iter::from_fn(move || {
                let bit = bits.checked_ilog2()?;
                bits &= !(1 << bit);
                Some(word * 64 + bit as usize)
            })
        });
        beyond.chain(words.filter(move |length| *length <= longest && *length < 255))
    }

    fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }
}

impl<T> Default for HostTable<T> {
    fn default() -> Self {
        let (exact, suffix) = (Named::default(), Named::default());
        Self { exact, suffix, lengths: Lengths::default(), partial: Lengths::default() }
    }
}

impl<T> HostTable<T> {
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
        // A `*` stands for something.
        self.exact.get(host).or_else(|| self.longest(host, 1))
    }

    /// The value of the longest suffix of a text, which leaves at least so many bytes of it.
    fn longest(&self, text: &str, left: usize) -> Option<&T> {
        self.suffixes(text, left).next()
    }

    /// The values of all suffixes of a text that leave at least so many bytes of it, the longest first.
    fn suffixes<'t, 'p>(&'t self, text: &'p str, left: usize) -> impl Iterator<Item = &'t T> + use<'t, 'p, T> {
        let longest = text.len().checked_sub(left);
        let lengths = longest.into_iter().flat_map(|longest| self.lengths.or(self.partial).up_to(longest));
        let known = |suffix: &&str| (if whole(suffix) { self.lengths } else { self.partial }).has(suffix.len());
        let suffixes = lengths.filter_map(|length| text.get(text.len() - length..));
        suffixes.filter(known).filter_map(|suffix| self.suffix.get(suffix))
    }

    /// The values of all patterns that cover a name or a whole pattern, the most specific first.
    pub(super) fn all_covering<'t, 'p>(&'t self, pattern: &'p str) -> impl Iterator<Item = &'t T> + use<'t, 'p, T> {
        let (text, left) = pattern.strip_prefix('*').map_or((pattern, 1), |suffix| (suffix, 0));
        let exact = if left == 1 { self.exact.get(pattern) } else { None };
        exact.into_iter().chain(self.suffixes(text, left))
    }

    /// The value of the most specific pattern that covers a name or a whole pattern: `*.a.com` is covered by itself, by
    /// `*.com` and by `*`.
    pub(super) fn covering(&self, pattern: &str) -> Option<&T> {
        match pattern.strip_prefix('*') {
            Some(suffix) => self.longest(suffix, 0),
            None => self.find(pattern),
        }
    }

    /// All patterns with their values, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (String, &T)> {
        let exact = self.exact.iter().map(|(pattern, value)| (pattern.to_string(), value));
        exact.chain(self.suffix.iter().map(|(suffix, value)| (format!("*{suffix}"), value)))
    }

    /// The patterns that are whole names with their values, in no order.
    pub(super) fn exact(&self) -> impl Iterator<Item = (&str, &T)> {
        self.exact.iter().map(|(host, value)| (&**host, value))
    }

    /// Whether it has no pattern.
    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.suffix.is_empty()
    }

    /// All values, in no order.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.exact.iter().chain(self.suffix.iter()).map(|(_, value)| value)
    }
}

impl<T: Clone> HostTable<T> {
    /// The value of exactly this pattern, made if it is not there.
    pub(super) fn get_or_insert_with(&mut self, pattern: &str, make: impl FnOnce() -> T) -> &mut T {
        let Some(suffix) = pattern.strip_prefix('*') else { return self.exact.get_or_insert_with(pattern, make) };
        self.lengths_of(suffix).insert(suffix.len());
        self.suffix.get_or_insert_with(suffix, make)
    }

    /// The value of exactly this pattern, or the one by default.
    pub(super) fn get_or_default(&mut self, pattern: &str) -> &mut T
    where
        T: Default,
    {
        self.get_or_insert_with(pattern, T::default)
    }

    /// Puts a value under a pattern, whatever was there.
    pub(super) fn insert(&mut self, pattern: &str, value: T) {
        let place = self.get_or_insert_with(pattern, || value.clone());
        *place = value;
    }

    /// Takes a pattern out.
    pub(super) fn remove(&mut self, pattern: &str) -> Option<T> {
        let Some(suffix) = pattern.strip_prefix('*') else { return self.exact.remove(pattern) };
        let removed = self.suffix.remove(suffix)?;
        let like_it = |other: &str| other.len().min(255) == suffix.len().min(255) && whole(other) == whole(suffix);
        if !self.suffix.iter().any(|(other, _)| like_it(other)) {
            self.lengths_of(suffix).remove(suffix.len());
        }
        Some(removed)
    }

    fn lengths_of(&mut self, suffix: &str) -> &mut Lengths {
        if whole(suffix) { &mut self.lengths } else { &mut self.partial }
    }
}

/// Whether a suffix begins where a label does.
fn whole(suffix: &str) -> bool {
    suffix.is_empty() || suffix.starts_with('.')
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
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        // As it stands in a request.
        format!("[{address}]")
    } else if host.contains('.') || host.starts_with('*') {
        host.to_ascii_lowercase()
    } else {
        format!("{}.{namespace}.svc.cluster.local", host.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table_of<'p>(patterns: impl Iterator<Item = &'p str>) -> HostTable<&'p str> {
        let mut table = HostTable::default();
        for pattern in patterns {
            table.get_or_insert_with(pattern, || pattern);
        }
        table
    }

    fn table(patterns: &[&'static str]) -> HostTable<&'static str> {
        table_of(patterns.iter().copied())
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
    fn a_wildcard_may_stand_for_a_part_of_a_label() {
        let table = table(&["*cnn.com", "*.cnn.com", "*n.com"]);
        for (host, pattern) in [
            ("mycnn.com", Some("*cnn.com")),
            ("edition.cnn.com", Some("*.cnn.com")),
            ("an.com", Some("*n.com")),
            // A wildcard stands for something.
            ("cnn.com", Some("*n.com")),
            ("n.com", None),
        ] {
            assert_eq!(table.find(host).copied(), pattern, "{host}");
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

    proptest! {
        #[test]
        fn the_pattern_that_is_found_is_the_longest_of_those_that_cover(
            patterns in prop::collection::btree_set("\\*?(\\.?[ab]{1,2}){0,3}", 0..12),
            removed in prop::collection::btree_set("\\*?(\\.?[ab]{1,2}){0,3}", 0..6),
            host in "[ab]{1,2}(\\.[ab]{1,2}){0,4}",
        ) {
            let mut table = HostTable::default();
            for pattern in patterns.iter().chain(&removed).filter(|pattern| !pattern.is_empty()) {
                table.get_or_insert_with(pattern, || pattern.as_str());
            }
            for pattern in removed.difference(&patterns).filter(|pattern| !pattern.is_empty()) {
                prop_assert_eq!(table.remove(pattern), Some(pattern.as_str()));
            }
            let anew = self::table_of(patterns.iter().map(String::as_str).filter(|pattern| !pattern.is_empty()));
            prop_assert_eq!((table.lengths, table.partial), (anew.lengths, anew.partial));
            let covers = |pattern: &&str| match pattern.strip_prefix('*') {
                Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
                None => host == *pattern,
            };
            let all = patterns.iter().map(String::as_str).filter(|pattern| !pattern.is_empty());
            let expected = all.filter(covers).max_by_key(|pattern| (!pattern.starts_with('*'), pattern.len()));
            prop_assert_eq!(table.find(&host).copied(), expected);
        }
    }

    #[test]
    fn patterns_longer_than_any_name_are_told_apart_all_the_same() {
        let long = |length: usize| format!("*.{}", "a".repeat(length));
        let mut table = HostTable::default();
        for length in [2, 63, 64, 253, 254, 255, 300] {
            table.get_or_insert_with(&long(length), || length);
        }
        for (host, found) in [(2, 2), (64, 64), (253, 253), (254, 254), (255, 255), (300, 300)] {
            assert_eq!(table.find(&format!("x.{}", "a".repeat(host))), Some(&found));
        }
        assert_eq!(table.find(&format!("x.{}", "a".repeat(299))), None);
        assert_eq!(table.find("aa"), None);
    }

    #[test]
    fn all_that_cover_come_the_most_specific_first() {
        let table = table(&["*", "*.com", "*-cnn.com", "*.a-cnn.com", "*nn.com", "x.a-cnn.com"]);
        for (host, patterns) in [
            ("x.a-cnn.com", &["x.a-cnn.com", "*.a-cnn.com", "*-cnn.com", "*nn.com", "*.com", "*"][..]),
            ("a-cnn.com", &["*-cnn.com", "*nn.com", "*.com", "*"]),
            ("nn.com", &["*.com", "*"]),
            ("*.a-cnn.com", &["*.a-cnn.com", "*-cnn.com", "*nn.com", "*.com", "*"]),
        ] {
            assert_eq!(table.all_covering(host).copied().collect::<Vec<_>>(), patterns, "{host}");
            assert!(patterns.iter().all(|pattern| covers(pattern, host)), "{host}");
            assert_eq!(table.covering(host), patterns.first(), "{host}");
        }
        assert!(!covers("*-cnn.com", "-cnn.com") && !covers("*nn.com", "nn.com"));
    }

    #[test]
    fn short_names_are_services_of_the_namespace() {
        assert_eq!(qualify("sleep", "default"), "sleep.default.svc.cluster.local");
        assert_eq!(qualify("Edition.CNN.com", "default"), "edition.cnn.com");
        assert_eq!(qualify("fd00:0::1", "default"), "[fd00::1]");
    }
}
