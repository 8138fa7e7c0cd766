//! JSON values as Go prints them, because that is what kubectl's users see.

use std::fmt::Write;

use serde_json::Value as Json;

/// A value in running text (`%v`): text as it is, `[a b]`, `map[a:1 b:2]`.
pub(crate) fn plain(value: &Json) -> String {
    match value {
        Json::Null => "<nil>".into(),
        Json::String(text) => text.clone(),
        Json::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Json::Object(map) => {
            let pairs: Vec<_> = map.iter().map(|(key, value)| format!("{key}:{}", plain(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        scalar => scalar.to_string(),
    }
}

/// A value as Go source (`%#v`).
pub(crate) fn source(value: &Json) -> String {
    let mut out = String::new();
    write_source(value, &mut out);
    out
}

fn write_source(value: &Json, out: &mut String) {
    match value {
        Json::Null => out.push_str("interface {}(nil)"),
        Json::Array(items) => {
            out.push_str("[]interface {}{");
            separated(items.iter(), out, write_source);
            out.push('}');
        }
        Json::Object(map) => {
            out.push_str("map[string]interface {}{");
            separated(map.iter(), out, |(key, value), out| {
                // Writing to a string cannot fail.
                let _ = write!(out, "{}:", quoted(key));
                write_source(value, out);
            });
            out.push('}');
        }
        Json::String(text) => out.push_str(&quoted(text)),
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn separated<T>(items: impl Iterator<Item = T>, out: &mut String, each: impl Fn(T, &mut String)) {
    for (position, item) in items.enumerate() {
        if position > 0 {
            out.push_str(", ");
        }
        each(item, out);
    }
}

/// A text in double quotes, with Go's escapes (`%q`).
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Compact JSON as Go writes it: `<`, `>` and `&` as escapes, which is the same value to every reader.
pub(crate) fn json(value: &Json) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_object_prints_as_go_source() {
        let list = json!({"apiVersion": "v1", "items": [], "metadata": {"resourceVersion": ""}, "n": 1, "x": null});
        assert_eq!(
            source(&list),
            "map[string]interface {}{\"apiVersion\":\"v1\", \"items\":[]interface {}{}, \
             \"metadata\":map[string]interface {}{\"resourceVersion\":\"\"}, \"n\":1, \"x\":interface {}(nil)}"
        );
    }

    #[test]
    fn maps_and_lists_in_text_are_separated_by_blanks() {
        assert_eq!(plain(&json!({"b": [1, "x"], "a": true})), "map[a:true b:[1 x]]");
    }
}
