//! Conditions of HTTP routes, compiled.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use http::{HeaderMap, HeaderName};
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::literal::Extractor;

use crate::call::{Call, header_text};
use crate::expr::pattern;
use crate::resource::kinds::virtual_service::StringMatch;

/// Most bytes that one route's expression may compile to; the programs of those that were accepted take far less.
pub(super) const REGEX_SIZE: usize = 10 << 20;

/// A condition on a text.
#[derive(Debug, Clone)]
pub(super) enum Text {
    Exact(Box<str>),
    Prefix(Box<str>),
    ExactIgnoringCase(Box<str>),
    PrefixIgnoringCase(Box<str>),
    Regex(Whole),
    /// Anything, if it is there at all.
    Present,
}

impl Text {
    /// `None` for what does not say exactly one thing, or does not compile.
    pub(super) fn compile(condition: &StringMatch, expressions: &mut Expressions) -> Option<Self> {
        match (&condition.exact, &condition.prefix, &condition.regex) {
            (Some(text), None, None) => Some(Text::Exact(text.as_str().into())),
            (None, Some(text), None) => Some(Text::Prefix(text.as_str().into())),
            (None, None, Some(pattern)) => expressions.whole(pattern).map(Text::Regex),
            _ => None,
        }
    }

    /// [`Text::compile`] for paths, in any letter case if that is asked for.
    pub(super) fn of_path(condition: &StringMatch, ignore_case: bool, expressions: &mut Expressions) -> Option<Self> {
        match (&condition.exact, &condition.prefix, &condition.regex) {
            (Some(text), None, None) if ignore_case => Some(Text::ExactIgnoringCase(text.as_str().into())),
            (None, Some(text), None) if ignore_case => Some(Text::PrefixIgnoringCase(text.as_str().into())),
            (None, None, Some(pattern)) => expressions.of_ascii(pattern).map(Text::Regex),
            _ => Self::compile(condition, expressions),
        }
    }

    pub(super) fn holds(&self, value: &str) -> bool {
        match self {
            Text::Exact(text) => value == &**text,
            Text::Prefix(text) => value.starts_with(&**text),
            Text::ExactIgnoringCase(text) => value.eq_ignore_ascii_case(text),
            Text::PrefixIgnoringCase(text) => {
                value.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
            }
            Text::Regex(whole) => whole.0.regex.is_match(value.as_bytes()),
            Text::Present => true,
        }
    }

    /// Whether the condition holds of every path.
    pub(super) fn takes_every_path(&self) -> bool {
        match self {
            Text::Prefix(text) | Text::PrefixIgnoringCase(text) => matches!(&**text, "" | "/"),
            Text::Regex(whole) => whole.written() == ".*",
            Text::Present => true,
            _ => false,
        }
    }
}

impl fmt::Display for Text {
    /// What was not met.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Text::Exact(text) => write!(f, "is not {text:?}"),
            Text::ExactIgnoringCase(text) => write!(f, "is not {text:?} in any letter case"),
            Text::Prefix(text) => write!(f, "does not begin with {text:?}"),
            Text::PrefixIgnoringCase(text) => write!(f, "does not begin with {text:?} in any letter case"),
            Text::Regex(whole) => write!(f, "does not match the regex {:?}", whole.written()),
            Text::Present => f.write_str("is missing"),
        }
    }
}

/// An expression that has to match a whole value.
#[derive(Debug, Clone)]
pub(super) struct Whole(Arc<Expression>);

#[derive(Debug)]
struct Expression {
    regex: Regex,
    written: Box<str>,
}

impl Whole {
    /// As its author wrote it.
    pub(super) fn written(&self) -> &str {
        &self.0.written
    }

    fn build(pattern: &str, unicode: bool) -> Option<Self> {
        let anchored = format!("^(?:{})$", pattern::translate(pattern));
        let regex = RegexBuilder::new(&anchored).unicode(unicode).size_limit(REGEX_SIZE).build().ok()?;
        Some(Self(Arc::new(Expression { regex, written: pattern.into() })))
    }
}

/// Expressions that are in use, each compiled once, however many routes have it.
#[derive(Debug, Default)]
pub(super) struct Expressions {
    /// By what was written, and whether it is for texts of ASCII alone.
    known: HashMap<(Box<str>, bool), Weak<Expression>>,
    /// How many may be known before those that are not in use are forgotten.
    room: usize,
}

impl Expressions {
    /// `None` for what does not compile.
    pub(super) fn whole(&mut self, pattern: &str) -> Option<Whole> {
        self.get(pattern, false, |pattern| Whole::build(pattern, true))
    }

