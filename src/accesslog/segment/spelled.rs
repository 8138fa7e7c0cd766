//! A line's fields as they are spelled.

use memchr::memchr2;

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
