//! Regular expressions in RE2's syntax, as Mixer and Envoy read them, for a library with a slightly different one.
//!
//! Both are linear in the text. They differ in that RE2's `\d \w \s \b` are ASCII, `[` inside brackets is a plain
//! character, a `{` that begins no repetition is one too, and `\Q…\E` quotes.

use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// Most memory that a compiled pattern may take, in bytes: room for some ten thousand characters and their classes.
const MAX_COMPILED: usize = 1 << 20;

/// Longest pattern, in bytes: a text of a call may be one, and time grows with its length.
const MAX_PATTERN: usize = 8 * 1024;

/// Longest pattern that is compiled anew for each call, in bytes; compiling takes a thousand times as long as matching.
const MAX_PATTERN_OF_A_CALL: usize = 1024;

/// Most memory that a pattern may take which is compiled for one call, in bytes.
const MAX_COMPILED_FOR_A_CALL: usize = 64 << 10;

/// Compiles a pattern of RE2 syntax; it matches anywhere in a text unless it says otherwise.
///
/// # Errors
/// What is wrong with it, on one line.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    build(pattern, MAX_PATTERN, MAX_COMPILED)
}

/// As [`compile`], with narrower bounds, for a pattern that a caller may have sent.
pub(super) fn compile_for_a_call(pattern: &str) -> Result<Regex, String> {
    build(pattern, MAX_PATTERN_OF_A_CALL, MAX_COMPILED_FOR_A_CALL)
}

fn build(pattern: &str, longest: usize, largest: usize) -> Result<Regex, String> {
    if pattern.len() > longest {
        return Err(format!("the pattern has {} bytes, more than the {longest} that are read", pattern.len()));
    }
    RegexBuilder::new(&translate(pattern)).size_limit(largest).build().map_err(|fault| one_line(&fault))
}

/// Most memory that a set of compiled patterns may take, in bytes: room for some hundred thousand short ones.
const MAX_COMPILED_SET: usize = 64 << 20;

/// Compiles patterns of RE2 syntax into a set that is searched for all of them in one pass over the text.
///
/// # Errors
/// What is wrong with the first that is no pattern, or with all of them together, on one line.
pub fn compile_set<'p>(patterns: impl Iterator<Item = &'p str>) -> Result<RegexSet, String> {
    let patterns: Vec<&str> = patterns.collect();
    let translated = patterns.iter().map(|pattern| translate(pattern));
    RegexSetBuilder::new(translated).size_limit(MAX_COMPILED_SET).build().map_err(|fault| {
        let broken = patterns.iter().find_map(|pattern| Some(format!("\"{pattern}\": {}", compile(pattern).err()?)));
        broken.unwrap_or_else(|| one_line(&fault))
    })
}

/// Compiles a pattern that must match the whole of a text.
///
/// # Errors
/// What is wrong with it, on one line; also where it is one only by itself, as `(?x)a#`, whose comment would swallow the
/// end of the anchored form.
pub fn compile_whole(pattern: &str) -> Result<Regex, String> {
    compile(pattern)?;
    compile(&format!("^(?:{pattern})$"))
}

/// The library draws a picture over several lines, the last of which says what is wrong.
fn one_line(fault: &regex::Error) -> String {
    let text = fault.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// A pattern of RE2's syntax in the library's, for those who compile it with bounds of their own.
pub fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut in_brackets = false;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\\' => escape(rest, in_brackets, &mut out),
            '[' if !in_brackets => {
                in_brackets = true;
                open_brackets(rest, &mut out)
            }
            '[' => nested_bracket(rest, &mut out),
            ']' if in_brackets => {
                in_brackets = false;
                copy(c, &mut out)
            }
            '&' | '~' if in_brackets => escaped(c, &mut out),
            '{' if !in_brackets && !is_repetition(rest) => escaped(c, &mut out),
            other => copy(other, &mut out),
        };
        rest = &rest[taken..];
    }
    out
}

fn copy(c: char, out: &mut String) -> usize {
    out.push(c);
    c.len_utf8()
}

fn escaped(c: char, out: &mut String) -> usize {
    out.push('\\');
    copy(c, out)
}

/// `[`, `[^`, and a `]` right after them, which is a character of the set.
fn open_brackets(rest: &str, out: &mut String) -> usize {
    let opening = if rest.starts_with("[^") { "[^" } else { "[" };
    out.push_str(opening);
    if rest[opening.len()..].starts_with(']') {
        return opening.len() + escaped(']', out);
    }
    opening.len()
}

/// Inside brackets: `[:alpha:]` stays, a lone `[` is a character.
fn nested_bracket(rest: &str, out: &mut String) -> usize {
    let class = rest.starts_with("[:").then(|| rest.find(":]")).flatten();
    match class {
        Some(end) => {
            out.push_str(&rest[..end + 2]);
            end + 2
        }
        None => escaped('[', out),
    }
}

