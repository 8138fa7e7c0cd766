//! Resources to text, as `kubectl get -o yaml` and `-o json` print them.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::scalar;

/// An object as YAML: keys sorted, two blanks, items of lists not indented under their key.
pub fn yaml(tree: &Json) -> String {
    let mut out = String::new();
    match tree {
        Json::Object(map) if !map.is_empty() => block(&mut out, tree, 0),
        Json::Array(items) if !items.is_empty() => block(&mut out, tree, 0),
        _ => {
            inline(&mut out, tree, 0);
            out.push('\n');
        }
    }
    out
}

/// An object as JSON with four blanks, ending in a newline.
pub fn json(tree: &Json) -> String {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    tree.serialize(&mut serializer).expect("a tree has only texts as keys, and memory takes every byte");
    out.push(b'\n');
    String::from_utf8(out).expect("serde_json writes UTF-8")
}

/// Several objects as the one object that kubectl prints.
pub fn list(items: Vec<Json>) -> Json {
    json!({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})
}

/// Writes a map or list that is not empty, on lines of its own.
fn block(out: &mut String, tree: &Json, indent: usize) {
    match tree {
        Json::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            for (position, key) in keys.into_iter().enumerate() {
                // The first key of an item stands behind its dash.
                let fresh = position > 0 || out.ends_with('\n') || out.is_empty();
                pad(out, if fresh { indent } else { 0 });
                text(out, key, indent, true);
                out.push(':');
                entry(out, &map[key], indent);
            }
        }
        Json::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                let fresh = position > 0 || out.ends_with('\n') || out.is_empty();
                pad(out, if fresh { indent } else { 0 });
                out.push_str("- ");
                if is_block(item) {
                    block(out, item, indent + 2);
                } else {
                    inline(out, item, indent + 2);
                    out.push('\n');
                }
            }
        }
        _ => {}
    }
}

/// Writes the value of a key, from behind its colon.
fn entry(out: &mut String, value: &Json, indent: usize) {
    if is_block(value) {
        out.push('\n');
        block(out, value, if value.is_array() { indent } else { indent + 2 });
    } else {
        out.push(' ');
        inline(out, value, indent + 2);
        out.push('\n');
    }
}

fn is_block(value: &Json) -> bool {
    match value {
        Json::Object(map) => !map.is_empty(),
        Json::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn inline(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::String(value) => text(out, value, indent, false),
        Json::Object(_) => out.push_str("{}"),
        Json::Array(_) => out.push_str("[]"),
        value => {
            write!(out, "{value}").expect("a String takes every text");
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Writes a text in the plainest way that reads back as the same text.
fn text(out: &mut String, value: &str, indent: usize, key: bool) {
    if value.contains('\n') && !key && is_literal(value) {
        literal(out, value, indent);
    } else if value.chars().any(is_special) || scalar::is_ambiguous(value) {
        double_quoted(out, value);
    } else if is_plain(value) {
        out.push_str(value);
    } else {
        write!(out, "'{}'", value.replace('\'', "''")).expect("a String takes every text");
    }
}

/// Whether a text may stand without quotes in a block.
fn is_plain(value: &str) -> bool {
    let mut chars = value.chars();
    let Some(first) = chars.next() else { return false };
    let indicates = match first {
        '-' | '?' | ':' => matches!(chars.next(), None | Some(' ')),
        first => " ,[]{}#&*!|>'\"%@`".contains(first),
    };
    let ends = value.ends_with([' ', ':']) || value.contains(": ") || value.contains(" #");
    let marks = value.starts_with("---") || value.starts_with("...");
    !(indicates || ends || marks)
}

/// Whether a text of several lines may be written line by line.
fn is_literal(value: &str) -> bool {
    !value.chars().any(|c| c != '\n' && is_special(c))
        && !value.contains(" \n")
        && !value.ends_with(' ')
        && !value.starts_with([' ', '\n'])
}

/// What can be written only as an escape.
fn is_special(c: char) -> bool {
    c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}')
}

fn literal(out: &mut String, value: &str, indent: usize) {
    let content = value.trim_end_matches('\n');
    out.push_str(match value.len() - content.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in content.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
    }
    out.extend(std::iter::repeat_n('\n', (value.len() - content.len()).saturating_sub(1)));
}

fn double_quoted(out: &mut String, value: &str) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_special(c) => {
                write!(out, "\\u{:04X}", u32::from(c)).expect("a String takes every text");
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::yaml::read;

    #[test]
    fn yaml_is_kubectl_s() {
        let tree = json!({
            "spec": {"servers": [{"port": {"number": 443}, "hosts": ["a.com", "*"]}], "empty": {}, "none": []},
            "kind": "Gateway", "a": "y", "b": "1", "c": "x: y", "d": "l1\nl2\n", "e": null, "f": "\"info\"", "g": "",
            "match": "request.host.endsWith(\"cnn.com\") && true", "or": "request.host | \"unknown\"", "t": "a\tb",
        });
        insta::assert_snapshot!(yaml(&tree), @r###"
        a: "y"
        b: "1"
        c: 'x: y'
        d: |
          l1
          l2
        e: null
        f: '"info"'
        g: ""
        kind: Gateway
        match: request.host.endsWith("cnn.com") && true
        or: request.host | "unknown"
        spec:
          empty: {}
          none: []
          servers:
          - hosts:
            - a.com
            - '*'
            port:
              number: 443
        t: "a\tb"
        "###);
    }

    #[test]
    fn several_are_one_list() {
        insta::assert_snapshot!(yaml(&list(vec![json!({"kind": "a"}), json!({"kind": "b"})])), @r###"
        apiVersion: v1
        items:
        - kind: a
        - kind: b
        kind: List
        metadata:
          resourceVersion: ""
        "###);
        assert_eq!(json(&json!({"a": [1]})), "{\n    \"a\": [\n        1\n    ]\n}\n");
    }

    fn trees() -> impl Strategy<Value = Json> {
        let texts = prop_oneof![
            "\\PC{0,12}",
            "[ \\n:#'\"a\\-?|>&*!%@{}\\[\\],\\\\0-9.\\t\u{85}]{0,12}",
            "yes|no|~|0644|1e3|-|---|=|<<"
        ];
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            texts.clone().prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 32, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::btree_map(texts.clone(), inner, 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same(tree in trees()) {
            let text = yaml(&tree);
            prop_assert_eq!(read(&text).map_err(|fault| fault.problem), Ok(tree), "{}", text);
        }
    }
}
