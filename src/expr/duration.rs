//! Spans of time as Go writes them: `1h30m`, `7.556ms`, `-1.5h`.
//!
//! Istio's resources, and string literals of expressions, take exactly what Go's `time.ParseDuration` takes, so this
//! follows it in every corner: `0` needs no unit, `+`, `1.s` and `.5s` are fine, blanks and days are not.

use std::fmt::Write;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000 * MICROSECOND;
const SECOND: u64 = 1_000 * MILLISECOND;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// Most nanoseconds below zero; one less above.
const LIMIT: u64 = 1 << 63;

/// Reads a duration as Go's `time.ParseDuration` does, in nanoseconds; `None` where Go refuses it.
pub fn parse(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (part, after) = parse_part(rest)?;
        total = total.checked_add(part).filter(|&sum| sum <= LIMIT)?;
        rest = after;
    }
    if negative { 0_i64.checked_sub_unsigned(total) } else { i64::try_from(total).ok() }
}

/// One number with its unit, and what follows them.
fn parse_part(text: &str) -> Option<(u64, &str)> {
    let (whole, after_whole) = digits(text);
    let (fraction, after_number) = match after_whole.strip_prefix('.') {
        Some(after_point) => digits(after_point),
        None => ("", after_whole),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let unit_end = after_number.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after_number.len());
    let (unit, rest) = after_number.split_at(unit_end);
    let unit = unit_nanos(unit)?;
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let whole = whole.checked_mul(unit).filter(|&nanos| nanos <= LIMIT)?;
    let nanos = whole.checked_add(fraction_nanos(fraction, unit)).filter(|&nanos| nanos <= LIMIT)?;
    Some((nanos, rest))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// Go computes the fraction in floating point and drops digits past 63 bits; so do we, to agree to the nanosecond.
fn fraction_nanos(digits: &str, unit: u64) -> u64 {
    let (mut value, mut scale) = (0_u64, 1.0_f64);
    for digit in digits.bytes() {
        let Some(next) = value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit - b'0'))) else { break };
        if next > LIMIT {
            break;
        }
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

fn unit_nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // The micro sign (U+00B5) and the Greek letter mu (U+03BC).
        "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    })
}

/// Appends a duration of so many nanoseconds as Go prints it: `0s`, `7.556ms`, `1.5s`, `1h30m0s`.
pub fn write(nanos: i64, out: &mut String) {
    let size = nanos.unsigned_abs();
    if nanos < 0 {
        out.push('-');
    }
    match size {
        0 => out.push_str("0s"),
        1..MICROSECOND => write_scaled(size, 1, "ns", out),
        MICROSECOND..MILLISECOND => write_scaled(size, MICROSECOND, "\u{b5}s", out),
        MILLISECOND..SECOND => write_scaled(size, MILLISECOND, "ms", out),
        _ => {
            if size >= HOUR {
                write_scaled(size / HOUR, 1, "h", out);
            }
            if size >= MINUTE {
                write_scaled(size % HOUR / MINUTE, 1, "m", out);
            }
            write_scaled(size % MINUTE, SECOND, "s", out);
        }
    }
}

/// Appends `amount / unit` with as many decimals as it takes, then the unit's name.
fn write_scaled(amount: u64, unit: u64, name: &str, out: &mut String) {
    write!(out, "{}", amount / unit).expect("writing to a String does not fail");
    let (mut rest, mut place) = (amount % unit, unit);
    if rest > 0 {
        out.push('.');
    }
    while rest > 0 {
        place /= 10;
        let digit = u8::try_from(rest / place).expect("the remainder is below ten times its place");
        out.push(char::from(b'0' + digit));
        rest %= place;
    }
    out.push_str(name);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(nanos: i64) -> String {
        let mut out = String::new();
        write(nanos, &mut out);
        out
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, nanos) in [
            ("0", 0),
            ("+0", 0),
            ("-0", 0),
            ("0s", 0),
            ("5s", 5_000_000_000),
            ("1.s", 1_000_000_000),
            (".5s", 500_000_000),
            ("-.5s", -500_000_000),
            ("+5.6s", 5_600_000_000),
            ("250us", 250_000),
            ("12\u{b5}s", 12_000),
            ("12\u{3bc}s", 12_000),
            ("1h30m", 5_400_000_000_000),
            ("-1.5h", -5_400_000_000_000),
            ("39h9m14.425s", 140_954_425_000_000),
            ("52763797000ns", 52_763_797_000),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("9007199254740993ns", 9_007_199_254_740_993),
            ("0.100000000000000000000h", 360_000_000_000),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(parse(text), Some(nanos), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in [
            "",
            "3",
            "-",
            "+",
            "s",
            ".",
            "-.",
            ".s",
            "+.s",
            "1d",
            "1 s",
            " 1s",
            "1s ",
            "1S",
            "1H",
            "1.5",
            "1e3s",
            "--1s",
            "3000000h",
            "9223372036854775808ns",
            "9223372036854775.808us",
            "-9223372036854775809ns",
            "1s-2s",
            "１s",
            "1,5s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1\u{b5}s"),
            (7_556_000, "7.556ms"),
            (1_500_000_000, "1.5s"),
            (-1_500_000_000, "-1.5s"),
            (90_000_000_000, "1m30s"),
            (245_000_000_000, "4m5s"),
            (5_400_000_000_000, "1h30m0s"),
            (3_600_000_000_000, "1h0m0s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(written(nanos), text);
        }
    }

    proptest! {
        // Go's fractions go through floating point, which keeps 53 bits: nanoseconds of spans below 100 days are exact.
        #[test]
        fn what_was_written_reads_back(nanos in -8_640_000_000_000_000_i64..8_640_000_000_000_000) {
            prop_assert_eq!(parse(&written(nanos)), Some(nanos));
        }

        #[test]
        fn arbitrary_text_is_read_or_refused(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn digits_points_and_units_are_read_or_refused(text in "[-+]?([0-9]{0,22}\\.?[0-9]{0,22}(ns|us|ms|s|m|h)?){1,3}") {
            let _ = parse(&text);
        }
    }
}
