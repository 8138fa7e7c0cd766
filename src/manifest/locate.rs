//! From a field's path to its place in the text; runs only when a problem is shown.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marks};

use super::read::Finding;
use super::{flow, offsets};
use crate::diagnostic::{FieldPath, Source, Span, Step, render};
use crate::resource::decode::camel_case;

/// Finds the places of findings in their text. Findings of one document should come together: its index is kept until
/// another document is asked for.
#[derive(Debug)]
pub struct Locator<'s> {
    source: &'s Source,
    last: Option<(Range<usize>, Option<Index>)>,
}

impl<'s> Locator<'s> {
    /// A locator in a text.
    pub fn new(source: &'s Source) -> Self {
        Self { source, last: None }
    }

    /// The place of a finding: the value or key it names, else the nearest thing around it that exists.
    pub fn span(&mut self, finding: &Finding) -> Span {
        if let Some(span) = &finding.span {
            return span.clone();
        }
        let document = finding.document.clone();
        let text = self.source.text.get(document.clone()).unwrap_or_default();
        if self.last.as_ref().is_none_or(|(range, _)| *range != document) {
            self.last = Some((document.clone(), Index::of(text)));
        }
        let index = self.last.as_ref().and_then(|(_, index)| index.as_ref());
        let problem = &finding.problem;
        let span = index.map_or_else(|| first_line(text), |index| index.span(text, problem));
        document.start + span.start..document.start + span.end
    }

    /// The picture of a finding.
    pub fn render(&mut self, finding: &Finding, color: bool) -> String {
        let span = self.span(finding);
        render(&finding.problem, Some((self.source, span)), color)
    }
}

/// The places of everything in a document.
#[derive(Debug)]
pub(super) struct Index {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    span: Range<usize>,
    style: Option<ScalarStyle>,
    children: Vec<Child>,
}

#[derive(Debug)]
struct Child {
    /// Key and its place; absent in lists.
    key: Option<(String, Range<usize>)>,
    node: usize,
}

impl Index {
    /// Reads the places; nothing where the text is no YAML.
    pub(super) fn of(text: &str) -> Option<Self> {
        let (index, refused) = Self::read(text, text);
        match refused.is_some_and(|info| flow::is_to_blame(&info)) {
            true => Self::read(text, &flow::joined(text)).0,
            false => index,
        }
    }

    /// The places in the written text, and what the parser refused it for, if it did. Every character has its place there.
    fn read(written: &str, text: &str) -> (Option<Self>, Option<String>) {
        let (bytes, len) = (byte_offsets(written), written.len());
        let (mut builder, mut refused) = (Builder { bytes, len, nodes: Vec::new(), open: Vec::new() }, None);
        for event in Parser::new_from_str(text) {
            match event {
                Ok((event, marks)) => builder.event(event, marks),
                // What stands before a fault can still be found.
                Err(error) => {
                    refused = Some(error.info().to_owned());
                    break;
                }
            }
        }
        ((!builder.nodes.is_empty()).then_some(Self { nodes: builder.nodes }), refused)
    }

    /// The place of the key at the end of a path, if it exists.
    pub(super) fn key(&self, path: &FieldPath) -> Option<Range<usize>> {
        let (found, key) = self.follow(path);
        if found == path.steps().len() { key.1 } else { None }
    }

    fn span(&self, text: &str, problem: &crate::diagnostic::Problem) -> Span {
        let (found, (node, key)) = self.follow(&problem.at);
        let node = &self.nodes[node];
        if found < problem.at.steps().len() {
            return key.unwrap_or_else(|| head(text, &node.span));
        }
        match (key, &problem.within, node.style) {
            (Some(key), _, _) if problem.on_key => key,
            (_, Some(within), Some(style)) => {
                let start = match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => offsets::lines_of_block(text, node.span.start),
                    _ => node.span.start,
                };
                let raw = text.get(start..node.span.end).unwrap_or_default();
                let inner = offsets::range(raw, style, within);
                start + inner.start..start + inner.end
            }
            // A block of lines is better named by its key.
            (Some(key), _, _) if node.span.is_empty() || text[key.end..node.span.start].contains('\n') => key,
            _ => head(text, &node.span),
        }
    }

    /// Walks along a path as far as it exists: the number of steps made, the node reached, the key that leads to it.
    fn follow(&self, path: &FieldPath) -> (usize, (usize, Option<Range<usize>>)) {
        let mut place = (0, None);
        for (made, step) in path.steps().iter().enumerate() {
            let children = &self.nodes[place.0].children;
            let child = match step {
                Step::Index(index) => children.get(*index).filter(|child| child.key.is_none()),
                Step::Field(name) => named(children, |key| key == name)
                    .or_else(|| named(children, |key| camel_case(key) == camel_case(name))),
            };
            let Some(child) = child else { return (made, place) };
            place = (child.node, child.key.as_ref().map(|(_, span)| span.clone()));
        }
        (path.steps().len(), place)
    }
}

fn named(children: &[Child], fits: impl Fn(&str) -> bool) -> Option<&Child> {
    children.iter().find(|child| child.key.as_ref().is_some_and(|(key, _)| fits(key)))
}

