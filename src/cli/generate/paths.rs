//! Paths that differ in ids alone, put together.

use std::collections::BTreeMap;

/// Paths that are allowed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Merged {
    /// The segments; of those that are ids what may stand there, as a regular expression.
    segments: Vec<Segment>,
    /// Some of the paths, and how many there were; empty for a path that stands for itself.
    pub(super) examples: Vec<String>,
    pub(super) count: usize,
    /// How many calls were made to them.
    pub(super) calls: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Fixed(String),
    Id(&'static str),
}

/// How many paths of those that were merged are shown.
const EXAMPLES: usize = 3;

impl Merged {
    /// As a regular expression for the whole path.
    pub(super) fn regex(&self) -> String {
        self.written(|segment| match segment {
            Segment::Fixed(text) => regex::escape(text),
            Segment::Id(pattern) => (*pattern).to_owned(),
        })
    }

    /// As a path template of AuthorizationPolicy.
    pub(super) fn template(&self) -> String {
        self.written(|segment| match segment {
            Segment::Fixed(text) => text.clone(),
            Segment::Id(_) => "{*}".to_owned(),
        })
    }

    /// Whether a part that is not an id has what an AuthorizationPolicy would take for a wildcard.
    pub(super) fn has_wildcard(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Segment::Fixed(text) if text.contains(['*', '{', '}'])))
    }

    /// Whether it stands for more than one path.
    pub(super) fn is_merged(&self) -> bool {
        self.count > 1
    }

    fn written(&self, of: impl Fn(&Segment) -> String) -> String {
        self.segments.iter().map(of).collect::<Vec<_>>().join("/")
    }
}

/// Puts paths together that are the same but for ids; one that nothing is put together with stands for itself.
pub(super) fn merge(paths: &BTreeMap<String, u64>) -> Vec<Merged> {
    let mut groups = BTreeMap::<Vec<Segment>, Vec<(&String, u64)>>::new();
    for (path, calls) in paths {
        groups.entry(path.split('/').map(segment).collect()).or_default().push((path, *calls));
    }
    let merged = groups.into_iter().map(|(segments, paths)| {
        let calls = paths.iter().map(|(_, calls)| calls).sum();
        match paths.as_slice() {
            [(path, _)] => {
                let segments = path.split('/').map(|text| Segment::Fixed(text.to_owned())).collect();
                Merged { segments, examples: Vec::new(), count: 1, calls }
            }
            paths => {
                let examples = paths.iter().take(EXAMPLES).map(|(path, _)| (*path).clone()).collect();
                Merged { segments, examples, count: paths.len(), calls }
            }
        }
    });
    merged.collect()
}

fn segment(text: &str) -> Segment {
    let all = |is: fn(&u8) -> bool| text.bytes().all(|byte| is(&byte));
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    if text.is_empty() || !has_digit {
        Segment::Fixed(text.to_owned())
    } else if all(u8::is_ascii_digit) {
        Segment::Id("[0-9]+")
    } else if is_uuid(text) {
        Segment::Id("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
    } else if text.len() >= 8 && all(u8::is_ascii_hexdigit) {
        Segment::Id("[0-9A-Fa-f]+")
    } else if text.len() >= 16 && all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        Segment::Id("[0-9A-Za-z_-]+")
    } else {
        Segment::Fixed(text.to_owned())
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_differ_in_ids_alone_are_one_pattern() {
        let paths = [
            "/orders/1",
            "/orders/22",
            "/orders/22/items",
            "/health",
            "/v1/health",
            "/u/3f2a9c1e-0b7d-4c55-8a61-9d1c2b3a4f50",
            "/u/00000000-0000-4000-8000-000000000000",
            "/blob/0a1b2c3d4e",
            "/blob/ffeeddcc00",
            "/a.b/7",
        ];
        let paths = paths.iter().map(|path| ((*path).to_owned(), 1)).collect();
        let merged = merge(&paths);
        let found: Vec<(String, usize)> = merged.iter().map(|one| (one.regex(), one.count)).collect();
        let expected = [
            (r"/a\.b/7", 1),
            ("/blob/[0-9A-Fa-f]+", 2),
            ("/health", 1),
            ("/orders/22/items", 1),
            ("/orders/[0-9]+", 2),
            ("/u/[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", 2),
            ("/v1/health", 1),
        ];
        let mut expected: Vec<_> = expected.iter().map(|(text, count)| ((*text).to_owned(), *count)).collect();
        let mut sorted = found;
        sorted.sort();
        expected.sort();
        assert_eq!(sorted, expected);
        let orders = merged.iter().find(|one| one.regex() == "/orders/[0-9]+").unwrap();
        assert_eq!((orders.template().as_str(), orders.examples.len()), ("/orders/{*}", 2));
    }
}