    /// For texts of ASCII alone, as canonical paths are: knowing UTF-8 is most of what making an expression costs. What
    /// asks for characters beyond ASCII by their kind needs that all the same.
    pub(super) fn of_ascii(&mut self, pattern: &str) -> Option<Whole> {
        let plain = |pattern: &str| pattern.is_ascii().then(|| Whole::build(pattern, false)).flatten();
        self.get(pattern, true, |pattern| plain(pattern).or_else(|| Whole::build(pattern, true)))
    }

    fn get(&mut self, pattern: &str, ascii: bool, build: impl FnOnce(&str) -> Option<Whole>) -> Option<Whole> {
        let key = (Box::from(pattern), ascii);
        if let Some(known) = self.known.get(&key).and_then(Weak::upgrade) {
            return Some(Whole(known));
        }
        let whole = build(pattern)?;
        if self.known.len() >= self.room {
            self.known.retain(|_, known| known.strong_count() > 0);
            self.room = 2 * self.known.len() + 64;
        }
        self.known.insert(key, Arc::downgrade(&whole.0));
        Some(whole)
    }
}

/// The conditions of one entry of `match` that depend on the call; all must hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Match {
    pub(super) uri: Option<Text>,
    pub(super) scheme: Option<Text>,
    pub(super) method: Option<Text>,
    pub(super) authority: Option<Text>,
    pub(super) headers: Vec<(HeaderName, Text)>,
    pub(super) without_headers: Vec<(HeaderName, Text)>,
    pub(super) query: Vec<(String, Text)>,
    pub(super) pseudo_headers: Vec<PseudoHeader>,
}

/// A condition on a part of the request that is written like a header (`:path`).
#[derive(Debug, Clone)]
pub(super) struct PseudoHeader {
    pub(super) part: Part,
    pub(super) text: Text,
    /// Whether it must hold, or must not.
    pub(super) wanted: bool,
}

/// A part of a request that stands among the headers in HTTP/2 (RFC 9113 §8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Method,
    Scheme,
    Authority,
    /// With query.
    Path,
    /// Which requests do not have, so that nothing can be said of it.
    Status,
}

impl Part {
    /// The part that a header name stands for; Host is the authority's other name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            ":method" => Part::Method,
            ":scheme" => Part::Scheme,
            ":authority" | "host" => Part::Authority,
            ":path" => Part::Path,
            ":status" => Part::Status,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Method => ":method",
            Part::Scheme => ":scheme",
            Part::Authority => ":authority",
            Part::Path => ":path",
            Part::Status => ":status",
        }
    }
}

impl PseudoHeader {
    fn holds(&self, call: &Call, scheme: &str) -> bool {
        let value = match self.part {
            Part::Method => Some(call.method().as_str()),
            Part::Scheme => Some(scheme),
            Part::Authority => Some(call.authority().as_str()),
            Part::Path => Some(call.path_and_query().as_str()),
            Part::Status => None,
        };
        value.is_some_and(|value| self.text.holds(value)) == self.wanted
    }
}

impl Match {
    /// Whether all conditions hold of a call that came by `http` or `https`.
    pub(super) fn holds(&self, call: &Call, scheme: &str) -> bool {
        self.uri.as_ref().is_none_or(|text| text.holds(call.path())) && self.holds_besides_path(call, scheme)
    }

    /// Whether all conditions but that on the path hold.
    pub(super) fn holds_besides_path(&self, call: &Call, scheme: &str) -> bool {
        let text = |condition: &Option<Text>, value: &str| condition.as_ref().is_none_or(|text| text.holds(value));
        text(&self.scheme, scheme)
            && text(&self.method, call.method().as_str())
            && text(&self.authority, call.authority().as_str())
            && self.headers.iter().all(|(name, text)| has(call.headers(), name, text))
            && !self.without_headers.iter().any(|(name, text)| has(call.headers(), name, text))
            && self.query.iter().all(|(name, text)| first_parameter(call, name).is_some_and(|value| text.holds(value)))
            && self.pseudo_headers.iter().all(|condition| condition.holds(call, scheme))
    }

