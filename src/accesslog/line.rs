//! The line that people see: building it, and reading it again.
//!
//! A line is built as `begin`, then `name` and a value for each variable, then `end`:
//!
//! ```
//! use egressctl::accesslog::{Level, line};
//! let mut out = String::new();
//! line::begin(&mut out, Level::Info, 1_529_328_178_317_448, "egress-access.logentry.istio-system");
//! line::name(&mut out, "path");
//! line::string(&mut out, "/politics");
//! line::end(&mut out);
//! assert_eq!(out, r#"{"level":"info","time":"2018-06-18T13:22:58.317448Z","instance":"egress-access.logentry.istio-system","path":"/politics"}"#);
//! ```

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::{self, Write as _};

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{DAY, Format, Level};
use crate::expr::{Timestamp, write_json_string};

/// Begins a line: the opening brace and the three fields that every line has. `time` is in microseconds since 1970.
pub fn begin(out: &mut String, level: Level, time: i64, instance: &str) {
    out.push_str("{\"level\":\"");
    out.push_str(level.name());
    out.push_str("\",\"time\":\"");
    timestamp(out, time);
    out.push_str("\",\"instance\":");
    string(out, instance);
}

/// Adds the name of a variable, after which its value is due. Sorting the names is the caller's part.
pub fn name(out: &mut String, name: &str) {
    out.push(',');
    string(out, name);
    out.push(':');
}

/// Adds a text as a JSON string; nothing in it can break the line or drive a terminal.
pub fn string(out: &mut String, text: &str) {
    write_json_string(text, out);
}

/// Adds a JSON value: a text as [`string`] writes it, anything else as serde_json does.
pub fn value(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => string(out, text),
        // Writing to a String does not fail.
        value => drop(write!(out, "{value}")),
    }
}

/// Adds a time, in microseconds since 1970, as `2018-06-18T13:22:58.317448Z`: UTC, always six decimals.
pub fn timestamp(out: &mut String, micros: i64) {
    let day = micros.div_euclid(DAY);
    WRITTEN.with_borrow_mut(|(written, text)| {
        if *written != day || text.is_empty() {
            text.clear();
            Timestamp::from_micros(day.saturating_mul(DAY)).write_rfc3339_micros(text);
            text.truncate(text.len() - CLOCK.len());
            *written = day;
        }
        out.push_str(text);
    });
    push_clock(out, micros);
}

/// How the part of a [`timestamp`] behind the date looks.
pub(super) const CLOCK: &str = "00:00:00.000000Z";

/// Adds the part of a [`timestamp`] behind the date.
pub(super) fn push_clock(out: &mut String, micros: i64) {
    let of_day = micros.rem_euclid(DAY);
    let (second, fraction) = ((of_day / MICROS) as u32, (of_day % MICROS) as u32);
    let mut text: [u8; CLOCK.len()] = CLOCK.as_bytes().try_into().expect("it is as long as it is");
    let pairs =
        [second / 3_600, second / 60 % 60, second % 60, fraction / 10_000, fraction / 100 % 100, fraction % 100];
    for (place, pair) in [0, 3, 6, 9, 11, 13].into_iter().zip(pairs) {
        (text[place], text[place + 1]) = (b'0' + (pair / 10) as u8, b'0' + (pair % 10) as u8);
    }
    out.push_str(std::str::from_utf8(&text).expect("digits are ASCII"));
}

const MICROS: i64 = 1_000_000;

thread_local! {
    /// The day that was written last, and how: most lines come on the same one.
    static WRITTEN: RefCell<(i64, String)> = const { RefCell::new((0, String::new())) };
}

/// Ends a line. The newline is added by who prints it.
pub fn end(out: &mut String) {
    out.push('}');
}

/// The line as its handler prints it, made from the stored JSON object.
pub fn printed(line: &str, format: Format) -> Cow<'_, str> {
    match format {
        Format::Json => Cow::Borrowed(line),
        Format::Text => text(line).map_or(Cow::Borrowed(line), Cow::Owned),
    }
}

/// The text form; nothing if the line was not built by [`begin`].
fn text(line: &str) -> Option<String> {
    let (level, rest) = line.strip_prefix("{\"level\":\"")?.split_once('"')?;
    let (time, rest) = rest.strip_prefix(",\"time\":\"")?.split_once('"')?;
    let (instance, rest) = rest.strip_prefix(",\"instance\":\"")?.split_once('"')?;
    let mut out = String::with_capacity(line.len() + line.len() / 8);
    for (field, separator) in [(time, "\t"), (level, "\t"), (instance, "")] {
        out.push_str(field);
        out.push_str(separator);
    }
    if let Some(variables) = rest.strip_prefix(',') {
        out.push_str("\t{");
        spaced(&mut out, variables);
    }
    Some(out)
}

/// Copies JSON with a blank after each colon and comma that stands outside a string.
fn spaced(out: &mut String, json: &str) {
    let (mut quoted, mut escaped) = (false, false);
    for character in json.chars() {
        out.push(character);
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ':' | ',' if !quoted => out.push(' '),
            _ => {}
        }
    }
}

/// The fields of a stored line in their order, also those whose name occurs twice.
///
/// # Errors
/// If the line is not one JSON object.
pub fn fields(line: &str) -> Result<Vec<(String, Value)>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(line);
    let fields = deserializer.deserialize_map(Fields)?;
    deserializer.end()?;
    Ok(fields)
}

/// Collects an object's fields; serde_json's own map would sort them.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests;
