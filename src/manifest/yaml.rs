//! One YAML document to a JSON tree.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span as Marks, Tag};
use serde_json::{Map, Value as Json};

use super::{flow, locate, scalar};
use crate::diagnostic::{Code, FieldPath, Problem};

/// Deepest nesting; Istio's and Kubernetes' resources stay below 20.
pub(super) const MAX_DEPTH: usize = 64;
/// Most values that aliases may repeat, a long text counting once for every 32 bytes: a few lines of aliases to aliases
/// can stand for more memory than there is.
const MAX_REPEATED: usize = 200_000;

/// Why a text is no tree, and the bytes at fault.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) problem: Problem,
    pub(super) span: Range<usize>,
}

/// Reads one document; an empty one is null.
pub(super) fn read(text: &str) -> Result<Json, Box<Fault>> {
    if let Some(at) = text.find('\0') {
        return Err(syntax("the text has a NUL character".into(), at..at + 1));
    }
    let (read, refused) = tree(text, text);
    match read {
        Err(fault) if refused.is_some_and(|info| flow::is_to_blame(&info)) => {
            // Faults are told of what stands there.
            tree(text, &flow::joined(text)).0.map_err(|_| fault)
        }
        read => read,
    }
}

/// What a document says, and what the parser refused it for, if it did. Every character has its place in the written text.
fn tree(written: &str, text: &str) -> (Result<Json, Box<Fault>>, Option<String>) {
    let mut builder = Builder::new(written);
    for event in Parser::new_from_str(text) {
        match event.map(|(event, marks)| builder.event(event, marks)) {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => return (Err(fault), None),
            Err(error) => {
                return (Err(builder.unreadable(error.info(), error.marker())), Some(error.info().to_owned()));
            }
        }
    }
    (Ok(builder.root.unwrap_or(Json::Null)), None)
}

fn syntax(message: String, span: Range<usize>) -> Box<Fault> {
    Box::new(Fault { problem: Problem::error(Code::Syntax, FieldPath::root(), message), span })
}

fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH} levels")
}

/// An open map or list.
enum Frame {
    Map { map: Map<String, Json>, key: Option<Key>, merged: Vec<Json>, anchor: Anchor },
    List { items: Vec<Json>, anchor: Anchor },
}

/// A key that waits for its value.
enum Key {
    Named(String),
    /// `<<`: the value's keys are merged into the map.
    Merge,
}

/// What an open value is called, and how much had been read when it began.
struct Anchor {
    id: usize,
    begun: usize,
}

