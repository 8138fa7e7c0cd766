//! JSON texts to trees: one object after another, keys once only.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};

use super::yaml::{Fault, MAX_DEPTH};
use crate::diagnostic::{Code, FieldPath, Problem};

/// Whether a text looks like JSON: its first sign is a brace or bracket.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '['])
}

/// Reads the JSON values of a text, each with its bytes.
pub(super) fn read(text: &str) -> Result<Vec<(Range<usize>, Json)>, Box<Fault>> {
    let skipped = text.len() - text.trim_start_matches('\u{feff}').len();
    let mut values = serde_json::Deserializer::from_str(&text[skipped..]).into_iter::<Tree>();
    let mut found = Vec::new();
    loop {
        let start = skipped + values.byte_offset();
        match values.next() {
            None => return Ok(found),
            Some(Ok(Tree(value))) => {
                let start = start + text[start..].len() - text[start..].trim_start().len();
                let end = skipped + values.byte_offset();
                if depth(&value) > MAX_DEPTH {
                    return Err(refusal(&format!("nested deeper than {MAX_DEPTH} levels"), start));
                }
                found.push((start..end, value));
            }
            Some(Err(error)) => return Err(refused(&text[skipped..], skipped, &error)),
        }
    }
}

fn refused(text: &str, skipped: usize, error: &serde_json::Error) -> Box<Fault> {
    let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let message = error.to_string();
    let gist = message.rfind(" at line ").map_or(message.as_str(), |end| &message[..end]);
    refusal(&format!("not valid JSON: {gist}"), skipped + line_start + error.column().saturating_sub(1))
}

fn refusal(message: &str, at: usize) -> Box<Fault> {
    Box::new(Fault { problem: Problem::error(Code::Syntax, FieldPath::root(), message), span: at..at + 1 })
}

/// serde_json itself refuses more than 128 levels, so this ends soon.
fn depth(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A tree in whose maps no key stands twice.
struct Tree(Json);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(Tree)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(Tree(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key \"{key}\" stands twice in this map")));
            }
            let Tree(value) = access.next_value()?;
            map.insert(key, value);
        }
        Ok(Json::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_may_follow_one_another() {
        let text = "\u{feff} {\"a\": 1}\n{\"b\": 2}\n";
        let found = read(text).expect("it is JSON");
        let values: Vec<_> = found.iter().map(|(range, value)| (&text[range.clone()], value.clone())).collect();
        assert_eq!(values, [("{\"a\": 1}", json!({"a": 1})), ("{\"b\": 2}", json!({"b": 2}))]);
    }

    #[test]
    fn faults_say_where() {
        let text = "{\"a\": 1,\n \"a\": 2}";
        let fault = read(text).expect_err("a key twice");
        assert_eq!(fault.problem.message, "not valid JSON: the key \"a\" stands twice in this map");
        assert!(fault.span.start > 8);
        assert!(read(&"[".repeat(100)).is_err() && read("{\"a\"").is_err());
    }
}
