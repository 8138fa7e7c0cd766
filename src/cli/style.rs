//! Messages in colour.

pub(crate) use crate::diagnostic::style::{ERROR, FAINT, HEADING, PLAIN, WARNING};

/// Starts of messages, and the colour of what comes before their first colon.
const MARKS: &[(&str, &str)] =
    &[("error:", ERROR), ("Error from server", ERROR), ("The ", ERROR), ("Warning:", WARNING), ("warning:", WARNING)];

/// A message with the words up to its first colon, which say what sort of message it is, in colour. Any other text, and
/// one that is coloured already, stays as it is.
pub(crate) fn marked(text: &str) -> String {
    let mark = MARKS.iter().find(|(start, _)| text.starts_with(start));
    match (mark, text.find(':')) {
        (Some((_, colour)), Some(colon)) if !text[..colon].contains(['\n', '\u{1b}']) => {
            format!("{colour}{}:{PLAIN}{}", &text[..colon], &text[colon + 1..])
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sort_of_message_it_is_stands_out() {
        assert_eq!(marked("error: no: x"), format!("{ERROR}error:{PLAIN} no: x"));
        assert_eq!(marked("Warning: x"), format!("{WARNING}Warning:{PLAIN} x"));
        for text in ["No resources found", "egressctl: ready", "The end"] {
            assert_eq!(marked(text), text);
        }
    }
}
