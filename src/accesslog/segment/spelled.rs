//! A line's fields as they are spelled.

use memchr::memchr2;

use crate::expr::plain_length;

/// The name and the value, each as it is spelled, of the field that a text begins with, and what follows.
pub(crate) fn split_field(text: &str) -> Option<(&str, &str, &str)> {
    let (name, after) = split_text(text)?;
    let (value, after) = split_value(after.strip_prefix(':')?)?;
    Some((name, value, after))
}

/// The JSON string that a text begins with, and what follows.
pub(super) fn split_text(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return text.split_at_checked(at + 1);
        }
        at += 2;
    }
}

/// The value that a text begins with, and what follows: a string, an object or array, or whatever ends at a comma.
pub(super) fn split_value(text: &str) -> Option<(&str, &str)> {
    match text.as_bytes().first()? {
        b'"' => split_text(text),
        b'{' | b'[' => {
            let (mut depth, mut at) = (0_usize, 0);
            while at < text.len() {
                match text.as_bytes()[at] {
                    b'"' => at += split_text(text.get(at..)?)?.0.len() - 1,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return text.split_at_checked(at);
                }
            }
            None
        }
        b',' => None,
        _ => Some(text.split_at(text.bytes().position(|byte| byte == b',').unwrap_or(text.len()))),
    }
}

/// The text that a JSON string without escapes, which a text begins with, stands for, and what follows.
pub(super) fn split_plain(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('"')?;
    let (value, after) = inner.split_at_checked(plain_length(inner.as_bytes()))?;
    Some((value, after.strip_prefix('"')?))
}

/// The whole number of at most 18 digits that a field ends with, spelled as we write it, and what follows.
pub(super) fn split_int(text: &str) -> Option<(i64, &str)> {
    let bytes = text.as_bytes();
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let mut end = sign;
    let mut value = 0;
    while let Some(digit) = bytes.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        if end - sign == 18 {
            return None;
        }
        value = value * 10 + i64::from(digit);
        end += 1;
    }
    // Neither `-0` nor `07`, and nothing that goes on otherwise.
    let is_ours = match bytes.get(sign)? {
        b'0' => end == 1,
        _ => end > sign,
    };
    let ends = matches!(bytes.get(end), None | Some(b','));
    (is_ours && ends).then(|| (if sign == 1 { -value } else { value }, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_split_off_if_they_are_spelled_as_we_write_them() {
        for (text, expected) in [
            ("0", Some((0, ""))),
            ("7,", Some((7, ","))),
            ("-7,\"a\":1", Some((-7, ",\"a\":1"))),
            ("123456789012345678", Some((123_456_789_012_345_678, ""))),
            ("1234567890123456789", None),
            ("-0", None),
            ("07", None),
            ("-07", None),
            ("-", None),
            ("", None),
            ("1.5", None),
            ("1e3", None),
            ("\"1\"", None),
        ] {
            assert_eq!(split_int(text), expected, "{text}");
        }
    }

    #[test]
    fn texts_are_split_off_if_nothing_in_them_is_escaped() {
        for (text, expected) in [
            ("\"\"", Some(("", ""))),
            ("\"a\",\"b\":1", Some(("a", ",\"b\":1"))),
            ("\"a long one of many words\",", Some(("a long one of many words", ","))),
            ("\"a \\\" b\"", None),
            ("\"f\u{fc}r\"", None),
            ("\"never ends", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(split_plain(text), expected, "{text}");
        }
    }
}
