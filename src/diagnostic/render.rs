//! Drawing a problem: the line of the text, a caret under the fault, what was expected, and advice.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Code, Problem, Severity, Source, Span, visible};

/// Lines shown before the one at fault, so that the reader sees what the key belongs to.
const CONTEXT_LINES: usize = 2;
/// Longest piece of a line that is shown, in bytes; longer ones are cut around the fault.
const MAX_LINE: usize = 400;
/// Most names listed after `expected`; further ones are counted.
const MAX_EXPECTED: usize = 16;
/// Width to which the drawing is cut, in columns, when the caller knows none.
const WIDTH: usize = 140;

/// Draws a problem as rustc would, without a final newline; with `place` it shows the text.
///
/// Any span is accepted: what lies outside the text, or inside a character, is moved to the nearest place.
pub fn render(problem: &Problem, place: Option<(&Source, Span)>, color: bool) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    // The renderer makes nothing but the excerpt safe for a terminal.
    let label = expectation(problem).map(|label| visible(&label).into_owned());
    let excerpt = place.map(|(source, span)| Excerpt::around(source, span));
    // What is missing has no place of its own: its path says what to add.
    let title =
        if excerpt.is_none() || problem.code == Code::Required { problem.to_string() } else { problem.message.clone() };
    let mut group = Group::with_title(level.primary_title(visible(&title)));
    match &excerpt {
        Some(excerpt) => group = group.element(excerpt.snippet(label.as_deref())),
        None => group = group.elements(label.map(|label| Level::NOTE.message(label))),
    }
    group = group.elements(problem.help.as_deref().map(|help| Level::HELP.message(visible(help))));
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH).render(&[group])
}

/// `expected one of …`; nothing where the message says it all.
fn expectation(problem: &Problem) -> Option<String> {
    let names: Vec<&str> = problem.expected.iter().take(MAX_EXPECTED).map(AsRef::as_ref).collect();
    let more = problem.expected.len().saturating_sub(MAX_EXPECTED);
    match (names.as_slice(), problem.code) {
        ([], _) => None,
        ([name], _) => Some(format!("expected {name}")),
        (names, _) if more > 0 => Some(format!("expected one of {} and {more} more", names.join(", "))),
        (names, Code::UnknownField) => Some(format!("expected one of {}", names.join(", "))),
        (names, _) => Some(format!("expected {}", alternatives(names))),
    }
}

fn alternatives(names: &[&str]) -> String {
    match names {
        [head @ .., last] if !head.is_empty() => format!("{} or {last}", head.join(", ")),
        _ => names.join(", "),
    }
}

/// The piece of a text that is shown.
struct Excerpt<'a> {
    name: &'a str,
    text: Cow<'a, str>,
    first_line: usize,
    fault: Range<usize>,
}

impl<'a> Excerpt<'a> {
    /// The line that `span` begins on and some before it; a span over several lines is cut at the end of the first.
    fn around(source: &'a Source, span: Span) -> Self {
        let text: &str = &source.text;
        let start = floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line_end = line_start + text[line_start..line_end].trim_end_matches('\r').len();
        let start = start.min(line_end);
        let end = floor(text, span.end).clamp(start, line_end);
        let (line, _) = source.line_column(start);
        if line_end - line_start > MAX_LINE {
            return Self::cut(source, line, line_start..line_end, start..end);
        }
        let mut from = line_start;
        let mut first_line = line;
        for _ in 0..CONTEXT_LINES.min(line - 1) {
            let before = text[..from - 1].rfind('\n').map_or(0, |at| at + 1);
            if from - before > MAX_LINE || is_marker(&text[before..from]) {
                break;
            }
            (from, first_line) = (before, first_line - 1);
        }
        let fault = start - from..end - from;
        Self { name: &source.name, text: text[from..line_end].into(), first_line, fault }
    }

    /// One overlong line, cut on both sides of the fault.
    fn cut(source: &'a Source, line: usize, whole: Range<usize>, fault: Range<usize>) -> Self {
        let text: &str = &source.text;
        let from = floor(text, fault.start.saturating_sub(MAX_LINE / 4)).max(whole.start);
        let to = floor(text, from + MAX_LINE).min(whole.end);
        let before = if from > whole.start { "…" } else { "" };
        let after = if to < whole.end { "…" } else { "" };
        let shift = |at: usize| at.min(to) - from + before.len();
        let fault = shift(fault.start)..shift(fault.end);
        Self { name: &source.name, text: format!("{before}{}{after}", &text[from..to]).into(), first_line: line, fault }
    }

    fn snippet(&self, label: Option<&str>) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
        let mark = AnnotationKind::Primary.span(self.fault.clone()).label(label.map(ToOwned::to_owned));
        Snippet::source(&*self.text).path(self.name).line_start(self.first_line).fold(false).annotation(mark)
    }
}

/// Whether a line separates documents; what stands before it does not belong to the fault.
fn is_marker(line: &str) -> bool {
    line.trim_start().starts_with("---")
}

/// The start of the character that holds this byte, inside the text.
fn floor(text: &str, byte: usize) -> usize {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

#[cfg(test)]
mod tests {
    use super::super::FieldPath;
    use super::*;

    fn problem() -> Problem {
        Problem::error(Code::NotSupported, FieldPath::of("spec.resolution"), "unsupported value \"DSN\"")
            .expected(["NONE", "STATIC", "DNS"])
            .help("did you mean \"DNS\"?")
    }

    #[test]
    fn a_problem_points_at_its_place() {
        let source = Source::new("cnn.yaml", "a: 1\nspec:\n  resolution: DSN\nend: 1\n");
        insta::assert_snapshot!(render(&problem(), Some((&source, 24..27)), false), @r###"
        error: unsupported value "DSN"
         --> cnn.yaml:3:14
          |
        1 | a: 1
        2 | spec:
        3 |   resolution: DSN
          |              ^^^ expected NONE, STATIC or DNS
          |
          = help: did you mean "DNS"?
        "###);
    }

    #[test]
    fn without_a_text_the_path_is_named() {
        insta::assert_snapshot!(render(&problem(), None, false), @r###"
        error: spec.resolution: unsupported value "DSN"
         |
         = note: expected NONE, STATIC or DNS
         = help: did you mean "DNS"?
        "###);
    }

    #[test]
    fn colour_is_on_request() {
        assert!(render(&problem(), None, true).contains('\x1b'));
        assert!(!render(&problem(), None, false).contains('\x1b'));
    }

    #[test]
    fn a_very_long_line_is_cut() {
        let source = Source::new("f", format!("{}X{}\n", "a ".repeat(5_000), " b".repeat(5_000)));
        let picture = render(&problem(), Some((&source, 10_000..10_001)), false);
        assert!(picture.lines().all(|line| line.chars().count() < 600), "{picture}");
        assert!(picture.contains('X'));
    }

    proptest::proptest! {
        #[test]
        fn no_span_makes_it_panic(text in "(\\PC|[\\n\\r\\t\u{0}]){0,80}", start in 0..100_usize, end in 0..100_usize) {
            let source = Source::new("f", text);
            render(&problem(), Some((&source, start..end)), false);
        }
    }
}
