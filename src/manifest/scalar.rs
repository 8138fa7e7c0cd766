//! What an unquoted word of YAML means, as kubectl reads it (YAML 1.1).

use serde_json::{Number, Value as Json};

/// The value of an unquoted word: null, a truth value, a number, or itself.
///
/// Octal (`0644`), hexadecimal, binary and `_` between digits are numbers; infinities and NaN, which JSON has not, are
/// texts, as are points in time.
pub(super) fn resolve(word: &str) -> Json {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Json::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Json::Bool(false);
        }
        _ => {}
    }
    if !word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return Json::String(word.into());
    }
    integer(word).or_else(|| float(word)).unwrap_or_else(|| Json::String(word.into()))
}

/// Whether a text written without quotes would be read as something else than itself, here or by other readers.
pub(super) fn is_ambiguous(text: &str) -> bool {
    const OTHERS: [&str; 13] =
        ["<<", "=", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", ".nan", ".NaN"];
    !resolve(text).is_string() || OTHERS.contains(&text) || text == ".NAN" || is_sexagesimal_or_date(text)
}

fn integer(word: &str) -> Option<Json> {
    let (negative, digits) = match word.as_bytes().first()? {
        b'-' => (true, &word[1..]),
        b'+' => (false, &word[1..]),
        _ => (false, word),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = digits.replace('_', "");
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, &digits[2..]),
        Some("0b" | "0B") => (2, &digits[2..]),
        Some("0o" | "0O") => (8, &digits[2..]),
        Some(_) if digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits.as_str()),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative { Some(0_i64.checked_sub_unsigned(magnitude)?.into()) } else { Some(magnitude.into()) }
}

fn float(word: &str) -> Option<Json> {
    let plain = word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let digits = word.bytes().any(|b| b.is_ascii_digit());
    let number: f64 = if plain && digits { word.parse().ok()? } else { return None };
    Number::from_f64(number).map(Json::Number)
}

/// `12:30:45` and `2001-12-14…`, which YAML 1.1 has types for.
fn is_sexagesimal_or_date(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let sexagesimal = text.trim_start_matches(['+', '-']);
    let sexagesimal =
        sexagesimal.contains(':') && sexagesimal.split(':').all(|part| digits(part.split('.').next().unwrap_or("")));
    let bytes = text.as_bytes();
    let date =
        bytes.len() >= 8 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-' && bytes[5].is_ascii_digit();
    sexagesimal || date
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_mean_what_kubectl_takes_them_for() {
        for (word, value) in [
            ("", json!(null)),
            ("yes", json!(true)),
            ("n", json!(false)),
            ("443", json!(443)),
            ("-1", json!(-1)),
            ("0644", json!(420)),
            ("0x1F", json!(31)),
            ("1_000", json!(1000)),
            ("0", json!(0)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("18446744073709551615", json!(u64::MAX)),
        ] {
            assert_eq!(resolve(word), value, "{word}");
        }
        for word in
            ["1.5s", "10.0.0.1", "0x", "08a", "-", "+", ".", "v1", "1-2", "--1", "0x-1", ".inf", "e3", "2018-06-18"]
        {
            assert_eq!(resolve(word), json!(word), "{word}");
        }
    }

    #[test]
    fn what_others_may_misread_is_ambiguous() {
        for text in ["y", "1", "~", "", "12:30", "2018-06-18", ".inf", "<<"] {
            assert!(is_ambiguous(text), "{text}");
        }
        assert!(!is_ambiguous("HTTP") && !is_ambiguous("a:b"));
    }
}
