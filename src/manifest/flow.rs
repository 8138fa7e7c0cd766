//! Lists and maps in brackets over several lines, indented less than YAML wants it. kubectl's reader takes them all the same:
//!
//! ```yaml
//! hosts: [
//!   "edition.cnn.com"
//! ]
//! ```

use std::borrow::Cow;

use saphyr_parser::Parser;

use super::yaml::byte_of;

/// Most lines of a document that are joined; each costs a reading of the document.
const MAX_JOINED: usize = 256;

/// What the parser says of such a line.
const REFUSALS: [&str; 2] = ["invalid indentation", "invalid indentation in flow construct"];

/// Whether such a line may be what the parser refused.
pub(super) fn is_to_blame(info: &str) -> bool {
    REFUSALS.contains(&info)
}

/// The text with such lines joined to the ones before. Every character that is left has its place.
pub(super) fn joined(text: &str) -> Cow<'_, str> {
    let mut joined = Cow::Borrowed(text);
    for _ in 0..MAX_JOINED {
        let Some(error) = Parser::new_from_str(&joined).find_map(Result::err) else { break };
        let at = byte_of(&joined, error.marker().index());
        match is_to_blame(error.info()).then(|| with_line_before(&joined, at)).flatten() {
            Some(next) => joined = Cow::Owned(next),
            None => break,
        }
    }
    joined
}

/// The text with the line whose first word stands at a byte joined to the one before. A comment there becomes spaces.
fn with_line_before(text: &str, at: usize) -> Option<String> {
    let end = text[..at].rfind('\n').filter(|end| text[end + 1..at].trim().is_empty())?;
    let before = text[..end].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[before..end];
    let code = comment(line).unwrap_or(line.trim_end_matches('\r').len());
    let blank = " ".repeat(line[code..].chars().count() + 1);
    Some([&text[..before + code], &blank, &text[end + 1..]].concat())
}

/// Where the comment of a line begins.
fn comment(line: &str) -> Option<usize> {
    let (mut quote, mut previous) = (None, ' ');
    for (at, char) in line.char_indices() {
        match quote {
            None if char == '#' && previous.is_whitespace() => return Some(at),
            None if "'\"".contains(char) && (previous.is_whitespace() || "[{,:".contains(previous)) => {
                quote = Some(char);
            }
            Some(open) if char == open && previous != '\\' => quote = None,
            _ => {}
        }
        previous = char;
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::yaml::read;
    use super::*;

    #[test]
    fn lines_in_brackets_may_be_indented_as_anyone_likes() {
        for text in [
            "a:\n  b: [\n    \"x\",\n    \"z\"\n  ]\n",
            "a:\n  b: [\n    'x', # one's own\n    \"z\",\n  ]\n",
            "a:\n  b: [\n    x,\n    z\n]\n",
            "a:\n  b: [ # \"two\n  x,\n# three\n\n  'z' ]\n",
            "a:\r\n  b: [\r\n  \"x\",\r\n  \"z\"\r\n  ]\r\n",
            "a: {\n\"b\": [\n\"x\",\n\"z\"\n]\n}\n",
        ] {
            assert_eq!(
                read(text).map_err(|fault| fault.problem.message),
                Ok(json!({"a": {"b": ["x", "z"]}})),
                "{text}"
            );
        }
        let text = "a:\n- b: [\n    \"\u{e9} # no comment\", # \u{e9}\n  \"z\"\n  ]\n";
        assert_eq!(read(text).ok(), Some(json!({"a": [{"b": ["\u{e9} # no comment", "z"]}]})));
        assert_eq!(joined(text).chars().count(), text.chars().count());
    }

    #[test]
    fn what_is_no_yaml_even_so_is_told_as_it_stands() {
        let fault = read("a:\n  b: [\n  x,\n  c: d\n").expect_err("it is not closed");
        assert!(fault.problem.message.contains("invalid indentation"), "{:?}", fault.problem);
        assert_eq!(fault.span.start, 12);
        let fault = read(&format!("a:\n  b: [\n{}  ]\n", "  x,\n".repeat(MAX_JOINED + 1))).expect_err("it is too much");
        assert!(fault.problem.message.contains("invalid indentation"), "{:?}", fault.problem);
    }
}