struct Builder<'t> {
    text: &'t str,
    stack: Vec<Frame>,
    root: Option<Json>,
    /// Finished values with a name, and their weights.
    anchors: HashMap<usize, (Json, usize)>,
    /// Weight of all values so far.
    weight: usize,
    repeated: usize,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, stack: Vec::new(), root: None, anchors: HashMap::new(), weight: 0, repeated: 0 }
    }

    fn event(&mut self, event: Event<'_>, marks: Marks) -> Result<(), Box<Fault>> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.weight += 1 + text.len() / 32;
                if self.wants_key() {
                    return self.key(&text, style, marks);
                }
                let weight = 1 + text.len() / 32;
                let value = value(&text, style, tag.as_deref());
                if anchor > 0 {
                    self.anchors.insert(anchor, (value.clone(), weight));
                }
                self.add(value, marks)
            }
            Event::MappingStart(id, _) => {
                let anchor = self.open(id, marks)?;
                self.stack.push(Frame::Map { map: Map::new(), key: None, merged: Vec::new(), anchor });
                Ok(())
            }
            Event::SequenceStart(id, _) => {
                let anchor = self.open(id, marks)?;
                self.stack.push(Frame::List { items: Vec::new(), anchor });
                Ok(())
            }
            Event::MappingEnd | Event::SequenceEnd => self.close(marks),
            Event::Alias(id) => self.alias(id, marks),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(syntax("a second document begins here without a --- line".into(), self.bytes(marks)))
            }
            _ => Ok(()),
        }
    }

    fn wants_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame::Map { key: None, .. }))
    }

    fn open(&mut self, id: usize, marks: Marks) -> Result<Anchor, Box<Fault>> {
        if self.wants_key() {
            return Err(syntax("a key must be a text, not a map or list".into(), self.bytes(marks)));
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(syntax(too_deep(), self.bytes(marks)));
        }
        self.weight += 1;
        Ok(Anchor { id, begun: self.weight })
    }

    fn key(&mut self, text: &str, style: ScalarStyle, marks: Marks) -> Result<(), Box<Fault>> {
        let merges = text == "<<" && style == ScalarStyle::Plain;
        let twice = match self.stack.last_mut() {
            Some(Frame::Map { map, key, .. }) => {
                *key = Some(if merges { Key::Merge } else { Key::Named(text.to_owned()) });
                !merges && map.contains_key(text)
            }
            _ => false,
        };
        if twice { Err(self.twice(text, marks)) } else { Ok(()) }
    }

    fn close(&mut self, marks: Marks) -> Result<(), Box<Fault>> {
        let (value, anchor) = match self.stack.pop() {
            Some(Frame::List { items, anchor }) => (Json::Array(items), anchor),
            Some(Frame::Map { mut map, merged, anchor, .. }) => {
                merge(&mut map, merged);
                (Json::Object(map), anchor)
            }
            None => return Ok(()),
        };
        if anchor.id > 0 {
            let weight = self.weight - anchor.begun + 1;
            self.anchors.insert(anchor.id, (value.clone(), weight));
        }
        self.add(value, marks)
    }

    fn alias(&mut self, id: usize, marks: Marks) -> Result<(), Box<Fault>> {
        let Some((value, weight)) = self.anchors.get(&id) else {
            return Err(syntax("an alias may not stand inside what it repeats".into(), self.bytes(marks)));
        };
        self.repeated += weight;
        self.weight += weight;
        if self.repeated > MAX_REPEATED {
            return Err(syntax(format!("aliases repeat more than {MAX_REPEATED} values"), self.bytes(marks)));
        }
        match value {
            Json::String(text) if self.wants_key() => self.key(&text.clone(), ScalarStyle::DoubleQuoted, marks),
            _ if self.wants_key() => Err(syntax("a key must be a text".into(), self.bytes(marks))),
            value => self.add(value.clone(), marks),
        }
    }

    fn add(&mut self, value: Json, marks: Marks) -> Result<(), Box<Fault>> {
        match self.stack.last_mut() {
            None => self.root = Some(value),
            Some(Frame::List { items, .. }) => items.push(value),
            Some(Frame::Map { map, key, merged, .. }) => match key.take() {
                Some(Key::Merge) => match value {
                    Json::Array(maps) => merged.extend(maps),
                    value => merged.push(value),
                },
                Some(Key::Named(key)) => {
                    map.insert(key, value);
                }
                None => return Err(syntax("a value without a key".into(), self.bytes(marks))),
            },
        }
        Ok(())
    }

    /// A key that its map has already; says where it stood first.
    fn twice(&self, key: &str, marks: Marks) -> Box<Fault> {
        let at = self.path().parent().field(key);
        let first = locate::Index::of(self.text).and_then(|index| index.key(&at));
        let line = |byte: usize| self.text[..byte].matches('\n').count() as i64;
        let span = self.bytes(marks);
        let distance = first.map(|first| line(span.start) - line(first.start)).filter(|lines| *lines >= 0);
        let problem =
            Problem::error(Code::Duplicate, at, format!("the key \"{key}\" stands twice in this map")).on_key();
        let problem = problem.kubernetes(format!("key \"{key}\" already set in map"));
        let problem = match distance {
            Some(0) => problem.help("the first one is on the same line; remove one of them"),
            Some(1) => problem.help("the first one is on the line before; remove one of them"),
            Some(lines) => problem.help(format!("the first one is {lines} lines above; remove one of them")),
            None => problem.help("remove one of them"),
        };
        Box::new(Fault { problem, span })
    }

    /// The path of the value being read.
    fn path(&self) -> FieldPath {
        self.stack.iter().fold(FieldPath::root(), |path, frame| match frame {
            Frame::Map { key: Some(Key::Named(key)), .. } => path.field(key),
            Frame::Map { .. } => path.field("<<"),
            Frame::List { items, .. } => path.index(items.len()),
        })
    }

    fn bytes(&self, marks: Marks) -> Range<usize> {
        byte_of(self.text, marks.start.index())..byte_of(self.text, marks.end.index())
    }

    /// The parser's own refusal, with advice where its cause is likely.
    fn unreadable(&self, info: &str, marker: &Marker) -> Box<Fault> {
        if info.contains("recursion limit") {
            return syntax(too_deep(), byte_of(self.text, marker.index())..self.text.len());
        }
        let at = byte_of(self.text, marker.index());
        let mut fault = syntax(format!("not valid YAML: {info}"), at..at + 1);
        fault.problem = fault.problem.kubernetes(libyaml_words(info));
        if let Some((_, advice)) = ADVICE.iter().find(|(cause, _)| info.contains(cause)) {
            fault.problem = fault.problem.help(*advice);
        }
        fault
    }
}

