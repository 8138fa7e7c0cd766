//! The JSON form of values, written for a log line that people read in a terminal.

use std::fmt::Write;

use super::ValueRef;
use super::value::sorted;
use crate::diagnostic::is_unsafe;

impl ValueRef<'_> {
    /// Appends the value as JSON: numbers and truth values bare, everything else in quotes, a STRING_MAP as an object
    /// sorted by key. Allocates nothing beyond `out`, but for a STRING_MAP.
    pub fn write_json(&self, out: &mut String) {
        match self {
            ValueRef::String(text) | ValueRef::DnsName(text) | ValueRef::EmailAddress(text) | ValueRef::Uri(text) => {
                write_string(text, out);
            }
            ValueRef::StringMap(map) => write_object(sorted(*map), out),
            ValueRef::Int64(_) | ValueRef::Bool(_) => self.write_text(out),
            ValueRef::Double(number) if number.is_finite() => self.write_text(out),
            ValueRef::Double(_) | ValueRef::Timestamp(_) | ValueRef::Duration(_) | ValueRef::IpAddress(_) => {
                out.push('"');
                self.write_text(out);
                out.push('"');
            }
        }
    }
}

fn write_object(pairs: impl IntoIterator<Item = (String, String)>, out: &mut String) {
    out.push('{');
    for (position, (key, value)) in pairs.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_string(&key, out);
        out.push(':');
        write_string(&value, out);
    }
    out.push('}');
}

/// Appends a text in quotes. Escaped are `"`, `\` and whatever could end a line, drive a terminal or turn the direction of
/// writing ([`is_unsafe`]); all else, `<`, `>` and `&` too, stays as it is.
pub fn write_string(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    write_text(text, out);
    out.push('"');
}

/// The same without the quotes.
pub(crate) fn write_text(text: &str, out: &mut String) {
    // Most texts need no escape, and their bytes tell so faster than their characters.
    if !is_plain(text.as_bytes()) && text.bytes().any(may_need_escape) {
        write_escaped(text, out);
    } else {
        out.push_str(text);
    }
}

/// Whether a text has nothing but printable ASCII without quotes and backslashes. Eight bytes are looked at at once: most
/// texts are too short for a loop over more to be of use.
pub(crate) fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks();
    let found = words.iter().fold(0, |found, word| found | suspects(u64::from_le_bytes(*word)));
    let last = match text.last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => rest.iter().fold(u64::from_le_bytes(*b"        "), |word, byte| word << 8 | u64::from(*byte)),
    };
    found | suspects(last) == 0
}

/// How many bytes a text begins with that are printable ASCII and neither quotes nor backslashes.
pub(crate) fn plain_length(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks();
    for (place, word) in words.iter().enumerate() {
        let found = suspects(u64::from_le_bytes(*word));
        if found != 0 {
            // The lowest is never wrong.
            return place * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let mut last = *b"        ";
    last[..rest.len()].copy_from_slice(rest);
    // Blanks are plain, and without a fault the count of zeros is that of all bits.
    let found = suspects(u64::from_le_bytes(last)).trailing_zeros() as usize / 8;
    words.len() * 8 + found.min(rest.len())
}

/// Zero if no byte of a word is below a blank, above a tilde, a quote or a backslash.
fn suspects(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    // The high bit of a byte that is less than `limit`; of bytes above such a one it may be set wrongly.
    let less = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let is = |byte: u8| less(word ^ (ONES * u64::from(byte)), 1);
    let beyond = word | word.wrapping_add(ONES);
    (less(word, 0x20) | is(b'"') | is(b'\\') | beyond) & (ONES << 7)
}

fn write_escaped(text: &str, out: &mut String) {
    let mut clean_from = 0;
    for (place, c) in text.char_indices().filter(|&(_, c)| needs_escape(c)) {
        out.push_str(&text[clean_from..place]);
        write_escape(c, out);
        clean_from = place + c.len_utf8();
    }
    out.push_str(&text[clean_from..]);
}

/// Whether a byte is, or begins, a character that needs an escape.
pub(crate) fn may_need_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f | 0x7f | 0xc2 | 0xd8 | 0xe2)
}

fn needs_escape(c: char) -> bool {
    matches!(c, '"' | '\\') || is_unsafe(c)
}

fn write_escape(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        other => write!(out, "\\u{:04x}", u32::from(other)).expect("writing to a String does not fail"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::expr::Timestamp;

    fn json(value: ValueRef<'_>) -> String {
        let mut out = String::new();
        value.write_json(&mut out);
        out
    }

    #[test]
    fn every_type_has_its_json_form() {
        let map = BTreeMap::from([("b".to_owned(), "\"".to_owned()), ("B".to_owned(), "1".to_owned())]);
        for (value, expected) in [
            (ValueRef::String("a<b>&\u{fc}"), "\"a<b>&\u{fc}\""),
            (ValueRef::Int64(-5), "-5"),
            (ValueRef::Double(2.0), "2"),
            (ValueRef::Double(0.1), "0.1"),
            (ValueRef::Double(f64::NAN), "\"NaN\""),
            (ValueRef::Double(f64::INFINITY), "\"+Inf\""),
            (ValueRef::Bool(true), "true"),
            (ValueRef::Timestamp(Timestamp::from_micros(1_529_328_178_317_448)), "\"2018-06-18T13:22:58.317448Z\""),
            (ValueRef::Duration(1_500_000_000), "\"1.5s\""),
            (ValueRef::IpAddress([10, 1, 12, 3].into()), "\"10.1.12.3\""),
            (ValueRef::DnsName("a.b"), "\"a.b\""),
            (ValueRef::StringMap(&map), "{\"B\":\"1\",\"b\":\"\\\"\"}"),
        ] {
            assert_eq!(json(value), expected);
        }
    }

    #[test]
    fn a_text_is_plain_if_each_of_its_bytes_is_wherever_it_stands() {
        for length in 0..20 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'a'; length];
                    text[place] = byte;
                    let expected = matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\';
                    assert_eq!(is_plain(&text), expected, "{byte} at {place} of {length}");
                    let plain = if expected { length } else { place };
                    assert_eq!(plain_length(&text), plain, "{byte} at {place} of {length}");
                }
            }
        }
    }

    #[test]
    fn no_text_can_end_the_line_or_drive_a_terminal() {
        let wild = "\u{1b}[2J\r\n\t\0\u{7f}\u{9b}\u{2028}\u{2029}\\";
        assert_eq!(json(ValueRef::String(wild)), r#""\u001b[2J\r\n\t\u0000\u007f\u009b\u2028\u2029\\""#);
        let turned = "\u{202e}moc.nnc\u{2069}\u{200f}\u{61c}";
        assert_eq!(json(ValueRef::String(turned)), r#""\u202emoc.nnc\u2069\u200f\u061c""#);
    }

    proptest! {
        #[test]
        fn a_json_reader_gets_the_text_back(text in any::<String>()) {
            let line = json(ValueRef::String(&text));
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
