//! Many expressions: a line of JSON in, a line of JSON out, in order, whatever stands in it.

use std::io::{self, BufRead, BufReader, Read, Write};

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::attributes::{Attributes, unknown_type};
use super::{Fault, Phase, compile, evaluate, write_json};
use crate::expr::ValueType;

/// Longest line, in bytes: a thousand headers fit.
const MAX_LINE: u64 = 1 << 20;

/// What a line asks.
#[derive(Debug, Deserialize)]
struct Question {
    #[serde(default)]
    id: Json,
    expr: String,
    #[serde(default)]
    attrs: Map<String, Json>,
    #[serde(default)]
    attr_types: Map<String, Json>,
}

/// Answers every line of `input` until its end. A line that cannot be read is answered, too; an empty one is passed over.
///
/// # Errors
/// Reading or writing fails.
pub(crate) fn run(input: impl Read, out: &mut dyn Write) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let (mut line, mut text) = (Vec::new(), String::new());
    loop {
        line.clear();
        if input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line)? == 0 {
            return out.flush();
        }
        let too_long = line.len() as u64 > MAX_LINE && line.last() != Some(&b'\n');
        if too_long {
            skip_line(&mut input)?;
        }
        text.clear();
        if too_long {
            unreadable(&Json::Null, format!("the line is longer than {MAX_LINE} bytes"), &mut text);
        } else if !line.trim_ascii().is_empty() {
            answer(&line, &mut text);
        } else {
            continue;
        }
        text.push('\n');
        out.write_all(text.as_bytes())?;
        // Whoever asks one thing after the other must not wait for an answer that stands in a buffer.
        if input.buffer().is_empty() {
            out.flush()?;
        }
    }
}

/// Reads to the end of a line without keeping it.
fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let end = memchr::memchr(b'\n', buffer);
        let length = end.map_or(buffer.len(), |end| end + 1);
        let done = end.is_some() || buffer.is_empty();
        input.consume(length);
        if done {
            return Ok(());
        }
    }
}

fn answer(line: &[u8], out: &mut String) {
    match serde_json::from_slice::<Question>(line) {
        Ok(question) => reply(&question, out),
        Err(fault) => {
            // A line of another shape may still say which one it is.
            let id = serde_json::from_slice::<Json>(line).ok().and_then(|mut line| Some(line.get_mut("id")?.take()));
            unreadable(&id.unwrap_or_default(), format!("the line is no question: {fault}"), out);
        }
    }
}

fn unreadable(id: &Json, message: String, out: &mut String) {
    begin(id, out);
    write_fault(&Fault::new(Phase::Parse, message), "", out);
}

fn reply(question: &Question, out: &mut String) {
    begin(&question.id, out);
    let length = out.len();
    if let Err(fault) = value(question, out) {
        out.truncate(length);
        write_fault(&fault, &question.expr, out);
    }
}

fn begin(id: &Json, out: &mut String) {
    out.push_str("{\"id\":");
    out.push_str(&id.to_string());
}

fn write_fault(fault: &Fault, expression: &str, out: &mut String) {
    out.push_str(",\"error\":");
    fault.write_json(expression, out);
    out.push('}');
}

/// Appends type and value.
fn value(question: &Question, out: &mut String) -> Result<(), Fault> {
    let attributes = attributes(question).map_err(|message| Fault::new(Phase::Type, message))?;
    let (vocabulary, values) = attributes.finish();
    let (program, _) = compile(&question.expr, &vocabulary)?;
    evaluate(&program, &values, |of, value| {
        out.push_str(&format!(",\"type\":\"{of}\",\"value\":"));
        write_json(value, out);
        out.push('}');
    })
}