/// The parser's refusal without what it was doing, as libyaml's users see it: `did not find expected ',' or ']'`.
fn libyaml_words(info: &str) -> String {
    let fault = match info.split_once(", ") {
        Some((doing, fault)) if doing.starts_with("while ") => fault,
        _ => info,
    };
    if fault.starts_with("illegal placement of ':'") {
        return "did not find expected ',' or ']'".to_owned();
    }
    if fault.starts_with("expected ") { format!("did not find {fault}") } else { fault.to_owned() }
}

/// Words of the parser's refusals, and what their commonest cause is.
const ADVICE: &[(&str, &str)] = &[
    ("tab", "YAML allows no tabs in the indentation: use spaces"),
    ("':' indicator", "is a [ or { further up not closed?"),
    ("expected ','", "is a [ or { further up not closed?"),
    ("quoted scalar", "is a quote not closed?"),
    ("mapping values", "quote a text that holds \": \", and indent the keys of one map alike"),
    ("expected key", "indent the keys of one map alike"),
    ("unexpected character", "quote a text that begins with this character"),
    ("unknown anchor", "quote a text that begins with *"),
    ("block sequence entries", "begin a list on a line of its own"),
    ("invalid indentation", "is a [ or { further up not closed?"),
];

/// The value of a scalar; only unquoted words without a tag are anything but texts.
fn value(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Json {
    let text_tag = tag.is_some_and(|tag| (tag.is_yaml_core_schema() && tag.suffix == "str") || tag.suffix.is_empty());
    if style == ScalarStyle::Plain && !text_tag { scalar::resolve(text) } else { Json::String(text.to_owned()) }
}

/// Fills what a map lacks from the maps merged into it, earlier ones winning.
fn merge(map: &mut Map<String, Json>, merged: Vec<Json>) {
    for (key, value) in merged
        .into_iter()
        .filter_map(|value| match value {
            Json::Object(map) => Some(map),
            _ => None,
        })
        .flatten()
    {
        map.entry(key).or_insert(value);
    }
}

/// The byte at which a character stands; the end where there are fewer.
pub(super) fn byte_of(text: &str, character: usize) -> usize {
    text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(text: &str) -> (String, String) {
        let fault = read(text).expect_err("it is refused");
        (fault.problem.message, text.get(fault.span).unwrap_or_default().to_owned())
    }

    #[test]
    fn yaml_becomes_a_tree() {
        assert_eq!(
            read("a: 1 # one\nb: ['x', \"y\\n\", yes]\nc:\n- d: |\n    e\n- !!str 5\n'1': ~\n").ok(),
            Some(json!({"a": 1, "b": ["x", "y\n", true], "c": [{"d": "e\n"}, "5"], "1": null}))
        );
        assert_eq!(read("    a: 1\n    b: 2\n").ok(), Some(json!({"a": 1, "b": 2})));
        assert_eq!(read("a: 1\r\nb: x\r\n").ok(), Some(json!({"a": 1, "b": "x"})));
    }

    #[test]
    fn aliases_and_merges_are_followed() {
        assert_eq!(
            read("a: &x {p: 1, q: 2}\nb: *x\nc:\n  <<: *x\n  q: 3\n").ok(),
            Some(json!({"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 2}, "c": {"p": 1, "q": 3}}))
        );
    }

    #[test]
    fn aliases_cannot_fill_the_memory() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let before = level - 1;
            text += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 10].join(", "));
        }
        assert_eq!(fault(&text).0, "aliases repeat more than 200000 values");
        assert!(read("a: &a [*a]\n").is_err());
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        let (message, at) = fault("spec:\n  hosts: []\n  ports: []\n  hosts: []\n");
        assert_eq!((message.as_str(), at.as_str()), ("the key \"hosts\" stands twice in this map", "hosts"));
        let fault = read("a: 1\nb: 2\na: 3\n").expect_err("it is refused");
        assert_eq!(fault.problem.help.as_deref(), Some("the first one is 2 lines above; remove one of them"));
    }

    #[test]
    fn depth_is_bounded() {
        assert!(fault(&"[".repeat(100_000)).0.starts_with("nested deeper"));
        assert!(fault(&"- ".repeat(1_000)).0.starts_with("nested deeper"));
    }

    #[test]
    fn bad_syntax_says_where() {
        let fault = read("a: 1\n\tb: 2\n").expect_err("it is refused");
        assert_eq!(fault.problem.help.as_deref(), Some("YAML allows no tabs in the indentation: use spaces"));
        assert!(read("a: [1\n").is_err() && read("a: b: c\n").is_err() && read("a\0b").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([a-c:,\\-?#&*!|>'\"%@`{}\\[\\] \\n\\t\\\\]|\\PC){0,60}") {
            let _ = read(&text);
            let _ = locate::Index::of(&text);
        }
    }
}