/// The part of a place on its first line, without blanks at its end.
fn head(text: &str, span: &Range<usize>) -> Span {
    let piece = text.get(span.clone()).unwrap_or_default();
    let line = piece.lines().next().unwrap_or_default().trim_end();
    if line.is_empty() { first_line_from(text, span.start) } else { span.start..span.start + line.len() }
}

/// The first line of a document that says anything.
fn first_line(text: &str) -> Span {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        if !bare.is_empty() && !bare.starts_with('#') {
            let start = start + line.len() - line.trim_start().len();
            return start..start + bare.len();
        }
        start += line.len();
    }
    0..0
}

fn first_line_from(text: &str, start: usize) -> Span {
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    start..start + line.trim_end().len()
}

/// Byte of each character, and the end, for the parser counts in characters; nothing where both are the same.
fn byte_offsets(text: &str) -> Option<Vec<usize>> {
    (!text.is_ascii()).then(|| text.char_indices().map(|(byte, _)| byte).chain([text.len()]).collect())
}

struct Builder {
    bytes: Option<Vec<usize>>,
    len: usize,
    nodes: Vec<Node>,
    open: Vec<Open>,
}

/// An open map or list, and the key that waits for its value.
struct Open {
    node: usize,
    map: bool,
    key: Option<(String, Range<usize>)>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, marks: Marks) {
        let span = self.span(marks);
        match event {
            Event::Scalar(text, style, ..) => match self.open.last_mut() {
                Some(open) if open.map && open.key.is_none() => open.key = Some((text.into_owned(), span)),
                _ => {
                    self.add(span, Some(style));
                }
            },
            Event::Alias(_) => match self.open.last_mut() {
                Some(open) if open.map && open.key.is_none() => open.key = Some((String::new(), span)),
                _ => {
                    self.add(span, None);
                }
            },
            Event::MappingStart(..) => self.begin(span, true),
            Event::SequenceStart(..) => self.begin(span, false),
            Event::MappingEnd | Event::SequenceEnd => {
                if let Some(open) = self.open.pop() {
                    let node = &mut self.nodes[open.node];
                    node.span.end = node.span.end.max(span.end);
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, span: Range<usize>, map: bool) {
        let node = self.add(span, None);
        self.open.push(Open { node, map, key: None });
    }

    fn add(&mut self, span: Range<usize>, style: Option<ScalarStyle>) -> usize {
        let node = self.nodes.len();
        self.nodes.push(Node { span, style, children: Vec::new() });
        if let Some(open) = self.open.last_mut() {
            let key = open.key.take();
            let parent = open.node;
            self.nodes[parent].children.push(Child { key, node });
        }
        node
    }

    fn span(&self, marks: Marks) -> Range<usize> {
        let byte = |index: usize| match &self.bytes {
            Some(bytes) => bytes.get(index).copied().unwrap_or(self.len),
            None => index.min(self.len),
        };
        byte(marks.start.index())..byte(marks.end.index()).max(byte(marks.start.index()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Code, Problem};

    const TEXT: &str = "# ä\nspec:\n  hosts:\n  - a.com\n  - 'b.com'\n  severity_levels: {info: 2}\n  match: x && y\n";

    fn shown(problem: Problem) -> &'static str {
        let index = Index::of(TEXT).expect("it is YAML");
        &TEXT[index.span(TEXT, &problem)]
    }

    fn at(path: &str) -> Problem {
        Problem::error(Code::Invalid, FieldPath::of(path), "x")
    }

    #[test]
    fn values_keys_and_parts_of_scalars_are_found() {
        assert_eq!(shown(at("spec.hosts[0]")), "a.com");
        assert_eq!(shown(at("spec.hosts[1]").within(2..5)), "com");
        assert_eq!(shown(at("spec.match").within(5..6)), "y");
        assert_eq!(shown(at("spec.match").on_key()), "match");
        assert_eq!(shown(at("spec.severity_levels.info")), "2");
    }

    #[test]
    fn keys_are_found_in_either_spelling() {
        assert_eq!(shown(at("spec.severityLevels.info")), "2");
    }

    #[test]
    fn parts_of_a_block_scalar_are_found() {
        for text in [
            "a: |\n  one\n    two\n\n  bad\n",
            "a: >-\n  one\n    two\n\n  bad",
            "a: |2\n  one\n    two\n\n  bad\nb: 1\n",
            "a: |  # why\n\n  one\n    two\n  bad\n",
        ] {
            let index = Index::of(text).expect("it is YAML");
            let value = serde_yaml::from_str::<serde_json::Value>(text).expect("it is YAML");
            let value = value["a"].as_str().expect("a text");
            let place = value.find("bad").expect("it is there");
            let problem = at("a").within(place..place + 3);
            assert_eq!(&text[index.span(text, &problem)], "bad", "{text:?} {:?}", index.nodes);
        }
    }

    #[test]
    fn a_block_of_lines_is_named_by_its_key() {
        assert_eq!(shown(at("spec.hosts")), "hosts");
        assert_eq!(shown(at("spec")), "spec");
    }

    #[test]
    fn what_is_missing_is_shown_where_it_would_be() {
        assert_eq!(shown(at("spec.actions")), "spec");
        assert_eq!(shown(at("metadata.name")), "spec:");
        assert_eq!(shown(at("spec.hosts[7]")), "hosts");
    }
}
