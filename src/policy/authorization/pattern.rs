//! What values of authorization rules match: exact texts, beginnings, ends, presence, path templates.

use crate::expr::Test;
use crate::resource::kinds::authorization_policy::PATH_OPERATORS;

/// Texts of which any may match. `*` at the end or the beginning stands for anything, alone for anything but nothing;
/// elsewhere it is an asterisk (Istio's rule).
#[derive(Debug, Default)]
pub(super) struct Patterns {
    /// Sorted.
    exact: Vec<Box<str>>,
    prefixes: Vec<Box<str>>,
    suffixes: Vec<Box<str>>,
    present: bool,
}

impl Patterns {
    pub(super) fn of<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Self {
        let mut patterns = Self::default();
        for value in values {
            patterns.push(value.as_ref());
        }
        patterns.seal()
    }

    fn push(&mut self, value: &str) {
        if value == "*" {
            self.present = true;
        } else if let Some(suffix) = value.strip_prefix('*') {
            self.suffixes.push(suffix.into());
        } else if let Some(prefix) = value.strip_suffix('*') {
            self.prefixes.push(prefix.into());
        } else {
            self.exact.push(value.into());
        }
    }

    fn seal(mut self) -> Self {
        self.exact.sort_unstable();
        self.exact.dedup();
        self
    }

    /// What each of them asks of a text; none where any text will do.
    pub(super) fn literals(&self) -> Option<Vec<Test>> {
        let exact = self.exact.iter().cloned().map(Test::Equals);
        let prefixes = self.prefixes.iter().cloned().map(Test::Prefix);
        let suffixes = self.suffixes.iter().cloned().map(Test::Suffix);
        (!self.present).then(|| exact.chain(prefixes).chain(suffixes).collect())
    }

    pub(super) fn have(&self, text: &str) -> bool {
        (self.present && !text.is_empty())
            || self.exact.binary_search_by(|known| (**known).cmp(text)).is_ok()
            || self.prefixes.iter().any(|prefix| text.starts_with(&**prefix))
            || self.suffixes.iter().any(|suffix| text.ends_with(&**suffix))
    }
}

/// Paths of which any may match: [`Patterns`], and templates.
#[derive(Debug, Default)]
pub(super) struct Paths {
    patterns: Patterns,
    templates: Vec<Template>,
}

impl Paths {
    pub(super) fn of(values: &[String]) -> Self {
        let is_template = |value: &&String| PATH_OPERATORS.iter().any(|operator| value.contains(operator));
        let (templates, plain): (Vec<_>, Vec<_>) = values.iter().partition(is_template);
        Self {
            patterns: Patterns::of(plain),
            templates: templates.into_iter().map(|text| Template::of(text)).collect(),
        }
    }

    /// What each of them asks of a path; none where any path will do.
    pub(super) fn literals(&self) -> Option<Vec<Test>> {
        let beginnings = self.templates.iter().map(|template| Test::Prefix(template.beginning().into()));
        Some(self.patterns.literals()?.into_iter().chain(beginnings).collect())
    }

    pub(super) fn have(&self, path: &str) -> bool {
        self.patterns.have(path) || self.templates.iter().any(|template| template.fits(path))
    }
}

/// A path in which `{*}` stands for one segment and `{**}`, of which there is one at most, behind every `{*}`, for any
/// number of them.
#[derive(Debug)]
struct Template {
    /// What stands before each `{*}`.
    before: Vec<Box<str>>,
    /// What stands behind the last of them: up to `{**}`, or to the end.
    last: Box<str>,
    /// What stands behind `{**}`, if there is one.
    tail: Option<Box<str>>,
}

impl Template {
    fn of(text: &str) -> Self {
        let [one, any] = PATH_OPERATORS;
        let (head, tail) = match text.split_once(any) {
            Some((head, tail)) => (head, Some(tail.into())),
            None => (text, None),
        };
        let mut before: Vec<Box<str>> = head.split(one).map(Into::into).collect();
        let last = before.pop().unwrap_or_default();
        Self { before, last, tail }
    }

    /// What all paths that fit begin with.
    fn beginning(&self) -> &str {
        self.before.first().unwrap_or(&self.last)
    }

    fn fits(&self, path: &str) -> bool {
        let mut rest = path;
        for literal in &self.before {
            let Some(behind) = rest.strip_prefix(&**literal) else { return false };
            // An operator is a whole segment, so that it ends where the segment does.
            let end = behind.find('/').unwrap_or(behind.len());
            if end == 0 {
                return false;
            }
            rest = &behind[end..];
        }
        let Some(rest) = rest.strip_prefix(&*self.last) else { return false };
        match &self.tail {
            Some(tail) => rest.ends_with(&**tail),
            None => rest.is_empty(),
        }
    }
}

/// Whether a text is that of a pattern in which every `*` stands for anything, as in namespaces.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asterisk_stands_for_anything_only_at_an_end() {
        for (value, matching, others) in [
            ("/a", &["/a"][..], &["/ab", "", "/A"][..]),
            ("/a*", &["/a", "/ab"], &["/", "b/a"]),
            ("*/a", &["/a", "/b/a"], &["/ab"]),
            ("*", &["x"], &[""]),
            ("/a*b", &["/a*b"], &["/aXb"]),
            ("*a*", &["ba*"], &["bab", "a"]),
        ] {
            let patterns = Patterns::of([value]);
            assert!(matching.iter().all(|text| patterns.have(text)), "{value}");
            assert!(!others.iter().any(|text| patterns.have(text)), "{value}");
        }
    }

    #[test]
    fn a_template_has_segments_for_its_operators() {
        for (template, matching, others) in [
            ("/foo/{*}", &["/foo/bar", "/foo/b*r"][..], &["/foo/bar/baz", "/foo/", "/foo", "/foo/bar/"][..]),
            ("/foo/{**}/", &["/foo/bar/", "/foo//", "/foo/a/b/"], &["/foo/bar", "/foo/"]),
            ("/foo/{*}/bar/{**}", &["/foo/buzz/bar/", "/foo/buzz/bar/baz"], &["/foo/bar/baz", "/foo/a/b/bar/c"]),
            ("/{**}/c", &["/a/b/c", "//c"], &["/c", "/a/c/d"]),
            ("/{*}/b/{*}/d", &["/a/b/c/d"], &["/a/b/c/d/e", "/a/b//d"]),
        ] {
            let paths = Paths::of(&[template.to_owned()]);
            assert_eq!(matching.iter().filter(|path| !paths.have(path)).count(), 0, "{template}");
            assert_eq!(others.iter().filter(|path| paths.have(path)).count(), 0, "{template}");
        }
    }

    #[test]
    fn every_asterisk_of_a_namespace_stands_for_anything() {
        for (pattern, text, fits) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abcd", false),
            ("*b*", "abc", true),
            ("a", "ab", false),
            ("*", "x", true),
            ("a*b*c", "a1b2c", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }
}
