//! Our own lines, and Mixer's: the same fields as JSON or as text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::{Found, envoy};
use crate::accesslog::segment::split_field;
use crate::accesslog::{Format, Level, line};
use crate::diagnostic::is_unsafe;
use crate::expr::Timestamp;

/// A JSON object: an entry, or a line of Envoy's or Istio's JSON access log.
pub(super) fn json(text: &str) -> Result<Option<Found<'_>>, String> {
    if text.chars().any(is_unsafe) {
        return Err(
            "it has characters that can drive a terminal or end a line, which JSON can write as \\u escapes".to_owned()
        );
    }
    if let Some((level, time, instance)) = head(text).filter(|own| is_as_written(text, *own)) {
        serde_json::from_str::<Readable>(text).map_err(|error| error.to_string())?;
        let (instance, line) = (Cow::Borrowed(instance), Cow::Borrowed(text));
        return Ok(Some(Found { time, level, instance, line, format: Format::Json }));
    }
    let fields = line::fields(text).map_err(|error| error.to_string())?;
    let has = |wanted: &str| fields.iter().any(|(name, _)| name == wanted);
    if has("start_time") {
        return envoy::json(&fields).map(Some);
    }
    if ["level", "time", "msg"].into_iter().all(has) && !has("instance") {
        return Ok(None);
    }
    of_fields(fields, Format::Json).map(Some)
}

/// JSON of which nothing is kept, and all can be read: what only passes it over takes half a surrogate pair, and numbers that are
/// too large, which nobody can make anything of afterwards.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Readable)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
        while fields.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// Level, time and instance of a line that begins as we write it.
fn head(text: &str) -> Option<(Level, i64, &str)> {
    let (level, rest) = text.strip_prefix("{\"level\":\"")?.split_once('"')?;
    let (time, rest) = rest.strip_prefix(",\"time\":\"")?.split_once('"')?;
    let (instance, _) = rest.strip_prefix(",\"instance\":\"")?.split_once('"')?;
    let level = Level::ALL.into_iter().find(|known| known.name() == level)?;
    if instance.contains('\\') {
        return None;
    }
    Some((level, micros(time)?, instance))
}

/// Whether a line is spelled as we spell it, so that it can stay as it is: another one would be searched otherwise.
fn is_as_written(text: &str, (level, time, instance): (Level, i64, &str)) -> bool {
    let mut begin = String::new();
    line::begin(&mut begin, level, time, instance);
    let Some(mut rest) = text.strip_prefix(&begin).and_then(|rest| rest.strip_suffix('}')) else { return false };
    let next = |rest: &'_ str| {
        let (_, value, after) = split_field(rest.strip_prefix(',')?)?;
        (value.trim_ascii().len() == value.len()).then_some(rest.len() - after.len())
    };
    while !rest.is_empty() {
        let Some(length) = next(rest) else { return false };
        rest = &rest[length..];
    }
    true
}

fn micros(time: &str) -> Option<i64> {
    Timestamp::parse_rfc3339(time).map(Timestamp::micros)
}

/// `TIME<tab>LEVEL<tab>INSTANCE<tab>{"a": 1}`, as Mixer's stdio adapter writes it, or what one of Istio's programs says of itself:
/// `TIME<tab>LEVEL<tab>[SCOPE<tab>]MESSAGE`.
pub(super) fn text(text: &str) -> Result<Option<Found<'_>>, String> {
    let mut parts = text.splitn(4, '\t');
    let (Some(time), Some(level), Some(instance)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(NEITHER.to_owned());
    };
    let variables = parts.next();
    if !is_full_name(instance) || variables.is_some_and(|json| !json.starts_with('{')) {
        let is_notice = micros(time).is_some() && LEVELS.contains(&level);
        return if is_notice { Ok(None) } else { Err(NEITHER.to_owned()) };
    }
    let variables = match variables {
        Some(json) => line::fields(json).map_err(|error| error.to_string())?,
        None => Vec::new(),
    };
    let own = [("time", time), ("level", level), ("instance", instance)];
    let own = own.map(|(name, value)| (name.to_owned(), Json::from(value)));
    of_fields(own.into_iter().chain(variables).collect(), Format::Text).map(Some)
}

const NEITHER: &str = "it is neither a JSON object, nor a line of Mixer's, Envoy's or Istio's access log";

/// Levels of what Istio's programs and Envoy say of themselves.
const LEVELS: [&str; 8] = ["trace", "debug", "info", "warn", "warning", "error", "critical", "fatal"];

/// Whether a text can be `NAME.KIND.NAMESPACE`.
fn is_full_name(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "\"=:/".contains(c));
    text.split('.').count() >= 3 && text.split('.').all(is_part)
}

/// The entry of named values; level, time and instance may stand anywhere among them.
pub(super) fn of_fields(fields: Vec<(String, Json)>, format: Format) -> Result<Found<'static>, String> {
    let (mut own, mut rest) = ([None, None, None], Vec::new());
    for (name, value) in fields {
        let place = ["level", "time", "instance"].iter().position(|own| *own == name);
        match (place, value) {
            (Some(place), Json::String(text)) if own[place].is_none() => own[place] = Some(text),
            (_, value) => rest.push((name, value)),
        }
    }
    let [Some(level), Some(time), Some(instance)] = own else {
        return Err("it has not the texts level, time and instance".to_owned());
    };
    let level = match level.as_str() {
        "info" | "debug" | "trace" => Level::Info,
        "warn" | "warning" => Level::Warning,
        "error" | "fatal" => Level::Error,
        other => return Err(format!("its level {other:?} is none of info, warn, error")),
    };
    let time = micros(&time).ok_or_else(|| format!("its time {time:?} is none, as 2018-06-18T13:22:58Z is"))?;
    let mut text = String::new();
    line::begin(&mut text, level, time, &instance);
    for (name, value) in rest {
        line::name(&mut text, &name);
        line::value(&mut text, &value);
    }
    line::end(&mut text);
    Ok(Found { time, level, instance: instance.into(), line: text.into(), format })
}