    /// The first condition that does not hold of a call, in words; `None` where all do.
    pub(super) fn why_not(&self, call: &Call, scheme: &str) -> Option<String> {
        let text = |what: &str, condition: &Option<Text>, value: &str| {
            let wanted = condition.as_ref().filter(|text| !text.holds(value))?;
            Some(format!("{what} {value:?} {wanted}"))
        };
        let header = |(name, text): &(HeaderName, Text)| {
            (!has(call.headers(), name, text)).then(|| format!("header {name} {text}"))
        };
        let without = |(name, text): &(HeaderName, Text)| {
            has(call.headers(), name, text).then(|| format!("header {name} is there, and must not be"))
        };
        let parameter = |(name, text): &(String, Text)| {
            let holds = first_parameter(call, name).is_some_and(|value| text.holds(value));
            (!holds).then(|| format!("query parameter {name} {text}"))
        };
        let pseudo_header = |condition: &PseudoHeader| {
            let PseudoHeader { part, text, wanted } = condition;
            (!condition.holds(call, scheme)).then(|| match wanted {
                true => format!("{} {text}", part.name()),
                false => format!("{} is there, and must not be", part.name()),
            })
        };
        text("path", &self.uri, call.path())
            .or_else(|| text("scheme", &self.scheme, scheme))
            .or_else(|| text("method", &self.method, call.method().as_str()))
            .or_else(|| text("authority", &self.authority, call.authority().as_str()))
            .or_else(|| self.headers.iter().find_map(header))
            .or_else(|| self.without_headers.iter().find_map(without))
            .or_else(|| self.query.iter().find_map(parameter))
            .or_else(|| self.pseudo_headers.iter().find_map(pseudo_header))
    }

    /// Whether it holds of every call, so that no later route can be reached.
    pub(super) fn takes_all(&self) -> bool {
        self.uri.as_ref().is_none_or(Text::takes_every_path)
            && self.scheme.is_none()
            && self.method.is_none()
            && self.authority.is_none()
            && self.headers.is_empty()
            && self.without_headers.is_empty()
            && self.query.is_empty()
            && self.pseudo_headers.is_empty()
    }
}

fn has(headers: &HeaderMap, name: &HeaderName, text: &Text) -> bool {
    header(headers, name).is_some_and(|value| text.holds(&value))
}

/// The value of a header. Repeated ones count as one, joined by `,` (RFC 9110 §5.3).
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Cow<'h, str>> {
    let mut values = headers.get_all(name).iter().map(header_text);
    let first = values.next()?;
    Some(match values.next() {
        None => first,
        Some(second) => [first, second].into_iter().chain(values).collect::<Vec<_>>().join(",").into(),
    })
}

/// What every text that a whole expression matches begins with: one of these. None where that says too little.
pub(super) fn beginnings(whole: &Whole) -> Vec<String> {
    let Ok(parsed) = regex_syntax::parse(whole.0.regex.as_str()) else { return Vec::new() };
    let beginnings = Extractor::new().extract(&parsed);
    let texts = beginnings.literals().into_iter().flatten().map(|literal| std::str::from_utf8(literal.as_bytes()));
    let texts = texts.map(|text| text.ok().filter(|text| text.len() > 1).map(str::to_owned));
    texts.collect::<Option<_>>().unwrap_or_default()
}

/// The first value of a query parameter, undecoded.
pub(super) fn first_parameter<'c>(call: &'c Call, name: &str) -> Option<&'c str> {
    let query = call.path_and_query().query()?;
    query.split('&').find_map(|pair| match pair.split_once('=') {
        Some((key, value)) => (key == name).then_some(value),
        None => (pair == name).then_some(""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_says_the_same_of_ascii_with_and_without_knowledge_of_utf_8() {
        let patterns = [
            "/v[0-9]+/.*",
            "(?i)/Kiss.*",
            "[^/]{3}",
            r"\w+\W\d",
            r"\pL+",
            r"/\x{e9}?a",
            "/é?a",
            ".",
            "",
            r"(?s).*\b",
            "[[:alpha:]]+",
        ];
        let texts = ["", "/", "/v1/x", "/KISS", "/kiss/a\nb", "abc", "a/1", "ab", "/a", "/%C3%A9a", "a b", "\n"];
        for pattern in patterns {
            let mut expressions = Expressions::default();
            let plain = expressions.whole(pattern).expect(pattern);
            let ascii = expressions.of_ascii(pattern).expect(pattern);
            for text in texts {
                let of = |whole: &Whole| whole.0.regex.is_match(text.as_bytes());
                assert_eq!(of(&ascii), of(&plain), "{pattern} {text:?}");
            }
        }
    }

    #[test]
    fn an_expression_that_is_in_use_is_not_compiled_again() {
        let mut expressions = Expressions::default();
        let first = expressions.of_ascii("/a.*").expect("it compiles");
        let again = expressions.of_ascii("/a.*").expect("it compiles");
        assert!(Arc::ptr_eq(&first.0, &again.0));
        assert!(!Arc::ptr_eq(&first.0, &expressions.whole("/a.*").expect("it compiles").0));
        for number in 0..1_000 {
            drop(expressions.whole(&format!("/{number}")));
        }
        assert!(expressions.known.len() < 100, "what is not in use is forgotten");
        assert!(expressions.of_ascii("(").is_none());
    }
}