fn attributes(question: &Question) -> Result<Attributes, String> {
    let mut attributes = Attributes::default();
    for (name, of) in &question.attr_types {
        let of = of.as_str().ok_or_else(|| format!("the type of attribute {name} is not a string"))?;
        attributes.declare(name, ValueType::from_name(of).ok_or_else(|| unknown_type(of))?)?;
    }
    for (name, value) in &question.attrs {
        attributes.give(name, value)?;
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answers(input: &[u8]) -> Vec<String> {
        let mut out = Vec::new();
        run(input, &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_line_is_answered_in_order() {
        let input = r#"
{"id":1,"expr":"request.path.startsWith(\"/pol\")","attrs":{"request.path":"/politics"}}
{"id":"b","expr":"shop.n + 1","attrs":{"shop.n":41}}
{"id":null,"expr":"shop.until","attrs":{"shop.until":"2018-06-18T15:22:58.50+02:00"},"attr_types":{"shop.until":"TIMESTAMP"}}
{"id":[4],"expr":"response.duration | \"1.5s\"","attrs":{"response.duration":null}}
{"id":5,"expr":"request.size","attrs":{"request.size":"big"},"attr_types":{"request.size":"STRING"}}

{"id":6,"expr":"source.labels","attrs":{"source.labels":{"b":"2","a":"1"}}}
{"id":7,"expr":"1.5 + .5"}"#;
        assert_eq!(
            answers(input.as_bytes()),
            [
                r#"{"id":1,"type":"BOOL","value":true}"#,
                r#"{"id":"b","type":"INT64","value":42}"#,
                r#"{"id":null,"type":"TIMESTAMP","value":"2018-06-18T13:22:58.5Z"}"#,
                r#"{"id":[4],"type":"DURATION","value":"1.5s"}"#,
                r#"{"id":5,"type":"STRING","value":"big"}"#,
                r#"{"id":6,"type":"STRING_MAP","value":{"a":"1","b":"2"}}"#,
                r#"{"id":7,"type":"DOUBLE","value":2}"#,
            ]
        );
    }

    #[test]
    fn a_fault_has_its_phase_and_column() {
        for (line, error) in [
            (
                r#"{"id":1,"expr":"\"ü\" == !a"}"#,
                r#"{"id":1,"error":{"phase":"parse","message":"the language has no `!`","column":8}}"#,
            ),
            (
                r#"{"id":2,"expr":"request.path == 5"}"#,
                r#"{"id":2,"error":{"phase":"type","message":"operand of `==` is of type INT64, expected STRING","column":17}}"#,
            ),
            (
                r#"{"id":3,"expr":"true && request.path == \"\""}"#,
                r#"{"id":3,"error":{"phase":"eval","message":"lookup failed: 'request.path'","column":9}}"#,
            ),
            (
                r#"{"id":4,"expr":"true","attrs":{"request.size":"x"}}"#,
                r#"{"id":4,"error":{"phase":"type","message":"attribute request.size: could not convert \"x\" to INT64","column":1}}"#,
            ),
        ] {
            assert_eq!(answers(line.as_bytes()), [error]);
        }
    }

    #[test]
    fn no_line_ends_the_run() {
        let mut input = b"{\n\xff\n[]\n{\"id\":9}\n".to_vec();
        input.extend(vec![b'x'; 3 << 20]);
        input.extend(b"\n{\"id\":10,\"expr\":\"1\"}\n");
        let found = answers(&input);
        assert_eq!(found.len(), 6, "{found:#?}");
        for line in &found[..5] {
            assert!(line.contains(r#""error":{"phase":"parse""#), "{line}");
        }
        assert!(found[3].starts_with(r#"{"id":9,"#) && found[4].contains("longer than 1048576 bytes"), "{found:#?}");
        assert_eq!(found[5], r#"{"id":10,"type":"INT64","value":1}"#);
    }

    proptest! {
        #[test]
        fn any_expression_is_answered_by_a_line_of_json(expr in ".{0,40}", name in ".{0,10}", value in ".{0,10}") {
            let line = serde_json::json!({"id": 1, "expr": expr, "attrs": {name: value}}).to_string();
            let found = answers(line.as_bytes());
            prop_assert_eq!(found.len(), 1);
            prop_assert!(serde_json::from_str::<Json>(&found[0]).is_ok());
        }
    }
}
