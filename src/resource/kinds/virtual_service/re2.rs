//! Regular expressions that RE2, which Envoy has, refuses, or reads otherwise than we do even when translated.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassSetBinaryOp, ClassSetBinaryOpKind, Flag, Flags, FlagsItemKind, GroupKind,
    RepetitionKind, RepetitionRange, Visitor,
};
use regex_syntax::hir::{Class, Hir, HirKind};
use regex_syntax::utf8::Utf8Sequences;

use crate::expr::pattern;

/// Most repetitions that may be counted (RE2's bound).
const MAX_COUNT: u32 = 1000;

/// How many instructions the program of an expression has, nearly: RE2 counts so, and memory and time to compile it grow with
/// them here too.
///
/// # Errors
/// What is wrong with it, on one line.
pub(super) fn program(regex: &str) -> Result<u64, String> {
    let parsed = regex_syntax::parse(&pattern::translate(regex)).map_err(|error| {
        let error = error.to_string();
        error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })?;
    Ok(instructions(&parsed))
}

fn instructions(expression: &Hir) -> u64 {
    let all = |parts: &[Hir]| parts.iter().map(instructions).fold(0, u64::saturating_add);
    match expression.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(Class::Bytes(class)) => class.ranges().len() as u64,
        HirKind::Class(Class::Unicode(class)) => {
            let sequences = class.iter().flat_map(|range| Utf8Sequences::new(range.start(), range.end()));
            sequences.map(|sequence| sequence.len() as u64).sum()
        }
        HirKind::Repetition(repetition) => {
            let times = u64::from(repetition.max.unwrap_or(repetition.min + 1)).max(1);
            (instructions(&repetition.sub) + 1).saturating_mul(times)
        }
        HirKind::Capture(capture) => instructions(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) => all(parts),
        HirKind::Alternation(parts) => all(parts).saturating_add(parts.len() as u64),
    }
}

/// Whether an expression that we can read means the same to RE2.
///
/// # Errors
/// What does not, in the words of Go's library where it has some.
pub(super) fn same_to_re2(regex: &str) -> Result<(), &'static str> {
    match Parser::new().parse(regex) {
        Ok(ast) => ast::visit(&ast, Foreign),
        // What cannot be read is refused with better words.
        Err(_) => Ok(()),
    }
}

/// Stops at what is foreign to RE2.
struct Foreign;

impl Visitor for Foreign {
    type Output = ();
    type Err = &'static str;

    fn finish(self) -> Result<(), &'static str> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), &'static str> {
        match ast {
            Ast::Repetition(repetition) => {
                if matches!(*repetition.ast, Ast::Repetition(_)) {
                    return Err("invalid nested repetition operator");
                }
                let most = match repetition.op.kind {
                    RepetitionKind::Range(RepetitionRange::Exactly(count) | RepetitionRange::AtLeast(count)) => count,
                    RepetitionKind::Range(RepetitionRange::Bounded(_, count)) => count,
                    _ => 0,
                };
                if most > MAX_COUNT { Err("invalid repeat count") } else { Ok(()) }
            }
            Ast::Assertion(assertion) => match assertion.kind {
                AssertionKind::StartLine
                | AssertionKind::EndLine
                | AssertionKind::StartText
                | AssertionKind::EndText
                | AssertionKind::WordBoundary
                | AssertionKind::NotWordBoundary
                // `\<` and `\>`: plain characters to RE2, and so translated.
                | AssertionKind::WordBoundaryStartAngle
                | AssertionKind::WordBoundaryEndAngle => Ok(()),
                _ => Err("invalid escape sequence"),
            },
            Ast::Flags(set) => flags(&set.flags),
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(set) => flags(set),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, op: &ClassSetBinaryOp) -> Result<(), &'static str> {
        match op.kind {
            ClassSetBinaryOpKind::Difference => Err("-- inside of brackets needs a \\ before its signs"),
            _ => Ok(()),
        }
    }
}

fn flags(flags: &Flags) -> Result<(), &'static str> {
    let foreign =
        |kind: &FlagsItemKind| matches!(kind, FlagsItemKind::Flag(Flag::Unicode | Flag::CRLF | Flag::IgnoreWhitespace));
    match flags.items.iter().any(|item| foreign(&item.kind)) {
        true => Err("invalid or unsupported Perl syntax"),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_program_is_that_of_what_is_repeated_as_often_as_it_is() {
        for (regex, size) in [
            ("", 1),
            ("abc", 3),
            ("[a-z]", 1),
            ("(a|bc)", 2 + 2 + 3),
            ("a{10}", 20),
            ("(a{10}){10}", (20 + 2 + 1) * 10),
            ("a{1000}{1000}", 2_001_000),
        ] {
            assert_eq!(program(regex), Ok(size), "{regex}");
        }
        assert!(program("(a").is_err());
    }

    #[test]
    fn what_re2_reads_otherwise_is_found() {
        for same in [
            "^/(health|sport).*$",
            "(a*)*",
            "a*?b+?c{2,3}?",
            "[[:alpha:]_-]+\\d\\b",
            "(?i:a)(?P<n>b)(?s).",
            "\\p{Greek}",
            "a{1000}",
            "[a\\[b\\]-]",
            "[a[b]]",
            "[a&&b~~c]",
            "\\<a\\>",
        ] {
            assert_eq!(same_to_re2(same), Ok(()), "{same}");
        }
        for (foreign, why) in [
            ("/api/**", "invalid nested repetition operator"),
            ("a++", "invalid nested repetition operator"),
            ("a{2}{3}", "invalid nested repetition operator"),
            ("a{1001}", "invalid repeat count"),
            ("a{1,1001}", "invalid repeat count"),
            ("(?x)a b", "invalid or unsupported Perl syntax"),
            ("(?-u:a)", "invalid or unsupported Perl syntax"),
            ("\\b{start}a", "invalid escape sequence"),
            ("[a--b]", "-- inside of brackets needs a \\ before its signs"),
        ] {
            assert_eq!(same_to_re2(foreign), Err(why), "{foreign}");
        }
    }
}
