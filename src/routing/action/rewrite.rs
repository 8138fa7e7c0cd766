//! Other paths and authorities for what is sent on.

use regex::{Captures, Regex, RegexBuilder};

use crate::call::Authority;
use crate::expr::pattern;
use crate::resource::kinds::virtual_service::{Headers, HttpRewrite, RegexRewrite, is_authority};

use super::super::matching::{Match, REGEX_SIZE, Text};

/// How the path is replaced; the query stays.
#[derive(Debug)]
pub(in super::super) enum PathRewrite {
    /// What the condition on the path has matched: the prefix textually, else the whole.
    Matched(Box<str>),
    /// Every occurrence.
    Occurrences(Regex, Vec<Piece>),
}

/// A part of what takes an occurrence's place.
#[derive(Debug)]
pub(in super::super) enum Piece {
    Text(String),
    Group(usize),
}

impl PathRewrite {
    /// Replaces what the condition matched.
    pub(in super::super) fn matched(by: &str) -> Self {
        PathRewrite::Matched(by.into())
    }

    /// What a route's `rewrite` does to the path, if anything.
    ///
    /// # Errors
    /// When its expression does not compile, or it names a group that there is not.
    pub(in super::super) fn compile(spec: &HttpRewrite) -> Result<Option<Self>, ()> {
        match &spec.uri_regex_rewrite {
            Some(parts) => Self::occurrences(parts).map(Some).ok_or(()),
            None if spec.uri.is_empty() => Ok(None),
            None => Ok(Some(Self::matched(&spec.uri))),
        }
    }

    fn occurrences(parts: &RegexRewrite) -> Option<Self> {
        let regex = RegexBuilder::new(&pattern::translate(&parts.r#match)).size_limit(REGEX_SIZE).build().ok()?;
        let pieces = pieces(&parts.rewrite)?;
        let known = |piece: &Piece| !matches!(piece, Piece::Group(group) if *group >= regex.captures_len());
        pieces.iter().all(known).then_some(PathRewrite::Occurrences(regex, pieces))
    }

    /// The path that takes a path's place. Without a condition on the path it counts as the prefix `/`.
    pub(in super::super) fn apply(&self, path: &str, condition: Option<&Match>) -> String {
        match self {
            PathRewrite::Matched(by) => {
                let matched = match condition.and_then(|condition| condition.uri.as_ref()) {
                    None => "/".len(),
                    Some(Text::Prefix(prefix) | Text::PrefixIgnoringCase(prefix)) => prefix.len(),
                    Some(_) => path.len(),
                };
                format!("{by}{}", path.get(matched..).unwrap_or_default())
            }
            PathRewrite::Occurrences(regex, pieces) => {
                let replaced = regex.replace_all(path, |found: &Captures<'_>| {
                    let piece = |piece: &Piece| match piece {
                        Piece::Text(text) => text.clone(),
                        Piece::Group(group) => found.get(*group).map_or("", |group| group.as_str()).to_owned(),
                    };
                    pieces.iter().map(piece).collect::<String>()
                });
                replaced.into_owned()
            }
        }
    }
}

/// RE2's replacements: `\0` to `\9` are groups, `\\` is a backslash; `None` for another escape.
fn pieces(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next()? {
            '\\' => plain.push('\\'),
            digit => {
                let group = digit.to_digit(10)?;
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                pieces.push(Piece::Group(group as usize));
            }
        }
    }
    pieces.push(Piece::Text(plain));
    Some(pieces)
}

/// The authority that header operations of requests set, if any.
///
/// # Errors
/// When it is no host.
pub(in super::super) fn authority(headers: Option<&Headers>) -> Result<Option<Authority>, ()> {
    let request = headers.and_then(|headers| headers.request.as_ref());
    let mut operations = request.into_iter().flat_map(|request| request.set.iter().chain(&request.add));
    let given = operations.find(|(name, _)| is_authority(name));
    given.map(|(_, host)| Authority::parse(host).ok_or(())).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_uri(uri: Text) -> Match {
        Match { uri: Some(uri), ..Match::default() }
    }

    #[test]
    fn the_matched_part_is_replaced_textually() {
        let rewrite =
            |by: &str, path: &str, condition: Option<Match>| PathRewrite::matched(by).apply(path, condition.as_ref());
        let prefix = |text: &str| Some(with_uri(Text::Prefix(text.into())));
        assert_eq!(rewrite("/v2", "/api/x", prefix("/api")), "/v2/x");
        assert_eq!(rewrite("/", "/api/x", prefix("/api")), "//x");
        assert_eq!(rewrite("/v2", "/apiary", prefix("/api")), "/v2ary");
        assert_eq!(rewrite("/base", "/x", None), "/basex");
        assert_eq!(rewrite("/one", "/a/b/c", Some(with_uri(Text::Exact("/a/b/c".into())))), "/one");
        assert_eq!(rewrite("/v2", "/API/x", Some(with_uri(Text::PrefixIgnoringCase("/api".into())))), "/v2/x");
    }

    #[test]
    fn every_occurrence_is_replaced_with_groups() {
        let rewrite = |pattern: &str, by: &str, path: &str| {
            let parts = RegexRewrite { r#match: pattern.into(), rewrite: by.into() };
            PathRewrite::occurrences(&parts).map(|rewrite| rewrite.apply(path, None))
        };
        assert_eq!(rewrite("/v([0-9]+)", r"/version-\1", "/v1/v22/x").as_deref(), Some("/version-1/version-22/x"));
        assert_eq!(rewrite("^/(a)/(b)$", r"/\2/\1/\0", "/a/b").as_deref(), Some("/b/a//a/b"));
        assert_eq!(rewrite(r"\d", "n", "/1\u{663}").as_deref(), Some("/n\u{663}"), "classes are ASCII");
        assert_eq!(rewrite("x", "$1", "/x").as_deref(), Some("/$1"));
        assert_eq!(rewrite("(x)", r"\2", "/x"), None);
        assert_eq!(rewrite("x", r"\n", "/x"), None);
    }
}
