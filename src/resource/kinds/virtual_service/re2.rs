//! Regular expressions that RE2, which Envoy has, refuses, or reads otherwise than we do even when translated.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassSetBinaryOp, ClassSetBinaryOpKind, Flag, Flags, FlagsItemKind, GroupKind,
    RepetitionKind, RepetitionRange, Visitor,
};

/// Most repetitions that may be counted (RE2's bound).
const MAX_COUNT: u32 = 1000;

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