/// Whether `{2}`, `{2,}` or `{2,3}` begins here. Looks no further than that: a row of brackets must not take time that
/// grows with its square.
fn is_repetition(rest: &str) -> bool {
    let after_digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let inside = &rest[1..];
    let least = after_digits(inside);
    let tail = &inside[least..];
    let tail = tail.strip_prefix(',').map_or(tail, |most| &most[after_digits(most)..]);
    least > 0 && tail.starts_with('}')
}

/// What follows a backslash; the bytes taken.
fn escape(rest: &str, in_brackets: bool, out: &mut String) -> usize {
    let Some(c) = rest[1..].chars().next() else { return copy('\\', out) };
    let ascii = match c {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => "[\\t\\n\\x0C\\r ]",
        'S' => "[^\\t\\n\\x0C\\r ]",
        'b' if !in_brackets => "(?-u:\\b)",
        'B' if !in_brackets => "(?-u:\\B)",
        // Angle brackets are word boundaries to the library and plain characters to RE2.
        '<' => "<",
        '>' => ">",
        'Q' if !in_brackets => return quoted(rest, out),
        'p' | 'P' | 'x' if rest[2..].starts_with('{') => return copy_braces(rest, out),
        other => {
            out.push('\\');
            out.push(other);
            ""
        }
    };
    out.push_str(ascii);
    1 + c.len_utf8()
}

/// `\p{Greek}`, `\x{263a}`: braces that are neither a repetition nor plain.
fn copy_braces(rest: &str, out: &mut String) -> usize {
    let length = rest.find('}').map_or(rest.len(), |end| end + 1);
    out.push_str(&rest[..length]);
    length
}

/// `\Q…\E`, or to the end.
fn quoted(rest: &str, out: &mut String) -> usize {
    let content = &rest[2..];
    let (text, closing) = content.split_once("\\E").map_or((content, 0), |(text, _)| (text, 2));
    out.push_str(&regex::escape(text));
    2 + text.len() + closing
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        compile(pattern).unwrap().is_match(text)
    }

    #[test]
    fn patterns_match_anywhere_unless_anchored() {
        assert!(matches("pol", "/politics"));
        assert!(!matches("^pol", "/politics"));
        assert!(!matches("pol$", "/politics"));
        assert!(matches("(?i)POL", "/politics"));
    }

    #[test]
    fn classes_are_ascii_as_in_re2() {
        assert!(!matches("^\\d$", "\u{663}") && matches("^\\d$", "3") && matches("^[^\\d]$", "\u{663}"));
        assert!(!matches("^\\w$", "\u{fc}") && matches("^\\W$", "\u{fc}"));
        assert!(matches("a\\b", "a\u{fc}") && matches("x\\By", "xy"));
        assert!(matches("^[[:alpha:]\\d]+$", "a1"));
        assert!(matches("^\\p{Greek}\\pL\\x{41}[\\p{Greek}]{2}$", "\u{3c3}zA\u{3c3}\u{3c3}"));
    }

    #[test]
    fn plain_characters_of_re2_are_plain_here() {
        assert!(
            matches("^a{b}$", "a{b}")
                && matches("^a{2}$", "aa")
                && matches("^a{1,}$", "aa")
                && matches("^{,2}$", "{,2}")
        );
        assert!(matches("^[[]$", "[") && matches("^[]]$", "]") && matches("^[^]]$", "a"));
        assert!(matches("^[a&&b]+$", "a&b") && matches("^[a~~b]+$", "~"));
        assert!(matches("^\\<a\\>$", "<a>"));
        assert!(matches("^\\Qa.b*\\E+$", "a.b**") && !matches("^\\Qa.b", "axb"));
    }

    #[test]
    fn what_is_no_pattern_is_refused_on_one_line() {
        for pattern in ["(", "[a", "a**b(", "\\", "(?=a)", "\\1", "(?<!a)b"] {
            let fault = compile(pattern).expect_err(pattern);
            assert!(!fault.contains('\n') && !fault.is_empty(), "{pattern}: {fault}");
        }
    }

    #[test]
    fn a_pattern_that_grows_without_bound_is_refused() {
        assert!(compile("((a{100}){100}){100}").is_err());
    }

    #[test]
    fn a_set_is_searched_for_all_its_patterns() {
        let set = compile_set(["^/sport", "\\d$"].into_iter()).unwrap();
        assert!(set.is_match("/sport/x") && set.is_match("/a1") && !set.is_match("/a/sport"));
        assert!(!compile_set([].into_iter()).unwrap().is_match(""));
        assert!(compile_set(["a", "b("].into_iter()).unwrap_err().starts_with("\"b(\": "));
    }

    proptest! {
        #[test]
        fn any_text_is_a_pattern_or_refused(pattern in "[a-z\\\\\\[\\](){}^$*+?|&~:,.<>QE0-9-]{0,20}") {
            let _ = compile(&pattern);
        }
    }
}
